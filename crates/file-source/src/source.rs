//! Drives passes over the files and keeps the promises of [`Source`].
//!
//! A pass reads the files from first to last. Partitions become known at their first record. A
//! partition that is started at an offset the pass is beyond costs another pass, in which all others
//! skip what they had: right, simple, and rare (a restart starts every partition before anything was read).

use std::path::Path;
use std::time::Duration;

use change_feed::{EndsQuestion, Source, SourceError, SourceEvent, StartAt};
use row_model::{NextOffset, PartitionId};

use crate::compression::Compression;
use crate::files::{Files, unreachable};
use crate::line::{LineParser, ParsedLine};
use crate::lines::{LINE_BYTES_MAX, LineReader, Step};
use crate::partitions::{PARTITIONS_MAX, Partitions, Taken};

/// One poll reads about this much: enough for batches of a useful size where partitions are
/// interleaved, little enough to hold the caller for a few milliseconds only.
const POLL_LINES_MAX: usize = 4_096;
const POLL_BYTES_MAX: u64 = 4 << 20;

/// How often a followed file is looked at. Files have no wake-up call that every file system honours.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// A caller that resumes a partition should not wait long for the reader that waited for it.
const BLOCKED_WAIT: Duration = Duration::from_millis(10);

/// After a file could not be read, it is tried again when callers waited this long altogether.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Questions where the files end that wait until all of them was read.
const ASKED_MAX: usize = 1_024;

#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions {
    /// Go on when everything was read: new lines of the last file (if it is not compressed) and new
    /// files of the directory are records too.
    pub follow: bool,
}

/// Reads a record file, or a directory of them in name order. See [`record_file`](crate::record_file).
///
/// What it promises beyond the contract: lines that are no records are reported once and passed
/// over, and while a paused partition has its share of the buffer full, *all* partitions wait.
pub struct FileSource {
    files: Files,
    follow: bool,
    /// The one topic that is read, unless all are.
    only: Option<String>,
    partitions: Partitions,
    parser: LineParser,
    pass: Pass,
    /// File and line up to which unreadable lines were reported: a later pass says nothing new.
    reported: (usize, u64),
    discovery_complete: bool,
    trouble: Option<Trouble>,
    /// Answered when everything that is in the files has been read.
    asked: Vec<EndsQuestion>,
}

/// Where the current pass is.
#[derive(Default)]
struct Pass {
    file: usize,
    lines: Option<LineReader>,
}

/// A file could not be read, and for how long nothing was tried since.
struct Trouble {
    waited: Duration,
}

/// Why a poll stopped reading.
enum Stopped {
    PollLimit,
    Blocked,
    EndOfFiles,
}

impl FileSource {
    /// # Errors
    /// If the path does not exist, cannot be read, or is a directory without record files.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self, SourceError> {
        let files = Files::find(path.as_ref(), options.follow)?;
        if let Some(first) = files.get(0) {
            Compression::of(first)
                .open(first)
                .map_err(|error| unreachable(first, &error))?;
        }
        Ok(Self {
            files,
            follow: options.follow,
            only: None,
            partitions: Partitions::default(),
            parser: LineParser::default(),
            pass: Pass::default(),
            reported: (0, 0),
            discovery_complete: false,
            trouble: None,
            asked: Vec::new(),
        })
    }

    /// Passes over the records of all other topics, as if the files had none.
    #[must_use]
    pub fn only(mut self, topic: &str) -> Self {
        self.only = Some(topic.to_owned());
        self
    }

    /// Reads on. How long the caller should wait if that brought no news.
    fn read(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>) -> Duration {
        if self
            .trouble
            .as_ref()
            .is_some_and(|trouble| trouble.waited < RETRY_AFTER)
        {
            return timeout;
        }
        let stopped = self.read_window(events);
        self.partitions.flush(events);
        match stopped {
            Ok(Stopped::PollLimit) => Duration::ZERO,
            Ok(Stopped::Blocked) => timeout.min(BLOCKED_WAIT),
            Ok(Stopped::EndOfFiles) => {
                self.at_end(events);
                if self.follow {
                    timeout.min(FOLLOW_INTERVAL)
                } else {
                    timeout
                }
            }
            Err(error) => {
                self.restart_pass();
                if self
                    .trouble
                    .replace(Trouble {
                        waited: Duration::ZERO,
                    })
                    .is_none()
                {
                    events.push(SourceEvent::Unavailable(error));
                }
                timeout
            }
        }
    }

    fn read_window(&mut self, events: &mut Vec<SourceEvent>) -> Result<Stopped, SourceError> {
        if self.partitions.must_wait() {
            return Ok(Stopped::Blocked);
        }
        let (mut lines_left, mut bytes_left) = (POLL_LINES_MAX, POLL_BYTES_MAX);
        while let Some(path) = self.files.get(self.pass.file) {
            let lines = match &mut self.pass.lines {
                Some(lines) => lines,
                closed => {
                    let input = Compression::of(path)
                        .open(path)
                        .map_err(|error| unreachable(path, &error))?;
                    closed.insert(LineReader::new(input))
                }
            };
            let before = lines.bytes_read();
            let mut step = lines.advance().map_err(|error| unreachable(path, &error))?;
            let is_last = self.files.is_last(self.pass.file);
            // The rest of a file that is followed may be half a line that is still being written.
            let may_grow = self.follow && is_last && Compression::of(path) == Compression::None;
            if step == Step::Pending && !may_grow {
                step = lines.finish();
            }
            bytes_left = bytes_left.saturating_sub(lines.bytes_read() - before);
            match step {
                Step::Pending if is_last => return Ok(Stopped::EndOfFiles),
                Step::Pending => {
                    self.pass = Pass {
                        file: self.pass.file + 1,
                        lines: None,
                    }
                }
                step => self.take_line(&step, events),
            }
            lines_left -= 1;
            if lines_left == 0 || bytes_left == 0 {
                return Ok(Stopped::PollLimit);
            }
        }
        Ok(Stopped::EndOfFiles)
    }

    fn take_line(&mut self, step: &Step, events: &mut Vec<SourceEvent>) {
        let Some(lines) = &self.pass.lines else {
            return;
        };
        let only = self.only.as_deref();
        let reason = match step {
            Step::Line(line) => match lines.bytes(line.clone()) {
                blank if blank.trim_ascii().is_empty() => None,
                line => match self.parser.parse(line) {
                    Ok(record) if only.is_some_and(|only| only != record.topic) => None,
                    Ok(record) => stale(&self.partitions.take(&record, events), &record),
                    Err(reason) => Some(reason),
                },
            },
            _ => Some(format!("longer than {LINE_BYTES_MAX} bytes")),
        };
        let here = (self.pass.file, lines.line_number());
        let Some(reason) = reason.filter(|_| self.reported < here) else {
            return;
        };
        self.reported = here;
        let file = self.files.get(self.pass.file).unwrap_or(Path::new(""));
        events.push(SourceEvent::Unreadable {
            place: format!("{}:{}", file.display(), here.1),
            reason,
        });
    }

    fn at_end(&mut self, events: &mut Vec<SourceEvent>) {
        if self.trouble.take().is_some() {
            events.push(SourceEvent::Available);
        }
        if !std::mem::replace(&mut self.discovery_complete, true) {
            events.push(SourceEvent::DiscoveryComplete);
        }
        self.partitions.tell_ends(events);
        for question in std::mem::take(&mut self.asked) {
            question.answer(Ok(self.partitions.log_ends()));
        }
        if self.follow {
            self.look_for_more();
        }
    }

    fn look_for_more(&mut self) {
        // A directory that cannot be listed just now is listed again in a moment: what was read stays right.
        let _ = self.files.refresh();
        let (Some(path), Some(lines)) = (self.files.get(self.pass.file), &self.pass.lines) else {
            return;
        };
        let is_plain = Compression::of(path) == Compression::None;
        if is_plain && std::fs::metadata(path).is_ok_and(|file| file.len() < lines.bytes_read()) {
            // It was written anew.
            self.restart_pass();
        }
    }

    fn restart_pass(&mut self) {
        self.pass = Pass::default();
        self.partitions.restart_pass();
    }
}

impl Source for FileSource {
    fn poll(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>) {
        let before = events.len();
        self.partitions.deliver_held(events);
        if events.len() > before {
            return;
        }
        let wait = self.read(timeout, events);
        if events.len() > before || wait.is_zero() {
            return;
        }
        idle(wait);
        if let Some(trouble) = &mut self.trouble {
            trouble.waited += wait;
        }
    }

    fn start(&mut self, partition: PartitionId, at: StartAt) -> Result<(), SourceError> {
        if self.partitions.start(partition, at)? {
            self.restart_pass();
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[PartitionId]) {
        self.partitions.set_paused(partitions, true);
    }

    fn resume(&mut self, partitions: &[PartitionId]) {
        self.partitions.set_paused(partitions, false);
    }

    /// Files keep nobody's place.
    fn acknowledge(&mut self, _offsets: &[(PartitionId, NextOffset)]) {}

    fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        self.partitions.ends()
    }

    fn ask_ends(&mut self, question: EndsQuestion) {
        if self.asked.len() < ASKED_MAX {
            self.asked.push(question);
        } else {
            question.answer(Err("too many are asking already".to_owned()));
        }
    }
}

/// Why a record was not taken, if it was not.
fn stale(taken: &Taken, record: &ParsedLine<'_>) -> Option<String> {
    let ParsedLine {
        topic,
        partition,
        offset,
        ..
    } = record;
    match taken {
        Taken::Yes => None,
        Taken::Stale { seen } => Some(format!(
            "offset {offset} of {topic}-{partition} is a duplicate or out of order: {} came before",
            seen - 1
        )),
        Taken::TooManyPartitions => Some(format!(
            "{topic}-{partition} is one partition more than {PARTITIONS_MAX}"
        )),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is nothing to wait on: files wake nobody"
)]
fn idle(wait: Duration) {
    std::thread::sleep(wait);
}
