//! The broker, which is its own controller, and Kafka Connect on it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::part::Part;
use super::place::{Listener, Place};
use super::process::{answers_http, await_answer, is_open, launch, run};
use super::{certificates, services};

/// Any will do, but it must be the same as long as the data is.
const CLUSTER: &str = "rowtide-stack-0000000w";

/// Who may log in at the listener with SASL; the tests know it too.
const SCRAM_USER: &str = "SCRAM-SHA-512=[name=rowtide,password=rowtide-password]";

pub fn start_kafka(place: &Place) -> anyhow::Result<()> {
    certificates::make(place)?;
    let configuration = place.configure("kafka.properties")?;
    if !place.data(Part::Kafka).join("meta.properties").is_file() {
        run(java(place, 128)
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER])
            .args(["--add-scram", SCRAM_USER, "-c"])
            .arg(&configuration))?;
    }
    launch(
        place,
        Part::Kafka,
        &[
            Listener::Kafka,
            Listener::KafkaController,
            Listener::KafkaBehindProxy,
            Listener::KafkaTls,
            Listener::KafkaSasl,
        ],
        java(place, 512).arg("kafka.Kafka").arg(configuration),
    )?;
    await_answer(place, Part::Kafka, || is_open(place.port(Listener::Kafka)))
}

pub fn start_connect(place: &Place) -> anyhow::Result<()> {
    let plugins = place.path("plugins");
    if plugins.exists() {
        fs::remove_dir_all(&plugins)?;
    }
    for plugin in [
        "debezium-postgres",
        "debezium-mysql",
        "debezium-mariadb",
        "avro-converter",
    ] {
        link_jars(
            &place.path(&format!("jars/{plugin}")),
            &plugins.join(plugin),
        )?;
    }
    let configuration = place.configure("connect.properties")?;
    launch(
        place,
        Part::Connect,
        &[Listener::Connect],
        java(place, 768)
            .arg("org.apache.kafka.connect.cli.ConnectDistributed")
            .arg(configuration),
    )?;
    let port = place.port(Listener::Connect);
    await_answer(place, Part::Connect, || answers_http(port, "/connectors"))
}

fn java(place: &Place, heap_mib: u32) -> Command {
    let mut command = services::java(place.lives(), heap_mib);
    command
        .args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-cp",
        ])
        .arg(place.path("jars/kafka/*"));
    command
}

fn link_jars(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "jar")
        {
            fs::hard_link(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
