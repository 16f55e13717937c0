//! `DuckDB`'s side: a Python process with the published wheel, because its C++ takes longer to build than
//! all of Rowtide. Made under `target/` at the first run.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::shop;

pub const VERSION: &str = "1.5.6";

pub struct DuckDb {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl DuckDb {
    /// Fails where there is no Python, or the wheel cannot be had.
    pub fn new() -> io::Result<Self> {
        let python = python()?;
        let data = tempfile::tempdir()?;
        write_tables(data.path())?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/query/questions.py");
        let picks = [
            shop::ORDERS,
            shop::CUSTOMERS,
            shop::ORDERS_WITH_ITEMS,
            shop::FIRST_SECOND as u64,
            shop::SECONDS,
        ];
        let mut process = Command::new(python)
            .arg(script)
            .arg(data.path())
            .args(picks.map(|pick| pick.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (questions, answers) = pipes.ok_or_else(|| io::Error::other("no pipes"))?;
        let mut peer = Self {
            process,
            questions,
            answers: BufReader::new(answers),
        };
        match &*peer.line()? {
            "ready" => Ok(peer),
            line => Err(io::Error::other(format!("it says {line:?}"))),
        }
    }

    /// How long asking so many times took, and what the last answer was.
    pub fn ask(&mut self, question: &str, turn: u64, times: u32) -> io::Result<(Duration, u64)> {
        writeln!(self.questions, "{question} {turn} {times}")?;
        let line = self.line()?;
        let read = line.split_once(' ').and_then(|(seconds, rows)| {
            let took = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
            Some((took, rows.parse().ok()?))
        });
        read.ok_or_else(|| io::Error::other(format!("it says {line:?}")))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Python that has the wheel.
fn python() -> io::Result<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("duckdb-{VERSION}"));
    let python = home.join("bin/python");
    if !succeeds(Command::new(&python).args(["-c", "import duckdb"])) {
        let wheel = format!("duckdb=={VERSION}");
        let made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&home))
            && succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", &wheel]));
        if !made {
            return Err(io::Error::other(format!(
                "no python3 that can install {wheel}"
            )));
        }
    }
    Ok(python)
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn write_tables(directory: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(directory.join("orders.csv"))?);
    for order in (0..shop::ORDERS).map(shop::order) {
        writeln!(
            out,
            "{},{},{},{}.{:02},{},{},{},\"{}\",{},{},{},{}",
            order.id,
            order.customer_id,
            order.status,
            order.cents / 100,
            order.cents % 100,
            shop::CURRENCY,
            order.lines,
            order.note.unwrap_or_default(),
            order.address,
            order.email,
            order.is_paid,
            order.created_at_seconds,
            order.updated_at_seconds,
        )?;
    }
    out.flush()?;
    let mut out = BufWriter::new(File::create(directory.join("customers.csv"))?);
    for customer in (0..shop::CUSTOMERS).map(shop::customer) {
        writeln!(
            out,
            "{},{},{}",
            customer.id, customer.name, customer.country
        )?;
    }
    out.flush()?;
    let mut out = BufWriter::new(File::create(directory.join("items.csv"))?);
    for item in (0..shop::ORDERS_WITH_ITEMS * shop::ITEMS_EACH).map(shop::item) {
        let (id, order_id, quantity) = (item.id, item.order_id, item.quantity);
        writeln!(out, "{id},{order_id},{},{quantity}", item.article)?;
    }
    out.flush()
}
