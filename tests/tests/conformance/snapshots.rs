//! What no oracle knows, one reviewed file a scenario: the tables of scenarios whose database nobody
//! recorded, tables beside the expected ones, records set aside, types of columns.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use black_box::scenario::Scenario;
use expect_test::expect_file;

use crate::case::Outcome;

/// Compares every scenario's text with its file, if all its recordings were run. `all` says that no case was left
/// out: then a file that no scenario has any more is a mistake.
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
        let whole = own.len() == Scenario::open(scenario)?.recordings()?.len();
        if !text.is_empty() && whole {
            let path = folder().join(format!("{scenario}.txt"));
            expect_file![&path].assert_eq(&text);
            wanted.push(path);
        }
    }
    let kept = if all {
        fs::read_dir(folder())?.collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    for path in kept.into_iter().map(|entry| entry.path()) {
        if wanted.contains(&path) {
            continue;
        }
        ensure!(
            std::env::var_os("UPDATE_EXPECT").is_some(),
            "{}: no scenario has anything to pin",
            path.display()
        );
        fs::remove_file(path)?;
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
