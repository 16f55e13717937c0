//! Somebody who asks all the time, remembers what it has been told across restarts, and holds each answer
//! against everything that was ever written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fastrand::Rng;
use parking_lot::RwLock;
use serde_json::{Value, json};
use ureq::Agent;

use super::history::{History, Place, Row, Sum};
use super::shop::{LARGE, TABLES, Table};
use crate::wait;

/// Longer than any wait that is asked for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Rows of one page; no table that is listed has as many.
const ROWS_MAX: usize = 10_000;

/// How many records of each partition an answer must rest on.
pub type Floors = BTreeMap<Place, u64>;

/// What was told of some tables last.
#[derive(Clone, Debug)]
struct Told {
    as_of: String,
    floors: Floors,
}

/// What became of questions.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub checked: u64,
    /// Those of them that had to be no older than an answer of an earlier life.
    pub across_kills: u64,
    pub served_below: u64,
    /// Answers with half of a key change, of tables that were catching up.
    pub halves: u64,
    /// By the code of the refusal.
    pub refused: BTreeMap<String, u64>,
    pub unanswered: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.checked += other.checked;
        self.across_kills += other.across_kills;
        self.served_below += other.served_below;
        self.halves += other.halves;
        self.unanswered += other.unanswered;
        for (code, count) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
    }
}

/// One reader, over all lives of the server.
pub struct Reader {
    rng: Rng,
    agent: Agent,
    url: String,
    /// By the tables that were asked together.
    told: BTreeMap<Vec<&'static str>, Told>,
    /// What must be there in this life: what was acknowledged before it, and what was seen in it.
    floors: Floors,
    /// Tables that this life has answered from: a floor beyond these was told in an earlier one.
    answered: Vec<&'static str>,
    pub tally: Tally,
}

/// An answer that tells what may not be told.
fn wrong(what: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("WRONG: {what}")
}

impl Reader {
    pub fn new(seed: u64, port: u16) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT));
        Self {
            rng: Rng::with_seed(seed),
            agent: config.build().into(),
            url: format!("http://127.0.0.1:{port}"),
            told: BTreeMap::new(),
            floors: Floors::new(),
            answered: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Another life begins, with all that was acknowledged before it.
    pub fn begin_life(&mut self, acknowledged: &Floors) {
        self.floors.clone_from(acknowledged);
        self.answered.clear();
    }

    /// Asks something. An error is a wrong answer.
    pub fn ask(&mut self, history: &RwLock<History>) -> anyhow::Result<()> {
        match self.rng.u8(0..10) {
            0..4 => self.ask_all(history),
            4..7 => self.ask_list(history),
            _ => self.ask_row(history),
        }
    }

    /// Several tables of one cut, the large one too.
    fn ask_all(&mut self, history: &RwLock<History>) -> anyhow::Result<()> {
        let names: Vec<&'static str> = TABLES.iter().map(|table| table.name).collect();
        let query = |table: &Table| match table.name {
            LARGE => json!({"from": LARGE, "group_by": ["part"], "aggregate": [
                {"fn": "count", "as": "rows"}, {"fn": "sum", "column": "seq", "as": "seqs"}]}),
            name => json!({"from": name, "limit": ROWS_MAX}),
        };
        let queries: serde_json::Map<String, Value> = TABLES
            .iter()
            .map(|table| (table.name.to_owned(), query(table)))
            .collect();
        let mut body = json!({ "queries": queries });
        let floor = self.floor(&names);
        if let Some((as_of, wait, on_miss)) = &floor {
            body["at_least"] = json!(as_of);
            body["wait"] = json!(wait);
            body["on_miss"] = json!(on_miss);
        }
        let url = format!("{}/v1/query", self.url);
        let answer = self.agent.post(url).send_json(&body);
        let Some(body) = self.answered(answer, &names, floor.is_some())? else {
            return Ok(());
        };
        let mut sums = BTreeMap::new();
        for table in &TABLES {
            let page = &body["results"][table.name];
            sums.insert(table.name, sums_of(table, page)?);
        }
        self.check(&names, &sums, &body["fresh"], history)
    }

    fn ask_list(&mut self, history: &RwLock<History>) -> anyhow::Result<()> {
        let listed: Vec<&Table> = TABLES.iter().filter(|table| table.name != LARGE).collect();
        let table = listed[self.rng.usize(..listed.len())];
        let names = vec![table.name];
        let floor = self.floor(&names);
        let path = format!("/v1/tables/{}/rows?limit={ROWS_MAX}", table.name);
        let Some(body) = self.get(path, floor.as_ref(), &names)? else {
            return Ok(());
        };
        let sums = BTreeMap::from([(table.name, sums_of(table, &body)?)]);
        self.check(&names, &sums, &body["fresh"], history)
    }

    fn ask_row(&mut self, history: &RwLock<History>) -> anyhow::Result<()> {
        let keyed: Vec<&Table> = TABLES.iter().filter(|table| table.keyed).collect();
        let table = keyed[self.rng.usize(..keyed.len())];
        let names = vec![table.name];
        let id = self.rng.i64(0..400);
        let floor = self.floor(&names);
        let path = format!("/v1/tables/{}/rows/{id}?int64=number", table.name);
        let Some(body) = self.get(path, floor.as_ref(), &names)? else {
            return Ok(());
        };
        let row = body.get("row").map(row_of).transpose()?;
        let place = (table.name, (id % i64::from(table.partitions)) as i32);
        let below = self.at_floor(&names, &body["fresh"], place)?;
        let history = history.read();
        let seq = row.as_ref().map(|row| row.seq);
        if !history.key_had(place, id, seq, below) {
            return Err(wrong(format!(
                "{} {id}: {row:?} is no row that it had after {below} records of partition {}",
                table.name, place.1
            )));
        }
        self.tally.checked += 1;
        Ok(())
    }

    /// What to insist on: the last answer of these tables, most of the time.
    fn floor(&mut self, names: &[&'static str]) -> Option<(String, &'static str, &'static str)> {
        let told = self.told.get(names)?;
        let on_miss = if self.rng.u8(0..10) == 0 {
            "serve"
        } else {
            "fail"
        };
        let wait = ["0", "50ms", "1s"][self.rng.usize(..3)];
        (self.rng.u8(0..10) > 0).then(|| (told.as_of.clone(), wait, on_miss))
    }

    fn get(
        &mut self,
        mut path: String,
        floor: Option<&(String, &str, &str)>,
        names: &[&'static str],
    ) -> anyhow::Result<Option<Value>> {
        if let Some((as_of, wait, on_miss)) = floor {
            write!(path, "&at_least={as_of}&wait={wait}&on_miss={on_miss}")?;
        }
        let answer = self.agent.get(format!("{}{path}", self.url)).call();
        self.answered(answer, names, floor.is_some())
    }

    /// The body of an answer; `None` if there is none, for a reason that there may be.
    fn answered(
        &mut self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        names: &[&'static str],
        insisted: bool,
    ) -> anyhow::Result<Option<Value>> {
        // Nobody listens yet, or any more.
        let told = answer.ok().and_then(|mut answer| {
            let status = answer.status().as_u16();
            Some((status, answer.body_mut().read_to_string().ok()?))
        });
        let Some((status, text)) = told else {
            self.tally.unanswered += 1;
            wait::pass(Duration::from_millis(2));
            return Ok(None);
        };
        let body: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let code = body["code"].as_str().unwrap_or_default();
        // Before its first checkpoint, a killed server has never heard of a table.
        let is_known = |name: &&str| {
            self.floors
                .iter()
                .any(|((of, _), floor)| of == name && *floor > 0)
        };
        let all_known = names.iter().all(is_known);
        match (status, code) {
            (200, _) | (404, "row_not_found") => return Ok(Some(body)),
            (503, "starting" | "draining" | "overloaded") => {}
            (504, "not_yet_applied") if insisted => {
                ensure!(
                    body["fresh"]["satisfied"] == false,
                    "504 without saying so: {body}"
                );
            }
            (404, "unknown_table") | (400, "unknown_column") if !all_known => {}
            _ => return Err(wrong(format!("{names:?}: {status} {body}"))),
        }
        *self.tally.refused.entry(code.to_owned()).or_default() += 1;
        Ok(None)
    }

    /// The floor that an answer must keep to in one partition.
    fn at_floor(
        &mut self,
        names: &[&'static str],
        fresh: &Value,
        place: Place,
    ) -> anyhow::Result<u64> {
        let mut floor = self.floors.get(&place).copied().unwrap_or(0);
        match fresh.get("satisfied").and_then(Value::as_bool) {
            Some(true) => {
                let told = self
                    .told
                    .get(names)
                    .context("satisfied, but nothing was asked")?;
                let insisted = told.floors.get(&place).copied().unwrap_or(0);
                self.tally.across_kills += u64::from(insisted > floor);
                floor = floor.max(insisted);
            }
            Some(false) => self.tally.served_below += 1,
            None => {}
        }
        Ok(floor)
    }

    /// Every partition's rows are a state it once had, not older than the floor, and no key change is torn.
    fn check(
        &mut self,
        names: &[&'static str],
        sums: &BTreeMap<&'static str, BTreeMap<i32, Sum>>,
        fresh: &Value,
        history: &RwLock<History>,
    ) -> anyhow::Result<()> {
        let mut seen = Floors::new();
        for (name, sums) in sums {
            let mut prefixes = BTreeMap::new();
            for (part, sum) in sums {
                let place = (*name, *part);
                let floor = self.at_floor(names, fresh, place)?;
                let history = history.read();
                let Some(found) = history.prefixes(place, sum, floor) else {
                    let what = if history.knows(place, sum) {
                        "an older state than it may be"
                    } else {
                        "a state that never was"
                    };
                    return Err(wrong(format!(
                        "{name}, partition {part}: {what}: {sum:?}, at least {floor} records, {fresh}"
                    )));
                };
                prefixes.insert(*part, found);
                seen.insert(place, found.0);
            }
            if let Some(torn) = history.read().torn_move(name, &prefixes) {
                // While it catches up, the halves may be further apart than a table waits.
                if fresh["state"] == "live" {
                    return Err(wrong(format!(
                        "{name}: half of a key change: {torn:?} at {prefixes:?}"
                    )));
                }
                self.tally.halves += 1;
            }
        }
        let as_of = fresh["as_of"].as_str().context("no as_of")?.to_owned();
        // Also an answer below the floor is one that the next must not be older than, in this life.
        self.floors.extend(seen.clone());
        if fresh.get("satisfied") != Some(&Value::Bool(false)) {
            let floors = seen;
            self.told.insert(names.to_vec(), Told { as_of, floors });
        }
        self.tally.checked += 1;
        Ok(())
    }
}

/// What the rows of each partition add up to.
fn sums_of(table: &Table, page: &Value) -> anyhow::Result<BTreeMap<i32, Sum>> {
    let mut sums: BTreeMap<i32, Sum> = (0..table.partitions)
        .map(|part| (part, Sum::default()))
        .collect();
    ensure!(
        page["next"].is_null(),
        "a page that goes on: {} rows",
        page["count"]
    );
    let rows = page["rows"].as_array().context("no rows")?;
    for row in rows {
        if !table.keyed {
            let line = row["line"].as_str().context("no line")?;
            sums.entry(0).or_default().add_line(line);
            continue;
        }
        if table.name == LARGE {
            let part = integer(&row["part"])? as i32;
            let sum = sums.entry(part).or_default();
            (sum.rows, sum.seqs) = (integer(&row["rows"])? as u64, integer(&row["seqs"])? as u64);
            continue;
        }
        let row = row_of(row)?;
        sums.entry(row.part).or_default().add(&row);
    }
    Ok(sums)
}

pub fn row_of(row: &Value) -> anyhow::Result<Row> {
    Ok(Row {
        id: integer(&row["id"])?,
        part: integer(&row["part"])? as i32,
        seq: integer(&row["seq"])? as u64,
        text: row["text"].as_str().context("no text")?.to_owned(),
    })
}

/// A number, also as a text: sums are exact, and may be longer than JSON's numbers.
fn integer(value: &Value) -> anyhow::Result<i64> {
    let text = value.as_str().and_then(|text| text.parse().ok());
    match value.as_i64().or(text) {
        Some(number) => Ok(number),
        None => bail!("no whole number: {value}"),
    }
}
