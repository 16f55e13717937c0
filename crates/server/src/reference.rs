//! Writes `docs/reference/cli.md` from what it describes.
//!
//! `UPDATE_EXPECT=1 cargo test -p server reference` writes it; without the variable the test
//! fails when it is not up to date.

use std::fmt::Write;

use clap::CommandFactory;
use expect_test::expect_file;

use crate::cli::Cli;

const GENERATED: &str =
    "<!-- Written by `UPDATE_EXPECT=1 cargo test -p server reference`. Do not edit. -->\n";

#[test]
fn command_line_reference_is_up_to_date() {
    expect_file!["../../../docs/reference/cli.md"].assert_eq(&command_line());
}

fn command_line() -> String {
    let mut command = Cli::command();
    command.build();
    let mut out = format!(
        "# Command line\n\n{GENERATED}\n```text\n{}```\n",
        help(&mut command)
    );
    for sub in command
        .get_subcommands_mut()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = sub.get_name().to_owned();
        let _ = write!(out, "\n## `rowtide {name}`\n\n```text\n{}```\n", help(sub));
    }
    out
}

fn help(command: &mut clap::Command) -> String {
    let help = command.render_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
