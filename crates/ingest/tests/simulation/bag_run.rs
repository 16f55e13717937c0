//! One run with a table without a key: a log and a disk that outlive every process, and what must
//! hold of the rows that readers see.

use checkpoint_store::MemoryDisk;
use testkit::faulty_store::{Fault, Faults};

use crate::bags::{Bag, Bags, Kind};
use crate::canary::Canary;
use crate::coverage::Happening;
use crate::process::{Crashed, Process, Surroundings};
use crate::readers::{self, Readers, Seen};
use crate::trace::Trace;

const STEPS: u32 = 200;

struct World {
    rng: fastrand::Rng,
    source: Bags,
    around: Surroundings,
    readers: Readers,
}

/// Runs to the end of the log, and says what is wrong if anything is.
pub fn run(
    mut rng: fastrand::Rng,
    kind: Kind,
    canary: Canary,
    trace: &Trace,
) -> Result<(), String> {
    let source = Bags::new(kind, &mut rng, trace);
    let around = Surroundings {
        is_torn: false,
        log: source.log.clone(),
        disk: MemoryDisk::default(),
        faults: Faults::default(),
        canary,
        trace: trace.clone(),
    };
    if rng.bool() {
        around.faults.write_ahead_above(rng.usize(1..200));
    }
    let mut world = World {
        source,
        rng,
        around,
        readers: Readers::default(),
    };
    let mut process = world.open()?;
    for step in 0..STEPS {
        trace.begin_step(step);
        if world.rng.u32(..15) == 0 {
            let fault = Fault::ALL[world.rng.usize(..Fault::ALL.len())];
            world.around.faults.after(world.rng.u64(..4), fault);
        }
        if world.step(&mut process)?.is_err() {
            trace.count(Happening::Crashed, format_args!(""));
            drop(process);
            process = world.open()?;
        }
    }
    world.around.faults.forget();
    world.source.finish();
    for _ in 0..2 {
        if process.settle(&mut world.rng).is_err() {
            return Err("the process crashed and nothing made it".to_owned());
        }
        world.check_end(&mut process)?;
        drop(process);
        process = world.open()?;
    }
    Ok(())
}

impl World {
    fn open(&mut self) -> Result<Process, String> {
        let batch = self.rng.usize(1..=8);
        self.readers = Readers::default();
        let opened = Process::open(&self.around, batch);
        let mut process = opened.map_err(|error| format!("the disk cannot be read: {error}"))?;
        process.poll();
        process.publish();
        Ok(process)
    }

    fn step(&mut self, process: &mut Process) -> Result<Result<(), Crashed>, String> {
        match self.rng.u32(..100) {
            0..48 => self.source.step(&mut self.rng),
            48..58 => {
                process.poll();
            }
            58..78 => process.deliver(&mut self.rng),
            78..88 => {
                process.publish();
                self.check_cut(process)?;
            }
            88..90 => self.readers.hold(process.sequencer.store()),
            90..93 => {
                let told = (self.around.canary, &self.around.trace);
                let store = process.sequencer.store();
                self.readers.read(store, &mut self.rng, told)?;
            }
            93..99 => return Ok(process.checkpoint()),
            _ => return Ok(Err(Crashed)),
        }
        Ok(Ok(()))
    }

    /// A cut of a topic of one partition is what the records before its offset make of it.
    fn check_cut(&self, process: &Process) -> Result<(), String> {
        let tables = readers::newest(process.sequencer.store());
        let Some(seen) = tables.first() else {
            return Ok(());
        };
        let &[(_, next)] = &seen.table.facts.offsets[..] else {
            return Ok(());
        };
        let (bag, expected) = (bag(seen), self.source.bags_after(next as usize));
        if expected.contains(&bag) {
            return Ok(());
        }
        Err(format!(
            "at {next} it holds {bag:?}, and should {expected:?}"
        ))
    }

    fn check_end(&self, process: &mut Process) -> Result<(), String> {
        let aside = process.quarantine();
        if !aside.is_empty() {
            return Err(format!("{aside:?} are put aside"));
        }
        let tables = readers::newest(process.sequencer.store());
        let held = tables.first().map(bag).unwrap_or_default();
        if held != self.source.bag {
            let bag = &self.source.bag;
            return Err(format!("at the end it holds {held:?}, and should {bag:?}"));
        }
        let facts = tables.first().map(|seen| &seen.table.facts);
        let incomplete = facts.and_then(|facts| facts.incomplete_because.clone());
        incomplete.map_or(Ok(()), Err)
    }
}

/// How many rows of each content a table has.
fn bag(seen: &Seen) -> Bag {
    let mut bag = Bag::new();
    for (id, row) in &seen.rows {
        let v = row.trim_start_matches("v=").to_owned();
        *bag.entry((*id, v)).or_default() += 1;
    }
    bag
}
