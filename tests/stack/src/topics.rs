//! What an operator does to topics, with Kafka's own tools.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::json;

const TOPIC_TOOL: &str = "org.apache.kafka.tools.TopicCommand";
const RECORDS_TOOL: &str = "org.apache.kafka.tools.DeleteRecordsCommand";

/// The topics of the stack's broker.
#[derive(Clone, Debug)]
pub struct Topics {
    brokers: String,
    /// The stack's, with Kafka's jars in it.
    folder: PathBuf,
}

impl Topics {
    pub(crate) fn of(brokers: String, folder: PathBuf) -> Self {
        Self { brokers, folder }
    }

    pub fn delete(&self, topic: &str) -> anyhow::Result<()> {
        self.run(TOPIC_TOOL, &["--delete", "--topic", topic])
    }

    pub fn create(&self, topic: &str, partitions: u32) -> anyhow::Result<()> {
        let partitions = partitions.to_string();
        let arguments = ["--create", "--topic", topic, "--partitions", &partitions];
        self.run(TOPIC_TOOL, &arguments)
    }

    pub fn widen(&self, topic: &str, partitions: u32) -> anyhow::Result<()> {
        let partitions = partitions.to_string();
        let arguments = ["--alter", "--topic", topic, "--partitions", &partitions];
        self.run(TOPIC_TOOL, &arguments)
    }

    /// Does what retention does, now: everything that the first partitions hold is gone.
    pub fn expire(&self, topic: &str, partitions: u32) -> anyhow::Result<()> {
        let of = |partition| json!({"topic": topic, "partition": partition, "offset": -1});
        let places: Vec<_> = (0..partitions).map(of).collect();
        let file = self.folder.join(format!("expire-{topic}.json"));
        fs::write(
            &file,
            json!({"version": 1, "partitions": places}).to_string(),
        )?;
        let expired = self.run(
            RECORDS_TOOL,
            &["--offset-json-file", &file.to_string_lossy()],
        );
        fs::remove_file(&file)?;
        expired
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let output = Command::new("java")
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
            .arg("-cp")
            .arg(self.folder.join("jars/kafka/*"))
            .args([tool, "--bootstrap-server", &self.brokers])
            .args(arguments)
            .output()
            .context("cannot run java")?;
        ensure!(
            output.status.success(),
            "{tool} {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
