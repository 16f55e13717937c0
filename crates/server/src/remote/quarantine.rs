//! `rowtide quarantine`: records that could not be applied, and trying them once more.

use api_types::{
    QuarantineOutcome, QuarantineRecord, QuarantineReplayResponse, QuarantineResponse,
};
use clap::{Args, Subcommand};

use super::{Endpoint, RemoteArgs, encoded, freshness, refused};
use crate::failure::Failure;
use crate::output::{self, Style, harmless};

#[derive(Args, Clone, Debug)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    pub verb: QuarantineVerb,
}

#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineVerb {
    /// List the records that could not be applied, the newest first
    List(ListArgs),
    /// Try records once more, after what was wrong with them has been mended
    Replay(ReplayArgs),
}

#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Only those of this table, or of this topic
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,

    /// How many at most
    #[arg(long, value_name = "RECORDS")]
    pub limit: Option<u32>,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct ReplayArgs {
    /// Those of this table, or of this topic
    #[arg(long, value_name = "TABLE", required_unless_present_any = ["topic", "all"], conflicts_with_all = ["topic", "all"])]
    pub table: Option<String>,

    /// Those of this topic
    #[arg(long, value_name = "TOPIC", conflicts_with = "all")]
    pub topic: Option<String>,

    /// Of the topic only those of this partition
    #[arg(long, value_name = "NUMBER", requires = "topic")]
    pub partition: Option<i32>,

    /// Of the partition only the one at this offset
    #[arg(long, value_name = "OFFSET", requires = "partition")]
    pub offset: Option<u64>,

    /// All there are
    #[arg(long)]
    pub all: bool,

    /// The server's admin listener: `http://host:port` or `unix:/path`
    #[arg(
        long,
        value_name = "URL",
        env = "ROWTIDE_ADMIN_URL",
        default_value = "http://127.0.0.1:9090",
        hide_env_values = true
    )]
    pub admin_url: Endpoint,

    /// Print JSON, as is done anyway when the output is not a terminal
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &QuarantineArgs) -> Result<(), Failure> {
    match &args.verb {
        QuarantineVerb::List(args) => args.remote.ask(&list_path(args), show),
        QuarantineVerb::Replay(args) => replay(args),
    }
}

fn list_path(args: &ListArgs) -> String {
    let table = args.table.as_ref();
    let table = table.map(|table| format!("table={}", encoded(table)));
    let limit = args.limit.map(|limit| format!("limit={limit}"));
    with_query("/v1/quarantine", table.into_iter().chain(limit))
}

fn replay_path(args: &ReplayArgs) -> String {
    let text = |name: &str, value: &Option<String>| {
        let value = value.as_ref();
        value.map(|value| format!("{name}={}", encoded(value)))
    };
    let parts = [
        text("table", &args.table),
        text("topic", &args.topic),
        args.partition.map(|number| format!("partition={number}")),
        args.offset.map(|offset| format!("offset={offset}")),
        args.all.then(|| "all=true".to_owned()),
    ];
    with_query("/v1/quarantine/replay", parts.into_iter().flatten())
}

fn with_query(path: &str, parts: impl Iterator<Item = String>) -> String {
    let query: Vec<String> = parts.collect();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{path}{separator}{}", query.join("&"))
}

/// Fails if any record stays, so that a script notices.
fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let answer = args.admin_url.post(&replay_path(args))?;
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let response: QuarantineReplayResponse =
        serde_json::from_str(&answer.body).map_err(anyhow::Error::from)?;
    match Style::choose(args.json) {
        Style::Json => output::print(&answer.body)?,
        Style::Human { color } => output::print(&show_replayed(&response, color))?,
    }
    match response.kept {
        0 => Ok(()),
        kept => Err(anyhow::anyhow!("{kept} records stay in the quarantine").into()),
    }
}

fn show(response: &QuarantineResponse, color: bool) -> String {
    if response.records.is_empty() {
        return format!("the quarantine is empty\n{}", freshness(&response.fresh));
    }
    let mut table = output::table(&["record", "time", "reason"], color);
    for record in &response.records {
        let QuarantineRecord { time, reason, .. } = record;
        let place = place(&record.topic, record.partition, record.offset);
        table.add_row([place, time.clone().unwrap_or_default(), harmless(reason)]);
    }
    format!("{table}\n{}", freshness(&response.fresh))
}

fn show_replayed(response: &QuarantineReplayResponse, color: bool) -> String {
    let mut table = output::table(&["record", "", ""], color);
    for record in &response.records {
        let outcome = match record.outcome {
            QuarantineOutcome::Applied => "applied",
            QuarantineOutcome::Settled => "settled",
            QuarantineOutcome::Kept => "kept",
        };
        let reason = record.reason.as_deref().map(harmless);
        table.add_row([
            place(&record.topic, record.partition, record.offset),
            outcome.to_owned(),
            reason.unwrap_or_default(),
        ]);
    }
    format!(
        "{table}\n{} applied, {} settled by later records, {} kept",
        response.applied, response.settled, response.kept
    )
}

fn place(topic: &str, partition: i32, offset: u64) -> String {
    format!("{}-{partition} @ {offset}", harmless(topic))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use expect_test::{Expect, expect};

    use super::*;

    #[derive(Parser)]
    struct Quarantine {
        #[command(flatten)]
        args: QuarantineArgs,
    }

    fn check(line: &str, expected: &Expect) {
        let words = std::iter::once("quarantine").chain(line.split_whitespace());
        let answer = match Quarantine::try_parse_from(words) {
            Ok(parsed) => match parsed.args.verb {
                QuarantineVerb::List(args) => list_path(&args),
                QuarantineVerb::Replay(args) => replay_path(&args),
            },
            Err(error) => {
                let text = error.to_string();
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn arguments_become_paths() {
        check("list", &expect!["/v1/quarantine"]);
        check(
            "list --table a/b --limit 5",
            &expect!["/v1/quarantine?table=a%2Fb&limit=5"],
        );
        check(
            "replay --table orders",
            &expect!["/v1/quarantine/replay?table=orders"],
        );
        check(
            "replay --topic t --partition 0 --offset 7",
            &expect!["/v1/quarantine/replay?topic=t&partition=0&offset=7"],
        );
        check("replay --all", &expect!["/v1/quarantine/replay?all=true"]);
        check(
            "replay",
            &expect!["error: the following required arguments were not provided:"],
        );
        check(
            "replay --all --offset 7",
            &expect!["error: the following required arguments were not provided:"],
        );
    }
}
