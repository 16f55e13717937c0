//! Cuts: published, numbered states of all tables, and how readers hold on to one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use row_model::{CutId, SchemaId, TableId};

use crate::{NameError, Names, SourceCut, Table, TableFacts};

/// One table at one cut.
#[derive(Clone, Debug)]
pub struct TableCut {
    pub table: Arc<Table>,
    pub rows: u64,
    pub memory_bytes: u64,
    /// The newest shape of the table's rows; `None` before the first row.
    pub schema: Option<SchemaId>,
    /// How often that has changed since the table was found: readers compare it.
    pub schema_epoch: u64,
    pub facts: Arc<TableFacts>,
}

/// One published state of all tables.
#[derive(Debug)]
pub struct Cut {
    pub id: CutId,
    tables: Arc<[Arc<TableCut>]>,
    sources: Arc<[Arc<SourceCut>]>,
    names: Arc<Names>,
}

impl Cut {
    /// All tables, in the order they were found.
    #[must_use]
    pub fn tables(&self) -> &[Arc<TableCut>] {
        &self.tables
    }

    /// All sources of which anything was read, in the order in which it was.
    #[must_use]
    pub fn sources(&self) -> &[Arc<SourceCut>] {
        &self.sources
    }

    /// The table a name or a suffix of a topic means.
    ///
    /// # Errors
    /// If no table or several tables fit.
    pub fn table(&self, name: &str) -> Result<&Arc<TableCut>, NameError> {
        let id = self.names.resolve(name)?;
        let known = || {
            self.tables
                .iter()
                .map(|table| table.table.identity().name.clone())
                .collect()
        };
        self.tables
            .iter()
            .find(|table| table.table.identity().id == id)
            .ok_or_else(|| NameError::Unknown { known: known() })
    }
}

/// Hears of every cut once readers can see it, and of the tables that it says something new of.
///
/// Told by the writer, which goes on only when everybody has heard: to be quick is all it asks.
pub trait CutListener: std::fmt::Debug + Send + Sync {
    fn published(&self, cut: &Cut, changed: &[TableId]);

    /// Is told of a source of config whose tables are known to have come further along with it, or to have been in
    /// contact with it, though they may show the same rows as before. After [`published`](Self::published), if both
    /// are so.
    fn came_along(&self, _cut: &Cut, _source: &str) {}
}

/// All tables, as readers reach them.
#[derive(Debug)]
pub struct TableStore {
    published: ArcSwap<Cut>,
    /// Locked for a publication, and to add one.
    listeners: RwLock<Vec<Arc<dyn CutListener>>>,
    /// Cuts that readers hold, with how many hold each. Locked for one map operation at a time.
    pins: Mutex<BTreeMap<CutId, usize>>,
}

impl TableStore {
    /// The newest cut. Enough for a single lookup; hold a [`pin`](Self::pin) for anything longer.
    #[must_use]
    pub fn published(&self) -> Arc<Cut> {
        self.published.load_full()
    }

    /// The newest cut, kept readable until the pin is dropped.
    #[must_use]
    pub fn pin(self: &Arc<Self>) -> PinnedCut {
        let mut pins = self.pins.lock();
        // Loaded under the lock: the writer looks at the pins only after it has published.
        let cut = self.published.load_full();
        *pins.entry(cut.id).or_insert(0) += 1;
        PinnedCut {
            cut,
            store: Arc::clone(self),
        }
    }

    /// Has somebody hear of every cut from the next one on.
    pub fn listen(&self, listener: Arc<dyn CutListener>) {
        self.listeners.write().push(listener);
    }

    fn oldest_needed(&self) -> CutId {
        let pins = self.pins.lock();
        let published = self.published.load().id;
        pins.keys()
            .next()
            .map_or(published, |oldest| published.min(*oldest))
    }
}

/// A cut whose versions are kept while this lives.
#[derive(Debug)]
pub struct PinnedCut {
    cut: Arc<Cut>,
    store: Arc<TableStore>,
}

impl std::ops::Deref for PinnedCut {
    type Target = Cut;

    fn deref(&self) -> &Cut {
        &self.cut
    }
}

impl Drop for PinnedCut {
    fn drop(&mut self) {
        let mut pins = self.store.pins.lock();
        if let Some(count) = pins.get_mut(&self.cut.id) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.cut.id);
            }
        }
    }
}

/// The writer's end: publishes one cut after another.
#[derive(Debug)]
pub struct Publisher {
    store: Arc<TableStore>,
    tables: Vec<Arc<TableCut>>,
    sources: Arc<[Arc<SourceCut>]>,
    names: Arc<Names>,
    /// Those of which the next cut says something new.
    changed: Vec<TableId>,
    changed_sources: Vec<Arc<str>>,
}

impl Default for Publisher {
    fn default() -> Self {
        let empty = Cut {
            id: CutId(0),
            tables: Arc::new([]),
            sources: Arc::new([]),
            names: Arc::default(),
        };
        let store = TableStore {
            published: ArcSwap::from_pointee(empty),
            listeners: RwLock::default(),
            pins: Mutex::default(),
        };
        Self {
            store: Arc::new(store),
            tables: Vec::new(),
            sources: Arc::new([]),
            names: Arc::default(),
            changed: Vec::new(),
            changed_sources: Vec::new(),
        }
    }
}

impl Publisher {
    #[must_use]
    pub fn store(&self) -> &Arc<TableStore> {
        &self.store
    }

    /// The number the next cut will have; changes made now are stamped with it.
    #[must_use]
    pub fn next_cut(&self) -> CutId {
        self.store.published.load().id.next()
    }

    /// Replaces what the next cut will say of a table, or adds the table.
    pub fn set(&mut self, table: TableCut) {
        let id = table.table.identity().id;
        if !self.changed.contains(&id) {
            self.changed.push(id);
        }
        match self
            .tables
            .iter_mut()
            .find(|known| known.table.identity().id == id)
        {
            Some(known) => *known = Arc::new(table),
            None => self.tables.push(Arc::new(table)),
        }
    }

    /// Replaces what the next cut will say of a source, or adds the source.
    pub fn set_source(&mut self, source: SourceCut) {
        if !self.changed_sources.contains(&source.name) {
            self.changed_sources.push(Arc::clone(&source.name));
        }
        let is_same = |known: &&mut Arc<SourceCut>| {
            known.name == source.name && known.connector == source.connector
        };
        let mut sources = self.sources.to_vec();
        match sources.iter_mut().find(is_same) {
            Some(known) => *known = Arc::new(source),
            None => sources.push(Arc::new(source)),
        }
        self.sources = sources.into();
    }

    /// Tells who listens that tables of a source were in contact with it, which no cut says.
    pub fn contact(&self, source: &str) {
        let cut = self.store.published();
        for listener in &*self.store.listeners.read() {
            listener.came_along(&cut, source);
        }
    }

    #[must_use]
    pub fn get(&self, id: TableId) -> Option<&Arc<TableCut>> {
        self.tables
            .iter()
            .find(|known| known.table.identity().id == id)
    }

    pub fn set_names(&mut self, names: Names) {
        self.names = Arc::new(names);
    }

    /// The oldest cut some reader still needs.
    #[must_use]
    pub fn oldest_needed(&self) -> CutId {
        self.store.oldest_needed()
    }

    /// Makes everything stamped with [`next_cut`](Self::next_cut) visible at once.
    ///
    /// Answers the oldest cut some reader still needs; older versions may be let go.
    pub fn publish(&mut self) -> CutId {
        let cut = Arc::new(Cut {
            id: self.next_cut(),
            tables: self.tables.iter().cloned().collect(),
            sources: Arc::clone(&self.sources),
            names: Arc::clone(&self.names),
        });
        self.store.published.store(Arc::clone(&cut));
        for listener in &*self.store.listeners.read() {
            listener.published(&cut, &self.changed);
            for source in &self.changed_sources {
                listener.came_along(&cut, source);
            }
        }
        self.changed.clear();
        self.changed_sources.clear();
        self.store.oldest_needed()
    }
}
