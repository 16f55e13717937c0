//! What a crate must *not* know: the pure crates no IO, clock or runtime; everyone but its owner no
//! heavy crate; domain types no wire format.
//!
//! Third-party crates are checked where they enter (the manifest and the code), the standard
//! library in the code. Tests are free.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemEnum, ItemImpl, ItemStruct, Visibility};

use super::finding::Finding;
use super::manifest::Role;
use super::paths::named_paths;
use super::source::{SourceFile, attributes, is_test_only};
use super::workspace::{Member, Workspace};

/// Decide purely, act at the edge: these crates only decide.
const PURE: &[&str] = &["row-model", "query", "debezium-decoder", "doctor"];

/// Third-party crates that are IO, a clock or a runtime.
const IMPURE_CRATES: &[&str] = &[
    "axum",
    "crossbeam-channel",
    "figment",
    "hyper",
    "memmap2",
    "metrics",
    "mio",
    "notify",
    "rdkafka",
    "reqwest",
    "signal-hook",
    "sled",
    "socket2",
    "tempfile",
    "time",
    "chrono",
    "tokio",
    "tower",
    "tracing",
    "ureq",
];

/// Parts of the standard library that are IO, a clock, or the process around us.
const IMPURE_STD: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
];

/// Macros that write to the process's own streams.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// `row-model` is the bottom of everything: it knows no serialisation at all.
const NO_SERDE: (&str, &[&str]) = ("row-model", &["serde", "serde_json"]);

/// Heavy third-party crates, and the one crate that may name each.
const OWNED: &[(&str, &str)] = &[
    ("rdkafka", "kafka-source"),
    ("rdkafka-sys", "kafka-source"),
    ("sled", "checkpoint-store"),
    ("rmcp", "mcp-api"),
];

/// Crates whose types are what things mean, not how they are written on a wire (`api-types` is
/// that).
const DOMAIN: &[&str] = &["row-model", "table-store", "query", "ingest"];

/// The pure crates name no IO, clock or runtime.
pub fn pure_crates_stay_pure(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in PURE.iter().filter_map(|name| workspace.member(name)) {
        let no_serde = if member.name() == NO_SERDE.0 {
            NO_SERDE.1
        } else {
            &[]
        };
        for dependency in member
            .manifest
            .dependencies
            .iter()
            .filter(|dependency| dependency.role == Role::Shipped)
        {
            let package = dependency.package.as_str();
            if IMPURE_CRATES.contains(&package) || no_serde.contains(&package) {
                findings.push(impure(
                    member,
                    &member.manifest_path(),
                    dependency.line,
                    package,
                ));
            }
        }
        for file in member.shipped_sources() {
            for named in named_paths(&file.syntax) {
                let banned = IMPURE_STD
                    .iter()
                    .find(|banned| named.reaches(banned))
                    .or_else(|| PRINTING.iter().find(|name| **name == named.path));
                if let Some(banned) = banned {
                    findings.push(impure(member, &file.path, named.line, banned));
                }
            }
        }
    }
    findings
}

/// rdkafka, sled and rmcp are each named by one crate only, tests included.
pub fn heavy_crates_have_one_owner(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (heavy, owner) in OWNED {
        for member in workspace
            .members
            .iter()
            .filter(|member| member.name() != *owner)
        {
            let in_manifest = member
                .manifest
                .dependencies
                .iter()
                .filter(|dependency| dependency.package == *heavy);
            let mut places: Vec<_> = in_manifest
                .map(|dependency| (member.manifest_path(), dependency.line))
                .collect();
            let in_code = heavy.replace('-', "_");
            for file in &member.sources {
                let named = named_paths(&file.syntax)
                    .into_iter()
                    .filter(|named| named.reaches(&in_code));
                places.extend(named.map(|named| (file.path.clone(), named.line)));
            }
            let message = format!("only `{owner}` may name `{heavy}`: go through its interface");
            findings.extend(places.into_iter().map(|(path, line)| Finding {
                path,
                line,
                rule: "owner",
                message: message.clone(),
            }));
        }
    }
    findings
}

/// Public types of the domain do not derive or implement `Serialize`.
pub fn domain_types_are_not_wire_types(workspace: &Workspace) -> Vec<Finding> {
    let files = DOMAIN
        .iter()
        .filter_map(|name| workspace.member(name))
        .flat_map(Member::shipped_sources);
    files.flat_map(serialized_types).collect()
}

/// The crates that the rules above speak of exist: a renamed crate must not slip out of its rule.
pub fn ruled_crates_exist(workspace: &Workspace) -> Vec<Finding> {
    let mut ruled: Vec<_> = PURE.iter().chain(DOMAIN).collect();
    ruled.sort();
    ruled.dedup();
    let missing = ruled
        .into_iter()
        .filter(|name| workspace.member(name).is_none());
    missing
        .map(|name| Finding {
            path: "crates/xtask/src/tidy/purity.rs".to_owned(),
            line: 1,
            rule: "pure",
            message: format!(
                "`{name}` is no crate of this workspace: name the crate that took its place"
            ),
        })
        .collect()
}

fn impure(member: &Member, path: &str, line: usize, named: &str) -> Finding {
    let name = member.name();
    let remedy = if NO_SERDE.1.contains(&named) {
        "convert to a type of its own where it is written or read"
    } else {
        "take the value as an argument, and let the caller do the IO"
    };
    let message = format!("`{name}` must not name `{named}`: {remedy}");
    Finding {
        path: path.to_owned(),
        line,
        rule: "pure",
        message,
    }
}

fn serialized_types(file: &SourceFile) -> Vec<Finding> {
    let mut lines = SerializeLines::default();
    lines.visit_file(&file.syntax);
    let message =
        "a domain type must not be `Serialize`: convert it to a type of `api-types` at the surface";
    let finding = |line| Finding {
        path: file.path.clone(),
        line,
        rule: "wire",
        message: message.to_owned(),
    };
    lines.0.into_iter().map(finding).collect()
}

#[derive(Default)]
struct SerializeLines(Vec<usize>);

impl SerializeLines {
    /// A type that is not public is no domain type: it may well be the encoding of one.
    fn check_derives(&mut self, visibility: &Visibility, attributes: &[Attribute]) {
        let attributes = if matches!(visibility, Visibility::Public(_)) {
            attributes
        } else {
            &[]
        };
        for attribute in attributes {
            let path = attribute.path();
            let derives = path.is_ident("derive") || path.is_ident("cfg_attr");
            if let (true, Ok(list)) = (derives, attribute.meta.require_list()) {
                self.0.extend(serialize_in(list.tokens.clone()));
            }
        }
    }
}

impl<'ast> Visit<'ast> for SerializeLines {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.check_derives(&item.vis, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.check_derives(&item.vis, &item.attrs);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let serialize = item
            .trait_
            .as_ref()
            .and_then(|(_, path, _)| path.segments.last())
            .filter(|name| name.ident == "Serialize");
        self.0
            .extend(serialize.map(|name| name.ident.span().start().line));
        visit::visit_item_impl(self, item);
    }
}

fn serialize_in(tokens: TokenStream) -> Option<usize> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "Serialize" => Some(ident.span().start().line),
        TokenTree::Group(group) => serialize_in(group.stream()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tidy::planted::check;

    #[test]
    fn a_pure_crate_that_reads_files_clocks_or_prints_fails() {
        check(
            pure_crates_stay_pure,
            &[
                (
                    "crates/query/Cargo.toml",
                    "[package]\nname = \"query\"\n[dependencies]\ntokio = \"1\"\n[dev-dependencies]\ntempfile = \"3\"\n",
                ),
                (
                    "crates/query/src/lib.rs",
                    "//! Q.\nuse std::time::{Duration, Instant};\nfn a() { println!(\"{:?}\", Instant::now()); }\n#[cfg(test)]\nmod tests { use std::fs; }\n",
                ),
                (
                    "crates/query/tests/corpus.rs",
                    "//! Reads a recording.\nuse std::fs;\n",
                ),
                (
                    "crates/server/src/main.rs",
                    "//! May do anything.\nuse std::fs;\n",
                ),
            ],
            &expect![[r#"
                crates/query/Cargo.toml:4: [pure] `query` must not name `tokio`: take the value as an argument, and let the caller do the IO
                crates/query/src/lib.rs:2: [pure] `query` must not name `std::time::Instant`: take the value as an argument, and let the caller do the IO
                crates/query/src/lib.rs:3: [pure] `query` must not name `std::time::Instant`: take the value as an argument, and let the caller do the IO
                crates/query/src/lib.rs:3: [pure] `query` must not name `println`: take the value as an argument, and let the caller do the IO
            "#]],
        );
    }

    #[test]
    fn the_row_model_knows_no_serde() {
        let manifest = "[package]\nname = \"row-model\"\n[dependencies]\nserde.workspace = true\n";
        check(
            pure_crates_stay_pure,
            &[("crates/row-model/Cargo.toml", manifest)],
            &expect![[r#"
                crates/row-model/Cargo.toml:4: [pure] `row-model` must not name `serde`: convert to a type of its own where it is written or read
            "#]],
        );
    }

    #[test]
    fn a_heavy_crate_outside_its_owner_fails_even_in_tests() {
        check(
            heavy_crates_have_one_owner,
            &[
                (
                    "crates/ingest/Cargo.toml",
                    "[package]\nname = \"ingest\"\n[dev-dependencies]\nsled = \"0.34\"\n",
                ),
                (
                    "crates/ingest/src/lib.rs",
                    "//! I.\nfn a(p: rdkafka::TopicPartitionList) {}\n",
                ),
                (
                    "crates/checkpoint-store/Cargo.toml",
                    "[package]\nname = \"checkpoint-store\"\n[dependencies]\nsled = \"0.34\"\n",
                ),
                (
                    "crates/checkpoint-store/src/lib.rs",
                    "//! C.\nuse sled::Db;\n",
                ),
            ],
            &expect![[r#"
                crates/ingest/src/lib.rs:2: [owner] only `kafka-source` may name `rdkafka`: go through its interface
                crates/ingest/Cargo.toml:4: [owner] only `checkpoint-store` may name `sled`: go through its interface
            "#]],
        );
    }

    #[test]
    fn a_serialized_domain_type_fails() {
        check(
            domain_types_are_not_wire_types,
            &[
                (
                    "crates/ingest/src/a.rs",
                    "//! A.\n#[derive(Clone, serde::Serialize)]\npub struct A;\n",
                ),
                (
                    "crates/ingest/src/b.rs",
                    "//! B.\n#[cfg_attr(feature = \"x\", derive(Serialize))]\npub enum B {}\nimpl Serialize for C {}\n",
                ),
                (
                    "crates/ingest/src/c.rs",
                    "//! C.\n#[derive(Deserialize)]\npub struct C;\n#[derive(Serialize)]\npub(crate) struct Note;\n#[cfg(test)]\nmod tests { #[derive(Serialize)] pub struct T; }\n",
                ),
                (
                    "crates/api-types/src/lib.rs",
                    "//! The wire.\n#[derive(Serialize)]\nstruct D;\n",
                ),
            ],
            &expect![[r#"
                crates/ingest/src/a.rs:2: [wire] a domain type must not be `Serialize`: convert it to a type of `api-types` at the surface
                crates/ingest/src/b.rs:2: [wire] a domain type must not be `Serialize`: convert it to a type of `api-types` at the surface
                crates/ingest/src/b.rs:4: [wire] a domain type must not be `Serialize`: convert it to a type of `api-types` at the surface
            "#]],
        );
    }

    #[test]
    fn a_rule_about_a_crate_that_is_gone_fails() {
        let there = PURE.iter().chain(&["table-store"]);
        let crates: Vec<String> = there
            .map(|name| format!("crates/{name}/src/lib.rs"))
            .collect();
        let files: Vec<(&str, &str)> = crates
            .iter()
            .map(|path| (path.as_str(), "//! Here."))
            .collect();
        check(
            ruled_crates_exist,
            &files,
            &expect![[r#"
            crates/xtask/src/tidy/purity.rs:1: [pure] `ingest` is no crate of this workspace: name the crate that took its place
        "#]],
        );
    }
}
