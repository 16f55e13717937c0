//! What the recordings do not say of themselves: how a connector was set up, what it adds to rows,
//! what nobody can compare, and where a worse delivery cannot lead to the same tables. Each with its
//! reason, which the matrix prints.

use black_box::exact::Exact;
use black_box::scenario::{Deviation, ExpectedTable};

use crate::case::Mischief;

/// Added by `ExtractNewRecordState` as it was configured.
const FLATTENED: [&str; 9] = [
    "__deleted",
    "__lsn",
    "__op",
    "__source_sequence",
    "__source_snapshot",
    "__source_ts_ms",
    "__table",
    "__ts_ms",
    "__txId",
];

/// The connector's placeholder for values that were not sent, where it is not the usual one.
pub fn unavailable_value(scenario: &str) -> Option<&'static str> {
    (scenario == "C_toast_custom").then_some("~~GONE~~")
}

/// Columns that a transformation adds to every row.
fn added_columns(scenario: &str) -> &'static [&'static str] {
    match scenario {
        "H_header_to_value" => &["run"],
        "H_insertfield_filter" => &["kafka_ts", "kafka_topic", "origin_sys"],
        _ if scenario.starts_with("H_unwrap_") => &FLATTENED,
        _ => &[],
    }
}

/// Why a table is not compared; `None` where it is.
pub fn uncompared(scenario: &str, stem: &str, table: &str) -> Option<&'static str> {
    match table {
        _ if stem == "events-string" => Some(
            "`StringConverter` writes the text of Java objects, which nothing can read back; the record is set aside and the reason names the setting",
        ),
        "public.nokey"
            if scenario.starts_with("H_unwrap_") || scenario == "H_insertfield_filter" =>
        {
            Some(
                "flattened records of a table without a key say neither which row they change nor what it was; they are set aside",
            )
        }
        _ => None,
    }
}

/// What the oracle cannot name, because it names rows by key.
fn told_by_hand(scenario: &str, stem: &str, table: &str) -> Vec<(&'static str, &'static str)> {
    match (scenario, stem, table) {
        // Protobuf has no null in a list: the converter threw, and these rows were never written.
        ("D_types_default", "events-proto", "public.t_arr") => {
            vec![("2", "row absent"), ("102", "row absent")]
        }
        // The truncate was skipped at the source.
        ("E_truncate_default", _, "public.nokey") => vec![
            (r#"{"a":1,"b":"x"}"#, "row present"),
            (r#"{"a":1,"b":"x"}"#, "row present"),
            (r#"{"a":2,"b":"y"}"#, "row present"),
        ],
        // The table was renamed: what it held before stays in the topic of its old name.
        (_, _, "k_mysql.nopk2" | "k_mariadb.nopk2" | "k_mariadb_connect.nopk2") => vec![
            (r#"{"a":1,"b":"changed"}"#, "row absent"),
            (r#"{"a":1,"b":"d"}"#, "row absent"),
            (r#"{"a":9,"b":"new"}"#, "row absent"),
        ],
        _ => Vec::new(),
    }
}

/// Completes what a recording's oracle says of a table.
pub fn complete(scenario: &str, stem: &str, table: &mut ExpectedTable) -> anyhow::Result<()> {
    let added = added_columns(scenario).iter();
    table
        .added_columns
        .extend(added.map(|name| (*name).to_owned()));
    // A snapshot that ran whole again names every row there is: what it did not name must go.
    if scenario.starts_with("L_") {
        let ghost = Exact::text("row present");
        table.deviations.retain(|deviation| deviation.sent != ghost);
    }
    for (key, sent) in told_by_hand(scenario, stem, &table.name) {
        table.deviations.push(Deviation {
            key: vec![Exact::parse(key)?],
            column: "*".to_owned(),
            sent: Exact::text(sent),
        });
    }
    Ok(())
}

/// What a reader of the matrix should know of a recording.
pub fn note(scenario: &str, stem: &str) -> &'static str {
    match (scenario, stem) {
        ("D_types_default", "events-proto") => {
            "Protobuf has no null in a list: 3 records were never written"
        }
        ("M_volume_avro", _) => "one key in 13 of `M_volume`, with every record of it",
        ("E_truncate_default", _) => "the connector skips truncates: the rows stay",
        ("L_offsets_lost", _) => "rows that the repeated snapshot did not name are gone",
        ("F_evolution", _) => {
            "defaults of added columns and renamed tables are not in the stream: the database cannot be the measure"
        }
        ("H_logical_table_router_nouniq", _) => {
            "keys of two shards collide, as `key.enforce.uniqueness=false` makes them"
        }
        ("X_documented", stem) if !stem.starts_with("handmade") => {
            "samples of the manual, each on its own"
        }
        _ if stem == "events-proto" => "Protobuf without `optional`: a null is the type's zero",
        _ if stem == "events-numeric-nonullrepl" => {
            "decimals as numbers; nulls not replaced by defaults"
        }
        _ => "",
    }
}

/// Why this mischief is not asked of a recording; `None` where it is.
pub fn excuse(scenario: &str, stem: &str, mischief: Mischief) -> Option<&'static str> {
    match (scenario, mischief) {
        ("M_volume" | "M_volume_avro", _) => {
            Some("too long to repeat here; `crash.rs` and `mischief.rs` do it with `M_volume`")
        }
        ("X_documented", Mischief::Redelivered) if !stem.starts_with("handmade") => Some(
            "some samples have neither key nor position, so that nothing tells a repetition from a second row",
        ),
        _ => None,
    }
}
