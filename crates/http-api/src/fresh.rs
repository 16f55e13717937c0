//! Freshness on the wire: in the body of every answer, and in the headers beside it.

use std::fmt::Write;

use api_types::State;
use query::as_of::AsOf;
use query::floor::Precision;
use query::fresh::{self, Fresh};
use query::percent;
use row_model::{Moment, write_timestamp};
use table_store::{Cut, TableCut, Transactions};

use crate::{ApiState, route};

/// How fresh one table of a cut is.
pub(crate) fn of_table(cut: &Cut, table: &TableCut, now_ms: i64) -> Fresh {
    fresh::of(cut, [table], now_ms).unwrap_or_else(|| of_nothing(fresh::State::Loading))
}

/// How fresh an answer is that rests on these tables, however often it does on each.
pub(crate) fn of_tables<'a>(
    cut: &Cut,
    tables: impl Iterator<Item = &'a TableCut>,
    now_ms: i64,
) -> Fresh {
    let mut distinct: Vec<&TableCut> = Vec::new();
    for table in tables {
        let id = |table: &TableCut| table.table.identity().id;
        if distinct.iter().all(|known| id(known) != id(table)) {
            distinct.push(table);
        }
    }
    fresh::of(cut, distinct, now_ms).unwrap_or_else(|| of_nothing(fresh::State::Loading))
}

/// How fresh all tables of a cut are. Without any, the sources say whether some are to be expected.
pub(crate) fn of_all(state: &ApiState, cut: &Cut) -> Fresh {
    let tables = cut.tables().iter().map(|table| &**table);
    fresh::of(cut, tables, state.now_ms()).unwrap_or_else(|| {
        let sources = state.status().sources();
        // The order of the variants: a worse one is greater.
        let states = sources.iter().map(|source| from_wire(source.state));
        of_nothing(states.max().unwrap_or(fresh::State::Loading))
    })
}

/// How fresh that is which a path is about: the table that it names, or all there are.
pub(crate) fn of_path(state: &ApiState, path: &str) -> Fresh {
    let cut = state.store().published();
    let named = route::rest_of(path).unwrap_or_else(|| route::table_of(path));
    let table = percent::decode(named).ok();
    match table.and_then(|name| cut.table(&name).ok()) {
        Some(table) => of_table(&cut, table, state.now_ms()),
        None => of_all(state, &cut),
    }
}

/// How fresh a table is that is still being loaded from the checkpoint.
pub(crate) fn of_starting(progress: f64) -> Fresh {
    Fresh {
        progress: Some(progress),
        ..of_nothing(fresh::State::Loading)
    }
}

fn of_nothing(state: fresh::State) -> Fresh {
    Fresh {
        as_of: AsOf::of([]).encode(),
        commit_ms: None,
        lag_ms: None,
        source_lag_ms: None,
        state,
        progress: None,
        transactions: Transactions::None,
        complete: true,
        quarantined: 0,
        satisfied: None,
        precision: None,
        bound: None,
    }
}

/// In the place of what is not said yet.
pub(crate) fn unsaid() -> api_types::Fresh {
    to_wire(&of_nothing(fresh::State::Loading))
}

/// As the body says it.
pub(crate) fn to_wire(fresh: &Fresh) -> api_types::Fresh {
    api_types::Fresh {
        as_of: fresh.as_of.clone(),
        commit_time: fresh.commit_ms.map(rfc3339),
        lag_ms: fresh.lag_ms,
        source_lag_ms: fresh.source_lag_ms,
        state: state_to_wire(fresh.state),
        progress: fresh.progress,
        transactions: match fresh.transactions {
            Transactions::Whole => api_types::Transactions::Whole,
            Transactions::Partial => api_types::Transactions::Partial,
            Transactions::None => api_types::Transactions::None,
        },
        complete: fresh.complete,
        quarantined: fresh.quarantined,
        satisfied: fresh.satisfied,
        precision: fresh.precision.map(|precision| match precision {
            Precision::Exact => api_types::Precision::Exact,
            Precision::Weak => api_types::Precision::Weak,
        }),
        bound: fresh.bound.map(|bound| match bound {
            fresh::Bound::Source => api_types::Bound::Source,
            fresh::Bound::Log => api_types::Bound::Log,
        }),
    }
}

/// Every state there is, for the metric that names one of them.
pub(crate) const STATES: [&str; 5] = ["live", "catching_up", "loading", "stale", "stalled"];

pub(crate) fn state_to_wire(state: fresh::State) -> State {
    match state {
        fresh::State::Live => State::Live,
        fresh::State::CatchingUp => State::CatchingUp,
        fresh::State::Loading => State::Loading,
        fresh::State::Stale => State::Stale,
        fresh::State::Stalled => State::Stalled,
    }
}

fn from_wire(state: State) -> fresh::State {
    match state {
        State::Live => fresh::State::Live,
        State::CatchingUp => fresh::State::CatchingUp,
        State::Loading => fresh::State::Loading,
        State::Stale => fresh::State::Stale,
        State::Stalled => fresh::State::Stalled,
    }
}

/// The header `Rowtide-Freshness`: `lag=38, commit=1795219198.412, state=live`; what is unknown is left out, and what is
/// missing is told: some answers have no other place for it.
pub(crate) fn header(fresh: &Fresh) -> String {
    let mut text = String::new();
    if let Some(lag) = fresh.lag_ms {
        let _ = write!(text, "lag={lag}, ");
    }
    if let Some(lag) = fresh.source_lag_ms {
        let _ = write!(text, "source_lag={lag}, ");
    }
    if let Some(ms) = fresh.commit_ms {
        let _ = write!(
            text,
            "commit={}.{:03}, ",
            ms.div_euclid(1000),
            ms.rem_euclid(1000)
        );
    }
    let _ = write!(text, "state={}", state_to_wire(fresh.state));
    if !fresh.complete {
        text.push_str(", complete=false");
    }
    if fresh.quarantined > 0 {
        let _ = write!(text, ", quarantined={}", fresh.quarantined);
    }
    if let Some(satisfied) = fresh.satisfied {
        let _ = write!(text, ", satisfied={satisfied}");
    }
    if fresh.precision == Some(Precision::Weak) {
        text.push_str(", precision=weak");
    }
    match fresh.bound {
        Some(fresh::Bound::Source) => text.push_str(", bound=source"),
        Some(fresh::Bound::Log) => text.push_str(", bound=log"),
        None => {}
    }
    text
}

/// `2026-11-20T23:59:58.412Z`.
pub(crate) fn rfc3339(ms: i64) -> String {
    let mut text = String::with_capacity(24);
    let _ = write_timestamp(Moment::from_units(ms, 1000), &mut text);
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_is_known() {
        let unknown = of_nothing(fresh::State::CatchingUp);
        assert_eq!(header(&unknown), "state=catching_up");
        let known = Fresh {
            lag_ms: Some(38),
            commit_ms: Some(1_795_219_198_012),
            complete: false,
            quarantined: 3,
            satisfied: Some(false),
            ..of_nothing(fresh::State::Live)
        };
        assert_eq!(
            header(&known),
            "lag=38, commit=1795219198.012, state=live, complete=false, quarantined=3, satisfied=false"
        );
        assert_eq!(
            to_wire(&known).commit_time.unwrap(),
            "2026-11-20T23:59:58.012Z"
        );
    }
}
