//! Waiting for a floor before an answer is looked for, and `GET /v1/wait`, which waits and answers nothing else.

use std::sync::Arc;
use std::time::Duration;

use api_types::WaitResponse;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::floor::is_foreign;
use query::reach::names_all;
use table_store::{Cut, TableCut};
use telemetry::clock;
use tokio::time::Instant;

use super::{DataState, answer, table};
use crate::floor::{Asking, Floor, Insisted};
use crate::limits::LOG_END_WAIT_MIN;
use crate::log_ends::ends_of;
use crate::params::Params;
use crate::patience::Patience;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::sleepers::Seen;
use crate::waits::Waited;
use crate::{error, fresh};

impl DataState {
    /// Waits for tables to come as far as is insisted on, if they have not. Whether they did is judged later,
    /// by the cut that is answered from.
    pub(super) async fn wait(
        &self,
        floor: &Floor,
        tables: &[Arc<TableCut>],
        patience: &Patience,
        timing: &mut Timing,
    ) -> Result<(), ApiError> {
        patience.rests_on(|| Seen::tables(tables));
        let Some(insisted) = floor.insisted() else {
            return Ok(());
        };
        let api = &self.api;
        let touched = || tables.iter().map(|table| &**table);
        let cut = api.store().published();
        let fresh = || fresh::of_tables(&cut, touched(), api.now_ms());
        let known = cut.tables().iter().map(|table| &**table);
        let mut at_least = insisted.at_least().into_iter();
        // While tables are still being loaded, those that it names may be among them.
        if at_least.any(|floor| is_foreign(floor, known.clone())) && api.status().health().started {
            return Err(error::foreign_floor().at(fresh()));
        }
        let asks = insisted.awaits_log_end();
        let is_settled = insisted.is_settled(&cut, touched(), api.now_ms());
        if is_settled || (insisted.wait.is_zero() && !asks) {
            return Ok(());
        }
        let Ok(slot) = Arc::clone(&self.waiters).try_acquire_owned() else {
            return Err(error::too_many_waits().at(fresh()));
        };
        let at_most = if asks {
            LOG_END_WAIT_MIN
        } else {
            Duration::ZERO
        };
        let at_most = insisted.wait.max(at_most);
        patience.wait(slot, at_most);
        let started = clock::monotonic();
        let deadline = Instant::now() + insisted.wait;
        if asks && !insisted.log_ends_at(ends_of(api.log_ends(), tables, at_most).await) {
            return Ok(());
        }
        let waited = api
            .waits()
            .until(api.store(), insisted, tables, deadline)
            .await;
        let took = clock::monotonic().duration_since(started);
        timing.waited(took);
        patience.waited(took);
        match waited {
            Waited::Ended => Err(error::draining().at(fresh())),
            Waited::Woken | Waited::TimedOut => Ok(()),
        }
    }
}

const SUPPORTED: &[&str] = &["at_least", "max_lag", "wait", "on_miss", "tables"];

/// Answers when tables have come so far, and with nothing but how fresh they are.
pub(super) async fn barrier(State(state): State<DataState>, asking: Asking, uri: Uri) -> Response {
    answer(Route::Wait, reached(&state, &asking, &uri).await)
}

async fn reached(state: &DataState, asking: &Asking, uri: &Uri) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    let cut = state.api.store().published();
    let all = || fresh::of_all(&state.api, &cut);
    let params = Params::read(uri.query()).and_then(|params| {
        params.only(SUPPORTED)?;
        Ok((asking.floor_of(&params)?, params))
    });
    let (floor, params) = params.map_err(|refused| refused.or_at(all()))?;
    if floor.insisted().is_none() {
        return Err(error::nothing_to_wait_for().at(all()));
    }
    let names = params.get("tables").map(str::to_owned);
    let tables = named(state, &cut, names.as_deref(), &floor)?;
    drop(cut);
    state
        .wait(&floor, &tables, &asking.patience, &mut timing)
        .await?;
    let cut = state.api.store().published();
    let tables = named(state, &cut, names.as_deref(), &floor)?;
    let tables = || tables.iter().map(|table| &**table);
    let fresh = fresh::of_tables(&cut, tables(), state.api.now_ms());
    let fresh = floor.judged(&cut, tables(), fresh)?;
    let body = WaitResponse {
        fresh: fresh::to_wire(&fresh),
    };
    Ok(respond::value(&body, &fresh, timing))
}

/// The tables of a list of names, or all of them: which must then be there.
fn named(
    state: &DataState,
    cut: &Cut,
    names: Option<&str>,
    floor: &Floor,
) -> Result<Vec<Arc<TableCut>>, ApiError> {
    let Some(names) = names else {
        let tables = || cut.tables().iter().map(|table| &**table);
        let lacks = |insisted: &Arc<Insisted>| match insisted.at_least() {
            Some(query::floor::Floor::Tables(as_of)) => !names_all(as_of, tables()),
            _ => false,
        };
        if floor.insisted().is_some_and(lacks) && !state.api.status().health().started {
            return Err(error::starting_tables().at(fresh::of_all(&state.api, cut)));
        }
        return Ok(cut.tables().to_vec());
    };
    let named = names.split(',').map(str::trim);
    named
        .map(|name| table(&state.api, cut, name).map(Arc::clone))
        .collect()
}
