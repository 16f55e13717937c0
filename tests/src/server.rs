//! A real `rowtide` process, asked over HTTP and ended by signals.
//!
//! A server that is dropped is killed: no test leaves a process behind. Nothing here reads the
//! product's files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use ureq::Agent;

use crate::exact::Exact;
use crate::records::Partition;
use crate::wait;

/// Longer than any answer may take; it ends a test of a server that hangs.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Rows asked for at once.
const PAGE_ROWS: &str = "1000";

/// How much of the server's log a message shows.
const LOG_SHOWN_BYTES: usize = 2_000;

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn body(&self) -> anyhow::Result<Exact> {
        Exact::parse(&self.text).with_context(|| format!("no JSON: {}", self.text))
    }
}

/// A server that ended by itself.
#[derive(Clone, Debug)]
pub struct Ended {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// The end of its log.
    pub said: String,
}

/// A started server.
pub struct Server {
    process: Child,
    agent: Agent,
    data_port: u16,
    admin_port: u16,
    log: PathBuf,
}

impl Server {
    /// Takes charge of a process that writes its log there.
    pub fn of(process: Child, data_port: u16, admin_port: u16, log: PathBuf) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT));
        let agent = config.build().into();
        Self {
            process,
            agent,
            data_port,
            admin_port,
            log,
        }
    }

    /// Waits until everything that was in the log at the start has been applied.
    pub fn ready(&mut self) -> anyhow::Result<()> {
        wait::until("the server is ready", || {
            self.still_runs()?;
            Ok(self.is_caught_up().then_some(()))
        })
    }

    /// Waits until this many records have been applied, those of earlier lives included.
    pub fn applied_at_least(&mut self, records: i64) -> anyhow::Result<()> {
        wait::until("enough records are applied", || {
            self.still_runs()?;
            // Not listening yet is not an error here: the server has just been started.
            let applied: i64 = self.next_offsets().unwrap_or_default().values().sum();
            Ok((records <= applied).then_some(()))
        })
    }

    /// Waits until everything before these offsets has been applied.
    pub fn applied(&mut self, ends: &BTreeMap<Partition, i64>) -> anyhow::Result<()> {
        wait::until("everything is applied", || {
            self.still_runs()?;
            Ok((self.next_offsets().as_ref() == Some(ends)).then_some(()))
        })
    }

    /// The next offset of every partition, as the status tells it; `None` before it tells any.
    pub fn next_offsets(&self) -> Option<BTreeMap<Partition, i64>> {
        let answer = self.get("/v1/status", &[]).ok()?;
        let status = answer.body().ok().filter(|_| answer.status == 200)?;
        Some(next_offsets(&status)).filter(|offsets| !offsets.is_empty())
    }

    /// Asks the data listener.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.ask(self.data_port, path, query)
    }

    /// Asks the admin listener.
    pub fn admin(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(self.admin_port, path, &[])
    }

    /// Changes something over the admin listener: POST with a body, DELETE without.
    pub fn change(&self, path: &str, body: Option<&str>) -> anyhow::Result<Answer> {
        let url = format!("http://127.0.0.1:{}{path}", self.admin_port);
        let response = match body {
            Some(body) => self.agent.post(url).send(body),
            None => self.agent.delete(url).call(),
        };
        read(response.with_context(|| path.to_owned())?).with_context(|| path.to_owned())
    }

    /// Asks the data listener with a body.
    pub fn ask_with(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<Answer> {
        let url = format!("http://127.0.0.1:{}{path}", self.data_port);
        let response = self.agent.post(url).send_json(body);
        read(response.with_context(|| format!("POST {path}"))?)
    }

    /// Asks the data listener for what must be there, with an honest `fresh` in it.
    pub fn found(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Exact> {
        let answer = self.get(path, query)?;
        ensure!(
            answer.status == 200,
            "GET {path}: {} {}",
            answer.status,
            answer.text
        );
        let body = answer.body()?;
        check_fresh(body.get("fresh")).with_context(|| format!("GET {path}"))?;
        Ok(body)
    }

    /// Every row of a table, page by page.
    pub fn rows(&self, table: &str) -> anyhow::Result<Vec<Exact>> {
        let path = format!("/v1/tables/{table}/rows");
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("limit", PAGE_ROWS)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.found(&path, &query)?;
            rows.extend_from_slice(page.get("rows").as_list().context("a page without rows")?);
            match page.get("next").as_text() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(rows),
            }
        }
    }

    /// Ends the server as an operator would; its exit code.
    pub fn stop(mut self) -> anyhow::Result<i32> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let status = wait::until("the server ends after SIGTERM", || {
            Ok(self.process.try_wait()?)
        })?;
        status
            .code()
            .with_context(|| format!("SIGTERM was not handled: {status}"))
    }

    /// Ends the server as a crash would: nothing is finished, flushed or closed.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Sends the process a signal that it is to handle and go on.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), signal).context("cannot send a signal")
    }

    /// Lets no file of the process become longer than this, or any again. It must have been started to
    /// bear that: see [`Site::start_limited`](crate::site::Site::start_limited).
    pub fn limit_files(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        let pid = Some(Pid::from_child(&self.process));
        prlimit(pid, Resource::Fsize, limit).context("cannot limit the sizes of its files")?;
        Ok(())
    }

    /// What it has written to its log, and those before it.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn ask(&self, port: u16, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let request = self
            .agent
            .get(format!("http://127.0.0.1:{port}{path}"))
            .query_pairs(query.iter().copied());
        let response = request.call().with_context(|| format!("GET {path}"))?;
        read(response).with_context(|| format!("GET {path}"))
    }

    /// An error if the process has ended, with the end of its log.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the server ended, {status}: {}", self.log_end());
        }
        Ok(())
    }

    /// Its number.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ended>> {
        let status = self.process.try_wait()?;
        Ok(status.map(|status| Ended {
            code: status.code(),
            said: self.log_end(),
        }))
    }

    /// True if everything that was in the log at the start has been applied.
    pub fn is_caught_up(&self) -> bool {
        self.admin("/startupz")
            .is_ok_and(|answer| answer.status == 200)
    }

    fn log_end(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_SHOWN_BYTES)..]).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
    let content_type = response.headers().get("content-type");
    let content_type = content_type.and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: response.status().as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        text: response.body_mut().read_to_string()?,
    })
}

/// Every answer says how fresh it is, in full.
pub fn check_fresh(fresh: &Exact) -> anyhow::Result<()> {
    let known_state = matches!(
        fresh.get("state").as_text(),
        Some("loading" | "catching_up" | "live" | "stale" | "stalled")
    );
    let members = fresh.as_object().context("no `fresh`")?;
    let whole = [
        "lag_ms",
        "source_lag_ms",
        "commit_time",
        "transactions",
        "complete",
        "quarantined",
    ]
    .iter()
    .all(|name| members.contains_key(*name));
    ensure!(
        known_state && whole && fresh.get("as_of").as_text().is_some(),
        "no honest `fresh`: {fresh}"
    );
    Ok(())
}

fn next_offsets(status: &Exact) -> BTreeMap<Partition, i64> {
    let list = |value: &Exact, name: &str| value.get(name).as_list().unwrap_or_default().to_vec();
    let partitions = list(status, "sources")
        .into_iter()
        .flat_map(|source| list(&source, "partitions"));
    let next_offset = |partition: Exact| {
        let topic = partition.get("topic").as_text()?.to_owned();
        let number = i32::try_from(partition.get("partition").as_integer()?).ok()?;
        Some(((topic, number), partition.get("next_offset").as_integer()?))
    };
    partitions.filter_map(next_offset).collect()
}
