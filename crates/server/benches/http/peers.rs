//! The servers that are measured: each a process of its own, killed at the end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use telemetry::clock;

use crate::{bare, client, order};

/// Until a server answers. The rows are read before.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Ticks of the kernel's account of CPU time, a second.
const TICKS_PER_S: f64 = 100.0;

/// A running server.
pub struct Peer {
    process: Child,
    address: SocketAddr,
}

impl Peer {
    /// The release binary, with the rows of a record file and no checkpoint.
    pub fn rowtide(directory: &Path, orders: u64) -> anyhow::Result<Self> {
        let records = directory.join("orders.jsonl");
        write_records(&records, orders).context("cannot write the records")?;
        let (data, admin) = (free_address()?, free_address()?);
        let mut command = Command::new(env!("CARGO_BIN_EXE_rowtide"));
        command.args(["serve", "--ephemeral", "--log", "warn", "--replay"]);
        command.arg(records);
        command.args(["--listen", &data.to_string(), "--admin", &admin.to_string()]);
        Self::start(command, data, || {
            client::get(admin, "/startupz").is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
        })
    }

    /// The bare server, which imitates the answer in this file.
    pub fn bare(answer: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([bare::VERB, &address.port().to_string()]);
        command.arg(answer);
        Self::start(command, address, || TcpStream::connect(address).is_ok())
    }

    /// `None` if there is no Redis on this machine.
    pub fn redis() -> anyhow::Result<Option<Self>> {
        const PROGRAM: &str = "redis-server";
        let version = Command::new(PROGRAM).arg("--version").output();
        if version.is_err() {
            return Ok(None);
        }
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new(PROGRAM);
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
        command.stdout(Stdio::null());
        Self::start(command, address, || TcpStream::connect(address).is_ok()).map(Some)
    }

    fn start(
        mut command: Command,
        address: SocketAddr,
        answers: impl Fn() -> bool,
    ) -> anyhow::Result<Self> {
        let process = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut peer = Self { process, address };
        let started = clock::monotonic();
        while !answers() {
            if let Some(status) = peer.process.try_wait()? {
                bail!("{} ended: {status}", command.get_program().display());
            }
            if clock::monotonic() - started > PATIENCE {
                bail!("{} does not answer", command.get_program().display());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(peer)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and system time so far.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // Counted from behind the command's name, which may contain anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut ticks = fields.split_whitespace().skip(11);
        let mut next = || ticks.next()?.parse::<f64>().ok();
        let (user, system) = next().zip(next()).context("an account without CPU time")?;
        Ok((user + system) / TICKS_PER_S)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that nobody listens on; most likely that is still so when it is used.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

fn write_records(path: &Path, orders: u64) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for id in 1..=orders {
        let record = serde_json::json!({
            "topic": "shop.public.orders",
            "partition": 0,
            "offset": id - 1,
            "timestamp": 1_795_223_140_875_i64,
            "key": order::key(id),
            "value": order::event(id),
            "headers": [],
        });
        writeln!(out, "{record}")?;
    }
    Ok(out.flush()?)
}
