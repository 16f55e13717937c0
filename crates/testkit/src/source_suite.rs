//! What every [`Source`] must do, as one suite that each implementation runs over a log of its own.
//!
//! Data in, events out: the suite knows no broker and no file. What holds of *every* event (nothing
//! before its start, offsets that only grow, silence while paused) is asserted by the driver in all cases.

mod driver;

use change_feed::{Source, StartAt};
use row_model::NextOffset;

use self::driver::{Driver, name};
pub use crate::scripted_source::PlannedRecord;

/// Topics of the suite begin with this: what a source with globs must be told to read.
pub const TOPIC_PREFIX: &str = "suite.";

/// A record as large as Kafka is told to take when people put documents into columns.
const BIG_RECORD_BYTES: usize = 10 << 20;

/// Of the one case that draws lots.
const SEEDS: [u64; 4] = [17, 19, 22, 44];

/// The log behind a source. Each case has a fresh, empty one.
pub trait LogUnderTest {
    fn create_topic(&mut self, topic: &str, partitions: i32);

    /// Appends records, to be readable on return. Offsets count from 0 in each partition.
    fn append(&mut self, records: &[PlannedRecord]);

    /// A new source that reads every topic there is and those that come, to their ends and beyond.
    fn open(&mut self) -> Box<dyn Source>;

    /// False if a partition exists only from its first record on, as in record files.
    fn has_empty_partitions(&self) -> bool {
        true
    }
}

/// Runs every case. Panics, with the case's name in the output, if the source breaks the contract.
pub fn check(make: &mut dyn FnMut() -> Box<dyn LogUnderTest>) {
    for (name, case) in CASES {
        println!("source suite: {name}");
        case(&mut *make());
    }
}

type Case = fn(&mut dyn LogUnderTest);

const CASES: &[(&str, Case)] = &[
    (
        "discovery comes before everything else",
        discovery_comes_first,
    ),
    (
        "records are delivered as they were written",
        records_are_delivered_as_written,
    ),
    (
        "every record of many partitions comes once and in order",
        many_partitions_come_in_order,
    ),
    (
        "a start at an offset skips what is before",
        a_start_at_an_offset_skips,
    ),
    (
        "a start at the end finds the end",
        a_start_at_the_end_finds_the_end,
    ),
    (
        "a start beyond the end is a loss",
        a_start_beyond_the_end_is_a_loss,
    ),
    ("moving back delivers again", moving_back_delivers_again),
    ("moving ahead skips", moving_ahead_skips),
    (
        "a paused partition waits while others go on",
        a_paused_partition_waits,
    ),
    (
        "any order of starts, pauses and polls loses nothing",
        any_order_loses_nothing,
    ),
    ("new records follow the end", new_records_follow_the_end),
    ("new topics are found while running", new_topics_are_found),
    (
        "an empty partition ends at once",
        an_empty_partition_ends_at_once,
    ),
    ("a big record is whole", a_big_record_is_whole),
    ("acknowledging moves nothing", acknowledging_moves_nothing),
];

fn discovery_comes_first(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 2), ("suite.b", 1)], 3);
    let mut driver = Driver::new(log.open()).discover();
    driver.until_quiet();
    let found: Vec<_> = driver
        .facts
        .values()
        .map(|facts| (&*facts.topic, facts.partition))
        .collect();
    assert_eq!(found, [("suite.a", 0), ("suite.a", 1), ("suite.b", 0)]);
    assert!(
        driver
            .facts
            .values()
            .all(|facts| facts.retained_from == NextOffset(0))
    );
    assert!(driver.records.is_empty(), "records without a start");
}

fn records_are_delivered_as_written(log: &mut dyn LogUnderTest) {
    log.create_topic("suite.odd", 1);
    let texts: [Option<&[u8]>; 5] = [
        None,
        Some(b""),
        Some(b"{\"id\":\"\\u00e4 \xc3\xa4\"}\n"),
        Some(b"\x00\xff\xfe"),
        Some(b"x"),
    ];
    let mut written = Vec::new();
    for (number, key) in texts.into_iter().enumerate() {
        for value in texts {
            let mut record = PlannedRecord::new("suite.odd", 0, None, None);
            record.timestamp_ms = 1_700_000_000_000 + number as i64;
            (record.key, record.value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
            // Names may repeat, and an empty value is not a missing one.
            let header =
                |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
            record.headers = vec![
                header("h", value),
                header("h", key),
                header("ü", Some(b"1")),
            ];
            record.headers.truncate(number);
            written.push(record);
        }
    }
    log.append(&written);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.odd", 0, written.len() as u64)]);
    let read = &driver.records[&name("suite.odd", 0)];
    assert_eq!(read.len(), written.len());
    for ((_, read), written) in read.iter().zip(&written) {
        assert_eq!(read, written);
    }
}

fn many_partitions_come_in_order(log: &mut dyn LogUnderTest) {
    const EACH: usize = 150;
    let names = ["suite.a", "suite.b", "suite.c", "suite.d", "suite.e"];
    fill(log, &names.map(|name| (name, 6)), EACH);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    let ends = names
        .iter()
        .flat_map(|topic| (0..6).map(|partition| (*topic, partition, EACH as u64)));
    driver.until_ends(&ends.collect::<Vec<_>>());
    assert_eq!(driver.records.len(), 30);
    for ((topic, partition), read) in &driver.records {
        let written: Vec<_> = (0..EACH)
            .map(|number| (number as u64, numbered(topic, *partition, number)))
            .collect();
        assert_eq!(*read, written, "{topic}-{partition}");
    }
}

fn a_start_at_an_offset_skips(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 2)], 20);
    let mut driver = Driver::new(log.open()).discover();
    driver.start("suite.a", 0, at(13));
    driver.start("suite.a", 1, at(1));
    driver.until_ends(&[("suite.a", 0, 20), ("suite.a", 1, 20)]);
    assert_eq!(driver.offsets("suite.a", 0), (13..20).collect::<Vec<_>>());
    assert_eq!(driver.offsets("suite.a", 1), (1..20).collect::<Vec<_>>());
}

fn a_start_at_the_end_finds_the_end(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 1)], 5);
    let mut driver = Driver::new(log.open()).discover();
    driver.start("suite.a", 0, at(5));
    driver.until_ends(&[("suite.a", 0, 5)]);
    assert_eq!(driver.offsets("suite.a", 0), []);
}

fn a_start_beyond_the_end_is_a_loss(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 2)], 5);
    let mut driver = Driver::new(log.open()).discover();
    driver.start("suite.a", 0, at(6));
    driver.start("suite.a", 1, StartAt::Earliest);
    driver.until("the loss is told", |driver| !driver.losses.is_empty());
    let told = driver.losses[&name("suite.a", 0)].clone();
    assert_eq!(
        told,
        "offset 6 of suite.a-0 is beyond the end of the log (5)"
    );
    driver.until_ends(&[("suite.a", 1, 5)]);
    // A new start is the way out.
    driver.start("suite.a", 0, StartAt::Earliest);
    driver.until_ends(&[("suite.a", 0, 5)]);
    assert_eq!(driver.offsets("suite.a", 0), [0, 1, 2, 3, 4]);
}

fn moving_back_delivers_again(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 2)], 40);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.a", 0, 40), ("suite.a", 1, 40)]);
    driver.start("suite.a", 1, at(30));
    driver.until_ends(&[("suite.a", 1, 40)]);
    assert_eq!(driver.offsets("suite.a", 1), (30..40).collect::<Vec<_>>());
    driver.start("suite.a", 1, StartAt::Earliest);
    driver.until_ends(&[("suite.a", 1, 40)]);
    assert_eq!(driver.offsets("suite.a", 1), (0..40).collect::<Vec<_>>());
    // The driver would have refused anything of the other partition that came twice.
    assert_eq!(driver.offsets("suite.a", 0).len(), 40);
}

fn moving_ahead_skips(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 1)], 40);
    let mut driver = Driver::new(log.open()).discover();
    driver.start("suite.a", 0, StartAt::Earliest);
    driver.start("suite.a", 0, at(35));
    driver.until_ends(&[("suite.a", 0, 40)]);
    assert_eq!(driver.offsets("suite.a", 0), (35..40).collect::<Vec<_>>());
}

fn a_paused_partition_waits(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 3)], 50);
    let mut driver = Driver::new(log.open()).discover();
    // Paused before the start: the start does not resume.
    driver.pause("suite.a", 1);
    driver.start_all();
    driver.until_ends(&[("suite.a", 0, 50), ("suite.a", 2, 50)]);
    driver.until_quiet();
    assert_eq!(driver.offsets("suite.a", 1), []);
    driver.resume("suite.a", 1);
    driver.until_ends(&[("suite.a", 1, 50)]);
    // Paused at the end: what comes then waits too.
    driver.pause("suite.a", 2);
    append(log, &[("suite.a", 3)], 50..60);
    driver.until_ends(&[("suite.a", 0, 60), ("suite.a", 1, 60)]);
    driver.until_quiet();
    assert_eq!(driver.offsets("suite.a", 2).len(), 50);
    driver.resume("suite.a", 2);
    driver.until_ends(&[("suite.a", 2, 60)]);
    for partition in 0..3 {
        assert_eq!(
            driver.offsets("suite.a", partition),
            (0..60).collect::<Vec<_>>()
        );
    }
}

/// The orders are drawn from seeds; the output names the one that failed.
fn any_order_loses_nothing(log: &mut dyn LogUnderTest) {
    const RECORDS: u64 = 400;
    for seed in SEEDS {
        println!("seed {seed}");
        let topic = &format!("suite.seed{seed}");
        fill(log, &[(topic, 3)], RECORDS as usize);
        let mut driver = Driver::new(log.open()).discover();
        for partition in 0..3 {
            driver.start(topic, partition, StartAt::Earliest);
        }
        let mut started_at = [0; 3];
        let mut dice = fastrand::Rng::with_seed(seed);
        for _ in 0..120 {
            let partition = dice.i32(0..3);
            match dice.u8(0..6) {
                0 => driver.pause(topic, partition),
                1 | 2 => driver.resume(topic, partition),
                3 => {
                    let offset = dice.u64(0..=RECORDS);
                    driver.start(topic, partition, at(offset));
                    started_at[partition as usize] = offset;
                }
                _ => driver.poll_once(),
            }
        }
        for partition in 0..3 {
            driver.resume(topic, partition);
        }
        driver.until_ends(&[
            (topic, 0, RECORDS),
            (topic, 1, RECORDS),
            (topic, 2, RECORDS),
        ]);
        for (partition, offset) in (0..).zip(started_at) {
            let expected: Vec<_> = (offset..RECORDS).collect();
            assert_eq!(driver.offsets(topic, partition), expected);
        }
    }
}

fn new_records_follow_the_end(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 2)], 4);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.a", 0, 4), ("suite.a", 1, 4)]);
    for round in 1..4_usize {
        append(log, &[("suite.a", 1)], round * 4..round * 4 + 4);
        driver.until_ends(&[("suite.a", 0, round as u64 * 4 + 4)]);
    }
    assert_eq!(driver.offsets("suite.a", 0), (0..16).collect::<Vec<_>>());
    assert_eq!(driver.offsets("suite.a", 1), (0..4).collect::<Vec<_>>());
}

fn new_topics_are_found(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 1)], 3);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.a", 0, 3)]);
    fill(log, &[("suite.later", 2)], 3);
    driver.until("the new topic is found", |driver| driver.facts.len() == 3);
    driver.start("suite.later", 0, StartAt::Earliest);
    driver.start("suite.later", 1, StartAt::Earliest);
    driver.until_ends(&[("suite.later", 0, 3), ("suite.later", 1, 3)]);
    append(log, &[("suite.a", 1)], 3..5);
    driver.until_ends(&[("suite.a", 0, 5)]);
    assert_eq!(driver.offsets("suite.a", 0), [0, 1, 2, 3, 4]);
}

fn an_empty_partition_ends_at_once(log: &mut dyn LogUnderTest) {
    if !log.has_empty_partitions() {
        return;
    }
    log.create_topic("suite.empty", 1);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.empty", 0, 0)]);
    append(log, &[("suite.empty", 1)], 0..2);
    driver.until_ends(&[("suite.empty", 0, 2)]);
}

fn a_big_record_is_whole(log: &mut dyn LogUnderTest) {
    log.create_topic("suite.big", 1);
    let small = numbered("suite.big", 0, 0);
    let mut big = numbered("suite.big", 0, 1);
    big.value = Some(
        (0..BIG_RECORD_BYTES)
            .map(|place| b'a' + (place % 23) as u8)
            .collect(),
    );
    log.append(std::slice::from_ref(&small));
    log.append(&[big.clone()]);
    log.append(std::slice::from_ref(&small));
    let mut driver = Driver::new(log.open()).discover();
    // The first one may have fallen to the retention of a small broker.
    driver.start("suite.big", 0, at(1));
    driver.until_ends(&[("suite.big", 0, 3)]);
    let read = &driver.records[&name("suite.big", 0)];
    assert_eq!(read.len(), 2);
    assert!(read[0] == (1, big), "the big record was changed");
    assert_eq!(read[1], (2, small));
}

fn acknowledging_moves_nothing(log: &mut dyn LogUnderTest) {
    fill(log, &[("suite.a", 1)], 6);
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.a", 0, 6)]);
    assert_eq!(driver.known_end("suite.a", 0), Some(6));
    driver.acknowledge("suite.a", 0, 4);
    append(log, &[("suite.a", 1)], 6..8);
    driver.until_ends(&[("suite.a", 0, 8)]);
    assert_eq!(driver.offsets("suite.a", 0), (0..8).collect::<Vec<_>>());
    // Another run begins where it is told to, not where the last one was acknowledged.
    let mut driver = Driver::new(log.open()).discover();
    driver.start_all();
    driver.until_ends(&[("suite.a", 0, 8)]);
    assert_eq!(driver.offsets("suite.a", 0), (0..8).collect::<Vec<_>>());
}

/// Creates topics and gives each partition `count` records, interleaved.
fn fill(log: &mut dyn LogUnderTest, topics: &[(&str, i32)], count: usize) {
    for (topic, partitions) in topics {
        log.create_topic(topic, *partitions);
    }
    append(log, topics, 0..count);
}

fn append(log: &mut dyn LogUnderTest, topics: &[(&str, i32)], numbers: std::ops::Range<usize>) {
    let mut records = Vec::new();
    for number in numbers {
        for (topic, partitions) in topics {
            records.extend((0..*partitions).map(|partition| numbered(topic, partition, number)));
        }
    }
    log.append(&records);
}

fn numbered(topic: &str, partition: i32, number: usize) -> PlannedRecord {
    let (key, value) = (
        format!("{{\"id\":{number}}}"),
        format!("{topic}-{partition} says {number}"),
    );
    let mut record = PlannedRecord::new(topic, partition, Some(&key), Some(&value));
    record.timestamp_ms = 1_700_000_000_000 + number as i64;
    record
}

fn at(offset: u64) -> StartAt {
    StartAt::Offset(NextOffset(offset))
}
