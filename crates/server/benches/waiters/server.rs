//! The release binary, following the record file.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, bail};
use telemetry::clock;

use crate::records::LAST_ROW;

const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(2);

pub struct Server {
    process: Child,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    pub fn start(directory: &Path, records: &Path) -> anyhow::Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let config = directory.join("rowtide.toml");
        std::fs::write(
            &config,
            format!(
                "data_dir = {:?}\n[listen]\ndata = \"{address}\"\nadmin = \"{admin}\"\n[[sources]]\nname = \"shop\"\n\
                 kind = \"file\"\npath = {:?}\nfollow = true\n",
                directory.join("data").display(),
                records.display()
            ),
        )?;
        let process = Command::new(env!("CARGO_BIN_EXE_rowtide"))
            .args(["serve", "--log", "error", "--config"])
            .arg(&config)
            .spawn()
            .context("cannot start rowtide")?;
        Ok(Self {
            process,
            address,
            admin,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until the last row shows this change.
    pub fn wait_for_change(&self, nth: u64) -> anyhow::Result<()> {
        let path = format!("/v1/tables/orders/rows/{LAST_ROW}");
        let shown = format!("\"nth\":{nth},");
        until(&path, || {
            get(self.address, &path).is_ok_and(|answer| answer.contains(&shown))
        })
    }

    /// Until a gauge shows this.
    pub fn wait_for(&self, gauge: &str, count: usize) -> anyhow::Result<()> {
        until(gauge, || {
            let metrics = get(self.admin, "/metrics").unwrap_or_default();
            let mut lines = metrics.lines();
            let line = lines.find_map(|line| line.strip_prefix(gauge)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()) == Some(count)
        })
    }

    pub fn resident_bytes(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let resident = status.split_once("VmRSS:").context("no memory")?.1;
        let kilobytes = resident.split_whitespace().next().context("no memory")?;
        Ok(kilobytes.parse::<f64>()? * 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until(what: &str, holds: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = clock::monotonic();
    while !holds() {
        if clock::monotonic() - began > PATIENCE {
            bail!("{what} is not what was waited for");
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another process tells in no other way how far it is"
        )]
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// An address that nobody listens on; most likely that is still so when it is used.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
