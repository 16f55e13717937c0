//! Why something is not known of a table: what an answer calls null, the status explains.

use api_types::{Fresh, State, TableStages, Unknown};
use table_store::TableCut;

const NOT_COMMITTED: &str = "No record that was applied says when the source committed it.";
const NOT_APPLIED: &str = "No record was applied yet.";
const END_NOT_SEEN: &str =
    "The table is read for the first time: how old what is still missing may be is not known.";
const NO_CONTACT: &str = "The end of the log was not seen since the start, and no record says when the source committed it.";
const NO_HEARTBEATS: &str = "Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on.";
const NOT_LIVE: &str =
    "Told of what comes while the table is live: what is read in a replay was committed long ago.";
const NO_RECORDS: &str = "The last minute brought no change that says when it was committed or when the connector saw it.";
const NO_COMMIT_TIMES: &str =
    "Its records do not say when the source committed them (source.ts_ms).";
const NO_CONNECTOR_TIMES: &str =
    "Its records do not say when the connector saw them (ts_ms beside op).";
const NO_LOG_TIMES: &str = "Its records have no time in the log.";

/// What neither `fresh` nor `stages` can say, in the order in which they say the rest.
pub(super) fn of(table: &TableCut, fresh: &Fresh, stages: Option<&TableStages>) -> Vec<Unknown> {
    let no_commit = match table.rows {
        0 => NOT_APPLIED,
        _ => NOT_COMMITTED,
    };
    let no_bound = match fresh.state {
        State::Loading => END_NOT_SEEN,
        _ => NO_CONTACT,
    };
    let of_fresh = [
        ("commit_time", fresh.commit_time.is_none(), no_commit),
        ("lag_ms", fresh.lag_ms.is_none(), no_bound),
        (
            "source_lag_ms",
            fresh.source_lag_ms.is_none(),
            NO_HEARTBEATS,
        ),
    ];
    let no_records = match fresh.state {
        State::Live | State::Stale => NO_RECORDS,
        State::CatchingUp | State::Loading | State::Stalled => NOT_LIVE,
    };
    let of_stages = match stages {
        Some(stages) => of_each(stages).into(),
        None => vec![("stages", true, no_records)],
    };
    let all = of_fresh.into_iter().chain(of_stages);
    let unknown = all.filter(|(_, is_unknown, _)| *is_unknown);
    let unknown = unknown.map(|(field, _, reason)| Unknown {
        field: field.to_owned(),
        reason: reason.to_owned(),
    });
    unknown.collect()
}

/// Of a stage, the first of its two times that records lack.
fn of_each(stages: &TableStages) -> [(&'static str, bool, &'static str); 3] {
    let no_commit_or_connector = match stages.whole {
        None => NO_COMMIT_TIMES,
        Some(_) => NO_CONNECTOR_TIMES,
    };
    let no_connector_or_log = match stages.rowtide {
        None => NO_LOG_TIMES,
        Some(_) => NO_CONNECTOR_TIMES,
    };
    [
        (
            "stages.connector",
            stages.connector.is_none(),
            no_commit_or_connector,
        ),
        (
            "stages.broker",
            stages.broker.is_none(),
            no_connector_or_log,
        ),
        ("stages.rowtide", stages.rowtide.is_none(), NO_LOG_TIMES),
    ]
}
