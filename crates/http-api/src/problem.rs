//! How an error becomes an answer: `application/problem+json`, with the request's id and its table's freshness.
//!
//! A handler does not know the request's id, so its error travels in the response's extensions and is
//! written out once, where the id is known. Nothing else writes an error's body.

use api_types::{ErrorCode, PROBLEM_CONTENT_TYPE, Problem};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use query::fresh::Fresh;

use crate::etag::Tag;
use crate::routes::rest;
use crate::{fresh, request_id, respond, route};

/// An error on its way out. The constructors are in `error.rs`.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Refusal>);

#[derive(Clone, Debug)]
struct Refusal {
    problem: Problem,
    fresh: Option<Fresh>,
}

impl ApiError {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            problem: Problem::new(code, detail),
            fresh: None,
        }))
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.problem.hint = Some(hint.into());
        self
    }

    pub fn with_candidates(mut self, candidates: Vec<String>) -> Self {
        self.0.problem.candidates = candidates;
        self
    }

    /// Transactions that are shown, the newest first.
    pub fn with_recent_tx(mut self, ids: Vec<String>) -> Self {
        self.0.problem.recent_tx = ids;
        self
    }

    /// How fresh the table in question is, unless it says already how fresh more than that is.
    pub fn or_at(mut self, fresh: Fresh) -> Self {
        self.0.fresh.get_or_insert(fresh);
        self
    }

    /// How fresh the table in question is.
    pub fn at(mut self, fresh: Fresh) -> Self {
        self.0.fresh = Some(fresh);
        self
    }
}

impl Refusal {
    /// Of a row that is not there, so that a client can wait for it. The hint says in words how fresh that is, and is
    /// no part of it.
    fn tag(&self) -> Option<HeaderValue> {
        let Problem { code, detail, .. } = &self.problem;
        let is_of_rows = *code == ErrorCode::RowNotFound;
        is_of_rows.then(|| Tag::of(&[b"row_not_found", detail.as_bytes()]).header())?
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        // What is refused must not be mistaken for an answer, even before its body is written.
        *response.status_mut() = status(&self.0.problem);
        response
            .headers_mut()
            .extend(self.0.tag().map(|tag| (header::ETAG, tag)));
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes out the error that a response carries, if it does, in the form that the path's clients know.
///
/// How fresh that is which it is about is asked only of one that does not say so. Who is not to be here is told nothing.
pub(crate) fn write(
    mut response: Response,
    path: &str,
    id: &HeaderValue,
    fresh: impl FnOnce() -> Option<Fresh>,
) -> Response {
    let Some(ApiError(refusal)) = response.extensions_mut().remove() else {
        return response;
    };
    let Refusal {
        mut problem,
        fresh: said,
    } = *refusal;
    let is_for_all = problem.code != ErrorCode::InsufficientScope;
    let fresh = said.or_else(|| fresh().filter(|_| is_for_all));
    problem.request_id = Some(request_id::as_str(id).to_owned());
    problem.fresh = fresh.as_ref().map(fresh::to_wire);
    let mut body = Vec::new();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, respond::NO_CACHE);
    if route::rest_of(path).is_some() {
        let (error, its_headers) = rest::body_of(&problem);
        respond::write_json(&error, &mut body);
        headers.extend(its_headers);
    } else {
        respond::write_json(&problem, &mut body);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(PROBLEM_CONTENT_TYPE),
        );
    }
    // The router has counted the body that was not there yet.
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Some(ms) = problem.retry_after_ms {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
    }
    if let Some(fresh) = &fresh {
        respond::insert_fresh(headers, fresh);
    }
    *response.body_mut() = Body::from(body);
    response
}

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
