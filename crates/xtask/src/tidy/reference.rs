//! What a user can set or watch is in the reference docs: a config key or a metric that is written
//! nowhere does not exist for them.
//!
//! Reads names from the code, never from a list of its own. A place that has moved is a finding, so
//! that the rule cannot run empty.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Field, Item, Lit, LitStr, Macro, Visibility};

use super::finding::Finding;
use super::source::{SourceFile, attributes, is_test_only};
use super::workspace::{Member, Workspace};

const METRICS_CRATE: &str = "telemetry";
const METRICS_PREFIX: &str = "rowtide_";
const METRICS_DOC: &str = "docs/reference/metrics.md";

const CONFIG_CRATE: &str = "config";
/// `raw.rs`, and below it if it is split.
const CONFIG_PLACE: &str = "/raw";
const CONFIG_DOC: &str = "docs/reference/config.md";

/// Every metric name in `telemetry` is in the reference.
pub fn metrics_are_documented(workspace: &Workspace) -> Vec<Finding> {
    let files = workspace
        .member(METRICS_CRATE)
        .into_iter()
        .flat_map(Member::shipped_sources);
    let mut names = Names::default();
    for file in files {
        names.read(file, |name| {
            name.starts_with(METRICS_PREFIX).then(|| name.to_owned())
        });
    }
    let metrics = names.literals;
    if metrics.is_empty() {
        return vec![moved(&format!(
            "no string literal of `{METRICS_CRATE}` begins with `{METRICS_PREFIX}`"
        ))];
    }
    undocumented(workspace, &metrics, METRICS_DOC, "metric")
}

/// Every public field of the raw config is in the reference, under the name it has in the file.
pub fn config_keys_are_documented(workspace: &Workspace) -> Vec<Finding> {
    let files = workspace
        .member(CONFIG_CRATE)
        .into_iter()
        .flat_map(Member::shipped_sources);
    let mut names = Names::default();
    for file in files.filter(|file| file.path.contains(CONFIG_PLACE)) {
        names.read(file, |_| None);
    }
    if names.fields.is_empty() {
        return vec![moved(&format!(
            "no public field in crates/{CONFIG_CRATE}/src{CONFIG_PLACE}.rs"
        ))];
    }
    undocumented(workspace, &names.fields, CONFIG_DOC, "config key")
}

fn undocumented(workspace: &Workspace, names: &Places, doc: &str, what: &str) -> Vec<Finding> {
    let text = workspace.read(doc).unwrap_or_default();
    let missing = names.iter().filter(|(name, _)| !is_written(&text, name));
    missing
        .map(|(name, (path, line))| {
            let message =
                format!("{what} `{name}` is not in {doc}: describe it there, in backticks");
            Finding {
                path: path.clone(),
                line: *line,
                rule: "reference",
                message,
            }
        })
        .collect()
}

/// Whether a code span of `text` is about `name`: `rows`, `memory.rows`, `[rows]`, `rows = 1`,
/// `rows{table}`.
fn is_written(text: &str, name: &str) -> bool {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .map(|span| span.split(['{', '=', ' ']).next().unwrap_or_default())
        .map(|span| span.trim_matches(['[', ']']))
        .any(|span| span.rsplit('.').next() == Some(name))
}

fn moved(message: &str) -> Finding {
    let message = format!("{message}: say in this file where they are now");
    Finding {
        path: "crates/xtask/src/tidy/reference.rs".to_owned(),
        line: 1,
        rule: "reference",
        message,
    }
}

/// Names in order, each with the first place that has it.
type Places = BTreeMap<String, (String, usize)>;

#[derive(Default)]
struct Names {
    literals: Places,
    fields: Places,
}

impl Names {
    fn read(&mut self, file: &SourceFile, wanted: fn(&str) -> Option<String>) {
        let mut reader = Reader {
            path: &file.path,
            wanted,
            names: self,
        };
        reader.visit_file(&file.syntax);
    }
}

struct Reader<'a> {
    path: &'a str,
    /// Picks the metric out of a string literal.
    wanted: fn(&str) -> Option<String>,
    names: &'a mut Names,
}

impl Reader<'_> {
    /// Literals of a macro's arguments, which syn leaves unparsed.
    fn scan(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal) {
                        self.visit_lit_str(&text);
                    }
                }
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        if let Some(name) = (self.wanted)(&literal.value()) {
            self.names
                .literals
                .entry(name)
                .or_insert((self.path.to_owned(), literal.span().start().line));
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.scan(call.tokens.clone());
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if let (Visibility::Public(_), Some(ident)) = (&field.vis, &field.ident) {
            let name = field
                .attrs
                .iter()
                .find_map(serde_rename)
                .unwrap_or_else(|| ident.to_string());
            self.names
                .fields
                .entry(name)
                .or_insert((self.path.to_owned(), ident.span().start().line));
        }
        visit::visit_field(self, field);
    }
}

/// The name in `#[serde(rename = "…")]`.
fn serde_rename(attribute: &Attribute) -> Option<String> {
    let mut name = None;
    if attribute.path().is_ident("serde") {
        // Other keys of the attribute are stepped over; one with an odd form only ends the search.
        let _ = attribute.parse_nested_meta(|meta| {
            let value = meta
                .value()
                .and_then(syn::parse::ParseBuffer::parse::<LitStr>);
            if meta.path.is_ident("rename") {
                name = Some(value?.value());
            }
            Ok(())
        });
    }
    name
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tidy::planted::check;

    #[test]
    fn a_metric_that_is_written_nowhere_fails() {
        let code = "//! T.\nconst A: &str = \"rowtide_rows\";\nconst B: &str = \"rowtide_lag_seconds\";\nmetrics! { C = (\"rowtide_lag\"); }\n";
        check(
            metrics_are_documented,
            &[
                ("crates/telemetry/src/lib.rs", code),
                (
                    METRICS_DOC,
                    "`rowtide_rows{table}` counts; `rowtide_lag_seconds`; rowtide_lag\n",
                ),
            ],
            &expect![[r#"
                crates/telemetry/src/lib.rs:4: [reference] metric `rowtide_lag` is not in docs/reference/metrics.md: describe it there, in backticks
            "#]],
        );
        check(
            metrics_are_documented,
            &[(
                "crates/telemetry/src/lib.rs",
                "//! T.\nconst A: &str = \"rowtide_rows\";\n",
            )],
            &expect![[r#"
                crates/telemetry/src/lib.rs:2: [reference] metric `rowtide_rows` is not in docs/reference/metrics.md: describe it there, in backticks
            "#]],
        );
    }

    #[test]
    fn a_config_key_that_is_written_nowhere_fails() {
        let code = "//! C.\npub struct Raw {\n    pub data_dir: String,\n    #[serde(default, rename = \"max\")]\n    pub maximum: u64,\n    hidden: u8,\n    pub versions: u8,\n    pub listen: u8,\n}\n";
        check(
            config_keys_are_documented,
            &[
                ("crates/config/src/raw.rs", code),
                (
                    CONFIG_DOC,
                    "`data_dir`, `[versions]` and `memory.max = \"4GiB\"`; listen without backticks\n",
                ),
            ],
            &expect![[r#"
                crates/config/src/raw.rs:8: [reference] config key `listen` is not in docs/reference/config.md: describe it there, in backticks
            "#]],
        );
    }

    #[test]
    fn a_rule_that_finds_nothing_to_check_fails() {
        check(
            metrics_are_documented,
            &[("crates/telemetry/src/lib.rs", "//! T.\n")],
            &expect![[r#"
                crates/xtask/src/tidy/reference.rs:1: [reference] no string literal of `telemetry` begins with `rowtide_`: say in this file where they are now
            "#]],
        );
        check(
            config_keys_are_documented,
            &[(
                "crates/config/src/lib.rs",
                "//! C.\npub struct Raw { pub a: u8 }\n",
            )],
            &expect![[r#"
                crates/xtask/src/tidy/reference.rs:1: [reference] no public field in crates/config/src/raw.rs: say in this file where they are now
            "#]],
        );
    }
}
