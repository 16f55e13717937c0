//! What a source database holds, as Rowtide is to answer it.

use anyhow::Context;
use black_box::exact::Exact;
use black_box::scenario::ExpectedTable;

/// A database that tables are compared with.
pub trait Source {
    /// The columns of the table's primary key; none if it has none.
    fn key(&mut self, table: &str) -> anyhow::Result<Vec<String>>;

    /// Every row of a table or view, with each value spelled as Rowtide's documentation says.
    fn rows(&mut self, table: &str) -> anyhow::Result<Vec<Exact>>;

    /// The table as it must be served.
    fn expected(&mut self, table: &str) -> anyhow::Result<ExpectedTable> {
        let key = self.key(table)?;
        let rows = self
            .rows(table)
            .with_context(|| format!("the source's rows of {table}"))?;
        Ok(ExpectedTable {
            name: table.to_owned(),
            topic: table.to_owned(),
            key: (!key.is_empty()).then_some(key),
            rows,
            deviations: Vec::new(),
            added_columns: Vec::new(),
        })
    }
}
