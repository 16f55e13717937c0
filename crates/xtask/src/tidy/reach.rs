//! Code that nobody compiles and tests that nobody runs: both look like safety and are none.
//!
//! Follows `mod` and `include!` from every target's root file as rustc does. Features and `cfg`
//! count as reachable: which of them are built is the runner's choice, not the tree's.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ItemMod, Lit, LitStr, Macro, Meta};

use super::finding::Finding;
use super::source::SourceFile;
use super::workspace::{Member, Workspace, files_below};

/// Kinds of targets: manifest key, folder of automatically found ones, key that turns finding them
/// off.
const TARGETS: &[(&str, &str, &str)] = &[
    ("bin", "src/bin", "autobins"),
    ("test", "tests", "autotests"),
    ("bench", "benches", "autobenches"),
    ("example", "examples", "autoexamples"),
];

/// Every `.rs` file belongs to a target that cargo builds.
pub fn files_are_compiled(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &workspace.members {
        let mut reached = BTreeSet::new();
        for root in target_roots(member) {
            follow(member, &root, true, &mut reached);
        }
        for file in member
            .sources
            .iter()
            .filter(|file| !reached.contains(&file.path))
        {
            let message = "no target of its crate includes this file, so nothing in it is compiled or run: add a `mod`, or delete it";
            findings.push(Finding {
                path: file.path.clone(),
                line: 1,
                rule: "forgotten-file",
                message: message.to_owned(),
            });
        }
    }
    findings
}

/// No test is switched off: by `#[ignore]`, or by `test = false` of a target that has some.
pub fn tests_are_run(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &workspace.members {
        for file in &member.sources {
            let mut ignored = IgnoredTests::default();
            ignored.visit_file(&file.syntax);
            let message = "an ignored test is no test: make it pass, make it fast, or delete it";
            let finding = |line| Finding {
                path: file.path.clone(),
                line,
                rule: "ignored-test",
                message: message.to_owned(),
            };
            findings.extend(ignored.0.into_iter().map(finding));
        }
        let targets = TARGETS
            .iter()
            .filter(|(kind, ..)| matches!(*kind, "bin" | "test"))
            .flat_map(|(kind, ..)| member.manifest.targets(kind));
        let switches = targets
            .map(|target| target.get("test"))
            .chain([member.manifest.field("lib", "test")]);
        for _ in switches
            .flatten()
            .filter(|switch| switch.as_bool() == Some(false))
        {
            let message = "`test = false` keeps a target's tests from every runner: remove it";
            findings.push(Finding {
                path: member.manifest_path(),
                line: 1,
                rule: "ignored-test",
                message: message.to_owned(),
            });
        }
    }
    findings
}

/// Every `Cargo.toml` in the tree belongs to the workspace, so that `cargo test --workspace` means
/// all; or the workspace says that it does not.
pub fn members_are_in_the_workspace(workspace: &Workspace) -> Vec<Finding> {
    let known: BTreeSet<String> = workspace
        .members
        .iter()
        .map(Member::manifest_path)
        .chain(
            workspace
                .excluded
                .iter()
                .map(|dir| format!("{dir}/Cargo.toml")),
        )
        .chain(["Cargo.toml".to_owned()])
        .collect();
    let manifests = files_below(&workspace.root, "", &[], "toml").unwrap_or_default();
    let strays = manifests
        .into_iter()
        .filter(|path| path.ends_with("Cargo.toml") && !known.contains(path));
    let message = "this package is no member of the workspace, so `cargo test --workspace` passes it by: add it to `members`, or to `exclude` if something else runs it";
    strays
        .map(|path| Finding {
            path,
            line: 1,
            rule: "stray-package",
            message: message.to_owned(),
        })
        .collect()
}

/// The root files of the targets that cargo would build, relative to the workspace.
fn target_roots(member: &Member) -> Vec<String> {
    let mut roots: Vec<String> = ["src/lib.rs", "src/main.rs", "build.rs"]
        .map(str::to_owned)
        .to_vec();
    let text = |value: Option<&toml::Value>| value.and_then(toml::Value::as_str).map(str::to_owned);
    roots.extend(text(member.manifest.field("lib", "path")));
    roots.extend(text(member.manifest.field("package", "build")));
    for (kind, folder, switch) in TARGETS {
        for target in member.manifest.targets(kind) {
            match (text(target.get("path")), text(target.get("name"))) {
                (Some(path), _) => roots.push(path),
                (None, Some(name)) => roots.extend([
                    format!("{folder}/{name}.rs"),
                    format!("{folder}/{name}/main.rs"),
                ]),
                (None, None) => {}
            }
        }
        if member
            .manifest
            .field("package", switch)
            .and_then(toml::Value::as_bool)
            != Some(false)
        {
            roots.extend(found_automatically(member, folder));
        }
    }
    roots
        .into_iter()
        .map(|root| normal(&format!("{}/{root}", member.dir)))
        .collect()
}

/// `folder/name.rs` and `folder/name/main.rs`, as cargo finds them, relative to the member.
fn found_automatically(member: &Member, folder: &str) -> Vec<String> {
    let inside = |file: &SourceFile| {
        Some(
            file.path
                .strip_prefix(&format!("{}/{folder}/", member.dir))?
                .to_owned(),
        )
    };
    let is_root = |path: &String| {
        !path.contains('/')
            || path
                .split_once('/')
                .is_some_and(|(_, rest)| rest == "main.rs")
    };
    member
        .sources
        .iter()
        .filter_map(inside)
        .filter(is_root)
        .map(|path| format!("{folder}/{path}"))
        .collect()
}

/// Adds `path` and all that it includes. A root file, and a `mod.rs`, has its modules beside it;
/// any other file in a folder of its name.
fn follow(member: &Member, path: &str, is_root: bool, reached: &mut BTreeSet<String>) {
    let Some(file) = member.sources.iter().find(|file| file.path == path) else {
        return;
    };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let owns_folder = is_root || name == "mod.rs";
    let modules = if owns_folder {
        folder.to_owned()
    } else {
        format!("{folder}/{}", name.trim_end_matches(".rs"))
    };
    let mut includes = Includes {
        beside: folder.to_owned(),
        modules,
        found: Vec::new(),
    };
    includes.visit_file(&file.syntax);
    for (candidate, as_root) in includes.found {
        follow(member, &normal(&candidate), as_root, reached);
    }
}

/// Resolves `.` and `..` without touching the disk.
fn normal(path: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.join("/")
}

/// Where the files may be that one file includes, and whether each would have its modules beside
/// it.
struct Includes {
    /// The folder of the file itself, for `include!` and outermost `#[path]`.
    beside: String,
    /// The folder of the modules at the current nesting.
    modules: String,
    found: Vec<(String, bool)>,
}

impl<'ast> Visit<'ast> for Includes {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let name = module.ident.to_string();
        let inner = format!("{}/{name}", self.modules);
        if module.content.is_some() {
            let outer = (
                std::mem::replace(&mut self.modules, inner.clone()),
                std::mem::replace(&mut self.beside, inner),
            );
            visit::visit_item_mod(self, module);
            (self.modules, self.beside) = outer;
        } else if let Some(path) = module.attrs.iter().find_map(path_attribute) {
            self.found.push((format!("{}/{path}", self.beside), true));
        } else {
            self.found.extend([
                (format!("{inner}.rs"), false),
                (format!("{inner}/mod.rs"), false),
            ]);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let (true, Ok(path)) = (call.path.is_ident("include"), call.parse_body::<LitStr>()) {
            self.found
                .push((format!("{}/{}", self.beside, path.value()), true));
        }
        visit::visit_macro(self, call);
    }
}

fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(literal) if pair.path.is_ident("path") => match &literal.lit {
            Lit::Str(path) => Some(path.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Lines of `#[ignore]`, also inside `#[cfg_attr(…, ignore)]`.
#[derive(Default)]
struct IgnoredTests(Vec<usize>);

impl<'ast> Visit<'ast> for IgnoredTests {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let hidden = match &attribute.meta {
            Meta::List(list) if list.path.is_ident("cfg_attr") => names_ignore(list.tokens.clone()),
            _ => false,
        };
        if hidden || attribute.path().is_ident("ignore") {
            self.0.push(attribute.pound_token.span.start().line);
        }
    }
}

fn names_ignore(tokens: TokenStream) -> bool {
    tokens
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "ignore"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tidy::planted::check;

    #[test]
    fn a_file_that_no_mod_includes_fails() {
        check(
            files_are_compiled,
            &[
                (
                    "crates/a/src/lib.rs",
                    "//! A.\nmod b;\nmod inline { mod c; #[path = \"other.rs\"] mod d; }\ninclude!(\"raw.rs\");\n",
                ),
                ("crates/a/src/b.rs", "//! B.\nmod e;\n"),
                ("crates/a/src/b/e.rs", "//! E.\n#[cfg(test)] mod tests;\n"),
                ("crates/a/src/b/e/tests.rs", "//! T.\n"),
                ("crates/a/src/inline/c/mod.rs", "//! C.\nmod f;\n"),
                ("crates/a/src/inline/c/f.rs", "//! F.\n"),
                ("crates/a/src/inline/other.rs", "//! D.\n"),
                ("crates/a/src/raw.rs", "//! R.\n"),
                ("crates/a/src/bin/tool.rs", "//! Found by cargo.\n"),
                ("crates/a/src/forgotten.rs", "//! Forgotten.\nmod child;\n"),
                ("crates/a/src/forgotten/child.rs", "//! Its child.\n"),
            ],
            &expect![[r#"
                crates/a/src/forgotten.rs:1: [forgotten-file] no target of its crate includes this file, so nothing in it is compiled or run: add a `mod`, or delete it
                crates/a/src/forgotten/child.rs:1: [forgotten-file] no target of its crate includes this file, so nothing in it is compiled or run: add a `mod`, or delete it
            "#]],
        );
    }

    #[test]
    fn a_test_file_that_cargo_does_not_find_fails() {
        let by_hand = "[package]\nname = \"b\"\nautotests = false\n[[test]]\nname = \"listed\"\n[[test]]\nname = \"x\"\npath = \"tests/odd/place.rs\"\n";
        check(
            files_are_compiled,
            &[
                ("crates/a/src/lib.rs", "//! A.\n"),
                ("crates/a/tests/found.rs", "//! Found.\nmod shared;\n"),
                (
                    "crates/a/tests/shared/mod.rs",
                    "//! Found through found.rs.\n",
                ),
                ("crates/a/tests/suite/main.rs", "//! Found.\n"),
                ("crates/a/tests/suite/lost.rs", "//! Lost.\n"),
                ("crates/b/Cargo.toml", by_hand),
                ("crates/b/tests/listed.rs", "//! Listed.\n"),
                ("crates/b/tests/odd/place.rs", "//! Listed.\n"),
                ("crates/b/tests/unlisted.rs", "//! Unlisted.\n"),
            ],
            &expect![[r#"
                crates/a/tests/suite/lost.rs:1: [forgotten-file] no target of its crate includes this file, so nothing in it is compiled or run: add a `mod`, or delete it
                crates/b/tests/unlisted.rs:1: [forgotten-file] no target of its crate includes this file, so nothing in it is compiled or run: add a `mod`, or delete it
            "#]],
        );
    }

    #[test]
    fn a_test_that_is_switched_off_fails() {
        check(
            tests_are_run,
            &[
                (
                    "crates/a/src/lib.rs",
                    "//! A.\n#[test]\n#[ignore]\nfn b() {}\n#[test]\n#[ignore = \"slow\"]\nfn c() {}\n",
                ),
                (
                    "crates/a/tests/d.rs",
                    "//! D.\n#[test]\n#[cfg_attr(not(feature = \"x\"), ignore)]\nfn d() {}\n",
                ),
                (
                    "crates/a/Cargo.toml",
                    "[package]\nname = \"a\"\n[lib]\ntest = false\ndoctest = false\n",
                ),
            ],
            &expect![[r#"
                crates/a/src/lib.rs:3: [ignored-test] an ignored test is no test: make it pass, make it fast, or delete it
                crates/a/src/lib.rs:6: [ignored-test] an ignored test is no test: make it pass, make it fast, or delete it
                crates/a/tests/d.rs:3: [ignored-test] an ignored test is no test: make it pass, make it fast, or delete it
                crates/a/Cargo.toml:1: [ignored-test] `test = false` keeps a target's tests from every runner: remove it
            "#]],
        );
    }

    #[test]
    fn a_package_outside_the_workspace_fails() {
        check(
            members_are_in_the_workspace,
            &[
                ("crates/a/src/lib.rs", "//! A.\n"),
                ("crates/a/fuzz/Cargo.toml", "[package]\nname = \"a-fuzz\"\n"),
            ],
            &expect![[r#"
                crates/a/fuzz/Cargo.toml:1: [stray-package] this package is no member of the workspace, so `cargo test --workspace` passes it by: add it to `members`, or to `exclude` if something else runs it
            "#]],
        );
        check(
            members_are_in_the_workspace,
            &[
                (
                    "Cargo.toml",
                    "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"fuzz\"]\n",
                ),
                ("crates/a/src/lib.rs", "//! A.\n"),
                ("fuzz/Cargo.toml", "[package]\nname = \"fuzz\"\n"),
            ],
            &expect![""],
        );
    }
}
