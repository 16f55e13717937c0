//! The two ways to learn when a probe is visible: asking for its row again and again, and waiting for its transaction.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::consumer::number_behind;
use crate::http::Connection;
use crate::load::{PROBED_ROW, PROBED_TABLE, PROBES_PER_S, transaction_of};
use crate::moments::Moments;

/// Between two looks at the row: who never pauses takes a core, and measures how the rest does without it.
const PAUSE: Duration = Duration::from_micros(500);
/// Who waits at the same time, each for a probe of its own.
const WAITING: u64 = 8;
/// So far ahead is what is waited for: it is on its way when the wait begins at the latest.
const AHEAD: u64 = PROBES_PER_S / 10;

#[derive(Clone, Copy, Debug)]
pub enum Prober {
    Polling,
    Waiting,
}

/// A probe, and when it was seen to be visible.
pub type Seen = (u64, Duration);

impl Prober {
    pub const ALL: [Self; 2] = [Self::Polling, Self::Waiting];

    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Waiting => "waiting",
        }
    }

    /// Looks for so long.
    pub fn run(
        self,
        server: SocketAddr,
        moments: &Moments,
        time: Duration,
    ) -> anyhow::Result<Vec<Seen>> {
        let until = moments.now() + time;
        match self {
            Self::Polling => poll(server, moments, until),
            Self::Waiting => std::thread::scope(|scope| {
                let waits: Vec<_> = (0..WAITING)
                    .map(|nth| scope.spawn(move || wait(server, moments, nth, until)))
                    .collect();
                let mut seen = Vec::new();
                for wait in waits {
                    seen.extend(wait.join().ok().context("a waiter panicked")??);
                }
                Ok(seen)
            }),
        }
    }
}

/// Every probe that a row's answer is the first to show, or to show a later one than.
fn poll(server: SocketAddr, moments: &Moments, until: Duration) -> anyhow::Result<Vec<Seen>> {
    let mut connection = Connection::open(server)?;
    let path = format!("/v1/tables/{PROBED_TABLE}/rows/{PROBED_ROW}");
    let (mut seen, mut newest) = (Vec::new(), None);
    while moments.now() < until {
        let (status, body) = connection.get(&path)?;
        ensure!(status == 200, "{status} {}", String::from_utf8_lossy(body));
        let shown = number_behind(body, br#""probe":"#).context("a row without its probe")?;
        let now = moments.now();
        let first = newest.map_or(shown, |newest| newest + 1);
        seen.extend((first..=shown).map(|probe| (probe, now)));
        newest = Some(shown);
        #[expect(
            clippy::disallowed_methods,
            reason = "looking again and again is what is measured"
        )]
        std::thread::sleep(PAUSE);
    }
    Ok(seen)
}

/// One probe after another, each waited for before it is written.
fn wait(
    server: SocketAddr,
    moments: &Moments,
    nth: u64,
    until: Duration,
) -> anyhow::Result<Vec<Seen>> {
    let mut connection = Connection::open(server)?;
    let mut seen = Vec::new();
    while moments.now() < until {
        let ahead = moments.newest() + AHEAD;
        let probe = ahead - ahead % WAITING + nth;
        let transaction = transaction_of(probe);
        let path = format!("/v1/wait?at_least=tx:{transaction}&wait=10s");
        let (status, body) = connection.get(&path)?;
        ensure!(status == 200, "{status} {}", String::from_utf8_lossy(body));
        seen.push((probe, moments.now()));
    }
    Ok(seen)
}

impl fmt::Display for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Polling => write!(
                f,
                "asking for a row every {} µs or so, over one connection",
                PAUSE.as_micros()
            ),
            Self::Waiting => write!(f, "GET /v1/wait?at_least=tx:… over {WAITING} connections"),
        }
    }
}
