//! How much later than to a plain consumer a change is visible to a reader over HTTP, under load.
//!
//! The release binary follows an in-process broker that is written 20,000 events a second, in transactions over eight
//! tables; beside it a consumer of librdkafka, with nothing but the same `fetch.wait.max.ms`, notes when each record comes.
//! One transaction of many is a probe: when it becomes visible is learnt in turns by asking for a row again and again,
//! and by waiting for the transaction by its number. A row is not shown before the rest of its transaction is there: when the
//! consumer has all of that is noted, too. Everything shares the cores, so the differences say more than the numbers. Run by
//! `cargo xtask bench freshness`.

mod consumer;
mod http;
mod load;
mod moments;
mod probe;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use kafka_source::mock::{Broker, PlainProducer};
use mimalloc::MiMalloc;

use crate::load::{EVENTS_PER_S, TABLES};
use crate::moments::{Moments, Quantiles};
use crate::probe::Prober;
use crate::server::Server;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(4);
/// Of each round's beginning and end nothing is counted.
const MARGIN: Duration = Duration::from_millis(500);

/// The bars: how much later than to the consumer, at most.
const P50_WANTED_MS: f64 = 2.0;
const P99_WANTED_MS: f64 = 10.0;

fn main() -> anyhow::Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let mut probers = Prober::ALL.to_vec();
    // Cargo itself passes an argument, too.
    let is_named = |prober: &Prober| named.iter().any(|name| name == prober.name());
    if probers.iter().any(is_named) {
        probers.retain(is_named);
    }
    let broker = Broker::start()?;
    for topic in load::topics() {
        broker.create_topic(&topic, 1)?;
    }
    let rounds = ROUNDS * probers.len();
    let moments = Moments::for_a_run_of(ROUND * (rounds as u32 + 2));
    let running = Arc::new(AtomicBool::new(true));
    let consumer = consumer::start(&broker, Arc::clone(&moments), Arc::clone(&running))?;
    let producer = PlainProducer::to_mock(&broker.bootstrap_servers())?;
    let writer = load::start(producer, Arc::clone(&moments), Arc::clone(&running));
    let directory = tempfile::tempdir()?;
    let server = Server::start(directory.path(), &broker.bootstrap_servers())?;
    server.wait_for_probes(&moments)?;
    let mut turns: Vec<Vec<Turn>> = probers.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (prober, turns) in probers.iter().zip(&mut turns) {
            turns.push(Turn::take(*prober, &server, &moments)?);
        }
    }
    running.store(false, Ordering::Relaxed);
    let written = writer.join().ok().context("the writer panicked")??;
    consumer.join().ok().context("the consumer panicked")??;
    println!(
        "{written:.0} events/s over {} tables in transactions of {}, wanted {EVENTS_PER_S}; medians of {ROUNDS} interleaved rounds of {} s, \
         from sending a record, in ms\n",
        TABLES,
        load::EVENTS_A_TRANSACTION,
        ROUND.as_secs()
    );
    for (prober, turns) in probers.iter().zip(&turns) {
        print(*prober, turns);
    }
    Ok(())
}

/// What one round showed of its probes.
struct Turn {
    probes: usize,
    row_received: Quantiles,
    end_received: Quantiles,
    last_received: Quantiles,
    visible: Quantiles,
}

impl Turn {
    fn take(prober: Prober, server: &Server, moments: &Arc<Moments>) -> anyhow::Result<Self> {
        let began = moments.now();
        let seen = prober.run(server.address(), moments, ROUND)?;
        let counted = began + MARGIN..moments.now().saturating_sub(MARGIN);
        let seen: Vec<_> = seen
            .into_iter()
            .filter_map(|(probe, visible)| moments.of(probe, visible))
            .filter(|probe| counted.contains(&probe.sent))
            .collect();
        ensure!(
            !seen.is_empty(),
            "what was written in a round was not seen in it: nothing keeps up with the load here"
        );
        let quantiles = |moment: fn(&moments::Probe) -> Duration| {
            Quantiles::of(
                seen.iter()
                    .map(|probe| moment(probe).saturating_sub(probe.sent)),
            )
        };
        Ok(Self {
            probes: seen.len(),
            row_received: quantiles(|probe| probe.row_received),
            end_received: quantiles(|probe| probe.end_received),
            last_received: quantiles(|probe| probe.last_received),
            visible: quantiles(|probe| probe.visible),
        })
    }
}

type Figures = fn(&Turn) -> Quantiles;

fn print(prober: Prober, turns: &[Turn]) {
    let median = |figure: &dyn Fn(&Turn) -> f64| {
        let mut figures: Vec<f64> = turns.iter().map(figure).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let probes: usize = turns.iter().map(|turn| turn.probes).sum();
    println!("{prober}, {probes} probes");
    println!("{:<52} {:>8} {:>8}", "", "p50", "p99");
    let line = |what: &str, quantiles: Figures| {
        let (p50, p99) = (
            median(&|turn| quantiles(turn).p50_ms),
            median(&|turn| quantiles(turn).p99_ms),
        );
        println!("  {what:<50} {p50:>8.2} {p99:>8.2}");
    };
    line("the row's record, to the consumer", |turn| {
        turn.row_received
    });
    line("its transaction's END, to the consumer", |turn| {
        turn.end_received
    });
    line("all of its transaction, to the consumer", |turn| {
        turn.last_received
    });
    line("visible over HTTP", |turn| turn.visible);
    let row: Figures = |turn| turn.row_received;
    let all: Figures = |turn| turn.last_received;
    for (mark, received) in [("the row's record", row), ("all of its transaction", all)] {
        let later = |quantile: fn(&Quantiles) -> f64| {
            median(&|turn| quantile(&turn.visible) - quantile(&received(turn)))
        };
        for (name, later, wanted) in [
            ("p50", later(|quantiles| quantiles.p50_ms), P50_WANTED_MS),
            ("p99", later(|quantiles| quantiles.p99_ms), P99_WANTED_MS),
        ] {
            let verdict = if later <= wanted { "reached" } else { "MISSED" };
            println!(
                "  {name} later than {mark}: {later:.2} ms, wanted at most {wanted} ms: {verdict}"
            );
        }
    }
    println!();
}
