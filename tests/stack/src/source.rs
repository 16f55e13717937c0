//! What a source database holds, as Rowtide is to answer it.

use black_box::exact::Exact;

/// A database that tables are compared with.
pub trait Source {
    /// The columns of the table's primary key; none if it has none.
    fn key(&mut self, table: &str) -> anyhow::Result<Vec<String>>;

    /// Every row, with each value spelled as Rowtide's documentation says.
    fn rows(&mut self, table: &str) -> anyhow::Result<Vec<Exact>>;
}
