//! Fills the columns a change did not send from the row that is held.

use row_model::{Row, RowBuilder, Schema, Value};

/// Writes `row` with every unavailable value replaced by the held row's column of that name, as far
/// as it has one.
pub(crate) fn fill(
    row: Row<'_>,
    schema: &Schema,
    held: Row<'_>,
    held_schema: &Schema,
    builder: &mut RowBuilder,
    out: &mut Vec<u8>,
) {
    builder.clear();
    for (value, column) in row.iter().zip(&schema.columns) {
        let known = || held.get(held_schema.column(&column.name)?);
        builder.push(if value == Value::Unavailable {
            known().unwrap_or(value)
        } else {
            value
        });
    }
    builder.finish(out);
}

#[cfg(test)]
mod tests {
    use row_model::{Column, ColumnType};

    use super::*;

    #[test]
    fn what_was_not_sent_is_taken_from_the_column_of_that_name() {
        let schema = |names: &[&str]| Schema {
            columns: names
                .iter()
                .map(|name| Column {
                    name: (*name).to_owned(),
                    kind: ColumnType::Any,
                    nullable: true,
                })
                .collect(),
            key: None,
        };
        let row = |values: &[Value<'_>]| {
            let (mut builder, mut bytes) = (RowBuilder::default(), Vec::new());
            for value in values {
                builder.push(*value);
            }
            builder.finish(&mut bytes);
            bytes
        };
        let held = row(&[Value::Text("doc"), Value::Int(1)]);
        let sent = row(&[Value::Int(2), Value::Unavailable, Value::Unavailable]);
        let mut out = Vec::new();
        let (old, new) = (schema(&["doc", "id"]), schema(&["id", "doc", "added"]));
        fill(
            Row::new(&sent),
            &new,
            Row::new(&held),
            &old,
            &mut RowBuilder::default(),
            &mut out,
        );
        assert_eq!(
            out,
            row(&[Value::Int(2), Value::Text("doc"), Value::Unavailable])
        );
    }
}
