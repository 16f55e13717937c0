//! Names as SQL has them: unquoted ones whatever their case, quoted ones to the letter.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use table_store::TableCut;

use super::error::{SqlError, unsupported};
use crate::bind::knows_column;

/// What an unquoted name is called in answers, as in `PostgreSQL`.
pub(super) fn label(name: &Ident) -> String {
    if name.quote_style.is_some() {
        name.value.clone()
    } else {
        name.value.to_lowercase()
    }
}

/// Whether a name means what is called so.
pub(super) fn means(name: &Ident, called: &str) -> bool {
    name.value == called
        || name.quote_style.is_none() && name.value.to_lowercase() == called.to_lowercase()
}

/// The column of a table that a name means: the one that is spelled so, else, unquoted, the one that is spelled so
/// but for the case.
pub(super) fn column(table: &TableCut, name: &Ident) -> Option<String> {
    if knows_column(table, &name.value) {
        return Some(name.value.clone());
    }
    if name.quote_style.is_some() {
        return None;
    }
    let lower = name.value.to_lowercase();
    if knows_column(table, &lower) {
        return Some(lower);
    }
    let mut alike = columns(table)
        .into_iter()
        .filter(|column| means(name, column));
    let found = alike.next()?;
    alike.next().is_none().then_some(found)
}

/// The columns of a table's newest rows.
pub(super) fn columns(table: &TableCut) -> Vec<String> {
    let schema = table.schema.and_then(|id| table.table.schemas().get(id));
    let columns = schema.iter().flat_map(|schema| &schema.columns);
    columns.map(|column| column.name.clone()).collect()
}

/// The parts of a name.
pub(super) fn parts<'a>(name: &'a ObjectName) -> Result<Vec<&'a Ident>, SqlError> {
    let part = |part: &'a ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) => Ok(ident),
        ObjectNamePart::Function(function) => Err(unsupported(
            "a name that is computed",
            "Write the table's name.",
            function.name.span,
        )),
    };
    name.0.iter().map(part).collect()
}
