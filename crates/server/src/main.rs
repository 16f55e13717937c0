//! The `rowtide` binary: command line and configuration in front, wiring behind. No logic of its own.

#![forbid(unsafe_code)]

mod capture;
mod check;
mod cli;
mod data_dir;
mod demo;
mod doctor;
mod export;
mod failure;
mod huge_pages;
mod init;
mod inspect;
mod log_ends;
mod open_files;
mod operator;
mod output;
mod preparation;
mod probes;
mod progress;
mod rebuild;
#[cfg(test)]
mod reference;
mod reload;
mod remote;
mod scratch;
mod serve;
mod source;
mod sources;
mod start_progress;
mod status_provider;
mod table_names;
mod verify;

use std::process::ExitCode;

use clap::Parser;

/// Rows are many small allocations made on one thread and freed on others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
