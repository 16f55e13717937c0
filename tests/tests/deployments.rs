//! What `compose/` and `deploy/` say to Rowtide is what it takes, and what they say to connectors is explained.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use black_box::site::Site;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn files(name: &str, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder(name)).with_context(|| name.to_owned())?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    ensure!(!files.is_empty(), "no .{ending} in {name}");
    Ok(files)
}

#[test]
fn every_configuration_is_usable() -> anyhow::Result<()> {
    let site = Site::on_kafka("127.0.0.1:1", &[], 1_000)?;
    let mut configurations = Vec::new();
    for file in files("compose/rowtide", "toml")? {
        configurations.push((file.clone(), fs::read_to_string(file)?));
    }
    for file in files("deploy/kubernetes", "yaml")? {
        let manifest = fs::read_to_string(&file)?;
        let toml = block_of(&manifest, "rowtide.toml: |").context("no configuration in it")?;
        configurations.push((file, toml));
    }
    for (file, toml) in configurations {
        site.configure(&toml)?;
        let path = site.path("rowtide.toml");
        let said = site.output(&["check", "--config", &path.to_string_lossy()])?;
        ensure!(said.code == Some(0), "{}: {}", file.display(), said.error);
    }
    Ok(())
}

/// What is written below a key of YAML, indented deeper than it.
fn block_of(manifest: &str, key: &str) -> Option<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = manifest.lines().skip_while(|line| line.trim() != key);
    let outer = indent(lines.next()?);
    let block = lines.take_while(|line| line.trim().is_empty() || indent(line) > outer);
    Some(
        block
            .map(|line| line.trim_start().to_owned() + "\n")
            .collect(),
    )
}

/// JSON has no comments: each line of the registrations is explained beside them, and nothing else is.
#[test]
fn every_setting_of_a_registration_is_explained() -> anyhow::Result<()> {
    let readme = fs::read_to_string(folder("compose/connectors/README.md"))?;
    let explained: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(setting, _)| setting.to_owned())
        .collect();
    let mut set = BTreeSet::new();
    for file in files("compose/connectors", "json")? {
        let text = fs::read_to_string(&file)?;
        let settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)?;
        for (setting, value) in settings {
            // Connect takes texts, and turns others into texts of its own making.
            ensure!(
                value.is_string(),
                "{}: {setting} is no text",
                file.display()
            );
            set.insert(setting);
        }
    }
    let unexplained: Vec<_> = set.difference(&explained).collect();
    let unset: Vec<_> = explained.difference(&set).collect();
    ensure!(unexplained.is_empty(), "not explained: {unexplained:?}");
    ensure!(unset.is_empty(), "explained, and set by none: {unset:?}");
    Ok(())
}
