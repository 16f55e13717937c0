//! What `inspect` found, for a person.

use super::report::{Report, State, TableReport};
use crate::output::{self, bytes, harmless};

pub fn of(report: &Report, color: bool) -> String {
    let mut parts = vec![title(report)];
    if !report.tables.is_empty() {
        parts.push(tables(report, color));
        parts.extend(
            report
                .tables
                .iter()
                .filter_map(|table| columns(table, color)),
        );
    }
    if !report.partitions.is_empty() {
        parts.push(partitions(report, color));
    }
    parts.extend(remarks(report));
    if !report.files.is_empty() {
        let mut table = output::table(&["files", "", "on disk"], color);
        for kind in &report.files {
            table.add_row([
                kind.kind.to_owned(),
                kind.files.to_string(),
                bytes(kind.bytes),
            ]);
        }
        parts.push(table.to_string());
    }
    parts.join("\n\n")
}

fn title(report: &Report) -> String {
    let mut told = vec![harmless(&report.directory)];
    if let Some(format) = report.format {
        told.push(format!("format {format}"));
    }
    if let Some(version) = &report.written_by {
        told.push(format!("begun by rowtide {}", harmless(version)));
    }
    match report.sequence {
        Some(0) => told.push("no checkpoint yet".to_owned()),
        Some(sequence) => told.push(format!("checkpoint {sequence}")),
        None => {}
    }
    if let Some(at) = &report.written_at {
        told.push(format!("written {at}"));
    }
    told.push(bytes(report.bytes));
    if report.state == State::Whole {
        told.push("whole".to_owned());
    }
    told.join(", ")
}

fn tables(report: &Report, color: bool) -> String {
    let header = [
        "table", "topic", "rows", "bases", "deltas", "shapes", "key", "epoch", "",
    ];
    let mut shown = output::table(&header, color);
    for table in &report.tables {
        let known = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
        let name = match &table.name {
            Some(name) => harmless(name),
            None => format!("(number {})", table.id),
        };
        let key = table.key.as_ref().map(|key| harmless(&key.join(",")));
        shown.add_row([
            name,
            known(&table.topic),
            table.rows.map_or("?".to_owned(), |rows| rows.to_string()),
            bytes(table.base_bytes),
            bytes(table.delta_bytes),
            table.shapes.to_string(),
            key.unwrap_or_default(),
            table.epoch.to_string(),
            remark(table),
        ]);
    }
    shown.to_string()
}

fn remark(table: &TableReport) -> String {
    let mut told = Vec::new();
    told.extend(
        table
            .damage
            .as_ref()
            .map(|reason| format!("DAMAGED: {reason}")),
    );
    told.extend(
        table
            .incomplete
            .as_ref()
            .map(|reason| format!("incomplete: {reason}")),
    );
    if !table.was_live && table.name.is_some() {
        told.push("not yet live".to_owned());
    }
    if let Some(position) = &table.position {
        let numbers: Vec<String> = position.numbers.iter().map(u64::to_string).collect();
        told.push(format!("at {}", numbers.join("/")));
    }
    told.extend(
        table
            .commit_time
            .as_ref()
            .map(|time| format!("committed {time}")),
    );
    harmless(&told.join("; "))
}

fn columns(table: &TableReport, color: bool) -> Option<String> {
    if table.columns.is_empty() {
        return None;
    }
    let mut shown = output::table(&["shape", "column", "type", "", ""], color);
    for shape in &table.columns {
        for column in &shape.columns {
            let in_key = shape
                .key
                .as_ref()
                .is_some_and(|key| key.contains(&column.name));
            shown.add_row([
                shape.number.to_string(),
                harmless(&column.name),
                column.kind.to_owned(),
                if column.nullable { "or null" } else { "" }.to_owned(),
                if in_key { "key" } else { "" }.to_owned(),
            ]);
        }
    }
    let notes = table
        .notes
        .iter()
        .map(|note| format!("\n{}", harmless(note)));
    Some(format!("{shown}{}", notes.collect::<String>()))
}

fn partitions(report: &Report, color: bool) -> String {
    let mut shown = output::table(&["partition", "source", "next offset", "topic id"], color);
    for partition in &report.partitions {
        shown.add_row([
            format!("{}-{}", harmless(&partition.topic), partition.partition),
            harmless(&partition.source),
            partition.next_offset.to_string(),
            partition.topic_id.clone().unwrap_or_default(),
        ]);
    }
    shown.to_string()
}

/// One line for each thing that somebody should know.
fn remarks(report: &Report) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for quarantine in &report.quarantine {
        lines.push(format!(
            "{} records of {} are in the quarantine, {} of them kept",
            quarantine.count, quarantine.topic, quarantine.held
        ));
    }
    for snapshot in &report.snapshots {
        if let Some(run) = &snapshot.run {
            let ended = if snapshot.ended { ", to its end" } else { "" };
            lines.push(format!(
                "connector {} of {}: last full snapshot by run {run}{ended}",
                snapshot.connector, snapshot.source
            ));
        }
    }
    lines.extend(
        report
            .pending
            .iter()
            .map(|pending| format!("pending: {pending}")),
    );
    if !report.unknown.is_empty() {
        lines.push(format!(
            "not known to this version: {}",
            report.unknown.join(", ")
        ));
    }
    if report.state != State::Foreign {
        lines.extend(
            report
                .damage
                .iter()
                .map(|damage| format!("DAMAGED: {damage}")),
        );
    }
    (!lines.is_empty()).then(|| harmless(&lines.join("\n")))
}
