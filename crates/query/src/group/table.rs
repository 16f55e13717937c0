//! Groups of rows by their keys: a hash table from the keys' bytes to the number of a group.
//!
//! Keys are equal if their bytes are, as [`row_model::encode_key_value`] makes them: numbers whatever their
//! type, JSON whatever its spelling. A group shows the values of the row it was first met in. On a group that is known, offering a row
//! allocates nothing.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use row_model::{
    Column, ColumnType, CutId, KEY_BYTES_MAX, Row, RowBuilder, Schema, SchemaHistory, SchemaId,
    SmallNumber, Stamp, Value, Version, VersionParts, encode_key_value,
};

use super::accumulators::{Accumulators, Aggregation};
use super::error::GroupError;
use super::kinds::Unsuitable;
use crate::compare::canonical;

/// What groups may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub groups_max: usize,
    /// Of the keys, the values shown and what the aggregates keep.
    pub bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            groups_max: 1_000_000,
            bytes_max: 256 << 20,
        }
    }
}

/// The number of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub(super) u32);

/// No group has this number: there would be no room for so many.
pub(super) const UNDECIDED: u32 = u32::MAX;

/// Groups that are being made.
#[derive(Debug)]
pub struct Groups {
    bounds: Bounds,
    is_keyed: bool,
    hasher: RandomState,
    numbers: HashTable<u32>,
    entries: Vec<Entry>,
    /// Of each group its key's bytes and a row of its values.
    bytes: Vec<u8>,
    aggregates: Vec<Accumulators>,
    /// Memory of groups and aggregates beside `bytes`.
    held: usize,
    /// Of rows that alone decide a group, by their number: which it is, once one of them was met.
    decided: Vec<u32>,
    /// Of the row that is looked at.
    key: Vec<u8>,
    builder: RowBuilder,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    rows: u64,
    /// In `bytes`: where the key begins and the row follows.
    key_start: u32,
    row_start: u32,
}

/// A column of the rows that groups become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupColumn {
    pub label: String,
    pub kind: ColumnType,
    pub value: GroupValue,
}

/// What of a group is shown, by its place among the keys or aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupValue {
    Key(usize),
    /// How many rows the group has.
    Rows,
    Aggregate(usize),
}

/// Groups as rows of a table that there is for one answer only.
#[derive(Debug)]
pub struct GroupRows {
    /// The one shape of these rows.
    pub shapes: Arc<SchemaHistory>,
    pub schema: SchemaId,
    /// In no order; each under the bytes of its key.
    pub rows: Vec<Version>,
}

impl Groups {
    /// Without keys all rows are of one group, which is there even if there is no row.
    ///
    /// # Errors
    /// If an aggregate cannot be made of its column's type.
    pub fn new(
        is_keyed: bool,
        aggregations: &[Aggregation],
        bounds: Bounds,
    ) -> Result<Self, Unsuitable> {
        let aggregates: Result<_, _> = aggregations
            .iter()
            .map(|of| Accumulators::new(*of))
            .collect();
        Ok(Self {
            // Places in `bytes` are 32 bits wide.
            bounds: Bounds {
                bytes_max: bounds.bytes_max.min(1 << 31),
                ..bounds
            },
            is_keyed,
            hasher: RandomState::default(),
            numbers: HashTable::new(),
            entries: Vec::new(),
            bytes: Vec::new(),
            aggregates: aggregates?,
            held: 0,
            decided: Vec::new(),
            key: Vec::new(),
            builder: RowBuilder::default(),
        })
    }

    /// How many groups there are by now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Counts a row into its group. `each_key` calls what it is given with the row's keys in their order;
    /// it is called once more if the group is new. Not at all, where all keys are of a related row, which
    /// has the number `related`, and which has led to a group before.
    ///
    /// # Errors
    /// If there are too many groups, or too long ones.
    pub fn enter(
        &mut self,
        related: Option<u32>,
        each_key: impl Fn(&mut dyn FnMut(Value<'_>)),
    ) -> Result<Group, GroupError> {
        let group = match related.and_then(|number| self.decided(number)) {
            Some(group) => group,
            None => Group(self.group_of(related, each_key)?),
        };
        Ok(self.enter_known(group))
    }

    /// The group that a related row of this number has led to before.
    pub fn decided(&self, related: u32) -> Option<Group> {
        let decided = self.decided.get(related as usize).copied();
        decided.filter(|group| *group != UNDECIDED).map(Group)
    }

    /// Counts a row into a group.
    pub fn enter_known(&mut self, group: Group) -> Group {
        self.entries[group.0 as usize].rows += 1;
        group
    }

    fn group_of(
        &mut self,
        related: Option<u32>,
        each_key: impl Fn(&mut dyn FnMut(Value<'_>)),
    ) -> Result<u32, GroupError> {
        self.key.clear();
        each_key(&mut |value| push_key(value, &mut self.key));
        let group = match self.find() {
            Ok(known) => known,
            Err(hash) => {
                self.builder.clear();
                each_key(&mut |value| self.builder.push(value));
                self.add(hash)?
            }
        };
        if let Some(number) = related {
            self.decide(number, Group(group))?;
        }
        Ok(group)
    }

    /// A related row of this number leads to a group.
    ///
    /// # Errors
    /// If to know it takes too much.
    pub fn decide(&mut self, related: u32, group: Group) -> Result<(), GroupError> {
        let place = related as usize;
        if place >= self.decided.len() {
            self.held += (place + 1 - self.decided.len()) * size_of::<u32>();
            self.decided.resize(place + 1, UNDECIDED);
            self.within_bytes()?;
        }
        self.decided[place] = group.0;
        Ok(())
    }

    /// Takes a value of a row for the aggregate of this number.
    ///
    /// # Errors
    /// If the value cannot be summed, or keeping it takes too much.
    pub fn offer(
        &mut self,
        group: Group,
        aggregate: usize,
        value: Value<'_>,
    ) -> Result<(), GroupError> {
        let before = self.held;
        self.aggregates[aggregate].offer(group.0 as usize, value, &mut self.held)?;
        self.within_bytes_if_more_than(before)
    }

    /// The same for a number, if it is taken without being read further; else `false`.
    ///
    /// # Errors
    /// If keeping it takes too much.
    pub fn offer_small(
        &mut self,
        group: Group,
        aggregate: usize,
        number: SmallNumber,
    ) -> Result<bool, GroupError> {
        let before = self.held;
        let aggregate = &mut self.aggregates[aggregate];
        let is_taken = aggregate.offer_small(group.0 as usize, number, &mut self.held);
        self.within_bytes_if_more_than(before)?;
        Ok(is_taken)
    }

    /// Adds the groups that another thread made of other rows. Both were made for the same keys and aggregates.
    ///
    /// # Errors
    /// If together they are too many or too great.
    pub fn merge(&mut self, mut other: Self) -> Result<(), GroupError> {
        debug_assert_eq!(self.aggregates.len(), other.aggregates.len());
        for from in 0..other.entries.len() {
            self.key.clear();
            self.key.extend_from_slice(other.key_of(from));
            let group = match self.find() {
                Ok(known) => known,
                Err(hash) => {
                    self.builder.clear();
                    other
                        .row_of(from)
                        .iter()
                        .for_each(|value| self.builder.push(value));
                    self.add(hash)?
                }
            };
            self.entries[group as usize].rows += other.entries[from].rows;
            for (own, other) in self.aggregates.iter_mut().zip(&mut other.aggregates) {
                own.merge(group as usize, other, from, &mut self.held);
            }
            self.within_bytes()?;
        }
        Ok(())
    }

    /// The groups as rows of these columns.
    ///
    /// # Errors
    /// If an aggregate's result is beyond its type.
    pub fn finish(mut self, columns: &[GroupColumn]) -> Result<GroupRows, GroupError> {
        if !self.is_keyed && self.is_empty() {
            self.key.clear();
            self.builder.clear();
            let hash = self.hash(&[]);
            self.add(hash)?;
        }
        let shape = Schema {
            columns: columns.iter().map(GroupColumn::shown).collect(),
            key: None,
        };
        let schema = SchemaId(0);
        let (mut row, mut scratch) = (Vec::new(), Vec::new());
        let mut builder = std::mem::take(&mut self.builder);
        let mut rows = Vec::with_capacity(self.entries.len());
        for group in 0..self.entries.len() {
            builder.clear();
            self.push_cells(group, columns, &mut builder)?;
            row.clear();
            builder.finish(&mut row);
            let parts = VersionParts {
                cut: CutId(0),
                schema,
                stamp: &Stamp::default(),
                key: self.key_of(group),
                row: &row,
            };
            rows.push(Version::new(parts, &mut scratch));
        }
        Ok(GroupRows {
            shapes: Arc::new(SchemaHistory::restore(vec![shape], Vec::new())),
            schema,
            rows,
        })
    }

    fn push_cells(
        &self,
        group: usize,
        columns: &[GroupColumn],
        builder: &mut RowBuilder,
    ) -> Result<(), GroupError> {
        let keys = self.row_of(group);
        for column in columns {
            match column.value {
                GroupValue::Key(at) => builder.push(keys.get(at).unwrap_or(Value::Null)),
                GroupValue::Rows => builder.push(Value::Int(self.entries[group].rows as i64)),
                GroupValue::Aggregate(at) => self.aggregates[at].push(group, builder)?,
            }
        }
        Ok(())
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// The group of the key that is looked at, or the key's hash if there is none.
    fn find(&self) -> Result<u32, u64> {
        let hash = self.hash(&self.key);
        let is_it = |number: &u32| {
            let entry = &self.entries[*number as usize];
            entry.hash == hash && self.key_of(*number as usize) == self.key
        };
        self.numbers.find(hash, is_it).copied().ok_or(hash)
    }

    /// A group of the key that is looked at, which shows the values in the builder.
    fn add(&mut self, hash: u64) -> Result<u32, GroupError> {
        if self.key.len() > KEY_BYTES_MAX {
            return Err(GroupError::KeyTooLong);
        }
        if self.entries.len() == self.bounds.groups_max {
            let max = self.bounds.groups_max;
            return Err(GroupError::TooManyGroups { max });
        }
        let number = self.entries.len() as u32;
        let key_start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&self.key);
        let row_start = self.bytes.len() as u32;
        self.builder.finish(&mut self.bytes);
        self.entries.push(Entry {
            hash,
            rows: 0,
            key_start,
            row_start,
        });
        let entries = &self.entries;
        self.numbers
            .insert_unique(hash, number, |number| entries[*number as usize].hash);
        let states: usize = self
            .aggregates
            .iter_mut()
            .map(Accumulators::add_group)
            .sum();
        self.held += size_of::<Entry>() + states;
        self.within_bytes()?;
        Ok(number)
    }

    fn within_bytes_if_more_than(&self, held_before: usize) -> Result<(), GroupError> {
        if self.held > held_before {
            self.within_bytes()?;
        }
        Ok(())
    }

    fn within_bytes(&self) -> Result<(), GroupError> {
        let max = self.bounds.bytes_max;
        if self.bytes.len() + self.held > max {
            return Err(GroupError::TooManyBytes { max });
        }
        Ok(())
    }

    fn key_of(&self, group: usize) -> &[u8] {
        let entry = &self.entries[group];
        &self.bytes[entry.key_start as usize..entry.row_start as usize]
    }

    fn row_of(&self, group: usize) -> Row<'_> {
        let end = self
            .entries
            .get(group + 1)
            .map_or(self.bytes.len(), |next| next.key_start as usize);
        Row::new(&self.bytes[self.entries[group].row_start as usize..end])
    }
}

impl GroupColumn {
    fn shown(&self) -> Column {
        Column {
            name: self.label.clone(),
            kind: self.kind,
            nullable: true,
        }
    }
}

fn push_key(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Json(text) => encode_key_value(Value::Json(&canonical(text)), out),
        value => encode_key_value(value, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::AggregateFunction;

    const SUM: Aggregation = Aggregation {
        function: AggregateFunction::Sum,
        kind: ColumnType::Any,
    };
    const MAX: Aggregation = Aggregation {
        function: AggregateFunction::Max,
        kind: ColumnType::Any,
    };

    fn enter(groups: &mut Groups, keys: &[Value<'_>]) -> Result<Group, GroupError> {
        groups.enter(None, |each| keys.iter().for_each(|key| each(*key)))
    }

    fn column(value: GroupValue) -> GroupColumn {
        GroupColumn {
            label: "column".to_owned(),
            kind: ColumnType::Any,
            value,
        }
    }

    #[test]
    fn without_keys_there_is_one_group_even_of_no_row() {
        let groups = Groups::new(false, &[SUM], Bounds::default()).unwrap();
        let columns = [column(GroupValue::Rows), column(GroupValue::Aggregate(0))];
        let found = groups.finish(&columns).unwrap();
        let cells: Vec<Value<'_>> = found.rows[0].row().unwrap().iter().collect();
        assert_eq!(
            (found.rows.len(), cells),
            (1, vec![Value::Int(0), Value::Null])
        );
        let keyed = Groups::new(true, &[SUM], Bounds::default()).unwrap();
        assert!(keyed.finish(&columns).unwrap().rows.is_empty());
    }

    #[test]
    fn null_and_what_was_never_sent_are_groups_of_their_own() {
        let mut groups = Groups::new(true, &[], Bounds::default()).unwrap();
        for key in [
            Value::Null,
            Value::Unavailable,
            Value::Null,
            Value::Text(""),
        ] {
            enter(&mut groups, &[key]).unwrap();
        }
        let found = groups
            .finish(&[column(GroupValue::Key(0)), column(GroupValue::Rows)])
            .unwrap();
        let cells = |version: &Version| format!("{:?}", version.row().unwrap());
        let shown: Vec<String> = found.rows.iter().map(cells).collect();
        assert_eq!(
            shown,
            [
                "[Null, Int(2)]",
                "[Unavailable, Int(1)]",
                "[Text(\"\"), Int(1)]"
            ]
        );
        assert_eq!(
            found.shapes.get(found.schema).unwrap().column("column"),
            Some(0)
        );
    }

    #[test]
    fn what_is_equal_is_one_group_however_it_is_spelled() {
        let mut groups = Groups::new(true, &[], Bounds::default()).unwrap();
        let mut number = |value| enter(&mut groups, &[value]).unwrap();
        assert_eq!(number(Value::Int(7)), number(Value::Number("7.0")));
        assert_eq!(
            number(Value::Json(r#"{"a":1,"b":2}"#)),
            number(Value::Json(r#"{ "b": 2, "a": 1.0 }"#))
        );
        assert_ne!(number(Value::Text("7")), number(Value::Int(7)));
    }

    #[test]
    fn groups_and_bytes_are_bounded() {
        let bounds = |groups_max, bytes_max| Bounds {
            groups_max,
            bytes_max,
        };
        let mut few = Groups::new(true, &[], bounds(2, usize::MAX)).unwrap();
        enter(&mut few, &[Value::Int(1)]).unwrap();
        enter(&mut few, &[Value::Int(2)]).unwrap();
        enter(&mut few, &[Value::Int(1)]).unwrap();
        assert_eq!(
            enter(&mut few, &[Value::Int(3)]),
            Err(GroupError::TooManyGroups { max: 2 })
        );

        let mut small = Groups::new(true, &[MAX], bounds(10, 1_000)).unwrap();
        let group = enter(&mut small, &[Value::Int(1)]).unwrap();
        small.offer(group, 0, Value::Text("a")).unwrap();
        let long = "b".repeat(1_000);
        let refused = Err(GroupError::TooManyBytes { max: 1_000 });
        assert_eq!(small.offer(group, 0, Value::Text(&long)), refused);
        let endless = "b".repeat(40_000);
        assert_eq!(
            enter(&mut few, &[Value::Text(&endless)]),
            Err(GroupError::KeyTooLong)
        );
    }

    #[test]
    fn what_is_merged_is_bounded_too() {
        let bounds = Bounds {
            groups_max: 1,
            ..Bounds::default()
        };
        let of = |key| {
            let mut groups = Groups::new(true, &[], bounds).unwrap();
            enter(&mut groups, &[Value::Int(key)]).unwrap();
            groups
        };
        let mut groups = of(1);
        assert_eq!(groups.merge(of(1)), Ok(()));
        assert_eq!(
            groups.merge(of(2)),
            Err(GroupError::TooManyGroups { max: 1 })
        );
    }
}
