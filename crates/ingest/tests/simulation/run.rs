//! One run: a database, a log and a disk that outlive every process, and what must hold of them.

mod checks;

use std::collections::{BTreeMap, BTreeSet};

use checkpoint_store::MemoryDisk;
use testkit::faulty_store::{Fault, Faults};

use crate::canary::Canary;
use crate::coverage::Happening;
use crate::database::Database;
use crate::process::{Crashed, Process, Surroundings};
use crate::readers::{self, Readers};
use crate::trace::Trace;

const STEPS: u32 = 250;

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
    around: Surroundings,
    readers: Readers,
    /// Where the tables that the disk holds begin: what retention had taken before they were read.
    begin: BTreeMap<(String, i32), u64>,
    /// Those of them that began later than was known when they were found.
    cut_unnoticed: BTreeSet<(String, i32)>,
    /// Full snapshots that may have taken effect early, by topic and number: see
    /// [`World::excuse_early_sweeps`].
    swept_early: BTreeSet<(usize, u32)>,
    memory_is_used_up: bool,
}

/// Runs to the end of the log, and says what is wrong if anything is.
pub fn run(
    mut rng: fastrand::Rng,
    plan: Plan,
    canary: Canary,
    trace: &Trace,
) -> Result<Ran, String> {
    let database = Database::new(&mut rng, trace);
    let around = Surroundings {
        log: database.log.clone(),
        disk: MemoryDisk::default(),
        faults: Faults::default(),
        is_torn: false,
        canary,
        trace: trace.clone(),
    };
    if rng.bool() {
        around.faults.write_ahead_above(rng.usize(1..200));
    }
    if canary == Canary::LiesAboutFlushes {
        around.faults.lie();
    }
    let mut world = World {
        rng,
        database,
        around,
        readers: Readers::default(),
        begin: BTreeMap::new(),
        cut_unnoticed: BTreeSet::new(),
        swept_early: BTreeSet::new(),
        memory_is_used_up: false,
    };
    if let Plan::Once { writes, fault } = plan {
        world.around.faults.after(writes, fault);
    }
    let mut process = world.open()?;
    for step in 0..STEPS {
        trace.begin_step(step);
        if matches!(plan, Plan::Random) && world.rng.u32(..15) == 0 {
            world.plan_fault();
        }
        let survived = world.step(&mut process)?;
        world.count_faults();
        if survived.is_err() {
            drop(process);
            process = world.restart()?;
        }
    }
    let faults_happened = world.around.faults.happened();
    trace.begin_step(STEPS);
    world.around.faults.forget();
    world.end(process)?;
    Ok(Ran { faults_happened })
}

impl World {
    /// Something happens somewhere.
    fn step(&mut self, process: &mut Process) -> Result<Result<(), Crashed>, String> {
        match self.rng.u32(..200) {
            0..80 => self.database.step(&mut self.rng),
            80..108 => {
                process.poll();
            }
            108..156 => {
                process.deliver(&mut self.rng);
                self.excuse_early_sweeps(process);
            }
            156..170 => self.publish(process)?,
            170..184 => return Ok(process.checkpoint()),
            184..186 => {
                self.readers.hold(process.sequencer.store());
                self.count(Happening::CutHeld);
            }
            186..189 => {
                let told = (self.around.canary, &self.around.trace);
                let store = process.sequencer.store();
                self.readers.read(store, &mut self.rng, told)?;
            }
            189..191 => {
                let store = process.sequencer.store();
                readers::change_indexes(store, &mut self.rng, &self.around.trace);
            }
            191..193 => process.pause(&mut self.rng),
            193..195 => self.limit_memory(process),
            195..197 => {
                if process.quiet() {
                    self.check_freshness(process)?;
                }
            }
            197 => self.replace_stalled(process)?,
            _ => return Ok(Err(Crashed)),
        }
        Ok(Ok(()))
    }

    fn publish(&mut self, process: &mut Process) -> Result<(), String> {
        process.publish();
        self.note_begun(process);
        self.count(Happening::Published);
        self.check_cut(process)
    }

    /// The process has ended; another one starts on what it left.
    fn restart(&mut self) -> Result<Process, String> {
        self.count(Happening::Crashed);
        self.readers = Readers::default();
        self.memory_is_used_up = false;
        self.open()
    }

    /// Starts a process and checks what it begins with.
    fn open(&mut self) -> Result<Process, String> {
        let batch = self.rng.usize(1..=8);
        let opened = Process::open(&self.around, batch);
        let mut process = match opened {
            Ok(process) => process,
            // What was torn is noticed, and no part of it is served.
            Err(error) if self.around.is_torn => {
                self.around
                    .trace
                    .count(Happening::TornNoticed, format_args!("{error}"));
                self.delete_directory();
                Process::open(&self.around, batch)?
            }
            Err(error) => return Err(format!("the disk cannot be read: {error}")),
        };
        self.check_start(&mut process)?;
        self.around.is_torn = false;
        Ok(process)
    }

    /// An operator does what a table says that has stalled for good: deletes the directory and reads
    /// the log anew.
    fn replace_stalled(&mut self, process: &mut Process) -> Result<(), String> {
        if Self::stalled_for_good(process).is_empty() {
            return Ok(());
        }
        self.count(Happening::Stalled);
        self.readers = Readers::default();
        self.memory_is_used_up = false;
        self.delete_directory();
        *process = self.open()?;
        Ok(())
    }

    fn delete_directory(&mut self) {
        self.count(Happening::DirectoryDeleted);
        self.around.disk = MemoryDisk::default();
        self.around.is_torn = false;
        self.around.log.forget_acknowledged();
        self.begin.clear();
        self.cut_unnoticed.clear();
    }

    fn note_begun(&mut self, process: &mut Process) {
        for begun in process.take_begun() {
            if begun.was_cut_meanwhile {
                self.cut_unnoticed.insert(begun.place.clone());
            } else {
                self.cut_unnoticed.remove(&begun.place);
            }
            self.begin.insert(begun.place, begun.from);
        }
    }

    fn limit_memory(&mut self, process: &mut Process) {
        self.memory_is_used_up ^= true;
        let (max, happening) = if self.memory_is_used_up {
            (0, Happening::MemoryUsedUp)
        } else {
            (u64::MAX, Happening::MemoryFreed)
        };
        self.count(happening);
        process.sequencer.set_memory_max(max);
    }

    fn plan_fault(&mut self) {
        let rng = &mut self.rng;
        let batches = rng.u8(..6);
        let fault = match rng.u32(..16) {
            0..3 => Fault::Refuse,
            3..6 => Fault::LoseConfirmation,
            6..9 => Fault::CrashLosing,
            9..12 => Fault::CrashKeeping,
            12..15 => Fault::CrashKeepingFirst(batches),
            _ => Fault::CrashTearing(batches),
        };
        self.around.faults.after(rng.u64(..12), fault);
    }

    fn count_faults(&mut self) {
        let Some(fault) = self.around.faults.take_happened() else {
            return;
        };
        self.around.is_torn |= matches!(fault, Fault::CrashTearing(_));
        let happening = match fault {
            Fault::Refuse => Happening::WriteRefused,
            Fault::LoseConfirmation => Happening::ConfirmationLost,
            Fault::CrashLosing => Happening::UnflushedLost,
            Fault::CrashKeeping => Happening::EverythingKept,
            Fault::CrashKeepingFirst(_) => Happening::PrefixKept,
            Fault::CrashTearing(_) => Happening::Torn,
        };
        self.count(happening);
    }

    /// Everything that was written is read, by this process and by the next.
    fn end(&mut self, mut process: Process) -> Result<(), String> {
        self.database.finish(&mut self.rng);
        process.sequencer.set_memory_max(u64::MAX);
        for round in 0..2 {
            self.settle(&mut process)?;
            if !Self::stalled_for_good(&mut process).is_empty() {
                self.count(Happening::Stalled);
                drop(process);
                self.delete_directory();
                process = self.open()?;
                self.settle(&mut process)?;
            }
            self.check_end(&mut process)?;
            drop(process);
            process = self.open()?;
            if round == 0 {
                self.check_reread(&process)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, process: &mut Process) -> Result<(), String> {
        let settled = process.settle(&mut self.rng);
        self.note_begun(process);
        self.excuse_early_sweeps(process);
        settled.map_err(|Crashed| "the process crashed and nothing made it".to_owned())
    }

    fn count(&self, happening: Happening) {
        self.around.trace.count(happening, format_args!(""));
    }
}
