//! The indexes that config declares: who gets them, who builds them, and what is to be said of them.

use std::sync::Arc;
use std::thread::Builder;

use table_store::{Index, IndexDefinition, Table};

use crate::sequencer::Sequencer;
use crate::tables::TableState;

/// An index of a table that was loaded with rows.
#[derive(Debug)]
pub(crate) struct IndexBuild {
    table: Arc<Table>,
    index: Arc<Index>,
}

impl Sequencer {
    /// Gives a table the indexes that config declares for its topic. Those of a table that was loaded with
    /// rows are built later, [on a thread of their own](start_builds).
    pub(crate) fn declare_indexes(&mut self, state: &TableState) {
        let topic = &state.identity.topic;
        let declared = self.settings.indexes.iter().filter(|(of, _)| of == topic);
        for definition in declared.flat_map(|(_, definitions)| definitions) {
            let Some(index) = add(state, definition) else {
                continue;
            };
            if !index.is_ready() {
                let table = Arc::clone(state.writer.table());
                self.index_builds.push(IndexBuild { table, index });
            }
        }
    }
}

/// Adds an index, which is ready at once if there is nothing to be entered.
fn add(state: &TableState, definition: &IndexDefinition) -> Option<Arc<Index>> {
    let table = state.writer.table();
    match table.add_index(definition.clone()) {
        Ok(index) => {
            if state.writer.slots() == 0 {
                table.build_index(&index);
            }
            Some(index)
        }
        Err(error) => {
            tracing::error!(table = state.identity.name, %definition, "index not added: {error}");
            None
        }
    }
}

/// Gives an empty table the indexes of the one it replaces, those added at run time too.
pub(crate) fn take_over(from: &TableState, to: &TableState) {
    for index in &*from.writer.table().indexes() {
        add(to, index.definition());
    }
}

/// Gives an empty table these indexes.
pub(crate) fn add_all(to: &TableState, definitions: &[IndexDefinition]) {
    for definition in definitions {
        add(to, definition);
    }
}

/// Has a table with rows have the indexes of the one it replaces: some may have come or gone since it
/// was begun. Those that are new to it are left to be built.
pub(crate) fn reconcile(from: &TableState, to: &TableState, builds: &mut Vec<IndexBuild>) {
    let definitions = |of: &TableState| -> Vec<IndexDefinition> {
        let indexes = of.writer.table().indexes();
        indexes.iter().map(|it| it.definition().clone()).collect()
    };
    let (wanted, has) = (definitions(from), definitions(to));
    let table = to.writer.table();
    for definition in has.iter().filter(|it| !wanted.contains(it)) {
        table.remove_index(definition.columns());
    }
    for definition in wanted.iter().filter(|it| !has.contains(it)) {
        let index = add(to, definition).filter(|index| !index.is_ready());
        let table = Arc::clone(table);
        builds.extend(index.map(|index| IndexBuild { table, index }));
    }
}

/// Builds indexes one after another on a thread of their own, while tables are served without them.
///
/// Not waited for at the end: it holds nothing that must be finished.
pub(crate) fn start_builds(builds: Vec<IndexBuild>) -> std::io::Result<()> {
    if builds.is_empty() {
        return Ok(());
    }
    let thread = Builder::new().name("rowtide-indexes".to_owned());
    let run = move || {
        for IndexBuild { table, index } in builds {
            let is_ready = table.build_index(&index);
            let (name, definition) = (&table.identity().name, index.definition());
            let entries = index.entries();
            tracing::info!(table = name, %definition, entries, is_ready, "index built");
        }
    };
    thread.spawn(run).map(|_| ())
}

impl TableState {
    /// What is to be said of indexes whose columns no row has ever had.
    pub(crate) fn index_notes(&self) -> Vec<String> {
        let table = self.writer.table();
        let (indexes, shapes) = (table.indexes(), table.schemas().shapes());
        if shapes.is_empty() {
            return Vec::new();
        }
        let is_known = |column: &str| shapes.iter().any(|shape| shape.column(column).is_some());
        let mut notes = Vec::new();
        for index in &*indexes {
            let definition = index.definition();
            for column in definition
                .columns()
                .iter()
                .filter(|column| !is_known(column))
            {
                notes.push(format!(
                    "indexes: no row has had a column {column:?}: to the index {definition} it is null in all. Correct its name in the indexes of this [[tables]], or remove it"
                ));
            }
        }
        notes
    }
}
