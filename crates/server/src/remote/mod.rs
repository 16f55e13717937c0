//! Verbs that ask a running server over its HTTP API, so that each is an example of a request too.

mod client;
pub mod get;
pub mod health;
pub mod status;

use api_types::{ErrorCode, Fresh, Problem};
use clap::Args;
pub use client::{Answer, Endpoint};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::output::{self, Style, harmless};

/// Where to ask and how to show the answer.
#[derive(Args, Clone, Debug)]
pub struct RemoteArgs {
    /// The server: `http://host:port` or `unix:/path`
    #[arg(
        long,
        value_name = "URL",
        env = "ROWTIDE_URL",
        default_value_t,
        hide_env_values = true
    )]
    pub url: Endpoint,

    /// Print JSON, as is done anyway when the output is not a terminal
    #[arg(long)]
    pub json: bool,

    /// Print the request as a curl line instead of sending it
    #[arg(long)]
    pub curl: bool,
}

impl RemoteArgs {
    /// Sends the request, or prints it; hands a successful answer to `show` for a person, and prints
    /// it as it is for a program.
    fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        show: impl FnOnce(&T, bool) -> String,
    ) -> Result<(), Failure> {
        if self.curl {
            return output::print(&self.url.curl(path));
        }
        let answer = self.url.get(path)?;
        let style = Style::choose(self.json);
        if !answer.is_success() {
            if style == Style::Json {
                output::print(&answer.body)?;
            }
            return Err(refused(&answer));
        }
        match style {
            Style::Json => output::print(&answer.body),
            Style::Human { color } => match serde_json::from_str(&answer.body) {
                Ok(body) => output::print(&show(&body, color)),
                Err(error) => Err(Failure::Failed(anyhow::anyhow!(
                    "{} answered something else than rowtide would ({error}); see it with --json",
                    self.url
                ))),
            },
        }
    }
}

/// What an error answer means for the exit code, and in words.
pub fn refused(answer: &Answer) -> Failure {
    let Ok(problem) = serde_json::from_str::<Problem>(&answer.body) else {
        let body: String = harmless(answer.body.trim()).chars().take(500).collect();
        return Failure::Failed(anyhow::anyhow!("HTTP status {}: {body}", answer.status));
    };
    let mut lines = vec![format!("{} ({})", problem.detail, problem.code)];
    if !problem.candidates.is_empty() {
        lines.push(format!("candidates: {}", problem.candidates.join(", ")));
    }
    lines.extend(problem.hint.iter().map(|hint| format!("hint: {hint}")));
    lines.extend(
        problem
            .fresh
            .iter()
            .map(|fresh| format!("the data: {}", freshness(fresh))),
    );
    let message = harmless(&lines.join("\n"));
    match problem.code {
        ErrorCode::Starting | ErrorCode::TooStale | ErrorCode::Draining => {
            Failure::NotReady(message)
        }
        ErrorCode::NotYetApplied => Failure::WaitTimedOut(message),
        _ => Failure::Failed(anyhow::Error::msg(message)),
    }
}

/// One line about how fresh an answer is.
pub fn freshness(fresh: &Fresh) -> String {
    let mut parts = vec![fresh.state.to_string()];
    parts.extend(
        fresh
            .progress
            .map(|share| format!("{:.0} % read", share * 100.0)),
    );
    parts.push(match fresh.lag_ms {
        Some(lag) => format!("lag {lag} ms"),
        None => "lag unknown".to_owned(),
    });
    parts.extend(
        fresh
            .commit_time
            .as_ref()
            .map(|time| format!("last commit {}", harmless(time))),
    );
    if !fresh.complete {
        parts.push("incomplete".to_owned());
    }
    if fresh.quarantined > 0 {
        parts.push(format!("{} quarantined", fresh.quarantined));
    }
    parts.join(", ")
}

/// Percent-encodes everything that could mean something in a path or query.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(status: u16, body: &str, expected: &Expect) {
        let body = body.to_owned();
        expected.assert_eq(&match refused(&Answer { status, body }) {
            Failure::Failed(error) => format!("1: {error:#}"),
            Failure::NotReady(message) => format!("3: {message}"),
            other => format!("{other:?}"),
        });
    }

    #[test]
    fn error_answers_become_exit_codes_and_words() {
        let problem = Problem::new(ErrorCode::UnknownTable, "There is no table 'ordes'.")
            .with_candidates(vec!["orders".to_owned()])
            .with_hint("GET /v1/tables lists all tables.");
        check(
            404,
            &serde_json::to_string(&problem).unwrap(),
            &expect![[r"
                1: There is no table 'ordes'. (unknown_table)
                candidates: orders
                hint: GET /v1/tables lists all tables."]],
        );
        let problem = Problem::new(ErrorCode::Starting, "Table 'orders' is being loaded.");
        check(
            503,
            &serde_json::to_string(&problem).unwrap(),
            &expect!["3: Table 'orders' is being loaded. (starting)"],
        );
        check(
            502,
            "<html>\u{1b}[2J bad gateway",
            &expect![[r"1: HTTP status 502: <html>\u{1b}[2J bad gateway"]],
        );
    }

    #[test]
    fn what_is_typed_stays_one_piece() {
        assert_eq!(encoded("a,b/ü 1"), "a%2Cb%2F%C3%BC%201");
    }
}
