//! What stands beside the broker: the schema registry, and the proxy that makes networks bad.

use std::process::Command;

use super::install::only_file;
use super::part::Part;
use super::place::{Listener, Lives, Place};
use super::process::{answers_http, await_answer, launch};

pub fn start_registry(place: &Place) -> anyhow::Result<()> {
    let home = place.path("registry");
    let port = place.port(Listener::Registry);
    launch(
        place,
        Part::Registry,
        &[Listener::Registry],
        java(place.lives(), 384)
            .current_dir(&home)
            .arg("-Dquarkus.http.host=127.0.0.1")
            .arg(format!("-Dquarkus.http.port={port}"))
            .arg("-jar")
            .arg(only_file(&home, "-runner.jar")?),
    )?;
    await_answer(place, Part::Registry, || {
        answers_http(port, "/apis/ccompat/v7/subjects")
    })
}

pub fn start_toxiproxy(place: &Place) -> anyhow::Result<()> {
    let configuration = place.configure("toxiproxy.json")?;
    let port = place.port(Listener::Toxiproxy);
    launch(
        place,
        Part::Toxiproxy,
        &[Listener::Toxiproxy, Listener::KafkaProxied],
        Command::new(place.path("toxiproxy/server"))
            .args(["-host", "127.0.0.1", "-port", &port.to_string()])
            .arg("-config")
            .arg(configuration),
    )?;
    await_answer(place, Part::Toxiproxy, || answers_http(port, "/proxies"))
}

/// For a short life small, and soon there; for a long one as Kafka's documentation advises, with half of its heap: slow
/// at first, then faster, and with less frequent pauses.
pub fn java(lives: Lives, heap_mib: u32) -> Command {
    let mut command = Command::new("java");
    match lives {
        Lives::Short => command
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Xmx{heap_mib}m")),
        Lives::Long => command
            .args(["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"])
            .args(["-XX:InitiatingHeapOccupancyPercent=35"])
            .args(["-XX:G1HeapRegionSize=16M", "-Xms3g", "-Xmx3g"]),
    };
    command
}
