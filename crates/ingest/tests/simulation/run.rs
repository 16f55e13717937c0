//! One run: a database, a log and a disk that outlive every process, and what must hold of them.

use checkpoint_store::MemoryDisk;
use table_store::TableCut;
use testkit::faulty_store::{Fault, Faults};

use crate::database::{Database, Rows};
use crate::process::{Canary, Crashed, Process};

const STEPS: u32 = 400;

/// What goes wrong with the disk.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    Random,
    Once { writes: u64, fault: Fault },
}

/// What is known of a run that went well.
pub struct Ran {
    /// Everything that was planned to go wrong did.
    pub faults_happened: bool,
}

struct World {
    rng: fastrand::Rng,
    database: Database,
    disk: MemoryDisk,
    faults: Faults,
    canary: Canary,
}

/// Runs to the end of the log, and says what is wrong if anything is.
pub fn run(seed: u64, plan: Plan, canary: Canary) -> Result<Ran, String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World {
        database: Database::new(&mut rng),
        rng,
        disk: MemoryDisk::default(),
        faults: Faults::default(),
        canary,
    };
    if let Plan::Once { writes, fault } = plan {
        world.faults.after(writes, fault);
    }
    let mut process = world.open()?;
    for _ in 0..STEPS {
        if matches!(plan, Plan::Random) && world.rng.u32(..15) == 0 {
            let fault = Fault::ALL[world.rng.usize(..Fault::ALL.len())];
            world.faults.after(world.rng.u64(..4), fault);
        }
        if world.step(&mut process)?.is_err() {
            drop(process);
            process = world.open()?;
        }
    }
    let faults_happened = world.faults.happened();
    world.faults.forget();
    if process.settle(&mut world.rng).is_err() {
        return Err("the process crashed and nothing made it".to_owned());
    }
    world.check_end(&mut process)?;
    drop(process);
    let mut process = world.open()?;
    world.check_reread(&process)?;
    if process.settle(&mut world.rng).is_err() {
        return Err("the process crashed and nothing made it".to_owned());
    }
    world.check_end(&mut process)?;
    Ok(Ran { faults_happened })
}

impl World {
    /// Starts a process and checks what it begins with.
    fn open(&mut self) -> Result<Process, String> {
        let batch = self.rng.usize(1..=8);
        let log = &self.database.log;
        let opened = Process::open(log, &self.disk, &self.faults, batch, self.canary);
        let mut process = opened.map_err(|error| format!("the disk cannot be read: {error}"))?;
        let loaded = process.tables();
        process.poll();
        process.publish();
        for (at, topic) in self.database.topics.iter().enumerate() {
            let read_from = |partition| log.read_from(topic.name, partition).unwrap_or(0);
            for partition in 0..topic.partitions {
                let acknowledged = log.acknowledged(topic.name, partition);
                if acknowledged.is_some_and(|next| next.0 > read_from(partition)) {
                    return Err(format!(
                        "{}-{partition}: {acknowledged:?} was acknowledged, and a restart reads from {}",
                        topic.name,
                        read_from(partition)
                    ));
                }
            }
            let table = loaded
                .iter()
                .find(|(table, _)| table.table.identity().topic == topic.name);
            let rows = table.map(|(_, rows)| rows.clone()).unwrap_or_default();
            self.check_rows("after a restart", at, &rows, read_from)?;
        }
        Ok(process)
    }

    /// Something happens somewhere.
    fn step(&mut self, process: &mut Process) -> Result<Result<(), Crashed>, String> {
        match self.rng.u32(..100) {
            0..40 => self.database.step(&mut self.rng),
            40..55 => {
                process.poll();
            }
            55..80 => process.deliver(&mut self.rng),
            80..90 => {
                process.publish();
                self.check_cut(process)?;
            }
            90..99 => return Ok(process.checkpoint()),
            _ => return Ok(Err(Crashed)),
        }
        Ok(Ok(()))
    }

    /// Every table of a cut is what the records before its offsets make of it.
    fn check_cut(&self, process: &Process) -> Result<(), String> {
        for (table, rows) in process.tables() {
            let at = self.topic_of(&table);
            let offsets = &table.facts.offsets;
            // Before the source has told its partitions, a table is what was loaded.
            if offsets.len() < self.database.topics[at].partitions as usize {
                continue;
            }
            let next = |partition| {
                offsets
                    .iter()
                    .find(|(of, _)| *of == partition)
                    .map(|at| at.1)
            };
            self.check_rows("at a cut", at, &rows, |partition| {
                next(partition).unwrap_or(0)
            })?;
        }
        Ok(())
    }

    fn check_rows(
        &self,
        when: &str,
        topic: usize,
        rows: &Rows,
        next: impl Fn(i32) -> u64,
    ) -> Result<(), String> {
        let database = &self.database;
        let partitions = database.topics[topic].partitions;
        // A delete that was applied last in its partition is read again after a restart: of each
        // partition it may be part of the table or not.
        let read = |last_deletes: u32| {
            database.rows_after(topic, |partition, offset| {
                let may_be = last_deletes >> partition & 1 == 1 && offset == next(partition);
                offset < next(partition) || (may_be && database.is_delete(topic, partition, offset))
            })
        };
        if (0..1 << partitions).any(|last_deletes| read(last_deletes) == *rows) {
            return Ok(());
        }
        let expected = read(0);
        let mut keys = expected.keys().chain(rows.keys());
        let wrong = keys.find(|key| rows.get(key) != expected.get(key));
        Err(format!(
            "{} {when}: row {wrong:?} is wrong: {rows:?} should be {expected:?}",
            database.topics[topic].name
        ))
    }

    /// At the end of the log everything is there, live, and acknowledged.
    fn check_end(&self, process: &mut Process) -> Result<(), String> {
        let tables = process.tables();
        let mut broken = Vec::new();
        for (at, topic) in self.database.topics.iter().enumerate() {
            let of_topic = self.database.broken_records(at);
            broken.extend(
                of_topic
                    .iter()
                    .map(|(partition, offset)| (topic.name.to_owned(), *partition, *offset)),
            );
            let expected = self.database.rows_after(at, |_, _| true);
            let Some((table, rows)) = tables
                .iter()
                .find(|(table, _)| table.table.identity().topic == topic.name)
            else {
                if expected.is_empty() {
                    continue;
                }
                return Err(format!("{} has no table", topic.name));
            };
            self.check_rows("at the end", at, rows, |_| u64::MAX)?;
            if table.facts.quarantined != of_topic.len() as u64 {
                return Err(format!(
                    "{}: {} records are counted as put aside, and {} were broken",
                    topic.name,
                    table.facts.quarantined,
                    of_topic.len()
                ));
            }
        }
        let (mut aside, mut expected) = (process.quarantine(), broken);
        aside.sort();
        expected.sort();
        if aside != expected {
            return Err(format!(
                "{aside:?} are put aside, and {expected:?} were broken"
            ));
        }
        if !process.is_live() {
            return Err("everything was read, and a table is not live".to_owned());
        }
        Ok(())
    }

    /// A process that is started on the end of the log reads nothing again but a last delete.
    fn check_reread(&self, process: &Process) -> Result<(), String> {
        for (at, topic) in self.database.topics.iter().enumerate() {
            let has_table = process
                .tables()
                .iter()
                .any(|(table, _)| table.table.identity().topic == topic.name);
            for partition in 0..topic.partitions {
                let (from, end) = (
                    self.database.log.read_from(topic.name, partition),
                    self.database.end(at, partition),
                );
                let is_last_delete = from.is_some_and(|from| {
                    from + 1 == end && self.database.is_delete(at, partition, from)
                });
                if has_table && from != Some(end) && !is_last_delete {
                    return Err(format!(
                        "{}-{partition} ends at {end}, and is read from {from:?} again",
                        topic.name
                    ));
                }
            }
        }
        Ok(())
    }

    fn topic_of(&self, table: &TableCut) -> usize {
        let mut topics = self.database.topics.iter();
        let name = &table.table.identity().topic;
        topics
            .position(|topic| topic.name == name)
            .expect("a table of a topic that there is")
    }
}
