//! Rows of several tables by their keys: `{"get":[{"table":"orders","keys":[[7],[9]],"select":["status"]}]}`.

use super::condition::scalar;
use super::node::{self, Kind, Node};
use super::{floor, shape};
use crate::tree::{Place, Query};
use crate::url::text::SyntaxError;

/// Tables of one request. One may be there several times.
pub const BATCH_GETS_MAX: usize = 16;
/// Keys of all of them together.
pub const BATCH_KEYS_MAX: usize = 1_000;

/// Columns of one key.
const KEY_COLUMNS_MAX: usize = 64;

const KEY_NAME_BYTES_MAX: usize = 256;

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchGet {
    pub gets: Vec<Get>,
    pub int64_as_text: bool,
}

/// Rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// Any name of it.
    pub table: String,
    pub keys: Vec<KeyAsked>,
    /// What is shown of a row.
    pub query: Query,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAsked {
    pub values: KeyValues,
    pub at: Place,
}

/// A key's values as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValues {
    InOrder(Vec<String>),
    ByColumn(Vec<(String, String)>),
}

/// Reads the body of a request.
///
/// # Errors
/// At the first part that cannot be read.
pub fn read_batch(body: &[u8]) -> Result<BatchGet, SyntaxError> {
    let root = node::root(body)?;
    let object = root.object()?.without(floor::FIELDS);
    object.only(&["get", "int64"])?;
    let list = object.needed(
        "get",
        "what to get, as in {\"get\":[{\"table\":\"orders\",\"keys\":[[7]]}]}",
    )?;
    let nodes = list.one_or_several()?;
    if nodes.len() > BATCH_GETS_MAX {
        return Err(list.too_many("tables", BATCH_GETS_MAX));
    }
    let mut keys = 0;
    let mut gets = Vec::new();
    for node in &nodes {
        let get = get(node)?;
        keys += get.keys.len();
        if keys > BATCH_KEYS_MAX {
            return Err(node.too_many("keys", BATCH_KEYS_MAX));
        }
        gets.push(get);
    }
    let int64 = object.get("int64");
    let int64 = int64.map(|node| node.word(&["number", "string"], "\"number\" or \"string\""));
    Ok(BatchGet {
        gets,
        int64_as_text: int64.transpose()? == Some(1),
    })
}

fn get(node: &Node<'_>) -> Result<Get, SyntaxError> {
    let object = node.object()?;
    object.only(&["table", "keys", "select", "include"])?;
    let table = object.needed("table", "the name of a table, as in \"table\":\"orders\"")?;
    let keys = object.needed("keys", "a list of keys, as in \"keys\":[[7],[9]]")?;
    if keys.kind() != Kind::List {
        return Err(keys.expected("a list of keys, as in [[7],[9]]"));
    }
    let keys: Result<_, _> = keys.list()?.iter().map(key).collect();
    Ok(Get {
        table: table.text()?,
        keys: keys?,
        query: shape(&object, 0)?,
    })
}

/// `[7]`, `["eu",7]`, `7` or `{"id":7}`.
fn key(node: &Node<'_>) -> Result<KeyAsked, SyntaxError> {
    let values = match node.kind() {
        Kind::List => {
            KeyValues::InOrder(node.list()?.iter().map(scalar).collect::<Result<_, _>>()?)
        }
        Kind::Object => {
            let object = node.object()?;
            if object.fields().len() > KEY_COLUMNS_MAX {
                return Err(node.too_many("columns of a key", KEY_COLUMNS_MAX));
            }
            object.distinct()?;
            let is_long = |(name, _): &(String, Node<'_>)| name.len() > KEY_NAME_BYTES_MAX;
            if object.fields().iter().any(is_long) {
                return Err(node.too_many("bytes in the name of a column", KEY_NAME_BYTES_MAX));
            }
            let value = |(name, node): &(String, Node<'_>)| Ok((name.clone(), scalar(node)?));
            KeyValues::ByColumn(
                object
                    .fields()
                    .iter()
                    .map(value)
                    .collect::<Result<_, _>>()?,
            )
        }
        _ => KeyValues::InOrder(vec![scalar(node)?]),
    };
    Ok(KeyAsked {
        values,
        at: node.place(),
    })
}
