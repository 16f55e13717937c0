//! Query strings in `PostgREST`'s spelling, and what their casts make of a text.

use query::cast::Cast;
use query::json::postgres;
use query::postgrest::{self, ReadError};
use query::zone::Zone;
use row_model::Value;

use crate::memory;

const HELD_BYTES_BASE: usize = 1 << 20;
/// A name is copied for each level it stands on, and each character that is read is noted.
const HELD_BYTES_PER_BYTE: usize = 400;

/// The data is a query string, not encoded; each value of it is a text for casts, too.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * text.len();
    memory::within(bytes_max, || {
        let parts = text.split('&');
        let pairs: Vec<(&str, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        let read = postgrest::read(pairs.iter().copied());
        if let Err(ReadError::Syntax {
            message, details, ..
        }) = read
        {
            assert!(message.contains("(line "), "{message}");
            assert!(!details.is_empty() && details.len() < 1_000, "{details}");
        }
        for (_, value) in pairs {
            casts(value);
        }
    });
}

/// Whatever a cast makes is written as JSON.
fn casts(text: &str) {
    for name in Cast::names() {
        let Some(cast) = Cast::from_name(name) else {
            continue;
        };
        let mut scratch = Vec::new();
        if let Ok(made) = cast.apply(Value::Text(text), &mut scratch) {
            let mut json = Vec::new();
            postgres::write_value(made, &Zone::default(), &mut json);
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok();
            assert!(is_json, "{text:?}::{name} is answered as no JSON");
        }
    }
}
