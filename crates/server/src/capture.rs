//! `rowtide capture`: writes what Kafka topics hold into a record file, byte for byte.
//!
//! Invariant: a capture that succeeds has left nothing out. A partition that cannot be read on makes
//! it fail, with what was written so far kept and readable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use change_feed::{
    PartitionFacts, RawBatch, Source, SourceError, SourceEvent, StartAt, TopicContext,
};
use clap::Args;
use config::ConfigArgs;
use file_source::record_file::RecordWriter;
use row_model::{NextOffset, PartitionId};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::LogArgs;
use crate::failure::Failure;
use crate::output;
use crate::source;

/// How long an interrupt may go unnoticed.
const POLL: Duration = Duration::from_millis(200);

#[derive(Args, Clone, Debug)]
pub struct CaptureArgs {
    /// Kafka brokers to ask first, host:port, comma-separated
    #[arg(long, value_name = "HOST:PORT", required = true)]
    brokers: String,

    /// Topics to capture, names or globs (quote them), comma-separated or repeated
    #[arg(long, value_name = "TOPIC", value_delimiter = ',', required = true)]
    topics: Vec<String>,

    /// Setting handed to librdkafka as it is; may be repeated
    #[arg(short = 'X', long = "kafka-setting", value_name = "KEY=VALUE", value_parser = config::key_value)]
    kafka_settings: Vec<(String, String)>,

    /// Record file to write, which must not exist yet: .jsonl, .jsonl.gz or .jsonl.zst
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Configuration file whose tables say which columns are hidden: their topics are refused
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "ROWTIDE_CONFIG",
        hide_env_values = true
    )]
    config: Option<PathBuf>,

    /// Capture topics with dropped or hashed columns as well, with all their values
    #[arg(long)]
    raw: bool,

    /// Stop after this many records
    #[arg(long, value_name = "RECORDS")]
    limit: Option<u64>,

    /// Stop at the end that the topics have now, instead of going on until interrupted
    #[arg(long)]
    until_end: bool,

    #[command(flatten)]
    log: LogArgs,
}

pub fn run(args: &CaptureArgs) -> Result<(), Failure> {
    args.log.start("warn")?;
    check_output(&args.output)?;
    let hidden = match &args.config {
        Some(path) if !args.raw => hidden_topics(path)?,
        _ => BTreeSet::new(),
    };
    let flags = ConfigArgs {
        brokers: Some(args.brokers.clone()),
        topics: args.topics.clone(),
        kafka_settings: args.kafka_settings.clone(),
        ephemeral: true,
        ..ConfigArgs::default()
    };
    let config = config::load(&flags, &BTreeMap::new())?;
    let [settings] = config.sources.as_slice() else {
        return Err(anyhow!("flags name one source").into());
    };
    let mut source = source::open(settings)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .context("cannot listen for signals")?;
    }
    let capture = Capture::create(&args.output, args.limit, args.until_end)?;
    let mut capture = capture.without(hidden);
    let read = capture.read(source.as_mut(), &interrupted);
    // Also after a failure: an unfinished compressed file could not be read at all.
    let told = capture.finish()?;
    read?;
    output::print(&format!("{told} to {}", args.output.display()))
}

/// Topics of which config hides columns.
fn hidden_topics(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let flags = ConfigArgs {
        config: Some(path.to_owned()),
        ..ConfigArgs::default()
    };
    let config = config::load(&flags, &config::process_environment())?;
    let tables = config.tables.into_iter();
    let hidden = tables.filter(|table| table.columns.hides());
    Ok(hidden.map(|table| table.topic).collect())
}

fn check_output(path: &Path) -> Result<(), Failure> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if ![".jsonl", ".jsonl.gz", ".jsonl.zst"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return Err(Failure::Usage(format!(
            "--output {}: name it .jsonl, .jsonl.gz or .jsonl.zst; the name says how it is compressed",
            path.display()
        )));
    }
    if path.exists() {
        return Err(Failure::Usage(format!(
            "--output {}: it exists already; remove it or choose another name",
            path.display()
        )));
    }
    Ok(())
}

/// A capture under way.
pub struct Capture {
    writer: RecordWriter,
    partitions: BTreeMap<PartitionId, Progress>,
    /// Topics that may not be captured as they are.
    hidden: BTreeSet<String>,
    /// Records still to be written, if there is a limit.
    left: u64,
    until_end: bool,
    discovered: bool,
    written: u64,
}

struct Progress {
    topic: String,
    partition: i32,
    next: NextOffset,
    /// The end when everything had been found.
    end: NextOffset,
}

impl Capture {
    pub fn create(path: &Path, limit: Option<u64>, until_end: bool) -> anyhow::Result<Self> {
        Ok(Self {
            writer: RecordWriter::create(path)?,
            partitions: BTreeMap::new(),
            hidden: BTreeSet::new(),
            left: limit.unwrap_or(u64::MAX),
            until_end,
            discovered: false,
            written: 0,
        })
    }

    /// Fails rather than write anything of these topics.
    pub fn without(mut self, hidden: BTreeSet<String>) -> Self {
        self.hidden = hidden;
        self
    }

    /// Reads until there is enough, or until interrupted.
    pub fn read(
        &mut self,
        source: &mut dyn Source,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut events = Vec::new();
        while !interrupted.load(Ordering::Relaxed) && !self.is_enough() {
            source.poll(POLL, &mut events);
            for event in events.drain(..) {
                self.take(event, source)?;
            }
            self.writer.flush()?;
        }
        if self.until_end && self.discovered && self.partitions.is_empty() {
            bail!("no topic matches: nothing was captured");
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        let at_end = || {
            self.discovered
                && self
                    .partitions
                    .values()
                    .all(|progress| progress.next >= progress.end)
        };
        self.left == 0 || (self.until_end && at_end())
    }

    fn take(&mut self, event: SourceEvent, source: &mut dyn Source) -> anyhow::Result<()> {
        match event {
            SourceEvent::Discovered(facts) => self.start(facts, source)?,
            SourceEvent::DiscoveryComplete => self.learn_ends(source),
            SourceEvent::Records(batch) => self.write(&batch)?,
            SourceEvent::End { partition, next } => {
                if let Some(progress) = self.partitions.get_mut(&partition) {
                    progress.next = progress.next.max(next);
                }
            }
            // The first cannot mend itself, the second would leave something out.
            SourceEvent::Unavailable(error @ SourceError::Config(_))
            | SourceEvent::PartitionLost { error, .. } => return Err(error.into()),
            SourceEvent::Unavailable(error) => tracing::warn!(%error, "waiting for the source"),
            SourceEvent::Available => tracing::warn!("the source can be reached again"),
            // A file is not fresh or old.
            SourceEvent::Delayed(_) => {}
            SourceEvent::Unreadable { place, reason } => bail!("{place} is no record: {reason}"),
        }
        Ok(())
    }

    fn start(&mut self, facts: PartitionFacts, source: &mut dyn Source) -> anyhow::Result<()> {
        if self.hidden.contains(&facts.topic) {
            bail!(
                "topic {} has columns that config drops or hashes, and a capture would hold them as they are: leave it out of --topics, or give --raw",
                facts.topic
            );
        }
        source.start(facts.id, StartAt::Earliest)?;
        let PartitionFacts {
            topic,
            partition,
            retained_from: next,
            end,
            ..
        } = facts;
        self.partitions.insert(
            facts.id,
            Progress {
                topic,
                partition,
                next,
                end: end.unwrap_or(next),
            },
        );
        Ok(())
    }

    /// A source may find a partition before it knows how far it reaches.
    fn learn_ends(&mut self, source: &dyn Source) {
        self.discovered = true;
        for (partition, end) in source.ends() {
            if let Some(progress) = self.partitions.get_mut(&partition) {
                progress.end = progress.end.max(end);
            }
        }
    }

    fn write(&mut self, batch: &RawBatch) -> anyhow::Result<()> {
        let progress = self
            .partitions
            .get_mut(&batch.partition)
            .context("a batch of no partition")?;
        for record in batch.iter() {
            let beyond = self.until_end && self.discovered && record.offset >= progress.end.0;
            if self.left == 0 || beyond {
                break;
            }
            let context = TopicContext {
                topic: &progress.topic,
                partition: progress.partition,
            };
            self.writer.write(context, &record)?;
            self.left -= 1;
            self.written += 1;
            progress.next = NextOffset(record.offset + 1);
        }
        Ok(())
    }

    pub fn finish(self) -> anyhow::Result<String> {
        self.writer.finish()?;
        let (records, partitions) = (self.written, self.partitions.len());
        Ok(format!(
            "wrote {records} records of {partitions} partitions"
        ))
    }
}

#[cfg(test)]
mod tests {
    use file_source::{FileOptions, FileSource};

    use super::*;

    const RECORDS: &str = r#"{"topic":"a","partition":0,"offset":4,"timestamp":1,"key":"k","value":"v","headers":[{"key":"h","value":"x"}]}
{"topic":"b","partition":1,"offset":0,"timestamp":null,"key":null,"value":null,"headers":[]}
{"topic":"a","partition":0,"offset":5,"timestamp":2,"key":null,"value":"","headers":[],"key_b64":"/w=="}
"#;

    /// Captures [`RECORDS`] into a file and returns its lines, sorted.
    fn captured(limit: Option<u64>, name: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from.jsonl");
        std::fs::write(&from, RECORDS).unwrap();
        let to = directory.path().join(name);
        let mut source = FileSource::open(&from, FileOptions::default()).unwrap();
        let mut capture = Capture::create(&to, limit, true).unwrap();
        capture.read(&mut source, &AtomicBool::new(false)).unwrap();
        capture.finish().unwrap();
        let mut again = FileSource::open(&to, FileOptions::default()).unwrap();
        let plain = directory.path().join("again.jsonl");
        let mut capture = Capture::create(&plain, None, true).unwrap();
        capture.read(&mut again, &AtomicBool::new(false)).unwrap();
        capture.finish().unwrap();
        let text = std::fs::read_to_string(&plain).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_is_captured_is_what_was_there() {
        let mut expected: Vec<&str> = RECORDS.lines().collect();
        expected.sort_unstable();
        for name in ["to.jsonl", "to.jsonl.gz", "to.jsonl.zst"] {
            assert_eq!(captured(None, name), expected, "{name}");
        }
        assert_eq!(captured(Some(2), "to.jsonl").len(), 2);
    }

    #[test]
    fn a_topic_with_hidden_columns_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from.jsonl");
        std::fs::write(&from, RECORDS).unwrap();
        let settings = directory.path().join("rowtide.toml");
        let text = "[[sources]]\nname = 's'\nkind = 'file'\npath = 'x'\n[[tables]]\ntopic = 'b'\n[tables.columns]\ndrop = ['card']\n[[tables]]\ntopic = 'a'\n[tables.columns]\ntypes = { x = 'date' }\n";
        std::fs::write(&settings, text).unwrap();
        let Ok(hidden) = hidden_topics(&settings) else {
            panic!("the configuration is usable")
        };
        assert_eq!(hidden, BTreeSet::from(["b".to_owned()]));
        let to = directory.path().join("to.jsonl");
        let mut source = FileSource::open(&from, FileOptions::default()).unwrap();
        let capture = Capture::create(&to, None, true).unwrap();
        let mut capture = capture.without(hidden);
        let refused = capture.read(&mut source, &AtomicBool::new(false));
        let error = refused.unwrap_err().to_string();
        assert!(error.starts_with("topic b has columns"), "{error}");
    }

    #[test]
    fn an_output_that_could_be_lost_or_misread_is_refused() {
        let exists = tempfile::Builder::new()
            .suffix(".jsonl")
            .tempfile()
            .unwrap();
        let refused = |path: &Path| match check_output(path) {
            Err(Failure::Usage(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(refused(exists.path()).contains("it exists already"));
        assert!(refused(Path::new("/tmp/x.json")).contains("name it .jsonl"));
    }
}
