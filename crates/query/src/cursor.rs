//! Cursors: where the next page of a list begins. Opaque, and bound to the table they were given for.

use table_store::TableIdentity;

use crate::token::{TableHash, TokenReader, TokenWriter, decode, kind};

/// Why a cursor leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It was never given out, or was cut or changed on its way.
    #[error("it is not a cursor of this server")]
    NotOurs,
    #[error("it was given for another table")]
    OtherTable,
}

/// The cursor of the page after this key.
#[must_use]
pub fn after(table: &TableIdentity, key: &[u8]) -> String {
    let mut out = TokenWriter::new(kind::CURSOR);
    out.hash(TableHash::of(table));
    out.bytes(key);
    out.finish()
}

/// The key that the page comes after.
///
/// # Errors
/// If the cursor is not one of this table's.
pub fn read(table: &TableIdentity, cursor: &str) -> Result<Vec<u8>, CursorError> {
    let bytes = decode(kind::CURSOR, cursor).ok_or(CursorError::NotOurs)?;
    let mut reader = TokenReader(&bytes);
    let hash = reader.hash().ok_or(CursorError::NotOurs)?;
    if hash != TableHash::of(table) {
        return Err(CursorError::OtherTable);
    }
    Ok(reader.0.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::identity;

    #[test]
    fn a_cursor_leads_on_in_its_own_table_only() {
        let orders = identity("orders");
        let cursor = after(&orders, b"key");
        assert_eq!(read(&orders, &cursor), Ok(b"key".to_vec()));
        assert_eq!(
            read(&identity("items"), &cursor),
            Err(CursorError::OtherTable)
        );
        for text in ["", "7", "AQ", "QQ", &cursor[..8], "eyJrIjpbMV19", "a b"] {
            assert_eq!(read(&orders, text), Err(CursorError::NotOurs), "{text}");
        }
    }
}
