//! `docs/conformance.md`: what came of every case, by connector, by feature and by recording.
//!
//! Says nothing that the cases did not say, but for what each scenario is about.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::ensure;
use expect_test::expect_file;

use crate::case::{Aftermath, Outcome};
use crate::features::{CONNECTORS, FEATURES};
use crate::{particulars, snapshots};

const HEAD: &str = "# Conformance

<!-- Written by `UPDATE_EXPECT=1 cargo test -p black-box --test conformance`. Do not edit. -->

What recorded change events of Debezium 3.6.3 lead to. Each recording in `tests/corpus` is replayed through the `rowtide` binary and its tables are read over HTTP. Where the
database's own content was recorded, every cell of every row is compared with it, keyless tables as multisets; a *deviation* is a cell or row that the recording itself has
otherwise, because the truth was lost before it reached the consumer (a skipped truncate, a null replaced by its column's default, a type that Debezium does not send): then what was
sent is the measure. Where it was not, and for what no oracle names, the outcome is *pinned* by a reviewed file in `tests/tests/conformance/snapshots`.

Each recording is delivered four times: as it was recorded; with `kill -9` at a random offset and a restart; with a random suffix of every partition delivered twice; with the
partitions shuffled against each other. *same* says that the tables are then those of the first delivery, to the last cell.
";

/// Compares the matrix with the file in the docs.
pub fn check(outcomes: &[Outcome]) -> anyhow::Result<()> {
    let mut text = HEAD.to_owned();
    summary(&mut text, outcomes)?;
    connectors(&mut text, outcomes)?;
    features(&mut text, outcomes)?;
    recordings(&mut text, outcomes)?;
    reasons(&mut text, outcomes)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    expect_file![path].assert_eq(&text);
    Ok(())
}

fn summary(text: &mut String, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let compared = outcomes.iter().filter_map(|outcome| outcome.compared);
    let (mut recordings, mut cells, mut deviations) = (0, 0, 0);
    for one in compared {
        recordings += 1;
        cells += one.cells;
        deviations += one.deviations;
    }
    let different = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty());
    writeln!(
        text,
        "\n{} recordings of {} scenarios: {cells} cells of {recordings} recordings compared, {deviations} deviations applied, {} recordings pinned. Recordings that differ: {}.",
        outcomes.len(),
        by_scenario(outcomes).len(),
        outcomes.len() - recordings,
        different.count(),
    )?;
    Ok(())
}

fn connectors(text: &mut String, outcomes: &[Outcome]) -> anyhow::Result<()> {
    text.push_str("\n## By connector\n\n| Connector | How it is known | Recordings | Cells compared | Outcome |\n|---|---|---|---|---|\n");
    let mut counted = 0;
    for connector in CONNECTORS {
        let own: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| (connector.is)(&outcome.scenario, &outcome.stem))
            .collect();
        counted += own.len();
        let cells: usize = own
            .iter()
            .filter_map(|outcome| outcome.compared)
            .map(|compared| compared.cells)
            .sum();
        writeln!(
            text,
            "| {} | {} | {} | {cells} | {} |",
            connector.name,
            connector.known,
            own.len(),
            verdict(&own)
        )?;
    }
    ensure!(
        counted == outcomes.len(),
        "a recording belongs to no connector, or to two"
    );
    Ok(())
}

fn features(text: &mut String, outcomes: &[Outcome]) -> anyhow::Result<()> {
    text.push_str("\n## By feature\n\n| Feature | Scenarios | Outcome |\n|---|---|---|\n");
    let by_scenario = by_scenario(outcomes);
    for (feature, scenarios) in FEATURES {
        let mut own = Vec::new();
        for scenario in *scenarios {
            let outcomes = by_scenario.get(scenario);
            ensure!(outcomes.is_some(), "{feature}: no scenario {scenario}");
            own.extend(outcomes.into_iter().flatten().copied());
        }
        let names: Vec<String> = scenarios.iter().map(|name| format!("`{name}`")).collect();
        writeln!(
            text,
            "| {feature} | {} | {} |",
            names.join(" "),
            verdict(&own)
        )?;
    }
    for scenario in by_scenario.keys() {
        let is_named = FEATURES.iter().any(|(_, names)| names.contains(scenario));
        ensure!(is_named, "{scenario} proves no feature");
    }
    Ok(())
}

fn recordings(text: &mut String, outcomes: &[Outcome]) -> anyhow::Result<()> {
    text.push_str("\n## By recording\n\n`cells/tables −deviations`, or *pinned*. `+` says that something beside the compared tables is pinned too.\n\n| Scenario | Recording | Records | As recorded | Restarted | Redelivered | Interleaved | |\n|---|---|---|---|---|---|---|---|\n");
    for outcome in outcomes {
        let mischief: Vec<&str> = outcome
            .mischief
            .iter()
            .map(|(_, aftermath)| match aftermath {
                Aftermath::SameTables => "same",
                Aftermath::Excused(_) => "–",
                Aftermath::Differs => "**differs**",
            })
            .collect();
        writeln!(
            text,
            "| `{}` | `{}` | {} | {} | {} | {} |",
            outcome.scenario,
            outcome.stem,
            outcome.records,
            as_recorded(outcome),
            mischief.join(" | "),
            particulars::note(&outcome.scenario, &outcome.stem),
        )?;
    }
    Ok(())
}

fn as_recorded(outcome: &Outcome) -> String {
    let mut text = match outcome.compared {
        Some(one) if one.deviations == 0 => format!("{}/{}", one.cells, one.tables),
        Some(one) => format!("{}/{} −{}", one.cells, one.tables, one.deviations),
        None => "pinned".to_owned(),
    };
    if outcome.compared.is_some() && !outcome.pinned.is_empty() {
        text.push('+');
    }
    if outcome.differs_as_recorded {
        text = format!("**differs** {text}");
    }
    text
}

/// Everything that is not compared or not repeated, with its reason.
fn reasons(text: &mut String, outcomes: &[Outcome]) -> anyhow::Result<()> {
    text.push_str("\n## What is not compared, and why\n\n| What | Where | Why |\n|---|---|---|\n");
    let mut reasons: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for outcome in outcomes {
        let name = format!("`{} {}`", outcome.scenario, outcome.stem);
        for (table, why) in &outcome.uncompared {
            let what = format!("table `{table}`");
            reasons.entry((what, why)).or_default().push(name.clone());
        }
        for (mischief, aftermath) in &outcome.mischief {
            if let Aftermath::Excused(why) = aftermath {
                let what = mischief.to_string();
                reasons.entry((what, why)).or_default().push(name.clone());
            }
        }
    }
    for ((what, why), names) in reasons {
        writeln!(text, "| {what} | {} | {why} |", names.join(" "))?;
    }
    let pinned = by_scenario(outcomes)
        .into_iter()
        .filter(|(_, own)| own.iter().all(|outcome| outcome.compared.is_none()))
        .map(|(scenario, _)| scenario);
    text.push_str("\nNobody recorded what the database held in a form that the stream could equal, so these are pinned whole:\n\n");
    for scenario in pinned {
        match snapshots::link(scenario) {
            Some(link) => writeln!(text, "- [`{scenario}`]({link})")?,
            None => writeln!(text, "- `{scenario}`: nothing is left to pin")?,
        }
    }
    Ok(())
}

fn by_scenario(outcomes: &[Outcome]) -> BTreeMap<&str, Vec<&Outcome>> {
    let mut scenarios: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        scenarios
            .entry(&outcome.scenario)
            .or_default()
            .push(outcome);
    }
    scenarios
}

fn verdict(outcomes: &[&Outcome]) -> String {
    let different = outcomes.iter().filter(|one| !one.wrong.is_empty()).count();
    let compared = outcomes.iter().filter(|one| one.compared.is_some()).count();
    match (different, compared) {
        (0, 0) => "as pinned".to_owned(),
        (0, all) if all == outcomes.len() => "equal".to_owned(),
        (0, _) => "equal, or as pinned".to_owned(),
        _ => format!("**{different} of {} differ**", outcomes.len()),
    }
}
