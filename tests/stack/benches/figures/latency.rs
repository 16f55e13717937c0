//! How soon a commit in PostgreSQL is visible over HTTP, and where the time goes.
//!
//! Writers commit at a fixed rate; for one commit of some, a reader asks for its row with `at_least=tx:…` as soon as
//! the commit has returned, sleeps in the server, and notes when the answer comes. A plain consumer of the same topics
//! notes when it has the row's record and the end of its transaction. So there are four moments: the commit, the
//! record's time in Kafka (which its producer sets, in whole milliseconds), the plain consumer's, and the answer's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use black_box::server::Server;
use black_box::wait;
use kafka_source::mock::{PlainConsumer, Whence};
use postgres::Client;
use real_stack::{Follower, Postgres, Registration, Stack};

use crate::clock::Clock;
use crate::quantiles::{self, Quantiles};

const RATES: [u64; 2] = [50, 1_000];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(2);
/// So long the broker and Connect are busy with compiling what they do.
const STEADY: Duration = Duration::from_mins(1);
const WRITERS: u64 = 4;
const PROBES_PER_S: u64 = 50;
/// As many as may be on their way at a second's lag.
const READERS: usize = 50;
const POLL: Duration = Duration::from_millis(500);
/// As Rowtide's own.
const FETCH_WAIT_MS: u32 = 100;

/// The bars, at the highest rate with the connector set as advised.
const P50_WANTED_MS: f64 = 6.0;
const P99_WANTED_MS: f64 = 20.0;
const OWN_P99_WANTED_MS: f64 = 5.0;

/// A row whose way is followed.
#[derive(Clone, Copy)]
struct Probe {
    id: i64,
    transaction: u64,
    committed: Duration,
}

/// When a plain consumer had what.
#[derive(Default)]
struct Received {
    /// The record's time in Kafka, and when it came.
    rows: HashMap<i64, (Duration, Duration)>,
    ends: HashMap<u64, Duration>,
}

pub fn measure(stack: &Stack) -> anyhow::Result<()> {
    println!(
        "from a commit's return to the answer that shows its row, in ms; medians of {ROUNDS} interleaved rounds of {} s\n",
        ROUND.as_secs()
    );
    println!(
        "{:<44} {:>24} {:>24} {:>24} {:>24}",
        "p50 / p95 / p99", "Debezium", "Kafka", "Rowtide", "whole"
    );
    let tuned = |shop: &Postgres| {
        shop.connector()
            .with("poll.interval.ms", "1")
            .with("producer.override.linger.ms", "0")
    };
    let default = |shop: &Postgres| {
        shop.connector()
            .without("poll.interval.ms")
            .without("producer.override.linger.ms")
    };
    let advised = session(stack, "poll.interval.ms=1, linger.ms=0", &tuned, STEADY)?;
    session(stack, "Debezium's defaults", &default, ROUND)?;
    let [_, _, own, whole] = advised;
    for (what, is, wanted) in [
        ("p50", whole[0], P50_WANTED_MS),
        ("p99", whole[2], P99_WANTED_MS),
        ("p99 of Rowtide's part", own[2], OWN_P99_WANTED_MS),
    ] {
        let verdict = if is < wanted { "reached" } else { "MISSED" };
        println!(
            "{what} at {} commits/s: {is:.1} ms, wanted less than {wanted} ms: {verdict}",
            RATES[1]
        );
    }
    println!();
    Ok(())
}

/// One connector's life: rounds of each rate in turns, after one that is as long as it takes the servers to become
/// steady and does not count. Answers the stages at the highest rate.
fn session(
    stack: &Stack,
    title: &str,
    registration: &dyn Fn(&Postgres) -> Registration,
    steady: Duration,
) -> anyhow::Result<[Quantiles; 4]> {
    let mut shop = stack.postgres("latency")?;
    shop.run("CREATE TABLE marks (id bigint PRIMARY KEY, note text); INSERT INTO marks VALUES (0, 'first')")?;
    let _connector = stack.register(&registration(&shop))?;
    let follower = Follower::start(&stack.brokers()?, shop.name(), "")?;
    follower.until_equal(&mut shop, &["marks"])?;
    let run = Run {
        clock: Clock::start(),
        next_id: AtomicU64::new(1),
        brokers: stack.brokers()?,
        prefix: shop.name().to_owned(),
    };
    let mut sessions = (0..WRITERS)
        .map(|_| shop.session())
        .collect::<anyhow::Result<Vec<Client>>>()?;
    let mut rounds: [Vec<[Quantiles; 4]>; 2] = [Vec::new(), Vec::new()];
    let mut achieved = [Vec::new(), Vec::new()];
    run.round(&follower.server(), RATES[1], &mut sessions, steady)?;
    for _ in 0..ROUNDS {
        for (at, rate) in RATES.into_iter().enumerate() {
            let (stages, per_s) = run.round(&follower.server(), rate, &mut sessions, ROUND)?;
            rounds[at].push(stages);
            achieved[at].push(per_s);
        }
    }
    let mut last = [[0.0; 3]; 4];
    for (at, rate) in RATES.into_iter().enumerate() {
        last = [0, 1, 2, 3].map(|stage| {
            quantiles::medians(
                &rounds[at]
                    .iter()
                    .map(|round| round[stage])
                    .collect::<Vec<_>>(),
            )
        });
        let per_s = quantiles::median(achieved[at].iter().copied());
        let shown = last.map(|[p50, p95, p99]| format!("{p50:.1} / {p95:.1} / {p99:.1}"));
        println!(
            "{:<44} {:>24} {:>24} {:>24} {:>24}",
            format!("{title}, {per_s:.0} of {rate} commits/s"),
            shown[0],
            shown[1],
            shown[2],
            shown[3]
        );
    }
    Ok(last)
}

struct Run {
    clock: Clock,
    next_id: AtomicU64,
    brokers: String,
    /// Of the topics.
    prefix: String,
}

impl Run {
    /// Quantiles of each stage, and how many commits there were in a second.
    fn round(
        &self,
        server: &Server,
        rate: u64,
        sessions: &mut [Client],
        lasts: Duration,
    ) -> anyhow::Result<([Quantiles; 4], f64)> {
        let (probes_in, probes) = crossbeam_channel::bounded::<Probe>(READERS * 4);
        let reading = AtomicBool::new(true);
        let began = self.clock.now();
        let first_id = self.next_id.load(Ordering::Relaxed);
        thread::scope(|scope| {
            let consumer = scope.spawn(|| self.receive(&reading));
            let readers: Vec<_> = (0..READERS)
                .map(|_| {
                    let probes = probes.clone();
                    scope.spawn(move || self.read(server, &probes))
                })
                .collect();
            let writers: Vec<_> = sessions
                .iter_mut()
                .map(|session| {
                    let probes_in = probes_in.clone();
                    scope.spawn(move || self.write(session, rate, began + lasts, &probes_in))
                })
                .collect();
            drop(probes_in);
            for writer in writers {
                writer.join().map_err(|_| anyhow!("a writer panicked"))??;
            }
            let per_s = (self.next_id.load(Ordering::Relaxed) - first_id) as f64
                / self.clock.now().saturating_sub(began).as_secs_f64();
            let mut seen = Vec::new();
            for reader in readers {
                seen.extend(reader.join().map_err(|_| anyhow!("a reader panicked"))??);
            }
            reading.store(false, Ordering::Relaxed);
            let received = consumer
                .join()
                .map_err(|_| anyhow!("the consumer panicked"))??;
            let stages = stages(&seen, &received, began + WARM_UP)?;
            Ok((stages, per_s))
        })
    }

    fn write(
        &self,
        session: &mut Client,
        rate: u64,
        until: Duration,
        probes: &crossbeam_channel::Sender<Probe>,
    ) -> anyhow::Result<()> {
        let insert = session.prepare(
            "INSERT INTO marks VALUES ($1, 'a mark') RETURNING pg_current_xact_id()::text",
        )?;
        let pause = Duration::from_secs(WRITERS) / rate as u32;
        let mut due = self.clock.now();
        while due < until {
            let now = self.clock.now();
            wait::pass(due.saturating_sub(now));
            let id = self.next_id.fetch_add(1, Ordering::Relaxed) as i64;
            let transaction: String = session.query_one(&insert, &[&id])?.get(0);
            let committed = self.clock.now();
            due += pause;
            if (id as u64).is_multiple_of(rate.div_ceil(PROBES_PER_S)) {
                let transaction = transaction.parse()?;
                // Where readers cannot keep up, fewer are followed.
                let _ = probes.try_send(Probe {
                    id,
                    transaction,
                    committed,
                });
            }
        }
        Ok(())
    }

    fn read(
        &self,
        server: &Server,
        probes: &crossbeam_channel::Receiver<Probe>,
    ) -> anyhow::Result<Vec<(Probe, Duration)>> {
        let mut seen = Vec::new();
        for probe in probes {
            let floor = format!("tx:{}", probe.transaction);
            let answer = server.get(
                &format!("/v1/tables/marks/rows/{}", probe.id),
                &[("at_least", &floor), ("wait", "30s")],
            )?;
            ensure!(answer.status == 200, "{}", answer.text);
            seen.push((probe, self.clock.now()));
        }
        Ok(seen)
    }

    /// Reads what a round writes into both topics; what it writes before this has begun is not asked for.
    fn receive(&self, reading: &AtomicBool) -> anyhow::Result<Received> {
        let (rows, ends) = (
            format!("{}.public.marks", self.prefix),
            format!("{}.transaction", self.prefix),
        );
        let partitions = [(rows.clone(), 0), (rows.clone(), 1), (ends.clone(), 0)];
        let consumer = PlainConsumer::of(&self.brokers, partitions, Whence::End, FETCH_WAIT_MS)?;
        let mut received = Received::default();
        let mut has_more = true;
        // What readers were shown is in the log: it is read to its end.
        while has_more || reading.load(Ordering::Relaxed) {
            let news = consumer.next(POLL, |record| {
                let now = self.clock.now();
                let text = String::from_utf8_lossy(record.value.unwrap_or_default());
                if record.topic == rows {
                    let made = self
                        .clock
                        .of_wall_ms(record.timestamp_ms.unwrap_or_default());
                    if let Some(id) = number_behind(&text, r#""after":{"id":"#) {
                        received.rows.insert(id as i64, (made, now));
                    }
                } else if text.contains(r#""status":"END""#)
                    && let Some(id) = number_behind(&text, r#""id":""#)
                {
                    received.ends.insert(id, now);
                }
            })?;
            has_more = news.is_some();
        }
        Ok(received)
    }
}

/// Debezium, Kafka, Rowtide, and all of it.
fn stages(
    seen: &[(Probe, Duration)],
    received: &Received,
    from: Duration,
) -> anyhow::Result<[Quantiles; 4]> {
    let mut stages: [Vec<Duration>; 4] = Default::default();
    for (probe, answered) in seen.iter().filter(|(probe, _)| probe.committed >= from) {
        let (made, row) = *received
            .rows
            .get(&probe.id)
            .context("a row that the plain consumer never had")?;
        let end = received
            .ends
            .get(&probe.transaction)
            .copied()
            .unwrap_or(row);
        let whole_there = row.max(end);
        for (stage, (begins, ends)) in stages.iter_mut().zip([
            (probe.committed, made),
            (made.max(probe.committed), whole_there),
            (whole_there, *answered),
            (probe.committed, *answered),
        ]) {
            stage.push(ends.saturating_sub(begins));
        }
    }
    ensure!(
        !stages[0].is_empty(),
        "nothing that was written in a round was seen in it"
    );
    Ok(stages.map(|stage| quantiles::of(stage.into_iter())))
}

fn number_behind(text: &str, before: &str) -> Option<u64> {
    let rest = &text[text.find(before)? + before.len()..];
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
