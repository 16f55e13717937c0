//! What indexes cost and give: a million orders on one thread, with and without them.
//!
//! Medians of interleaved turns are printed. Run by `cargo xtask bench indexes`.

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot set its table up has nothing to measure"
)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use mimalloc::MiMalloc;
use row_model::{
    Column, ColumnType, CutId, Moment, RowBuilder, Schema, SchemaHistory, SchemaId, Stamp, TableId,
    Value, encode_key, push_sort_key,
};
use table_store::{
    Direction, Index, IndexDefinition, IndexKind, KeyRange, TableIdentity, TableWriter,
};
use telemetry::clock;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROWS: u64 = 1_000_000;
const CUSTOMERS: u64 = 100_000;
const LOOKUPS: u64 = 200_000;
const ROUNDS: usize = 5;

const KINDS: [(&str, &[&str], IndexKind); 4] = [
    ("(customer_id)", &["customer_id"], IndexKind::Ordered),
    ("(customer_id) hash", &["customer_id"], IndexKind::Hash),
    (
        "(status, created_at)",
        &["status", "created_at"],
        IndexKind::Ordered,
    ),
    ("(status) hash", &["status"], IndexKind::Hash),
];

const STATUSES: [&str; 5] = ["new", "paid", "packed", "shipped", "returned"];

/// Spread, but the same in every run.
fn pick(number: u64, salt: u64, below: u64) -> u64 {
    let mixed = (number ^ salt << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16) % below
}

struct Orders {
    writer: TableWriter,
    schema: SchemaId,
    builder: RowBuilder,
    row: Vec<u8>,
    key: Vec<u8>,
    cut: CutId,
}

impl Orders {
    fn new() -> Self {
        let identity = TableIdentity {
            id: TableId(0),
            name: "orders".to_owned(),
            topic: "shop.public.orders".to_owned(),
            source: "shop".to_owned(),
        };
        let writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
        let column = |(name, kind): (&str, ColumnType)| Column {
            name: name.to_owned(),
            kind,
            nullable: true,
        };
        let columns = [
            ("id", ColumnType::Int64),
            ("customer_id", ColumnType::Int64),
            ("status", ColumnType::Text),
            ("created_at", ColumnType::TimestampTz),
        ];
        let schema = Schema {
            columns: columns.into_iter().map(column).collect(),
            key: Some(vec!["id".to_owned()]),
        };
        let schema = writer.table().schemas().intern(&schema);
        Self {
            writer,
            schema: schema.expect("the first shape has a number"),
            builder: RowBuilder::default(),
            row: Vec::new(),
            key: Vec::new(),
            cut: CutId(1),
        }
    }

    fn put(&mut self, number: u64, status: u64) {
        self.row.clear();
        self.key.clear();
        let at = Moment {
            seconds: 1_700_000_000 + pick(number, 3, 30_000_000) as i64,
            nanos: pick(number, 4, 1_000_000) as u32 * 1_000,
        };
        let customer = pick(number, 1, CUSTOMERS) as i64;
        self.builder.push(Value::Int(number as i64));
        self.builder.push(Value::Int(customer));
        self.builder
            .push(Value::Text(STATUSES[(status % 5) as usize]));
        self.builder.push(Value::Instant(at));
        self.builder.finish(&mut self.row);
        encode_key([Value::Int(number as i64)], &mut self.key).expect("a number is a short key");
        let (cut, row) = (self.cut, Some(&*self.row));
        let stamp = |_: Option<&_>| Some(Stamp::default());
        self.writer.write(cut, &self.key, self.schema, row, stamp);
    }

    fn filled(indexes: &[usize]) -> Self {
        let mut orders = Self::new();
        for at in indexes {
            orders.add(*at);
        }
        for number in 0..ROWS {
            orders.put(number, pick(number, 2, 5));
        }
        orders
    }

    fn add(&self, at: usize) -> Arc<Index> {
        let (_, columns, kind) = KINDS[at];
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        let definition = IndexDefinition::new(columns, kind).expect("a sound definition");
        let added = self.writer.table().add_index(definition);
        let index = added.expect("a new index");
        self.writer.table().build_index(&index);
        index
    }

    fn remove(&self, at: usize) {
        let columns: Vec<_> = KINDS[at].1.iter().map(|&name| name.to_owned()).collect();
        self.writer.table().remove_index(&columns);
    }

    /// Changes the status of many rows, a cut at a time.
    fn moves(&mut self) {
        for number in 0..LOOKUPS {
            if number % 1_000 == 0 {
                self.writer.collect_garbage(self.cut);
                self.cut = self.cut.next();
            }
            let order = pick(number, 9, ROWS);
            self.put(order, pick(number, self.cut.0, 5));
        }
        self.writer.collect_garbage(self.cut);
    }
}

fn main() {
    println!("{ROWS} rows, one thread, medians of {ROUNDS} interleaved turns\n");
    println!(
        "{:<22} {:>12} {:>12} {:>12}",
        "", "build ns", "insert ns", "bytes/row"
    );
    let mut orders = Orders::filled(&[]);
    let (mut plain, mut with) = (Vec::new(), [const { Vec::new() }; KINDS.len()]);
    let mut build = [const { Vec::new() }; KINDS.len()];
    let mut bytes = [0; KINDS.len()];
    for _ in 0..ROUNDS {
        plain.push(timed(|| _ = black_box(Orders::filled(&[]))));
        for at in 0..KINDS.len() {
            with[at].push(timed(|| _ = black_box(Orders::filled(&[at]))));
            let mut index = None;
            build[at].push(timed(|| index = Some(orders.add(at))));
            bytes[at] = index.map_or(0, |index| index.memory_bytes());
            orders.remove(at);
        }
    }
    let plain = median(plain);
    let row = |time: Duration| time.as_secs_f64() * 1e9 / ROWS as f64;
    println!("{:<22} {:>12} {:>12.0}", "no index", "", row(plain));
    for (at, (title, ..)) in KINDS.iter().enumerate() {
        let (build, with) = (median(build[at].clone()), median(with[at].clone()));
        let per_row = bytes[at] as f64 / ROWS as f64;
        let more = row(with) - row(plain);
        println!(
            "{title:<22} {:>12.0} {more:>+12.0} {per_row:>12.1}",
            row(build)
        );
    }
    moves(&mut orders);
    reads(&orders);
}

/// A change of an indexed column, with the garbage that comes of it.
fn moves(orders: &mut Orders) {
    println!("\n{:<22} {:>12}", "", "move ns");
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (at, index) in [None, Some(2), Some(3)].into_iter().enumerate() {
            if let Some(index) = index {
                orders.add(index);
            }
            times[at].push(timed(|| orders.moves()));
            if let Some(index) = index {
                orders.remove(index);
            }
        }
    }
    for (title, times) in ["no index", KINDS[2].0, KINDS[3].0].iter().zip(times) {
        println!("{title:<22} {:>12.0}", per(median(times), LOOKUPS));
    }
}

fn reads(orders: &Orders) {
    println!("\n{:<40} {:>12} {:>12}", "", "ns", "ns/row");
    for at in [0, 1] {
        let index = orders.add(at);
        let mut rows = 0;
        let times = (0..ROUNDS).map(|_| timed(|| rows = orders.look_up(&index)));
        let time = median(times.collect());
        let found = rows as f64 / LOOKUPS as f64;
        print_read(
            &format!("{} = ?, {found:.1} rows", KINDS[at].0),
            time,
            LOOKUPS,
            rows,
        );
        orders.remove(at);
    }
    let index = orders.add(2);
    let (up, down) = (Direction::Ascending, Direction::Descending);
    for (title, direction, limit) in [
        ("status = paid order created_at limit 20", up, 20),
        ("the same, newest first", down, 20),
        ("all of status = paid", up, u64::MAX),
        ("the same, newest first", down, u64::MAX),
    ] {
        let repeats = if limit == 20 { 10_000 } else { 1 };
        let mut rows = 0;
        let mut walks = || {
            rows = (0..repeats)
                .map(|_| orders.walk(&index, direction, limit))
                .sum();
        };
        let times = (0..ROUNDS).map(|_| timed(&mut walks)).collect();
        print_read(title, median(times), repeats, rows);
    }
    let key = paid();
    let estimates = timed(|| {
        for _ in 0..10_000 {
            black_box(index.estimate(black_box(KeyRange::of(&key))));
        }
    });
    print_read("estimate of a fifth", estimates, 10_000, 10_000);
}

impl Orders {
    /// The orders of one customer after another; how many.
    fn look_up(&self, index: &Index) -> u64 {
        let (mut rows, mut key) = (0, Vec::new());
        for number in 0..LOOKUPS {
            key.clear();
            let customer = Value::Int(pick(number, 7, CUSTOMERS) as i64);
            push_sort_key(customer, false, false, &mut key);
            let each = |version: &_| {
                black_box(version);
                rows += 1;
                ControlFlow::Continue(())
            };
            let table = self.writer.table();
            let read = table.each_equal(index, &key, self.cut, each);
            read.expect("a ready index");
        }
        rows
    }

    /// So many paid orders; how many there were.
    fn walk(&self, index: &Index, direction: Direction, limit: u64) -> u64 {
        let (mut rows, key) = (0, paid());
        let each = |_: &[u8], version: &_| {
            black_box(version);
            rows += 1;
            if rows == limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let (table, range) = (self.writer.table(), KeyRange::of(&key));
        let walked = table.walk(index, range, direction, None, self.cut, each);
        walked.expect("a ready index");
        rows
    }
}

fn paid() -> Vec<u8> {
    let mut key = Vec::new();
    push_sort_key(Value::Text("paid"), false, false, &mut key);
    key
}

fn print_read(title: &str, time: Duration, reads: u64, rows: u64) {
    println!(
        "{title:<40} {:>12.0} {:>12.0}",
        per(time, reads),
        per(time, rows)
    );
}

fn timed(run: impl FnOnce()) -> Duration {
    let started = clock::monotonic();
    run();
    clock::monotonic() - started
}

fn per(time: Duration, times: u64) -> f64 {
    time.as_secs_f64() * 1e9 / times as f64
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
