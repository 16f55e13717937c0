//! A feed as a client of sockets sees it: what changes is told while it happens, the end of a server is told, and the
//! next server goes on where the last one stopped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use black_box::orders;
use black_box::server::Server;
use black_box::site::{Settings, Site};

const FOLLOWED: Settings = Settings {
    follow: true,
    checkpoint_interval_ms: 20,
    ..Settings::DEFAULT
};

/// A stream of events.
struct Feed {
    stream: TcpStream,
    read: String,
}

impl Feed {
    fn open(site: &Site, more: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(site.data_address())?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let path = format!("/v1/changes?tables=orders{more}");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let read = String::new();
        Ok(Self { stream, read })
    }

    /// All that is told up to this text and the end of its event.
    fn until(&mut self, text: &str) -> anyhow::Result<String> {
        loop {
            let found = self.read.find(text);
            let end = found.and_then(|at| Some(at + self.read[at..].find("\n\n")? + 2));
            if let Some(end) = end {
                let rest = self.read.split_off(end);
                return Ok(std::mem::replace(&mut self.read, rest));
            }
            let mut piece = [0; 4_096];
            let read = self.stream.read(&mut piece)?;
            ensure!(read > 0, "the stream ended after {}", self.read);
            self.read.push_str(std::str::from_utf8(&piece[..read])?);
        }
    }
}

/// The last place that these events name.
fn last_id(events: &str) -> anyhow::Result<&str> {
    let mut ids = events
        .lines()
        .rev()
        .filter_map(|line| line.strip_prefix("id: "));
    ids.next().context("no event has an id")
}

fn started(site: &Site) -> anyhow::Result<Server> {
    let mut server = site.start()?;
    server.ready()?;
    Ok(server)
}

#[test]
fn a_feed_goes_on_after_a_restart_where_it_stopped() -> anyhow::Result<()> {
    let site = Site::new(FOLLOWED)?;
    site.deliver(&[orders::written(0, 1, "new"), orders::written(1, 2, "new")])?;
    let server = started(&site)?;
    let mut feed = Feed::open(&site, "")?;
    let head = feed.until("event: up_to_date")?;
    ensure!(head.contains("text/event-stream"), "{head}");
    site.append(&[orders::written(2, 3, "paid"), orders::deleted(3, 1)])?;
    let told = feed.until("\"reason\":\"deleted\"")?;
    ensure!(told.contains(r#""row":{"id":3,"#), "{told}");
    let seen = feed.until("event: commit")?;
    let seen = last_id(&seen)?;
    ensure!(
        server.stop()? == 0,
        "the server ends well while it is followed"
    );
    let end = feed.until("event: resync")?;
    ensure!(end.contains(r#"{"reason":"drain"}"#), "{end}");
    // Nobody follows while this comes.
    site.append(&[orders::written(4, 2, "paid")])?;
    let server = started(&site)?;
    let mut feed = Feed::open(&site, &format!("&since={seen}"))?;
    let told = feed.until("event: commit")?;
    ensure!(told.contains(r#""key":[2]"#), "{told}");
    ensure!(!told.contains(r#""key":[3]"#), "{told}");
    site.append(&[orders::written(5, 4, "new")])?;
    feed.until(r#""key":[4]"#)?;
    ensure!(
        server.stop()? == 0,
        "the server ends well while it is followed"
    );
    Ok(())
}
