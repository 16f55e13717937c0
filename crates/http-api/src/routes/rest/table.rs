//! The table that a path names, in the schema that `Accept-Profile` names.
//!
//! A schema is that of the source's table: the part of its topic before the last. Without the header
//! every table is found by its name, whatever its schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderMap;
use table_store::{Cut, NameError, TableCut};

use super::refusal::Refusal;
use super::unfit::nearest;
use crate::ApiState;

/// The schema to which tables belong whose topics name none.
const PUBLIC: &str = "public";

pub(super) struct Profile(Option<String>);

impl Profile {
    pub fn of(headers: &HeaderMap) -> Self {
        let asked = headers.get("accept-profile");
        Self(asked.and_then(|value| Some(value.to_str().ok()?.trim().to_owned())))
    }

    pub fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// The table of a name.
    pub fn table<'c>(
        &self,
        state: &ApiState,
        cut: &'c Cut,
        name: &str,
    ) -> Result<&'c Arc<TableCut>, Refusal> {
        let schemas: BTreeSet<&str> = cut.tables().iter().map(|table| schema_of(table)).collect();
        if let Some(asked) = &self.0
            && !schemas.contains(&**asked)
        {
            let known: Vec<&str> = schemas.into_iter().collect();
            return Err(
                Refusal::new(406, "PGRST106", format!("Invalid schema: {asked}")).hint(format!(
                    "Only the following schemas are exposed: {}",
                    known.join(", ")
                )),
            );
        }
        let found = match &self.0 {
            None => cut.table(name),
            Some(asked) => match cut.table(name) {
                Ok(table) if schema_of(table) == asked => Ok(table),
                _ => cut.table(&format!("{asked}.{name}")),
            },
        };
        found.map_err(|refused| self.no_table(state, cut, name, &refused))
    }

    /// What the schema is called in headers and errors.
    pub fn schema_of(&self, table: &TableCut) -> String {
        self.0
            .clone()
            .unwrap_or_else(|| schema_of(table).to_owned())
    }

    fn no_table(&self, state: &ApiState, cut: &Cut, name: &str, refused: &NameError) -> Refusal {
        let starting = match self.0 {
            None => state.starting(name),
            // One of that name may be there, and in another schema.
            Some(_) => state.status().starting(name),
        };
        if let Some(progress) = starting {
            return self::starting(name, progress);
        }
        let schema = self.0.as_deref().unwrap_or_else(|| usual_schema(cut));
        match refused {
            NameError::Unknown { .. } => {
                let own = |table: &&Arc<TableCut>| self.0.is_none() || schema_of(table) == schema;
                let tables = cut.tables().iter().filter(own);
                let names: Vec<&str> = tables.map(|table| &*table.table.identity().name).collect();
                let near = nearest(name, names.iter().copied());
                Refusal::new(
                    404,
                    "PGRST205",
                    format!("Could not find the table '{schema}.{name}' in the schema cache"),
                )
                .hint_if_any(
                    near.map(|near| format!("Perhaps you meant the table '{schema}.{near}'")),
                )
            }
            NameError::Ambiguous { candidates } => Refusal::new(
                300,
                "42P09",
                format!("several tables can be meant by '{name}'"),
            )
            .details(candidates.join(", "))
            .hint("Name the schema in the header Accept-Profile, or use one of these names."),
        }
    }
}

/// The schema that is meant if none is named: the only one there is, or `public`, or the first.
fn usual_schema(cut: &Cut) -> &str {
    let schemas: BTreeSet<&str> = cut.tables().iter().map(|table| schema_of(table)).collect();
    match schemas.first() {
        Some(first) if !schemas.contains(PUBLIC) => first,
        _ => PUBLIC,
    }
}

fn schema_of(table: &TableCut) -> &str {
    let mut parts = table.table.identity().topic.rsplit('.');
    parts.next();
    parts.next().unwrap_or(PUBLIC)
}

/// A table is there, and not all of it.
pub(super) fn starting(name: &str, progress: f64) -> Refusal {
    let percent = (progress.clamp(0.0, 1.0) * 100.0).floor();
    Refusal::new(
        503,
        "PGRST002",
        format!("The table '{name}' is being loaded from the checkpoint ({percent} %)."),
    )
    .hint("Try again in a moment.")
}
