//! `GET /v1/quarantine`: records that could not be applied, with their bytes.

use api_types::QuarantineResponse;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::fresh::Fresh;
use table_store::Cut;

use super::{answer, no_table};
use crate::limits::{QUARANTINE_LIMIT_DEFAULT, QUARANTINE_LIMIT_MAX};
use crate::params::Params;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, fresh};

pub(super) async fn list(State(state): State<ApiState>, uri: Uri) -> Response {
    answer(Route::Quarantine, records(&state, &uri))
}

fn records(state: &ApiState, uri: &Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let cut = state.store().published();
    let params =
        Params::read(uri.query()).map_err(|refused| refused.at(fresh::of_all(state, &cut)))?;
    let checked = params.only(&["table", "limit"]);
    let limit = checked.and_then(|()| params.limit(QUARANTINE_LIMIT_DEFAULT, QUARANTINE_LIMIT_MAX));
    let limit = limit.map_err(|refused| refused.at(fresh::of_all(state, &cut)))?;
    let (records, fresh) = match params.get("table") {
        Some(name) => of_table(state, &cut, name, limit)?,
        None => (
            state.status().quarantine(None, limit),
            fresh::of_all(state, &cut),
        ),
    };
    let body = QuarantineResponse {
        records,
        fresh: fresh::to_wire(&fresh),
    };
    Ok(respond::value(&body, &fresh, timing))
}

fn of_table(
    state: &ApiState,
    cut: &Cut,
    name: &str,
    limit: usize,
) -> Result<(Vec<api_types::QuarantineRecord>, Fresh), ApiError> {
    match cut.table(name) {
        Ok(table) => {
            let records = state
                .status()
                .quarantine(Some(&table.table.identity().topic), limit);
            Ok((records, fresh::of_table(cut, table, state.now_ms())))
        }
        Err(refused) => {
            // A topic of which nothing could be applied has no table, but it has records here.
            let records = state.status().quarantine(Some(name), limit);
            if records.is_empty() {
                return Err(no_table(state, cut, name, &refused));
            }
            Ok((records, fresh::of_all(state, cut)))
        }
    }
}
