//! What no oracle knows, one reviewed file a scenario: the tables of scenarios whose database nobody
//! recorded, tables beside the expected ones, records set aside, types of columns.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use expect_test::expect_file;

use crate::case::Outcome;

/// Compares every scenario's text with its file. `all` says that no case was left out: then a file that no
/// scenario has any more is a mistake.
pub fn check(outcomes: &[Outcome], all: bool) -> anyhow::Result<()> {
    let mut scenarios: Vec<&str> = outcomes
        .iter()
        .map(|outcome| outcome.scenario.as_str())
        .collect();
    scenarios.dedup();
    let mut wanted = Vec::new();
    for scenario in scenarios {
        let own: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.scenario == scenario)
            .collect();
        let text = text(&own);
        if !text.is_empty() && all {
            let path = folder().join(format!("{scenario}.txt"));
            expect_file![&path].assert_eq(&text);
            wanted.push(path);
        }
    }
    for entry in fs::read_dir(folder()).into_iter().flatten().filter(|_| all) {
        let path = entry?.path();
        ensure!(
            wanted.contains(&path),
            "{}: no scenario has anything to pin",
            path.display()
        );
    }
    Ok(())
}

/// One section for each recording that has something to tell; one that tells what an earlier one told says so.
fn text(outcomes: &[&Outcome]) -> String {
    let mut text = String::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        if outcome.pinned.is_empty() {
            continue;
        }
        let twin = outcomes[..index]
            .iter()
            .find(|other| other.pinned == outcome.pinned);
        let told = match twin {
            Some(twin) => format!("as {}\n", twin.stem),
            None => outcome.pinned.clone(),
        };
        text.extend(["== ", &outcome.stem, "\n", &told, "\n"]);
    }
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/snapshots")
}

/// Where a scenario's file is, seen from the docs; `None` if it has none.
pub fn link(scenario: &str) -> Option<String> {
    let path = folder().join(format!("{scenario}.txt"));
    path.exists()
        .then(|| format!("../tests/tests/conformance/snapshots/{scenario}.txt"))
}
