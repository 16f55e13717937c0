//! Every recording, delivered as it was recorded, leads to exactly what the database held.

use black_box::site::{Settings, Site};
use black_box::trial::{LARGE, Trial};
use black_box::wait;

fn check_exact(scenario: &str) -> anyhow::Result<()> {
    for trial in Trial::all(scenario)? {
        let site = Site::new(Settings::default())?;
        site.deliver(&trial.records)?;
        let mut server = site.start()?;
        server.ready()?;
        trial.check(&server)?;
        assert_eq!(server.stop()?, 0, "{}: exit code after SIGTERM", trial.name);
    }
    Ok(())
}

#[test]
fn basics_with_default_identity() -> anyhow::Result<()> {
    check_exact("A_basics_default")
}

#[test]
fn basics_with_full_identity() -> anyhow::Result<()> {
    check_exact("A_basics_full")
}

#[test]
fn truncates_and_a_table_without_key() -> anyhow::Result<()> {
    check_exact("E_truncate")
}

#[test]
fn deletes_without_tombstones() -> anyhow::Result<()> {
    check_exact("N_no_tombstones")
}

#[test]
fn a_quarter_of_a_million_records() -> anyhow::Result<()> {
    check_exact(LARGE)
}

#[test]
fn a_server_that_was_stopped_goes_on_where_it_was() -> anyhow::Result<()> {
    for trial in Trial::all("A_basics_default")? {
        let site = Site::new(Settings::default())?;
        site.deliver(&trial.records)?;
        for life in 0..3 {
            let mut server = site.start()?;
            server.ready()?;
            trial.check(&server)?;
            assert_eq!(
                server.stop()?,
                0,
                "{}: exit code in life {life}",
                trial.name
            );
        }
    }
    Ok(())
}

#[test]
fn a_growing_file_is_followed() -> anyhow::Result<()> {
    for trial in Trial::all("A_basics_full")? {
        let site = Site::new(Settings {
            follow: true,
            ..Settings::default()
        })?;
        let (first, rest) = trial.records.split_at(trial.records.len() / 2);
        site.deliver(first)?;
        let mut server = site.start()?;
        server.ready()?;
        for record in rest {
            site.append(std::slice::from_ref(record))?;
        }
        // What is appended last may be applied last: until then the comparison fails, and its last
        // failure is the one to show.
        let mut failure = None;
        let followed = wait::until("what was appended is applied", || {
            failure = trial.check(&server).err();
            Ok(failure.is_none().then_some(()))
        });
        followed.map_err(|late| failure.unwrap_or(late))?;
        assert_eq!(server.stop()?, 0, "{}: exit code after SIGTERM", trial.name);
    }
    Ok(())
}
