//! The command line: verbs, flags, and which module each verb is.

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use config::ConfigArgs;

use crate::capture::{self, CaptureArgs};
use crate::check::{self, CheckArgs};
use crate::demo::{self, DemoArgs};
use crate::doctor::{self, DoctorArgs};
use crate::export::{self, ExportArgs};
use crate::failure::Failure;
use crate::init::{self, InitArgs};
use crate::inspect::{self, InspectArgs};
use crate::output;
use crate::rebuild::{self, RebuildArgs};
use crate::reload::Reload;
use crate::remote::get::{self, GetArgs};
use crate::remote::health::{self, HealthArgs};
use crate::remote::quarantine::{self, QuarantineArgs};
use crate::remote::status::{self, StatusArgs};
use crate::serve;
use crate::start_progress::Show;
use crate::verify::{self, VerifyArgs};

/// Live copies of database tables, fed by Debezium change events, served over HTTP
#[derive(Debug, Parser)]
#[command(name = "rowtide", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 not ready or too stale, 4 wait timed out."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow topics or record files and serve their tables
    Serve(ServeArgs),
    /// Try it: a small shop whose rows keep changing, with nothing to install
    Demo(DemoArgs),
    /// Write the records of Kafka topics into a record file
    Capture(CaptureArgs),
    /// Check the configuration and say what would be followed
    Check(CheckArgs),
    /// Ask brokers, Kafka Connect and the database, and say what is wrong or risky and how to mend it
    Doctor(DoctorArgs),
    /// Ask a running server how its sources and tables are
    Status(StatusArgs),
    /// Ask a running server for rows
    Get(GetArgs),
    /// Read tables from the start of the log again, beside those that are served
    Rebuild(RebuildArgs),
    /// List records that could not be applied, or try them once more
    Quarantine(QuarantineArgs),
    /// Write all rows of a table, as they were at one moment
    Export(ExportArgs),
    /// Say what a data directory holds, without changing it
    Inspect(InspectArgs),
    /// Compare the checkpoint's tables with what their logs make of them
    Verify(VerifyArgs),
    /// Write a commented configuration
    Init(InitArgs),
    /// Print the JSON Schema of the configuration
    ConfigSchema,
    /// Probe a running server; for containers without curl
    Health(HealthArgs),
    /// Print completions for a shell
    Completions { shell: Shell },
}

#[derive(Args, Debug)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,

    #[command(flatten)]
    log: LogArgs,

    /// Do not draw a bar while the server starts, on a terminal either; what takes long is logged instead
    #[arg(long, help_heading = "Logging")]
    no_progress: bool,
}

/// What is logged, on standard error.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// What to log: a level, or levels by module (info,rowtide=debug) [default: info; demo: warn]
    #[arg(
        long,
        value_name = "FILTER",
        env = "ROWTIDE_LOG",
        hide_env_values = true
    )]
    log: Option<String>,

    /// How to log
    #[arg(
        long,
        value_name = "FORMAT",
        env = "ROWTIDE_LOG_FORMAT",
        default_value = "human",
        hide_env_values = true
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

impl LogArgs {
    /// Starts logging. Once a process.
    pub fn start(&self, default: &str) -> Result<(), Failure> {
        let format = match self.log_format {
            LogFormat::Human => telemetry::LogFormat::Human,
            LogFormat::Json => telemetry::LogFormat::Json,
        };
        let filter = self.log.as_deref().unwrap_or(default);
        telemetry::init(filter, format)
            .map_err(|error| Failure::Usage(format!("--log {filter:?}: {error}")))
    }
}

impl Cli {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(args) => {
                args.log.start("info")?;
                let config = config::load(&args.config, &config::process_environment())?;
                let reload = Reload::new(args.config, config.clone());
                serve::run(
                    &config,
                    Some(reload),
                    Show::choose(args.no_progress),
                    |_| (),
                )
            }
            Command::Demo(args) => demo::run(&args),
            Command::Capture(args) => capture::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Get(args) => get::run(&args),
            Command::Rebuild(args) => rebuild::run(&args),
            Command::Quarantine(args) => quarantine::run(&args),
            Command::Export(args) => export::run(&args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Verify(args) => verify::run(&args),
            Command::Init(args) => init::run(&args),
            Command::ConfigSchema => output::print(&format!("{:#}", config::json_schema())),
            Command::Health(args) => health::run(&args),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "rowtide", &mut script);
                output::print(&String::from_utf8_lossy(&script))
            }
        }
    }
}
