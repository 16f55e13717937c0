//! Many who wait, each over a connection of its own, and do nothing else.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::records::QUIET_ROWS;
use crate::server::Server;

/// Until a reader of the feed has the head of its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many come at once: fewer than a server takes requests on, which are refused beyond, and than wait in the queue of
/// a listener.
const AT_ONCE: usize = 100;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Waiters,
    Feeds,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Waiters, Self::Feeds];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiters => "waiters",
            Self::Feeds => "feeds",
        }
    }

    pub fn count(self) -> usize {
        match self {
            Self::Waiters => 10_000,
            Self::Feeds => 1_000,
        }
    }

    /// The metric that tells how many there are.
    pub fn gauge(self) -> &'static str {
        match self {
            Self::Waiters => "rowtide_wait_waiters",
            Self::Feeds => "rowtide_subscribers",
        }
    }

    fn path(self, nth: usize) -> String {
        match self {
            Self::Waiters => "/v1/wait?at_least=tx:1000000000&wait=60s&tables=orders".to_owned(),
            Self::Feeds => {
                let row = nth as u64 % QUIET_ROWS;
                format!("/v1/changes?tables=orders&filter=id.eq.{row}")
            }
        }
    }
}

pub struct Crowd {
    streams: Vec<TcpStream>,
}

impl Crowd {
    /// All of a kind, as soon as the server counts them.
    pub fn gather(kind: Kind, server: &Server) -> anyhow::Result<Self> {
        let address = server.address();
        let mut crowd = Self {
            streams: Vec::with_capacity(kind.count()),
        };
        for nth in 0..kind.count() {
            let path = kind.path(nth);
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n"
            );
            let mut stream =
                TcpStream::connect(address).with_context(|| format!("connection {nth}"))?;
            stream.write_all(request.as_bytes())?;
            crowd.streams.push(stream);
            let came = nth + 1;
            if came % AT_ONCE == 0 || came == kind.count() {
                let counted = server.wait_for(kind.gauge(), came);
                counted.or_else(|error| crowd.still_waits().and(Err(error)))?;
            }
        }
        if matches!(kind, Kind::Feeds) {
            crowd.read_heads()?;
        }
        Ok(crowd)
    }

    /// The head of a feed comes at once.
    fn read_heads(&mut self) -> anyhow::Result<()> {
        for stream in &mut self.streams {
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut head = [0; 12];
            stream.read_exact(&mut head)?;
            if !head.ends_with(b" 200") {
                bail!("a feed was refused: {}", String::from_utf8_lossy(&head));
            }
        }
        Ok(())
    }

    /// Nobody was answered or sent away meanwhile.
    pub fn still_waits(&self) -> anyhow::Result<()> {
        for stream in &self.streams {
            stream.set_nonblocking(true)?;
            let mut piece = [0; 4096];
            loop {
                match (&*stream).read(&mut piece) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // What a feed says to show that it is alive.
                    Ok(read) if read > 0 && !piece.starts_with(b"HTTP") => {}
                    Ok(read) => bail!("ended: {}", String::from_utf8_lossy(&piece[..read])),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        match self {
            Self::Waiters => write!(
                f,
                "{count} requests that wait for a transaction of the table"
            ),
            Self::Feeds => write!(
                f,
                "{count} readers of the change feed, each of a row of its own of the table"
            ),
        }
    }
}
