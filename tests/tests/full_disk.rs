//! A disk that fills up under a server costs checkpoints and nothing else: it goes on reading and
//! serving, says what is wrong, takes kills, and is well again when there is room.
//!
//! Each story is told twice: on a small file system that is really full, where one can be mounted, and
//! with a limit on file sizes, everywhere.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use black_box::disk::Disk;
use black_box::exact::Exact;
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::trial::under_seeds;
use black_box::wait;
use fastrand::Rng;

const TOPIC: &str = "shop.public.orders";

/// Long enough that a few hundred changes are more than a full disk takes.
const TEXT_BYTES: usize = 600;

/// A site, its disk, and what its one table should hold.
struct Story {
    site: Site,
    disk: Disk,
    rows: BTreeMap<i64, String>,
    written: i64,
    server: Option<Server>,
}

/// On each disk there is.
fn on_each_disk(tell: impl Fn(&mut Story) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let site = || {
        Site::new(Settings {
            follow: true,
            checkpoint_interval_ms: 20,
            ..Settings::DEFAULT
        })
    };
    let limited = site()?;
    tell(&mut Story::new(limited, Disk::limited())?).context("with a limit on file sizes")?;
    let mounted = site()?;
    match Disk::small(&mounted.path("data"))? {
        Some(disk) => tell(&mut Story::new(mounted, disk)?).context("on a small file system"),
        None => Ok(()),
    }
}

impl Story {
    fn new(site: Site, disk: Disk) -> anyhow::Result<Self> {
        site.deliver(&[])?;
        Ok(Self {
            site,
            disk,
            rows: BTreeMap::new(),
            written: 0,
            server: None,
        })
    }

    fn start(&mut self) -> anyhow::Result<()> {
        self.server = Some(self.site.start_limited(self.disk.file_bytes_max())?);
        Ok(())
    }

    fn server(&mut self) -> anyhow::Result<&mut Server> {
        self.server.as_mut().context("no server runs")
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.server.take().map_or(Ok(()), Server::kill)
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        self.disk.fill(self.server.as_ref())
    }

    fn free(&mut self) -> anyhow::Result<()> {
        self.disk.free(self.server.as_ref())
    }

    /// Changes so many rows of a few hundred, and deletes some.
    fn change(&mut self, changes: usize, rng: &mut Rng) -> anyhow::Result<()> {
        let mut records = Vec::new();
        for _ in 0..changes {
            let (id, lsn) = (rng.i64(0..300), self.written + 100);
            let mut record = Record::new(TOPIC, 0, self.written);
            record.key = Some(format!(r#"{{"id":{id}}}"#));
            let source = format!(
                r#""source":{{"connector":"postgresql","name":"shop","db":"shop","schema":"public","table":"orders","lsn":{lsn},"ts_ms":{lsn}}},"ts_ms":{lsn}"#
            );
            record.value = Some(if rng.u8(0..5) == 0 {
                self.rows.remove(&id);
                format!(r#"{{"before":{{"id":{id}}},"after":null,{source},"op":"d"}}"#)
            } else {
                let text: String = (0..TEXT_BYTES).map(|_| rng.alphanumeric()).collect();
                let after = format!(r#"{{"id":{id},"v":"{text}"}}"#);
                self.rows.insert(id, text);
                format!(r#"{{"before":null,"after":{after},{source},"op":"u"}}"#)
            });
            records.push(record);
            self.written += 1;
        }
        self.site.append(&records)
    }

    /// Waits until everything is applied, and compares.
    fn check(&mut self) -> anyhow::Result<()> {
        let ends = BTreeMap::from([((TOPIC.to_owned(), 0), self.written)]);
        let wanted = self.rows.clone();
        let server = self.server()?;
        server.ready()?;
        if ends.values().all(|end| *end == 0) {
            // There is no such table yet.
            return Ok(());
        }
        server.applied(&ends)?;
        let rows = server.rows("orders")?.into_iter().map(|row| {
            let id = row.get("id").as_integer().context("no id")?;
            let text = row.get("v").as_text().context("no text")?;
            Ok((id, text.to_owned()))
        });
        let rows: BTreeMap<i64, String> = rows.collect::<anyhow::Result<_>>()?;
        ensure!(
            rows == wanted,
            "{} rows instead of {}",
            rows.len(),
            wanted.len()
        );
        ensure!(server.admin("/readyz")?.status == 200, "not ready");
        Ok(())
    }

    fn checkpoint(&mut self) -> anyhow::Result<Exact> {
        let status = self.server()?.get("/v1/status", &[])?.body()?;
        Ok(status.get("checkpoint").clone())
    }

    /// Changes rows until checkpoints fail.
    fn until_failing(&mut self, rng: &mut Rng) -> anyhow::Result<()> {
        wait::until("checkpoints fail", || {
            self.change(50, rng)?;
            self.check()?;
            let checkpoint = self.checkpoint()?;
            Ok((checkpoint.get("state").as_text() == Some("failing")).then_some(()))
        })
    }

    /// Waits until a checkpoint was made of everything there is.
    fn until_well(&mut self) -> anyhow::Result<()> {
        wait::until("checkpoints are made", || {
            let checkpoint = self.checkpoint()?;
            let is_ok = checkpoint.get("state").as_text() == Some("ok");
            Ok((is_ok && checkpoint.get("last_ms").as_integer().is_some()).then_some(()))
        })
    }

    /// Starts a server on a disk that may be full: it serves what is right, or ends with a word on why.
    fn start_or_be_refused(&mut self) -> anyhow::Result<()> {
        self.start()?;
        let serves = wait::until("the server serves or gives up", || {
            let server = self.server()?;
            if let Some(ended) = server.ended()? {
                ensure!(ended.code == Some(1), "{:?}: {}", ended.code, ended.said);
                return Ok(Some(false));
            }
            let ready = server.admin("/startupz");
            Ok(ready
                .is_ok_and(|answer| answer.status == 200)
                .then_some(true))
        })?;
        if serves {
            return self.check();
        }
        let log = self.server()?.log();
        let last = log.lines().last().unwrap_or_default();
        ensure!(last.contains("data"), "refused without a reason: {last}");
        self.server = None;
        Ok(())
    }
}

#[test]
fn a_disk_that_fills_up_stops_checkpoints_and_nothing_else() -> anyhow::Result<()> {
    on_each_disk(|story| {
        let mut rng = Rng::with_seed(7);
        story.start()?;
        story.change(200, &mut rng)?;
        story.check()?;
        story.until_well()?;

        story.fill()?;
        story.until_failing(&mut rng)?;
        let checkpoint = story.checkpoint()?;
        let detail = checkpoint.get("detail").as_text().unwrap_or_default();
        ensure!(detail.contains("Make room"), "{checkpoint}");
        ensure!(
            checkpoint.get("failing_ms").as_integer().is_some(),
            "{checkpoint}"
        );
        let server = story.server()?;
        let verbose = server.admin("/readyz?verbose")?;
        ensure!(verbose.status == 200, "{}", verbose.text);
        ensure!(
            verbose.text.contains("[-] checkpoint: failing for"),
            "{}",
            verbose.text
        );
        let metrics = server.admin("/metrics")?.text;
        ensure!(
            metrics.contains("\nrowtide_checkpoint_failing 1"),
            "{metrics}"
        );
        let told = server.log().matches("checkpoints fail,").count();
        ensure!(told == 1, "told {told} times");

        story.change(500, &mut rng)?;
        story.check()?;
        story.kill()?;
        story.start_or_be_refused()?;
        if story.server.is_none() {
            story.free()?;
            story.start()?;
        } else {
            story.change(100, &mut rng)?;
            story.check()?;
            story.free()?;
        }
        story.check()?;
        story.until_well()?;
        let metrics = story.server()?.admin("/metrics")?.text;
        ensure!(
            metrics.contains("\nrowtide_checkpoint_failing 0"),
            "{metrics}"
        );
        story.kill()?;
        story.start()?;
        story.check()
    })
}

#[test]
fn disks_that_fill_up_and_servers_that_are_killed_at_any_moment() -> anyhow::Result<()> {
    under_seeds(2, |seed| {
        on_each_disk(|story| {
            let mut rng = Rng::with_seed(seed);
            let mut full = false;
            for _ in 0..10 {
                if story.server.is_none() {
                    story.start_or_be_refused()?;
                }
                if story.server.is_none() {
                    ensure!(full, "refused although there is room");
                    story.free()?;
                    full = false;
                    continue;
                }
                match rng.u8(0..6) {
                    0 => {
                        full = !full;
                        if full { story.fill()? } else { story.free()? }
                    }
                    1 => story.kill()?,
                    2 => story.check()?,
                    3 if full => story.until_failing(&mut rng)?,
                    _ => story.change(rng.usize(1..200), &mut rng)?,
                }
            }
            if full {
                story.free()?;
            }
            if story.server.is_none() {
                story.start()?;
            }
            story.check()?;
            story.until_well()?;
            story.kill()?;
            story.start()?;
            story.check()
        })
    })
}
