//! Floors that are not reached, or never will be: what is missing, and what is likely to be wrong.

use std::time::Duration;

use api_types::ErrorCode;
use query::floor::{Lack, Lsn, Place, PlaceLack, Unfit};
use query::fresh::{Bound, Fresh, State};
use query::reach::Behind;
use table_store::{Heartbeats, SourceCut};
use telemetry::clock;

use crate::fresh::rfc3339;
use crate::limits::RECENT_TX_MAX;
use crate::problem::ApiError;

/// A floor that was missed, as far as its error tells.
pub(crate) struct Missed<'a> {
    /// As it was spelled.
    pub floor: &'a str,
    pub waited: Duration,
    /// Why nobody said where the log ends.
    pub log_end: Option<&'a String>,
}

/// The tables have not come so far in the time that was given.
pub(crate) fn not_yet_applied(lack: &Lack, missed: &Missed<'_>, fresh: Fresh) -> ApiError {
    let waited = missed.waited.as_millis();
    // A token is long, and means nothing to whoever reads it.
    let floor = match lack {
        Lack::Place(_) => missed.floor,
        Lack::Records(_) | Lack::LogEnd => "at_least",
    };
    let detail = match lack {
        Lack::Records(behind) => of_records(behind),
        Lack::LogEnd => {
            let reason = missed.log_end.map_or("it was not asked", String::as_str);
            format!("It is not known where the log ends: {reason}.")
        }
        Lack::Place(lack) if lack.is_former => return former(missed.floor, lack).at(fresh),
        Lack::Place(lack) => of_place(lack),
    };
    let detail = match lack {
        Lack::LogEnd => detail,
        Lack::Records(_) | Lack::Place(_) => format!("Waited {waited} ms for {floor}. {detail}"),
    };
    let error = ApiError::new(ErrorCode::NotYetApplied, detail);
    let hint = match (fresh.state, lack) {
        (State::Stalled, _) => {
            "The table takes no changes at the moment: GET /v1/status says why. Add on_miss=serve to read it as it is.".to_owned()
        }
        (State::Stale, _) => {
            "There was no contact with the log for a while: GET /v1/status says why. Add on_miss=serve to read the table as it is.".to_owned()
        }
        (_, Lack::Records(_)) => {
            "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is.".to_owned()
        }
        (_, Lack::LogEnd) => {
            "Without an answer of the broker nothing can be promised. Retry, or add on_miss=serve to read the table as it is.".to_owned()
        }
        (_, Lack::Place(lack)) => {
            format!("Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. {}", likely(lack))
        }
    };
    let recent = match lack {
        Lack::Place(PlaceLack {
            source: Some(source),
            floor,
            ..
        }) if matches!(floor.at, Place::Transaction(_)) => {
            source.applied.last_completed(RECENT_TX_MAX)
        }
        _ => Vec::new(),
    };
    let recent = recent.iter().map(u32::to_string);
    error
        .with_recent_tx(recent.collect())
        .with_hint(hint.trim_end())
        .at(fresh)
}

fn of_records(behind: &Behind) -> String {
    let Behind {
        table,
        partition,
        wanted,
        reached,
    } = behind;
    let reached = match reached {
        Some(reached) => format!("is at record {reached}"),
        None => "is not known yet".to_owned(),
    };
    format!(
        "Partition {partition} of table '{table}' {reached}; at_least is before record {wanted}."
    )
}

fn of_place(lack: &PlaceLack) -> String {
    let Some(source) = &lack.source else {
        return "Nothing has been read of its source yet.".to_owned();
    };
    let name = &source.name;
    if lack.is_seen {
        return format!(
            "Source '{name}' has been seen as far; of table '{}' it is not known yet that it has come along.",
            lack.table
        );
    }
    let newest = match &lack.floor.at {
        Place::Transaction(_) => {
            return format!("No change of that transaction has been seen of source '{name}'.");
        }
        Place::Lsn(_) => source.newest.lsn.map(|lsn| Lsn(lsn).to_string()),
        Place::Gtids(_) => None,
        Place::Time(_) => source.newest.commit_ms.map(rfc3339),
    };
    match newest {
        Some(newest) => format!("Source '{name}' has been seen up to {newest}."),
        None => format!("Source '{name}' has not been seen as far."),
    }
}

/// What is likely to be wrong, if something is.
fn likely(lack: &PlaceLack) -> String {
    let Some(source) = &lack.source else {
        return String::new();
    };
    match &lack.floor.at {
        Place::Time(at) if *at > clock::now_ms() => {
            "The time has not come yet: ts: wants the time of a commit.".to_owned()
        }
        Place::Transaction(id) if !lack.is_seen => {
            let newer = if source.applied.is_ahead(*id) {
                ""
            } else {
                "Newer transactions are shown already. "
            };
            format!(
                "{newer}If it never appears, pg_current_xact_id() was probably called outside the transaction that wrote, or that transaction changed no table that is followed."
            )
        }
        Place::Transaction(_) => {
            "Until the log is silent for a moment, or a later transaction follows, more of it may come: with the connector's provide.transaction.metadata=true that is known at once.".to_owned()
        }
        Place::Lsn(_) | Place::Gtids(_) | Place::Time(_) => heartbeats(source),
    }
}

fn heartbeats(source: &SourceCut) -> String {
    match source.heartbeats {
        Heartbeats::NotConfigured => "A source that writes nothing more never comes to a place that was read after a commit: have it write heartbeats (heartbeat.interval.ms and heartbeat.action.query of the connector) and name their table in heartbeat_table of the source.".to_owned(),
        Heartbeats::Awaited => "heartbeat_table is configured and no row of it has come yet: look at heartbeat.interval.ms and heartbeat.action.query of the connector.".to_owned(),
        Heartbeats::Last(at) => format!("The newest heartbeat was committed at {}.", rfc3339(at)),
    }
}

/// The place is of what the source was before it was restored or failed over.
fn former(floor: &str, lack: &PlaceLack) -> ApiError {
    let name = lack.source.as_ref().map_or("", |source| &source.name);
    ApiError::new(
        ErrorCode::PositionUnknown,
        format!("{floor} was reached by source '{name}' before it began anew with another snapshot, and has not been reached since: it is most likely of its former timeline."),
    )
    .with_hint("Positions of the two cannot be compared. Ask without at_least; if the position is of a write since then, retry with a longer wait.")
}

/// The answer is older than it may be.
pub(crate) fn too_stale(max: Duration, waited: Duration, fresh: Fresh) -> ApiError {
    let (lag, bound) = fresh.bounded_lag_ms();
    let of = match bound {
        Bound::Source => "the source",
        Bound::Log => "the log",
    };
    let max = max.as_millis();
    let lag = match lag {
        Some(lag) => format!("may be {lag} ms behind {of}"),
        None => format!("may be behind {of} by any time"),
    };
    let waited = match waited.as_millis() {
        0 => String::new(),
        waited => format!("Waited {waited} ms. "),
    };
    ApiError::new(
        ErrorCode::TooStale,
        format!("{waited}The answer {lag}; max_lag is {max} ms."),
    )
    .with_hint("Retry, add wait=2s to be answered as soon as it is fresh enough, or on_miss=serve to read it as it is. GET /v1/status says what is behind.")
    .at(fresh)
}

/// The floor means none of the tables, or nothing that could be told of them.
pub(crate) fn unfit_floor(unfit: &Unfit) -> ApiError {
    match unfit {
        Unfit::OtherLog(table) => ApiError::new(
            ErrorCode::PositionUnknown,
            format!("at_least is of another log than the one that table '{table}' follows: its topic was made anew, or it is another cluster's."),
        )
        .with_hint("Nothing can be told of the two. Ask without at_least, and go on with the as_of of that answer."),
        Unfit::Ambiguous(sources) => ApiError::new(
            ErrorCode::BadRequest,
            "at_least may be a position of several sources.",
        )
        .with_candidates(sources.clone())
        .with_hint(match sources.first() {
            Some(source) => format!("Say which one: tx:{source}/753, lsn:{source}/0/16B3F70, gtid:{source}/…, ts:{source}/…"),
            None => String::new(),
        }),
        Unfit::OtherSource { asked, known } => {
            let short: String = asked.chars().take(40).collect();
            ApiError::new(
                ErrorCode::BadRequest,
                format!("No table of this answer is of a source '{short}'."),
            )
            .with_candidates(known.clone())
            .with_hint("A position says nothing of tables of other sources.")
        }
        Unfit::OtherKind { source, numbers_by } => ApiError::new(
            ErrorCode::BadRequest,
            format!("Source '{source}' has no such positions: it has {numbers_by}."),
        ),
    }
}
