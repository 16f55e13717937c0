//! `rowtide status`: where sources, tables and the checkpoint stand, and what is wrong.

use std::fmt::Write as _;

use api_types::{
    CheckpointState, CheckpointStatus, MemoryStatus, SourceStatus, StageTimes, StartPhase,
    StartStatus, StatusResponse, TableStatus,
};
use clap::Args;
use comfy_table::Cell;

use super::{RemoteArgs, freshness};
use crate::failure::Failure;
use crate::output::{self, bytes, harmless, state_cell};

/// A checkpoint that takes longer than this is worth a word.
const SLOW_MS: u64 = 2_000;

#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Print only the configuration lines that pin the tables' names for good
    #[arg(long, conflicts_with = "json")]
    pub pins: bool,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub fn run(args: &StatusArgs) -> Result<(), Failure> {
    if args.pins && !args.remote.curl {
        let answer = args.remote.url.get("/v1/status")?;
        if !answer.is_success() {
            return Err(super::refused(&answer));
        }
        let status = serde_json::from_str(&answer.body).map_err(anyhow::Error::from)?;
        return output::print(&pins(&status));
    }
    args.remote.ask("/v1/status", show)
}

fn show(status: &StatusResponse, color: bool) -> String {
    let mut parts = vec![
        freshness(&status.fresh),
        sources(&status.sources, color).to_string(),
        tables(&status.tables, color).to_string(),
        memory(&status.memory),
        checkpoint(&status.checkpoint),
    ];
    let stages = stages(&status.tables, color);
    parts.splice(3..3, stages.map(|stages| stages.to_string()));
    if let Some(start) = start(&status.start) {
        parts.insert(1, start);
    }
    if !status.quarantine.is_empty() {
        let mut table = output::table(&["quarantined", "reason"], color);
        for note in &status.quarantine {
            let place = format!("{}-{} @ {}", note.topic, note.partition, note.offset);
            table.add_row([harmless(&place), harmless(&note.reason)]);
        }
        parts.push(table.to_string());
    }
    if !status.tables.is_empty() {
        parts.push(
            "These lines in the configuration pin the names for good (--pins prints only them):"
                .to_owned(),
        );
        parts.push(pins(status));
    }
    parts.join("\n\n")
}

fn sources(sources: &[SourceStatus], color: bool) -> comfy_table::Table {
    let mut table = output::table(&["source", "state", "partitions", "behind", ""], color);
    for source in sources {
        let behind: u64 = source
            .partitions
            .iter()
            .filter_map(|partition| {
                Some(partition.end_offset?.saturating_sub(partition.next_offset))
            })
            .sum();
        let mut remarks: Vec<String> = source.detail.iter().map(|text| harmless(text)).collect();
        if source.unreadable > 0 {
            remarks.push(format!("{} unreadable lines", source.unreadable));
        }
        table.add_row([
            Cell::new(harmless(&source.name)),
            state_cell(source.state),
            Cell::new(source.partitions.len()),
            Cell::new(behind),
            Cell::new(remarks.join("; ")),
        ]);
    }
    table
}

fn tables(tables: &[TableStatus], color: bool) -> comfy_table::Table {
    let mut table = output::table(&["table", "state", "rows", "memory", "lag", ""], color);
    for status in tables {
        let mut remarks: Vec<String> = status.reason.iter().map(|text| harmless(text)).collect();
        remarks.extend(status.notes.iter().map(|text| harmless(text)));
        if status.quarantined > 0 {
            remarks.push(format!("{} quarantined", status.quarantined));
        }
        table.add_row([
            Cell::new(harmless(&status.name)),
            state_cell(status.state),
            Cell::new(status.rows),
            Cell::new(bytes(status.bytes)),
            Cell::new(
                status
                    .fresh
                    .lag_ms
                    .map_or("unknown".to_owned(), |lag| format!("{lag} ms")),
            ),
            Cell::new(remarks.join("; ")),
        ]);
    }
    table
}

/// Where the time goes, of tables that tell it: how long each stage takes in the middle, and 99 of 100 records at most.
fn stages(tables: &[TableStatus], color: bool) -> Option<comfy_table::Table> {
    let head = [
        "where time goes",
        "connector",
        "broker",
        "rowtide",
        "whole",
        "",
    ];
    let mut table = output::table(&head, color);
    let time = |times: Option<StageTimes>| match times {
        Some(times) => format!("{} / {} ms", times.median_ms, times.p99_ms),
        None => "unknown".to_owned(),
    };
    for status in tables {
        let Some(stages) = &status.stages else {
            continue;
        };
        let causes: Vec<String> = stages.causes.iter().map(|text| harmless(text)).collect();
        table.add_row([
            harmless(&status.name),
            time(stages.connector),
            time(stages.broker),
            time(stages.rowtide),
            time(stages.whole),
            causes.join(" "),
        ]);
    }
    (!table.is_empty()).then_some(table)
}

fn memory(memory: &MemoryStatus) -> String {
    let used = bytes(memory.used_bytes);
    let Some(max) = memory.max_bytes else {
        return format!("memory {used}, without a limit");
    };
    let text = format!("memory {used} of {}", bytes(max));
    match memory.partitions_waiting {
        0 => text,
        waiting => format!("{text}: {waiting} partitions WAIT for room"),
    }
}

fn checkpoint(checkpoint: &CheckpointStatus) -> String {
    let mut age = checkpoint
        .last_ms
        .map_or("none yet".to_owned(), |ms| format!("the last {ms} ms ago"));
    if let Some(ms) = checkpoint.writing_ms.filter(|ms| *ms >= SLOW_MS) {
        let _ = write!(age, ", one is being written for {} s", ms / 1_000);
    }
    let state = match checkpoint.state {
        CheckpointState::Ok if checkpoint.store_bytes > 0 => {
            let (disk, live) = (bytes(checkpoint.store_bytes), bytes(checkpoint.live_bytes));
            format!("checkpoint ok, {age}, {disk} on disk for {live}")
        }
        CheckpointState::Ok => format!("checkpoint ok, {age}"),
        CheckpointState::Memory => {
            "no checkpoint: a restart begins at the start of the log".to_owned()
        }
        CheckpointState::Failing => {
            let failing_s = checkpoint.failing_ms.unwrap_or_default() / 1_000;
            let attempts = checkpoint.failed_attempts.unwrap_or_default();
            format!("checkpoint FAILING for {failing_s} s ({attempts} attempts), {age}")
        }
    };
    match &checkpoint.detail {
        Some(detail) => format!("{state}: {}", harmless(detail)),
        None => state,
    }
}

/// How far the server is with starting, unless it is done.
fn start(start: &StartStatus) -> Option<String> {
    let (doing, what) = match start.phase {
        StartPhase::Opening => ("opening the checkpoint", "rows"),
        StartPhase::Loading => ("loading the checkpoint", "rows"),
        StartPhase::CatchingUp => ("catching up", "records"),
        StartPhase::Started => return None,
    };
    let mut told = vec![doing.to_owned()];
    if let (Some(done), Some(total)) = (start.done, start.total) {
        told.push(format!("{done} of {total} {what}"));
    }
    told.extend(start.per_s.map(|per_s| format!("{per_s} {what}/s")));
    let left = start.left_ms.map(|ms| ms.div_ceil(1_000));
    told.extend(left.map(|seconds| format!("about {seconds} s left")));
    Some(told.join(", "))
}

/// A `[[tables]]` section for each table, as TOML.
fn pins(status: &StatusResponse) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let pin = |table: &TableStatus| {
        format!(
            "[[tables]]\nname = {}\ntopic = {}\n",
            quoted(&table.name),
            quoted(&table.topic)
        )
    };
    status.tables.iter().map(pin).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const FRESH: &str = r#"{"as_of":"AQ","commit_time":null,"lag_ms":null,"source_lag_ms":null,"state":"catching_up","transactions":"none","complete":false,"quarantined":2}"#;

    fn status() -> StatusResponse {
        let text = r#"{"sources":[{"name":"shop","kind":"kafka","state":"live","detail":null,"partitions":[
            {"topic":"shop.public.orders","partition":0,"next_offset":90,"end_offset":100,"state":"catching_up"},
            {"topic":"shop.public.orders","partition":1,"next_offset":5,"end_offset":null,"state":"loading"}],"unreadable":0}],
          "tables":[{"name":"orders","topic":"shop.public.orders","rows":597,"bytes":81920,"state":"catching_up","quarantined":2,"reason":"retention","fresh":FRESH,
            "stages":{"records":9,"connector":{"median_ms":3,"p99_ms":9,"worst_ms":12},"broker":null,"rowtide":{"median_ms":-40,"p99_ms":2,"worst_ms":7},"whole":null,"causes":["A clock is behind."]}}],
          "quarantine":[{"topic":"shop.public.orders","partition":0,"offset":41,"timestamp":null,"reason":"not JSON"}],
          "checkpoint":{"state":"ok","last_ms":812,"store_bytes":9437184,"live_bytes":4194304},
          "start":{"phase":"catching_up","done":95,"total":105,"per_s":4,"left_ms":2500},"fresh":FRESH}"#;
        serde_json::from_str(&text.replace("FRESH", FRESH)).unwrap()
    }

    #[test]
    fn a_person_sees_what_is_wrong() {
        let shown = show(&status(), false);
        let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
        expect![[r#"
            catching_up, lag unknown, incomplete, 2 quarantined

            catching up, 95 of 105 records, 4 records/s, about 3 s left

             source  state  partitions  behind
             shop    live   2           10

             table   state        rows  memory    lag
             orders  catching_up  597   80.0 KiB  unknown  retention; 2 quarantined

             where time goes  connector  broker   rowtide     whole
             orders           3 / 9 ms   unknown  -40 / 2 ms  unknown  A clock is behind.

            memory 0 B, without a limit

            checkpoint ok, the last 812 ms ago, 9.0 MiB on disk for 4.0 MiB

             quarantined                reason
             shop.public.orders-0 @ 41  not JSON

            These lines in the configuration pin the names for good (--pins prints only them):

            [[tables]]
            name = "orders"
            topic = "shop.public.orders""#]]
        .assert_eq(&shown.join("\n"));
    }
}
