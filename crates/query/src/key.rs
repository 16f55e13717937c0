//! Reads a key as it stands in a URL: values in key order, comma-separated, each percent-encoded
//! (a comma inside a value is `%2C`).
//!
//! A text can stand for several values where a column's type does not decide, so a key stands for a
//! few encoded keys, each of which is looked up: the likeliest first.

use row_model::{ColumnType, KEY_BYTES_MAX, Schema, Value, encode_key_value};
use smallvec::{SmallVec, smallvec};

use crate::literal::{self, LiteralError};
use crate::percent::{self, PercentError};

/// More combinations than this are not tried. Reached only by keys of many columns in streams without types.
const KEYS_TRIED_MAX: usize = 4_096;

/// Room for a number, and for most texts, made at once.
const KEY_BYTES_USUAL: usize = 48;

/// A longer text may be too long for a key, which is found out before anything is looked up.
const KEY_TEXT_BYTES_USUAL: usize = 1_024;

/// The encodings that a key column's text stands for: mostly one.
type Ways = SmallVec<[Vec<u8>; 1]>;

/// A key as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKey {
    columns: SmallVec<[Ways; 1]>,
}

/// Why a text is no key of a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the table has no key")]
    Keyless,
    #[error("the key has {} ({}), not {given}", values(expected.len()), expected.join(","))]
    WrongCount { expected: Vec<String>, given: usize },
    /// Its values were given by the names of columns, and these are not those of the key.
    #[error("the key is made of {}, not {}", expected.join(","), given.join(","))]
    OtherColumns {
        expected: Vec<String>,
        given: Vec<String>,
    },
    #[error("the key is not percent-encoded text: {0}")]
    Percent(#[from] PercentError),
    #[error("key column '{column}' is of type {kind}: {error}")]
    Literal {
        column: String,
        kind: &'static str,
        error: LiteralError,
    },
    #[error("the key is longer than {KEY_BYTES_MAX} bytes")]
    TooLong,
    #[error("the key's values can be read in more than {KEYS_TRIED_MAX} ways")]
    TooManyReadings,
}

fn values(count: usize) -> String {
    format!("{count} value{}", if count == 1 { "" } else { "s" })
}

impl RowKey {
    /// All keys that it stands for.
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let _: Option<()> = self.find(|key| {
            keys.push(key.to_vec());
            None
        });
        keys
    }

    /// Reads a segment of a path, still percent-encoded.
    ///
    /// # Errors
    /// If it cannot be a key of a table of this shape.
    pub fn read(segment: &str, schema: &Schema) -> Result<Self, KeyError> {
        let names = schema.key.as_ref().ok_or(KeyError::Keyless)?;
        if names.len() == 1 && is_one_value(segment) {
            return Self::of_values(&[segment], schema);
        }
        // Counted first: of a table with another key nothing else is worth saying.
        checked_count(names, segment.split(',').count())?;
        let texts: Result<SmallVec<[_; 1]>, _> = segment.split(',').map(percent::decode).collect();
        Self::of_values(&texts?, schema)
    }

    /// The key of these values, in key order, each as it is spelled in a URL.
    ///
    /// # Errors
    /// If they cannot be a key of a table of this shape.
    pub fn of_values(texts: &[impl AsRef<str>], schema: &Schema) -> Result<Self, KeyError> {
        let names = schema.key.as_ref().ok_or(KeyError::Keyless)?;
        checked_count(names, texts.len())?;
        let mut columns: SmallVec<[Ways; 1]> = SmallVec::with_capacity(texts.len());
        for (name, text) in names.iter().zip(texts) {
            let mut ways = Ways::new();
            each_value(name, schema, text.as_ref(), |value| {
                let mut key = Vec::with_capacity(KEY_BYTES_USUAL);
                encode_key_value(value, &mut key);
                ways.push(key);
            })?;
            columns.push(ways);
        }
        let longest = columns
            .iter()
            .filter_map(|ways| ways.iter().map(Vec::len).max());
        if longest.sum::<usize>() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let readings = columns.iter().map(SmallVec::len);
        let readings = readings.fold(1, usize::saturating_mul);
        if readings > KEYS_TRIED_MAX {
            return Err(KeyError::TooManyReadings);
        }
        Ok(Self { columns })
    }

    /// What [`read`](Self::read) and then [`find`](Self::find) answer. Nearly every key is of one column, and short: each
    /// of its encodings is looked up before the next is made.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn find_at_once<T>(
        segment: &str,
        schema: &Schema,
        mut look_up: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, KeyError> {
        let [name] = schema.key.as_deref().unwrap_or_default() else {
            return Ok(Self::read(segment, schema)?.find(look_up));
        };
        if segment.len() > KEY_TEXT_BYTES_USUAL || !is_one_value(segment) {
            return Ok(Self::read(segment, schema)?.find(look_up));
        }
        let mut found = None;
        let mut key = Vec::with_capacity(KEY_BYTES_USUAL);
        each_value(name, schema, segment, |value| {
            if found.is_none() {
                key.clear();
                encode_key_value(value, &mut key);
                found = look_up(&key);
            }
        })?;
        Ok(found)
    }

    /// A key that no row has, of a table that has had none.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self {
            columns: smallvec![Ways::new()],
        }
    }

    /// The first answer `look_up` gives for one of the encoded keys this key stands for.
    pub fn find<T>(&self, mut look_up: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        if let [ways] = &self.columns[..] {
            return ways.iter().find_map(|key| look_up(key));
        }
        let mut chosen = vec![0; self.columns.len()];
        let mut key = Vec::new();
        loop {
            key.clear();
            for (ways, way) in self.columns.iter().zip(&chosen) {
                key.extend_from_slice(&ways[*way]);
            }
            if let Some(found) = look_up(&key) {
                return Some(found);
            }
            // The last column turns fastest, as on an odometer.
            let turned = (0..chosen.len()).rev().find(|at| {
                chosen[*at] = (chosen[*at] + 1) % self.columns[*at].len();
                chosen[*at] != 0
            });
            turned?;
        }
    }
}

fn checked_count(names: &[String], given: usize) -> Result<(), KeyError> {
    if given == names.len() {
        return Ok(());
    }
    Err(KeyError::WrongCount {
        expected: names.to_vec(),
        given,
    })
}

/// Whether a segment is one value as it stands.
fn is_one_value(segment: &str) -> bool {
    !segment.bytes().any(|byte| matches!(byte, b',' | b'%'))
}

/// Calls `each` with every value that a key column's text stands for.
fn each_value(
    name: &str,
    schema: &Schema,
    text: &str,
    each: impl FnMut(Value<'_>),
) -> Result<(), KeyError> {
    let column = schema.column(name).map(|at| &schema.columns[at]);
    // A key column that rows do not have is known from keys only, and they say no types.
    let kind = column.map_or(ColumnType::Any, |column| column.kind);
    literal::each_value(kind, text, each).map_err(|error| KeyError::Literal {
        column: name.to_owned(),
        kind: kind.name(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use row_model::{Column, encode_key};

    use super::*;

    fn schema(key: Option<&[(&str, ColumnType)]>) -> Schema {
        let column = |(name, kind): &(&str, ColumnType)| Column {
            name: (*name).to_owned(),
            kind: *kind,
            nullable: false,
        };
        Schema {
            columns: key.unwrap_or_default().iter().map(column).collect(),
            key: key.map(|columns| columns.iter().map(|(name, _)| (*name).to_owned()).collect()),
        }
    }

    /// Whether the segment finds a row of this key.
    fn finds(segment: &str, kinds: &[ColumnType], values: &[Value<'_>]) -> bool {
        let names = ["a", "b", "c"];
        let columns: Vec<_> = names.into_iter().zip(kinds.iter().copied()).collect();
        let mut wanted = Vec::new();
        encode_key(values.iter().copied(), &mut wanted).unwrap();
        let key = RowKey::read(segment, &schema(Some(&columns))).unwrap();
        key.find(|key| (key == wanted).then_some(())).is_some()
    }

    fn refused(segment: &str, key: Option<&[(&str, ColumnType)]>) -> String {
        RowKey::read(segment, &schema(key)).unwrap_err().to_string()
    }

    #[test]
    fn a_typed_key_is_its_value() {
        use ColumnType::{Decimal, Int64, Text, Uuid};
        assert!(finds("7", &[Int64], &[Value::Int(7)]));
        assert!(finds(
            "18446744073709551615",
            &[Int64],
            &[Value::UInt(u64::MAX)]
        ));
        assert!(finds("19.9", &[Decimal], &[Value::Number("19.90")]));
        assert!(finds("", &[Text], &[Value::Text("")]));
        assert!(finds(
            "a%2Fb%2C%22%F0%9F%A6%80%22%20%25",
            &[Text],
            &[Value::Text("a/b,\"🦀\" %")]
        ));
        assert!(finds("7", &[Text], &[Value::Text("7")]));
        assert!(!finds("7", &[Text], &[Value::Int(7)]));
        assert!(finds(
            "b68a35a7-17ad-35b3-af2a-ae46edb4545a",
            &[Uuid],
            &[Value::Uuid([
                0xb6, 0x8a, 0x35, 0xa7, 0x17, 0xad, 0x35, 0xb3, 0xaf, 0x2a, 0xae, 0x46, 0xed, 0xb4,
                0x54, 0x5a,
            ])]
        ));
    }

    #[test]
    fn a_key_of_several_columns_is_in_key_order() {
        use ColumnType::{Date, Int32, Text};
        let values = [Value::Int(7), Value::Text("a,b"), Value::Date(19_782)];
        assert!(finds("7,a%2Cb,2024-02-29", &[Int32, Text, Date], &values));
    }

    #[test]
    fn without_types_every_reading_is_tried() {
        use ColumnType::Any;
        for values in [
            [Value::Int(7), Value::Int(8)],
            [Value::Text("7"), Value::Int(8)],
            [Value::Int(7), Value::Text("8")],
            [Value::Text("7"), Value::Text("8")],
        ] {
            assert!(finds("7,8", &[Any, Any], &values), "{values:?}");
        }
        assert!(!finds("7,8", &[Any, Any], &[Value::Int(8), Value::Int(7)]));
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_was_expected() {
        use ColumnType::{Any, Int64, Text, Timestamp};
        assert_eq!(refused("7", None), "the table has no key");
        assert_eq!(
            refused("a,b", Some(&[("code", Text)])),
            "the key has 1 value (code), not 2"
        );
        assert_eq!(
            refused("7", Some(&[("order", Int64), ("line", Int64)])),
            "the key has 2 values (order,line), not 1"
        );
        assert_eq!(
            refused("x", Some(&[("id", Int64)])),
            "key column 'id' is of type int64: expected an integer"
        );
        assert_eq!(
            refused("2024", Some(&[("at", Timestamp)])),
            "key column 'at' is of type timestamp: expected a timestamp without zone, as in 2024-02-29T12:34:56.789"
        );
        assert!(
            refused("%f", Some(&[("id", Text)])).contains("not followed by two hexadecimal digits")
        );
        let long = "x".repeat(KEY_BYTES_MAX);
        assert_eq!(
            refused(&long, Some(&[("id", Text)])),
            "the key is longer than 32768 bytes"
        );
        let many: Vec<_> = ["k"; 13].into_iter().map(|name| (name, Any)).collect();
        assert_eq!(
            refused("1,1,1,1,1,1,1,1,1,1,1,1,1", Some(&many)),
            "the key's values can be read in more than 4096 ways"
        );
    }

    proptest! {
        #[test]
        fn what_is_found_at_once_is_what_is_found(
            segment in "[0-9]{1,20}|-?[0-9.]{1,4}|[a-fz%,-]{0,3}|[a-f0-9]{24}|[0-9]{40}|[a-f]{1020,1030}|true|null|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            kinds in prop::collection::vec(
                prop::sample::select(vec![ColumnType::Any, ColumnType::Int64, ColumnType::Text, ColumnType::Uuid]), 0..3,
            ),
            missed in 0..3_usize,
        ) {
            let columns: Vec<_> = ["a", "b"].into_iter().zip(kinds).collect();
            let schema = schema((!columns.is_empty()).then_some(&columns[..]));
            let look_up = |left: &mut usize, key: &[u8]| {
                let found = (*left == 0).then(|| key.to_vec());
                *left = left.saturating_sub(1);
                found
            };
            let (mut left, mut left_at_once) = (missed, missed);
            let found = RowKey::read(&segment, &schema).map(|key| key.find(|key| look_up(&mut left, key)));
            let at_once = RowKey::find_at_once(&segment, &schema, |key| look_up(&mut left_at_once, key));
            prop_assert_eq!(found, at_once);
        }
    }
}
