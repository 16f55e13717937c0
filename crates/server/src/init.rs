//! `rowtide init`: a configuration to start from, with every key explained.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::failure::Failure;
use crate::output;

const TEMPLATE: &str = include_str!("init.toml");

#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// File to write; it must not exist yet [default: standard output]
    pub file: Option<PathBuf>,
}

pub fn run(args: &InitArgs) -> Result<(), Failure> {
    let Some(path) = &args.file else {
        return output::print(TEMPLATE);
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    let path = path.display();
    output::print(&format!(
        "wrote {path}; try `rowtide check --config {path}`"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use config::{ConfigArgs, load};

    use super::*;

    fn load_text(text: &str) -> Result<config::Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let flags = ConfigArgs {
            config: Some(file.path().into()),
            ..ConfigArgs::default()
        };
        load(&flags, &BTreeMap::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_template_loads_as_it_is_and_shows_the_defaults() {
        let as_is = load_text(TEMPLATE).unwrap();
        let uncommented = TEMPLATE
            .replace("\n#", "\n")
            .lines()
            .filter(|line| line.contains('=') || line.starts_with('['))
            .map(|line| line.replace("${file:/run/secrets/kafka-password}", "x"))
            .map(|line| line.replace("${file:/run/secrets/registry-password}", "x"))
            .filter(|line| !line.starts_with(' '))
            .collect::<Vec<_>>()
            .join("\n");
        let full = load_text(&uncommented).unwrap();
        assert_eq!(full.sources.len(), 2);
        assert_eq!(full.tables.len(), 1);
        assert_eq!(full.memory_max_bytes, Some(4 << 30));
        // What is commented out as a default is the default.
        assert_eq!((full.storage, full.listen), (as_is.storage, as_is.listen));
        assert_eq!(full.quarantine_max_bytes, as_is.quarantine_max_bytes);
        assert_eq!(full.checkpoint_interval, as_is.checkpoint_interval);
        let [full, as_is] = [&full.sources[0], &as_is.sources[0]];
        assert_eq!(full.on_bad_record, as_is.on_bad_record);
        assert_eq!(full.unavailable_value, as_is.unavailable_value);
        let registry = full.registry.as_ref().unwrap();
        assert_eq!(registry.timeout, registry_client::limits::TIMEOUT);
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let args = InitArgs {
            file: Some(file.path().into()),
        };
        let Err(Failure::Failed(error)) = run(&args) else {
            panic!("it was overwritten")
        };
        assert!(format!("{error:#}").contains("exists"), "{error:#}");
    }
}
