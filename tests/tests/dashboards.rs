//! Whatever the dashboard and the alerts ask of Prometheus, a running server serves: each metric by its name, with the
//! labels that are asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use black_box::orders;
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::Site;
use black_box::wait;

const ASKING: [&str; 3] = [
    "deploy/grafana/rowtide.json",
    "deploy/prometheus/alerts.yaml",
    "docs/reference/metrics.md",
];

/// Labels that Prometheus itself puts onto what it scrapes.
const OF_THE_SCRAPE: &[&str] = &["instance", "job"];

/// The labels of each metric, whether they are asked for or served.
type Labels = BTreeMap<String, BTreeSet<String>>;

#[test]
fn what_dashboard_and_alerts_ask_for_is_served() -> anyhow::Result<()> {
    let mut asked = Labels::new();
    for file in ASKING {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let text = fs::read_to_string(&path).with_context(|| file.to_owned())?;
        // Quotes are escaped in JSON.
        let found = metrics_in(&text.replace('\\', ""));
        ensure!(!found.is_empty(), "{file} asks for nothing");
        if file.starts_with("deploy") {
            for (metric, labels) in found {
                asked.entry(metric).or_default().extend(labels);
            }
        } else {
            documented(&asked, &found)?;
        }
    }
    let site = eventful()?;
    let mut server = site.start()?;
    let lacks = RefCell::new(BTreeSet::new());
    wait::until("every metric is served", || {
        server.still_runs()?;
        let Ok(page) = server.admin("/metrics") else {
            // It does not listen yet.
            return Ok(None);
        };
        provoke(&site, &server)?;
        *lacks.borrow_mut() = lacking(&asked, &metrics_in(&page.text));
        Ok(lacks.borrow().is_empty().then_some(()))
    })
    .with_context(|| format!("not served: {:#?}", lacks.borrow()))
}

/// A server to which everything happens that is counted only when it happens: a record that cannot be decoded, one whose schema
/// nobody gives, a broker that is away.
fn eventful() -> anyhow::Result<Site> {
    let site = Site::on_kafka("127.0.0.1:1", &["away.*"], 20)?;
    fs::create_dir(site.path("records"))?;
    let file = format!(
        "[[sources]]\nname = \"file\"\nkind = \"file\"\npath = \"{}\"\nfollow = true\n\
         [sources.schema_registry]\nurl = \"http://127.0.0.1:1\"\n",
        site.path("records").display()
    );
    site.configure(&(site.configuration()? + &file))?;
    let mut of_no_schema = Record::new("shop.public.typed", 0, 0);
    of_no_schema.value_b64 = Some("AAAAAAcA".to_owned());
    site.deliver(&[
        orders::written(0, 1, "new"),
        orders::nonsense(1, 2),
        of_no_schema,
    ])?;
    Ok(site)
}

/// One more change, which is told of where its table is live by now; a wait; and somebody who follows for a moment.
fn provoke(site: &Site, server: &Server) -> anyhow::Result<()> {
    let offset = server
        .next_offsets()
        .and_then(|ends| ends.get(&(orders::TOPIC.to_owned(), 0)).copied());
    if let Some(offset) = offset {
        site.append(&[orders::written(offset, 3, "paid")])?;
    }
    // Whether they are answered is not what this is about.
    let _ = server.get("/v1/wait", &[("tables", "orders"), ("max_lag", "5s")]);
    let _ = server.get(
        "/v1/tables/orders/rows",
        &[("at_least", "log_end"), ("wait", "1s")],
    );
    let feed = [("tables", "orders"), ("format", "json"), ("wait", "1ms")];
    let _ = server.get("/v1/changes", &feed);
    Ok(())
}

/// What is asked for and not served, in words.
fn lacking(asked: &Labels, served: &Labels) -> BTreeSet<String> {
    let mut lacks = BTreeSet::new();
    for (metric, labels) in asked {
        match served.get(metric) {
            None => drop(lacks.insert(metric.clone())),
            Some(there) => lacks.extend(
                labels
                    .iter()
                    .filter(|label| !there.contains(*label))
                    .filter(|label| !OF_THE_SCRAPE.contains(&label.as_str()))
                    .map(|label| format!("{metric}{{{label}}}")),
            ),
        }
    }
    lacks
}

/// Whoever looks at a panel finds the metric in the docs.
fn documented(asked: &Labels, documented: &Labels) -> anyhow::Result<()> {
    for metric in asked.keys() {
        let family = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|part| metric.strip_suffix(part))
            .unwrap_or(metric);
        ensure!(
            documented.contains_key(family),
            "{metric} is not documented"
        );
    }
    Ok(())
}

/// Names that begin with `rowtide_` and are followed by what a metric may be followed by, with the labels in their braces.
fn metrics_in(text: &str) -> Labels {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Labels::new();
    for (start, _) in text.match_indices("rowtide_") {
        if text[..start].ends_with(in_name) {
            continue;
        }
        let rest = &text[start..];
        let (name, rest) = rest.split_at(rest.find(|c| !in_name(c)).unwrap_or(rest.len()));
        let labels = found.entry(name.to_owned()).or_default();
        let Some(braces) = rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .map(|(braces, _)| braces)
        else {
            continue;
        };
        let mut left = braces;
        while let Some((label, rest)) = left.split_once('=') {
            labels.insert(label.trim_matches([',', ' ', '!']).to_owned());
            // The value, in quotes.
            left = rest.splitn(3, '"').nth(2).unwrap_or_default();
        }
    }
    found
}

#[test]
fn names_and_labels_are_found_in_queries_and_on_the_page() {
    let found = metrics_in(
        r#"sum by (le) (rate(rowtide_a_bucket{instance=~"$instance",table!="x, y=z"}[5m])) / rowtide_b < +Inf; no_rowtide_c"#,
    );
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["rowtide_a_bucket", "rowtide_b"]);
    let labels: Vec<_> = found["rowtide_a_bucket"]
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(labels, ["instance", "table"]);
}
