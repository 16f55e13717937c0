//! Clients of the shop, which write through SQL all the time and come back when they lose the database.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use black_box::wait;
use parking_lot::Mutex;
use postgres::{Client, Config, NoTls};
use real_stack::Postgres;

const CLIENTS: i64 = 3;

/// Between the transactions of one client.
const PAUSE: Duration = Duration::from_millis(30);

/// How much more is written once what went wrong is over.
const WRITTEN_ON: i64 = 20;

/// Beats that are remembered: those of some minutes.
const BEATS_KEPT: usize = 20_000;

/// When each beat was known to be committed, the oldest first.
#[derive(Default)]
pub struct Beats(Mutex<VecDeque<(Instant, i64)>>);

impl Beats {
    fn note(&self, beat: i64) {
        let beats = &mut *self.0.lock();
        beats.push_back((now(), beat));
        beats.truncate(beats.len().min(BEATS_KEPT));
        while beats.len() >= BEATS_KEPT {
            beats.pop_front();
        }
    }

    /// The newest that was known to be committed then.
    pub fn at(&self, moment: Instant) -> i64 {
        let beats = self.0.lock();
        let known = beats.iter().rev().find(|(at, _)| *at <= moment);
        known.map_or(0, |(_, beat)| *beat)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is checked is another process's account of time"
)]
pub fn now() -> Instant {
    Instant::now()
}

pub struct Writers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    database: Config,
    ended: AtomicBool,
    written: AtomicI64,
    beats: Arc<Beats>,
}

impl Writers {
    pub fn start(database: &Postgres) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            database: database.url().parse().context("the database's address")?,
            ended: AtomicBool::new(false),
            written: AtomicI64::new(0),
            beats: Arc::default(),
        });
        let threads = (0..CLIENTS).map(|client| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.write(client))
        });
        Ok(Self {
            threads: threads.collect(),
            shared,
        })
    }

    pub fn beats(&self) -> Arc<Beats> {
        Arc::clone(&self.shared.beats)
    }

    /// Waits until some more was written.
    pub fn write_on(&self) -> anyhow::Result<()> {
        let written = || self.shared.written.load(Ordering::Relaxed);
        let before = written();
        wait::until("the writers go on", || {
            Ok((written() >= before + WRITTEN_ON).then_some(()))
        })
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                bail!("a writer panicked");
            }
        }
        Ok(())
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn write(&self, client: i64) {
        let mut session = None;
        while !self.ended.load(Ordering::Relaxed) {
            // A database that is away is asked again: so do the shop's own clients.
            session = session.or_else(|| self.database.connect(NoTls).ok());
            let done = session
                .as_mut()
                .map(|session| self.transact(session, client));
            if done.is_some_and(|done| done.is_err()) {
                session = None;
            }
            wait::pass(PAUSE);
        }
    }

    fn transact(&self, session: &mut Client, client: i64) -> Result<(), postgres::Error> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        if client == 0 {
            let beat = session.query_one(
                "update pulse set beat = beat + 1 where id = 1 returning beat",
                &[],
            )?;
            self.beats.note(beat.get(0));
            return Ok(());
        }
        let customer = (number % 20) + 1;
        session.batch_execute(&match number % 5 {
            0 => format!(
                "begin; delete from orders where id = (select min(id) from orders); update customers set balance = balance - 1 where id = {customer}; commit"
            ),
            1 => format!("update orders set note = repeat('n', {customer}), customer_id = {customer} where id = (select max(id) - {customer} from orders)"),
            _ => format!(
                "begin; insert into orders (customer_id, amount) values ({customer}, {number}); update customers set balance = balance + {number} where id = {customer}; commit"
            ),
        })
    }
}
