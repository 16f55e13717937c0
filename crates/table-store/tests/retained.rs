//! Whoever was told of a cut can ask for it again: what it shows then is what it showed, or it is said to be gone.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use row_model::{RowBuilder, SchemaHistory, SchemaId, Stamp, TableId, Value, Version, encode_key};
use table_store::{
    Cut, CutName, Keeping, Lookup, ProcessId, Publisher, RETAINED_MS, ROW_VERSIONS_MAX, TableCut,
    TableFacts, TableIdentity, TableWriter,
};

type Rows = BTreeMap<i64, i64>;

struct Shop {
    publisher: Publisher,
    writer: TableWriter,
    rows: Rows,
    now_ms: i64,
    bytes_max: u64,
}

fn encoded(id: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key([Value::Int(id)], &mut out).unwrap();
    out
}

impl Shop {
    fn new(process: u64, bytes_max: u64) -> Self {
        let identity = TableIdentity {
            id: TableId(0),
            name: "t".to_owned(),
            topic: "s.t".to_owned(),
            source: "s".to_owned(),
        };
        let mut shop = Self {
            publisher: Publisher::of_process(ProcessId(process)),
            writer: TableWriter::new(identity, Arc::new(SchemaHistory::default())),
            rows: Rows::new(),
            now_ms: 0,
            bytes_max,
        };
        shop.publish();
        shop
    }

    fn live(process: u64, bytes_max: u64) -> Self {
        let mut shop = Self::new(process, bytes_max);
        shop.writer.keep_versions(shop.publisher.next_cut());
        shop.publish();
        shop
    }

    fn set(&mut self, id: i64, value: Option<i64>) {
        let row = value.map(|value| {
            let (mut builder, mut out) = (RowBuilder::default(), Vec::new());
            builder.push(Value::Int(value));
            builder.finish(&mut out);
            out
        });
        match value {
            Some(value) => self.rows.insert(id, value),
            None => self.rows.remove(&id),
        };
        let cut = self.publisher.next_cut();
        let stamp = |_: Option<&Version>| Some(Stamp::default());
        self.writer
            .write(cut, &encoded(id), SchemaId(0), row.as_deref(), stamp);
    }

    fn publish(&mut self) {
        self.publisher.keep(Keeping {
            now_ms: self.now_ms,
            set_aside_bytes: self.writer.set_aside_bytes(),
            bytes_max: self.bytes_max,
        });
        if self.writer.take_crowded() {
            self.publisher.keep_less();
        }
        self.publisher.set(TableCut {
            table: Arc::clone(self.writer.table()),
            rows: self.writer.rows(),
            memory_bytes: 0,
            schema: None,
            schema_epoch: 1,
            facts: Arc::new(TableFacts::default()),
        });
        self.publisher.publish();
        let needed = if self.writer.keeps_versions() {
            self.publisher.oldest_needed()
        } else {
            self.publisher.oldest_pinned()
        };
        self.writer.collect_garbage(needed);
    }

    fn told(&self) -> CutName {
        self.publisher.store().published().tell().unwrap()
    }

    /// What a cut shows that is asked for again; `None` if it is gone.
    fn again(&self, name: CutName) -> Option<Rows> {
        let cut = self.publisher.store().pin_again(name)?;
        cut.tables()[0].table.keeps(cut.id).then(|| visited(&cut))
    }
}

fn visited(cut: &Cut) -> Rows {
    let mut rows = Rows::new();
    let table = &cut.tables()[0].table;
    let mut keys = Vec::new();
    table.visit(cut.id, |version| {
        let Some(Value::Int(value)) = version.row().unwrap().get(0) else {
            panic!("the row has one cell")
        };
        keys.push((version.key().to_vec(), value));
    });
    for id in 0..8 {
        let key = encoded(id);
        let seen = keys.iter().find(|(of, _)| *of == key);
        match (table.lookup(&key, cut.id), seen) {
            (Lookup::Row(_), Some((_, value))) => drop(rows.insert(id, *value)),
            (Lookup::Missing, None) => {}
            (found, seen) => panic!("{id}: {found:?} was visited as {seen:?}"),
        }
    }
    rows
}

#[derive(Clone, Debug)]
enum Step {
    Set(i64, Option<i64>),
    Publish,
    Tell,
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..8i64, proptest::option::of(any::<i64>())).prop_map(|(id, value)| Step::Set(id, value)),
        3 => Just(Step::Publish),
        2 => Just(Step::Tell),
        1 => (1..20_000i64).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn what_was_told_is_shown_again_for_half_a_minute_and_never_otherwise(
        steps in proptest::collection::vec(step(), 1..200),
        bytes_max in prop_oneof![Just(u64::MAX), 0..20_000u64],
    ) {
        let mut shop = Shop::live(1, bytes_max);
        let mut shown = Rows::new();
        // What was told, with what it showed, and when a newer one replaced it.
        let mut told: Vec<(CutName, Rows, Option<i64>)> = Vec::new();
        for step in steps {
            match step {
                Step::Set(id, value) => shop.set(id, value),
                Step::Pass(ms) => shop.now_ms += ms,
                Step::Tell => told.push((shop.told(), shown.clone(), None)),
                Step::Publish => {
                    shop.publish();
                    shown.clone_from(&shop.rows);
                    for (.., replaced_ms) in &mut told {
                        replaced_ms.get_or_insert(shop.now_ms);
                    }
                    let oldest_ms = shop.now_ms - RETAINED_MS;
                    for (name, rows, replaced_ms) in &told {
                        let again = shop.again(*name);
                        if let Some(again) = &again {
                            prop_assert_eq!(again, rows);
                        }
                        if bytes_max == u64::MAX {
                            prop_assert_eq!(again.is_some(), *replaced_ms >= Some(oldest_ms));
                        }
                    }
                    let kept = shop.writer.memory().versions as u64 + shop.publisher.kept_bytes();
                    let last_cut = 8 * 1_024 + 4_096;
                    prop_assert!(kept <= bytes_max.saturating_add(last_cut), "{} of {}", kept, bytes_max);
                }
            }
        }
    }
}

#[test]
fn what_nobody_was_told_of_is_not_kept() {
    let mut shop = Shop::live(1, u64::MAX);
    let mut names = Vec::new();
    for value in 0..100 {
        shop.set(1, Some(value));
        shop.publish();
        let cut = shop.publisher.store().published().id;
        names.push(CutName {
            process: ProcessId(1),
            cut,
        });
    }
    assert_eq!(shop.writer.memory().versions, 0);
    assert_eq!(shop.publisher.kept_bytes(), 0);
    assert_eq!(shop.again(names[50]), None);
    // The newest one is there in any case.
    assert_eq!(shop.again(names[99]), Some(Rows::from([(1, 99)])));
}

#[test]
fn who_holds_a_cut_may_tell_of_it_after_it_was_replaced() {
    let mut shop = Shop::live(1, u64::MAX);
    shop.set(1, Some(1));
    shop.publish();
    let held = shop.publisher.store().published();
    shop.set(1, Some(2));
    shop.publish();
    let name = held.tell().unwrap();
    drop(held);
    assert_eq!(shop.again(name), Some(Rows::from([(1, 1)])));
}

#[test]
fn another_process_knows_nothing_of_our_cuts() {
    let (one, other) = (Shop::live(1, u64::MAX), Shop::live(2, u64::MAX));
    assert!(one.again(one.told()).is_some());
    assert_eq!(other.again(one.told()), None);
    assert!(Publisher::default().store().published().tell().is_none());
}

#[test]
fn versions_of_a_table_that_is_not_live_are_not_kept() {
    let mut shop = Shop::new(1, u64::MAX);
    shop.set(1, Some(1));
    shop.publish();
    let loading = shop.told();
    shop.set(1, Some(2));
    shop.publish();
    assert_eq!(shop.writer.memory().versions, 0);
    assert_eq!(shop.again(loading), None);
    shop.writer.keep_versions(shop.publisher.next_cut());
    shop.publish();
    let live = shop.told();
    shop.set(1, Some(3));
    shop.publish();
    assert_eq!(shop.again(loading), None);
    assert_eq!(shop.again(live), Some(Rows::from([(1, 2)])));
}

#[test]
fn a_row_that_changes_all_the_time_shortens_what_is_kept() {
    let mut shop = Shop::live(1, u64::MAX);
    let first = shop.told();
    for value in 0..=2 * ROW_VERSIONS_MAX as i64 {
        shop.set(1, Some(value));
        shop.publish();
        let _ = shop.told();
    }
    assert_eq!(shop.again(first), None);
    let versions = shop.writer.memory().versions as u64;
    let one = shop.writer.memory().rows as u64;
    assert!(
        versions <= (ROW_VERSIONS_MAX as u64 + 1) * one,
        "{versions}"
    );
}
