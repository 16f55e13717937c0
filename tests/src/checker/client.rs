//! Asking over HTTP, and telling an answer from a refusal that may be.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use ureq::Agent;

use super::demand::Demand;
use super::moment;
use super::question::Question;
use crate::wait;

/// Longer than any wait that is asked for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The status of an answer that is the one that the client has.
pub const UNCHANGED: u16 = 304;

/// A client of the data listener.
pub struct Client {
    agent: Agent,
    url: String,
}

/// An answer as it came.
pub struct Answer {
    pub status: u16,
    /// Nothing where nothing has changed.
    pub body: Value,
    pub tag: Option<String>,
    /// Before it was asked for.
    pub sent: Instant,
}

impl Answer {
    pub fn fresh(&self) -> &Value {
        &self.body["fresh"]
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub fn new(port: u16) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT));
        Self {
            agent: config.build().into(),
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    /// `None` if nobody answers: nobody listens yet, or any more.
    pub fn ask(&self, question: &Question, demand: &Demand) -> anyhow::Result<Option<Answer>> {
        let sent = moment::now();
        let mut path = question.path();
        let answer = if let Some(mut body) = question.body() {
            demand.add_to_body(&mut body);
            let url = format!("{}{path}", self.url);
            let request = self.agent.post(url);
            demand.conditional(request).send_json(&body)
        } else {
            demand.add_to_path(&mut path);
            let request = self.agent.get(format!("{}{path}", self.url));
            demand.conditional(request).call()
        };
        let told = answer.ok().and_then(|mut answer| {
            let status = answer.status().as_u16();
            let tag = answer.headers().get("etag").cloned();
            Some((status, tag, answer.body_mut().read_to_string().ok()?))
        });
        let Some((status, tag, text)) = told else {
            wait::pass(Duration::from_millis(2));
            return Ok(None);
        };
        let body = if status == UNCHANGED {
            Value::Null
        } else {
            serde_json::from_str(&text).with_context(|| text.clone())?
        };
        let tag = tag.and_then(|tag| Some(tag.to_str().ok()?.to_owned()));
        Ok(Some(Answer {
            status,
            body,
            tag,
            sent,
        }))
    }

    /// What the server says of itself, for messages.
    pub fn status(&self) -> String {
        let asked = self.agent.get(format!("{}/v1/status", self.url)).call();
        let told = asked.and_then(|mut answer| answer.body_mut().read_to_string());
        told.unwrap_or_else(|error| error.to_string())
    }
}

/// Whether there is an answer to be judged, or a refusal that may be.
pub fn is_answered(
    question: &Question,
    demand: &Demand,
    answer: &Answer,
    tables_are_known: bool,
) -> anyhow::Result<bool> {
    let body = &answer.body;
    let floor = demand.floor.as_ref();
    match (answer.status, answer.code()) {
        (200, _) => return Ok(true),
        (UNCHANGED, _) if demand.if_none_match.is_some() => return Ok(true),
        (404, "row_not_found") if matches!(question, Question::Row(..)) => return Ok(true),
        (503, "starting" | "draining" | "overloaded") => {}
        (503, "too_stale") if demand.max_lag_ms.is_some() => {}
        (410, "snapshot_expired") if demand.at_exact.is_some() => {
            ensure!(!demand.is_askable, "WRONG: gone too soon: {body}");
        }
        (504, "not_yet_applied") if floor.is_some() => {
            let is_of_this_life = floor.is_some_and(|floor| floor.is_of_this_life);
            ensure!(
                !is_of_this_life,
                "WRONG: the process has not what it told itself: {body}"
            );
            ensure!(
                !demand.serves,
                "WRONG: refused what was to be served: {body}"
            );
            let satisfied = &answer.fresh()["satisfied"];
            ensure!(*satisfied == false, "WRONG: 504 and satisfied: {body}");
        }
        (404, "unknown_table") | (400, "unknown_column" | "unknown_relation")
            if !tables_are_known => {}
        // The table that it leads to may still be on its way from the checkpoint.
        (400, "unknown_relation") if answer.fresh()["state"] != "live" => {}
        _ => bail!("WRONG: {} {body}", answer.status),
    }
    Ok(false)
}
