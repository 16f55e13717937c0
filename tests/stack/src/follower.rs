//! A Rowtide that follows the topics of one connector.

use std::cell::{Ref, RefCell, RefMut};
use std::time::Duration;

use anyhow::{Context, bail};
use black_box::compare::compare;
use black_box::exact::Exact;
use black_box::scenario::ExpectedTable;
use black_box::server::Server;
use black_box::site::Site;
use black_box::spelling::Spellings;
use black_box::wait;

use crate::source::Source;

/// Much longer than anything takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(100);

/// How many differences a message shows.
const DIFFERENCES_SHOWN: usize = 20;

/// A running Rowtide, in a folder of its own that outlives its process.
pub struct Follower {
    site: Site,
    server: RefCell<Option<Server>>,
}

impl Follower {
    /// One that reads every topic of this prefix. `settings` are added behind those of the source, in the
    /// configuration's own language: more keys of the source first, then other sections.
    pub fn start(brokers: &str, prefix: &str, settings: &str) -> anyhow::Result<Self> {
        let site = Site::on_kafka(brokers, &[], 1_000)?;
        site.configure(&format!(
            r#"data_dir = "{data}"
[listen]
data = "{listen}"
admin = "{admin}"
[[sources]]
name = "{prefix}"
kind = "kafka"
brokers = "{brokers}"
topics = ["{prefix}.*"]
{settings}
"#,
            data = site.path("data").display(),
            listen = site.data_address(),
            admin = site.admin_address(),
        ))?;
        let server = site.start()?;
        Ok(Self {
            site,
            server: RefCell::new(Some(server)),
        })
    }

    /// The folder it lives in, with its configuration.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The running process. Panics between a [`Self::kill`] and the next [`Self::start_again`].
    #[expect(
        clippy::expect_used,
        reason = "a test that asks a server that it has ended is wrong"
    )]
    pub fn server(&self) -> Ref<'_, Server> {
        Ref::map(self.server.borrow(), |server| {
            server.as_ref().expect("the server was ended")
        })
    }

    #[expect(
        clippy::expect_used,
        reason = "a test that asks a server that it has ended is wrong"
    )]
    fn running(&self) -> RefMut<'_, Server> {
        RefMut::map(self.server.borrow_mut(), |server| {
            server.as_mut().expect("the server was ended")
        })
    }

    /// Ends it as a crash would.
    pub fn kill(&self) -> anyhow::Result<()> {
        let server = self.server.borrow_mut().take();
        server.context("the server was ended already")?.kill()
    }

    /// Ends it as an operator would.
    pub fn stop(&self) -> anyhow::Result<i32> {
        let server = self.server.borrow_mut().take();
        server.context("the server was ended already")?.stop()
    }

    /// Starts it again on the same folder.
    pub fn start_again(&self) -> anyhow::Result<()> {
        *self.server.borrow_mut() = Some(self.site.start()?);
        Ok(())
    }

    /// Asks until what is answered satisfies; an answer that is an error does not.
    pub fn until<T>(
        &self,
        what: &str,
        path: &str,
        satisfies: impl Fn(&Exact) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut last = String::new();
        wait::until_within(PATIENCE, what, || {
            self.running().still_runs()?;
            // Not listening yet is no error here: it may have just been started.
            let Ok(answer) = self.server().get(path, &[]) else {
                return Ok(None);
            };
            last.clone_from(&answer.text);
            Ok((answer.status == 200)
                .then(|| answer.body())
                .transpose()?
                .and_then(|body| satisfies(&body)))
        })
        .with_context(|| format!("GET {path} answered last: {last}"))
    }

    /// Waits until an answer says that transactions are whole: a table is found, and live, before all is read that its
    /// transactions may have written elsewhere, and what comes very late makes them doubtful for a while.
    pub fn until_whole(&self, path: &str) -> anyhow::Result<()> {
        self.until("transactions are whole", path, |answer| {
            let told = answer.get("fresh").get("transactions").as_text();
            (told == Some("whole")).then_some(())
        })
    }

    /// Waits until these tables equal the source's, row for row. Nobody may write to them meanwhile.
    pub fn until_equal(&self, source: &mut dyn Source, tables: &[&str]) -> anyhow::Result<()> {
        for table in tables {
            self.until_shows(&source.expected(table)?)?;
        }
        // All at once too: what one table got late must not have cost another its rows.
        self.check_equal(source, tables)
    }

    /// Compares these tables with the source's, row for row, as they are now.
    pub fn check_equal(&self, source: &mut dyn Source, tables: &[&str]) -> anyhow::Result<()> {
        for table in tables {
            let wrong = self.differences(&source.expected(table)?);
            if !wrong.is_empty() {
                bail!("{table} differs from the source: {}", shown(&wrong));
            }
        }
        Ok(())
    }

    /// Waits until the table is served like this.
    pub fn until_shows(&self, expected: &ExpectedTable) -> anyhow::Result<()> {
        let mut wrong = Vec::new();
        wait::until_within(
            PATIENCE,
            &format!("{} equals the source's", expected.name),
            || {
                self.running().still_runs()?;
                wrong = self.differences(expected);
                Ok(wrong.is_empty().then_some(()))
            },
        )
        .with_context(|| shown(&wrong))
    }

    fn differences(&self, expected: &ExpectedTable) -> Vec<String> {
        match self.server().rows(&expected.name) {
            Ok(rows) => compare(expected, &Spellings::default(), &rows).wrong,
            Err(error) => vec![format!("{error:#}")],
        }
    }
}

fn shown(wrong: &[String]) -> String {
    let more = wrong.len().saturating_sub(DIFFERENCES_SHOWN);
    let first = wrong.iter().take(DIFFERENCES_SHOWN);
    let lines: Vec<&str> = first.map(String::as_str).collect();
    format!("{}\n({more} more)", lines.join("\n"))
}
