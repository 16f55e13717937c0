//! The release binary, following the broker.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, bail};
use telemetry::clock;

use crate::consumer::number_behind;
use crate::http::Connection;
use crate::load::{PROBED_ROW, PROBED_TABLE, PROBES_PER_S};
use crate::moments::Moments;

const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);
/// The beginning is no part of what is measured: caches are cold, and the server reads what was written before.
const WARM_UP: Duration = Duration::from_secs(3);

pub struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    pub fn start(directory: &Path, brokers: &str) -> anyhow::Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let config = directory.join("rowtide.toml");
        std::fs::write(
            &config,
            format!(
                "data_dir = {:?}\n[listen]\ndata = \"{address}\"\nadmin = \"{admin}\"\n[[sources]]\nname = \"bench\"\n\
                 kind = \"kafka\"\nbrokers = \"{brokers}\"\ntopics = [\"bench.public.*\"]\n\
                 [sources.kafka]\n\"fetch.wait.max.ms\" = \"1\"\n",
                directory.join("data").display()
            ),
        )?;
        let process = Command::new(env!("CARGO_BIN_EXE_rowtide"))
            .args(["serve", "--log", "error", "--config"])
            .arg(&config)
            .spawn()
            .context("cannot start rowtide")?;
        Ok(Self { process, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until it shows what was written within half a second, and a while longer.
    pub fn wait_for_probes(&self, moments: &Moments) -> anyhow::Result<()> {
        let path = format!("/v1/tables/{PROBED_TABLE}/rows/{PROBED_ROW}");
        let shown = || {
            let mut connection = Connection::open(self.address).ok()?;
            let (_, body) = connection.get(&path).ok()?;
            number_behind(body, br#""probe":"#)
        };
        let began = clock::monotonic();
        while shown().is_none_or(|shown| shown + PROBES_PER_S / 2 < moments.newest()) {
            if clock::monotonic() - began > PATIENCE {
                bail!("rowtide does not keep up with what is written");
            }
            pass(PAUSE);
        }
        pass(WARM_UP);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process tells in no other way that it answers"
)]
fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// An address that nobody listens on; most likely that is still so when it is used.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
