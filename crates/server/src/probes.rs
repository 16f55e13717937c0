//! What the probes answer, and each thing they look at in words.

use http_api::{Check, Health};
use ingest::{CheckpointState, MemoryReport, SourceState, StartPhase, StatusReport};
use telemetry::clock::now_ms;

use crate::start_progress;

pub fn health(report: &StatusReport) -> Health {
    let is_loaded = report.start.phase > StartPhase::Opening && report.loading.is_empty();
    Health {
        alive: report.running,
        ready: report.running && is_loaded,
        started: report.running && report.started,
        checks: vec![
            check("pipeline", report.running, "running", || {
                "it has ended: see the log".to_owned()
            }),
            check("loaded", is_loaded, "the checkpoint is loaded", || {
                start_progress::loading(report)
            }),
            check("caught_up", report.started, "caught up once", || {
                start_progress::catching_up(report)
            }),
            sources(report),
            checkpoint(report),
            memory(&report.memory),
        ],
    }
}

fn check(name: &str, passed: bool, yes: &str, no: impl FnOnce() -> String) -> Check {
    Check {
        name: name.to_owned(),
        passed,
        detail: if passed { yes.to_owned() } else { no() },
    }
}

fn sources(report: &StatusReport) -> Check {
    let unreachable = report
        .sources
        .iter()
        .filter(|source| source.state == SourceState::Unreachable);
    let unreachable: Vec<_> = unreachable.map(|source| source.name.as_str()).collect();
    check("sources", unreachable.is_empty(), "in contact", || {
        format!("out of contact: {}", unreachable.join(", "))
    })
}

/// Never a reason not to be ready: a restart would only read again what is in memory.
fn checkpoint(report: &StatusReport) -> Check {
    let trouble = match &report.checkpoint.state {
        CheckpointState::Failing(trouble) => Some(trouble),
        CheckpointState::Ok | CheckpointState::Volatile => None,
    };
    let told = trouble.map(|trouble| {
        let seconds = (now_ms() - trouble.since_ms).max(0) / 1_000;
        let detail = &trouble.detail;
        format!("failing for {seconds} s (the server is ready all the same): {detail}")
    });
    check("checkpoint", told.is_none(), "in order", || {
        told.unwrap_or_default()
    })
}

fn memory(memory: &MemoryReport) -> Check {
    let MemoryReport {
        used_bytes: used,
        max_bytes: max,
        partitions_waiting: waiting,
    } = *memory;
    let in_order = if max == u64::MAX {
        format!("{used} bytes, without a limit")
    } else {
        format!("{used} of {max} bytes")
    };
    check("memory", !memory.is_scarce(), &in_order, || {
        format!(
            "the tables take {used} bytes and memory.max is {max}: {waiting} partitions wait, what is there is served. Raise it and reload the configuration (SIGHUP), or do without a table, an index or a column"
        )
    })
}
