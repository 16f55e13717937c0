//! Query strings in `PostgREST`'s spelling, what they mean of a table, and what their casts make of a text.

use std::sync::LazyLock;

use query::bind;
use query::cast::Cast;
use query::json::postgres;
use query::postgrest::{self, ReadError};
use query::relation::World;
use query::tree::Query;
use query::zone::Zone;
use row_model::Value;

use crate::memory;
use crate::shop::{SHOP, TABLES};

const HELD_BYTES_BASE: usize = 4 << 20;
/// A name is copied for each level it stands on, each character that is read is noted, and each place that a table is read from.
const HELD_BYTES_PER_BYTE: usize = 4_000;
/// In the morning of a day that is another one further west.
const NOW_MS: i64 = 1_709_177_400_250;

static ZONE: LazyLock<Zone> = LazyLock::new(|| {
    Zone::from_name("America/New_York").unwrap_or_else(|| panic!("no zones of the world"))
});

/// The data is a query string, not encoded; each value of it is a text for casts, too.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    LazyLock::force(&SHOP);
    LazyLock::force(&ZONE);
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * text.len();
    memory::within(bytes_max, || {
        let parts = text.split('&');
        let pairs: Vec<(&str, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        let read = postgrest::read(pairs.iter().copied());
        match read {
            Ok(query) => TABLES.iter().for_each(|table| bound(&query, table)),
            Err(ReadError::Syntax {
                message, details, ..
            }) => {
                assert!(message.contains("(line "), "{message}");
                assert!(!details.is_empty() && details.len() < 1_000, "{details}");
            }
            Err(_) => {}
        }
        for (_, value) in pairs {
            casts(value);
        }
    });
}

/// It can be asked of the table, or there is a reason.
fn bound(query: &Query, table: &str) {
    let (cut, mut query) = (SHOP.cut(), query.clone());
    let Ok(table) = cut.table(table) else {
        panic!("no table {table}");
    };
    let world = World {
        tables_first: true,
        zone: &ZONE,
        ..World::new(&cut, &SHOP.relations)
    };
    let respelled = postgrest::respell(&mut query, table, &world, NOW_MS);
    let bound = respelled.and_then(|()| bind::bind(&query, table, &world));
    if let Err(error) = bound {
        assert!(!error.to_string().is_empty());
    }
}

/// Whatever a cast makes is written as JSON.
fn casts(text: &str) {
    for name in Cast::names() {
        let Some(cast) = Cast::from_name(name).map(|cast| cast.within(&ZONE)) else {
            continue;
        };
        let mut scratch = Vec::new();
        if let Ok(made) = cast.apply(Value::Text(text), &mut scratch) {
            let mut json = Vec::new();
            postgres::write_value(made, &ZONE, &mut json);
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok();
            assert!(is_json, "{text:?}::{name} is answered as no JSON");
        }
    }
}
