//! The point lookup: one row by its key, at the newest published cut.
//!
//! Takes no pin, because a pin costs a lock that every lookup would share. The writer may let go of
//! the cut's versions meanwhile; then the lookup begins again at a newer cut, and holds on to it if
//! that happens too often.

use std::sync::Arc;

use row_model::{CutId, Version};
use table_store::{Cut, Expected, Lookup, NameError, TableCut, TableStore};

use crate::key::{KeyError, RowKey};

/// Attempts without a pin.
const ATTEMPTS: usize = 3;

/// What a lookup found, with the cut in which it did and the table there.
#[derive(Clone, Debug)]
pub struct Found {
    pub cut: Arc<Cut>,
    pub table: Arc<TableCut>,
    pub row: Option<Version>,
}

/// Why nothing was looked up.
#[derive(Debug)]
pub enum LookupError {
    Table(NameError),
    /// The text is no key of this table.
    Key {
        cut: Arc<Cut>,
        table: Arc<TableCut>,
        error: KeyError,
    },
}

/// Looks up a row. The table goes by any of its names; the key is a segment of a path, still percent-encoded.
///
/// # Errors
/// If there is no such table, or the text is no key of it.
pub fn row(store: &Arc<TableStore>, table: &str, key: &str) -> Result<Found, LookupError> {
    for _ in 0..ATTEMPTS {
        if let Some(found) = row_at(store.published(), table, key)? {
            return Ok(found);
        }
    }
    let pinned = store.pin();
    match row_at(Arc::clone(pinned.shared()), table, key)? {
        Some(found) => Ok(found),
        None => unreachable!("the versions of a pinned cut are kept"),
    }
}

/// The key that [`row`] will look up with these names; `None` if it would look up none, or if it is not known before.
#[must_use]
pub fn expected(store: &TableStore, table: &str, key: &str) -> Option<Expected> {
    let cut = store.published();
    let table = cut.table(table).ok()?;
    let schema = table.table.schemas().get(table.schema?)?;
    let first = |key: &[u8]| Some(Expected::new(&table.table, key));
    RowKey::find_at_once(key, &schema, first).ok()?
}

/// `None` if the cut's versions have been let go.
fn row_at(cut: Arc<Cut>, table: &str, key: &str) -> Result<Option<Found>, LookupError> {
    let table = Arc::clone(cut.table(table).map_err(LookupError::Table)?);
    let Some(schema) = table.schema.and_then(|id| table.table.schemas().get(id)) else {
        // Before its first row a table has no shape, and no row.
        let row = None;
        return Ok(Some(Found { cut, table, row }));
    };
    let row = match RowKey::find_at_once(key, &schema, |key| at(&table, key, cut.id)) {
        Ok(Some(Lookup::CutGone)) => return Ok(None),
        Ok(Some(Lookup::Row(version))) => Some(version),
        Ok(Some(Lookup::Missing) | None) => None,
        Err(error) => return Err(LookupError::Key { cut, table, error }),
    };
    Ok(Some(Found { cut, table, row }))
}

/// The first row that is there among the keys this key stands for.
pub(crate) fn find(table: &TableCut, key: &RowKey, cut: CutId) -> Lookup {
    let found = key.find(|key| at(table, key, cut));
    found.unwrap_or(Lookup::Missing)
}

/// `None` where there is nothing to be found.
fn at(table: &TableCut, key: &[u8], cut: CutId) -> Option<Lookup> {
    match table.table.lookup(key, cut) {
        Lookup::Missing => None,
        found => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Shop;

    fn status(shop: &Shop, table: &str, key: &str) -> Option<String> {
        let found = row(shop.store(), table, key).unwrap();
        found.row.map(|version| shop.json(&found.table, &version))
    }

    #[test]
    fn the_newest_published_row_is_found_under_every_name_of_its_table() {
        let mut shop = Shop::new();
        shop.put(7, "paid");
        assert_eq!(status(&shop, "orders", "7"), None);
        shop.publish();
        let paid = Some(r#"{"id":7,"status":"paid"}"#.to_owned());
        for name in ["orders", "public.orders", "shop.public.orders"] {
            assert_eq!(status(&shop, name, "7"), paid);
        }
        shop.put(7, "shipped");
        assert_eq!(status(&shop, "orders", "7"), paid);
        shop.delete(7);
        shop.publish();
        assert_eq!(status(&shop, "orders", "7"), None);
    }

    #[test]
    fn a_lookup_that_cannot_be_made_says_why() {
        let shop = Shop::new();
        assert_eq!(
            status(&shop, "orders", "whatever, without a row there is no key"),
            None
        );
        let refused = row(shop.store(), "order", "7").unwrap_err();
        assert!(matches!(
            refused,
            LookupError::Table(NameError::Unknown { .. })
        ));
        let mut shop = shop;
        shop.put(7, "paid");
        shop.publish();
        let refused = row(shop.store(), "orders", "x").unwrap_err();
        assert!(matches!(
            refused,
            LookupError::Key {
                error: KeyError::Literal { .. },
                ..
            }
        ));
    }

    #[test]
    fn lookups_go_on_while_the_writer_lets_go_of_one_cut_after_another() {
        let mut shop = Shop::new();
        shop.put(7, "0");
        shop.publish();
        let store = Arc::clone(shop.store());
        let reader = std::thread::spawn(move || {
            let mut newest = 0;
            while newest < 2_000 {
                let found = row(&store, "orders", "7").unwrap();
                let version = found.row.expect("the row is never deleted");
                let row_model::Value::Text(text) = version.row().unwrap().get(1).unwrap() else {
                    panic!()
                };
                let seen: u32 = text.parse().unwrap();
                assert!(seen >= newest, "{seen} after {newest}");
                newest = seen;
            }
        });
        for round in 1..=2_000 {
            shop.put(7, &round.to_string());
            shop.publish();
        }
        reader.join().unwrap();
    }
}
