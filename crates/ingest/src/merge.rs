//! Fills the columns a change did not send from the row that is held.

use row_model::{Absent, Row, RowBuilder, Schema, Value};

/// Writes `row` with every value that was not sent replaced by the held row's column of that name. Where
/// that has no such column, a value of which the change says that it stays is null, and any other
/// stays unavailable. A value that was lost is so whatever is held.
pub(crate) fn fill(
    row: Row<'_>,
    schema: &Schema,
    held: Row<'_>,
    held_schema: &Schema,
    builder: &mut RowBuilder,
    out: &mut Vec<u8>,
) {
    builder.clear();
    for (place, (value, column)) in row.iter().zip(&schema.columns).enumerate() {
        let known = || held.get(held_schema.column(&column.name)?);
        builder.push(match row.absent(place) {
            Some(Absent::Unset | Absent::Kept) => known().unwrap_or(Value::Null),
            Some(Absent::Lost) => Value::Unavailable,
            None if value == Value::Unavailable => known().unwrap_or(value),
            None => value,
        });
    }
    builder.finish(out);
}

/// Whether every value that was sent is what is held in the column of that name.
pub(crate) fn agrees(row: Row<'_>, schema: &Schema, held: Row<'_>, held_schema: &Schema) -> bool {
    let mut sent = row
        .iter()
        .zip(&schema.columns)
        .enumerate()
        .filter(|(place, (value, _))| row.absent(*place).is_none() && *value != Value::Unavailable);
    sent.all(|(_, (value, column))| {
        let held = || held.get(held_schema.column(&column.name)?);
        held() == Some(value)
    })
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

    #[test]
    fn what_the_change_left_stays_and_what_was_lost_does_not() {
        let names = ["kept", "lost", "new", "kept too", "unset"];
        let columns = names.map(|name| Column {
            name: name.to_owned(),
            kind: ColumnType::Any,
            nullable: true,
        });
        let schema = |count: usize| Schema {
            columns: columns[..count].to_vec(),
            key: None,
        };
        let (mut builder, mut held, mut sent) = (RowBuilder::default(), Vec::new(), Vec::new());
        builder.push(Value::Int(1));
        builder.push(Value::Int(2));
        builder.finish(&mut held);
        builder.push_absent(Absent::Kept);
        builder.push_absent(Absent::Lost);
        builder.push(Value::Int(5));
        // The held row was written before these columns were known: it did not have them.
        builder.push_absent(Absent::Kept);
        builder.push_absent(Absent::Unset);
        builder.finish(&mut sent);
        let (sent, held) = (Row::new(&sent), Row::new(&held));
        let unavailable = Value::Unavailable;
        let alone: Vec<_> = sent.iter().collect();
        assert_eq!(
            alone,
            [
                unavailable,
                unavailable,
                Value::Int(5),
                unavailable,
                Value::Null
            ]
        );
        assert!(sent.has_unavailable());
        let mut out = Vec::new();
        fill(sent, &schema(5), held, &schema(2), &mut builder, &mut out);
        let merged: Vec<_> = Row::new(&out).iter().collect();
        assert_eq!(
            merged,
            [
                Value::Int(1),
                unavailable,
                Value::Int(5),
                Value::Null,
                Value::Null
            ]
        );
    }
}
