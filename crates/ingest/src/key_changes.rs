//! Rows on their way from one key to another: a delete of the old key and a create of the new one.
//!
//! Two things go wrong if the halves are taken as an ordinary delete and an ordinary create. The
//! create may lack values that only the row under the old key has. And where keys shift along a
//! column (`set id = id + 1`), the delete of a key comes after another row has arrived under it: it
//! is about the row that left, and must not take the new one with it.

use std::collections::{HashMap, VecDeque};

use row_model::{Moment, Row, Schema, Transaction, Value, Version};

/// Rows and keys that are remembered, each. Beyond it the oldest is let go of: a value that was not
/// sent is then unavailable, and says so.
const REMEMBERED_MAX: usize = 10_000;
/// Arrivals over a row that is not elsewhere yet, which a checkpoint keeps. There are any only where
/// the rest of a shift was waited for in vain.
const OWED_MAX: usize = 1_000;

/// What is remembered of key changes of one table.
#[derive(Debug, Default)]
pub(crate) struct KeyChanges {
    /// Rows that left their key, by the key they left.
    departed: Bounded<Version>,
    departed_bytes: usize,
    /// Keys under which a row arrived, and in which transaction.
    arrived: Bounded<Transaction>,
    /// Those of them where the row before has yet to arrive elsewhere, oldest first: until then its
    /// leaving may be read, or read again after a restart, and must not be taken for the newcomer's.
    owed: VecDeque<(Vec<u8>, Transaction)>,
}

impl KeyChanges {
    /// A row leaves `key`, because it moves or because another one arrives there.
    pub fn departs(&mut self, key: &[u8], row: Version) {
        self.departed_bytes += row.memory_bytes();
        let gone = self.departed.insert(key, row);
        let gone = gone.iter().flatten();
        self.departed_bytes -= gone.map(Version::memory_bytes).sum::<usize>();
    }

    /// A row arrives under `key`; `over_another` says whether one is still there.
    pub fn arrives(&mut self, key: &[u8], transaction: Option<Transaction>, over_another: bool) {
        let Some(transaction) = transaction else {
            return;
        };
        let _ = self.arrived.insert(key, transaction);
        self.settles(key);
        if over_another {
            self.owed.push_back((key.to_vec(), transaction));
            if self.owed.len() > OWED_MAX {
                self.owed.pop_front();
            }
        }
    }

    /// The row that was under `key` before another arrived is where it went, and shows it from now on.
    pub fn settles(&mut self, key: &[u8]) {
        self.owed.retain(|(owed, _)| owed != key);
    }

    /// What the rows take that left their keys and are remembered.
    pub fn memory_bytes(&self) -> usize {
        self.departed_bytes
    }

    /// What a checkpoint keeps: keys whose row is not elsewhere yet, and the transaction it moves in.
    pub fn owed(&self) -> impl Iterator<Item = (&[u8], Transaction)> {
        self.owed
            .iter()
            .map(|(key, transaction)| (&**key, *transaction))
    }

    /// The row that left this key, for whoever carries it on.
    pub fn take_departed(&mut self, old_key: &[u8]) -> Option<Version> {
        let row = self.departed.remove(old_key)?;
        self.departed_bytes -= row.memory_bytes();
        Some(row)
    }

    /// Another row arrived under `key` within this transaction.
    pub fn arrived_in(&self, key: &[u8], transaction: Option<Transaction>) -> bool {
        transaction.is_some() && self.arrived.get(key).copied() == transaction
    }
}

/// Whether an image is the whole row. Under the default replica identity only the key is real, and
/// all else is null, or zero where null is not allowed.
pub(crate) fn is_whole(before: Row<'_>, shape: &Schema) -> bool {
    let is_key = |name: &String| shape.key.as_ref().is_some_and(|key| key.contains(name));
    let mut others = before
        .iter()
        .zip(&shape.columns)
        .filter(|(_, column)| !is_key(&column.name))
        .peekable();
    others.peek().is_none() || others.any(|(value, _)| !is_zero(value))
}

/// Whether two images cannot be of one row: a column that both have holds different values. One that
/// only one of them has was added, removed or renamed between them.
pub(crate) fn differ(
    (one, shape): (Row<'_>, &Schema),
    (other, other_shape): (Row<'_>, &Schema),
) -> bool {
    let columns = other_shape.columns.iter().enumerate();
    let mut common = columns.filter_map(|(place, column)| {
        let other = other.get(place)?;
        Some((one.get(shape.column(&column.name)?)?, other))
    });
    common.any(|(one, other)| one != other)
}

fn is_zero(value: Value<'_>) -> bool {
    match value {
        Value::Null
        | Value::Unavailable
        | Value::Bool(false)
        | Value::Int(0)
        | Value::UInt(0)
        | Value::Date(0)
        | Value::Clock(0)
        | Value::ClockUtc(0)
        | Value::Duration(0) => true,
        Value::Float(number) => number == 0.0,
        Value::Number(text) => text.parse() == Ok(0.0),
        Value::Decimal(decimal) => decimal.unscaled.iter().all(|byte| *byte == 0),
        Value::Text(text) | Value::Json(text) => {
            ["", "{}", "[]", "1970-01-01T00:00:00.000000Z", "AA=="].contains(&text)
        }
        Value::Bytes(bytes) => bytes.iter().all(|byte| *byte == 0),
        Value::Uuid(uuid) => uuid == [0; 16],
        Value::Timestamp(at) | Value::Instant(at) => at == Moment::from_units(0, 1),
        _ => false,
    }
}

/// A map that lets go of its oldest entries.
#[derive(Debug)]
struct Bounded<T> {
    entries: HashMap<Vec<u8>, T>,
    order: VecDeque<Vec<u8>>,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Bounded<T> {
    /// Answers what it replaced and what it let go of.
    fn insert(&mut self, key: &[u8], value: T) -> [Option<T>; 2] {
        let replaced = self.entries.insert(key.to_vec(), value);
        self.order.push_back(key.to_vec());
        let is_full = self.order.len() > REMEMBERED_MAX;
        let oldest = is_full.then(|| self.order.pop_front()).flatten();
        [
            replaced,
            oldest.and_then(|oldest| self.entries.remove(&oldest)),
        ]
    }

    fn get(&self, key: &[u8]) -> Option<&T> {
        self.entries.get(key)
    }

    fn remove(&mut self, key: &[u8]) -> Option<T> {
        self.entries.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use row_model::{Column, ColumnType, RowBuilder};

    use super::*;

    #[test]
    fn an_arrival_counts_only_within_its_transaction() {
        let mut changes = KeyChanges::default();
        changes.arrives(b"2", Some(Transaction(7)), false);
        assert!(changes.arrived_in(b"2", Some(Transaction(7))));
        assert!(!changes.arrived_in(b"2", Some(Transaction(8))));
        assert!(!changes.arrived_in(b"3", Some(Transaction(7))));
        changes.arrives(b"3", None, true);
        assert!(!changes.arrived_in(b"3", None));
    }

    #[test]
    fn an_image_of_the_key_alone_is_not_the_whole_row() {
        let column = |name: &str| Column {
            name: name.to_owned(),
            kind: ColumnType::Any,
            nullable: true,
        };
        let shape = Schema {
            columns: vec![column("id"), column("a"), column("b")],
            key: Some(vec!["id".to_owned()]),
        };
        let whole = |values: &[Value<'_>]| {
            let (mut builder, mut bytes) = (RowBuilder::default(), Vec::new());
            for value in values {
                builder.push(*value);
            }
            builder.finish(&mut bytes);
            is_whole(Row::new(&bytes), &shape)
        };
        assert!(!whole(&[Value::Int(7), Value::Null, Value::Text("")]));
        assert!(!whole(&[
            Value::Int(7),
            Value::Int(0),
            Value::Number("0.0")
        ]));
        assert!(whole(&[Value::Int(7), Value::Null, Value::Text("x")]));
        assert!(whole(&[Value::Int(7)]));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut changes = KeyChanges::default();
        for key in 0..=REMEMBERED_MAX as u32 {
            changes.arrives(&key.to_be_bytes(), Some(Transaction(1)), true);
        }
        assert!(!changes.arrived_in(&0_u32.to_be_bytes(), Some(Transaction(1))));
        assert!(changes.arrived_in(&1_u32.to_be_bytes(), Some(Transaction(1))));
        assert_eq!(changes.owed().count(), OWED_MAX);
    }
}
