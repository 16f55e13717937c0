//! What tables there are: `GET /v1/tables` and `GET /v1/tables/{t}`.

use serde::{Deserialize, Serialize};

use crate::{Fresh, TableMemory};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TablesResponse {
    pub tables: Vec<TableInfo>,
    pub fresh: Fresh,
}

/// One table, in the list and alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableInfo {
    pub name: String,
    pub topic: String,
    /// Names of the key's columns in key order. `None`: the table has no key.
    pub key: Option<Vec<String>>,
    /// The columns of the newest record.
    pub columns: Vec<ColumnInfo>,
    /// Columns that earlier records had. Rows that were not written since still show them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_columns: Vec<ColumnInfo>,
    /// How often columns, types or key have changed since the table was found.
    #[serde(default)]
    pub schema_epoch: u64,
    /// Columns of each index that is ready.
    pub indexes: Vec<Vec<String>>,
    /// What leads from its rows to others.
    #[serde(default)]
    pub relations: Vec<RelationInfo>,
    /// All indexes, also those that are being built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index_details: Vec<IndexInfo>,
    pub rows: u64,
    pub bytes: u64,
    /// What the bytes are for.
    #[serde(default)]
    pub memory: TableMemory,
    /// Records of this table that could not be applied.
    pub quarantined: u64,
    pub fresh: Fresh,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub nullable: bool,
}

/// A relation as a query on the table names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationInfo {
    pub name: String,
    /// The table it leads to.
    pub table: String,
    pub cardinality: Cardinality,
    /// Columns of this table, ...
    pub columns: Vec<String>,
    /// ... and those of the other that are equal to them; of the table in between, if there is one.
    pub target_columns: Vec<String>,
    /// The table in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

/// How many related rows a row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cardinality {
    /// One or none: shown as an object, or null.
    ToOne,
    /// Any number: shown as an array.
    ToMany,
}

/// An index, as the admin listener is asked for it and told to remove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRequest {
    /// The first counts most.
    pub columns: Vec<String>,
    #[serde(default)]
    pub kind: IndexKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKind {
    /// Finds equal values, ranges and beginnings, and gives rows in its order.
    #[default]
    Ordered,
    /// Finds equal values of all its columns.
    Hash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexState {
    /// Rows are still being entered; queries do not use it yet.
    Building,
    Ready,
}

/// One index of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexInfo {
    pub columns: Vec<String>,
    pub kind: IndexKind,
    pub state: IndexState,
    /// Share of the table that was entered, while it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// One for each version of a row that is held, the newest or one that a reader may need.
    pub entries: u64,
    pub bytes: u64,
}

/// What was made of an [`IndexRequest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexResponse {
    pub table: String,
    pub index: IndexInfo,
    /// How to keep it.
    pub hint: String,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRemoved {
    pub table: String,
    /// The columns of the index.
    pub removed: Vec<String>,
    pub hint: String,
}
