//! One run with a table without a key: a log and a disk that outlive every process, and what must
//! hold of the rows that readers see.

use checkpoint_store::MemoryDisk;
use testkit::faulty_store::{Fault, Faults};

use crate::bags::{Bag, Bags, Kind};
use crate::process::{Canary, Crashed, Process};

const STEPS: u32 = 200;

struct World {
    rng: fastrand::Rng,
    source: Bags,
    disk: MemoryDisk,
    faults: Faults,
}

/// Runs to the end of the log, and says what is wrong if anything is.
pub fn run(seed: u64, kind: Kind) -> Result<(), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World {
        source: Bags::new(kind, &mut rng),
        rng,
        disk: MemoryDisk::default(),
        faults: Faults::default(),
    };
    let mut process = world.open()?;
    for _ in 0..STEPS {
        if world.rng.u32(..15) == 0 {
            let fault = Fault::ALL[world.rng.usize(..Fault::ALL.len())];
            world.faults.after(world.rng.u64(..4), fault);
        }
        if world.step(&mut process)?.is_err() {
            drop(process);
            process = world.open()?;
        }
    }
    world.faults.forget();
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
        let log = &self.source.log;
        let opened = Process::open(log, &self.disk, &self.faults, batch, Canary::None);
        let mut process = opened.map_err(|error| format!("the disk cannot be read: {error}"))?;
        process.poll();
        process.publish();
        Ok(process)
    }

    fn step(&mut self, process: &mut Process) -> Result<Result<(), Crashed>, String> {
        match self.rng.u32(..100) {
            0..50 => self.source.step(&mut self.rng),
            50..60 => {
                process.poll();
            }
            60..80 => process.deliver(&mut self.rng),
            80..90 => {
                process.publish();
                self.check_cut(process)?;
            }
            90..99 => return Ok(process.checkpoint()),
            _ => return Ok(Err(Crashed)),
        }
        Ok(Ok(()))
    }

    /// A cut of a topic of one partition is what the records before its offset make of it.
    fn check_cut(&self, process: &Process) -> Result<(), String> {
        let bags = process.bags();
        let Some((table, bag)) = bags.first() else {
            return Ok(());
        };
        let &[(_, next)] = &table.facts.offsets[..] else {
            return Ok(());
        };
        let expected = self.source.bags_after(next as usize);
        if expected.contains(bag) {
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
        let bags = process.bags();
        let held = bags.first().map_or(Bag::new(), |(_, bag)| bag.clone());
        if held != self.source.bag {
            let bag = &self.source.bag;
            return Err(format!("at the end it holds {held:?}, and should {bag:?}"));
        }
        let incomplete = bags
            .first()
            .and_then(|(table, _)| table.facts.incomplete_because.clone());
        incomplete.map_or(Ok(()), Err)
    }
}
