//! Somebody who follows the change feed, keeps the tables as it tells them, and goes on after each kill where it was.
//!
//! At every commit what it keeps must be a state of the history, and, asked for by the commit's id, the very tables.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use parking_lot::RwLock;
use serde_json::Value;
use ureq::Agent;

use super::bank::{Row, TABLES, Table};
use super::client::{self, Client};
use super::demand::Demand;
use super::history::History;
use super::judge::{Fact, explained, same};
use super::question::{Question, fact, integer};
use super::reader::Life;
use crate::wait;

/// Every so many commits the tables are asked for, too.
const COMPARED_EVERY: u64 = 3;

/// What a follower has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Followed {
    pub commits: u64,
    /// Commits at whose id all tables were the same.
    pub compared: u64,
    /// Streams that went on from an id.
    pub resumed: u64,
    pub resyncs: u64,
}

/// One follower, over all lives of the server.
pub struct Follower {
    agent: Agent,
    client: Client,
    url: String,
    rows: BTreeMap<(&'static Table, i64), Row>,
    /// What was told since the last commit: it is nothing before its own.
    pending: Vec<Fact>,
    /// The last id, to go on from.
    id: Option<String>,
    pub followed: Followed,
}

/// One event of a stream.
#[derive(Debug)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Follower {
    pub fn new(port: u16) -> Self {
        let config = Agent::config_builder().http_status_as_error(false);
        Self {
            agent: config.build().into(),
            client: Client::new(port),
            url: format!("http://127.0.0.1:{port}/v1/changes"),
            rows: BTreeMap::new(),
            pending: Vec::new(),
            id: None,
            followed: Followed::default(),
        }
    }

    /// Follows one stream after another. An error is a wrong one.
    pub fn follow(
        &mut self,
        history: &RwLock<History>,
        life: &Life,
        reading: &AtomicBool,
    ) -> anyhow::Result<()> {
        while reading.load(Ordering::Relaxed) {
            let Some(mut stream) = self.open(life)? else {
                wait::pass(Duration::from_millis(5));
                continue;
            };
            while let Some(event) = next(&mut stream)? {
                let goes_on = self
                    .take(&event, history, life)
                    .with_context(|| format!("the feed tells {event:?}"))?;
                if !goes_on {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Goes on, or begins with all rows. `None` if there is no stream, for a reason that there may be.
    fn open(&mut self, life: &Life) -> anyhow::Result<Option<impl BufRead + use<>>> {
        let tables = TABLES.map(|table| table.name);
        let are_known = life.known.lock().is_superset(&tables.into());
        let from = match &self.id {
            Some(id) => format!("since={id}"),
            None => "initial=true".to_owned(),
        };
        let url = format!("{}?tables={}&{from}", self.url, tables.join(","));
        let Ok(mut answer) = self.agent.get(url).call() else {
            return Ok(None);
        };
        let status = answer.status().as_u16();
        if status != 200 {
            // Whoever is killed says nothing, or half of it.
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            ensure!(
                status == 503 || !are_known || text.is_empty(),
                "WRONG: no feed {from}: {status} {text}"
            );
            return Ok(None);
        }
        self.pending.clear();
        if self.id.is_some() {
            self.followed.resumed += 1;
        } else {
            self.rows.clear();
        }
        Ok(Some(BufReader::new(answer.into_body().into_reader())))
    }

    /// Whether the stream goes on.
    fn take(
        &mut self,
        event: &Event,
        history: &RwLock<History>,
        life: &Life,
    ) -> anyhow::Result<bool> {
        let data = &event.data;
        match event.name.as_str() {
            "upsert" | "delete" => {
                let table = data["table"].as_str().and_then(Table::named);
                let key = integer(&data["key"][0])?;
                self.pending
                    .push(fact(table.context("which table?")?, key, data.get("row"))?);
            }
            "commit" | "up_to_date" => {
                for Fact { table, id, row } in self.pending.drain(..) {
                    match row {
                        Some(row) => self.rows.insert((table, id), row),
                        None => self.rows.remove(&(table, id)),
                    };
                }
                self.id = Some(event.id.clone().context("no id")?);
                self.followed.commits += 1;
                self.check(history, life)?;
            }
            "heartbeat" => self.id = Some(event.id.clone().context("no id")?),
            "resync" => {
                self.followed.resyncs += 1;
                self.id = None;
                return Ok(false);
            }
            _ => bail!("WRONG: no such event"),
        }
        Ok(true)
    }

    /// Holds what is kept against the history, and against the tables of that moment.
    fn check(&mut self, history: &RwLock<History>, life: &Life) -> anyhow::Result<()> {
        let facts = self.facts(&history.read());
        let shown = explained(&history.read(), &facts, false)?.floors();
        let told = || format!("the feed at {:?}", self.id);
        life.seen.lock().raise(&shown, told);
        if !self.followed.commits.is_multiple_of(COMPARED_EVERY) {
            return Ok(());
        }
        let question = Question::Tables(TABLES.to_vec());
        let demand = Demand {
            at_exact: self.id.clone(),
            ..Demand::default()
        };
        let Some(answer) = self.client.ask(&question, &demand)? else {
            return Ok(());
        };
        if !client::is_answered(&question, &demand, &answer, true)? {
            return Ok(());
        }
        let history = history.read();
        same(&facts, &question.facts(&answer.body, &history)?)?;
        if answer.fresh()["transactions"] == "whole" {
            explained(&history, &facts, true)?;
        }
        self.followed.compared += 1;
        Ok(())
    }

    /// What is kept, and of all other keys that they have no row.
    fn facts(&self, history: &History) -> Vec<Fact> {
        let keys = TABLES.into_iter().flat_map(|table| {
            let ids = history.keys(table.name);
            ids.map(move |id| (table, id))
        });
        let facts = keys.map(|(table, id)| Fact {
            table,
            id,
            row: self.rows.get(&(table, id)).copied(),
        });
        facts.collect()
    }
}

/// The next event; `None` where the stream ends, also in the middle of one.
fn next(stream: &mut impl BufRead) -> anyhow::Result<Option<Event>> {
    let (mut name, mut id, mut data) = (String::new(), None, Value::Null);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).unwrap_or(0) == 0 || !line.ends_with('\n') {
            return Ok(None);
        }
        let said = line.trim_end();
        if said.is_empty() && !name.is_empty() {
            return Ok(Some(Event { name, id, data }));
        }
        match said.split_once(": ") {
            Some(("event", said)) => said.clone_into(&mut name),
            Some(("id", said)) => id = Some(said.to_owned()),
            Some(("data", said)) => {
                data = serde_json::from_str(said).with_context(|| said.to_owned())?;
            }
            // Comments, and how soon to come again.
            _ => {}
        }
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commits of the change feed, {} compared with the tables of that moment; gone on {} times, begun anew {} times",
            self.commits, self.compared, self.resumed, self.resyncs
        )
    }
}
