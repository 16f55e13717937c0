//! Which crate may depend on which: the table under `## Edges` in `crates/ARCHITECTURE.md` is the
//! law, the manifests are checked against it.
//!
//! A crate without a row, and a row that names no crate, are findings too: the map must always be
//! true of the code.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::manifest::Role;
use super::workspace::{Member, Workspace};

const TABLE: &str = "crates/ARCHITECTURE.md";
const HEADING: &str = "## Edges";
const CHAIN_MAX: usize = 6;

/// Edges that no table may allow: the write path and the surface know nothing of each other,
/// `server` joins them.
const NEVER: &[(&str, &str)] = &[("ingest", "http-api"), ("http-api", "ingest")];

const ROW_FORM: &str =
    "a row is `| crate | may depend on | only in tests |`, names in backticks, – for none";

/// What one row of the table allows.
struct Row {
    shipped: Vec<String>,
    tests: Vec<String>,
    line: usize,
}

/// Every internal dependency is in the table, and the table names only what exists.
pub fn edges_are_in_the_table(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.read(TABLE) else {
        return vec![at_table(
            1,
            format!("missing: write it, with a table of internal dependencies under `{HEADING}`"),
        )];
    };
    let (rows, mut findings) = parse_table(&text);
    for (name, row) in &rows {
        let named = [name].into_iter().chain(&row.shipped).chain(&row.tests);
        for unknown in named.filter(|name| workspace.member(name).is_none()) {
            findings.push(at_table(
                row.line,
                format!("`{unknown}` is no crate of this workspace: mend the row of `{name}`"),
            ));
        }
    }
    for member in &workspace.members {
        match rows.get(member.name()) {
            Some(row) => findings.extend(undeclared_edges(workspace, member, row)),
            None => findings.push(at_table(
                1,
                format!("`{}` has no row under `{HEADING}`: add one", member.name()),
            )),
        }
    }
    findings
}

/// No chain of internal dependencies is longer than [`CHAIN_MAX`] crates. Dependencies of tests do
/// not count: they may form circles.
pub fn chain_is_short(workspace: &Workspace) -> Vec<Finding> {
    let chains = workspace
        .members
        .iter()
        .map(|member| longest_chain(workspace, member, &mut Vec::new()));
    let longest = chains.max_by_key(Vec::len).unwrap_or_default();
    if longest.len() <= CHAIN_MAX {
        return Vec::new();
    }
    let message = format!(
        "{} crates in a chain, at most {CHAIN_MAX} allowed: {}",
        longest.len(),
        longest.join(" → ")
    );
    vec![Finding {
        rule: "chain",
        ..at_table(1, message)
    }]
}

fn undeclared_edges(workspace: &Workspace, member: &Member, row: &Row) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dependency in &member.manifest.dependencies {
        let target = dependency.package.as_str();
        // Tests of a crate may turn on its own features through a dependency on itself.
        let on_itself = dependency.role == Role::Tests && target == member.name();
        if on_itself || workspace.member(target).is_none() {
            continue;
        }
        let allowed = row.shipped.iter().any(|name| name == target)
            || dependency.role == Role::Tests && row.tests.iter().any(|name| name == target);
        let never = dependency.role == Role::Shipped && NEVER.contains(&(member.name(), target));
        let message = match (never, allowed, dependency.role) {
            (true, ..) => format!(
                "`{}` and `{target}` never depend on each other: join them in `server`",
                member.name()
            ),
            (false, true, _) => continue,
            (false, false, Role::Shipped) => {
                format!(
                    "`{}` may not depend on `{target}`: remove the edge, or argue it into the table of {TABLE}",
                    member.name()
                )
            }
            (false, false, Role::Tests) => {
                format!(
                    "tests of `{}` may not depend on `{target}`: remove the edge, or argue it into the last column of {TABLE}",
                    member.name()
                )
            }
        };
        findings.push(Finding {
            path: member.manifest_path(),
            line: dependency.line,
            rule: "edge",
            message,
        });
    }
    findings
}

fn longest_chain(workspace: &Workspace, member: &Member, above: &mut Vec<String>) -> Vec<String> {
    above.push(member.name().to_owned());
    let mut longest = Vec::new();
    for dependency in &member.manifest.dependencies {
        // Cargo refuses a circle of shipped dependencies, but tidy must end also where cargo would
        // not build.
        let skipped = dependency.role == Role::Tests || above.contains(&dependency.package);
        if let (false, Some(next)) = (skipped, workspace.member(&dependency.package)) {
            let chain = longest_chain(workspace, next, above);
            if chain.len() > longest.len() {
                longest = chain;
            }
        }
    }
    above.pop();
    longest.insert(0, member.name().to_owned());
    longest
}

/// Reads `| crate | may depend on | only in tests |`, names in backticks, `–` for none.
fn parse_table(text: &str) -> (BTreeMap<String, Row>, Vec<Finding>) {
    let (mut rows, mut findings) = (BTreeMap::new(), Vec::new());
    let body = text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| line.trim() != HEADING)
        .skip(1);
    let lines = body
        .take_while(|(_, line)| !line.starts_with("## "))
        .filter(|(_, line)| line.starts_with('|'));
    // The first two lines are the table's own heading and its rule.
    for (index, line) in lines.skip(2) {
        let line_number = index + 1;
        let cells: Vec<Vec<String>> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(names_in)
            .collect();
        let [name, shipped, tests] = &cells[..] else {
            findings.push(at_table(line_number, ROW_FORM.to_owned()));
            continue;
        };
        let [name] = &name[..] else {
            findings.push(at_table(line_number, ROW_FORM.to_owned()));
            continue;
        };
        let row = Row {
            shipped: shipped.clone(),
            tests: tests.clone(),
            line: line_number,
        };
        if rows.insert(name.clone(), row).is_some() {
            findings.push(at_table(
                line_number,
                format!("`{name}` has two rows: keep one"),
            ));
        }
    }
    if rows.is_empty() {
        findings.push(at_table(
            1,
            format!("no table of internal dependencies under `{HEADING}`: write it"),
        ));
    }
    (rows, findings)
}

/// The names in backticks of one cell.
fn names_in(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn at_table(line: usize, message: String) -> Finding {
    Finding {
        path: TABLE.to_owned(),
        line,
        rule: "edge",
        message,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tidy::planted::check;

    const HEAD: &str =
        "# Map\n\n## Edges\n\n| Crate | May depend on | Only in tests |\n|---|---|---|\n";

    fn table(rows: &str) -> String {
        format!("{HEAD}{rows}\n## After\n\n| `other` | table |\n")
    }

    fn manifest(name: &str, shipped: &[&str], tests: &[&str]) -> String {
        let lines = |names: &[&str]| {
            names
                .iter()
                .map(|name| format!("{name}.workspace = true\n"))
                .collect::<Vec<_>>()
                .concat()
        };
        format!(
            "[package]\nname = {name:?}\n[dependencies]\nserde = \"1\"\n{}[dev-dependencies]\n{}",
            lines(shipped),
            lines(tests)
        )
    }

    #[test]
    fn edges_in_the_table_pass() {
        check(
            edges_are_in_the_table,
            &[
                (
                    TABLE,
                    &table("| `a` | `b`, `c` | – |\n| `b` | – | `c` |\n| `c` | – | – |\n"),
                ),
                ("crates/a/Cargo.toml", &manifest("a", &["b"], &["c"])),
                ("crates/b/Cargo.toml", &manifest("b", &[], &["b", "c"])),
                ("crates/c/Cargo.toml", &manifest("c", &[], &[])),
            ],
            &expect![""],
        );
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_fails_in_its_own_role() {
        check(
            edges_are_in_the_table,
            &[
                (
                    TABLE,
                    &table("| `a` | – | `c` |\n| `b` | – | – |\n| `c` | – | – |\n"),
                ),
                ("crates/a/Cargo.toml", &manifest("a", &["c"], &["b"])),
                ("crates/b/Cargo.toml", &manifest("b", &[], &[])),
                ("crates/c/Cargo.toml", &manifest("c", &[], &[])),
            ],
            &expect![[r#"
                crates/a/Cargo.toml:5: [edge] `a` may not depend on `c`: remove the edge, or argue it into the table of crates/ARCHITECTURE.md
                crates/a/Cargo.toml:7: [edge] tests of `a` may not depend on `b`: remove the edge, or argue it into the last column of crates/ARCHITECTURE.md
            "#]],
        );
    }

    #[test]
    fn the_table_must_be_true_of_the_code() {
        check(
            edges_are_in_the_table,
            &[
                (
                    TABLE,
                    &table("| `a` | – | – |\n| `a` | `gone` | – |\n| b | – |\n"),
                ),
                ("crates/a/Cargo.toml", &manifest("a", &[], &[])),
                ("crates/b/Cargo.toml", &manifest("b", &[], &[])),
            ],
            &expect![[r#"
                crates/ARCHITECTURE.md:8: [edge] `a` has two rows: keep one
                crates/ARCHITECTURE.md:9: [edge] a row is `| crate | may depend on | only in tests |`, names in backticks, – for none
                crates/ARCHITECTURE.md:8: [edge] `gone` is no crate of this workspace: mend the row of `a`
                crates/ARCHITECTURE.md:1: [edge] `b` has no row under `## Edges`: add one
            "#]],
        );
    }

    #[test]
    fn a_missing_table_fails() {
        check(
            edges_are_in_the_table,
            &[("crates/a/Cargo.toml", &manifest("a", &[], &[]))],
            &expect![[r#"
                crates/ARCHITECTURE.md:1: [edge] missing: write it, with a table of internal dependencies under `## Edges`
            "#]],
        );
        check(
            edges_are_in_the_table,
            &[
                (TABLE, "# Map\n"),
                ("crates/a/Cargo.toml", &manifest("a", &[], &[])),
            ],
            &expect![[r#"
                crates/ARCHITECTURE.md:1: [edge] no table of internal dependencies under `## Edges`: write it
                crates/ARCHITECTURE.md:1: [edge] `a` has no row under `## Edges`: add one
            "#]],
        );
    }

    #[test]
    fn no_table_can_join_the_write_path_and_the_surface() {
        check(
            edges_are_in_the_table,
            &[
                (
                    TABLE,
                    &table("| `http-api` | `ingest` | – |\n| `ingest` | – | – |\n"),
                ),
                (
                    "crates/http-api/Cargo.toml",
                    &manifest("http-api", &["ingest"], &[]),
                ),
                ("crates/ingest/Cargo.toml", &manifest("ingest", &[], &[])),
            ],
            &expect![[r#"
                crates/http-api/Cargo.toml:5: [edge] `http-api` and `ingest` never depend on each other: join them in `server`
            "#]],
        );
    }

    #[test]
    fn a_chain_of_seven_fails_and_one_of_six_passes() {
        let chain = |length: usize| -> Vec<(String, String)> {
            let name = |index: usize| format!("c{index}");
            (1..=length)
                .map(|index| {
                    let next = if index < length {
                        vec![name(index + 1)]
                    } else {
                        Vec::new()
                    };
                    let next: Vec<&str> = next.iter().map(String::as_str).collect();
                    // The last crate's tests point back to the first: no chain.
                    (
                        format!("crates/c{index}/Cargo.toml"),
                        manifest(
                            &name(index),
                            &next,
                            if index == length { &["c1"] } else { &[] },
                        ),
                    )
                })
                .collect()
        };
        for (length, expected) in [
            (6, expect![""]),
            (
                7,
                expect![[r#"
            crates/ARCHITECTURE.md:1: [chain] 7 crates in a chain, at most 6 allowed: c1 → c2 → c3 → c4 → c5 → c6 → c7
        "#]],
            ),
        ] {
            let files = chain(length);
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str()))
                .collect();
            check(chain_is_short, &files, &expected);
        }
    }
}
