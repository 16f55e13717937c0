//! The admin listener: the probes, the metrics, and what changes the process. Reached by the kubelet, by
//! Prometheus and by who runs it, never by readers.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use telemetry::{MetricsPage, TableGauges};

use crate::params::{self, Params};
use crate::problem::ApiError;
use crate::respond::NO_CACHE;
use crate::route::Route;
use crate::routes::{answer, indexes, method_not_allowed, quarantine_replay, rebuild};
use crate::{ApiState, Health, Limits, Operator, error, fresh};

#[derive(Clone)]
struct AdminState {
    api: ApiState,
    operator: Arc<dyn Operator>,
    metrics: MetricsPage,
    limits: Limits,
}

pub(crate) fn router(
    api: ApiState,
    operator: Arc<dyn Operator>,
    metrics: MetricsPage,
    limits: Limits,
) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/metrics", get(metrics_page))
        .route(
            "/v1/tables/{table}/indexes",
            post(add_index).delete(remove_index),
        )
        .route("/v1/tables/{table}/rebuild", post(begin_rebuild))
        .route("/v1/quarantine/replay", post(replay_quarantine))
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(AdminState {
            api,
            operator,
            metrics,
            limits,
        })
}

async fn unknown_path(uri: Uri) -> Response {
    error::unknown_admin_path(uri.path()).into_response()
}

async fn livez(State(state): State<AdminState>, uri: Uri) -> Response {
    answer(
        Route::Livez,
        probe(&state, &uri, "livez", |health| health.alive),
    )
}

async fn readyz(State(state): State<AdminState>, uri: Uri) -> Response {
    answer(
        Route::Readyz,
        probe(&state, &uri, "readyz", |health| health.ready),
    )
}

async fn startupz(State(state): State<AdminState>, uri: Uri) -> Response {
    answer(
        Route::Startupz,
        probe(&state, &uri, "startupz", |health| health.started),
    )
}

/// 200 `ok`, or 503 with the checks that did not pass; with `?verbose` all of them, as Kubernetes does it.
fn probe(
    state: &AdminState,
    uri: &Uri,
    name: &str,
    passes: fn(&Health) -> bool,
) -> Result<Response, ApiError> {
    let params = Params::read(uri.query())?;
    params.only(&["verbose"])?;
    let verbose = params.get("verbose").is_some();
    let health = state.api.status().health();
    let passed = passes(&health);
    let mut body = String::new();
    for check in health
        .checks
        .iter()
        .filter(|check| verbose || !passed && !check.passed)
    {
        let sign = if check.passed { '+' } else { '-' };
        let _ = writeln!(body, "[{sign}] {}: {}", check.name, check.detail);
    }
    if verbose || !passed {
        let _ = writeln!(
            body,
            "{name} check {}",
            if passed { "passed" } else { "failed" }
        );
    } else {
        body.push_str("ok\n");
    }
    let status = if passed {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(text(status, "text/plain; charset=utf-8", body))
}

async fn metrics_page(State(state): State<AdminState>, uri: Uri) -> Response {
    answer(
        Route::Metrics,
        params::none(uri.query()).map(|()| {
            record_now(&state.api);
            text(
                StatusCode::OK,
                state.metrics.content_type(),
                state.metrics.render(),
            )
        }),
    )
}

async fn add_index(State(state): State<AdminState>, request: Request<Body>) -> Response {
    let bytes_max = state.limits.body_bytes_max;
    let added = indexes::add(&state.api, request, bytes_max).await;
    answer(Route::Indexes, added)
}

async fn remove_index(State(state): State<AdminState>, request: Request<Body>) -> Response {
    let bytes_max = state.limits.body_bytes_max;
    let removed = indexes::remove(&state.api, request, bytes_max).await;
    answer(Route::Indexes, removed)
}

async fn begin_rebuild(State(state): State<AdminState>, request: Request<Body>) -> Response {
    let begun = rebuild::begin(&state.api, &state.operator, request).await;
    answer(Route::Rebuild, begun)
}

async fn replay_quarantine(State(state): State<AdminState>, request: Request<Body>) -> Response {
    let replayed = quarantine_replay::replay(&state.api, &state.operator, request).await;
    answer(Route::QuarantineReplay, replayed)
}

/// Brings the gauges up to the newest cut.
fn record_now(state: &ApiState) {
    let cut = state.store().published();
    let now_ms = state.now_ms();
    for table in cut.tables() {
        let identity = table.table.identity();
        let fresh = fresh::of_table(&cut, table, now_ms);
        telemetry::record_table(&TableGauges {
            source: &identity.source,
            table: &identity.name,
            rows: table.rows,
            memory_bytes: table.memory_bytes,
            lag_ms: fresh.lag_ms,
            commit_ms: fresh.commit_ms,
        });
    }
    let memory = state.status().memory();
    telemetry::record_memory(
        memory.used_bytes,
        memory.max_bytes,
        memory.partitions_waiting as u64,
    );
    let worst = fresh::state_to_wire(fresh::of_all(state, &cut).state);
    telemetry::record_state(worst.as_str(), &fresh::STATES);
    for source in state.status().sources() {
        for partition in &source.partitions {
            if let Some(end) = partition.end_offset {
                let records = end.saturating_sub(partition.next_offset);
                telemetry::record_consumer_lag(
                    &source.name,
                    &partition.topic,
                    partition.partition,
                    records,
                );
            }
        }
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    response
}
