//! The load generator: one thread that keeps one request in flight on each connection.
//!
//! It does as little as it can for a request, one write and one read, because it shares the cores with
//! whom it measures. What it costs is the same for every server.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use telemetry::clock;

/// Requests that are made beforehand, and sent in a random order again and again.
const PREPARED: u64 = 1 << 14;

#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Http,
    Resp,
}

impl Protocol {
    /// How long the answer is that begins these bytes; `None` if they do not tell yet.
    pub fn answer_len(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Http => {
                const LENGTH: &[u8] = b"content-length: ";
                let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
                let length = memchr::memmem::find(&bytes[..head], LENGTH)? + LENGTH.len();
                Some(head + number(&bytes[length..]))
            }
            Self::Resp => {
                let head = memchr::memmem::find(bytes, b"\r\n")? + 2;
                Some(head + number(&bytes[1..]) + 2)
            }
        }
    }

    fn is_success(self, answer: &[u8]) -> bool {
        answer.starts_with(match self {
            Self::Http => b"HTTP/1.1 200 ",
            Self::Resp => b"$",
        })
    }
}

/// The decimal number that these bytes begin with.
fn number(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

/// What is asked.
pub struct Requests {
    protocol: Protocol,
    prepared: Vec<Vec<u8>>,
}

impl Requests {
    /// Requests for random ids from 1 to `ids`.
    pub fn new(protocol: Protocol, ids: u64, request: impl Fn(u64) -> Vec<u8>) -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        let prepared = (0..PREPARED).map(|_| request(random.u64(1..=ids)));
        Self {
            protocol,
            prepared: prepared.collect(),
        }
    }
}

/// What a load was answered with.
#[derive(Debug, Default)]
pub struct Answered {
    /// From sending a request to having its whole answer, in nanoseconds.
    pub latencies_ns: Vec<u32>,
    pub took: Duration,
    /// Spent waiting because no answer was there.
    pub idle: Duration,
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    answer: Vec<u8>,
    /// Bytes of the answer that are there.
    filled: usize,
}

/// Asks over so many connections for so long.
pub fn run(
    address: SocketAddr,
    requests: &Requests,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Answered> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(connections);
    let mut random = fastrand::Rng::with_seed(11);
    let mut answered = Answered::default();
    let mut open = connect(address, connections, &poll)?;
    let started = clock::monotonic();
    for connection in &mut open {
        connection.ask(random.choice(&requests.prepared).map_or(&[], Vec::as_slice))?;
    }
    loop {
        let before = clock::monotonic();
        poll.poll(&mut events, Some(duration))?;
        answered.idle += clock::monotonic() - before;
        for event in &events {
            let connection = &mut open[event.token().0];
            if !connection.read(requests.protocol)? {
                continue;
            }
            let now = clock::monotonic();
            answered
                .latencies_ns
                .push((now - connection.sent).as_nanos() as u32);
            connection.ask(random.choice(&requests.prepared).map_or(&[], Vec::as_slice))?;
        }
        answered.took = clock::monotonic() - started;
        if answered.took >= duration {
            return Ok(answered);
        }
    }
}

fn connect(
    address: SocketAddr,
    connections: usize,
    poll: &Poll,
) -> anyhow::Result<Vec<Connection>> {
    let mut open = Vec::with_capacity(connections);
    for token in 0..connections {
        let stream = std::net::TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(token), Interest::READABLE)?;
        open.push(Connection {
            stream,
            sent: clock::monotonic(),
            answer: vec![0; 1 << 14],
            filled: 0,
        });
    }
    Ok(open)
}

impl Connection {
    fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.filled = 0;
        self.sent = clock::monotonic();
        // A request is small, and its predecessor has been answered: there is room for all of it.
        let written = self.stream.write(request)?;
        anyhow::ensure!(written == request.len(), "a request was sent in part");
        Ok(())
    }

    /// Reads what is there; whether the answer is whole.
    fn read(&mut self, protocol: Protocol) -> anyhow::Result<bool> {
        loop {
            match self.stream.read(&mut self.answer[self.filled..]) {
                Ok(0) => bail!("the server has closed a connection"),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            let answer = &self.answer[..self.filled];
            if protocol.answer_len(answer) == Some(self.filled) {
                anyhow::ensure!(
                    protocol.is_success(answer),
                    "no success: {}",
                    String::from_utf8_lossy(answer)
                );
                // Nothing more comes before the next request, so the edge is not lost.
                return Ok(true);
            }
        }
    }
}
