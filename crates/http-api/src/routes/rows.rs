//! `GET /v1/tables/{t}/rows/{key}` and `GET /v1/tables/{t}/rows`: one row, and a page of rows.

use std::sync::Arc;

use api_types::ListTail;
use axum::extract::State;
use axum::response::Response;
use http::{Uri, header};
use query::fresh::Fresh;
use query::list::{self, PAGE_BYTES_MAX, Rendered};
use query::lookup::{self, LookupError};
use query::{cursor, percent};
use table_store::{Cut, TableCut};
use telemetry::Event;

use super::{DataState, answer, no_table, table, table_name};
use crate::params::{self, Params};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::{self, Route};
use crate::{ApiState, error, fresh};

/// Rows rarely are longer; a longer one costs one more allocation.
const ROW_BYTES_USUAL: usize = 1_024;

const TRUNCATED_HINT: &str = "The answer stopped at 1 MiB. Pass next as cursor for the rest, or ask for fewer rows at a time.";

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

pub(super) async fn list(State(state): State<DataState>, uri: Uri) -> Response {
    answer(Route::Rows, page(&state, uri).await)
}

/// Scans on a thread of its own, so that lookups are not kept waiting.
async fn page(state: &DataState, uri: Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    PageRequest::read(&state.api, &state.api.store().published(), &uri)?;
    let Ok(permit) = Arc::clone(&state.scans).acquire_owned().await else {
        return Err(error::overloaded());
    };
    let state = state.api.clone();
    let scan = move || {
        // Held to the end of the scan, though the request may have been given up by then.
        let _permit = permit;
        scan(&state, &uri, timing)
    };
    match tokio::task::spawn_blocking(scan).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(error::internal()),
        },
    }
}

fn scan(state: &ApiState, uri: &Uri, mut timing: Timing) -> Result<Response, ApiError> {
    let cut = state.store().pin();
    // Read again: this cut is newer than the one it was checked against.
    let request = PageRequest::read(state, &cut, uri)?;
    let table = request.table;
    let page = list::page(&cut, table, request.after.as_deref(), request.limit);
    timing.found();
    let mut body = b"{\"rows\":[".to_vec();
    let rendered = page.render(table, &state.shapes().of(table), PAGE_BYTES_MAX, &mut body);
    // What is rendered needs neither the cut's versions nor the rows any more.
    drop(page);
    if rendered.truncated {
        Event::AnswerTruncated {
            table: &table.table.identity().name,
        }
        .emit();
    }
    let link = rendered
        .next
        .as_ref()
        .map(|next| link(uri.path(), request.limit, next));
    write_tail(rendered, &request.fresh, &mut body);
    let mut response = respond::json(body, &request.fresh, &timing);
    if let Some(link) = link {
        respond::insert(response.headers_mut(), header::LINK, link);
    }
    Ok(response)
}

/// Ends the array of rows and appends what stands after it.
fn write_tail(rendered: Rendered, fresh: &Fresh, body: &mut Vec<u8>) {
    let tail = ListTail {
        count: rendered.count as u64,
        next: rendered.next,
        truncated: rendered.truncated,
        hint: rendered.truncated.then(|| TRUNCATED_HINT.to_owned()),
        fresh: fresh::to_wire(fresh),
    };
    body.push(b']');
    let brace = body.len();
    respond::write_json(&tail, body);
    // The tail is an object of its own; its opening brace gives its place to the comma.
    body[brace] = b',';
}

fn link(path: &str, limit: usize, next: &str) -> String {
    format!("<{path}?limit={limit}&cursor={next}>; rel=\"next\"")
}

/// What is asked of a list.
struct PageRequest<'a> {
    table: &'a Arc<TableCut>,
    fresh: Fresh,
    limit: usize,
    /// The key that the page comes after.
    after: Option<Vec<u8>>,
}

impl<'a> PageRequest<'a> {
    fn read(state: &ApiState, cut: &'a Cut, uri: &Uri) -> Result<Self, ApiError> {
        let table = table(state, cut, &table_name(uri)?)?;
        let fresh = fresh::of_table(table, state.now_ms());
        match Self::parameters(state, table, uri) {
            Ok((limit, after)) => Ok(Self {
                table,
                fresh,
                limit,
                after,
            }),
            Err(refused) => Err(refused.at(fresh)),
        }
    }

    fn parameters(
        state: &ApiState,
        table: &TableCut,
        uri: &Uri,
    ) -> Result<(usize, Option<Vec<u8>>), ApiError> {
        let params = Params::read(uri.query())?;
        let shape = state.shapes().of(table);
        params.only(&["limit", "cursor"], |column| {
            shape.schema().column(column).is_some()
        })?;
        let limit = params.limit(list::LIMIT_DEFAULT, list::LIMIT_MAX)?;
        let read = |cursor| cursor::read(table.table.identity(), cursor).map_err(error::bad_cursor);
        Ok((limit, params.get("cursor").map(read).transpose()?))
    }
}
