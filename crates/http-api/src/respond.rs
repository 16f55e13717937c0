//! Successful answers: a JSON body, and the headers that say how fresh it is and where the time went.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use query::fresh::Fresh;
use serde::Serialize;
use telemetry::clock;

use crate::etag::Tag;
use crate::fresh;
use crate::limits::HEADER_BYTES_MAX;
use crate::quick::Said;
use crate::request_id;
use crate::told::Told;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Answers change without notice, and may be for one reader's eyes only.
pub(crate) const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

pub(crate) const AS_OF: HeaderName = HeaderName::from_static("rowtide-as-of");
const FRESHNESS: HeaderName = HeaderName::from_static("rowtide-freshness");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

const HEADERS_USUAL: usize = 10;

/// Two durations of any length and their names fit.
const TIMING_BYTES_MAX: usize = 120;

/// Where the time of an answer went, for `Server-Timing`.
pub(crate) struct Timing {
    started: Instant,
    found: Option<Instant>,
}

impl Timing {
    pub fn start() -> Self {
        Self::since(clock::monotonic())
    }

    pub fn since(started: Instant) -> Self {
        Self {
            started,
            found: None,
        }
    }

    /// So long was waited before anything was looked for: that is no part of the time that looking may take.
    pub fn waited(&mut self, waited: Duration) {
        self.started += waited;
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
    fn header(&self) -> Option<HeaderValue> {
        let mut text = Cursor::new([0; TIMING_BYTES_MAX]);
        self.write(&mut text).ok()?;
        let len = text.position() as usize;
        HeaderValue::from_bytes(&text.get_ref()[..len]).ok()
    }

    /// Answers with how long it took in all.
    fn write(&self, text: &mut impl Write) -> std::io::Result<Duration> {
        let now = clock::monotonic();
        let found = self.found.unwrap_or(now);
        text.write_all(b"query;dur=")?;
        write_millis(found.duration_since(self.started), text)?;
        text.write_all(b", ser;dur=")?;
        write_millis(now.duration_since(found), text)?;
        Ok(now.duration_since(self.started))
    }
}

/// With three digits after the point. Without the machinery of formatting, which would take longer
/// than most of what is told here.
fn write_millis(took: Duration, text: &mut impl Write) -> std::io::Result<()> {
    let micros = took.as_micros() as u64;
    text.write_all(itoa::Buffer::new().format(micros / 1000).as_bytes())?;
    let digit = |unit: u64| b'0' + (micros / unit % 10) as u8;
    text.write_all(&[b'.', digit(100), digit(10), digit(1)])
}

/// An answer with this body.
pub(crate) fn json(body: Vec<u8>, fresh: &Fresh, timing: &Timing) -> Response {
    let mut response = timed(body, timing);
    insert_fresh(response.headers_mut(), fresh);
    response
}

/// An answer whose body is an object that is still open: how fresh it is comes last, and the tag is of all before.
pub(crate) fn open(mut body: Vec<u8>, fresh: &Fresh, timing: &Timing) -> Response {
    let tag = end_with_fresh(&mut body, fresh);
    tagged(json(body, fresh, timing), tag)
}

/// Ends an open object, and names what it said.
pub(crate) fn end_with_fresh(body: &mut Vec<u8>, fresh: &Fresh) -> Tag {
    let tag = Tag::of_json(body);
    body.extend_from_slice(b",\"fresh\":");
    write_json(&fresh::to_wire(fresh), body);
    body.push(b'}');
    tag
}

/// An answer that says what the tag is of.
pub(crate) fn tagged(mut response: Response, tag: impl Into<Option<Tag>>) -> Response {
    let tag = tag.into().and_then(Tag::header);
    let headers = response.headers_mut();
    headers.extend(tag.map(|tag| (header::ETAG, tag)));
    response
}

/// A JSON answer where how fresh it is has been written out.
pub(crate) fn json_told(body: Vec<u8>, tag: Tag, told: &Told, timing: &Timing) -> Response {
    let mut response = tagged(timed(body, timing), tag);
    let headers = response.headers_mut();
    headers.extend(told.as_of.clone().map(|as_of| (AS_OF, as_of)));
    headers.extend(told.freshness.clone().map(|told| (FRESHNESS, told)));
    response
}

/// Appends a whole answer with the body that was made, and tells how long it took: the same as [`json_told`] makes with `x-request-id`, and hyper writes.
pub(crate) fn write_told(
    said: &mut Said,
    tag: Tag,
    told: &Told,
    timing: &Timing,
    id: Option<&[u8]>,
) -> std::io::Result<Duration> {
    let (body, out) = (&said.body, &mut said.bytes);
    out.extend_from_slice(&told.head);
    out.extend_from_slice(b"etag: ");
    out.extend_from_slice(&tag.bytes());
    out.extend_from_slice(b"\r\nserver-timing: ");
    let took = timing.write(out)?;
    out.extend_from_slice(b"\r\nx-request-id: ");
    request_id::write(id, out);
    out.extend_from_slice(b"\r\ncontent-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
    Ok(took)
}

/// The part of the head of [`write_told`]'s answers that is the same for all of one moment.
pub(crate) fn told_head(
    as_of: Option<&HeaderValue>,
    freshness: Option<&HeaderValue>,
    now_ms: i64,
) -> Vec<u8> {
    let mut head = b"HTTP/1.1 200 OK".to_vec();
    let now = UNIX_EPOCH + Duration::from_millis(now_ms.max(0).unsigned_abs());
    let date = httpdate::fmt_http_date(now);
    let (json, no_cache) = (JSON, NO_CACHE);
    let lines = [
        (header::CONTENT_TYPE, Some(json.as_bytes())),
        (header::CACHE_CONTROL, Some(no_cache.as_bytes())),
        (AS_OF, as_of.map(HeaderValue::as_bytes)),
        (FRESHNESS, freshness.map(HeaderValue::as_bytes)),
        (header::DATE, Some(date.as_bytes())),
    ];
    for (name, value) in lines {
        let Some(value) = value else { continue };
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn timed(body: Vec<u8>, timing: &Timing) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    // Room for these, the request's id and what hyper adds, made once.
    headers.reserve(HEADERS_USUAL);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    headers.extend(timing.header().map(|timing| (SERVER_TIMING, timing)));
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
    headers.extend(as_of(fresh).map(|as_of| (AS_OF, as_of)));
    headers.extend(freshness(fresh).map(|freshness| (FRESHNESS, freshness)));
}

/// Says in the headers how long the whole answer took, if nothing more exact is said.
pub(crate) fn insert_took(headers: &mut HeaderMap, took: Duration) {
    if headers.contains_key(SERVER_TIMING) {
        return;
    }
    let mut timing = b"total;dur=".to_vec();
    let written = write_millis(took, &mut timing);
    debug_assert!(written.is_ok(), "memory takes all");
    headers.extend(HeaderValue::from_bytes(&timing).map(|timing| (SERVER_TIMING, timing)));
}

/// Says in the headers how long was waited before the answer was looked for.
pub(crate) fn insert_waited(headers: &mut HeaderMap, waited: Duration) {
    let mut timing = b"wait;dur=".to_vec();
    let written = write_millis(waited, &mut timing);
    debug_assert!(written.is_ok(), "memory takes all");
    if let Some(others) = headers.get(SERVER_TIMING) {
        timing.extend_from_slice(b", ");
        timing.extend_from_slice(others.as_bytes());
    }
    if let Ok(timing) = HeaderValue::from_bytes(&timing) {
        headers.insert(SERVER_TIMING, timing);
    }
    let freshness = headers.get(FRESHNESS).and_then(|told| told.to_str().ok());
    if let Some(freshness) = freshness {
        let freshness = format!("{freshness}, waited={}", waited.as_millis());
        insert(headers, FRESHNESS, freshness);
    }
}

/// The value of `Rowtide-As-Of`, `None` if a client might choke on it.
pub(crate) fn as_of(fresh: &Fresh) -> Option<HeaderValue> {
    short_value(fresh.as_of.clone())
}

/// The value of `Rowtide-Freshness`.
pub(crate) fn freshness(fresh: &Fresh) -> Option<HeaderValue> {
    short_value(fresh::header(fresh))
}

/// Leaves out what a client might choke on.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Some(value) = short_value(value) {
        headers.insert(name, value);
    }
}

fn short_value(value: String) -> Option<HeaderValue> {
    let is_short = value.len() <= HEADER_BYTES_MAX;
    HeaderValue::try_from(value).ok().filter(|_| is_short)
}

/// Appends a wire type.
pub(crate) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(
        written.is_ok(),
        "wire types have text keys, and memory takes all"
    );
}
