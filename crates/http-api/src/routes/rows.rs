//! `GET /v1/tables/{t}/rows/{key}`: one row by its key.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::lookup::{self, LookupError};
use query::percent;

use super::{answer, no_table};
use crate::params;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::{self, Route};
use crate::{ApiState, error, fresh};

/// Rows rarely are longer; a longer one costs one more allocation.
const ROW_BYTES_USUAL: usize = 1_024;

pub(super) async fn one(State(state): State<ApiState>, uri: Uri) -> Response {
    let (table, key) = route::row_of(uri.path()).unwrap_or_default();
    lookup(&state, table, key, uri.query())
}

/// The point lookup. Waits for nothing; also called without a router in between.
pub(crate) fn lookup(state: &ApiState, table: &str, key: &str, query: Option<&str>) -> Response {
    answer(Route::Row, row(state, table, key, query))
}

fn row(
    state: &ApiState,
    table: &str,
    key: &str,
    query: Option<&str>,
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    let name = percent::decode(table).map_err(error::bad_path)?;
    let found = lookup::row(state.store(), &name, key).map_err(|refused| match refused {
        LookupError::Table(refused) => no_table(state, &state.store().published(), &name, &refused),
        LookupError::Key { table, error } => error::bad_key(&table.table.identity().name, &error)
            .at(fresh::of_table(&table, state.now_ms())),
    })?;
    timing.found();
    let fresh = fresh::of_table(&found.table, state.now_ms());
    params::none(query).map_err(|refused| refused.at(fresh.clone()))?;
    let Some(version) = found.row else {
        return Err(error::row_not_found(&found.table, fresh));
    };
    let mut body = Vec::with_capacity(ROW_BYTES_USUAL);
    body.extend_from_slice(b"{\"row\":");
    state
        .shapes()
        .of(&found.table)
        .write_row(&version, &mut body);
    body.extend_from_slice(b",\"fresh\":");
    respond::write_json(&fresh::to_wire(&fresh), &mut body);
    body.push(b'}');
    Ok(respond::json(body, &fresh, &timing))
}
