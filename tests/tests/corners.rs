//! The corners of Debezium's JSON: each recorded scenario leads to exactly what the database held, as
//! far as the recording itself has it.

use anyhow::Context;
use black_box::site::{Settings, Site};
use black_box::trial::Trial;

fn check(scenarios: &[&str]) -> anyhow::Result<()> {
    for scenario in scenarios {
        for trial in Trial::all(scenario)? {
            check_trial(&trial)?;
        }
    }
    Ok(())
}

fn check_trial(trial: &Trial) -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&trial.records)?;
    let mut server = site.start()?;
    server.ready()?;
    // Tables without a key are for the scenarios that are about them.
    trial
        .check_redelivered(&server)
        .with_context(|| trial.name.clone())
}

#[test]
fn keys_that_change_shift_and_cross_partitions() -> anyhow::Result<()> {
    check(&["B_keys", "B_deferrable_shift", "N_keys_4partitions"])
}

#[test]
fn values_that_were_not_sent() -> anyhow::Result<()> {
    check(&["C_toast_default", "H_regex_router"])
}

#[test]
fn other_databases() -> anyhow::Result<()> {
    check(&["K_mysql", "K_mariadb"])
}

#[test]
fn snapshots_beside_the_stream_and_redelivery() -> anyhow::Result<()> {
    check(&["G_blocking", "G_incremental", "L_restart_duplicates"])
}

#[test]
fn messages_boundaries_and_partitioned_tables() -> anyhow::Result<()> {
    check(&["E_messages", "E_txmeta_heartbeat", "N_pg_partitions"])
}

#[test]
fn a_repeated_snapshot_sweeps_what_it_does_not_name() -> anyhow::Result<()> {
    for trial in Trial::all("L_offsets_lost")? {
        check_trial(&trial.without_ghosts())?;
    }
    Ok(())
}
