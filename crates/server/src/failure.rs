//! How a command ends: the exit codes, and what is said on standard error.

use std::fmt;
use std::io;
use std::process::ExitCode;

use change_feed::SourceError;
use config::ConfigErrors;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// It was tried and went wrong: 1.
    Failed(anyhow::Error),
    /// The command line or configuration cannot be acted on: 2. Each line stands for itself.
    Usage(String),
    /// The server is not ready, or its data too old for what was asked: 3.
    NotReady(String),
    /// The server waited as long as it was told to, and it was not long enough: 4.
    WaitTimedOut(String),
    /// Whoever read our standard output has gone, as `head` does. That is no error: 0.
    ReaderGone,
}

impl Failure {
    /// Says what went wrong on standard error. Nothing can be done if that fails too.
    pub fn report(&self) -> ExitCode {
        use io::Write;
        let code = match self {
            Self::ReaderGone => return ExitCode::SUCCESS,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotReady(_) => 3,
            Self::WaitTimedOut(_) => 4,
        };
        let message = self.to_string();
        // Findings about a configuration stand side by side; other lines explain the first.
        let next = if matches!(self, Self::Usage(_)) {
            "\nerror: "
        } else {
            "\n  "
        };
        let _ = writeln!(io::stderr(), "error: {}", message.replace('\n', next));
        ExitCode::from(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error:#}"),
            Self::Usage(message) | Self::NotReady(message) | Self::WaitTimedOut(message) => {
                f.write_str(message)
            }
            Self::ReaderGone => f.write_str("nobody reads what is said"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Usage(errors.to_string())
    }
}

impl From<SourceError> for Failure {
    /// What the settings are to blame for is told as they are.
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Config(message) => Self::Usage(message),
            error => Self::Failed(error.into()),
        }
    }
}
