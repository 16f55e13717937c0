//! The shape of a file: it says what it is, fits in the head, and has a name that means something.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

use super::finding::Finding;
use super::source::SourceFile;
use super::workspace::Workspace;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Names under which anything can be put, and then is.
const VAGUE: &[&str] = &[
    "common", "helper", "helpers", "manager", "misc", "util", "utils",
];

/// Every file begins with a `//!` that says what it does, what it refuses to do, and the invariant
/// it keeps.
pub fn modules_say_what_they_are(workspace: &Workspace) -> Vec<Finding> {
    let silent = all_sources(workspace).filter(|file| {
        !file
            .text
            .lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(is_module_doc)
    });
    let message =
        "begin the file with `//!`: what it does, what it refuses to do, the invariant it keeps";
    silent
        .map(|file| Finding {
            path: file.path.clone(),
            line: 1,
            rule: "module-doc",
            message: message.to_owned(),
        })
        .collect()
}

/// No file is longer than [`FILE_LINES_MAX`] lines.
pub fn files_fit_in_the_head(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in all_sources(workspace) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            let message = format!(
                "{lines} lines, at most {FILE_LINES_MAX} allowed: split it where its module doc says \"and\""
            );
            findings.push(Finding {
                path: file.path.clone(),
                line: FILE_LINES_MAX + 1,
                rule: "file-length",
                message,
            });
        }
    }
    findings
}

/// No function is longer than [`FUNCTION_LINES_MAX`] lines, signature and comments included,
/// attributes not.
pub fn functions_fit_on_a_screen(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in all_sources(workspace) {
        let mut long = LongFunctions::default();
        long.visit_file(&file.syntax);
        for (name, line, lines) in long.0 {
            let message = format!(
                "function `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX} allowed: name its parts"
            );
            findings.push(Finding {
                path: file.path.clone(),
                line,
                rule: "function-length",
                message,
            });
        }
    }
    findings
}

/// No module is called by a name that says nothing.
pub fn names_say_something(workspace: &Workspace) -> Vec<Finding> {
    let vague = all_sources(workspace).filter(|file| {
        file.path
            .split(['/', '.'])
            .any(|part| VAGUE.contains(&part))
    });
    let message = "a name that says nothing about what is inside: name the thing, or move its parts to where they belong";
    vague
        .map(|file| Finding {
            path: file.path.clone(),
            line: 1,
            rule: "name",
            message: message.to_owned(),
        })
        .collect()
}

fn all_sources(workspace: &Workspace) -> impl Iterator<Item = &SourceFile> {
    workspace.members.iter().flat_map(|member| &member.sources)
}

fn is_module_doc(line: &str) -> bool {
    line.strip_prefix("//!")
        .is_some_and(|text| !text.trim().is_empty())
}

/// Name, first line and number of lines of each function that is too long.
#[derive(Default)]
struct LongFunctions(Vec<(String, usize, usize)>);

impl LongFunctions {
    fn measure(&mut self, signature: &Signature, start: Span, body: &Block) {
        let line = start.start().line;
        let lines = body.brace_token.span.close().end().line - line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.0.push((signature.ident.to_string(), line, lines));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig, function.sig.span(), &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.measure(&function.sig, function.sig.span(), &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig, function.sig.span(), body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tidy::planted::check;

    #[test]
    fn a_file_that_does_not_say_what_it_is_fails() {
        check(
            modules_say_what_they_are,
            &[
                ("crates/a/src/lib.rs", "\n//! Says it.\n"),
                ("crates/a/src/late.rs", "use std::fmt;\n"),
                (
                    "crates/a/src/wrong.rs",
                    "/// A doc of the next item, not of the module.\nfn a() {}\n",
                ),
                ("crates/a/src/blank.rs", "//!\nfn a() {}\n"),
                ("crates/a/src/empty.rs", ""),
                ("tests/tests/suite.rs", "#[test]\nfn a() {}\n"),
            ],
            &expect![[r#"
                crates/a/src/blank.rs:1: [module-doc] begin the file with `//!`: what it does, what it refuses to do, the invariant it keeps
                crates/a/src/empty.rs:1: [module-doc] begin the file with `//!`: what it does, what it refuses to do, the invariant it keeps
                crates/a/src/late.rs:1: [module-doc] begin the file with `//!`: what it does, what it refuses to do, the invariant it keeps
                crates/a/src/wrong.rs:1: [module-doc] begin the file with `//!`: what it does, what it refuses to do, the invariant it keeps
                tests/tests/suite.rs:1: [module-doc] begin the file with `//!`: what it does, what it refuses to do, the invariant it keeps
            "#]],
        );
    }

    #[test]
    fn the_801st_line_fails() {
        let file = |lines: usize| format!("//! Long.\n{}", "// line\n".repeat(lines - 1));
        check(
            files_fit_in_the_head,
            &[
                ("crates/a/src/lib.rs", &file(800)),
                ("crates/a/src/b.rs", &file(801)),
            ],
            &expect![[r#"
                crates/a/src/b.rs:801: [file-length] 801 lines, at most 800 allowed: split it where its module doc says "and"
            "#]],
        );
    }

    #[test]
    fn the_71st_line_of_a_function_fails_wherever_it_is() {
        let function = |lines: usize| {
            format!(
                "#[inline]\n/// Doc.\npub fn long(\n) {{\n{}}}\n",
                "    // line\n".repeat(lines - 3)
            )
        };
        let short = function(70);
        let long = function(71);
        let files = [
            ("crates/a/src/short.rs", format!("//! S.\n{short}")),
            ("crates/a/src/long.rs", format!("//! L.\n{long}")),
            (
                "crates/a/src/method.rs",
                format!("//! M.\nstruct A;\nimpl A {{\n{long}}}\n"),
            ),
            (
                "crates/a/src/nested.rs",
                format!("//! N.\nmod inner {{\n{long}}}\n"),
            ),
            (
                "crates/a/src/provided.rs",
                format!("//! P.\ntrait A {{\n{}}}\n", long.replace("pub fn", "fn")),
            ),
        ];
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        check(
            functions_fit_on_a_screen,
            &files,
            &expect![[r#"
            crates/a/src/long.rs:4: [function-length] function `long` has 71 lines, at most 70 allowed: name its parts
            crates/a/src/method.rs:6: [function-length] function `long` has 71 lines, at most 70 allowed: name its parts
            crates/a/src/nested.rs:5: [function-length] function `long` has 71 lines, at most 70 allowed: name its parts
            crates/a/src/provided.rs:5: [function-length] function `long` has 71 lines, at most 70 allowed: name its parts
        "#]],
        );
    }

    #[test]
    fn a_name_that_says_nothing_fails() {
        check(
            names_say_something,
            &[
                ("crates/a/src/utils.rs", "//! U."),
                ("crates/a/src/common/b.rs", "//! C."),
                ("crates/a/src/commonality.rs", "//! Fine."),
            ],
            &expect![[r#"
                crates/a/src/common/b.rs:1: [name] a name that says nothing about what is inside: name the thing, or move its parts to where they belong
                crates/a/src/utils.rs:1: [name] a name that says nothing about what is inside: name the thing, or move its parts to where they belong
            "#]],
        );
    }
}
