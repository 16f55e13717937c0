//! Somebody who asks all the time, with every way to say how fresh an answer must be, remembers what it was told
//! across restarts, and holds each answer against everything that was ever committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use parking_lot::{Mutex, RwLock};

use super::client::{self, Answer, Client, UNCHANGED};
use super::demand::{Demand, Floor, Kind};
use super::history::History;
use super::judge::{Explained, Fact, Floors, Place, Wrong, balanced, explained, same};
use super::moment;
use super::question::Question;
use super::tally::Tally;

/// Answers that a reader remembers.
const TOLD_MAX: usize = 40;
/// So long what was told while live can be asked for again, memory allowing; a little less, for who is slow to ask.
const ASKABLE: Duration = Duration::from_secs(25);
/// What a lag cannot know of: records that the broker has, and that no fetch has brought yet. The in-process broker
/// answers an empty fetch late, whatever comes meanwhile, and all of this shares the cores.
const LAG_SLACK: Duration = Duration::from_secs(1);

/// One life of the server.
pub struct Life {
    pub number: u32,
    /// Everything that it has answered: no answer to a later question may be older.
    pub seen: Mutex<Seen>,
    /// Tables that it must know: a checkpoint holds some of them, or it has answered from them.
    pub known: Mutex<BTreeSet<&'static str>>,
}

/// How many changes somebody has been shown of each partition, and by what.
#[derive(Clone, Debug, Default)]
pub struct Seen(BTreeMap<Place, (u64, Arc<str>)>);

impl Seen {
    pub fn raise(&mut self, floors: &Floors, said: impl FnOnce() -> String) {
        let higher = |(place, floor): &(&Place, &u64)| {
            self.0.get(*place).is_none_or(|(known, _)| known < *floor)
        };
        let higher: Vec<_> = floors.iter().filter(higher).collect();
        if higher.is_empty() {
            return;
        }
        let said: Arc<str> = said().into();
        for (place, floor) in higher {
            self.0.insert(*place, (*floor, Arc::clone(&said)));
        }
    }

    /// An answer to what was asked after all this.
    fn check(&self, explained: &Explained) -> anyhow::Result<()> {
        let floors = self.0.iter().map(|(place, (floor, _))| (*place, *floor));
        let went_back = explained.not_before(&floors.collect());
        went_back.map_err(|wrong| {
            let before = match &wrong {
                Wrong::WentBack(older) => self.0.get(&older.place),
                _ => None,
            };
            let said = before.map_or("", |(_, said)| said);
            anyhow::Error::new(wrong).context(format!("before it there was {said}"))
        })
    }
}

/// An answer that is remembered.
#[derive(Clone)]
struct Told {
    as_of: String,
    tag: Option<String>,
    question: Question,
    facts: Vec<Fact>,
    is_whole: bool,
    is_live: bool,
    floors: Floors,
    life: u32,
    when: Instant,
}

/// One reader, over all lives of the server.
pub struct Reader {
    rng: Rng,
    client: Client,
    told: VecDeque<Told>,
    pub tally: Tally,
}

impl Reader {
    pub fn new(seed: u64, port: u16) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            client: Client::new(port),
            told: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// Asks something. An error is a wrong answer.
    pub fn ask(&mut self, history: &RwLock<History>, life: &Life) -> anyhow::Result<()> {
        match self.rng.u8(0..10) {
            0 => self.wait(history, life),
            1 => self.ask_again(history, life),
            2 => self.ask_whether_changed(history, life),
            _ => self.ask_anew(history, life),
        }
    }

    fn ask_anew(&mut self, history: &RwLock<History>, life: &Life) -> anyhow::Result<()> {
        let question = Question::any(&mut self.rng);
        let seen = life.seen.lock().clone();
        let demand = self.demand(&question.tables(), history, life);
        let Some(answer) = self.answer(&question, &demand, life)? else {
            return Ok(());
        };
        let told = || said(&question, &demand, &answer);
        let history = history.read();
        let facts = question.facts(&answer.body, &history).with_context(told)?;
        let explained = self
            .judge(&question, &facts, &demand, &answer, &seen, &history)
            .with_context(told)
            .with_context(|| format!("soon after it: {}", self.client.status()))?;
        life.seen.lock().raise(&explained.floors(), told);
        life.known.lock().extend(question.tables());
        self.remember(question, facts, &explained, &answer, life)
    }

    /// Waits for nothing but a floor: whatever is asked later is no older.
    fn wait(&mut self, history: &RwLock<History>, life: &Life) -> anyhow::Result<()> {
        let question = Question::Wait(Question::any(&mut self.rng).tables());
        let demand = self.demand(&question.tables(), history, life);
        let Some(floor) = demand.floor.clone() else {
            return Ok(());
        };
        let Some(answer) = self.answer(&question, &demand, life)? else {
            return Ok(());
        };
        self.tally.answered(answer.fresh());
        if answer.fresh()["satisfied"] != true {
            self.tally.served_below += 1;
            return Ok(());
        }
        self.tally.waited += 1;
        let is_whole = answer.fresh()["transactions"] == "whole";
        let floors = if is_whole { floor.whole } else { floor.floors };
        // It is about these tables: whatever is shown with them may be older, where they did not change since.
        let tables = question.tables();
        let own = floors
            .into_iter()
            .filter(|((table, _), _)| tables.contains(table));
        let history = history.read();
        let own = own.map(|(place, floor)| (place, history.as_after(place, floor)));
        let floors = own.collect();
        let told = || said(&question, &demand, &answer);
        life.seen.lock().raise(&floors, told);
        Ok(())
    }

    /// Asks for the moment of an earlier answer: the same question, or another.
    fn ask_again(&mut self, history: &RwLock<History>, life: &Life) -> anyhow::Result<()> {
        let own: Vec<&Told> = self
            .told
            .iter()
            .filter(|told| told.life == life.number)
            .collect();
        let Some(told) = self.rng.choice(own).cloned() else {
            return Ok(());
        };
        let is_same = self.rng.bool();
        let question = if is_same {
            told.question.clone()
        } else {
            Question::any(&mut self.rng)
        };
        let demand = Demand {
            at_exact: Some(told.as_of.clone()),
            is_askable: is_same && told.is_live && told.when.elapsed() < ASKABLE,
            ..Demand::default()
        };
        let Some(answer) = self.answer(&question, &demand, life)? else {
            return Ok(());
        };
        let said = || said(&question, &demand, &answer);
        let history = history.read();
        let mut facts = question.facts(&answer.body, &history).with_context(said)?;
        if is_same {
            same(&told.facts, &facts).with_context(said)?;
        }
        let is_whole = told.is_whole && answer.fresh()["transactions"] == "whole";
        facts.extend(&told.facts);
        explained(&history, &facts, is_whole).with_context(said)?;
        self.tally.exact += 1;
        Ok(())
    }

    /// Asks only for what is not known yet: what is the same is as good as told again.
    fn ask_whether_changed(
        &mut self,
        history: &RwLock<History>,
        life: &Life,
    ) -> anyhow::Result<()> {
        // Whole tables hardly ever stay as they are.
        let is_small = |told: &&Told| matches!(told.question, Question::Row(..));
        let is_any = self.rng.u8(0..4) == 0;
        let Some(told) = self.told.iter().rev().find(|told| is_any || is_small(told)) else {
            return Ok(());
        };
        let told = told.clone();
        let question = told.question.clone();
        let seen = life.seen.lock().clone();
        let demand = Demand {
            if_none_match: told.tag,
            wait: self.rng.bool().then_some("1"),
            ..Demand::default()
        };
        let Some(answer) = self.answer(&question, &demand, life)? else {
            return Ok(());
        };
        let said = || said(&question, &demand, &answer);
        let history = history.read();
        let (facts, is_whole) = if answer.status == UNCHANGED {
            self.tally.unchanged += 1;
            (told.facts, false)
        } else {
            self.tally.changed += 1;
            let is_whole = answer.fresh()["transactions"] == "whole";
            let facts = question.facts(&answer.body, &history).with_context(said)?;
            (facts, is_whole)
        };
        let explained = explained(&history, &facts, is_whole).with_context(said)?;
        seen.check(&explained).with_context(said)?;
        life.seen.lock().raise(&explained.floors(), said);
        Ok(())
    }

    /// `None` if there is none, for a reason that there may be.
    fn answer(
        &mut self,
        question: &Question,
        demand: &Demand,
        life: &Life,
    ) -> anyhow::Result<Option<Answer>> {
        let tables_are_known = life.known.lock().is_superset(&question.tables());
        let Some(answer) = self.client.ask(question, demand)? else {
            self.tally.unanswered += 1;
            return Ok(None);
        };
        let is_answered = client::is_answered(question, demand, &answer, tables_are_known)
            .with_context(|| said(question, demand, &answer))?;
        if !is_answered {
            self.tally.refused(answer.code());
        }
        Ok(is_answered.then_some(answer))
    }

    fn demand(
        &mut self,
        tables: &BTreeSet<&'static str>,
        history: &RwLock<History>,
        life: &Life,
    ) -> Demand {
        let floor = match self.rng.u8(0..10) {
            0 => None,
            1..6 => self.told_floor(tables, life),
            _ => {
                let kind = Kind::ALL[self.rng.usize(..Kind::ALL.len())];
                kind.floor(&history.read(), moment::now(), &mut self.rng)
            }
        };
        let waits = [None, Some("0"), Some("50ms"), Some("1s")];
        let lags = [5, 50, 500, 2_000];
        Demand {
            floor,
            wait: waits[self.rng.usize(..waits.len())],
            serves: self.rng.u8(0..10) == 0,
            max_lag_ms: (self.rng.u8(0..8) == 0).then(|| lags[self.rng.usize(..lags.len())]),
            ..Demand::default()
        }
    }

    /// An earlier answer that showed all of these tables: mostly the last one.
    fn told_floor(&mut self, tables: &BTreeSet<&'static str>, life: &Life) -> Option<Floor> {
        let mut fitting = self
            .told
            .iter()
            .rev()
            .filter(|told| told.question.tables().is_superset(tables));
        let nth = if self.rng.bool() {
            0
        } else {
            self.rng.usize(..TOLD_MAX)
        };
        let told = fitting.clone().nth(nth).or_else(|| fitting.next())?;
        Some(Floor {
            spelled: told.as_of.clone(),
            floors: told.floors.clone(),
            whole: told.floors.clone(),
            is_of_this_life: told.life == life.number,
        })
    }

    fn judge(
        &mut self,
        question: &Question,
        facts: &[Fact],
        demand: &Demand,
        answer: &Answer,
        seen: &Seen,
        history: &History,
    ) -> anyhow::Result<Explained> {
        let fresh = answer.fresh();
        let whole = fresh["transactions"] == "whole";
        let explained = explained(history, facts, whole)?;
        seen.check(&explained)?;
        if whole && question.is_balanced() {
            balanced(facts)?;
        }
        if fresh["transactions"] == "partial" && fresh["state"] == "live" && history.is_regular() {
            return Err(Wrong::Partial.into());
        }
        self.tally.answered(fresh);
        if let Some(floor) = &demand.floor {
            if fresh["satisfied"] == true {
                explained.at_least(if whole { &floor.whole } else { &floor.floors })?;
                self.tally.met(&floor.spelled, floor.is_of_this_life);
            } else {
                self.tally.served_below += 1;
            }
        }
        let told_ms = fresh["lag_ms"].as_u64().filter(|_| whole);
        // What is served all the same promises nothing.
        let bound_ms = demand
            .max_lag_ms
            .filter(|_| whole && fresh["satisfied"] == true);
        for (lag_ms, held) in [
            (told_ms, &mut self.tally.aged),
            (bound_ms, &mut self.tally.bounded),
        ] {
            let lag = lag_ms.map(|lag| Duration::from_millis(lag) + LAG_SLACK);
            if let Some(since) = lag.and_then(|lag| answer.sent.checked_sub(lag)) {
                explained.as_young_as(history.arrived_before(since))?;
                *held += 1;
            }
        }
        Ok(explained)
    }

    fn remember(
        &mut self,
        question: Question,
        facts: Vec<Fact>,
        explained: &Explained,
        answer: &Answer,
        life: &Life,
    ) -> anyhow::Result<()> {
        let as_of = answer.fresh()["as_of"].as_str();
        let mut floors = explained.floors();
        floors.retain(|(table, _), _| question.tables().contains(table));
        self.told.push_back(Told {
            as_of: as_of.context("WRONG: no as_of")?.to_owned(),
            tag: answer.tag.clone(),
            question,
            facts,
            is_whole: explained.whole.is_some(),
            is_live: answer.fresh()["state"] == "live",
            floors,
            life: life.number,
            when: moment::now(),
        });
        if self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
        Ok(())
    }
}

fn said(question: &Question, demand: &Demand, answer: &Answer) -> String {
    let (status, fresh) = (answer.status, answer.fresh());
    let ago = answer.sent.elapsed();
    format!("asked {ago:?} ago: {question:?} with {demand:?}: {status} {fresh}")
}
