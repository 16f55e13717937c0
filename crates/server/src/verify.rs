//! `rowtide verify`: reads tables again from their logs, up to where the checkpoint stands, and says what
//! differs. Serves nothing and writes nothing.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::anyhow;
use api_types::{RebuildState, RebuildStatus};
use clap::Args;
use config::{Config, ConfigArgs, Storage};
use ingest::{Compared, Verify};
use query::diff::{self, ChangedCell, Difference, Side};
use row_model::SchemaCatalog;
use serde_json::{Value, json};

use crate::cli::LogArgs;
use crate::data_dir::InUse;
use crate::failure::Failure;
use crate::output::{self, Style, harmless};
use crate::progress::Progress;
use crate::serve;
use crate::sources::Sources;
use crate::table_names;

#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Tables: their names, or any longer suffixes of their topics [default: all]
    pub tables: Vec<String>,

    /// How many differences of each table to show at most; all are counted
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    pub limit: usize,

    /// Print JSON, as is done anyway when the output is not a terminal
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub config: ConfigArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// What is known of one table.
struct Verified {
    table: String,
    result: Result<Found, String>,
}

/// How a table of the checkpoint stands to its log.
#[derive(Default)]
struct Found {
    rows: u64,
    shown: Vec<Difference>,
    /// Rows that differ, shown or not.
    total: u64,
}

pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    args.log.start("warn")?;
    let config = config::load(&args.config, &config::process_environment())?;
    let mut verify = load(&config)?;
    let cut = verify.cut();
    let is_unknown = |name: &String| verify.unknown().iter().any(|(unknown, _)| unknown == name);
    let (without, named): (Vec<String>, Vec<String>) =
        args.tables.iter().cloned().partition(is_unknown);
    let mut tables = Vec::new();
    if without.is_empty() || !named.is_empty() {
        tables = table_names::chosen(&cut, &named)?;
    }
    let mut verified: Vec<Verified> = verify
        .unknown()
        .iter()
        .filter(|(name, _)| args.tables.is_empty() || args.tables.contains(name))
        .map(|(name, reason)| Verified {
            table: name.clone(),
            result: Err(reason.clone()),
        })
        .collect();
    let mut progress = Progress::of(tables.iter().map(String::as_str));
    for table in &tables {
        let compared = verify.table(table, |share, trouble| {
            progress.show(table, &standing(share, trouble));
        });
        verified.push(Verified {
            table: table.clone(),
            result: compared.map(|compared| found(&compared, args.limit)),
        });
    }
    progress.end();
    output::print(&match Style::choose(args.json) {
        Style::Json => as_json(&verified).to_string(),
        Style::Human { .. } => as_text(&verified),
    })?;
    conclusion(&verified)
}

fn load(config: &Config) -> Result<Verify, Failure> {
    let Storage::Directory(dir) = &config.storage else {
        return Err(Failure::Usage(
            "nothing is kept with --ephemeral, so that there is nothing to verify".to_owned(),
        ));
    };
    if !dir.exists() {
        return Err(Failure::Failed(anyhow!(
            "there is no data directory {}: name the one that rowtide serve writes with --data-dir",
            dir.display()
        )));
    }
    let (store, _) = serve::open_checkpoints(&config.storage).map_err(|failure| match failure {
        Failure::Failed(error) if error.is::<InUse>() => Failure::NotReady(format!(
            "{error}. To verify, stop the server first, or copy {} and name the copy",
            dir.display()
        )),
        failure => failure,
    })?;
    let catalog = Arc::new(SchemaCatalog::default());
    let sources = Sources::new(config, Arc::clone(&catalog));
    let setups = sources.open_all()?;
    let reopen = Arc::new(move |source: &str, topic: &str| sources.open_one(source, topic));
    let settings = serve::settings(config, false);
    let loaded = Verify::load(settings, &setups, catalog, &*store, reopen);
    Ok(loaded.map_err(anyhow::Error::new)?)
}

fn standing(share: f64, trouble: Option<&str>) -> RebuildStatus {
    RebuildStatus {
        number: 0,
        state: RebuildState::Replaying,
        progress: share,
        rows: 0,
        detail: trouble.map(str::to_owned),
    }
}

fn found(compared: &Compared, shown_max: usize) -> Found {
    let mut found = Found {
        rows: compared.checkpoint.rows,
        ..Found::default()
    };
    let unsettled: &HashSet<Box<[u8]>> = &compared.unsettled;
    diff::rows(&compared.checkpoint, &compared.log, |key, difference| {
        let is_right_only = matches!(
            &difference,
            Difference::OnlyOn {
                side: Side::Right,
                ..
            }
        );
        // Its delete is the next record to be read: it may have been applied already.
        if is_right_only && unsettled.contains(key) {
            return;
        }
        found.total += match &difference {
            Difference::OnlyOn { rows, .. } => *rows,
            Difference::Changed { .. } => 1,
        };
        if found.shown.len() < shown_max {
            found.shown.push(difference);
        }
    });
    found
}

fn as_text(verified: &[Verified]) -> String {
    let mut out = String::new();
    for Verified { table, result } in verified {
        let table = harmless(table);
        let _ = match result {
            Err(reason) => writeln!(out, "{table}: not compared: {}", harmless(reason)),
            Ok(found) if found.total == 0 => {
                writeln!(out, "{table}: {} rows, as the log makes them", found.rows)
            }
            Ok(found) => writeln!(
                out,
                "{table}: {} rows differ from what the log makes of them",
                found.total
            ),
        };
        let Ok(found) = result else { continue };
        let mut shown = 0;
        for difference in &found.shown {
            shown += match difference {
                Difference::OnlyOn { rows, .. } => *rows,
                Difference::Changed { .. } => 1,
            };
            let _ = writeln!(out, "  {}", harmless(&in_words(difference)));
        }
        if shown < found.total {
            let _ = writeln!(out, "  and {} more", found.total - shown);
        }
    }
    if verified.is_empty() {
        out.push_str("the checkpoint holds no table\n");
    }
    out
}

fn in_words(difference: &Difference) -> String {
    match difference {
        Difference::Changed { key, cells } => {
            let value = |value: &Option<String>| value.clone().unwrap_or("nothing".to_owned());
            let cell = |cell: &ChangedCell| {
                format!(
                    "{} is {} in the checkpoint, {} in the log",
                    cell.column,
                    value(&cell.left),
                    value(&cell.right)
                )
            };
            let cells: Vec<String> = cells.iter().map(cell).collect();
            format!("{key}: {}", cells.join("; "))
        }
        Difference::OnlyOn { side, row, rows } => {
            let side = side_name(*side);
            let times = if *rows > 1 {
                format!(" ({rows} times)")
            } else {
                String::new()
            };
            format!("only in the {side}{times}: {row}")
        }
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "checkpoint",
        Side::Right => "log",
    }
}

fn as_json(verified: &[Verified]) -> Value {
    let table = |Verified { table, result }: &Verified| match result {
        Err(reason) => json!({"table": table, "state": "not_compared", "reason": reason}),
        Ok(found) => json!({
            "table": table,
            "state": if found.total == 0 { "equal" } else { "different" },
            "rows": found.rows,
            "different": found.total,
            "differences": found.shown.iter().map(difference).collect::<Vec<_>>(),
        }),
    };
    json!({"tables": verified.iter().map(table).collect::<Vec<_>>()})
}

fn difference(difference: &Difference) -> Value {
    let parsed = |text: &String| serde_json::from_str(text).unwrap_or(Value::Null);
    match difference {
        Difference::Changed { key, cells } => {
            let cell = |cell: &ChangedCell| {
                let mut sides = json!({"column": cell.column});
                for (name, value) in [("checkpoint", &cell.left), ("log", &cell.right)] {
                    if let Some(value) = value {
                        sides[name] = parsed(value);
                    }
                }
                sides
            };
            let cells: Vec<Value> = cells.iter().map(cell).collect();
            json!({"key": parsed(key), "columns": cells})
        }
        Difference::OnlyOn { side, row, rows } => {
            json!({"only_in": side_name(*side), "row": parsed(row), "rows": rows})
        }
    }
}

/// What is wrong, if anything is, and what would help.
fn conclusion(verified: &[Verified]) -> Result<(), Failure> {
    let is_different = |it: &&Verified| it.result.as_ref().is_ok_and(|found| found.total > 0);
    let different: Vec<&str> = verified
        .iter()
        .filter(is_different)
        .map(|it| it.table.as_str())
        .collect();
    let not_compared: Vec<String> = verified
        .iter()
        .filter_map(|it| Some(format!("{}: {}", it.table, it.result.as_ref().err()?)))
        .collect();
    let mut lines = Vec::new();
    if !different.is_empty() {
        let names = different.join(" ");
        lines.push(format!(
            "not what the log says: {names}\nrowtide rebuild {names} makes them so"
        ));
    }
    if !not_compared.is_empty() {
        lines.push(format!("not compared: {}", not_compared.join("; ")));
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::Error::msg(harmless(
        &lines.join("\n"),
    ))))
}
