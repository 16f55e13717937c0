//! The data listener's routes. A handler reads the request, asks `query`, and answers; it decides nothing else.

mod batch;
pub(crate) mod body;
mod changes;
mod export;
pub(crate) mod indexes;
mod list;
pub(crate) mod page;
mod quarantine;
pub(crate) mod quarantine_replay;
mod query;
pub(crate) mod rebuild;
pub(crate) mod rest;
pub(crate) mod rows;
mod scan;
mod since;
mod sql;
mod status;
mod tables;
mod unknown;
mod wait;

use std::borrow::Cow;
use std::sync::Arc;

use ::query::percent;
use axum::Router;
use axum::extract::FromRef;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::{Method, Uri};
use table_store::{Cut, NameError, TableCut};
use tokio::sync::Semaphore;

use crate::problem::ApiError;
use crate::route::{self, Route};
use crate::{ApiState, Limits, error, fresh};

/// What the handlers of the data listener share.
#[derive(Clone)]
struct DataState {
    api: ApiState,
    /// Permits to scan a table.
    scans: Arc<Semaphore>,
    /// Permits to hold a cut for as long as it takes to send all of a table.
    exports: Arc<Semaphore>,
    /// Places for requests that wait for tables to come as far as they insist on.
    waiters: Arc<Semaphore>,
    /// Places for those who follow changes.
    feeds: Arc<Semaphore>,
    limits: Limits,
}

impl FromRef<DataState> for ApiState {
    fn from_ref(state: &DataState) -> Self {
        state.api.clone()
    }
}

/// So many tables are scanned at once; who asks for more waits.
pub(crate) fn router(api: ApiState, limits: Limits, waiters: Arc<Semaphore>) -> Router {
    Router::new()
        .route("/v1/tables", get(tables::list))
        .route("/v1/tables/{table}", get(tables::one))
        .route("/v1/tables/{table}/export", get(export::rows))
        .route("/v1/tables/{table}/rows", get(list::rows))
        .route("/v1/tables/{table}/rows/", get(rows::one))
        .route("/v1/tables/{table}/rows/{key}", get(rows::one))
        .route("/v1/sql", post(sql::ask))
        .route("/v1/query", any(query::ask))
        .route("/v1/batch-get", any(batch::get))
        .route("/v1/wait", get(wait::barrier))
        .route("/v1/changes", get(changes::changes))
        .route("/v1/status", get(status::status))
        .route("/v1/quarantine", get(quarantine::list))
        .route("/rest/v1", any(rest::rest))
        .route("/rest/v1/", any(rest::rest))
        .route("/rest/v1/{*below}", any(rest::rest))
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(DataState {
            api,
            scans: Arc::new(Semaphore::new(limits.scans_max)),
            exports: Arc::new(Semaphore::new(limits.exports_max)),
            waiters,
            feeds: Arc::new(Semaphore::new(limits.feeds_max)),
            limits,
        })
}

async fn unknown_path(uri: Uri) -> Response {
    error::unknown_path(uri.path()).into_response()
}

pub(crate) async fn method_not_allowed(method: Method) -> Response {
    error::method_not_allowed(&method).into_response()
}

/// A handler's result as the answer of its route.
pub(crate) fn answer(route: Route, result: Result<Response, ApiError>) -> Response {
    let mut response = result.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(route);
    response
}

/// The name of the table in a path, decoded.
fn table_name(uri: &Uri) -> Result<Cow<'_, str>, ApiError> {
    percent::decode(route::table_of(uri.path())).map_err(error::bad_path)
}

/// The table of a name at a cut.
pub(crate) fn table<'a>(
    state: &ApiState,
    cut: &'a Cut,
    name: &str,
) -> Result<&'a Arc<TableCut>, ApiError> {
    cut.table(name)
        .map_err(|refused| no_table(state, cut, name, &refused))
}

/// Why there is no such table: it may be on its way.
fn no_table(state: &ApiState, cut: &Cut, name: &str, refused: &NameError) -> ApiError {
    match state.starting(name) {
        Some(progress) => error::starting(name, progress).at(fresh::of_starting(progress)),
        None => error::no_table(name, refused).at(fresh::of_all(state, cut)),
    }
}
