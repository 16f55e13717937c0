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

const HEADERS_USUAL: usize = 9;

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

    /// Whether the answer has taken longer than this.
    pub fn is_beyond(&self, bound: Duration) -> bool {
        clock::monotonic().duration_since(self.started) > bound
    }

    /// `query;dur=0.020, ser;dur=0.030`, in milliseconds.
    fn header(&self) -> String {
        let now = clock::monotonic();
        let found = self.found.unwrap_or(now);
        let mut text = String::with_capacity(40);
        for (name, took) in [
            ("query", found.duration_since(self.started)),
            (", ser", now.duration_since(found)),
        ] {
            let micros = took.as_micros();
            let _ = write!(text, "{name};dur={}.{:03}", micros / 1000, micros % 1000);
        }
        text
    }
}

/// An answer with this body.
pub(crate) fn json(body: Vec<u8>, fresh: &Fresh, timing: &Timing) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    // Room for these, the request's id and what hyper adds, made once.
    headers.reserve(HEADERS_USUAL);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    insert_fresh(headers, fresh);
    insert(headers, SERVER_TIMING, timing.header());
    response
}

/// An answer in another form than JSON.
pub(crate) fn of_type(
    content_type: HeaderValue,
    body: Vec<u8>,
    fresh: &Fresh,
    timing: &Timing,
) -> Response {
    let mut response = json(body, fresh, timing);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    // Another reader of the same path may be sent another form.
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
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
    insert(headers, AS_OF, fresh.as_of.clone());
    insert(headers, FRESHNESS, fresh::header(fresh));
}

/// Leaves out what a client might choke on.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if value.len() <= HEADER_BYTES_MAX
        && let Ok(value) = HeaderValue::try_from(value)
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
