//! The shape of a topic's rows: which columns, in which order, of which types.
//!
//! With embedded schemas the shape comes from the schema; without, from the names in the row itself.

use std::sync::Arc;

use row_model::{
    Column, ColumnType, KeyTooLong, Row, RowBuilder, Schema, SchemaHistory, SchemaId, Value,
    encode_key,
};

use crate::columns::{ColumnRules, Treatment};
use crate::connect_schema::Node;
use crate::decoding::ROW_BYTES_MAX;
use crate::json_token::Token;
use crate::semantic::Semantic;
use crate::type_hint::TypeHint;
use crate::{DecodeError, Placeholder};

#[derive(Clone, Debug)]
pub(crate) struct ShapeColumn {
    pub name: String,
    pub semantic: Semantic,
    pub nullable: bool,
    pub treatment: Treatment,
    /// What made it this type, where that is not the record's schema.
    pub hint: Option<Arc<TypeHint>>,
    /// Its place in the encoded row; none if it is dropped.
    pub cell: Option<usize>,
}

impl ShapeColumn {
    pub fn new(name: &str, semantic: Semantic, nullable: bool) -> Self {
        Self {
            name: name.to_owned(),
            semantic,
            nullable,
            treatment: Treatment::Keep,
            hint: None,
            cell: None,
        }
    }
}

/// Columns of a row, with the number the topic's history gave this shape.
#[derive(Debug)]
pub(crate) struct RowShape {
    pub columns: Vec<ShapeColumn>,
    pub schema: SchemaId,
    /// The embedded schema (of the whole record) it was made from; without one, names make the shape.
    made_from: Option<Arc<Node>>,
    hides: bool,
    /// Nobody says anything of any column: neither a schema nor config.
    is_untyped: bool,
    /// Columns that only the key has (a router added them, or a transform left a bare value of it), with
    /// their places there: rows show them last, because rows are looked up by them.
    of_key: Vec<(usize, ShapeColumn)>,
}

/// What rows of a new shape are known by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowKey<'k> {
    pub names: &'k [String],
    /// How the record's key was read; none for a key that config declares.
    pub shape: Option<&'k RowShape>,
}

impl RowShape {
    /// The shape that `row`, a part of the embedded schema `record`, describes.
    pub fn from_schema(
        record: &Arc<Node>,
        row: &Node,
        key: Option<RowKey<'_>>,
        history: &SchemaHistory,
        rules: &ColumnRules,
    ) -> Result<Self, DecodeError> {
        Self::of_fields(record, row)
            .under(rules)
            .intern(key, history)
    }

    /// The same for a row of Cassandra, whose columns are structs around their values.
    pub fn from_cells(
        record: &Arc<Node>,
        row: &Node,
        key: Option<RowKey<'_>>,
        history: &SchemaHistory,
        rules: &ColumnRules,
    ) -> Result<Self, DecodeError> {
        let mut shape = Self::of_fields(record, row);
        for (column, field) in shape.columns.iter_mut().zip(&row.fields) {
            if let Some(value) = field.field("value") {
                column.semantic = Semantic::of(value);
            }
        }
        shape.under(rules).intern(key, history)
    }

    /// The shape of a row without schema: its names.
    pub fn from_names<'n>(
        names: impl Iterator<Item = &'n str>,
        key: Option<RowKey<'_>>,
        history: &SchemaHistory,
        rules: &ColumnRules,
    ) -> Result<Self, DecodeError> {
        Self::of_key_names(names).under(rules).intern(key, history)
    }

    /// The shape of a key with a schema. Keys are no rows of a table: the history does not know them.
    pub fn of_key_schema(key: &Arc<Node>) -> Self {
        Self::of_fields(key, key)
    }

    fn of_fields(record: &Arc<Node>, row: &Node) -> Self {
        let columns = row.fields.iter().map(|field| {
            let name = field.field.as_deref().unwrap_or_default();
            ShapeColumn::new(name, Semantic::of(field), field.optional)
        });
        Self::of_columns(columns.collect(), Some(Arc::clone(record)))
    }

    /// The shape of a key without schema.
    pub fn of_key_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let columns = names.map(|name| ShapeColumn::new(name, Semantic::Untyped, true));
        Self::of_columns(columns.collect(), None)
    }

    fn of_columns(columns: Vec<ShapeColumn>, made_from: Option<Arc<Node>>) -> Self {
        let shape = Self {
            columns,
            schema: SchemaId(0),
            made_from,
            hides: false,
            is_untyped: false,
            of_key: Vec::new(),
        };
        shape.with_cells()
    }

    /// The same shape with what config says of its columns.
    pub fn under(mut self, rules: &ColumnRules) -> Self {
        rules.apply(&mut self.columns);
        self.with_cells()
    }

    fn with_cells(mut self) -> Self {
        let mut cells = 0..;
        for column in &mut self.columns {
            let kept = column.treatment != Treatment::Drop;
            column.cell = if kept { cells.next() } else { None };
        }
        let is_hidden = |column: &ShapeColumn| column.treatment != Treatment::Keep;
        self.hides = self.columns.iter().any(is_hidden);
        let is_untyped = |column: &ShapeColumn| {
            column.is_plain() && matches!(column.semantic, Semantic::Untyped)
        };
        self.is_untyped = self.columns.iter().all(is_untyped);
        self
    }

    fn intern(
        mut self,
        key: Option<RowKey<'_>>,
        history: &SchemaHistory,
    ) -> Result<Self, DecodeError> {
        if let Some(shape) = key.and_then(|key| key.shape) {
            let only_there = shape.columns.iter().enumerate();
            let only_there = only_there.filter(|(_, column)| self.column(&column.name).is_none());
            self.of_key = only_there
                .map(|(at, column)| (at, column.clone()))
                .collect();
        }
        let kept = self.columns.iter().filter(|column| column.cell.is_some());
        let of_key = self.of_key.iter().map(|(_, column)| column);
        let columns = kept.chain(of_key).map(|column| Column {
            name: column.name.clone(),
            kind: match column.treatment {
                Treatment::Hash(_) => ColumnType::Text,
                _ => column.semantic.column_type(),
            },
            nullable: column.nullable,
        });
        let schema = Schema {
            columns: columns.collect(),
            key: key.map(|key| key.names.to_vec()),
        };
        self.schema = history.intern(&schema).ok_or(DecodeError::TooManyShapes)?;
        Ok(self)
    }

    pub fn is_typed(&self) -> bool {
        self.made_from.is_some()
    }

    /// True if a record with this embedded schema (or none) has this shape as far as its schema tells.
    pub fn is_made_from(&self, record: Option<&Arc<Node>>) -> bool {
        match (&self.made_from, record) {
            (Some(known), Some(record)) => Arc::ptr_eq(known, record),
            (None, None) => true,
            _ => false,
        }
    }

    /// Where a column's token stands among those of a row.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Where a column stands in the encoded row.
    pub fn cell(&self, name: &str) -> Option<usize> {
        self.columns.get(self.column(name)?)?.cell
    }

    /// A column of which config says that nothing of it may be kept.
    pub fn dropped(&self) -> Option<&str> {
        let dropped = self.columns.iter().find(|column| column.cell.is_none());
        dropped.map(|column| column.name.as_str())
    }

    /// Appends the columns that only the key has, to a row that is otherwise whole.
    pub fn push_key(&self, key: Row<'_>, row: &mut RowBuilder) {
        for (place, column) in &self.of_key {
            column
                .treatment
                .push(key.get(*place).unwrap_or(Value::Null), row);
        }
    }

    /// Appends the encoding of a key of this shape. `plain` holds its values as they were sent.
    pub fn encode_key(&self, plain: Row<'_>, out: &mut Vec<u8>) -> Result<(), KeyTooLong> {
        if !self.hides {
            return encode_key(plain.iter(), out);
        }
        let hashes: Vec<Option<String>> = self
            .columns
            .iter()
            .zip(plain.iter())
            .map(|(column, value)| column.treatment.hashed(value))
            .collect();
        let seen = plain
            .iter()
            .zip(&hashes)
            .map(|(value, hash)| hash.as_deref().map_or(value, Value::Text));
        encode_key(seen, out)
    }

    /// Encodes a row of this shape. `key` is the record's own, as it was sent.
    pub fn encode<'a>(
        &self,
        tokens: impl Iterator<Item = Option<Token<'a>>>,
        placeholder: Option<&Placeholder>,
        key: Row<'_>,
        row: &mut RowBuilder,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        row.clear();
        for (column, token) in self.columns.iter().zip(tokens) {
            // Most of such rows is text, which is what it says.
            let text = token.filter(|_| self.is_untyped);
            let text = text.and_then(Token::plain_text);
            match text.filter(|text| !placeholder.is_some_and(|sent| sent.may_be(text))) {
                Some(text) => row.push_text(text),
                None => column.push(token, placeholder, row)?,
            }
            within_bounds(row)?;
        }
        self.push_key(key, row);
        row.finish(out);
        Ok(())
    }
}

/// Called after each cell, so that no row is built that could not be kept.
pub(crate) fn within_bounds(row: &RowBuilder) -> Result<(), DecodeError> {
    if row.cell_bytes() > ROW_BYTES_MAX {
        return Err(DecodeError::RowTooLarge { max: ROW_BYTES_MAX });
    }
    Ok(())
}
