//! Topics that are not there yet: one that is named is missed aloud, one that a glob matches is
//! followed when it comes.

use anyhow::{Context, ensure};
use black_box::broker::Log;
use black_box::records::Record;
use black_box::site::Site;
use black_box::trial::Trial;
use black_box::wait;

use crate::{CHECKPOINT_OFTEN_MS, caught_up, check_exact, site_of, source};

const CUSTOMERS: &str = "a_basics_full.inventory.customers";

fn trial() -> anyhow::Result<Trial> {
    let trials = Trial::all("A_basics_full")?;
    trials.into_iter().next().context("no recording")
}

/// The records of one topic, and those of all others.
fn apart(trial: &Trial, topic: &str) -> (Vec<Record>, Vec<Record>) {
    let records = trial.records.iter().cloned();
    records.partition(|record| record.topic == topic)
}

#[test]
fn a_new_topic_that_a_glob_matches_is_followed() -> anyhow::Result<()> {
    let trial = trial()?;
    let (customers, others) = apart(&trial, CUSTOMERS);
    let mut log = Log::of(&customers)?;
    let site = site_of(&trial, &log)?;
    let mut server = site.start()?;
    server.ready()?;
    let before = server.rows("customers")?;
    log.create_topics(&others)?;
    log.write(&others)?;
    caught_up(&mut server, &log)?;
    assert_eq!(server.rows("customers")?, before);
    check_exact(&trial, &server)
}

#[test]
fn a_missing_topic_is_told_with_a_hint_and_followed_when_it_comes() -> anyhow::Result<()> {
    let trial = trial()?;
    let (customers, others) = apart(&trial, CUSTOMERS);
    let mut log = Log::of(&others)?;
    let topics: Vec<&str> = log.ends().keys().map(|(topic, _)| topic.as_str()).collect();
    let wanted = [&[CUSTOMERS], &topics[..]].concat();
    let site = Site::on_kafka(&log.address(), &wanted, CHECKPOINT_OFTEN_MS)?;
    let mut server = site.start()?;
    server.applied(log.ends())?;
    let detail = wait::until("the missing topic is told", || {
        server.still_runs()?;
        let detail = source(&server)?.get("detail").as_text().map(str::to_owned);
        Ok(detail)
    })?;
    ensure!(
        detail.contains(CUSTOMERS)
            && detail.contains("does not exist")
            && detail.contains("did you mean a_basics_full.inventory."),
        "{detail}"
    );
    let orders = server.rows("orders")?;
    ensure!(!orders.is_empty(), "the topics that exist are served");
    log.create_topics(&customers)?;
    log.write(&customers)?;
    caught_up(&mut server, &log)?;
    wait::until("the topic is no longer missed", || {
        server.still_runs()?;
        Ok((source(&server)?.get("detail").as_text().is_none()).then_some(()))
    })?;
    check_exact(&trial, &server)
}
