//! Requests that ask with a body.

use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, header};
use http_body_util::LengthLimitError;

use crate::problem::ApiError;
use crate::{Limits, error};

const ALLOWED: HeaderValue = HeaderValue::from_static("POST,QUERY");

/// `QUERY` says that nothing is changed; `POST` is what every client has.
pub(super) fn may_ask(method: &Method) -> bool {
    method == Method::POST || method.as_str() == "QUERY"
}

pub(super) fn wrong_method(method: &Method) -> Response {
    let mut response = error::method_not_allowed(method).into_response();
    response.headers_mut().insert(header::ALLOW, ALLOWED);
    response
}

/// All of a body, which has been limited on its way here.
pub(crate) async fn read(body: Body, limits: &Limits) -> Result<Bytes, ApiError> {
    let failed = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => return Ok(bytes),
        Err(failed) => failed,
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&failed);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Err(error::body_too_large(limits.body_bytes_max));
        }
        cause = error.source();
    }
    Err(error::unreadable_body())
}
