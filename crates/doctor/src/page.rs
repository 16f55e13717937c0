//! The pages of `docs/doctor`, written from the rules.
//!
//! `UPDATE_EXPECT=1 cargo test -p doctor` writes them; without the variable the tests fail when they are not up to date, and
//! where a page has no rule.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use crate::{Rule, rules};

const GENERATED: &str =
    "<!-- Written by `UPDATE_EXPECT=1 cargo test -p doctor`. Do not edit. -->\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor")
}

fn all() -> impl Iterator<Item = &'static Rule> {
    rules::ALL.iter().copied().flatten().copied()
}

fn page(rule: &Rule) -> String {
    let Rule {
        id,
        severity,
        title,
        why,
        told,
        mending,
    } = rule;
    format!(
        "# {title}\n\n{GENERATED}\n`{id}` · {severity}\n\n{why}\n\n## When it is told\n\n{told}\n\n## How to mend it\n\n{mending}\n\n[All findings](README.md)\n"
    )
}

fn index() -> String {
    let mut out = format!("# What `rowtide doctor` finds\n\n{GENERATED}\n");
    out += "`rowtide doctor` asks the brokers and, where it is told them, Kafka Connect and the database, and says what is wrong or risky and the line that mends it:\n\n";
    out += "```sh\nrowtide doctor --config rowtide.toml --connect-url http://connect:8083 --dsn postgres://user:password@db:5432/shop\n```\n\n";
    out += "It changes nothing anywhere, and prints no password. It exits with 1 where something is wrong or risky. `rowtide check --connect` is its short form: it only tests whether what the configuration names is there.\n\n";
    out += "| | |\n|---|---|\n";
    out += "| wrong | Tables are wrong, or will be with the next change of a certain kind; or nothing arrives at all |\n";
    out += "| risky | Nothing is wrong until something else happens |\n";
    out += "| slow | Right, and later than it could be |\n";
    out += "| hint | Worth knowing |\n\n";
    out += "## Every finding\n\n| Finding | | What is the matter |\n|---|---|---|\n";
    for Rule {
        id,
        severity,
        title,
        ..
    } in all()
    {
        let _ = writeln!(out, "| [`{id}`]({id}.md) | {severity} | {title} |");
    }
    out
}

#[test]
fn every_rule_has_its_page_and_every_page_its_rule() {
    for rule in all() {
        expect_file![folder().join(format!("{}.md", rule.id))].assert_eq(&page(rule));
    }
    expect_file![folder().join("README.md")].assert_eq(&index());
    let names = std::fs::read_dir(folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> = names.collect();
    let mut expected: BTreeSet<String> = all().map(|rule| format!("{}.md", rule.id)).collect();
    expected.insert("README.md".to_owned());
    assert_eq!(pages, expected, "pages and rules");
}

#[test]
fn ids_are_names_and_texts_are_sentences() {
    let mut ids = BTreeSet::new();
    for rule in all() {
        assert!(ids.insert(rule.id), "two rules are called {}", rule.id);
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(rule.id.chars().all(fits), "{}", rule.id);
        for text in [rule.why, rule.told] {
            assert!(text.ends_with('.'), "{}: {text}", rule.id);
        }
        assert!(!rule.title.ends_with('.'), "{}", rule.id);
        // It is read in a terminal: three lines are what anyone reads.
        assert!(
            !rule.why.contains("]("),
            "{}: a link in a terminal",
            rule.id
        );
        assert!(rule.why.len() < 330, "{}: {}", rule.id, rule.why.len());
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let ids: BTreeSet<&str> = all().map(|rule| rule.id).collect();
    for rule in all() {
        for link in page(rule).split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            let Some(id) = target
                .strip_suffix(".md")
                .filter(|id| !id.contains('/') && *id != "README")
            else {
                let file = target.split('#').next().unwrap();
                assert!(
                    folder().join(file).exists() || file == "README.md",
                    "{}: {target}",
                    rule.id
                );
                continue;
            };
            assert!(ids.contains(id), "{}: {target}", rule.id);
        }
    }
}
