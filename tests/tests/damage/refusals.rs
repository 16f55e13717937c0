//! A data directory that is not to be used says why, and what to do instead.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use black_box::site::Site;
use fastrand::Rng;

use crate::history::History;
use crate::{FAILED, OFTEN, follow, see_through};

/// A site on which one server has lived, and died.
fn lived_in_once() -> anyhow::Result<(Site, History)> {
    let history = History::random(200, &mut Rng::with_seed(1));
    let site = Site::new(OFTEN)?;
    site.deliver(&history.records)?;
    let mut server = site.start()?;
    server.ready()?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    fs::remove_file(site.path("log"))?;
    Ok((site, history))
}

/// What a server says that does not start.
fn refusal(site: &Site) -> anyhow::Result<String> {
    let config = site.path("rowtide.toml");
    let (code, said) = site.run(&["serve", "--config", &config.to_string_lossy()])?;
    ensure!(code == FAILED, "exit code {code}: {said}");
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}

fn check(site: &Site, words: &[&str]) -> anyhow::Result<String> {
    let said = refusal(site)?;
    for word in words {
        ensure!(said.contains(word), "says nothing of {word:?}: {said}");
    }
    Ok(said)
}

fn rewrite(path: &Path, change: impl FnOnce(String) -> String) -> anyhow::Result<()> {
    fs::write(path, change(fs::read_to_string(path)?))?;
    Ok(())
}

#[test]
fn a_directory_in_use_names_the_process_that_has_it() -> anyhow::Result<()> {
    let (site, _) = lived_in_once()?;
    let mut server = site.start()?;
    server.ready()?;
    let elsewhere = Site::new(OFTEN)?;
    let ours = site.path("data").display().to_string();
    let theirs = elsewhere.path("data").display().to_string();
    elsewhere.configure(&elsewhere.configuration()?.replace(&theirs, &ours))?;
    elsewhere.deliver(&[])?;
    let stop = format!("`kill {}`", server.process());
    check(&elsewhere, &[&ours, &stop, "--data-dir"])?;
    // It did no harm.
    server.still_runs()
}

#[test]
fn a_directory_of_something_else_is_left_alone() -> anyhow::Result<()> {
    let (site, _) = lived_in_once()?;
    fs::remove_dir_all(site.path("data/checkpoint"))?;
    fs::create_dir(site.path("data/checkpoint"))?;
    let thesis = site.path("data/checkpoint/thesis.tex");
    fs::write(&thesis, "years of work")?;
    check(
        &site,
        &["is not a rowtide checkpoint", "thesis.tex", "--data-dir"],
    )?;
    ensure!(fs::read_to_string(thesis)? == "years of work", "touched");
    Ok(())
}

#[test]
fn a_store_without_its_marker_is_not_guessed_at() -> anyhow::Result<()> {
    let (site, history) = lived_in_once()?;
    fs::remove_file(site.path("data/checkpoint/rowtide-checkpoint"))?;
    let said = check(
        &site,
        &["is not a rowtide checkpoint", "sled", "--data-dir"],
    )?;
    follow(&said)?;
    let told = see_through(&site, &history)?;
    ensure!(told.is_none(), "{told:?}");
    Ok(())
}

#[test]
fn a_marker_without_its_store_is_a_loss_that_is_told() -> anyhow::Result<()> {
    let (site, history) = lived_in_once()?;
    fs::remove_dir_all(site.path("data/checkpoint/sled"))?;
    let said = check(&site, &["all of it is lost"])?;
    follow(&said)?;
    let told = see_through(&site, &history)?;
    ensure!(told.is_none(), "{told:?}");
    Ok(())
}

#[test]
fn a_newer_checkpoint_names_the_version_that_reads_it() -> anyhow::Result<()> {
    let (site, _) = lived_in_once()?;
    rewrite(&site.path("data/checkpoint/rowtide-checkpoint"), |marker| {
        let line = |line: &str| match line.split_once(' ') {
            Some(("format", _)) => "format 99\n".to_owned(),
            Some(("written", by)) => format!("written {}\n", by.replace("by ", "by 9.")),
            _ => format!("{line}\n"),
        };
        marker.lines().map(line).collect()
    })?;
    check(&site, &["format 99", "Start rowtide 9.", "--data-dir"])?;
    Ok(())
}

#[test]
fn a_directory_that_takes_no_files_is_told_at_once() -> anyhow::Result<()> {
    let site = Site::new(OFTEN)?;
    site.deliver(&[])?;
    // Where nobody can make a file, not even root.
    let data = site.path("data").display().to_string();
    let nowhere = "/proc/rowtide";
    site.configure(&site.configuration()?.replace(&data, nowhere))?;
    check(&site, &[nowhere, "--data-dir", "--ephemeral"])?;
    Ok(())
}
