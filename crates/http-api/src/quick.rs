//! Connections that only look rows up, answered without the machinery that any other request needs.
//!
//! A row is found and written in a microsecond; to make a request and a response of it, with their maps
//! of headers, takes several. So each connection begins here: as long as it brings plain lookups of rows
//! that are there, they are read where they lie and answered with bytes. The first request that is
//! anything else goes to hyper, and with it the rest of the connection.
//!
//! Refuses to refuse. Whatever is not understood here, or not found, or not allowed, is for hyper and the
//! router behind it, so that each error is made in one place and both ways answer alike.

use std::future::poll_fn;
use std::io;
use std::mem::replace;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use httparse::{EMPTY_HEADER, Status};
use parking_lot::Mutex;
use table_store::Expected;
use telemetry::clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;

use crate::head_timer::HeadTimer;
use crate::round::Seat;
use crate::{Api, request_id, route};

/// A usual client's head takes a tenth of it. A longer one is hyper's.
const HEARD_BYTES_MAX: usize = 4_096;
/// Answers to requests that came together are written together, up to here.
const SAID_BYTES_MAX: usize = 16_384;
const HEADERS_MAX: usize = 24;

/// What clients send along that changes no answer to a lookup.
const MEANINGLESS: [&str; 13] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "cookie",
    "pragma",
    "priority",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "traceparent",
    "user-agent",
];

/// A request that is a plain lookup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lookup<'a> {
    pub table: &'a str,
    pub key: &'a str,
    pub host: Option<&'a [u8]>,
    pub id: Option<&'a [u8]>,
    /// Bytes of its head, which is all of it.
    pub bytes: usize,
}

/// Answers lookups until something else comes, the other side goes, or `stopped` says so. Returns the
/// connection if there is more to do, with what was heard and not answered.
pub(crate) async fn converse<S>(
    mut stream: S,
    api: &Api,
    stopped: &watch::Receiver<bool>,
) -> io::Result<Option<Rewound<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut idle = stopped.clone();
    let mut end = Alarm {
        stop: pin!(idle.wait_for(|stopped| *stopped)),
        timer: HeadTimer::new(api.limits().head_timeout),
        is_set: false,
    };
    let takes_turns = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    let seat = Seat::new(Mutex::new(Part::new()));
    let mut part = Part::new();
    loop {
        part.heard.reserve(HEARD_BYTES_MAX);
        let read = pin!(stream.read_buf(&mut part.heard));
        let deadline = part.started + api.limits().head_timeout;
        let read = end.or(read, deadline).await.unwrap_or(Ok(0))?;
        if read == 0 {
            return Ok(None);
        }
        part.started = clock::monotonic();
        if takes_turns {
            api.round().join(&seat, &mut part, api).await;
        }
        loop {
            let is_all = part.answer(api);
            stream.write_all(&part.said.bytes).await?;
            part.said.clear();
            if is_all {
                break;
            }
        }
        if part.answered < part.heard.len() {
            part.heard.drain(..part.answered);
            let heard = part.heard;
            return Ok(Some(Rewound { heard, stream }));
        }
        part.heard.clear();
        part.answered = 0;
        // One that never idles does not see the end coming otherwise.
        if *stopped.borrow() {
            return Ok(None);
        }
    }
}

/// What a connection has heard, and what it has to say to that.
#[derive(Debug)]
pub(crate) struct Part {
    heard: Vec<u8>,
    /// How much of it has been.
    answered: usize,
    /// When the last of it was heard.
    started: Instant,
    usual: Option<Usual>,
    said: Said,
}

impl Part {
    pub fn new() -> Self {
        Self {
            heard: Vec::new(),
            answered: 0,
            started: clock::monotonic(),
            usual: None,
            said: Said::default(),
        }
    }

    /// What will be looked up next, if that is seen at once.
    pub fn expected(&self, api: &Api) -> Option<Expected> {
        let lookup = self.usual.as_ref()?.read(&self.heard[self.answered..])?;
        api.expected(&lookup)
    }

    /// Answers one lookup; `false` if there is none.
    pub fn answer_one(&mut self, api: &Api) -> bool {
        let heard = &self.heard[self.answered..];
        let answered = answer(api, heard, &mut self.usual, self.started, &mut self.said);
        self.answered += answered.unwrap_or_default();
        answered.is_some()
    }

    /// Answers all lookups, or as many as are written at once; `false` if there may be more.
    fn answer(&mut self, api: &Api) -> bool {
        while self.said.bytes.len() <= SAID_BYTES_MAX {
            if !self.answer_one(api) {
                return true;
            }
        }
        false
    }
}

/// What ends a wait for the next request.
struct Alarm<'a, Stop> {
    stop: Pin<&'a mut Stop>,
    timer: HeadTimer,
    /// Both know whom to wake. They need not be asked again until they do.
    is_set: bool,
}

impl<Stop: Future> Alarm<'_, Stop> {
    /// Waits for `wanted`; `None` if the end comes first.
    async fn or<T>(
        &mut self,
        mut wanted: Pin<&mut impl Future<Output = T>>,
        deadline: Instant,
    ) -> Option<T> {
        let mut is_woken = !self.is_set;
        poll_fn(|context| {
            if let Poll::Ready(wanted) = wanted.as_mut().poll(context) {
                return Poll::Ready(Some(wanted));
            }
            let is_asked = replace(&mut is_woken, true);
            if is_asked {
                self.is_set = true;
                let timer = pin!(self.timer.until(deadline));
                if timer.poll(context).is_ready() || self.stop.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Answers to be written, and room to make one in.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub bytes: Vec<u8>,
    pub body: Vec<u8>,
}

impl Said {
    fn clear(&mut self) {
        for bytes in [&mut self.bytes, &mut self.body] {
            bytes.clear();
            bytes.shrink_to(SAID_BYTES_MAX);
        }
    }
}

/// Appends the answer to the lookup that these bytes begin with, and tells how long it is; `None` if they
/// begin with anything else.
fn answer(
    api: &Api,
    heard: &[u8],
    usual: &mut Option<Usual>,
    started: Instant,
    said: &mut Said,
) -> Option<usize> {
    if heard.is_empty() {
        return None;
    }
    let before = said.bytes.len();
    // Unwinding leaves half an answer, which is taken back; the request fails once more where that is told.
    let answered = catch_unwind(AssertUnwindSafe(|| {
        if let Some(lookup) = usual.as_ref().and_then(|usual| usual.read(heard)) {
            return api.look_up(&lookup, started, said).then_some(lookup.bytes);
        }
        let lookup = read(heard)?;
        let is_answered = api.look_up(&lookup, started, said);
        *usual = Usual::of(heard, &lookup).filter(|_| is_answered);
        is_answered.then_some(lookup.bytes)
    }));
    let answered = answered.unwrap_or_default();
    if answered.is_none() {
        said.bytes.truncate(before);
    }
    answered
}

/// What stood around the key in a lookup that was answered. Most clients send the same again with another key,
/// and to see that takes less than to take a request apart.
#[derive(Debug)]
struct Usual {
    before: Vec<u8>,
    table: String,
    after: Vec<u8>,
}

impl Usual {
    /// `None` if it is not to be expected again.
    fn of(heard: &[u8], lookup: &Lookup<'_>) -> Option<Self> {
        let before = [b"GET /v1/tables/", lookup.table.as_bytes(), b"/rows/"].concat();
        let rest = heard[..lookup.bytes].strip_prefix(&before[..])?;
        let after = rest.strip_prefix(lookup.key.as_bytes())?;
        lookup.id.is_none().then(|| Self {
            table: lookup.table.to_owned(),
            after: after.to_vec(),
            before,
        })
    }

    fn read<'a>(&'a self, heard: &'a [u8]) -> Option<Lookup<'a>> {
        let rest = heard.strip_prefix(&self.before[..])?;
        let is_of_key = |byte: u8| byte != b'/' && is_plain(byte);
        let key = rest.iter().position(|byte| !is_of_key(*byte))?;
        let (key, rest) = rest.split_at(key);
        rest.starts_with(&self.after).then_some(Lookup {
            table: &self.table,
            key: str::from_utf8(key).ok()?,
            // It was admitted.
            host: None,
            id: None,
            bytes: self.before.len() + key.len() + self.after.len(),
        })
    }
}

/// The lookup that these bytes begin with.
fn read(heard: &[u8]) -> Option<Lookup<'_>> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(Status::Complete(bytes)) = request.parse(heard) else {
        return None;
    };
    if (request.method, request.version) != (Some("GET"), Some(1)) {
        return None;
    }
    let path = request.path.filter(|path| path.bytes().all(is_plain))?;
    let (table, key) = route::row_of(path)?;
    let mut lookup = Lookup {
        table,
        key,
        host: None,
        id: None,
        bytes,
    };
    for header in &*request.headers {
        let named = |name: &str| header.name.eq_ignore_ascii_case(name);
        if named("host") && lookup.host.is_none() {
            lookup.host = Some(header.value);
        } else if named(request_id::REQUEST_ID.as_str()) && lookup.id.is_none() {
            lookup.id = Some(header.value);
        } else if named("connection") {
            header
                .value
                .eq_ignore_ascii_case(b"keep-alive")
                .then_some(())?;
        } else if !MEANINGLESS.into_iter().any(named) {
            return None;
        }
    }
    Some(lookup)
}

/// What may stand in a path as it is, and percent signs. Of anything else hyper decides.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/%-._~,:@!$&'()*+;=".contains(&byte)
}

/// A connection from which some bytes were taken, and which begins with them again.
pub(crate) struct Rewound<S> {
    heard: Vec<u8>,
    stream: S,
}

impl<S> Rewound<S> {
    /// One from which nothing was taken.
    pub fn new(stream: S) -> Self {
        Self {
            heard: Vec::new(),
            stream,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.heard.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let bytes = self.heard.len().min(into.remaining());
        into.put_slice(&self.heard[..bytes]);
        self.heard.drain(..bytes);
        if self.heard.is_empty() {
            self.heard = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its table and key, and how long it is.
    fn told(lookup: &Lookup<'_>) -> (String, String, usize) {
        (lookup.table.into(), lookup.key.into(), lookup.bytes)
    }

    #[test]
    fn what_is_like_the_usual_is_read_as_anything_is() {
        let usual = b"GET /v1/tables/a%20b/rows/1 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";
        let usual = Usual::of(usual, &read(usual).unwrap()).unwrap();
        let read_both = |request: &str| {
            let request = request.replace('\n', "\r\n");
            let alike = usual.read(request.as_bytes()).as_ref().map(told);
            (alike, read(request.as_bytes()).as_ref().map(told))
        };
        let head = "GET /v1/tables/a%20b/rows/2,%2F HTTP/1.1\nHost: h\nAccept: */*\n\n";
        for request in [head, &head.repeat(2), &head.replace("2,%2F", "")] {
            let (alike, told) = read_both(request);
            assert!(alike.is_some(), "{request}");
            assert_eq!(alike, told);
        }
        for other in [
            head.replace("2,%2F", "2/3"),
            head.replace("2,%2F", "2?x=y"),
            head.replace("2,%2F", "2 "),
            head.replace("2,%2F", "é"),
            head.replace("a%20b", "a"),
            head.replace("Host: h", "Host: i"),
            head.replace("GET", "HEAD"),
            head.replace("\n\n", "\nIf-None-Match: *\n\n"),
            head[..head.len() - 1].to_owned(),
            String::new(),
        ] {
            assert_eq!(read_both(&other).0, None, "{other}");
        }
        // Each request has a name of its own.
        let named = b"GET /v1/tables/a/rows/1 HTTP/1.1\r\nx-request-id: 7\r\n\r\n";
        assert!(Usual::of(named, &read(named).unwrap()).is_none());
    }

    #[test]
    fn only_what_is_nothing_but_a_lookup_is_one() {
        let path = |request: &str| {
            let request = request.replace('\n', "\r\n");
            read(request.as_bytes()).as_ref().map(told)
        };
        let head = "GET /v1/tables/a%20b/rows/1,x HTTP/1.1\nHost: h\nUser-Agent: é\n\n";
        let bytes = head.len() + 3 + 1;
        let of_head = Some(("a%20b".to_owned(), "1,x".to_owned(), bytes));
        assert_eq!(path(head), of_head);
        assert_eq!(path(&format!("{head}GET /other")), of_head);
        assert_eq!(
            path(&head.replace("Host: h\n", "")).map(|(.., bytes)| bytes),
            Some(bytes - 9)
        );
        for other in [
            head.replace("GET", "HEAD"),
            head.replace("/1.1", "/1.0"),
            head.replace("1,x", "1?"),
            head.replace("1,x", "1/2"),
            head.replace("1,x", "{1}"),
            head.replace("/v1", "http://h/v1"),
            head.replace("rows", "row"),
            head.replace("Host: h", "Host: h\nHost: i"),
            head.replace("Host: h", "X-Request-Id: 1\nX-Request-Id: 2"),
            head.replace("Host: h", "Connection: close"),
            head.replace("Host: h", "Content-Length: 0"),
            head.replace("Host: h", "If-None-Match: *"),
            head.replace("Host: h", "Prefer: wait=2"),
            head.replace("Host: h", "Accept: a\n".repeat(HEADERS_MAX).trim_end()),
            head[..head.len() - 1].to_owned(),
            String::new(),
        ] {
            assert_eq!(path(&other), None, "{other}");
        }
    }
}
