//! The broker is told how far a checkpoint reaches, and nobody asks it where to go on.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use black_box::broker::Log;
use black_box::records::{Partition, Record};
use black_box::server::Server;
use black_box::site::Site;
use black_box::trial::Trial;
use black_box::wait;

use crate::{check_exact, site_of, topics_of};

/// So long that a server that is killed has made no checkpoint.
const CHECKPOINT_NEVER_MS: u32 = 3_600_000;

fn trial() -> anyhow::Result<Trial> {
    let trials = Trial::all("A_basics_full")?;
    trials.into_iter().next().context("no recording")
}

fn is_delete(record: &Record) -> bool {
    let value = record.value.as_deref();
    value.is_none_or(|value| value.contains(r#""op":"d""#))
}

/// About half of the records. No partition's part ends in a delete, because the last one is read
/// again, together with the tombstone that follows it.
fn halves(records: &[Record]) -> anyhow::Result<(&[Record], &[Record])> {
    let ends_well = |length: &usize| {
        let last: BTreeMap<Partition, &Record> = records[..*length]
            .iter()
            .map(|record| (record.place(), record))
            .collect();
        !last.into_values().any(is_delete)
    };
    let length = (0..=records.len() / 2).rev().find(ends_well);
    Ok(records.split_at(length.context("deletes everywhere")?))
}

/// Changes that this process has applied, to any table.
fn applied_changes(server: &Server) -> anyhow::Result<usize> {
    let metrics = server.admin("/metrics")?.text;
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("rowtide_events_applied_total{"));
    let values = lines.map(|line| {
        let (_, value) = line.rsplit_once(' ').context("a metric without value")?;
        Ok(value.parse::<usize>()?)
    });
    values.sum()
}

/// A tombstone after its delete changes nothing more.
fn changes_of(records: &[Record]) -> usize {
    records
        .iter()
        .filter(|record| record.value.is_some())
        .count()
}

/// A first life reads and acknowledges half of the records and is killed; a second one, after
/// `meanwhile`, applies the rest, only the rest, and is right.
fn check_two_lives(meanwhile: impl FnOnce(&Log) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let trial = trial()?;
    let (first, rest) = halves(&trial.records)?;
    let mut log = Log::start()?;
    log.create_topics(&trial.records)?;
    log.write(first)?;
    let site = site_of(&trial, &log)?;
    let mut server = site.start()?;
    let mut read = log.ends().clone();
    read.retain(|_, end| *end > 0);
    wait::until("everything is acknowledged", || {
        server.still_runs()?;
        Ok((log.acknowledged()? == read).then_some(()))
    })?;
    server.kill()?;
    log.write(rest)?;
    meanwhile(&log)?;
    let mut server = site.start()?;
    server.ready()?;
    check_exact(&trial, &server)?;
    assert_eq!(applied_changes(&server)?, changes_of(rest));
    Ok(())
}

#[test]
fn what_a_checkpoint_holds_is_not_applied_again() -> anyhow::Result<()> {
    check_two_lives(|_| Ok(()))
}

#[test]
fn a_group_that_is_ahead_of_the_checkpoint_is_not_believed() -> anyhow::Result<()> {
    check_two_lives(|log| log.acknowledge(log.ends()))
}

#[test]
fn a_group_that_is_behind_the_checkpoint_is_not_believed() -> anyhow::Result<()> {
    check_two_lives(|log| {
        let starts = log.ends().keys().map(|place| (place.clone(), 0));
        log.acknowledge(&starts.collect())
    })
}

#[test]
fn without_a_checkpoint_nothing_is_acknowledged_and_all_is_applied_again() -> anyhow::Result<()> {
    let trial = trial()?;
    let log = Log::of(&trial.records)?;
    let topics = topics_of(&trial)?;
    let site = Site::on_kafka(&log.address(), &[&topics], CHECKPOINT_NEVER_MS)?;
    for life in 0..2 {
        let mut server = site.start()?;
        server.ready()?;
        check_exact(&trial, &server)?;
        assert_eq!(applied_changes(&server)?, changes_of(&trial.records));
        server.kill()?;
        let acknowledged = log.acknowledged()?;
        ensure!(acknowledged.is_empty(), "life {life}: {acknowledged:?}");
    }
    Ok(())
}

#[test]
fn the_end_of_a_life_is_a_checkpoint() -> anyhow::Result<()> {
    let trial = trial()?;
    let (records, _) = halves(&trial.records)?;
    let log = Log::of(records)?;
    let topics = topics_of(&trial)?;
    let site = Site::on_kafka(&log.address(), &[&topics], CHECKPOINT_NEVER_MS)?;
    let mut server = site.start()?;
    server.ready()?;
    assert_eq!(server.stop()?, 0, "exit code after SIGTERM");
    let mut server = site.start()?;
    server.ready()?;
    assert_eq!(applied_changes(&server)?, 0, "changes applied again");
    Ok(())
}
