//! From file, environment and flags to a [`Config`], or to everything that is wrong.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::check::check;
use super::document::Document;
use super::environment;
use super::error::{ConfigError, ConfigErrors, Origin};
use super::flags::ConfigArgs;
use super::raw::RawConfig;
use super::validated::{Config, Storage, validate};

/// A configuration file larger than this is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Loads with the environment given, so that tests need not change their process's.
pub fn load(
    flags: &ConfigArgs,
    environment: &BTreeMap<String, String>,
) -> Result<Config, ConfigErrors> {
    let mut document = match &flags.config {
        Some(path) => read(path)?,
        None => Document::default(),
    };
    environment::overlay(&mut document, environment);
    // Flags come after: the shell has interpolated them already.
    let mut errors = document.interpolate(environment);
    flags.overlay(&mut document)?;
    errors.extend(check(&document));
    ConfigErrors::check(errors)?;
    let raw = RawConfig::deserialize(document.root()).map_err(|error| ConfigError {
        origin: Origin::Missing,
        what: format!("the configuration cannot be read ({error})"),
        help: "compare it with `rowtide config-schema`".to_owned(),
    })?;
    let config = validate(raw, &document)?;
    let storage = if flags.ephemeral {
        Storage::Memory
    } else {
        config.storage
    };
    Ok(Config { storage, ..config })
}

fn read(path: &Path) -> Result<Document, ConfigError> {
    let failed = |reason: &dyn std::fmt::Display| ConfigError {
        origin: Origin::Flag("--config"),
        what: format!("{} cannot be read ({reason})", path.display()),
        help: "check the path; `rowtide init FILE` writes a new one".to_owned(),
    };
    let size = std::fs::metadata(path)
        .map_err(|error| failed(&error))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(failed(&format!("{size} bytes are no configuration")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    Document::parse(&path.display().to_string(), &text)
}
