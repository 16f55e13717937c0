//! The house rules as failing checks: a rule without one is a wish.
//!
//! Each rule is a pure function from the loaded workspace to its findings, and has unit tests that
//! plant a violation. What clippy can say is left to clippy (`clippy.toml` and the workspace's
//! lints). Nothing here changes a file.

mod edges;
mod finding;
mod manifest;
mod paths;
#[cfg(test)]
mod planted;
mod purity;
mod reach;
mod reference;
mod shape;
mod source;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

use finding::Finding;
use workspace::Workspace;

type Rule = fn(&Workspace) -> Vec<Finding>;

const RULES: &[Rule] = &[
    edges::edges_are_in_the_table,
    edges::chain_is_short,
    purity::pure_crates_stay_pure,
    purity::heavy_crates_have_one_owner,
    purity::domain_types_are_not_wire_types,
    purity::ruled_crates_exist,
    shape::modules_say_what_they_are,
    shape::files_fit_in_the_head,
    shape::functions_fit_on_a_screen,
    shape::names_say_something,
    reach::files_are_compiled,
    reach::tests_are_run,
    reach::members_are_in_the_workspace,
    reference::metrics_are_documented,
    reference::config_keys_are_documented,
];

/// Prints every finding; fails if there is one.
pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load(root)?;
    let mut findings = workspace.unreadable.clone();
    findings.extend(RULES.iter().flat_map(|rule| rule(&workspace)));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let files: usize = workspace
        .members
        .iter()
        .map(|member| member.sources.len())
        .sum();
    println!(
        "tidy: {} rules over {files} files, {} findings",
        RULES.len(),
        findings.len()
    );
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
