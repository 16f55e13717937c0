//! Puts the rows of a checkpoint back into their table, on as many threads as they are worth.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Builder};

use checkpoint_store::{CheckpointError, CheckpointStore, Share, TableSummary};
use row_model::{CutId, Version};
use table_store::{Restorer, TableIdentity, TableWriter};

use crate::settings::limits;

/// The smallest step of progress that is told.
const TOLD_EVERY: f64 = 0.005;

/// Puts back all rows of a table, of which so much is stored. `progress` hears now and then which share of
/// them is there.
pub(crate) fn restore_rows(
    writer: &mut TableWriter,
    store: &dyn CheckpointStore,
    stored: Option<&TableSummary>,
    progress: &mut dyn FnMut(f64),
) -> Result<(), CheckpointError> {
    let Some(stored) = stored else {
        return Ok(());
    };
    let threads = threads_for(stored.rows_max);
    let identity = writer.table().identity().clone();
    let mut restorers = writer.restorers(threads, stored.chunks, stored.rows_max);
    let restored = AtomicU64::new(0);
    thread::scope(|scope| {
        let mut shares = restorers.iter_mut().enumerate().map(|(number, restorer)| {
            let share = Share {
                number: number as u32,
                of: threads as u32,
            };
            Restoring {
                identity: &identity,
                store,
                share,
                restorer,
                restored: &restored,
            }
        });
        let first = shares.next();
        let others: Vec<_> = shares
            .map(|share| {
                let name = format!("rowtide-load-{}", share.share.number);
                let builder = Builder::new().name(name);
                builder.spawn_scoped(scope, || share.run(&mut |_| ()))
            })
            .collect();
        let whole = stored.rows_max.max(1) as f64;
        let mut told_of = 0.0;
        let told = &mut |rows: u64| {
            let share = (rows as f64 / whole).min(1.0);
            if share - told_of >= TOLD_EVERY {
                told_of = share;
                progress(share);
            }
        };
        let mut outcome = first.map_or(Ok(()), |share| share.run(told));
        for other in others {
            let other = other.map_err(|error| {
                CheckpointError::Stopped(format!("cannot start a thread: {error}"))
            });
            outcome = outcome.and(match other.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(restored)) => restored,
                Ok(Err(panic)) => resume_unwind(panic),
                Err(error) => Err(error),
            });
        }
        outcome
    })?;
    writer.restored(restorers);
    Ok(())
}

/// What one thread does.
struct Restoring<'a> {
    identity: &'a TableIdentity,
    store: &'a dyn CheckpointStore,
    share: Share,
    restorer: &'a mut Restorer,
    /// Rows that are back, those of all threads.
    restored: &'a AtomicU64,
}

impl Restoring<'_> {
    fn run(self, progress: &mut dyn FnMut(u64)) -> Result<(), CheckpointError> {
        let table = self.identity.id;
        self.store.load_share(table, self.share, &mut |rows| {
            for (slot, bytes) in rows {
                let unfit = |what: &str| {
                    let name = &self.identity.name;
                    CheckpointError::Stopped(format!("table {name}: slot {} {what}", slot.0))
                };
                let version = Version::from_saved(CutId(0), bytes);
                let version = version.ok_or_else(|| unfit("holds no row"))?;
                if !self.restorer.put(*slot, version) {
                    return Err(unfit("is none of the table's"));
                }
            }
            let rows = rows.len() as u64;
            progress(self.restored.fetch_add(rows, Ordering::Relaxed) + rows);
            Ok(())
        })
    }
}

fn threads_for(rows: u64) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let worth = rows / limits::LOAD_THREAD_ROWS_MIN;
    cores
        .min(limits::LOAD_THREADS_MAX)
        .min(usize::try_from(worth).unwrap_or(usize::MAX))
        .max(1)
}
