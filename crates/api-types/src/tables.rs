//! What tables there are: `GET /v1/tables` and `GET /v1/tables/{t}`.

use serde::{Deserialize, Serialize};

use crate::Fresh;

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
    /// Columns of each index.
    pub indexes: Vec<Vec<String>>,
    /// What leads from its rows to others.
    #[serde(default)]
    pub relations: Vec<RelationInfo>,
    pub rows: u64,
    pub bytes: u64,
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
