//! The release binary on a directory that holds a checkpoint: when it answers, and what it takes.
//!
//! Its broker is not there, so nothing but the checkpoint is measured: it serves what that holds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use telemetry::clock;

use crate::pipeline::SOURCE;
use crate::process;
use crate::shop::{COURIERS_TOPIC, ORDERS_TOPIC};

const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(1);

/// What one start took.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Until a row of the small table was answered.
    pub first_row_s: f64,
    /// Until every table was there.
    pub all_loaded_s: f64,
    pub cpu_s: f64,
    pub peak_bytes: u64,
}

struct Server {
    process: Child,
    began: Instant,
}

impl Start {
    /// Starts the server on the directory, and kills it when everything is loaded.
    pub fn measure(directory: &Path) -> anyhow::Result<Self> {
        let (data, admin) = (free_address()?, free_address()?);
        let config = directory.join("bench.toml");
        std::fs::write(
            &config,
            format!(
                "data_dir = {:?}\n[listen]\ndata = \"{data}\"\nadmin = \"{admin}\"\n[[sources]]\nname = \"{SOURCE}\"\n\
                 kind = \"kafka\"\nbrokers = \"127.0.0.1:1\"\ntopics = [\"{ORDERS_TOPIC}\", \"{COURIERS_TOPIC}\"]\n",
                directory.display()
            ),
        )?;
        let began = clock::monotonic();
        let process = Command::new(env!("CARGO_BIN_EXE_rowtide"))
            .args(["serve", "--log", "error", "--config"])
            .arg(&config)
            .spawn()
            .context("cannot start rowtide")?;
        let mut server = Server { process, began };
        let first_row_s = server.wait_for(data, "/v1/tables/couriers/rows/7")?;
        let all_loaded_s = server.wait_for(data, "/v1/tables/orders/rows/7")?;
        let id = server.process.id();
        Ok(Self {
            first_row_s,
            all_loaded_s,
            cpu_s: process::cpu_seconds(id)?,
            peak_bytes: process::peak_bytes(id)?,
        })
    }
}

impl Server {
    /// Seconds from the start to the first answer with status 200.
    fn wait_for(&mut self, address: SocketAddr, path: &str) -> anyhow::Result<f64> {
        while !is_ok(address, path) {
            if let Some(status) = self.process.try_wait()? {
                bail!("rowtide ended: {status}");
            }
            if clock::monotonic() - self.began > PATIENCE {
                bail!("rowtide does not answer {path}");
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "another process tells in no other way that it answers"
            )]
            std::thread::sleep(PAUSE);
        }
        Ok((clock::monotonic() - self.began).as_secs_f64())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_ok(address: SocketAddr, path: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok::<_, std::io::Error>(head)
    };
    ask().is_ok_and(|head| head.ends_with(b" 200"))
}

/// An address that nobody listens on; most likely that is still so when it is used.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
