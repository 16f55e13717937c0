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
