//! Successful answers: a JSON body, and the headers that say how fresh it is and where the time went.

use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use query::fresh::Fresh;
use serde::Serialize;
use telemetry::clock;

use crate::fresh;
use crate::limits::HEADER_BYTES_MAX;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Answers change without notice, and may be for one reader's eyes only.
pub(crate) const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

const AS_OF: HeaderName = HeaderName::from_static("rowtide-as-of");
const FRESHNESS: HeaderName = HeaderName::from_static("rowtide-freshness");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Where the time of an answer went, for `Server-Timing`.
pub(crate) struct Timing {
    started: Instant,
    found: Option<Instant>,
}

impl Timing {
    pub fn start() -> Self {
        Self {
            started: clock::monotonic(),
            found: None,
        }
    }

    /// What was asked for is found; what follows is rendering.
    pub fn found(&mut self) {
        self.found = Some(clock::monotonic());
    }

    /// `query;dur=0.020, ser;dur=0.030`, in milliseconds.
    fn header(&self) -> String {
        let now = clock::monotonic();
        let found = self.found.unwrap_or(now);
        let mut text = String::with_capacity(40);
        let query_ms = ms(found.duration_since(self.started));
        let _ = write!(
            text,
            "query;dur={query_ms:.3}, ser;dur={:.3}",
            ms(now.duration_since(found))
        );
        text
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// An answer with this body.
pub(crate) fn json(body: Vec<u8>, fresh: &Fresh, timing: &Timing) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    insert_fresh(headers, fresh);
    insert(headers, SERVER_TIMING, &timing.header());
    response
}

/// An answer that is one value.
pub(crate) fn value(value: &impl Serialize, fresh: &Fresh, mut timing: Timing) -> Response {
    timing.found();
    let mut body = Vec::new();
    write_json(value, &mut body);
    json(body, fresh, &timing)
}

/// Says in the headers how fresh an answer is, for those who cannot look into it.
pub(crate) fn insert_fresh(headers: &mut HeaderMap, fresh: &Fresh) {
    insert(headers, AS_OF, &fresh.as_of);
    insert(headers, FRESHNESS, &fresh::header(fresh));
}

/// Leaves out what a client might choke on.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if value.len() <= HEADER_BYTES_MAX
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(name, value);
    }
}

/// Appends a wire type.
pub(crate) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(
        written.is_ok(),
        "wire types have text keys, and memory takes all"
    );
}
