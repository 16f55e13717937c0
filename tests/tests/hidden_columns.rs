//! What config drops or hashes is nowhere: not in answers, on disk, in logs, metrics or the
//! quarantine; neither while the server runs nor after it was killed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::records::Record;
use black_box::scenario::{Recording, Scenario};
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::wait;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const CUSTOMERS: &str = "a_basics_default.inventory.customers";
const KEYED_BY_EMAIL: &str = "b_keys.public.mk_full";
const HASH_KEY: &str = "only for this test, but long";

/// In every bad record, wherever a record can be bad.
const SECRET: &str = "4929-7812-SECRET";

/// What the server answers for a hashed text.
fn hashed(text: &str) -> anyhow::Result<String> {
    let mac = Hmac::<Sha256>::new_from_slice(HASH_KEY.as_bytes())?.chain_update(text);
    let hash = mac.finalize().into_bytes();
    let digits = hash[..16].iter();
    let digits = digits.flat_map(|byte| [byte >> 4, byte & 15]);
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    digits.map(digit).collect::<Option<_>>().context("digits")
}

fn site(recording: Recording) -> anyhow::Result<(Site, Vec<Record>)> {
    let (site, records) = open_site(recording)?;
    hide(&site)?;
    Ok((site, records))
}

/// Adds the rules to a site's configuration.
fn hide(site: &Site) -> anyhow::Result<()> {
    let rules = format!(
        "[[tables]]\ntopic = \"{CUSTOMERS}\"\n[tables.columns]\ndrop = [\"last_name\"]\nhash = [\"email\"]\n[[tables]]\ntopic = \"{KEYED_BY_EMAIL}\"\n[tables.columns]\nhash = [\"email\"]\n[secrets]\nhash_key = \"{HASH_KEY}\"\n"
    );
    site.configure(&(site.configuration()? + &rules))
}

/// A site where everybody may see everything.
fn open_site(recording: Recording) -> anyhow::Result<(Site, Vec<Record>)> {
    let settings = Settings {
        checkpoint_interval_ms: 20,
        ..Settings::default()
    };
    let site = Site::new(settings)?;
    let mut records = Vec::new();
    for (scenario, topic) in [("A_basics_default", CUSTOMERS), ("B_keys", KEYED_BY_EMAIL)] {
        let all = Scenario::open(scenario)?.records(recording)?;
        let all = all.context("a recording of the scenario")?;
        let of_topic: Vec<Record> = all
            .into_iter()
            .filter(|record| record.topic == topic)
            .collect();
        let next = of_topic.iter().map(|record| record.offset + 1).max();
        records.extend(of_topic);
        records.extend(bad_records(topic, next.unwrap_or_default()));
    }
    site.deliver(&records)?;
    Ok((site, records))
}

/// Records that cannot be decoded, each with the secret in it.
fn bad_records(topic: &str, from: i64) -> Vec<Record> {
    let source =
        json!({"connector": "postgresql", "name": "x", "ts_ms": 1, "lsn": 99_999_999_999_i64});
    let values = [
        SECRET.to_owned(),
        format!("{{\"after\":{{\"last_name\":\"{SECRET}"),
        json!({"before": null, "after": SECRET, "source": source, "op": "c"}).to_string(),
        json!({"before": null, "after": {"email": SECRET}, "source": source, "op": SECRET})
            .to_string(),
        json!({"schema": {"type": [SECRET]}, "payload": SECRET}).to_string(),
        format!("Struct{{email={SECRET}}}"),
    ];
    let bad = values
        .into_iter()
        .zip(from..)
        .map(|(value, offset)| Record {
            key: Some(format!("{{\"email\":\"{SECRET}\"}}")),
            value: Some(value),
            ..Record::new(topic, 0, offset)
        });
    bad.collect()
}

/// Every value that must not be seen: those of the hidden columns in all images and keys, and the
/// secret of the bad records.
fn secrets(records: &[Record]) -> anyhow::Result<Vec<String>> {
    let mut secrets = vec![SECRET.to_owned()];
    for record in records {
        for text in [&record.key, &record.value].into_iter().flatten() {
            if let Ok(value) = serde_json::from_str::<Value>(text) {
                collect(&value, &mut secrets);
            }
        }
    }
    secrets.sort();
    secrets.dedup();
    ensure!(secrets.len() > 8, "few secrets: {secrets:?}");
    Ok(secrets)
}

fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    // A deleted row's other columns are empty under the default identity.
                    Some(text) if ["last_name", "email"].contains(&name.as_str()) => {
                        secrets.extend((!text.is_empty()).then(|| text.to_owned()));
                    }
                    _ => collect(value, secrets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secrets)),
        _ => {}
    }
}

/// Everything an outsider can read, by where it was read.
fn everything(site: &Site, server: &Server) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut seen = on_disk(site)?;
    let paths = [
        "/v1/status",
        "/v1/quarantine",
        "/v1/tables",
        "/v1/tables/customers/rows",
        "/v1/tables/mk_full/rows",
    ];
    for path in paths {
        let answer = server.get(path, &[])?;
        ensure!(answer.status == 200, "{path}: {}", answer.text);
        seen.push((path.to_owned(), answer.text.into_bytes()));
    }
    seen.push((
        "/metrics".to_owned(),
        server.admin("/metrics")?.text.into_bytes(),
    ));
    Ok(seen)
}

/// The data directory and the log.
fn on_disk(site: &Site) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let log = site.path("log");
    let mut seen = in_data(site)?;
    seen.push(("the log".to_owned(), fs::read(log)?));
    Ok(seen)
}

fn in_data(site: &Site) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    files_in(&site.path("data"), &mut files)?;
    let read = |path: PathBuf| Ok((path.display().to_string(), fs::read(&path)?));
    files.into_iter().map(read).collect()
}

fn files_in(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_in(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn holds(seen: &[(String, Vec<u8>)], text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let holds = |content: &[u8]| content.windows(bytes.len()).any(|window| window == bytes);
    let places = seen.iter().filter(|(_, content)| holds(content));
    places.map(|(place, _)| place.clone()).collect()
}

fn check_hidden(seen: &[(String, Vec<u8>)], secrets: &[String]) -> anyhow::Result<()> {
    // What may be seen is seen on disk and in an answer: the search finds what is there.
    let open = holds(seen, "first_name");
    ensure!(
        open.len() > 1,
        "not even what may be seen was found: {open:?}"
    );
    for secret in secrets.iter().map(String::as_str).chain([HASH_KEY]) {
        let places = holds(seen, secret);
        ensure!(places.is_empty(), "{secret} is in {places:?}");
    }
    Ok(())
}

fn check_answers(server: &Server) -> anyhow::Result<()> {
    let sally = server.found("/v1/tables/customers/rows/1001", &[])?;
    let row = sally.get("row");
    let email = hashed("sally.thomas@acme.com")?;
    ensure!(row.get("email").as_text() == Some(&email), "{row}");
    let members = row.as_object().context("a row")?;
    ensure!(!members.contains_key("last_name"), "{row}");

    // The key of this table is hashed: a row is found by what its email became, also the one that a
    // key change moved.
    let rows = server.rows("mk_full")?;
    ensure!(rows.len() == 2, "{rows:?}");
    for (tenant, email) in [("t1", "moved@x"), ("t2", "a@x")] {
        let path = format!("/v1/tables/mk_full/rows/{tenant},{}", hashed(email)?);
        let found = server.found(&path, &[])?;
        ensure!(rows.contains(found.get("row")), "{path}: {found}");
        let path = format!("/v1/tables/mk_full/rows/{tenant},{email}");
        ensure!(server.get(&path, &[])?.status == 404, "{path}");
    }

    let quarantine = server.get("/v1/quarantine", &[])?.body()?;
    let aside = quarantine.get("records").as_list().context("records")?;
    ensure!(aside.len() == 12, "{quarantine}");
    let is_empty = |record: &Exact| {
        ["key_b64", "value_b64"]
            .iter()
            .all(|part| record.get(part).as_text().is_none())
    };
    ensure!(aside.iter().all(is_empty), "{quarantine}");
    Ok(())
}

fn check(recording: Recording) -> anyhow::Result<()> {
    let (site, records) = site(recording)?;
    let secrets = secrets(&records)?;
    let mut server = site.start()?;
    server.ready()?;
    check_answers(&server)?;
    check_hidden(&everything(&site, &server)?, &secrets)?;
    server.kill()?;
    let mut server = site.start()?;
    server.ready()?;
    check_answers(&server)?;
    check_hidden(&everything(&site, &server)?, &secrets)?;
    ensure!(server.stop()? == 0, "it did not end well");
    check_hidden_on_disk(&site, &secrets)
}

fn check_hidden_on_disk(site: &Site, secrets: &[String]) -> anyhow::Result<()> {
    let seen = on_disk(site)?;
    ensure!(
        !holds(&seen, "Sally").is_empty(),
        "the checkpoint holds no row"
    );
    for secret in secrets {
        let places = holds(&seen, secret);
        ensure!(places.is_empty(), "{secret} is in {places:?}");
    }
    Ok(())
}

#[test]
fn nothing_of_them_is_anywhere_without_schemas() -> anyhow::Result<()> {
    check(Recording::Schemaless)
}

#[test]
fn nothing_of_them_is_anywhere_with_schemas() -> anyhow::Result<()> {
    check(Recording::WithSchemas)
}

#[test]
fn what_is_hidden_from_now_on_is_gone_from_the_disk() -> anyhow::Result<()> {
    let (site, records) = open_site(Recording::Schemaless)?;
    let secrets = secrets(&records)?;
    let mut server = site.start()?;
    server.ready()?;
    ensure!(server.stop()? == 0, "it did not end well");
    let hidden =
        |secret: &String| Ok::<_, anyhow::Error>(holds(&in_data(&site)?, secret).is_empty());
    let stored = secrets
        .iter()
        .map(hidden)
        .filter(|hidden| matches!(hidden, Ok(false)));
    ensure!(
        stored.count() > 4,
        "hardly anything was there to be removed"
    );

    hide(&site)?;
    let mut server = site.start()?;
    server.ready()?;
    check_answers(&server)?;
    wait::until("the old files are written anew", || {
        server.still_runs()?;
        for secret in &secrets {
            // A file may go while it is read.
            if !hidden(secret).unwrap_or(false) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    server.kill()?;
    let mut server = site.start()?;
    server.ready()?;
    check_answers(&server)
}
