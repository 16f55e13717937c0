//! Which of many followers of one table a change may be news for, without asking each of them.
//!
//! Who asks for rows of some keys, or with some values of one column, is found by the key and by the values that the
//! row had and has. As everywhere an index only narrows: who is found is told what its whole filter says.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use row_model::{Value, Version, push_sort_key};
use table_store::{Layouts, RowChange, TableCut};

use crate::bind::BoundQuery;

type Values<T> = HashMap<Box<[u8]>, Vec<T>, FixedState>;

/// What is common to all rows that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// They have one of these keys.
    Keys(Vec<Vec<u8>>),
    /// A column has one of these values, as sort keys.
    Values {
        column: String,
        values: Vec<Vec<u8>>,
    },
    /// Nothing that they could be found by.
    Any,
}

impl Address {
    /// Of the rows that a query asks for.
    #[must_use]
    pub fn of(query: &BoundQuery) -> Self {
        let access = &query.access;
        if let Some(keys) = access.keys() {
            return Self::Keys(keys.to_vec());
        }
        let values = access.equals();
        let fewest = values.min_by_key(|(_, values)| values.len());
        fewest.map_or(Self::Any, |(column, values)| Self::Values {
            column: column.to_owned(),
            values: values.to_vec(),
        })
    }
}

/// All that follow one table.
#[derive(Debug)]
pub struct Audience<T> {
    any: Vec<T>,
    by_key: Values<T>,
    by_column: Vec<OfColumn<T>>,
    scratch: Vec<u8>,
}

/// Who wants values of one column.
#[derive(Debug)]
struct OfColumn<T> {
    name: String,
    layouts: Layouts,
    by_value: Values<T>,
}

impl<T> Default for Audience<T> {
    fn default() -> Self {
        Self {
            any: Vec::new(),
            by_key: Values::default(),
            by_column: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

impl<T: Clone> Audience<T> {
    pub fn enter(&mut self, table: &TableCut, address: &Address, who: &T) {
        let add = |to: &mut Values<T>, values: &[Vec<u8>]| {
            for value in values {
                to.entry(value[..].into()).or_default().push(who.clone());
            }
        };
        match address {
            Address::Any => self.any.push(who.clone()),
            Address::Keys(keys) => add(&mut self.by_key, keys),
            Address::Values { column, values } => {
                let known = self.by_column.iter().position(|of| of.name == *column);
                let at = known.unwrap_or_else(|| {
                    let names = Arc::from([column.clone()]);
                    let history = Arc::clone(table.table.schemas());
                    self.by_column.push(OfColumn {
                        name: column.clone(),
                        layouts: Layouts::new(history, names),
                        by_value: Values::default(),
                    });
                    self.by_column.len() - 1
                });
                add(&mut self.by_column[at].by_value, values);
            }
        }
    }

    /// Lets one go that entered with this address.
    pub fn leave(&mut self, address: &Address, is_it: impl Fn(&T) -> bool) {
        let remove = |from: &mut Values<T>, values: &[Vec<u8>]| {
            for value in values {
                if let Some(who) = from.get_mut(&value[..]) {
                    who.retain(|one| !is_it(one));
                    if who.is_empty() {
                        from.remove(&value[..]);
                    }
                }
            }
        };
        match address {
            Address::Any => self.any.retain(|one| !is_it(one)),
            Address::Keys(keys) => remove(&mut self.by_key, keys),
            Address::Values { column, values } => {
                let mut columns = self.by_column.iter_mut();
                if let Some(of) = columns.find(|of| of.name == *column) {
                    remove(&mut of.by_value, values);
                }
                self.by_column.retain(|of| !of.by_value.is_empty());
            }
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.any.is_empty() && self.by_key.is_empty() && self.by_column.is_empty()
    }

    /// Calls `each` for everybody.
    pub fn everybody(&self, mut each: impl FnMut(&T)) {
        let columns = self.by_column.iter().flat_map(|of| of.by_value.values());
        let addressed = self.by_key.values().chain(columns).flatten();
        addressed.chain(&self.any).for_each(&mut each);
    }

    /// Calls `each` for those who can be told of a change only by looking at it.
    pub fn unaddressed(&self, each: impl FnMut(&T)) {
        self.any.iter().for_each(each);
    }

    /// Whether anybody is found by what a change says.
    #[must_use]
    pub fn has_addressed(&self) -> bool {
        !self.by_key.is_empty() || !self.by_column.is_empty()
    }

    /// Calls `each`, maybe twice, for those with an address whom a change may concern.
    pub fn concerned(&mut self, change: &RowChange, mut each: impl FnMut(&T)) {
        if !self.by_key.is_empty()
            && let Some(who) = self.by_key.get(change.after.key())
        {
            who.iter().for_each(&mut each);
        }
        for of in &mut self.by_column {
            let OfColumn {
                layouts, by_value, ..
            } = of;
            let after = value_of(layouts, &change.after);
            let before = change.before.as_ref();
            let before = before.and_then(|before| value_of(layouts, before));
            let gone = before.filter(|before| Some(*before) != after);
            for value in after.into_iter().chain(gone) {
                self.scratch.clear();
                push_sort_key(value, false, false, &mut self.scratch);
                if let Some(who) = by_value.get(&self.scratch[..]) {
                    who.iter().for_each(&mut each);
                }
            }
        }
    }
}

/// The one column's value; `None` if there is no row.
fn value_of<'a>(layouts: &mut Layouts, version: &'a Version) -> Option<Value<'a>> {
    let row = version.row()?;
    let place = layouts.of(version.schema()).first().copied().flatten();
    let value = place.and_then(|place| row.get(place));
    Some(value.unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use row_model::Value::{Int, Null, Text};
    use row_model::{ColumnType, SchemaId, Stamp, VersionParts};
    use table_store::Lookup;

    use super::*;
    use crate::fixture::{Shop, bound, column};
    use crate::follow::Follower;
    use crate::url;

    const FILTERS: [&str; 10] = [
        "id.eq.1",
        "id.in.(0,2)",
        "status.eq.a",
        "status.in.(a,b)",
        "status.is.null",
        "status.neq.a",
        "and(status.eq.b,id.gt.0)",
        "and(status.eq.b,id.eq.2)",
        "or(status.eq.a,id.eq.0)",
        "note.eq.x",
    ];

    /// A row as it was written; shapes differ.
    #[derive(Clone, Debug)]
    enum Written {
        Gone,
        Short(Option<&'static str>),
        Long(Option<&'static str>, &'static str),
    }

    fn version(shop: &mut Shop, id: i64, written: &Written) -> Version {
        let id_column = column("id", ColumnType::Int64);
        let status = column("status", ColumnType::Text);
        let note = column("note", ColumnType::Text);
        let text = |text: Option<&'static str>| text.map_or(Null, Text);
        match written {
            Written::Gone => shop.delete(id),
            Written::Short(it) => shop.put_row(vec![id_column, status], &[Int(id), text(*it)]),
            Written::Long(it, noted) => shop.put_row(
                vec![id_column, note, status],
                &[Int(id), Text(noted), text(*it)],
            ),
        }
        shop.publish();
        let cut = shop.store().published();
        let table = &cut.table("orders").unwrap().table;
        let mut key = Vec::new();
        row_model::encode_key([Int(id)], &mut key).unwrap();
        match table.lookup(&key, cut.id) {
            Lookup::Row(version) => version,
            // Readers do not meet it.
            _ => Version::new(
                VersionParts {
                    cut: cut.id,
                    schema: SchemaId(0),
                    stamp: &Stamp::default(),
                    key: &key,
                    row: &[],
                },
                &mut Vec::new(),
            ),
        }
    }

    fn written() -> impl Strategy<Value = Written> {
        let status = prop_oneof![
            Just(None),
            Just(Some("a")),
            Just(Some("b")),
            Just(Some("c"))
        ];
        prop_oneof![
            1 => Just(Written::Gone),
            4 => status.clone().prop_map(Written::Short),
            2 => (status, prop_oneof![Just("x"), Just("y")])
                .prop_map(|(status, note)| Written::Long(status, note)),
        ]
    }

    proptest! {
        #[test]
        fn whoever_is_told_anything_is_found(
            steps in prop::collection::vec((0..3_i64, written()), 1..12),
            left in prop::collection::vec(any::<bool>(), FILTERS.len()),
        ) {
            let mut shop = Shop::new();
            for shape in [Written::Long(None, "y"), Written::Short(None)] {
                version(&mut shop, 9, &shape);
            }
            let cut = shop.store().published();
            let queries = FILTERS.map(|filter| {
                let filter = format!("({filter})");
                bound(&url::read([("and", &*filter)].into_iter()).unwrap(), &cut)
            });
            let table = cut.table("orders").unwrap();
            let mut audience = Audience::default();
            for (who, query) in queries.iter().enumerate() {
                audience.enter(table, &Address::of(query), &who);
            }
            for (who, query) in queries.iter().enumerate().filter(|(who, _)| left[*who]) {
                audience.leave(&Address::of(query), |one| *one == who);
            }
            let mut rows: HashMap<i64, Version> = HashMap::new();
            for (id, written) in &steps {
                let before = rows.get(id).filter(|before| !before.is_deleted()).cloned();
                if before.is_none() && matches!(written, Written::Gone) {
                    continue;
                }
                let after = version(&mut shop, *id, written);
                rows.insert(*id, after.clone());
                let change = RowChange { before, after, transaction: None, meanwhile: None };
                let mut found = Vec::new();
                audience.unaddressed(|who| found.push(*who));
                let unaddressed = found.clone();
                audience.concerned(&change, |who| found.push(*who));
                for (who, query) in queries.iter().enumerate() {
                    let told = Follower::new(query, shop.shapes()).told(&change);
                    if left[who] {
                        prop_assert!(!found.contains(&who));
                    } else if told.is_some() {
                        prop_assert!(found.contains(&who), "{} {change:?}", FILTERS[who]);
                    }
                }
                // Those of one value are left alone by rows that neither had nor have it.
                prop_assert!(found.iter().all(|who| *who != 0 || *id == 1));
                prop_assert!(unaddressed.iter().all(|who| [5, 8].contains(who)), "{unaddressed:?}");
            }
            for (who, query) in queries.iter().enumerate() {
                audience.leave(&Address::of(query), |one| *one == who);
            }
            prop_assert!(audience.is_empty());
        }
    }
}
