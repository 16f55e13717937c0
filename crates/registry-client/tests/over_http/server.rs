//! A registry of a test: a thread that answers one connection after another as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a client asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub authorization: Option<String>,
}

pub enum Reply {
    Json(u16, String),
    /// A status with a header line.
    Header(u16, String),
    /// Bytes as they are, then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, until the server ends.
    Silence,
}

pub fn ok(body: &str) -> Reply {
    Reply::Json(200, body.to_owned())
}

/// The schema with this text.
pub fn schema(text: &str) -> Reply {
    Reply::Json(200, format!(r#"{{"schema":"{text}"}}"#))
}

pub fn not_found(code: u32, message: &str) -> Reply {
    Reply::Json(
        404,
        format!(r#"{{"error_code":{code},"message":"{message}"}}"#),
    )
}

pub struct Server {
    port: u16,
    scheme: &'static str,
    asked: Receiver<Request>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// More than any test asks.
const REQUESTS_MAX: usize = 2_000;

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        Self::with(None, answer)
    }

    pub fn start_tls(
        config: ServerConfig,
        answer: impl Fn(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::with(Some(Arc::new(config)), answer)
    }

    fn with(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = sync_channel(REQUESTS_MAX);
        let ended = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ended);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let thread = std::thread::spawn(move || {
            // Silent connections stay open as long as the server does.
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                if has_ended.load(Ordering::Acquire) {
                    return;
                }
                let is_silent = match &tls {
                    None => serve(stream.try_clone().unwrap(), &tell, &answer),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        let tls = StreamOwned::new(connection, stream.try_clone().unwrap());
                        serve(tls, &tell, &answer)
                    }
                };
                if is_silent == Some(Silent(true)) {
                    silent.push(stream);
                } else {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
        });
        Self {
            port,
            scheme,
            asked,
            ended,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    /// The paths that were asked for since the last call, in order.
    pub fn paths(&self) -> Vec<String> {
        self.asked.try_iter().map(|request| request.path).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // It waits for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a request got no answer.
#[derive(PartialEq, Eq)]
struct Silent(bool);

/// `None` if the client went away before it had asked.
fn serve(
    stream: impl Read + Write,
    tell: &SyncSender<Request>,
    answer: &impl Fn(&Request) -> Reply,
) -> Option<Silent> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).ok()?;
    let mut request = Request {
        path: first.split(' ').nth(1)?.to_owned(),
        authorization: None,
    };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            request.authorization = Some(value.trim().to_owned());
        }
    }
    tell.send(request.clone()).ok()?;
    let out = stream.get_mut();
    let bytes = match answer(&request) {
        Reply::Json(status, body) => format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
        Reply::Header(status, line) => {
            format!("HTTP/1.1 {status} X\r\n{line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .into_bytes()
        }
        Reply::Raw(bytes) => bytes,
        Reply::Silence => return Some(Silent(true)),
    };
    // A client that has had enough closes before the end.
    let _ = out.write_all(&bytes).and_then(|()| out.flush());
    Some(Silent(false))
}
