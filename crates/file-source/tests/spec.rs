//! The source suite over record files: one growing file, and a directory of compressed ones.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use change_feed::{Header, RawBatch, Source, TopicContext};
use file_source::record_file::RecordWriter;
use file_source::{FileOptions, FileSource};
use row_model::PartitionId;
use testkit::source_suite::{self, LogUnderTest, PlannedRecord};

#[test]
fn a_growing_file_passes_the_suite() {
    source_suite::check(&mut || Box::new(RecordFiles::new("")));
}

#[test]
fn a_directory_of_gzipped_files_passes_the_suite() {
    source_suite::check(&mut || Box::new(RecordFiles::new(".gz")));
}

#[test]
fn a_directory_of_zstd_files_passes_the_suite() {
    source_suite::check(&mut || Box::new(RecordFiles::new(".zst")));
}

/// Without compression every append makes one file longer, else it is a new file of the directory.
struct RecordFiles {
    directory: tempfile::TempDir,
    compression: &'static str,
    written: usize,
    next_offsets: HashMap<(String, i32), u64>,
}

impl RecordFiles {
    fn new(compression: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            directory,
            compression,
            written: 0,
            next_offsets: HashMap::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl LogUnderTest for RecordFiles {
    fn create_topic(&mut self, _topic: &str, _partitions: i32) {}

    fn append(&mut self, records: &[PlannedRecord]) {
        // Under another name until it is whole: a follower must not see half a compressed file.
        let unfinished = self.path(&format!("unfinished{}", self.compression));
        let mut writer = RecordWriter::create(&unfinished).unwrap();
        for record in records {
            let name = (record.topic.clone(), record.partition);
            let next = self.next_offsets.entry(name).or_default();
            let mut one = RawBatch::new(PartitionId(0));
            let headers = record.headers.iter();
            let headers = headers.map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            });
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            one.push(*next, Some(record.timestamp_ms), key, value, headers);
            *next += 1;
            let context = TopicContext {
                topic: &record.topic,
                partition: record.partition,
            };
            writer.write(context, &one.iter().next().unwrap()).unwrap();
        }
        writer.finish().unwrap();
        if self.compression.is_empty() {
            let lines = std::fs::read(&unfinished).unwrap();
            let growing = std::fs::File::options()
                .append(true)
                .create(true)
                .open(self.path("events.jsonl"));
            growing.unwrap().write_all(&lines).unwrap();
        } else {
            self.written += 1;
            let name = format!("{:04}.jsonl{}", self.written, self.compression);
            std::fs::rename(unfinished, self.path(&name)).unwrap();
        }
    }

    fn open(&mut self) -> Box<dyn Source> {
        let path = if self.compression.is_empty() {
            self.path("events.jsonl")
        } else {
            self.path("")
        };
        Box::new(FileSource::open(path, FileOptions { follow: true }).unwrap())
    }

    fn has_empty_partitions(&self) -> bool {
        false
    }
}
