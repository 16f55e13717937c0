//! How fast a row is answered over HTTP: the release binary beside a bare hyper server that sends
//! an answer of as many bytes to whatever it is asked, and beside Redis, which sends the same body for a key.
//!
//! All are asked by the same generator over fifty connections on loopback, in turns, and medians are
//! printed. The generator runs on the same cores, so the ratios say more than the numbers. Run by
//! `cargo xtask bench http`.

mod bare;
mod client;
mod load;
#[path = "../order/mod.rs"]
mod order;
mod peers;
mod turn;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use mimalloc::MiMalloc;

use crate::load::{Protocol, Requests};
use crate::peers::Peer;
use crate::turn::Turn;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ORDERS: u64 = 200_000;
const CONNECTIONS: usize = 50;
const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_secs(2);

/// The bars: requests per second against each peer, at least, and the 99th percentile against bare hyper, at most.
const OF_BARE_WANTED: f64 = 0.85;
const OF_REDIS_WANTED: f64 = 1.0;
const P99_OF_BARE_WANTED: f64 = 1.3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [bare::VERB, port, answer] => bare::serve(port.parse()?, &PathBuf::from(answer)),
        _ => measure(),
    }
}

/// A server, what it is asked, and what it has shown so far.
struct Contestant {
    name: &'static str,
    peer: Peer,
    requests: Requests,
    turns: Vec<Turn>,
}

fn measure() -> anyhow::Result<()> {
    let directory = tempfile::tempdir().context("no directory for the records")?;
    let mut contestants = vec![rowtide(directory.path())?];
    let answer = client::get(contestants[0].peer.address(), &row_path(7))?;
    let body = client::body(&answer).context("an answer without a body")?;
    contestants.push(bare(directory.path(), &answer)?);
    contestants.extend(redis(body)?);
    for round in 0..ROUNDS {
        for turn in 0..contestants.len() {
            let at = (turn + round) % contestants.len();
            let contestant = &mut contestants[at];
            let turn = Turn::take(&contestant.peer, &contestant.requests, CONNECTIONS, TURN);
            let turn = turn.with_context(|| format!("while {} was asked", contestant.name))?;
            contestant.turns.push(turn);
        }
    }
    print(&contestants, answer.len(), body.len());
    Ok(())
}

fn row_path(id: u64) -> String {
    format!("/v1/tables/orders/rows/{id}")
}

/// The same requests go to the bare server, which reads them and looks nothing up.
fn http_requests(address: SocketAddr) -> Requests {
    Requests::new(Protocol::Http, ORDERS, |id| {
        client::request(address, &row_path(id))
    })
}

fn rowtide(directory: &std::path::Path) -> anyhow::Result<Contestant> {
    let peer = Peer::rowtide(directory, ORDERS)?;
    Ok(Contestant {
        name: "rowtide",
        requests: http_requests(peer.address()),
        peer,
        turns: Vec::new(),
    })
}

fn bare(directory: &std::path::Path, answer: &[u8]) -> anyhow::Result<Contestant> {
    let file = directory.join("answer");
    std::fs::write(&file, answer)?;
    let peer = Peer::bare(&file)?;
    let bytes = client::get(peer.address(), &row_path(7))?.len();
    anyhow::ensure!(
        bytes == answer.len(),
        "the bare server answers {bytes} bytes, rowtide {}",
        answer.len()
    );
    Ok(Contestant {
        name: "bare hyper",
        requests: http_requests(peer.address()),
        peer,
        turns: Vec::new(),
    })
}

/// `None` if there is no Redis here.
fn redis(body: &[u8]) -> anyhow::Result<Option<Contestant>> {
    let Some(peer) = Peer::redis()? else {
        return Ok(None);
    };
    client::fill_redis(peer.address(), ORDERS, body)?;
    Ok(Some(Contestant {
        name: "Redis GET",
        requests: Requests::new(Protocol::Resp, ORDERS, client::redis_get),
        peer,
        turns: Vec::new(),
    }))
}

fn print(contestants: &[Contestant], answer_bytes: usize, body_bytes: usize) {
    println!(
        "a row of {ORDERS} by its key, {CONNECTIONS} connections, answers of {answer_bytes} bytes with a body of {body_bytes}; \
         medians of {ROUNDS} interleaved turns of {} s\n",
        TURN.as_secs()
    );
    println!(
        "{:<12} {:>12} {:>10} {:>10} {:>16} {:>14}",
        "", "requests/s", "p50 us", "p99 us", "CPU us/request", "generator idle"
    );
    let medians: Vec<Turn> = contestants
        .iter()
        .map(|contestant| turn::medians(&contestant.turns))
        .collect();
    for (contestant, median) in contestants.iter().zip(&medians) {
        println!(
            "{:<12} {:>12.0} {:>10.0} {:>10.0} {:>16.2} {:>13.0}%",
            contestant.name,
            median.requests_per_s,
            median.p50_us,
            median.p99_us,
            median.cpu_us_per_request,
            median.generator_idle * 100.0
        );
    }
    println!();
    let of = |peer: usize, value: fn(&Turn) -> f64| value(&medians[0]) / value(&medians[peer]);
    let verdict = |reached: bool| if reached { "reached" } else { "MISSED" };
    let speed = of(1, |turn| turn.requests_per_s);
    println!(
        "requests/s of bare hyper's: {speed:.2}x, wanted {OF_BARE_WANTED:.2}x: {}",
        verdict(speed >= OF_BARE_WANTED)
    );
    let p99 = of(1, |turn| turn.p99_us);
    println!(
        "p99 of bare hyper's: {p99:.2}x, wanted {P99_OF_BARE_WANTED:.2}x: {}",
        verdict(p99 <= P99_OF_BARE_WANTED)
    );
    if contestants.len() > 2 {
        let speed = of(2, |turn| turn.requests_per_s);
        println!(
            "requests/s of Redis': {speed:.2}x, wanted {OF_REDIS_WANTED:.2}x: {}",
            verdict(speed >= OF_REDIS_WANTED)
        );
    } else {
        println!("Redis: not measured, there is no redis-server");
    }
}
