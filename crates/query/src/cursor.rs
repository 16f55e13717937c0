//! Cursors: where the next page of a list begins. Opaque, and bound to the table, the filter, the order
//! and the types of the columns they were given for.
//!
//! What is shown of the rows, and how many at a time, may change from page to page.

use std::fmt::Write;

use row_model::Column;
use table_store::TableIdentity;

use crate::tree::{Ordered, Query, RelationRef, SelectedWhat};
use crate::url;

use crate::token::{TableHash, TokenReader, TokenWriter, decode, hash_of, kind};

/// Why a cursor leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It was never given out, or was cut or changed on its way.
    #[error("it is not a cursor of this server")]
    NotOurs,
    #[error("it was given for another table")]
    OtherTable,
    /// The filter or the order is not that of the page it came with.
    #[error("it was given for another filter or order")]
    OtherQuery,
    /// A column that decides which rows come has another type since.
    #[error("the columns that the query uses have changed since it was given")]
    OtherSchema,
}

/// What a cursor is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    table: TableHash,
    query: TableHash,
    schema: TableHash,
}

/// What decides which rows an answer has, in words that are the same for all queries that mean the same.
pub(crate) fn what_rows(query: &Query) -> String {
    let mut words = url::print_conditions(&query.filter);
    let grouped = query.is_grouped();
    for item in query.select.iter().flatten() {
        match &item.what {
            SelectedWhat::Embed(embed) if embed.required || grouped => {
                let RelationRef { name, hint } = &embed.relation;
                let _ = write!(words, ",{name:?}!{hint:?}{}", what_rows(&embed.query));
            }
            SelectedWhat::Path(path) if grouped => {
                let by = [Ordered {
                    by: path.clone(),
                    descending: false,
                    nulls_first: false,
                }];
                let _ = write!(words, ",{}", url::print_order(&by));
            }
            _ => {}
        }
    }
    if grouped {
        words += &url::print_conditions(&query.having);
    }
    words
}

impl Binding {
    pub(crate) fn new<'a>(
        table: &TableIdentity,
        query: &[String; 2],
        columns: impl Iterator<Item = &'a Column>,
    ) -> Self {
        const END: &[u8] = &[0xff];
        let types = columns.flat_map(|column| {
            let (name, kind) = (column.name.as_bytes(), column.kind.name().as_bytes());
            [name, END, kind, END]
        });
        let [filter, order] = query;
        Self {
            table: TableHash::of(table),
            query: hash_of([filter.as_bytes(), END, order.as_bytes()]),
            schema: hash_of(types),
        }
    }

    /// The cursor of the page after this place in the order.
    #[must_use]
    pub fn after(&self, place: &[u8]) -> String {
        let mut out = TokenWriter::new(kind::CURSOR);
        for hash in [self.table, self.query, self.schema] {
            out.hash(hash);
        }
        out.bytes(place);
        out.finish()
    }

    /// The place that the page comes after.
    ///
    /// # Errors
    /// If the cursor was given for something else.
    pub fn read(&self, cursor: &str) -> Result<Vec<u8>, CursorError> {
        let bytes = decode(kind::CURSOR, cursor).ok_or(CursorError::NotOurs)?;
        let mut reader = TokenReader(&bytes);
        for (wanted, error) in [
            (self.table, CursorError::OtherTable),
            (self.query, CursorError::OtherQuery),
            (self.schema, CursorError::OtherSchema),
        ] {
            if reader.hash().ok_or(CursorError::NotOurs)? != wanted {
                return Err(error);
            }
        }
        Ok(reader.0.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use row_model::ColumnType;

    use super::*;
    use crate::fixture::{column, identity};

    fn binding(table: &str, filter: &str, order: &str, kind: ColumnType) -> Binding {
        let columns = [column("status", kind)];
        Binding::new(
            &identity(table),
            &[filter.to_owned(), order.to_owned()],
            columns.iter(),
        )
    }

    #[test]
    fn a_cursor_leads_on_in_its_own_query_only() {
        let own = binding("orders", "(a.eq.1)", "id.asc", ColumnType::Text);
        let cursor = own.after(b"place");
        assert_eq!(own.read(&cursor), Ok(b"place".to_vec()));
        for (other, error) in [
            (
                binding("items", "(a.eq.1)", "id.asc", ColumnType::Text),
                CursorError::OtherTable,
            ),
            (
                binding("orders", "(a.eq.2)", "id.asc", ColumnType::Text),
                CursorError::OtherQuery,
            ),
            (
                binding("orders", "(a.eq.1)", "id.desc", ColumnType::Text),
                CursorError::OtherQuery,
            ),
            (
                binding("orders", "(a.eq.1)", "id.asc", ColumnType::Any),
                CursorError::OtherSchema,
            ),
        ] {
            assert_eq!(other.read(&cursor), Err(error));
        }
        for text in ["", "7", "AQ", "Qg", &cursor[..8], "eyJrIjpbMV19", "a b"] {
            assert_eq!(own.read(text), Err(CursorError::NotOurs), "{text}");
        }
    }
}
