//! `rowtide export`: all rows of one table as they were at one moment, in key order.
//!
//! From a running server, or from the checkpoint of one that has ended. What cannot be had whole is not had: the
//! file takes its name when it is complete.

mod offline;
mod output;
mod remote;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::output::harmless;
use crate::remote::Endpoint;
use output::Output;

#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Table: its name, or any longer suffix of its topic
    pub table: String,

    /// How rows are written: an object a line, or CSV with a header
    #[arg(long, default_value = "ndjson")]
    pub format: ExportFormat,

    /// Write into this file instead of standard output; it is there when it is whole
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// The server: `http://host:port` or `unix:/path`
    #[arg(
        long,
        value_name = "URL",
        env = "ROWTIDE_URL",
        default_value_t,
        hide_env_values = true
    )]
    pub url: Endpoint,

    /// Read the last checkpoint in this data directory instead, while no server runs on it
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Where the checkpoint is copied to while it is read, and removed again [default: the system's place for temporary files]
    #[arg(long, value_name = "DIR", requires = "data_dir")]
    pub scratch: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Ndjson,
    Csv,
}

/// What is to be known of the rows beside them.
struct Told {
    table: String,
    /// What moment they are of, in words.
    as_of: String,
    /// Why they may not be all that the source has.
    doubts: Vec<String>,
}

pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    let mut output = Output::create(args.output.as_deref(), args.format)?;
    let told = match &args.data_dir {
        Some(dir) => offline::write(args, dir, &mut output)?,
        None => remote::write(args, &mut output)?,
    };
    let (rows, to) = output.finish()?;
    let mut lines = vec![format!(
        "wrote {rows} rows of {} to {to}, {}",
        told.table, told.as_of
    )];
    lines.extend(told.doubts);
    // Said where it is in nobody's way: the rows may go to standard output.
    eprintln_all(&harmless(&lines.join("\n  ")));
    Ok(())
}

/// Nothing can be done if nobody listens to what was done.
fn eprintln_all(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
