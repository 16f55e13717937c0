//! A disk that fails on command: refused writes, a full disk, a stuck one, crashes between writes.
//!
//! Faults are injected under the layout, at every single write of it, so that what is tested is
//! the store that ships. [`Faults`] is the test's end: it works while the store is owned elsewhere.

use std::io;
use std::sync::Arc;

use checkpoint_store::{
    CheckpointError, Checkpoints, Medium, MemoryDisk, MemoryMedium, Visit, WriteBatch,
};
use parking_lot::{Condvar, Mutex, MutexGuard};

/// A store in memory whose disk fails as [`Faults`] say.
pub type FaultyStore = Checkpoints<FaultyMedium<MemoryMedium>>;

/// What happens instead of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused.
    Refuse,
    /// It is done, and reported as failed.
    LoseConfirmation,
    /// The process ends before it, and nothing that was not flushed survives.
    CrashLosing,
    /// The process ends after it, and everything survives.
    CrashKeeping,
    /// The process ends after it, and of the batches that were not flushed this many survive, the first.
    CrashKeepingFirst(u8),
    /// The same, and of the next batch half: what [`Medium::apply`] promises not to happen. Whoever
    /// reads that must notice.
    CrashTearing(u8),
}

impl Fault {
    /// All that a medium may do to a store that must then hold what it held, or all of the next.
    pub const ALL: [Self; 5] = [
        Self::Refuse,
        Self::LoseConfirmation,
        Self::CrashLosing,
        Self::CrashKeeping,
        Self::CrashKeepingFirst(1),
    ];

    #[must_use]
    pub fn is_crash(self) -> bool {
        !matches!(self, Self::Refuse | Self::LoseConfirmation)
    }
}

/// What will go wrong. Clones are the same plan.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<(Mutex<Plan>, Condvar)>);

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent things that are wrong with a disk"
)]
#[derive(Debug, Default)]
struct Plan {
    /// Batches applied and flushes asked for so far.
    writes: u64,
    next: Option<(u64, Fault)>,
    happened: Option<Fault>,
    /// `None` is as the medium within says.
    batch_bytes_max: Option<usize>,
    /// Flushes are said to be done, and are not.
    lies: bool,
    full: bool,
    damaged: bool,
    stuck: bool,
    crashed: bool,
    /// What the disk is said to be taken of.
    disk_bytes: u64,
}

/// A medium with faults.
#[derive(Debug)]
pub struct FaultyMedium<M> {
    inner: M,
    faults: Faults,
    /// What is written now is to take the place of what is damaged.
    anew: bool,
    /// What was applied since the last flush, in order.
    unflushed: Vec<WriteBatch>,
}

fn damaged() -> CheckpointError {
    CheckpointError::Corrupt {
        table: None,
        what: "the disk".to_owned(),
        reason: "unreadable".to_owned(),
    }
}

/// Opens the store that `disk` holds, as a process that was started anew.
///
/// # Errors
/// As any store's.
pub fn open_faulty(disk: &MemoryDisk, faults: &Faults) -> Result<FaultyStore, CheckpointError> {
    Checkpoints::open_on(FaultyMedium::new(MemoryMedium::open(disk)?, faults.clone()))
}

impl Faults {
    /// Lets the write after `writes` others go wrong.
    pub fn after(&self, writes: u64, fault: Fault) {
        let mut plan = self.plan();
        plan.next = Some((plan.writes + writes, fault));
    }

    /// Whatever was planned and has not happened yet does not.
    pub fn forget(&self) {
        self.plan().next = None;
    }

    /// The fault that has happened since this was last asked.
    pub fn take_happened(&self) -> Option<Fault> {
        self.plan().happened.take()
    }

    /// Has checkpoints written ahead in batches of about this size, so that small ones are, too.
    pub fn write_ahead_above(&self, bytes: usize) {
        self.plan().batch_bytes_max = Some(bytes);
    }

    /// From now on flushes are said to be done, and are not: a disk that lies.
    pub fn lie(&self) {
        self.plan().lies = true;
    }

    /// From now on no write finds room.
    pub fn fill_disk(&self) {
        self.plan().full = true;
    }

    pub fn free_disk(&self) {
        self.plan().full = false;
    }

    /// What the disk holds can be read no more, and nothing can be added to it. It can be written anew.
    pub fn damage(&self) {
        self.plan().damaged = true;
    }

    /// From now on writes wait.
    pub fn stick(&self) {
        self.plan().stuck = true;
    }

    pub fn release(&self) {
        self.plan().stuck = false;
        self.0.1.notify_all();
    }

    /// Says that so much of the disk is taken, until everything is written anew.
    pub fn swell(&self, disk_bytes: u64) {
        self.plan().disk_bytes = disk_bytes;
    }

    /// Writes that were tried so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.plan().writes
    }

    /// Whether the planned fault has happened.
    #[must_use]
    pub fn happened(&self) -> bool {
        self.plan().next.is_none()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.0.lock()
    }

    /// Waits while the disk is stuck, and says what becomes of the write that is next.
    fn of_next_write(&self) -> Option<Fault> {
        let stuck = |plan: &mut Plan| plan.stuck && !plan.crashed;
        let mut plan = self.plan();
        self.0.1.wait_while(&mut plan, stuck);
        if plan.crashed || plan.full {
            return Some(Fault::Refuse);
        }
        plan.writes += 1;
        let writes = plan.writes;
        let fault = plan
            .next
            .take_if(|(at, _)| *at < writes)
            .map(|(_, fault)| fault);
        plan.crashed |= fault.is_some_and(Fault::is_crash);
        plan.happened = fault.or(plan.happened);
        fault
    }
}

/// What a medium is asked to write.
enum Write {
    Batch(WriteBatch),
    Flush,
    /// Everything, in another place.
    Anew,
}

impl Write {
    fn batch(self) -> Option<WriteBatch> {
        match self {
            Self::Batch(batch) => Some(batch),
            Self::Flush | Self::Anew => None,
        }
    }
}

impl<M: Medium> FaultyMedium<M> {
    pub fn new(inner: M, faults: Faults) -> Self {
        faults.plan().crashed = false;
        let unflushed = Vec::new();
        Self {
            inner,
            faults,
            anew: false,
            unflushed,
        }
    }

    /// Writes: or what happens instead.
    fn write(&mut self, write: Write) -> Result<(), CheckpointError> {
        match self.faults.of_next_write() {
            None => return self.carry_out(write),
            Some(Fault::Refuse) => {}
            Some(Fault::LoseConfirmation) => self.carry_out(write)?,
            Some(Fault::CrashLosing) => self.survive(0, false)?,
            Some(Fault::CrashKeeping) => {
                self.carry_out(write)?;
                self.inner.flush()?;
            }
            Some(Fault::CrashKeepingFirst(batches)) => {
                self.unflushed.extend(write.batch());
                self.survive(batches, false)?;
            }
            Some(Fault::CrashTearing(batches)) => {
                self.unflushed.extend(write.batch());
                self.survive(batches, true)?;
            }
        }
        Err(CheckpointError::Write(io::ErrorKind::StorageFull.into()))
    }

    fn carry_out(&mut self, write: Write) -> Result<(), CheckpointError> {
        match write {
            Write::Batch(batch) => {
                self.unflushed.push(batch.clone());
                self.inner.apply(batch)
            }
            Write::Flush if self.faults.plan().lies => Ok(()),
            Write::Flush => {
                self.unflushed.clear();
                self.inner.flush()
            }
            Write::Anew => self.inner.scrub(),
        }
    }

    /// Leaves what was flushed and the first of what was not, and perhaps half of what came next.
    fn survive(&mut self, batches: u8, torn: bool) -> Result<(), CheckpointError> {
        self.inner.recover()?;
        if self.anew {
            // What was begun anew is nothing before it is flushed.
            self.unflushed.clear();
        }
        let mut unflushed = std::mem::take(&mut self.unflushed).into_iter();
        for batch in unflushed.by_ref().take(batches.into()) {
            self.inner.apply(batch)?;
        }
        if let Some(next) = unflushed.next().filter(|_| torn) {
            let mut half = WriteBatch::default();
            for (key, value) in next.into_iter().step_by(2) {
                match value {
                    Some(value) => half.put(key, value),
                    None => half.remove(key),
                }
            }
            self.inner.apply(half)?;
        }
        self.inner.flush()
    }

    /// A process that crashed does nothing any more, and what is damaged gives nothing.
    fn alive(&self) -> Result<(), CheckpointError> {
        let plan = self.faults.plan();
        if plan.crashed {
            return Err(CheckpointError::Unsettled("crashed".to_owned()));
        }
        if plan.damaged && !self.anew {
            return Err(damaged());
        }
        Ok(())
    }
}

impl<M: Medium> Medium for FaultyMedium<M> {
    fn batch_bytes_max(&self) -> usize {
        let given = self.faults.plan().batch_bytes_max;
        given.unwrap_or_else(|| self.inner.batch_bytes_max())
    }

    fn apply(&mut self, batch: WriteBatch) -> Result<(), CheckpointError> {
        self.write(Write::Batch(batch))?;
        self.alive()
    }

    fn flush(&mut self) -> Result<(), CheckpointError> {
        self.write(Write::Flush)?;
        if std::mem::take(&mut self.anew) {
            self.faults.plan().damaged = false;
        }
        self.alive()
    }

    fn recover(&mut self) -> Result<(), CheckpointError> {
        if self.faults.plan().crashed {
            return self.alive();
        }
        self.anew = false;
        self.unflushed.clear();
        self.inner.recover()?;
        self.alive()
    }

    fn begin_anew(&mut self) -> Result<(), CheckpointError> {
        self.unflushed.clear();
        self.inner.begin_anew()?;
        self.anew = true;
        self.alive()
    }

    fn scrub(&mut self) -> Result<(), CheckpointError> {
        self.write(Write::Anew)?;
        self.faults.plan().disk_bytes = 0;
        Ok(())
    }

    fn disk_bytes(&self) -> u64 {
        self.faults.plan().disk_bytes
    }

    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, CheckpointError> {
        self.alive()?;
        self.inner.get(key, read)
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), CheckpointError> {
        self.alive()?;
        self.inner.scan(prefix, visit)
    }
}
