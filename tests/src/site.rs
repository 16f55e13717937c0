//! Where a server lives: a folder with a configuration, a data directory and record files, and two
//! ports.
//!
//! Outlives the servers that are started on it one after another, as a disk outlives a process.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, bail};
use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;

use crate::records::{self, Record};
use crate::server::Server;
use crate::{binary, wait};

/// What the one source is called.
pub const SOURCE: &str = "corpus";

/// Closes what was inherited, then becomes the program that is named. A server would otherwise hold
/// the in-process broker's ends of connections, and they would stay open when the broker, or a test
/// beside this one, closes them.
///
/// What would make a file longer than its limit is refused, and does not end the process.
const START_ALONE: &str = r#"
trap '' XFSZ
if [ -n "$FILE_KIB_MAX" ]; then ulimit -S -f "$FILE_KIB_MAX"; fi
for fd in /dev/fd/*; do
    fd=${fd##*/}
    if ((fd > 2)); then eval "exec $fd>&-"; fi
done
exec "$@"
"#;

/// Held while a process is started, until it has nothing left of what this one has open. Whoever closes
/// something for good, rather than its own reference to it, must hold it too.
pub(crate) fn forking() -> MutexGuard<'static, ()> {
    static FORKING: Mutex<()> = Mutex::new(());
    FORKING.lock()
}

/// What differs between the servers of different tests.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether the record file is followed while it grows.
    pub follow: bool,
    pub checkpoint_interval_ms: u32,
    /// The connector's placeholder for values that were not sent, where it is not the usual one.
    pub unavailable_value: Option<&'static str>,
    /// Where the schema registry answers that the records need.
    pub registry_url: Option<String>,
}

impl Settings {
    /// As `default`, where a constant is wanted.
    pub const DEFAULT: Self = Self {
        follow: false,
        checkpoint_interval_ms: 1_000,
        unavailable_value: None,
        registry_url: None,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Said {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub error: String,
}

/// A folder with a configuration, a data directory and record files, on which servers are started
/// one after another.
pub struct Site {
    folder: TempDir,
    data_port: u16,
    admin_port: u16,
}

impl Site {
    /// A site whose servers read the record files that are delivered to it.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let site = Self::empty()?;
        fs::create_dir(site.path("records"))?;
        let records = site.path("records");
        let mut source = format!(
            "kind = \"file\"\npath = \"{}\"\nfollow = {}",
            records.display(),
            settings.follow
        );
        if let Some(value) = settings.unavailable_value {
            write!(source, "\nunavailable_value = \"{value}\"")?;
        }
        if let Some(url) = settings.registry_url {
            write!(source, "\n[sources.schema_registry]\nurl = \"{url}\"")?;
        }
        site.read_from(&source, settings.checkpoint_interval_ms)?;
        Ok(site)
    }

    /// A site whose servers follow topics, names or globs, of a broker.
    pub fn on_kafka(
        brokers: &str,
        topics: &[&str],
        checkpoint_interval_ms: u32,
    ) -> anyhow::Result<Self> {
        let site = Self::empty()?;
        let source = format!("kind = \"kafka\"\nbrokers = \"{brokers}\"\ntopics = {topics:?}");
        site.read_from(&source, checkpoint_interval_ms)?;
        Ok(site)
    }

    fn empty() -> anyhow::Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            data_port: free_port()?,
            admin_port: free_port()?,
        })
    }

    fn read_from(&self, source: &str, checkpoint_interval_ms: u32) -> anyhow::Result<()> {
        self.configure(&format!(
            r#"data_dir = "{data}"
[listen]
data = "{listen}"
admin = "{admin}"
[[sources]]
name = "{SOURCE}"
{source}
[checkpoint]
interval = "{checkpoint_interval_ms}ms"
"#,
            data = self.path("data").display(),
            listen = self.data_address(),
            admin = self.admin_address(),
        ))
    }

    /// A path in the site's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data_port(&self) -> u16 {
        self.data_port
    }

    /// Where the data listener is to be, for a server that is started by flags.
    pub fn data_address(&self) -> String {
        format!("127.0.0.1:{}", self.data_port)
    }

    pub fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin_port)
    }

    /// Replaces the configuration.
    pub fn configure(&self, toml: &str) -> anyhow::Result<()> {
        fs::write(self.path("rowtide.toml"), toml).context("cannot write the configuration")
    }

    pub fn configuration(&self) -> anyhow::Result<String> {
        fs::read_to_string(self.path("rowtide.toml")).context("cannot read the configuration")
    }

    /// Puts these records where the server reads them, in place of what was there.
    pub fn deliver(&self, records: &[Record]) -> anyhow::Result<()> {
        records::write(&self.path("records/0001.jsonl"), records)
    }

    /// Adds records to what the server is reading.
    pub fn append(&self, records: &[Record]) -> anyhow::Result<()> {
        records::append(&self.path("records/0001.jsonl"), records)
    }

    /// Starts a server with the site's configuration. It may not answer yet.
    pub fn start(&self) -> anyhow::Result<Server> {
        let config = self.path("rowtide.toml");
        self.start_with(&["serve", "--config", &config.to_string_lossy()])
    }

    /// The same, of which no file may become longer than this.
    pub fn start_limited(&self, file_bytes_max: Option<u64>) -> anyhow::Result<Server> {
        let config = self.path("rowtide.toml");
        let process = self.spawn(
            &["serve", "--config", &config.to_string_lossy()],
            file_bytes_max,
        )?;
        Ok(self.server(process))
    }

    /// Starts a server by flags, which must have it listen at the site's addresses.
    pub fn start_with(&self, arguments: &[&str]) -> anyhow::Result<Server> {
        let process = self.spawn(arguments, None)?;
        Ok(self.server(process))
    }

    fn server(&self, process: Child) -> Server {
        let log = self.path("log");
        Server::of(process, self.data_port, self.admin_port, log)
    }

    /// Runs the binary to its end; its exit code and what it said.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
        let mut process = self.spawn(arguments, None)?;
        let code = wait::until("the command ends", || Ok(process.try_wait()?));
        if code.is_err() {
            process.kill()?;
            process.wait()?;
        }
        let said = fs::read_to_string(self.path("log"))?;
        let code = code?.code();
        Ok((
            code.with_context(|| format!("killed by a signal: {said}"))?,
            said,
        ))
    }

    /// Runs the binary to its end, and keeps what it wrote apart from what it complained of.
    pub fn output(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let mut command = self.command(arguments)?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = {
            let _forking = forking();
            command.spawn().context("cannot start rowtide")?
        };
        let output = process.wait_with_output()?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            error: String::from_utf8(output.stderr)?,
        })
    }

    fn spawn(&self, arguments: &[&str], file_bytes_max: Option<u64>) -> anyhow::Result<Child> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))?;
        let mut command = self.command(arguments)?;
        if let Some(bytes) = file_bytes_max {
            command.env("FILE_KIB_MAX", (bytes >> 10).to_string());
        }
        command.stdout(log.try_clone()?).stderr(log);
        let _forking = forking();
        command.spawn().context("cannot start rowtide")
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new("bash");
        command
            .args(["-c", START_ALONE, "bash"])
            .arg(binary::path()?)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        Ok(command)
    }
}

/// A port that nobody listens on, below the range from which the system takes the ports of outgoing
/// connections, so that no client takes it before the server does.
fn free_port() -> anyhow::Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes begin far apart, and each goes on where it stopped.
    let own_start = (std::process::id() % 312) as u16 * 64;
    for _ in 0..COUNT {
        let port = FIRST + (own_start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port from {FIRST} to {}", FIRST + COUNT)
}
