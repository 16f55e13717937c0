//! What stands in a request: keys in URLs, conditions, `as_of` tokens, percent-encoded text.

use query::as_of::AsOf;
use query::json::write_value;
use query::key::RowKey;
use query::tree::Condition;
use query::{literal, percent, url};
use row_model::{Column, ColumnType, Schema, Value, encode_key_value};

use crate::memory;

const HELD_BYTES_BASE: usize = 1 << 20;
/// A key of a few columns can be read in many ways, each of them a copy.
const HELD_BYTES_PER_BYTE: usize = 400;
/// Look-ups that one key may cause.
const KEYS_TRIED_MAX: usize = 4_096;
/// The column types whose text says nothing else than itself are left out: they are `text`.
const TYPES: [ColumnType; 16] = [
    ColumnType::Any,
    ColumnType::Bool,
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Decimal,
    ColumnType::Text,
    ColumnType::Bytes,
    ColumnType::Uuid,
    ColumnType::EnumSet,
    ColumnType::Json,
    ColumnType::Date,
    ColumnType::Time,
    ColumnType::TimeTz,
    ColumnType::Timestamp,
    ColumnType::TimestampTz,
    ColumnType::Duration,
];

/// The first byte says how many columns the key has, as many bytes of which types; the rest is the text.
pub fn check(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let count = usize::from(*count) % 4;
    let Some((types, text)) = rest.split_at_checked(count) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let types: Vec<ColumnType> = types
        .iter()
        .map(|number| TYPES[usize::from(*number) % TYPES.len()])
        .collect();
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * text.len();
    memory::within(bytes_max, || {
        keys(text, &types);
        tokens(text);
        conditions(text);
        names(text);
        if let Some(kind) = types.first() {
            literals(*kind, text);
        }
        let _ = percent::decode_form(text);
    });
}

fn keys(text: &str, types: &[ColumnType]) {
    let column = |(place, kind): (usize, &ColumnType)| Column {
        name: format!("c{place}"),
        kind: *kind,
        nullable: false,
    };
    let columns: Vec<Column> = types.iter().enumerate().map(column).collect();
    let names = columns.iter().map(|column| column.name.clone()).collect();
    let schema = Schema {
        columns,
        key: (!types.is_empty()).then_some(names),
    };
    match RowKey::read(text, &schema) {
        Ok(key) => {
            let mut tried = 0;
            let found = key.find(|_| {
                tried += 1;
                None::<()>
            });
            assert!(
                found.is_none() && (1..=KEYS_TRIED_MAX).contains(&tried),
                "{tried}"
            );
        }
        Err(error) => {
            let reason = error.to_string();
            assert!(reason.len() < 300, "{reason}");
        }
    }
}

/// A token that is read is written as one that reads the same.
fn tokens(text: &str) {
    if let Ok(as_of) = AsOf::decode(text) {
        assert_eq!(AsOf::decode(&as_of.encode()), Ok(as_of));
    }
}

/// What is read as conditions prints as ones that read the same.
fn conditions(text: &str) {
    for name in [
        "select",
        "include",
        "order",
        "group_by",
        "aggregate",
        "having",
        "and",
        "or",
        "not.and",
        "status",
        "customer.tier",
        "items.and",
        "items.where",
    ] {
        let Ok(query) = url::read([(name, text)]) else {
            continue;
        };
        if query.filter.is_empty() {
            continue;
        }
        let printed = url::print_conditions(&query.filter);
        let again = url::read([("and", &*printed)]);
        // One group more may be one too many.
        if let Ok(again) = again {
            assert_eq!(again.filter, [Condition::All(query.filter)], "{text:?}");
        }
    }
}

/// The name of a parameter is one of a few words, a column, or a path.
fn names(text: &str) {
    let _ = url::about(text);
    let _ = url::read([("select", "items(sku)"), (text, "eq.1")]);
}

/// What a text stands for is found again by the spelling that answers give it.
fn literals(kind: ColumnType, text: &str) {
    let mut spelled = Vec::new();
    let read = literal::each_value(kind, text, |value| {
        // These are written as they are; a number as it was asked for may be no JSON: `+1`.
        if let Value::Number(text) | Value::Json(text) = value {
            return spelled.push((text.to_owned(), encoded(value)));
        }
        let mut json = Vec::new();
        write_value(value, &mut json);
        // Strings lose their quotes in a URL; everything else is written as it is in JSON.
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok();
        assert!(is_json, "{value:?} is answered as no JSON");
        let spelling = serde_json::from_slice::<String>(&json);
        let spelling = spelling.unwrap_or_else(|_| String::from_utf8_lossy(&json).into_owned());
        spelled.push((spelling, encoded(value)));
    });
    assert!(read.is_ok() || spelled.is_empty());
    for (spelling, key) in spelled {
        let mut found = false;
        // A JSON string of a column without a type is asked for without its quotes, as any other.
        let unquoted = serde_json::from_str::<String>(&spelling).ok();
        for spelling in [Some(spelling.clone()), unquoted].into_iter().flatten() {
            let _ = literal::each_value(kind, &spelling, |value| found |= encoded(value) == key);
        }
        assert!(found, "{text:?} of {kind:?} is answered as {spelling:?}");
    }
}

fn encoded(value: Value<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key_value(value, &mut key);
    key
}
