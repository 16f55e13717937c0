//! The format of record files, and its writer.
//!
//! One JSON object a line: `topic`, `partition`, `offset`, `timestamp` (milliseconds, or null), `key`
//! and `value` (text, or null for Kafka's null), `headers` (`[{"key":…,"value":…}]`). Bytes that are not
//! UTF-8 stand as base64 in `key_b64` and `value_b64`, in headers too. Unknown members are passed over.
//! Names end in `.jsonl`, or `.jsonl.gz` and `.jsonl.zst` if compressed.
//!
//! What was written is read back byte for byte; what a record *means* never matters here.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use change_feed::{RecordRef, TopicContext};
use serde::Serialize;

use crate::compression::Compression;

/// Record files are written once and kept: better small than quick.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// Writes a record file, compressed as its name says.
pub struct RecordWriter {
    path: PathBuf,
    output: Output,
    line: Vec<u8>,
}

/// A record file cannot be written: the disk is full, the directory missing or read-only.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct RecordWriteError {
    pub path: String,
    #[source]
    pub source: io::Error,
}

enum Output {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl RecordWriter {
    /// Creates the file; an existing one is replaced.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, RecordWriteError> {
        let path = path.as_ref().to_path_buf();
        let open = || {
            let file = BufWriter::new(File::create(&path)?);
            Ok(match Compression::of(&path) {
                Compression::None => Output::Plain(file),
                Compression::Gzip => Output::Gzip(flate2::write::GzEncoder::new(
                    file,
                    flate2::Compression::new(GZIP_LEVEL),
                )),
                Compression::Zstd => {
                    Output::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?)
                }
            })
        };
        match open() {
            Ok(output) => Ok(Self {
                path,
                output,
                line: Vec::new(),
            }),
            Err(source) => Err(failed(&path, source)),
        }
    }

    /// Appends one record.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(
        &mut self,
        context: TopicContext<'_>,
        record: &RecordRef<'_>,
    ) -> Result<(), RecordWriteError> {
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, &JsonLine::of(context, record))
            .map_err(io::Error::from);
        self.line.push(b'\n');
        written
            .and_then(|()| self.output.writer().write_all(&self.line))
            .map_err(|error| failed(&self.path, error))
    }

    /// Hands everything to the operating system, so that one who follows a plain file sees it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> Result<(), RecordWriteError> {
        self.output
            .writer()
            .flush()
            .map_err(|error| failed(&self.path, error))
    }

    /// Ends the file. Without this a compressed file is cut off, and reading it says so.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<(), RecordWriteError> {
        let finished = match self.output {
            Output::Plain(file) => Ok(file),
            Output::Gzip(file) => file.finish(),
            Output::Zstd(file) => file.finish(),
        };
        finished
            .and_then(|mut file| file.flush())
            .map_err(|error| failed(&self.path, error))
    }
}

impl Output {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(file) => file,
            Self::Zstd(file) => file,
        }
    }
}

fn failed(path: &Path, source: io::Error) -> RecordWriteError {
    RecordWriteError {
        path: path.display().to_string(),
        source,
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: u64,
    timestamp: Option<i64>,
    key: Option<&'a str>,
    value: Option<&'a str>,
    headers: Vec<JsonHeader<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_b64: Option<String>,
}

#[derive(Serialize)]
struct JsonHeader<'a> {
    key: &'a str,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_b64: Option<String>,
}

impl<'a> JsonLine<'a> {
    fn of(context: TopicContext<'a>, record: &RecordRef<'a>) -> Self {
        let (key, key_b64) = text_or_base64(record.key);
        let (value, value_b64) = text_or_base64(record.value);
        let headers = record.headers().map(|header| {
            let (value, value_b64) = text_or_base64(header.value);
            JsonHeader {
                key: header.name,
                value,
                value_b64,
            }
        });
        Self {
            topic: context.topic,
            partition: context.partition,
            offset: record.offset,
            timestamp: record.timestamp_ms,
            key,
            value,
            headers: headers.collect(),
            key_b64,
            value_b64,
        }
    }
}

fn text_or_base64(bytes: Option<&[u8]>) -> (Option<&str>, Option<String>) {
    match bytes.map(std::str::from_utf8) {
        None => (None, None),
        Some(Ok(text)) => (Some(text), None),
        Some(Err(_)) => (None, bytes.map(|bytes| BASE64.encode(bytes))),
    }
}
