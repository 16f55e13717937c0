//! Several writers at once, until they are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use black_box::wait;
use fastrand::Rng;
use postgres::Client;

use super::transactions;

/// Writers that are at work. They end when this is dropped, too.
pub struct Writers {
    running: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<(), postgres::Error>>>,
}

impl Writers {
    /// One for each client. Each pauses so long between two transactions.
    pub fn start(clients: Vec<Client>, pause: Duration, seed: u64) -> Self {
        let (running, committed) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let threads = (seed..)
            .zip(clients)
            .map(|(seed, mut client)| {
                let (running, committed) = (Arc::clone(&running), Arc::clone(&committed));
                std::thread::spawn(move || {
                    let mut random = Rng::with_seed(seed);
                    while running.load(Ordering::Relaxed) {
                        let receipt = transactions::any(&mut client, &mut random)?;
                        committed.fetch_add(u64::from(receipt.is_some()), Ordering::Relaxed);
                        wait::pass(pause);
                    }
                    Ok(())
                })
            })
            .collect();
        Self {
            running,
            committed,
            threads,
        }
    }

    /// Transactions that were committed so far.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// An error if one of them had to give up: then nothing is left to wait for.
    pub fn still_write(&self) -> anyhow::Result<()> {
        ensure!(
            !self.threads.iter().any(JoinHandle::is_finished),
            "a writer gave up"
        );
        Ok(())
    }

    /// How many they committed; an error if one of them had to give up.
    pub fn stop(mut self) -> anyhow::Result<u64> {
        self.running.store(false, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread
                .join()
                .map_err(|_| anyhow!("a writer panicked"))?
                .context("a writer gave up")?;
        }
        Ok(self.committed())
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
    }
}
