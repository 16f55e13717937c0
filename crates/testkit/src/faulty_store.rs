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
}

impl Fault {
    pub const ALL: [Self; 4] = [
        Self::Refuse,
        Self::LoseConfirmation,
        Self::CrashLosing,
        Self::CrashKeeping,
    ];
}

/// What will go wrong. Clones are the same plan.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<(Mutex<Plan>, Condvar)>);

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent faults, each of which comes and goes at a time of its own"
)]
#[derive(Debug, Default)]
struct Plan {
    /// Batches applied and flushes asked for so far.
    writes: u64,
    next: Option<(u64, Fault)>,
    full: bool,
    damaged: bool,
    stuck: bool,
    crashed: bool,
}

/// A medium with faults.
#[derive(Debug)]
pub struct FaultyMedium<M> {
    inner: M,
    faults: Faults,
    /// What is written now is to take the place of what is damaged.
    anew: bool,
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
        plan.crashed |= matches!(fault, Some(Fault::CrashLosing | Fault::CrashKeeping));
        fault
    }
}

impl<M: Medium> FaultyMedium<M> {
    pub fn new(inner: M, faults: Faults) -> Self {
        faults.plan().crashed = false;
        Self {
            inner,
            faults,
            anew: false,
        }
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut M) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let refused = || Err(CheckpointError::Write(io::ErrorKind::StorageFull.into()));
        match self.faults.of_next_write() {
            None => write(&mut self.inner),
            Some(Fault::Refuse) => refused(),
            Some(Fault::LoseConfirmation) => write(&mut self.inner).and_then(|()| refused()),
            Some(Fault::CrashLosing) => self.inner.recover().and_then(|()| refused()),
            Some(Fault::CrashKeeping) => write(&mut self.inner)
                .and_then(|()| self.inner.flush())
                .and_then(|()| refused()),
        }
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
    fn apply(&mut self, batch: WriteBatch) -> Result<(), CheckpointError> {
        self.write(|inner| inner.apply(batch))?;
        self.alive()
    }

    fn flush(&mut self) -> Result<(), CheckpointError> {
        self.write(M::flush)?;
        if std::mem::take(&mut self.anew) {
            self.faults.plan().damaged = false;
        }
        self.alive()
    }

    fn recover(&mut self) -> Result<(), CheckpointError> {
        self.anew = false;
        self.inner.recover()?;
        self.alive()
    }

    fn begin_anew(&mut self) -> Result<(), CheckpointError> {
        self.inner.begin_anew()?;
        self.anew = true;
        self.alive()
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
