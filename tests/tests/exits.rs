//! A start that cannot succeed says why in words, and ends with the code that scripts rely on: 0
//! done, 1 failed, 2 wrong usage.

use std::fs;
use std::net::TcpListener;

use anyhow::ensure;
use black_box::site::{Settings, Site};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;

fn site() -> anyhow::Result<Site> {
    let site = Site::new(Settings::default())?;
    site.deliver(&[])?;
    Ok(site)
}

/// Runs `rowtide` with the site's configuration; its code and that its message has all of `words`.
fn check(site: &Site, verb: &str, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let config = site.path("rowtide.toml");
    let (ended, said) = site.run(&[verb, "--config", &config.to_string_lossy()])?;
    ensure!(ended == code, "exit code {ended}, should be {code}: {said}");
    for word in words {
        ensure!(said.contains(word), "says nothing of {word:?}: {said}");
    }
    Ok(())
}

#[test]
fn a_port_in_use_is_named() -> anyhow::Result<()> {
    let site = site()?;
    let _holder = TcpListener::bind(("127.0.0.1", site.data_port()))?;
    check(
        &site,
        "serve",
        FAILED,
        &[&format!("127.0.0.1:{}", site.data_port()), "in use"],
    )
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() -> anyhow::Result<()> {
    let site = site()?;
    // A file in the way stops root too, which no permission does.
    fs::write(site.path("in_the_way"), "")?;
    let data_dir = site.path("in_the_way").join("data");
    let config = site.configuration()?.replace(
        &site.path("data").display().to_string(),
        &data_dir.display().to_string(),
    );
    site.configure(&config)?;
    check(&site, "serve", FAILED, &[&data_dir.to_string_lossy()])
}

#[test]
fn an_unknown_key_is_refused_with_the_key_that_was_meant() -> anyhow::Result<()> {
    for (wrong, right) in [("[lisen]", "listen"), ("[[source]]", "sources")] {
        let site = site()?;
        let known = if right == "listen" {
            "[listen]"
        } else {
            "[[sources]]"
        };
        site.configure(&site.configuration()?.replace(known, wrong))?;
        check(
            &site,
            "serve",
            USAGE,
            &[wrong.trim_matches(['[', ']']), right],
        )?;
    }
    Ok(())
}

#[test]
fn a_source_that_is_not_there_is_named() -> anyhow::Result<()> {
    let site = site()?;
    let missing = site.path("missing");
    let config = site.configuration()?.replace(
        &site.path("records").display().to_string(),
        &missing.display().to_string(),
    );
    site.configure(&config)?;
    check(&site, "serve", FAILED, &[&missing.to_string_lossy()])
}

#[test]
fn an_unknown_flag_is_wrong_usage() -> anyhow::Result<()> {
    let (code, said) = site()?.run(&["serve", "--replya", "records"])?;
    ensure!(
        code == USAGE && said.contains("--replay"),
        "exit code {code}: {said}"
    );
    Ok(())
}

#[test]
fn a_good_configuration_passes_the_check_and_a_bad_one_does_not() -> anyhow::Result<()> {
    let site = site()?;
    check(&site, "check", DONE, &[])?;
    site.configure(
        &site
            .configuration()?
            .replace("kind = \"file\"", "kind = \"fiel\""),
    )?;
    check(&site, "check", USAGE, &["fiel"])
}

#[test]
fn asking_for_help_or_the_version_is_no_failure() -> anyhow::Result<()> {
    let site = site()?;
    let (code, said) = site.run(&["--help"])?;
    ensure!(
        code == DONE && said.contains("serve"),
        "exit code {code}: {said}"
    );
    let (code, said) = site.run(&["--version"])?;
    ensure!(
        code == DONE && said.contains("rowtide"),
        "exit code {code}: {said}"
    );
    Ok(())
}
