//! The columns of an answer.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use row_model::{ColumnType, Schema};

use crate::predicate::Source;

/// A column of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub label: String,
    pub what: FieldWhat,
}

#[derive(Clone, Debug)]
pub(crate) enum FieldWhat {
    Value {
        source: Source,
        kind: ColumnType,
    },
    /// The rows of an embed, by its number.
    Embed(usize),
    /// The values of one field of an embed's rows.
    Spread {
        embed: usize,
        field: usize,
    },
    /// An object of values; null if all of them are.
    Object(Vec<Field>),
}

/// All columns of an answer, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// All columns of this shape come first, as they stand there, ...
    whole: Option<Arc<Schema>>,
    /// ... then these.
    listed: Vec<Field>,
    /// Both. Whole rows are written without looking at each column, so it is made when first asked for.
    all: OnceLock<Vec<Field>>,
}

impl Fields {
    /// All columns of a row's newest shape, which are in use in their order.
    pub fn of_whole(schema: Arc<Schema>) -> Self {
        Self {
            whole: Some(schema),
            ..Self::default()
        }
    }

    /// The first are all columns of the newest shape.
    pub fn begin_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Those that are not there because the whole row is.
    pub fn listed(&self) -> &[Field] {
        &self.listed
    }

    pub fn add(&mut self, fields: impl IntoIterator<Item = Field>) {
        self.listed.extend(fields);
        self.all.take();
    }

    /// Leaves the first so many.
    pub fn truncate(&mut self, count: usize) {
        if let Some(schema) = &self.whole {
            if schema.columns.len() + self.listed.len() <= count {
                return;
            }
            *self = Self::from(self.to_vec());
        }
        self.listed.truncate(count);
    }

    /// A name that two of them have. Columns of one table have names of their own.
    pub fn same_name(&self) -> Option<&str> {
        let mut names = HashSet::new();
        let whole = self.whole.as_ref();
        let is_taken = |name: &str| whole.is_some_and(|schema| schema.column(name).is_some());
        let mut listed = self.listed.iter().map(|field| &*field.label);
        listed.find(|name| is_taken(name) || !names.insert(*name))
    }
}

impl From<Vec<Field>> for Fields {
    fn from(listed: Vec<Field>) -> Self {
        Self {
            listed,
            ..Self::default()
        }
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        let Some(schema) = &self.whole else {
            return &self.listed;
        };
        self.all.get_or_init(|| {
            let columns = schema.columns.iter().enumerate();
            let whole = columns.map(|(place, column)| Field {
                label: column.name.clone(),
                what: FieldWhat::Value {
                    source: Source::column(place),
                    kind: column.kind,
                },
            });
            whole.chain(self.listed.iter().cloned()).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::column;

    fn fields(listed: &[&str]) -> Fields {
        let columns = vec![
            column("id", ColumnType::Int64),
            column("note", ColumnType::Text),
        ];
        let mut fields = Fields::of_whole(Arc::new(Schema { columns, key: None }));
        fields.add(listed.iter().map(|label| Field {
            label: (*label).to_owned(),
            what: FieldWhat::Embed(0),
        }));
        fields
    }

    fn labels(fields: &Fields) -> Vec<&str> {
        fields.iter().map(|field| &*field.label).collect()
    }

    #[test]
    fn a_whole_row_is_its_columns_and_what_is_listed() {
        let mut all = fields(&["items"]);
        assert_eq!(labels(&all), ["id", "note", "items"]);
        all.truncate(3);
        assert!(all.begin_whole());
        all.truncate(2);
        assert_eq!(
            (labels(&all), all.begin_whole()),
            (vec!["id", "note"], false)
        );
    }

    #[test]
    fn no_two_columns_have_one_name() {
        assert_eq!(fields(&["items"]).same_name(), None);
        assert_eq!(fields(&["items", "note"]).same_name(), Some("note"));
        assert_eq!(fields(&["items", "items"]).same_name(), Some("items"));
    }
}
