//! `/rest/v1/{table}`: rows as `PostgREST` answers them, so that its clients read from here as they are.
//!
//! Read-only. Freshness is carried in headers, errors have the codes and words of `PostgREST`, and of
//! `PostgreSQL` behind it. Nothing that is asked is ignored, but what `PostgREST` says is to be ignored.

mod accept;
mod prefer;
mod range;
mod refusal;
mod request;
mod table;
mod unfit;
mod written;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Uri, header};
use query::percent;

use super::{DataState, answer};
use crate::floor::Asking;
use crate::respond::Timing;
use crate::route::{self, Route};
use crate::{ApiState, fresh};
pub(crate) use refusal::body_of;
use refusal::{METHODS, Refusal};
use request::Request;
use table::Profile;

pub(super) async fn rest(
    State(state): State<DataState>,
    asking: Asking,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let below = route::rest_of(uri.path()).unwrap_or_default();
    let response = match below {
        "" => root(&state.api, &method),
        below => match target(below) {
            Err(refused) => Err(refused),
            Ok(name) if method == Method::OPTIONS => options_of(&state.api, &name, &headers),
            Ok(name) if matches!(method, Method::GET | Method::HEAD) => {
                rows(&state, &asking, name, &uri, headers).await
            }
            Ok(_) => Err(not_readable(&method)),
        },
    };
    let response = response.unwrap_or_else(|refused| {
        refused
            .at_least_at(|| fresh::of_path(&state.api, uri.path()))
            .into_response()
    });
    answer(Route::Rest, Ok(response))
}

/// The table of what stands below `/rest/v1/`, decoded.
fn target(below: &str) -> Result<String, Refusal> {
    if let Some(function) = below.strip_prefix("rpc/") {
        let name = format!("Could not find the function {function} in the schema cache");
        return Err(Refusal::new(404, "PGRST202", name)
            .details("Rowtide has no functions: it knows tables from their change events."));
    }
    match percent::decode(below) {
        Ok(name) if !below.contains('/') => Ok(name.into_owned()),
        _ => Err(Refusal::new(
            404,
            "PGRST125",
            "Invalid path specified in request URL",
        )),
    }
}

fn not_readable(method: &Method) -> Refusal {
    Refusal::new(
        405,
        "PGRST117",
        format!("Unsupported HTTP method: {method}"),
    )
    .hint("Rowtide is read-only: write to the source database.")
}

fn options_of(state: &ApiState, table: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let cut = state.store().published();
    Profile::of(headers).table(state, &cut, table)?;
    Ok(options())
}

fn options() -> Response {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}

/// What there is. `PostgREST` has an OpenAPI description here, from a database's catalog that nobody has.
fn root(state: &ApiState, method: &Method) -> Result<Response, Refusal> {
    match *method {
        Method::OPTIONS => return Ok(options()),
        Method::GET | Method::HEAD => {}
        _ => return Err(not_readable(method)),
    }
    let cut = state.store().published();
    Err(
        Refusal::new(404, "PGRST126", "Root endpoint metadata is disabled")
            .hint("GET /v1/tables lists all tables with their columns.")
            .at(fresh::of_all(state, &cut)),
    )
}

/// Scans on a thread of its own, so that lookups are not kept waiting.
async fn rows(
    state: &DataState,
    asking: &Asking,
    name: String,
    uri: &Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut timing = Timing::start();
    let request = Request::read(name, uri, &headers)?;
    // What is said of floors is said alike everywhere, and put into the words of these routes at the end.
    let floor = match asking.floor() {
        Ok(floor) => floor,
        Err(refused) => return Ok(refused.into_response()),
    };
    if floor.insisted().is_some() || asking.patience.is_conditional() {
        let tables = request.tables(&state.api)?;
        let waited = state.wait(&floor, &tables, &asking.patience, &mut timing);
        if let Err(refused) = waited.await {
            return Ok(refused.into_response());
        }
    }
    let Ok(permit) = Arc::clone(&state.scans).acquire_owned().await else {
        return Err(Refusal::new(503, "53300", "too many requests are waiting"));
    };
    let (api, limits) = (state.api.clone(), state.limits);
    let run = move || {
        // Held to the end of the scan, though the request may have been given up by then.
        let _permit = permit;
        request.run(&api, &floor, &limits, timing)
    };
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Refusal::new(
                500,
                "XX000",
                "the request failed in the server",
            )),
        },
    }
}
