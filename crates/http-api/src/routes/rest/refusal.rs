//! Every error below `/rest/v1`: the codes, words and statuses of `PostgREST` and of `PostgreSQL` behind it.
//!
//! What the client sent may be repeated to it; what a row holds never is.

use api_types::{ErrorCode, Problem, RestDetails, RestError, RestRelation};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use query::fresh::Fresh;
use query::tree::Place;

use crate::etag::Tag;
use crate::respond;

/// What these routes take.
pub(super) const METHODS: HeaderValue = HeaderValue::from_static("OPTIONS,GET,HEAD");
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
/// Where in the request it was that was refused: bodies have no place for it.
const POSITION: HeaderName = HeaderName::from_static("rowtide-position");

/// An error on its way out.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    body: RestError,
    position: Option<String>,
    content_range: Option<String>,
    fresh: Option<Fresh>,
    tag: Option<Tag>,
}

impl Refusal {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: RestError {
                code: code.to_owned(),
                details: None,
                hint: None,
                message: message.into(),
            },
            position: None,
            content_range: None,
            fresh: None,
            tag: None,
        }))
    }

    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.0.body.details = Some(RestDetails::Text(details.into()));
        self
    }

    pub fn relations(mut self, relations: Vec<RestRelation>) -> Self {
        self.0.body.details = Some(RestDetails::Relations(relations));
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.body.hint = Some(hint.into());
        self
    }

    pub fn hint_if_any(mut self, hint: Option<String>) -> Self {
        self.0.body.hint = hint;
        self
    }

    pub fn place(mut self, place: Option<&Place>) -> Self {
        self.0.position = place.map(Place::to_string);
        self
    }

    pub fn content_range(mut self, range: String) -> Self {
        self.0.content_range = Some(range);
        self
    }

    /// What is said of rows, and may be another thing in a moment.
    pub fn tagged(mut self) -> Self {
        let mut said = Vec::new();
        respond::write_json(&self.0.body, &mut said);
        self.0.tag = Some(Tag::of(&[b"rest", &said]));
        self
    }

    pub fn at(mut self, fresh: Fresh) -> Self {
        self.0.fresh = Some(fresh);
        self
    }

    /// The same, unless it is known already how fresh something is.
    pub fn at_least_at(mut self, fresh: impl FnOnce() -> Fresh) -> Self {
        self.0.fresh.get_or_insert_with(fresh);
        self
    }

    pub fn into_response(self) -> Response {
        let parts = *self.0;
        let mut body = Vec::new();
        respond::write_json(&parts.body, &mut body);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = parts.status;
        let headers = response.headers_mut();
        insert_common(headers, &parts.body.code);
        match parts.status {
            StatusCode::METHOD_NOT_ALLOWED => drop(headers.insert(header::ALLOW, METHODS)),
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        for (name, text) in [
            (POSITION, parts.position),
            (header::CONTENT_RANGE, parts.content_range),
        ] {
            if let Some(text) = text {
                respond::insert(headers, name, text);
            }
        }
        if let Some(fresh) = &parts.fresh {
            respond::insert_fresh(headers, fresh);
        }
        headers.extend(
            parts
                .tag
                .and_then(Tag::header)
                .map(|tag| (header::ETAG, tag)),
        );
        response
    }
}

fn insert_common(headers: &mut HeaderMap, code: &str) {
    const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, respond::NO_CACHE);
    // The very word that clients of PostgREST look for.
    respond::insert(headers, PROXY_STATUS, format!("PostgREST; error={code}"));
}

/// What was refused before it came here (a host, a body, too many requests, the time), in the form of these routes.
pub(crate) fn body_of(problem: &Problem) -> (RestError, HeaderMap) {
    let code = match problem.code {
        ErrorCode::Overloaded | ErrorCode::Draining => "53300",
        ErrorCode::QueryTimeout | ErrorCode::NotYetApplied => "57014",
        ErrorCode::Starting => "PGRST002",
        ErrorCode::Internal => "XX000",
        ErrorCode::UnknownPath => "PGRST125",
        ErrorCode::MethodNotAllowed => "PGRST117",
        _ => "PGRST100",
    };
    let mut headers = HeaderMap::new();
    insert_common(&mut headers, code);
    let body = RestError {
        code: code.to_owned(),
        details: None,
        hint: problem.hint.clone(),
        message: problem.detail.clone(),
    };
    (body, headers)
}
