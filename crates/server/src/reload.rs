//! SIGHUP: reads the configuration again, and applies of it what a running server can change.
//!
//! An invalid configuration is refused whole, and nothing changes. What differs and needs a restart is named.

use std::fmt::Write as _;

use config::{Config, ConfigArgs};
use ingest::{Control, ControlError};

/// The configuration that is in force, and where it was read from.
pub struct Reload {
    args: ConfigArgs,
    in_force: Config,
}

impl Reload {
    pub fn new(args: ConfigArgs, in_force: Config) -> Self {
        Self { args, in_force }
    }

    /// Reads, applies, and says what came of it.
    pub fn now(&mut self, control: &Control) {
        let read = match config::load(&self.args, &config::process_environment()) {
            Ok(read) => read,
            Err(errors) => {
                tracing::error!(
                    "the configuration is not reloaded, everything stays as it was: {errors}"
                );
                return;
            }
        };
        if let Err(error) = self.apply(&read, control) {
            tracing::error!(%error, "the configuration is not reloaded");
            return;
        }
        let ignored = needs_restart(&self.in_force, &read);
        if !ignored.is_empty() {
            tracing::warn!(
                "the configuration was reloaded, but a restart is needed for what changed of {}",
                ignored.join(", ")
            );
        }
    }

    fn apply(&mut self, read: &Config, control: &Control) -> Result<(), ControlError> {
        let mut changed = String::new();
        if read.memory_max_bytes != self.in_force.memory_max_bytes {
            control.set_memory_max(read.memory_max_bytes.unwrap_or(u64::MAX))?;
            self.in_force.memory_max_bytes = read.memory_max_bytes;
            let max = read.memory_max_bytes;
            let max = max.map_or("none".to_owned(), |bytes| format!("{bytes} bytes"));
            let _ = write!(changed, " memory.max is {max};");
        }
        if read.quarantine_max_bytes != self.in_force.quarantine_max_bytes {
            control.set_quarantine_max(read.quarantine_max_bytes)?;
            self.in_force.quarantine_max_bytes = read.quarantine_max_bytes;
            let max = read.quarantine_max_bytes;
            let _ = write!(changed, " quarantine.max is {max} bytes;");
        }
        if changed.is_empty() {
            changed.push_str(" nothing changed that can be changed while running;");
        }
        tracing::info!("configuration reloaded:{}", changed.trim_end_matches(';'));
        Ok(())
    }
}

/// The keys of what differs, apart from what was applied.
fn needs_restart(in_force: &Config, read: &Config) -> Vec<&'static str> {
    let differs = [
        ("data_dir", in_force.storage != read.storage),
        ("listen", in_force.listen != read.listen),
        ("sources", in_force.sources != read.sources),
        ("tables", in_force.tables != read.tables),
        ("relations", in_force.relations != read.relations),
        (
            "checkpoint.interval",
            in_force.checkpoint_interval != read.checkpoint_interval,
        ),
        ("versions.max", in_force.versions_max != read.versions_max),
        ("secrets.hash_key", in_force.hash_key != read.hash_key),
    ];
    let differs = differs.into_iter().filter(|(_, differs)| *differs);
    differs.map(|(key, _)| key).collect()
}
