//! Logs: on standard error, for humans or as JSON lines. Standard output belongs to commands.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Coloured on a terminal, unless `NO_COLOR` is set.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not of the form `info,kafka_source=debug`.
    #[error("bad log filter: {0}")]
    Filter(#[from] ParseError),
    /// Something else receives this process's logs already.
    #[error("logs are set up already")]
    Installed,
}

/// Sends logs that pass `filter` (`info,kafka_source=debug`) to standard error. Once a process.
pub fn init(filter: &str, format: LogFormat) -> Result<(), LoggingError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(filter)?)
        .with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Human => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            builder
                .with_ansi(!plain && std::io::stderr().is_terminal())
                .try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    installed.map_err(|_| LoggingError::Installed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_refused_with_its_fault() {
        let refused = init("info,kafka_source=loud", LogFormat::Human).unwrap_err();
        assert!(
            refused.to_string().starts_with("bad log filter: "),
            "{refused}"
        );
    }
}
