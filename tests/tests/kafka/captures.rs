//! What is captured from a broker is what was written to it, and replays to the same tables.

use anyhow::ensure;
use black_box::broker::Log;
use black_box::records::{self, Record};
use black_box::site::{Settings, Site};
use black_box::trial::Trial;

use crate::{check_exact, topics_of};

/// Captures everything that the broker has now.
fn capture(site: &Site, trial: &Trial, output: &str) -> anyhow::Result<()> {
    let log = Log::of(&trial.records)?;
    let (code, said) = site.run(&[
        "capture",
        "--brokers",
        &log.address(),
        "--topics",
        &topics_of(trial)?,
        "--output",
        output,
        "--until-end",
    ])?;
    ensure!(code == 0, "exit code {code}: {said}");
    Ok(())
}

/// Serves the capture, by flags, when the broker it came from is no more.
fn check_replay(site: &Site, trial: &Trial, capture: &str) -> anyhow::Result<()> {
    let mut server = site.start_with(&[
        "serve",
        "--replay",
        capture,
        "--ephemeral",
        "--listen",
        &site.data_address(),
        "--admin",
        &site.admin_address(),
    ])?;
    server.ready()?;
    check_exact(trial, &server)?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    Ok(())
}

/// Partition by partition: what order the partitions had to each other is not kept.
fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by(|left, right| {
        (&left.topic, left.partition, left.offset).cmp(&(
            &right.topic,
            right.partition,
            right.offset,
        ))
    });
    records
}

#[test]
fn a_capture_is_what_was_written_and_replays_to_the_same_tables() -> anyhow::Result<()> {
    Trial::each_small(|trial| {
        let site = Site::new(Settings::default())?;
        capture(&site, trial, "captured.jsonl.gz")?;
        let captured = records::read(&site.path("captured.jsonl.gz"))?;
        ensure!(
            sorted(captured) == sorted(trial.records.clone()),
            "not what was written"
        );
        check_replay(&site, trial, "captured.jsonl.gz")
    })
}

#[test]
fn a_capture_may_be_plain_or_packed_by_zstandard() -> anyhow::Result<()> {
    for trial in Trial::all("N_no_tombstones")? {
        let site = Site::new(Settings::default())?;
        for output in ["captured.jsonl", "captured.jsonl.zst"] {
            capture(&site, &trial, output)?;
            check_replay(&site, &trial, output)?;
        }
    }
    Ok(())
}
