//! What PostgreSQL says of itself.

use std::collections::{BTreeMap, BTreeSet};

use super::ClockOffset;

/// One database of a PostgreSQL server.
#[derive(Clone, Debug, Default)]
pub struct PostgresFacts {
    pub database: String,
    /// As `SHOW` has them.
    pub settings: BTreeMap<String, String>,
    /// Logical slots of this database.
    pub slots: Vec<Slot>,
    pub publications: Vec<Publication>,
    /// Tables of users, without those of temporary schemas.
    pub tables: Vec<Table>,
    pub clock: ClockOffset,
}

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub name: String,
    pub is_active: bool,
    /// `reserved`, `extended`, `unreserved`, `lost`; PostgreSQL has it since 13.
    pub wal_status: Option<String>,
    /// What the server keeps for it.
    pub kept_bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Publication {
    pub name: String,
    pub is_of_all_tables: bool,
    /// `insert`, `update`, `delete`, `truncate`.
    pub operations: BTreeSet<String>,
    pub via_root: bool,
    /// Schema and name.
    pub tables: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub schema: String,
    pub name: String,
    pub identity: Identity,
    pub has_primary_key: bool,
    pub is_partition_of: Option<String>,
    pub columns: Vec<Column>,
}

/// `REPLICA IDENTITY`: what the log has of the row before a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// The primary key.
    #[default]
    Default,
    Index,
    Full,
    Nothing,
}

#[derive(Clone, Debug, Default)]
pub struct Column {
    pub name: String,
    pub type_name: String,
    pub is_nullable: bool,
    pub has_default: bool,
    /// Long values of it are stored aside, and not in the log unless they change.
    pub is_stored_aside: bool,
}

impl Table {
    /// As SQL names it.
    pub fn sql_name(&self) -> String {
        sql_name(&self.schema, &self.name)
    }

    pub fn id(&self) -> (String, String) {
        (self.schema.clone(), self.name.clone())
    }

    /// Whether Debezium gives its records a key, unless it is told to make one.
    pub fn has_key(&self) -> bool {
        self.has_primary_key || self.identity == Identity::Index
    }

    /// Whether updates and deletes can be told at all: PostgreSQL refuses them otherwise.
    pub fn can_be_told(&self) -> bool {
        match self.identity {
            Identity::Default => self.has_primary_key,
            Identity::Index | Identity::Full => true,
            Identity::Nothing => false,
        }
    }
}

/// Quoted where it must be.
pub(crate) fn sql_name(schema: &str, name: &str) -> String {
    let quoted = |part: &str| {
        let is_plain = part
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !part.starts_with(|c: char| c.is_ascii_digit());
        if is_plain {
            part.to_owned()
        } else {
            format!("\"{}\"", part.replace('"', "\"\""))
        }
    };
    format!("{}.{}", quoted(schema), quoted(name))
}
