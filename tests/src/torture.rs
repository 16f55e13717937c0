//! The real binary, killed at random moments while it reads, and asked by readers who remember everything.
//!
//! After each restart no answer may be older than its `at_least` (the last `as_of` seen before the kill) or than what
//! was acknowledged, no table half of itself, no record applied twice: each partition's rows must add up to a
//! state that its log once had. From time to time, and at the end, the writers pause, and every cell must be right.
//!
//! A seed decides what is written, when is killed and what is asked, but not what the machine does meanwhile:
//! the same seed tries the same things at about the same moments.

mod history;
mod reader;
mod shop;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;
use parking_lot::{Mutex, RwLock};

use crate::broker::Log;
use crate::exact::Exact;
use crate::server::Server;
use crate::site::Site;
use crate::wait;
use history::History;
use reader::{Floors, Reader, Tally, row_of};
use shop::{LARGE, PREFIX, Shop, TABLES, Table};

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Torture {
    pub kills: u32,
    pub seed: u64,
    /// Rows of the large table.
    pub rows: i64,
    /// Every so many lives the writers pause, and everything is compared.
    pub settle_every: u32,
    pub readers: usize,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub kills: u32,
    /// Lives that were ended before they were ready.
    pub killed_early: u32,
    pub records: i64,
    pub reads: Tally,
    pub cells_compared: u64,
    /// From a start to the first answer, and to having caught up.
    pub slowest_answer: Duration,
    pub slowest_recovery: Duration,
}

/// What happens between two lives.
pub type Hook<'a> = dyn FnMut(&Report, &Path) -> anyhow::Result<()> + 'a;

/// Checkpoints are made all along: kills come before, between and in the middle of them.
const CHECKPOINT_INTERVAL_MS: u32 = 100;
/// Rows that fill the large table in one transaction.
const FILLED_AT_ONCE: i64 = 500;

/// All that outlives the servers.
struct World {
    site: Site,
    source: Mutex<Source>,
    history: RwLock<History>,
}

/// Who writes, and where to.
struct Source {
    shop: Shop,
    log: Log,
    filled: i64,
    rows: i64,
}

impl Torture {
    /// Does it. An error is a wrong answer, or a server that ended by itself.
    ///
    /// `hook` is called before each start with what was seen so far and the data directory: whoever damages
    /// it, or fills its disk, does so there.
    pub fn run(&self, hook: &mut Hook<'_>) -> anyhow::Result<Report> {
        let mut rng = Rng::with_seed(self.seed);
        let world = World::new(self)?;
        let mut readers: Vec<Reader> = (0..self.readers)
            .map(|_| Reader::new(rng.u64(..), world.site.data_port()))
            .collect();
        let mut report = Report::default();
        for kill in 1..=self.kills {
            let settles = kill % self.settle_every == 0 || kill == self.kills;
            hook(&report, &world.site.path("data"))?;
            world
                .live(&mut readers, settles, &mut rng, &mut report)
                .with_context(|| format!("kill {kill} of seed {}", self.seed))?;
            report.kills = kill;
        }
        for reader in &readers {
            report.reads.add(&reader.tally);
        }
        report.records = world.source.lock().log.ends().values().sum();
        Ok(report)
    }
}

impl World {
    fn new(torture: &Torture) -> anyhow::Result<Self> {
        let mut log = Log::start()?;
        for table in &TABLES {
            log.create_topic(&table.topic(), table.partitions)?;
        }
        let topics = format!("{PREFIX}.*");
        let site = Site::on_kafka(&log.address(), &[&topics], CHECKPOINT_INTERVAL_MS)?;
        let large = Table::of(LARGE).topic();
        let types = "part = \"int64\"\nseq = \"int64\"";
        let table = format!("[[tables]]\ntopic = \"{large}\"\n[tables.columns.types]\n{types}\n");
        site.configure(&(site.configuration()? + &table))?;
        let source = Source {
            shop: Shop::new(torture.seed),
            log,
            filled: 0,
            rows: torture.rows,
        };
        Ok(Self {
            site,
            source: Mutex::new(source),
            history: RwLock::default(),
        })
    }

    /// One life of the server, from its start to its kill.
    fn live(
        &self,
        readers: &mut [Reader],
        settles: bool,
        rng: &mut Rng,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let acknowledged = self.acknowledged()?;
        for reader in readers.iter_mut() {
            reader.begin_life(&acknowledged);
        }
        let (writing, reading) = (AtomicBool::new(true), AtomicBool::new(true));
        let mut server = self.site.start()?;
        let pace = rng.u64(0..6);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| self.write_while(&writing, pace));
            let readers: Vec<_> = readers
                .iter_mut()
                .map(|reader| scope.spawn(|| read_while(&reading, reader, &self.history)))
                .collect();
            let ended = watch(&mut server, settles, rng, report).and_then(|()| {
                if settles {
                    report.cells_compared += self.compare(&mut server)?;
                }
                Ok(())
            });
            // The readers go on asking until nobody answers any more.
            let killed = server.kill();
            writing.store(false, Ordering::Relaxed);
            reading.store(false, Ordering::Relaxed);
            // What a reader saw says more than that the server could not be compared.
            for reader in readers {
                joined(reader)?;
            }
            joined(writer)?;
            ended.and(killed)
        })
    }

    fn write_while(&self, writing: &AtomicBool, pace_ms: u64) -> anyhow::Result<()> {
        while writing.load(Ordering::Relaxed) {
            let wrote = self.source.lock().write(&self.history)?;
            wait::pass(Duration::from_millis(if wrote { pace_ms } else { 20 }));
        }
        Ok(())
    }

    /// How much of each partition a checkpoint is known to hold.
    fn acknowledged(&self) -> anyhow::Result<Floors> {
        let acknowledged = self.source.lock().log.acknowledged()?;
        let places = acknowledged
            .into_iter()
            .filter_map(|((topic, part), next)| {
                let table = TABLES.iter().find(|table| table.topic() == topic)?;
                Some(((table.name, part), u64::try_from(next).ok()?))
            });
        Ok(places.collect())
    }

    /// Every cell of every table, once all has been applied; how many there were.
    fn compare(&self, server: &mut Server) -> anyhow::Result<u64> {
        // Held until all is compared: nobody writes meanwhile.
        let source = self.source.lock();
        server.applied(source.log.ends())?;
        let tables = server.found("/v1/tables", &[])?;
        let history = self.history.read();
        let mut cells = 0;
        for table in &TABLES {
            let rows = server.rows(table.name)?;
            let told = told_of(&tables, table.name)?;
            let quarantined = told.get("fresh").get("quarantined").as_integer();
            ensure!(
                quarantined == i64::try_from(history.broken(table.name)).ok(),
                "WRONG: {}: {quarantined:?} records in quarantine, not {}",
                table.name,
                history.broken(table.name)
            );
            let rows = rows
                .iter()
                .map(|row| serde_json::from_str(&row.to_string()));
            let rows: Vec<serde_json::Value> = rows.collect::<Result<_, _>>()?;
            cells += if table.keyed {
                compare_rows(table, &rows, &history)?
            } else {
                compare_lines(table, &rows, &history)?
            };
        }
        Ok(cells)
    }
}

impl Source {
    fn write(&mut self, history: &RwLock<History>) -> anyhow::Result<bool> {
        let Self {
            shop,
            log,
            filled,
            rows,
        } = self;
        log.write_if_room(|| {
            let mut history = history.write();
            if *filled < *rows {
                let from = *filled;
                *filled = (from + FILLED_AT_ONCE).min(*rows);
                return shop.fill(from..*filled, &mut history);
            }
            shop.transaction(&mut history)
        })
    }
}

fn read_while(
    reading: &AtomicBool,
    reader: &mut Reader,
    history: &RwLock<History>,
) -> anyhow::Result<()> {
    while reading.load(Ordering::Relaxed) {
        reader.ask(history)?;
    }
    Ok(())
}

/// Lets the server live until the moment it is killed at.
fn watch(
    server: &mut Server,
    settles: bool,
    rng: &mut Rng,
    report: &mut Report,
) -> anyhow::Result<()> {
    // While it starts, opens its checkpoint and loads.
    if !settles && rng.u8(0..4) == 0 {
        wait::pass(Duration::from_millis(rng.u64(0..300)));
        report.killed_early += 1;
        return server.still_runs();
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement of the tests, outside the product and its clock"
    )]
    let started = Instant::now();
    wait::until("the server answers", || {
        server.still_runs()?;
        let answer = server.get("/v1/status", &[]);
        Ok(answer.is_ok().then_some(()))
    })?;
    report.slowest_answer = report.slowest_answer.max(started.elapsed());
    // In its first moments, or from then on.
    if !settles && rng.u8(0..3) == 0 {
        wait::pass(Duration::from_millis(rng.u64(0..200)));
        report.killed_early += 1;
        return server.still_runs();
    }
    server.ready()?;
    report.slowest_recovery = report.slowest_recovery.max(started.elapsed());
    wait::pass(Duration::from_millis(rng.u64(0..800)));
    server.still_runs()
}

fn compare_rows(
    table: &Table,
    rows: &[serde_json::Value],
    history: &History,
) -> anyhow::Result<u64> {
    let mut expected: BTreeMap<i64, _> =
        history.rows(table.name).map(|row| (row.id, row)).collect();
    for row in rows {
        let row = row_of(row)?;
        let should = expected.remove(&row.id);
        ensure!(
            should == Some(&row),
            "WRONG: {}: {row:?} should be {should:?}",
            table.name
        );
    }
    ensure!(
        expected.is_empty(),
        "WRONG: {}: {} rows are missing",
        table.name,
        expected.len()
    );
    Ok(rows.len() as u64 * 4)
}

fn compare_lines(
    table: &Table,
    rows: &[serde_json::Value],
    history: &History,
) -> anyhow::Result<u64> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        let line = row["line"].as_str().context("no line")?;
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    let expected = history.lines(table.name);
    ensure!(
        counts == expected,
        "WRONG: {}: {counts:?} should be {expected:?}",
        table.name
    );
    Ok(rows.len() as u64)
}

fn told_of<'a>(tables: &'a Exact, name: &str) -> anyhow::Result<&'a Exact> {
    let tables = tables.get("tables").as_list().context("no tables")?;
    let mut named = tables
        .iter()
        .filter(|table| table.get("name").as_text() == Some(name));
    named.next().with_context(|| format!("no table {name}"))
}

fn joined(thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<()>>) -> anyhow::Result<()> {
    match thread.join() {
        Ok(ended) => ended,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { reads, .. } = self;
        writeln!(
            f,
            "{} kills ({} before the server was ready), {} records written",
            self.kills, self.killed_early, self.records
        )?;
        writeln!(
            f,
            "{} answers checked ({} partitions held to an as_of from before a kill or ahead of this life), {} served below their at_least and said so, {} cells compared",
            reads.checked, reads.across_kills, reads.served_below, self.cells_compared
        )?;
        writeln!(
            f,
            "{} answers with half of a key change, of tables that were catching up",
            reads.halves
        )?;
        writeln!(
            f,
            "refused: {:?}, nobody there: {}",
            reads.refused, reads.unanswered
        )?;
        write!(
            f,
            "slowest first answer {} ms, slowest recovery {} ms",
            self.slowest_answer.as_millis(),
            self.slowest_recovery.as_millis()
        )
    }
}
