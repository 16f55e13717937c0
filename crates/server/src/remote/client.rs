//! The HTTP client of the remote verbs: one request, one answer, over TCP or a unix socket.
//!
//! Refuses redirects, retries and TLS: it speaks to a server on the same machine.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http::Method;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use crate::failure::Failure;

/// A server that does not answer in this time is not answering.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A server that is sending rows and says nothing for so long is not sending them any more.
const SILENCE_MAX: Duration = Duration::from_mins(2);

/// Above the server's own bound on an answer, so that only something else is refused.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `host:port`, an IPv6 host in brackets.
    Tcp(String),
    Unix(PathBuf),
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::Tcp("127.0.0.1:8080".to_owned())
    }
}

impl std::str::FromStr for Endpoint {
    type Err = String;

    /// Reads `http://host:port`, `host:port` or `unix:/path`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err("write unix:/path".to_owned());
            }
            return Ok(Self::Unix(path.into()));
        }
        if text.starts_with("https://") {
            return Err(
                "https is not supported; reach the server on its own machine, or use curl"
                    .to_owned(),
            );
        }
        let authority = text
            .strip_prefix("http://")
            .unwrap_or(text)
            .trim_end_matches('/');
        let parsed: Option<http::uri::Authority> = authority.parse().ok();
        match parsed {
            Some(parsed) if parsed.port_u16().is_some() => Ok(Self::Tcp(authority.to_owned())),
            Some(_) if text.starts_with("http://") => Ok(Self::Tcp(format!("{authority}:80"))),
            _ => Err("write http://host:port, host:port or unix:/path".to_owned()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => write!(f, "http://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Sends one GET and waits for all of its answer. `path` begins with a slash and is encoded.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(&Method::GET, path)
    }

    /// The same with a POST without a body.
    pub fn post(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(&Method::POST, path)
    }

    fn send(&self, method: &Method, path: &str) -> anyhow::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(async {
            let answer = tokio::time::timeout(TIMEOUT, self.connect_and_send(method, path)).await;
            answer.map_err(|_| anyhow!("{self} did not answer in {} s", TIMEOUT.as_secs()))?
        });
        // A name that is still being looked up must not hold the process.
        runtime.shutdown_background();
        answer
    }

    /// Sends one GET. The body of a successful answer goes to `sink` as it comes, however long it is; that of
    /// any other is in the answer, and `sink` is not asked. `headers` sees the head of a success first.
    pub fn stream(
        &self,
        path: &str,
        headers: impl FnOnce(&http::HeaderMap) -> Result<(), Failure>,
        sink: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Option<Answer>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime")?;
        let streamed = runtime.block_on(self.connect_and_stream(path, headers, sink));
        runtime.shutdown_background();
        streamed
    }

    /// The same request as a line for a shell.
    pub fn curl(&self, path: &str) -> String {
        match self {
            Self::Tcp(authority) => {
                format!("curl -sS {}", quoted(&format!("http://{authority}{path}")))
            }
            Self::Unix(socket) => format!(
                "curl -sS --unix-socket {} {}",
                quoted(&socket.display().to_string()),
                quoted(&format!("http://localhost{path}"))
            ),
        }
    }

    async fn connect_and_send(&self, method: &Method, path: &str) -> anyhow::Result<Answer> {
        whole(self.connect(method, path).await?).await
    }

    /// Sends the request, and waits for the head of its answer.
    async fn connect(
        &self,
        method: &Method,
        path: &str,
    ) -> anyhow::Result<http::Response<Incoming>> {
        let unreachable = || format!("nothing answers at {self}: is rowtide running there?");
        match self {
            Self::Tcp(authority) => {
                let stream = TcpStream::connect(authority)
                    .await
                    .with_context(unreachable)?;
                send_over(TokioIo::new(stream), authority, (method, path)).await
            }
            Self::Unix(socket) => {
                let stream = UnixStream::connect(socket)
                    .await
                    .with_context(unreachable)?;
                send_over(TokioIo::new(stream), "localhost", (method, path)).await
            }
        }
    }

    async fn connect_and_stream(
        &self,
        path: &str,
        headers: impl FnOnce(&http::HeaderMap) -> Result<(), Failure>,
        mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Option<Answer>, Failure> {
        let silent = |_| anyhow!("{self} said nothing for {} s", SILENCE_MAX.as_secs());
        let response = tokio::time::timeout(TIMEOUT, self.connect(&Method::GET, path)).await;
        let response = response.map_err(silent)??;
        if !response.status().is_success() {
            return Ok(Some(whole(response).await?));
        }
        headers(response.headers())?;
        let mut body = response.into_body();
        loop {
            let frame = tokio::time::timeout(SILENCE_MAX, body.frame()).await;
            match frame.map_err(silent)? {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(anyhow!(error).context("the answer broke off").into());
                }
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        sink(bytes)?;
                    }
                }
            }
        }
    }
}

async fn send_over<S>(
    stream: S,
    host: &str,
    (method, path): (&Method, &str),
) -> anyhow::Result<http::Response<Incoming>>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    // Ends with the runtime, or when the other side has closed it.
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, host)
        .header(
            http::header::USER_AGENT,
            concat!("rowtide/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await;
    response.context("the connection broke")
}

/// An answer with all of its body.
async fn whole(response: http::Response<Incoming>) -> anyhow::Result<Answer> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX)
        .collect()
        .await;
    let Ok(body) = body else {
        bail!("the answer broke off, or was longer than {BODY_BYTES_MAX} bytes");
    };
    let body = String::from_utf8(body.to_bytes().into()).context("the answer is not text")?;
    Ok(Answer { status, body })
}

/// As one word of a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_written_in_three_ways() {
        let parse = |text: &str| {
            text.parse::<Endpoint>()
                .map(|endpoint| endpoint.to_string())
        };
        assert_eq!(
            parse("http://localhost:8080/").as_deref(),
            Ok("http://localhost:8080")
        );
        assert_eq!(parse("[::1]:8080").as_deref(), Ok("http://[::1]:8080"));
        assert_eq!(parse("http://cache").as_deref(), Ok("http://cache:80"));
        assert_eq!(parse("unix:/run/r.sock").as_deref(), Ok("unix:/run/r.sock"));
        assert!(
            parse("https://cache:1")
                .unwrap_err()
                .starts_with("https is not supported")
        );
        for wrong in ["unix:", "cache", "ftp://x:1", "http://"] {
            assert!(parse(wrong).unwrap_err().starts_with("write "), "{wrong}");
        }
    }

    #[test]
    fn curl_lines_survive_a_shell() {
        let tcp = Endpoint::Tcp("127.0.0.1:8080".to_owned());
        assert_eq!(
            tcp.curl("/v1/x?a=b&c"),
            "curl -sS 'http://127.0.0.1:8080/v1/x?a=b&c'"
        );
        let unix = Endpoint::Unix("/run/it's".into());
        assert_eq!(
            unix.curl("/v1"),
            r"curl -sS --unix-socket '/run/it'\''s' 'http://localhost/v1'"
        );
    }

    #[test]
    fn nobody_there_is_said_plainly() {
        let endpoint = Endpoint::Unix("/no/such.sock".into());
        let error = endpoint.get("/livez").unwrap_err();
        let expected =
            "nothing answers at unix:/no/such.sock: is rowtide running there?: No such file";
        assert!(format!("{error:#}").starts_with(expected), "{error:#}");
    }

    #[test]
    fn a_request_is_sent_and_its_answer_read_whole() {
        use std::io::{BufRead, BufReader, Write};
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request: Vec<String> = lines
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            let answer = "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        let answer = Endpoint::Unix(socket).get("/v1/tables/x?limit=1").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, "{\"a\":1}"));
        let request = server.join().unwrap();
        assert_eq!(request[0], "GET /v1/tables/x?limit=1 HTTP/1.1");
        assert_eq!(request[1], "host: localhost");
    }
}
