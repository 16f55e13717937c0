//! What record files have and brokers have not: lines that are no records, cut off and rewritten
//! files, and all partitions in one stream.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use change_feed::{Header, RawBatch, Source, SourceEvent, StartAt, TopicContext};
use file_source::record_file::RecordWriter;
use file_source::{FileOptions, FileSource};
use proptest::prelude::*;
use row_model::{NextOffset, PartitionId};

/// Polls that may bring nothing before a wait has failed.
const EMPTY_POLLS_MAX: u32 = 1_000;

fn line(partition: i32, offset: u64, value: &str) -> String {
    format!(
        r#"{{"topic":"t","partition":{partition},"offset":{offset},"timestamp":null,"key":null,"value":"{value}"}}"#
    )
}

fn open(path: &Path, follow: bool) -> FileSource {
    FileSource::open(path, FileOptions { follow }).unwrap()
}

/// Starts what is discovered and tells events as text, until `last` begins one of them.
fn told_until(source: &mut FileSource, last: &str) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut events = Vec::new();
    for _ in 0..EMPTY_POLLS_MAX {
        source.poll(Duration::from_millis(10), &mut events);
        for event in events.drain(..) {
            told.push(match event {
                SourceEvent::Discovered(facts) => {
                    source.start(facts.id, StartAt::Earliest).unwrap();
                    format!("found {}-{}", facts.topic, facts.partition)
                }
                SourceEvent::Records(batch) => {
                    let offsets: Vec<_> = batch.iter().map(|record| record.offset).collect();
                    format!("{}: {offsets:?}", batch.partition.0)
                }
                SourceEvent::End { partition, next } => {
                    format!("{} ends at {}", partition.0, next.0)
                }
                SourceEvent::Unreadable { place, reason } => {
                    format!(
                        "{}: {reason}",
                        Path::new(&place).file_name().unwrap().to_string_lossy()
                    )
                }
                SourceEvent::Unavailable(error) => format!("unavailable: {error}"),
                SourceEvent::PartitionLost { error, .. } => error.to_string(),
                other => format!("{other:?}"),
            });
        }
        if told.iter().any(|event| event.starts_with(last)) {
            return told;
        }
    }
    panic!("waited in vain for {last}: {told:?}");
}

#[test]
fn lines_that_are_no_records_are_told_once_and_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bad.jsonl");
    let mut content = [
        line(0, 5, "a"),
        "{".to_owned(),
        String::new(),
        line(0, 6, "b"),
        line(0, 6, "c"),
    ]
    .join("\n");
    content.push_str("\n\u{feff}\n");
    let mut bytes = content.into_bytes();
    bytes.extend_from_slice(b"\xff\n");
    bytes.extend_from_slice(line(0, 9, "no line end").as_bytes());
    std::fs::write(&path, bytes).unwrap();
    let mut source = open(&path, false);
    let expected = [
        "found t-0",
        "bad.jsonl:2: EOF while parsing an object at column 1",
        "bad.jsonl:5: offset 6 of t-0 is a duplicate or out of order: 6 came before",
        "bad.jsonl:6: expected value at column 1",
        "bad.jsonl:7: not UTF-8: invalid utf-8 sequence of 1 bytes from index 0",
        "0: [5, 6, 9]",
        "DiscoveryComplete",
        "0 ends at 10",
    ];
    let told = told_until(&mut source, "0 ends at");
    assert_eq!(sorted(told), sorted(expected.map(str::to_owned).to_vec()));
    // Read again, they are not told again; what retention would have taken is told as a broker tells it.
    source
        .start(PartitionId(0), StartAt::Offset(NextOffset(6)))
        .unwrap();
    assert_eq!(
        told_until(&mut source, "0 ends at"),
        ["0: [6, 9]", "0 ends at 10"]
    );
    source
        .start(PartitionId(0), StartAt::Offset(NextOffset(4)))
        .unwrap();
    let lost = "offset 4 of t-0 is no longer retained (the log starts at 5)";
    assert_eq!(told_until(&mut source, "offset 4"), [lost]);
}

#[test]
fn a_source_of_one_topic_knows_of_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("two.jsonl");
    let other = line(0, 0, "x").replace(r#""topic":"t""#, r#""topic":"other""#);
    std::fs::write(&path, [other.clone(), line(0, 3, "a"), other].join("\n")).unwrap();
    let told = told_until(&mut open(&path, false).only("t"), "0 ends");
    let expected = ["found t-0", "DiscoveryComplete", "0: [3]", "0 ends at 4"];
    assert_eq!(told, expected);
}

fn sorted(mut told: Vec<String>) -> Vec<String> {
    told.sort();
    told
}

#[test]
fn a_file_that_is_cut_off_is_unavailable_until_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.jsonl.gz");
    let mut writer = RecordWriter::create(&path).unwrap();
    for offset in 0..5_000 {
        let mut one = RawBatch::new(PartitionId(0));
        one.push(
            offset,
            None,
            None,
            Some(format!("value {offset}").as_bytes()),
            [],
        );
        let context = TopicContext {
            topic: "t",
            partition: 0,
        };
        writer.write(context, &one.iter().next().unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let mut source = open(&path, false);
    let told = told_until(&mut source, "unavailable");
    assert!(told.last().unwrap().contains("cut.jsonl.gz: "), "{told:?}");
    assert!(
        !told.iter().any(|event| event.contains("ends at")),
        "{told:?}"
    );
    std::fs::write(&path, &whole).unwrap();
    let told = told_until(&mut source, "0 ends at 5000");
    assert!(told.contains(&"Available".to_owned()), "{told:?}");
}

#[test]
fn half_a_line_of_a_followed_file_waits_for_the_other_half() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let (first, second) = (line(0, 0, "first"), line(0, 1, "second"));
    let (half, other_half) = second.split_at(30);
    std::fs::write(&path, format!("{first}\n{half}")).unwrap();
    let mut source = open(&path, true);
    assert!(told_until(&mut source, "0 ends at 1").contains(&"0: [0]".to_owned()));
    std::fs::write(&path, format!("{first}\n{half}{other_half}\n")).unwrap();
    assert_eq!(
        told_until(&mut source, "0 ends at 2"),
        ["0: [1]", "0 ends at 2"]
    );
    // Written anew and shorter: what is new in it comes, what was delivered does not come again.
    std::fs::write(&path, format!("{}\n", line(0, 2, "third"))).unwrap();
    assert_eq!(
        told_until(&mut source, "0 ends at 3"),
        ["0: [2]", "0 ends at 3"]
    );
}

fn two_partitions_of_many_bytes(path: &Path) {
    let value = "x".repeat(1 << 20);
    let mut content = String::new();
    for offset in 0..24 {
        writeln!(
            content,
            "{}\n{}",
            line(0, offset, &value),
            line(1, offset, "small")
        )
        .unwrap();
    }
    std::fs::write(path, content).unwrap();
}

#[test]
fn a_partition_that_is_not_started_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    two_partitions_of_many_bytes(&path);
    let mut source = open(&path, false);
    let mut events = Vec::new();
    while !events
        .iter()
        .any(|event| matches!(event, SourceEvent::Discovered(facts) if facts.partition == 1))
    {
        source.poll(Duration::ZERO, &mut events);
    }
    source.start(PartitionId(1), StartAt::Earliest).unwrap();
    let told = told_until(&mut source, "1 ends at 24");
    assert!(
        !told.iter().any(|event| event.starts_with("0:")),
        "{told:?}"
    );
    source
        .start(PartitionId(0), StartAt::Offset(NextOffset(2)))
        .unwrap();
    let told = told_until(&mut source, "0 ends at 24").concat();
    assert!(
        told.contains("0: [2") && told.contains("23]") && !told.contains("1: "),
        "{told}"
    );
}

#[test]
fn a_paused_partition_with_a_full_buffer_stops_the_file_and_resuming_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    two_partitions_of_many_bytes(&path);
    let mut source = open(&path, false);
    source.poll(Duration::ZERO, &mut Vec::new());
    source.start(PartitionId(0), StartAt::Earliest).unwrap();
    source.start(PartitionId(1), StartAt::Earliest).unwrap();
    source.pause(&[PartitionId(0)]);
    let mut events = Vec::new();
    for _ in 0..60 {
        source.poll(Duration::from_millis(1), &mut events);
    }
    let delivered = |events: &[SourceEvent], id: u32| -> Vec<u64> {
        let batches = events.iter().filter_map(|event| match event {
            SourceEvent::Records(batch) if batch.partition.0 == id => Some(batch),
            _ => None,
        });
        batches
            .flat_map(|batch| batch.iter().map(|record| record.offset))
            .collect()
    };
    assert!(delivered(&events, 0).is_empty());
    let before = delivered(&events, 1).len();
    assert!(
        (6..20).contains(&before),
        "{before} records of the other partition while 8 MiB are held"
    );
    source.resume(&[PartitionId(0)]);
    while !events
        .iter()
        .any(|event| matches!(event, SourceEvent::DiscoveryComplete))
    {
        source.poll(Duration::from_millis(1), &mut events);
    }
    for id in 0..2 {
        assert_eq!(delivered(&events, id), (0..24).collect::<Vec<_>>());
    }
}

type Planned = (
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn planned() -> impl Strategy<Value = Planned> {
    let bytes = || {
        prop_oneof![
            ".{0,20}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..20)
        ]
    };
    let headers = proptest::collection::vec((".{0,5}", proptest::option::of(bytes())), 0..3);
    (
        proptest::option::of(bytes()),
        proptest::option::of(bytes()),
        proptest::option::of(any::<i64>()),
        headers,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_back(
        records in proptest::collection::vec(planned(), 0..12),
        ending in prop::sample::select(vec!["", ".gz", ".zst"]),
    ) {
        let mut written = RawBatch::new(PartitionId(0));
        for (place, (key, value, timestamp, headers)) in records.iter().enumerate() {
            let headers = headers.iter().map(|(name, value)| Header { name, value: value.as_deref() });
            written.push(place as u64 * 3, *timestamp, key.as_deref(), value.as_deref(), headers);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(format!("events.jsonl{ending}"));
        let mut writer = RecordWriter::create(&path).unwrap();
        for record in written.iter() {
            writer.write(TopicContext { topic: "a \"topic\"\u{1}", partition: 7 }, &record).unwrap();
        }
        writer.finish().unwrap();
        let mut source = open(&path, false);
        let mut events = Vec::new();
        let mut read = Vec::new();
        for _ in 0..3 {
            source.poll(Duration::ZERO, &mut events);
            for event in events.drain(..) {
                match event {
                    SourceEvent::Discovered(facts) => {
                        prop_assert_eq!((&*facts.topic, facts.partition), ("a \"topic\"\u{1}", 7));
                        source.start(facts.id, StartAt::Earliest).unwrap();
                    }
                    SourceEvent::Records(batch) => {
                        read.extend(batch.iter().map(|record| format!("{record:?} {:?}", record.headers().collect::<Vec<_>>())));
                    }
                    SourceEvent::End { .. } | SourceEvent::DiscoveryComplete => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
        let expected = written.iter().map(|record| format!("{record:?} {:?}", record.headers().collect::<Vec<_>>()));
        prop_assert_eq!(read, expected.collect::<Vec<_>>());
    }
}
