//! `rowtide get`: rows of one table by key or page by page, or what columns it has.

use std::fmt;

use api_types::{ListResponse, RowResponse, TableInfo};
use clap::Args;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{RemoteArgs, encoded, freshness};
use crate::failure::Failure;
use crate::output::{self, harmless};

#[derive(Args, Clone, Debug)]
pub struct GetArgs {
    /// Table: its name, or any longer suffix of its topic
    pub table: String,

    /// Key of one row: the values of its key columns in order, one argument each
    #[arg(allow_negative_numbers = true)]
    pub key: Vec<String>,

    /// How many rows to list at most
    #[arg(long, value_name = "ROWS", conflicts_with = "key")]
    pub limit: Option<u32>,

    /// Where to go on: the cursor that an earlier page ended with
    #[arg(long, conflicts_with = "key")]
    pub cursor: Option<String>,

    /// Show columns, types and key instead of rows
    #[arg(long, conflicts_with_all = ["key", "limit", "cursor"])]
    pub schema: bool,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub fn run(args: &GetArgs) -> Result<(), Failure> {
    let path = path(args);
    if args.schema {
        return args.remote.ask(&path, show_schema);
    }
    if args.key.is_empty() {
        return args.remote.ask(&path, show_list);
    }
    args.remote.ask(&path, show_row)
}

fn path(args: &GetArgs) -> String {
    let table = format!("/v1/tables/{}", encoded(&args.table));
    if args.schema {
        return table;
    }
    if !args.key.is_empty() {
        let key: Vec<String> = args.key.iter().map(|value| encoded(value)).collect();
        return format!("{table}/rows/{}", key.join(","));
    }
    let limit = args.limit.map(|limit| format!("limit={limit}"));
    let cursor = args
        .cursor
        .as_ref()
        .map(|cursor| format!("cursor={}", encoded(cursor)));
    let query: Vec<String> = limit.into_iter().chain(cursor).collect();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{table}/rows{separator}{}", query.join("&"))
}

fn show_schema(info: &TableInfo, color: bool) -> String {
    let mut table = output::table(&["column", "type", "", ""], color);
    let key = info.key.as_deref().unwrap_or_default();
    for column in &info.columns {
        let in_key = if key.contains(&column.name) {
            "key"
        } else {
            ""
        };
        let null = if column.nullable { "or null" } else { "" };
        table.add_row([
            &*harmless(&column.name),
            &*harmless(&column.type_name),
            null,
            in_key,
        ]);
    }
    let title = format!(
        "{} from {}, {} rows",
        harmless(&info.name),
        harmless(&info.topic),
        info.rows
    );
    format!("{title}\n{table}\n{}", freshness(&info.fresh))
}

fn show_row(answer: &RowResponse, color: bool) -> String {
    let mut table = output::table(&["column", "value"], color);
    for (column, value) in cells(&answer.row) {
        table.add_row([harmless(&column), shown(&value)]);
    }
    format!("{table}\n{}", freshness(&answer.fresh))
}

fn show_list(answer: &ListResponse, color: bool) -> String {
    let rows: Vec<Vec<(String, Box<RawValue>)>> =
        answer.rows.iter().map(|row| cells(row)).collect();
    let mut columns: Vec<&str> = Vec::new();
    for (column, _) in rows.iter().flatten() {
        if !columns.contains(&column.as_str()) {
            columns.push(column);
        }
    }
    let mut table = output::table(&columns, color);
    for row in &rows {
        let cell = |column: &&str| {
            let found = row.iter().find(|(name, _)| name == column);
            found.map(|(_, value)| shown(value)).unwrap_or_default()
        };
        table.add_row(columns.iter().map(cell));
    }
    let more = match &answer.next {
        Some(next) => format!("\nmore: --cursor {}", harmless(next)),
        None => String::new(),
    };
    format!(
        "{table}\n{} rows, {}{more}",
        answer.count,
        freshness(&answer.fresh)
    )
}

/// A value for a person: text without its quotes, the rest as it is.
fn shown(value: &RawValue) -> String {
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) => harmless(&text),
        Err(_) => harmless(value.get()),
    }
}

/// The columns of a row in the order they were sent. What is no object has none.
fn cells(row: &RawValue) -> Vec<(String, Box<RawValue>)> {
    serde_json::from_str::<Cells>(row.get())
        .map(|cells| cells.0)
        .unwrap_or_default()
}

struct Cells(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Cells;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cells, A::Error> {
                let mut cells = Vec::new();
                while let Some(cell) = map.next_entry()? {
                    cells.push(cell);
                }
                Ok(Cells(cells))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use expect_test::{Expect, expect};

    use super::*;

    #[derive(Parser)]
    struct Get {
        #[command(flatten)]
        args: GetArgs,
    }

    fn check_path(line: &str, expected: &Expect) {
        let words = std::iter::once("get").chain(line.split_whitespace());
        let answer = match Get::try_parse_from(words) {
            Ok(get) => path(&get.args),
            Err(error) => error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn arguments_become_paths() {
        check_path("orders 7", &expect!["/v1/tables/orders/rows/7"]);
        check_path(
            "order_items 7 -2",
            &expect!["/v1/tables/order_items/rows/7,-2"],
        );
        check_path(
            "crm.public.orders a,b/c",
            &expect!["/v1/tables/crm.public.orders/rows/a%2Cb%2Fc"],
        );
        check_path("orders", &expect!["/v1/tables/orders/rows"]);
        check_path(
            "orders --limit 5 --cursor a+b=",
            &expect!["/v1/tables/orders/rows?limit=5&cursor=a%2Bb%3D"],
        );
        check_path("orders --schema", &expect!["/v1/tables/orders"]);
        check_path(
            "orders 7 --limit 5",
            &expect!["error: the argument '[KEY]...' cannot be used with '--limit <ROWS>'"],
        );
    }

    const FRESH: &str = r#""fresh":{"as_of":"AQ","commit_time":"2026-11-20T23:59:58.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}"#;

    #[test]
    fn rows_are_shown_in_the_order_of_their_columns() {
        let row = r#"{"row":{"id":7,"total":"19.90","note":null,"name":"a\u001b[31mb"},"#;
        let row: RowResponse = serde_json::from_str(&format!("{row}{FRESH}}}")).unwrap();
        expect![[r"
             column  value
             id      7
             total   19.90
             note    null
             name    a\u{1b}[31mb
            live, lag 38 ms, last commit 2026-11-20T23:59:58.412Z"]]
        .assert_eq(&trimmed(&show_row(&row, false)));
        let list = r#"{"rows":[{"id":1,"z":[1, 2]},{"id":2,"a":true}],"count":2,"next":"eyJ","truncated":false,"#;
        let list: ListResponse = serde_json::from_str(&format!("{list}{FRESH}}}")).unwrap();
        expect![[r"
             id  z       a
             1   [1, 2]
             2           true
            2 rows, live, lag 38 ms, last commit 2026-11-20T23:59:58.412Z
            more: --cursor eyJ"]]
        .assert_eq(&trimmed(&show_list(&list, false)));
    }

    fn trimmed(text: &str) -> String {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }
}
