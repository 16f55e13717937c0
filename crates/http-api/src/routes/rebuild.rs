//! `POST /v1/tables/{t}/rebuild`, on the admin listener: has a table read from the log's start again.

use std::sync::Arc;

use api_types::RebuildResponse;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};

use super::indexes::{named_table, refuse_pages};
use crate::operator::{Operator, OperatorError};
use crate::params::Params;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::{ApiState, error};

const HINT: &str = "The table answers as before until the new rows take its place in one cut. GET /v1/status on the data listener shows how far it is, and what came of it.";

pub(crate) async fn begin(
    state: &ApiState,
    operator: &Arc<dyn Operator>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let timing = Timing::start();
    refuse_pages(request.headers())?;
    let (table, fresh) = named_table(state, request.uri())?;
    let refused = |error: ApiError| error.at(fresh.clone());
    let params = Params::read(request.uri().query()).map_err(refused)?;
    params.only(&["accept_incomplete"]).map_err(refused)?;
    let accept_incomplete = params.flag("accept_incomplete").map_err(refused)?;
    let name = table.table.identity().name.clone();
    let (operator, asked_for) = (Arc::clone(operator), name.clone());
    let rebuild = ask(move || operator.rebuild(&asked_for, accept_incomplete)).await;
    let response = RebuildResponse {
        table: name,
        rebuild: rebuild.map_err(refused)?,
        hint: HINT.to_owned(),
    };
    let mut response = respond::value(&response, &fresh, timing);
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Asks an operator, who may take a moment, away from the threads that answer readers.
pub(crate) async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> Result<T, OperatorError> + Send + 'static,
) -> Result<T, ApiError> {
    let answer = tokio::task::spawn_blocking(question).await;
    answer
        .map_err(|_| error::internal())?
        .map_err(error::not_operated)
}
