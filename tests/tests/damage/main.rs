//! What a start does with a data directory that is damaged, half made, in use, or somebody else's: it
//! serves what the log says, or refuses with the command that helps. Never a wrong row, never a panic.
//!
//! `BLACK_BOX_SEED=1-100 cargo test --test damage` is the long form.

mod half_made;
mod harm;
mod history;
mod older;
mod reconfigured;
mod refusals;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use black_box::server::{Ended, Server};
use black_box::site::{Settings, Site};
use black_box::trial::under_seeds;
use black_box::wait;
use fastrand::Rng;

use crate::harm::{copy, harm};
use crate::history::{History, TABLES, rows_of};

const FAILED: i32 = 1;

/// Short beside a life, so that there are several checkpoints of each.
const OFTEN: Settings = Settings {
    checkpoint_interval_ms: 10,
    ..Settings::DEFAULT
};

/// Sites of the short form, and how often the data directory of each is damaged.
const SITES: u64 = 4;
const TRIALS: usize = 10;

/// Has a few servers live and die on a new site. Their directory is kept, as it is in the end and as it
/// was before the last of them.
fn lived_in(history: &History, rng: &mut Rng) -> anyhow::Result<Site> {
    let site = Site::new(OFTEN)?;
    for share in [0.3, 0.5, 0.7, 0.9] {
        if share > 0.8 {
            copy(&site.path("data"), &site.path("older"))?;
        }
        site.deliver(history.beginning(share))?;
        let mut server = site.start()?;
        server.ready()?;
        wait::pass(Duration::from_millis(rng.u64(0..60)));
        server.kill()?;
    }
    copy(&site.path("data"), &site.path("whole"))?;
    site.deliver(&history.records)?;
    Ok(site)
}

/// Every table that is served is one that the log once made.
fn check_while_starting(server: &Server, history: &History) -> anyhow::Result<()> {
    for table in TABLES {
        let path = format!("/v1/tables/{table}/rows");
        // Not listening yet is as good as not loaded.
        let Ok(answer) = server.get(&path, &[("limit", "1000")]) else {
            continue;
        };
        match answer.status {
            200 => {
                let rows = rows_of(&answer.body()?)?;
                let n = rows.len();
                ensure!(
                    history.has_been(table, &rows),
                    "{table} was never so: {n} rows"
                );
            }
            404 | 503 => {}
            status => bail!("{path}: {status} {}", answer.text),
        }
    }
    Ok(())
}

fn check_in_the_end(server: &Server, history: &History) -> anyhow::Result<()> {
    for table in TABLES {
        let path = format!("/v1/tables/{table}/rows");
        let page = server.found(&path, &[("limit", "1000")])?;
        let rows = rows_of(&page)?;
        let fresh = page.get("fresh");
        ensure!(
            rows == *history.last(table),
            "{table} is wrong: {} rows, should have {}: {fresh}",
            rows.len(),
            history.last(table).len()
        );
        ensure!(
            fresh.get("state").as_text() == Some("live"),
            "{table}: {fresh}"
        );
    }
    Ok(())
}

/// Starts a server and sees it through: it serves what the log says, or ends. What it said if it ended.
fn see_through(site: &Site, history: &History) -> anyhow::Result<Option<String>> {
    let mut server = site.start()?;
    let ended = wait::until("the server is ready or has ended", || {
        if let Some(ended) = server.ended()? {
            return Ok(Some(Some(ended)));
        }
        check_while_starting(&server, history)?;
        Ok(server.is_caught_up().then_some(None))
    })?;
    match ended {
        None => {
            check_in_the_end(&server, history)?;
            // What it has is kept as well: the next start is right too.
            ensure!(server.stop()? == 0, "exit code after SIGTERM");
            Ok(None)
        }
        Some(Ended { code, said }) => {
            ensure!(code == Some(FAILED), "exit code {code:?}: {said}");
            Ok(Some(said))
        }
    }
}

/// What the command moves that a refusal names, and where to.
fn way_out(said: &str) -> Option<(&str, &str)> {
    let mut quoted = said.split('`');
    let command = quoted.find_map(|quoted| quoted.strip_prefix("mv "))?;
    command.split_once(' ')
}

/// Runs it.
fn follow(said: &str) -> anyhow::Result<()> {
    let (from, to) = way_out(said).with_context(|| format!("names no way out: {said}"))?;
    fs::rename(from, to).context("the way out")
}

/// What came of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It lay where nobody looks, or an earlier checkpoint was whole.
    Unnoticed,
    /// Some tables were rebuilt.
    Rebuilt,
    Refused,
}

/// Damages what was kept, and sees what comes of it.
fn one_damage(site: &Site, history: &History, rng: &mut Rng) -> anyhow::Result<Outcome> {
    fs::remove_dir_all(site.path("data"))?;
    copy(&site.path("whole"), &site.path("data"))?;
    fs::remove_file(site.path("log"))?;
    let mut done = Vec::new();
    for _ in 0..if rng.u8(0..4) > 0 { 1 } else { 3 } {
        done.push(harm(&site.path("data"), &site.path("older"), rng)?);
    }
    let context = || done.join("; ");
    let told = see_through(site, history).with_context(context)?;
    if let Some(said) = &told {
        follow(said).with_context(context)?;
    }
    // Right after the way out, or once more.
    let again = see_through(site, history).with_context(context)?;
    ensure!(
        again.is_none(),
        "{}: refused in the end: {again:?}",
        context()
    );
    let log = fs::read_to_string(site.path("log"))?;
    ensure!(!log.contains("panicked"), "{}: {log}", context());
    if let Some(way_out) = told.as_deref().and_then(way_out) {
        fs::remove_dir_all(way_out.1)?;
    }
    let is_rebuilt = log.contains("its rows in the checkpoint are damaged");
    Ok(match told {
        Some(_) => Outcome::Refused,
        None if is_rebuilt => Outcome::Rebuilt,
        None => Outcome::Unnoticed,
    })
}

#[test]
fn damaged_files_never_make_a_wrong_answer() -> anyhow::Result<()> {
    let outcomes = RefCell::new(BTreeMap::<Outcome, u32>::new());
    under_seeds(SITES, |seed| {
        let mut rng = Rng::with_seed(seed);
        let history = History::random(rng.usize(100..5_000), &mut rng);
        let site = lived_in(&history, &mut rng)?;
        for trial in 0..TRIALS {
            let outcome =
                one_damage(&site, &history, &mut rng).with_context(|| format!("trial {trial}"))?;
            *outcomes.borrow_mut().entry(outcome).or_default() += 1;
        }
        Ok(())
    })?;
    let outcomes = outcomes.into_inner();
    println!("{outcomes:?}");
    // Else the damage is not what it is meant to be. That it hits nothing but rows is rare: tables are
    // damaged one by one where `ingest` is tested.
    ensure!(
        [Outcome::Unnoticed, Outcome::Refused]
            .iter()
            .all(|outcome| outcomes.contains_key(outcome)),
        "not all there is came of it: {outcomes:?}"
    );
    Ok(())
}
