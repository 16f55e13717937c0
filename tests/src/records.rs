//! Record files: reading and writing them, and delivering them worse than they were recorded.
//!
//! Mischief keeps what Kafka keeps: the order within a partition, and offsets that only grow.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context;
use fastrand::Rng;
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

/// One line of a record file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key's text; null where the record has none, or where it is not text.
    pub key: Option<String>,
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_b64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_b64: Option<String>,
    #[serde(default)]
    pub headers: Vec<Header>,
}

/// One header of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub key: String,
    pub value: Option<String>,
}

/// A topic's partition.
pub type Partition = (String, i32);

impl Record {
    /// A record without key, value and headers.
    pub fn new(topic: &str, partition: i32, offset: i64) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            offset,
            timestamp: 1_795_000_000_000 + offset,
            key: None,
            value: None,
            key_b64: None,
            value_b64: None,
            headers: Vec::new(),
        }
    }

    pub fn place(&self) -> Partition {
        (self.topic.clone(), self.partition)
    }

    fn is_tombstone(&self) -> bool {
        self.value.is_none() && self.value_b64.is_none()
    }
}

/// Reads a compressed record file.
pub fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let lines = BufReader::new(decompressed(path)?).lines().enumerate();
    let parse = |(index, line): (usize, io::Result<String>)| {
        serde_json::from_str(&line?).with_context(|| format!("{}:{}", path.display(), index + 1))
    };
    lines.map(parse).collect()
}

/// What a file holds whose name ends in `.gz` or `.zst`.
pub fn decompressed(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(if path.extension().is_some_and(|kind| kind == "zst") {
        Box::new(zstd::Decoder::new(file)?)
    } else {
        Box::new(GzDecoder::new(file))
    })
}

/// Writes a plain record file, whole or not at all as far as another process can see.
pub fn write(path: &Path, records: &[Record]) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    append(&unfinished, records)?;
    std::fs::rename(&unfinished, path).context("cannot put the record file in place")
}

/// Adds records to the end of a plain record file.
pub fn append(path: &Path, records: &[Record]) -> anyhow::Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| path.display().to_string())?;
    let mut file = BufWriter::new(file);
    for record in records {
        serde_json::to_writer(&mut file, record)?;
        file.write_all(b"\n")?;
    }
    file.flush().context("cannot write records")
}

/// How badly records are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mischief {
    /// A random suffix of every partition comes twice, as from a connector that was restarted.
    pub redeliver: bool,
    /// The partitions are shuffled against each other.
    pub interleave: bool,
}

/// The records as they are to be delivered, offsets counted anew where records were added or moved.
pub fn delivered(records: &[Record], mischief: Mischief, rng: &mut Rng) -> Vec<Record> {
    if mischief == Mischief::default() {
        return records.to_vec();
    }
    let mut order: Vec<Partition> = records.iter().map(Record::place).collect();
    let mut partitions: HashMap<Partition, VecDeque<Record>> = HashMap::new();
    let mut places = Vec::new();
    for record in records {
        let queue = partitions.entry(record.place()).or_insert_with(|| {
            places.push(record.place());
            VecDeque::new()
        });
        queue.push_back(record.clone());
    }
    for place in places.into_iter().filter(|_| mischief.redeliver) {
        let Some(queue) = partitions.get_mut(&place) else {
            continue;
        };
        let again: Vec<Record> = queue
            .range(restart(queue, rng.usize(..queue.len()))..)
            .cloned()
            .collect();
        order.extend(again.iter().map(Record::place));
        queue.extend(again);
    }
    if mischief.interleave {
        rng.shuffle(&mut order);
    }
    let mut next_offsets: HashMap<Partition, i64> = HashMap::new();
    let deliver = |place: Partition| {
        let record = partitions.get_mut(&place)?.pop_front()?;
        let next = next_offsets.entry(place).or_default();
        let offset = std::mem::replace(next, *next + 1);
        Some(Record { offset, ..record })
    };
    order.into_iter().filter_map(deliver).collect()
}

/// A connector starts again before a delete, never between it and its tombstone. Before the last change
/// of a table without a key it never starts again as the same run, as these repetitions all do: right
/// after its like, at the same position, that change is one more equal row of its statement to anyone.
fn restart(partition: &VecDeque<Record>, cut: usize) -> usize {
    let keyed = |record: &Record| record.key.is_some() || record.key_b64.is_some();
    let is_last = cut + 1 == partition.len();
    if is_last && partition.back().is_some_and(|last| !keyed(last)) {
        return cut
            .checked_sub(1)
            .map_or(partition.len(), |before| restart(partition, before));
    }
    (0..=cut)
        .rev()
        .find(|at| !partition[*at].is_tombstone())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Record> {
        let value = |text: &str| Some(text.to_owned());
        let record = |topic: &str, partition: i32, offset: i64, text: Option<String>| Record {
            key: Some("k".to_owned()),
            value: text,
            ..Record::new(topic, partition, offset)
        };
        vec![
            record("a", 0, 10, value("a0")),
            record("b", 0, 0, value("b0")),
            record("a", 0, 12, value("a1 deleted")),
            record("a", 0, 13, None),
            record("b", 1, 5, value("c0")),
            record("b", 0, 1, value("b1")),
        ]
    }

    fn of_partition<'a>(records: &'a [Record], place: &(&str, i32)) -> Vec<&'a Record> {
        records
            .iter()
            .filter(|record| record.topic == place.0 && record.partition == place.1)
            .collect()
    }

    #[test]
    fn no_mischief_changes_nothing() {
        assert_eq!(
            delivered(&sample(), Mischief::default(), &mut Rng::with_seed(1)),
            sample()
        );
    }

    #[test]
    fn mischief_keeps_the_order_within_a_partition_and_counts_offsets_anew() {
        for seed in 0..50 {
            for (redeliver, interleave) in [(true, false), (false, true), (true, true)] {
                let out = delivered(
                    &sample(),
                    Mischief {
                        redeliver,
                        interleave,
                    },
                    &mut Rng::with_seed(seed),
                );
                for place in [("a", 0), ("b", 0), ("b", 1)] {
                    let recorded = sample();
                    let (was, is) = (of_partition(&recorded, &place), of_partition(&out, &place));
                    let values = |records: &[&Record]| {
                        records
                            .iter()
                            .map(|record| record.value.clone())
                            .collect::<Vec<_>>()
                    };
                    assert_eq!(values(&is[..was.len()]), values(&was), "seed {seed}");
                    let again = values(&is[was.len()..]);
                    assert_eq!(again.is_empty(), !redeliver);
                    assert!(
                        values(&was).ends_with(&again),
                        "seed {seed}: what comes again is a suffix"
                    );
                    assert!(
                        again.first().is_none_or(Option::is_some),
                        "seed {seed}: begins with a tombstone"
                    );
                    assert!(
                        is.iter()
                            .enumerate()
                            .all(|(index, record)| record.offset == index as i64),
                        "seed {seed}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_record_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.jsonl");
        write(&path, &sample()[..2]).unwrap();
        append(&path, &sample()[2..]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Record> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, sample());
        assert!(text.starts_with(r#"{"topic":"a","partition":0,"offset":10,"timestamp":1795000000010,"key":"k","value":"a0","headers":[]}"#));
    }
}
