//! The real binary between writers of transactions and readers who ask for freshness in every way there is, in the
//! spirit of Jepsen and Elle: whatever is answered must be explained by the history that was written.
//!
//! Every row says which change wrote it, so what an answer shows can be of few prefixes of the history, or of none:
//! then a transaction is torn, or a state never was. By the same prefixes answers are held to the tokens, floors and
//! lags that they come with, across kills of the server too. See [`judge`] for what is wrong with an answer.
//!
//! A seed decides what is written, what is asked and what goes wrong, but not what the machine does meanwhile.

mod bank;
mod client;
mod connector;
mod demand;
mod follower;
mod history;
mod judge;
mod moment;
mod question;
mod reader;
mod tally;
mod writer;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use parking_lot::{Mutex, RwLock};

use crate::binary;
use crate::broker::Log;
use crate::server::Server;
use crate::site::Site;
use crate::wait;
use bank::TABLES;
use follower::{Followed, Follower};
use history::History;
use judge::all_at;
use reader::{Life, Reader};
use tally::Tally;
use writer::{Mood, Writer};

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    pub seed: u64,
    /// Lives of the server, each but the last of a round ended by a kill that nobody saw coming.
    pub lives: u32,
    /// No further life begins after this long.
    pub time: Duration,
    pub readers: usize,
    /// Others who want all of the machine, in every other life: what is heard is then handled long after.
    pub others: usize,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub lives: u32,
    pub transactions: usize,
    pub changes: u64,
    pub mishaps: u64,
    pub reads: Tally,
    pub followed: Followed,
    /// How often the writers paused, everything was applied, and all tables were right.
    pub settled: u32,
}

/// Checkpoints are made all along: kills come before, between and in the middle of them.
const CHECKPOINT_INTERVAL_MS: u32 = 100;

/// Every so many lives the writers pause, and everything is compared; then nothing goes wrong until that many are over.
const ROUND: u32 = 3;

/// All that outlives the servers.
struct World {
    site: Site,
    writer: Mutex<Writer>,
    history: RwLock<History>,
    /// How many others are busy in this life.
    others: usize,
}

impl Checker {
    /// Does it. An error is a wrong answer, or a server that ended by itself.
    pub fn run(&self, progress: &mut dyn FnMut(&Report)) -> anyhow::Result<Report> {
        // Not built on the checker's time.
        binary::path()?;
        let mut rng = Rng::with_seed(self.seed);
        let mut world = World::new(self.seed)?;
        let readers = (0..self.readers).map(|_| Reader::new(rng.u64(..), world.site.data_port()));
        let mut readers: Vec<Reader> = readers.collect();
        let mut follower = Follower::new(world.site.data_port());
        let mut report = Report::default();
        let began = moment::now();
        while report.lives < self.lives && began.elapsed() < self.time {
            let number = report.lives + 1;
            world.others = if rng.bool() { self.others } else { 0 };
            world
                .live(number, &mut readers, &mut follower, &mut rng, &mut report)
                .with_context(|| format!("life {number} of seed {}", self.seed))?;
            report.lives = number;
            let history = world.history.read();
            (report.transactions, report.changes) = (history.transactions(), history.changes());
            report.mishaps = world.writer.lock().mishaps;
            report.followed = follower.followed;
            report.reads = Tally::default();
            for reader in &readers {
                report.reads.add(&reader.tally);
            }
            progress(&report);
        }
        Ok(report)
    }
}

impl World {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mut log = Log::start()?;
        for table in TABLES.into_iter().chain([&bank::AUDIT]) {
            log.create_topic(&table.topic(), table.partitions)?;
        }
        log.create_topic(&connector::transaction_topic(), 1)?;
        let topics: Vec<String> = TABLES.iter().map(|table| table.topic()).collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let site = Site::on_kafka(&log.address(), &topics, CHECKPOINT_INTERVAL_MS)?;
        // The in-process broker delays an empty fetch by all of it.
        let fetch = "[sources.kafka]\n\"fetch.wait.max.ms\" = \"10\"\n";
        site.configure(&(site.configuration()? + fetch + &tables()))?;
        Ok(Self {
            site,
            writer: Mutex::new(Writer::new(seed, log)),
            history: RwLock::default(),
            others: 0,
        })
    }

    /// One life of the server, from its start to its kill. Of each round the last is calm: nothing goes wrong in
    /// it, and it begins when everything before it has been compared.
    fn live(
        &self,
        number: u32,
        readers: &mut [Reader],
        follower: &mut Follower,
        rng: &mut Rng,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let (writing, reading) = (AtomicBool::new(true), AtomicBool::new(true));
        let is_calm = number.is_multiple_of(ROUND);
        if rng.bool() {
            self.write_for(Duration::from_millis(rng.u64(1_500..2_500)))?;
        }
        let life = Life {
            number,
            seen: Mutex::default(),
            known: Mutex::new(self.writer.lock().acknowledged()?),
        };
        let mut server = self.site.start()?;
        std::thread::scope(|scope| {
            for _ in 0..self.others {
                scope.spawn(|| {
                    while reading.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let writer = scope.spawn(|| self.write_while(&writing));
            let follower = scope.spawn(|| follower.follow(&self.history, &life, &reading));
            let readers: Vec<_> = readers
                .iter_mut()
                .map(|reader| {
                    scope.spawn(|| {
                        while reading.load(Ordering::Relaxed) {
                            reader.ask(&self.history, &life)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            let ended = self.watch(&mut server, is_calm, rng, report);
            // The readers go on asking until nobody answers any more.
            let killed = server.kill();
            writing.store(false, Ordering::Relaxed);
            reading.store(false, Ordering::Relaxed);
            // What a reader saw says more than that the server could not be compared.
            for reader in readers {
                joined(reader)?;
            }
            joined(follower)?;
            joined(writer)?;
            ended.and(killed)
        })
    }

    /// While nobody follows: the next life begins so far behind that its answers must say so.
    fn write_for(&self, time: Duration) -> anyhow::Result<()> {
        let began = moment::now();
        while began.elapsed() < time {
            wait::pass(self.writer.lock().write(&self.history)?);
        }
        Ok(())
    }

    fn write_while(&self, writing: &AtomicBool) -> anyhow::Result<()> {
        while writing.load(Ordering::Relaxed) {
            let pause = self.writer.lock().write(&self.history)?;
            wait::pass(pause);
        }
        Ok(())
    }

    /// Lets the server live until the moment it is killed at.
    fn watch(
        &self,
        server: &mut Server,
        is_calm: bool,
        rng: &mut Rng,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if !is_calm && rng.u8(0..4) == 0 {
            // While it starts, opens its checkpoint and loads.
            wait::pass(Duration::from_millis(rng.u64(0..300)));
            return server.still_runs();
        }
        server.ready()?;
        wait::pass(Duration::from_millis(rng.u64(0..1_500)));
        if is_calm {
            let mut writer = self.writer.lock();
            self.compare(server, &mut writer)?;
            report.settled += 1;
            writer.mood = Mood::Calm;
            drop(writer);
            wait::pass(Duration::from_millis(rng.u64(1_000..2_500)));
            self.writer.lock().mood = Mood::Rough;
        }
        server.still_runs()
    }

    /// Every row of every table is right, once everything has been applied. Nobody writes meanwhile.
    fn compare(&self, server: &mut Server, writer: &mut Writer) -> anyhow::Result<()> {
        let ends = writer.ends();
        wait::until("everything is applied", || {
            server.still_runs()?;
            let mut applied = server.next_offsets().unwrap_or_default();
            applied.retain(|place, _| ends.contains_key(place));
            Ok((applied == ends).then_some(()))
        })?;
        let question = question::Question::Tables(TABLES.to_vec());
        let body = question.body().unwrap_or_default();
        let answer = server.ask_with(&question.path(), &body)?;
        ensure!(answer.status == 200, "WRONG: {}", answer.text);
        let mut history = self.history.write();
        let body: serde_json::Value = serde_json::from_str(&answer.text)?;
        let facts = question.facts(&body, &history)?;
        judge::explained(&history, &facts, true)?.at_least(&all_at(history.changes()))?;
        judge::balanced(&facts)?;
        // Of a transaction that was never ended there may be more, for as long as nothing follows it.
        if body["fresh"]["transactions"] == "whole" {
            history.settle();
        }
        Ok(())
    }
}

/// What the configuration says of tables.
fn tables() -> String {
    let table = |table: &bank::Table| {
        let (name, topic, cell) = (table.name, table.topic(), table.cell);
        let indexes = if table == &bank::LINES {
            format!("indexes = [[\"{cell}\"]]\n")
        } else {
            String::new()
        };
        format!(
            "[[tables]]\nname = \"{name}\"\ntopic = \"{topic}\"\n{indexes}[tables.columns.types]\nid = \"int64\"\n{cell} = \"int64\"\nwritten = \"int64\"\n"
        )
    };
    let tables: String = TABLES.into_iter().map(table).collect();
    tables
        + "[[relations]]\nname = \"order\"\nfrom = \"lines.order_id\"\nto = \"orders.id\"\ninverse = \"lines\"\n"
}

fn joined(thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<()>>) -> anyhow::Result<()> {
    match thread.join() {
        Ok(ended) => ended,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} lives, {} transactions with {} changes of tables that are followed, {} mishaps, compared whole {} times",
            self.lives, self.transactions, self.changes, self.mishaps, self.settled
        )?;
        writeln!(f, "{}", self.followed)?;
        write!(f, "{}", self.reads)
    }
}
