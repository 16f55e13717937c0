//! sled 0.34 as a medium. The only file that names it.
//!
//! What sled does not do is done here: its `flush` on Linux starts the write-out of its log but
//! syncs neither the file's length nor the disk, so the file is synced after it; an IO error
//! poisons it, so [`recover`](Medium::recover) opens it anew; a snapshot left half written would
//! be read as the newest, so it is removed; and where damaged files make it panic, the panic is
//! caught and told as damage.
//!
//! # Measured
//! Before rows were packed, which halves what is written and taken (`cargo xtask bench recovery` measures what
//! ships): 1 M rows, 190 bytes each as stored (181 MiB), 2 shared cores, an SSD, release:
//!
//! | | time | written | disk, of the rows | memory beside the rows |
//! |---|---|---|---|---|
//! | first checkpoint, all rows | 0.6-0.8 s | 650-770 MB | 1.5-1.8x | 130-160 MB |
//! | 10,000 random rows, each of 1,500 checkpoints | 22-26 ms | 17.6 MB | 2.5x after 40, 3.1x from 120 on | 130-155 MB |
//! | 500 random rows | 1.5 ms | 0.8 MB | | 110-120 MB |
//! | open and load all | 0.25 s | | | 85 MB |
//!
//! The layout bounds rows and deltas by 1.5x the rows; sled makes at most 3.3x of it on disk,
//! because it cleans a segment only when half of it is garbage and keeps up to 10 superseded
//! changes of each leaf. Rows of 378 bytes take 2x the time.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use crate::directory::Directory;
use crate::limits::{
    SLED_CACHE_BYTES, SLED_CLOSE_MAX, SLED_COPY_BYTES, SLED_EXTRA_TOUCHES, SLED_SEGMENT_BYTES,
};
use crate::quiet::caught;
use crate::{CheckpointError, CheckpointStore, Checkpoints, Medium, Visit, WriteBatch};

/// Checkpoints on disk.
pub type SledStore = Checkpoints<SledMedium>;

/// sled in a directory of its own.
#[derive(Debug)]
pub struct SledMedium {
    /// `None` after a failed recovery.
    open: Option<OpenSled>,
    /// It is open in the fresh place: the next flush exchanges what is there for it.
    anew: bool,
    directory: Directory,
}

#[derive(Debug)]
struct OpenSled {
    db: sled::Db,
    /// sled's log, opened once more: syncing any handle of a file syncs the file.
    log: File,
}

impl SledStore {
    /// Opens the checkpoint in `dir`, or begins one there.
    ///
    /// # Errors
    /// See [`CheckpointError`]: in use, foreign, newer, damaged, or not to be read or written.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let store = Self::open_on(SledMedium::open(dir)?)?;
        if store.sequence() == 0 && store.medium().directory.used() {
            return Err(Self::all_lost());
        }
        Ok(store)
    }

    pub(crate) fn all_lost() -> CheckpointError {
        CheckpointError::corrupt(
            "the store",
            "a checkpoint was made here, and all of it is lost",
        )
    }
}

impl SledMedium {
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let directory = Directory::claim(dir)?;
        let failed = |source| CheckpointError::Open {
            dir: dir.to_path_buf(),
            source,
        };
        finish_exchange(&directory).map_err(failed)?;
        let open = match OpenSled::open(&directory) {
            // Half of sled's first files, which nobody was told to be a checkpoint.
            Err(CheckpointError::Corrupt { .. }) if !directory.used() => {
                fs::remove_dir_all(directory.sled_path()).map_err(|source| {
                    CheckpointError::Open {
                        dir: dir.to_path_buf(),
                        source,
                    }
                })?;
                OpenSled::open(&directory)?
            }
            opened => opened?,
        };
        Ok(Self {
            open: Some(open),
            anew: false,
            directory,
        })
    }

    /// Whether a checkpoint was ever completed here.
    pub(crate) fn was_used(&self) -> bool {
        self.directory.used()
    }

    /// sled flushes when its last handle goes, and panics if the disk does not let it. Its threads
    /// may hold its lock for a moment longer: waited for here, so that it can be opened again.
    fn close(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), OpenSled::close)
    }

    /// Copies everything to where nothing is, and makes it durable there.
    fn copy_to(&self, path: &Path) -> Result<(), CheckpointError> {
        let fresh = OpenSled::open_at(path, &self.directory)?;
        self.opened()?.copy_into(&fresh)?;
        fresh.close().map_err(CheckpointError::Write)
    }

    /// Puts what is whole and durable in the fresh place where the store is looked for.
    fn exchange(&mut self) -> io::Result<()> {
        let (fresh, old) = self.directory.exchange_paths();
        self.close()?;
        sync_names(&fresh)?;
        fs::rename(self.directory.sled_path(), old)
    }

    fn opened(&self) -> Result<&OpenSled, CheckpointError> {
        self.open
            .as_ref()
            .ok_or_else(|| CheckpointError::Unsettled("the store is closed".to_owned()))
    }
}

impl OpenSled {
    fn close(self) -> io::Result<()> {
        let Self { db, log } = self;
        let _ = caught(move || drop(db));
        let (release, released) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("checkpoint-close".to_owned())
            .spawn(move || {
                let locked = log.lock();
                drop(log);
                // Nobody listens any more if it took too long.
                let _ = release.send(locked);
            })?;
        let too_long = |_| io::Error::new(io::ErrorKind::TimedOut, "the store does not close");
        released.recv_timeout(SLED_CLOSE_MAX).map_err(too_long)?
    }

    fn open(directory: &Directory) -> Result<Self, CheckpointError> {
        Self::open_at(&directory.sled_path(), directory)
    }

    fn open_at(path: &Path, directory: &Directory) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Open {
            dir: directory.path().to_path_buf(),
            source,
        };
        remove_unfinished_snapshots(path).map_err(failed)?;
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(SLED_CACHE_BYTES)
            .segment_size(SLED_SEGMENT_BYTES)
            .flush_every_ms(None);
        let db = guarded(failed, || config.open())?;
        let log = File::open(path.join("db")).map_err(failed)?;
        // The names of sled's files, which it does not sync either.
        File::open(path)
            .and_then(|dir| dir.sync_all())
            .map_err(failed)?;
        Ok(Self { db, log })
    }

    /// Copies everything there is into an empty store, and makes it durable there.
    fn copy_into(&self, fresh: &Self) -> Result<(), CheckpointError> {
        let (mut writes, mut bytes) = (sled::Batch::default(), 0);
        let mut entries = self.db.iter();
        while let Some((key, value)) =
            guarded(CheckpointError::Read, || entries.next().transpose())?
        {
            guarded(CheckpointError::Read, || self.touch(&key))?;
            bytes += key.len() + value.len();
            writes.insert(&key, value);
            if bytes > SLED_COPY_BYTES {
                let full = std::mem::take(&mut writes);
                guarded(CheckpointError::Write, || fresh.db.apply_batch(full))?;
                bytes = 0;
            }
            guarded(CheckpointError::Write, || fresh.touch(&key))?;
        }
        guarded(CheckpointError::Write, || {
            fresh.db.apply_batch(writes)?;
            fresh.db.flush()
        })?;
        fresh.log.sync_all().map_err(CheckpointError::Write)
    }

    /// Brings sled to evict: see [`SLED_EXTRA_TOUCHES`].
    fn touch(&self, key: &[u8]) -> sled::Result<()> {
        (0..SLED_EXTRA_TOUCHES).try_for_each(|_| self.db.contains_key(key).map(drop))
    }
}

impl Drop for SledMedium {
    fn drop(&mut self) {
        // What is durable is durable; there is nothing else to lose.
        let _ = self.close();
    }
}

impl Medium for SledMedium {
    fn apply(&mut self, batch: WriteBatch) -> Result<(), CheckpointError> {
        let open = self.opened()?;
        let mut writes = sled::Batch::default();
        let mut written = Vec::new();
        for (key, value) in batch {
            let key = sled::IVec::from(key);
            match value {
                Some(value) => {
                    written.push(key.clone());
                    writes.insert(key, value);
                }
                None => writes.remove(key),
            }
        }
        guarded(CheckpointError::Write, || {
            open.db.apply_batch(writes)?;
            written.iter().try_for_each(|key| open.touch(key))
        })
    }

    fn flush(&mut self) -> Result<(), CheckpointError> {
        let open = self.opened()?;
        guarded(CheckpointError::Write, || open.db.flush())?;
        open.log.sync_data().map_err(CheckpointError::Write)?;
        if std::mem::take(&mut self.anew) {
            self.exchange().map_err(CheckpointError::Write)?;
            self.recover()?;
        }
        self.directory.mark_used().map_err(CheckpointError::Write)
    }

    fn recover(&mut self) -> Result<(), CheckpointError> {
        self.anew = false;
        self.close().map_err(CheckpointError::Write)?;
        finish_exchange(&self.directory).map_err(CheckpointError::Write)?;
        let opened = OpenSled::open(&self.directory).map_err(|error| match error {
            CheckpointError::Open { source, .. } => CheckpointError::Write(source),
            other => other,
        });
        self.open = Some(opened?);
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<(), CheckpointError> {
        // Whatever state it is in: its files stay until others take their place.
        self.close().map_err(CheckpointError::Write)?;
        finish_exchange(&self.directory).map_err(CheckpointError::Write)?;
        let (fresh_path, _) = self.directory.exchange_paths();
        self.open = Some(OpenSled::open_at(&fresh_path, &self.directory)?);
        self.anew = true;
        Ok(())
    }

    /// sled's log keeps what was removed until its place is needed: everything is copied into a new one.
    fn scrub(&mut self) -> Result<(), CheckpointError> {
        finish_exchange(&self.directory).map_err(CheckpointError::Write)?;
        let (fresh_path, _) = self.directory.exchange_paths();
        if let Err(error) = self.copy_to(&fresh_path) {
            // It would take room until the next commit, for which there may be none left.
            let _ = finish_exchange(&self.directory);
            return Err(error);
        }
        self.exchange().map_err(CheckpointError::Write)?;
        self.recover()
    }

    fn disk_bytes(&self) -> u64 {
        self.directory.disk_bytes()
    }

    fn free_bytes(&self) -> u64 {
        self.directory.free_bytes()
    }

    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, CheckpointError> {
        let open = self.opened()?;
        let value = guarded(CheckpointError::Read, || {
            open.touch(key)?;
            open.db.get(key)
        })?;
        if let Some(value) = &value {
            read(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), CheckpointError> {
        let open = self.opened()?;
        let mut entries = open.db.scan_prefix(prefix);
        while let Some((key, value)) =
            guarded(CheckpointError::Read, || entries.next().transpose())?
        {
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Ends an exchange of sled's files for a copy of them, wherever it stopped. They make room only for a
/// copy that is whole and durable: where they are gone it takes their place, else it is nothing.
fn finish_exchange(directory: &Directory) -> io::Result<()> {
    let current = directory.sled_path();
    let (fresh, old) = directory.exchange_paths();
    if old.try_exists()? && !current.try_exists()? {
        fs::rename(&fresh, &current)?;
        sync_names(directory.path())?;
    }
    for leftover in [fresh, old] {
        if leftover.try_exists()? {
            fs::remove_dir_all(leftover)?;
        }
    }
    Ok(())
}

fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// sled writes a snapshot under a draft's name, and then takes a draft it left behind for the
/// newest snapshot: a crash or a full disk at that moment would close the store for good.
fn remove_unfinished_snapshots(sled_path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(sled_path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "generating")
        {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Calls sled. Its IO errors become `failed`, its other errors and its panics are damage.
fn guarded<T>(
    failed: impl FnOnce(io::Error) -> CheckpointError,
    call: impl FnOnce() -> sled::Result<T>,
) -> Result<T, CheckpointError> {
    let damage = |reason: String| CheckpointError::corrupt("the store's files", reason);
    match caught(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(source))) => Err(failed(source)),
        Ok(Err(sled::Error::Corruption { .. })) => {
            Err(damage("a checksum does not match".to_owned()))
        }
        Ok(Err(error)) => Err(damage(error.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(damage(text.unwrap_or("unreadable").to_owned()))
        }
    }
}
