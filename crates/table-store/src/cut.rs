//! Cuts: published, numbered states of all tables, and how readers hold on to one.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use row_model::{CutId, SchemaId, TableId};

use crate::retained::{Keeping, Retained};
use crate::ring::{Anew, Changes, Commit, News, Ring, TableNews};
use crate::{NameError, Names, SourceCut, Table, TableFacts};

/// One run of one process: numbers of cuts mean something only within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId(pub u64);

impl ProcessId {
    /// Like no other.
    #[must_use]
    pub fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

/// Which cut of all that there ever are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CutName {
    pub process: ProcessId,
    pub cut: CutId,
}

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
    /// `None` if its cuts are not to be told from those of others.
    process: Option<ProcessId>,
    tables: Arc<[Arc<TableCut>]>,
    sources: Arc<[Arc<SourceCut>]>,
    names: Arc<Names>,
    /// Somebody may ask for it again.
    told: AtomicBool,
}

impl Cut {
    /// What to call this cut in an answer. From then on it can be asked for again, for a while.
    #[must_use]
    pub fn tell(&self) -> Option<CutName> {
        // Looked at first: all readers share the line of memory that is written.
        if !self.was_told() {
            self.told.store(true, Ordering::Release);
        }
        self.process.map(|process| CutName {
            process,
            cut: self.id,
        })
    }

    pub(crate) fn was_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

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
    /// Locked for one look at a time.
    held: Mutex<Held>,
    /// Locked by the writer for each publication, by readers to take references.
    ring: RwLock<Ring>,
    process: Option<ProcessId>,
}

/// Cuts that are readable beside the newest one.
#[derive(Debug, Default)]
struct Held {
    /// Those that readers hold, with how many hold each.
    pins: BTreeMap<CutId, usize>,
    retained: Retained,
}

impl Held {
    fn pin(&mut self, cut: CutId) {
        *self.pins.entry(cut).or_insert(0) += 1;
    }

    fn oldest_pinned(&self, published: CutId) -> CutId {
        let oldest = self.pins.keys().next();
        oldest.map_or(published, |oldest| published.min(*oldest))
    }

    fn oldest_needed(&self, published: CutId) -> CutId {
        let pinned = self.oldest_pinned(published);
        self.retained
            .oldest()
            .map_or(pinned, |oldest| pinned.min(oldest))
    }
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
        let mut held = self.held.lock();
        // Loaded under the lock: the writer looks at the pins only after it has published.
        let cut = self.published.load_full();
        held.pin(cut.id);
        PinnedCut {
            cut,
            store: Arc::clone(self),
        }
    }

    /// The cut that somebody was told of, unless it has been let go. Of its tables those are readable that
    /// [keep versions](Table::keeps) of it.
    #[must_use]
    pub fn pin_again(self: &Arc<Self>, name: CutName) -> Option<PinnedCut> {
        let mut held = self.held.lock();
        let newest = self.published.load_full();
        let cut = if newest.id == name.cut {
            newest
        } else {
            Arc::clone(held.retained.find(name.cut)?)
        };
        if cut.process != Some(name.process) {
            return None;
        }
        held.pin(cut.id);
        Some(PinnedCut {
            cut,
            store: Arc::clone(self),
        })
    }

    /// The next cuts after one that changed any of these tables, at most so many; `None` if some of them are not held
    /// (any more). Changes are there a moment before their cut can be read, and are told of from then on: who has heard of
    /// them must not find less.
    #[must_use]
    pub fn changes_after(
        &self,
        cut: CutId,
        tables: &[TableId],
        commits_max: usize,
    ) -> Option<Vec<Arc<Commit>>> {
        let newest = self.published.load().id;
        self.ring.read().between(cut, newest, tables, commits_max)
    }

    /// What one cut changed, if that is held.
    #[must_use]
    pub fn changes_of(&self, cut: CutId) -> Option<Arc<Commit>> {
        self.ring.read().of(cut)
    }

    /// All changes that are held of cuts that can be read.
    #[must_use]
    pub fn changes(&self) -> Changes {
        let newest = self.published.load().id;
        self.ring.read().until(newest)
    }

    /// What to call cuts of this process by.
    #[must_use]
    pub fn name_of(&self, cut: CutId) -> Option<CutName> {
        self.process.map(|process| CutName { process, cut })
    }

    /// Has somebody hear of every cut from the next one on.
    pub fn listen(&self, listener: Arc<dyn CutListener>) {
        self.listeners.write().push(listener);
    }
}

/// A cut whose versions are kept while this lives.
#[derive(Debug)]
pub struct PinnedCut {
    cut: Arc<Cut>,
    store: Arc<TableStore>,
}

impl PinnedCut {
    /// The cut itself, whose versions are kept no longer than the pin lives.
    #[must_use]
    pub fn shared(&self) -> &Arc<Cut> {
        &self.cut
    }
}

impl std::ops::Deref for PinnedCut {
    type Target = Cut;

    fn deref(&self) -> &Cut {
        &self.cut
    }
}

impl Drop for PinnedCut {
    fn drop(&mut self) {
        let mut held = self.store.held.lock();
        if let Some(count) = held.pins.get_mut(&self.cut.id) {
            *count -= 1;
            if *count == 0 {
                held.pins.remove(&self.cut.id);
            }
        }
    }
}

/// The writer's end: publishes one cut after another.
#[derive(Debug)]
pub struct Publisher {
    store: Arc<TableStore>,
    process: Option<ProcessId>,
    /// `None` while nothing is kept.
    keeping: Option<Keeping>,
    /// What was set aside when the newest cut was published, and how large it is itself.
    published_at: (u64, u64),
    /// What the next cut changes.
    news: Vec<(TableId, News)>,
    tables: Vec<Arc<TableCut>>,
    sources: Arc<[Arc<SourceCut>]>,
    names: Arc<Names>,
    /// Those of which the next cut says something new.
    changed: Vec<TableId>,
    changed_sources: Vec<Arc<str>>,
}

impl Default for Publisher {
    /// One whose cuts nobody can ask for again.
    fn default() -> Self {
        Self::of(None)
    }
}

impl Publisher {
    /// One whose cuts can be asked for again while it [keeps](Self::keep) them.
    #[must_use]
    pub fn of_process(process: ProcessId) -> Self {
        Self::of(Some(process))
    }

    fn of(process: Option<ProcessId>) -> Self {
        let empty = Cut {
            id: CutId(0),
            process,
            tables: Arc::new([]),
            sources: Arc::new([]),
            names: Arc::default(),
            told: AtomicBool::new(false),
        };
        let store = TableStore {
            published: ArcSwap::from_pointee(empty),
            listeners: RwLock::default(),
            held: Mutex::default(),
            ring: RwLock::default(),
            process,
        };
        Self {
            store: Arc::new(store),
            process,
            keeping: None,
            published_at: (0, 0),
            news: Vec::new(),
            tables: Vec::new(),
            sources: Arc::new([]),
            names: Arc::default(),
            changed: Vec::new(),
            changed_sources: Vec::new(),
        }
    }

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
            Some(known) => {
                let is_reshaped =
                    known.schema.is_some() && known.schema_epoch != table.schema_epoch;
                let is_rebuilt = !Arc::ptr_eq(&known.table, &table.table);
                *known = Arc::new(table);
                if is_rebuilt {
                    // To keep what it was would take its memory twice.
                    self.store.held.lock().retained.clear();
                    self.record(id, News::Anew(Anew::Rebuilt));
                } else if is_reshaped {
                    self.record(id, News::Anew(Anew::Reshaped));
                }
            }
            None => self.tables.push(Arc::new(table)),
        }
    }

    /// Says what the next cut changes of a table. To begin anew counts more than rows.
    pub fn record(&mut self, id: TableId, news: News) {
        match self.news.iter_mut().find(|(table, _)| *table == id) {
            None => self.news.push((id, news)),
            Some((_, known)) if matches!(known, News::Rows(_)) => *known = news,
            Some(_) => {}
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

    /// Keeps cuts that were told of readable after they are replaced, and lets go of those that are too old or
    /// too much by now.
    pub fn keep(&mut self, keeping: Keeping) {
        self.store.held.lock().retained.let_go(&keeping);
        self.keeping = Some(keeping);
    }

    /// Lets go of all cuts that nobody holds, and keeps none until it is told to.
    pub fn keep_nothing(&mut self) {
        self.store.held.lock().retained.clear();
        self.store
            .ring
            .write()
            .clear(self.store.published.load().id);
        self.keeping = None;
    }

    /// Lets go of the older half of the cuts that nobody holds.
    pub fn keep_less(&mut self) {
        self.store.held.lock().retained.halve();
    }

    /// What the cuts and the changes take that are kept, beside the versions that tables account.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.store.held.lock().retained.bytes() + self.store.ring.read().bytes()
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

    /// The oldest cut some reader still needs, or may ask for again.
    #[must_use]
    pub fn oldest_needed(&self) -> CutId {
        let held = self.store.held.lock();
        held.oldest_needed(self.store.published.load().id)
    }

    /// The oldest cut that some reader holds. Tables that keep no versions need none before it.
    #[must_use]
    pub fn oldest_pinned(&self) -> CutId {
        let held = self.store.held.lock();
        held.oldest_pinned(self.store.published.load().id)
    }

    /// Makes everything stamped with [`next_cut`](Self::next_cut) visible at once.
    ///
    /// Answers the oldest cut some reader still needs; older versions may be let go.
    pub fn publish(&mut self) -> CutId {
        let cut = Arc::new(Cut {
            id: self.next_cut(),
            process: self.process,
            tables: self.tables.iter().cloned().collect(),
            sources: Arc::clone(&self.sources),
            names: Arc::clone(&self.names),
            told: AtomicBool::new(false),
        });
        self.put(Arc::clone(&cut));
        for listener in &*self.store.listeners.read() {
            listener.published(&cut, &self.changed);
            for source in &self.changed_sources {
                listener.came_along(&cut, source);
            }
        }
        self.changed.clear();
        self.changed_sources.clear();
        self.oldest_needed()
    }

    fn put(&mut self, cut: Arc<Cut>) {
        let bytes_of_next = self.bytes_of_next();
        // Before the cut: whoever sees it finds what it changed.
        self.tell_changes(cut.id);
        // Under the lock: at no time is a cut neither the newest nor among those that are kept.
        let mut held = self.store.held.lock();
        let replaced = self.store.published.swap(cut);
        if let Some(keeping) = self.keeping {
            let (set_aside_bytes, bytes) = self.published_at;
            held.retained
                .replaced(replaced, bytes, set_aside_bytes, keeping.now_ms);
            self.published_at = (keeping.set_aside_bytes, bytes_of_next);
        }
    }

    fn tell_changes(&mut self, cut: CutId) {
        let news = std::mem::take(&mut self.news);
        let Some(keeping) = self.keeping else {
            return self.store.ring.write().clear(cut);
        };
        let of_table = |(table, news)| {
            let facts = Arc::clone(&self.get(table)?.facts);
            Some(TableNews { table, facts, news })
        };
        let tables: Vec<_> = news.into_iter().filter_map(of_table).collect();
        if !tables.is_empty() {
            let commit = Commit::new(cut, tables);
            self.store.ring.write().push(commit, keeping.bytes_max);
        }
    }

    /// What the next cut takes that it does not share with the one before it.
    fn bytes_of_next(&self) -> u64 {
        let of_table = size_of::<TableCut>() + size_of::<TableFacts>();
        let partition = size_of::<(i32, u64)>();
        let changed = self.changed.iter().filter_map(|id| self.get(*id));
        let changed = changed.map(|table| of_table + table.facts.offsets.len() * partition);
        let tables = size_of_val(&*self.tables);
        (size_of::<Cut>() + tables + changed.sum::<usize>()) as u64
    }
}
