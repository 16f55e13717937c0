//! Every path that a file's shipped code names, with the file's own `use` aliases written out.
//!
//! Sees into macro arguments token by token, since syn leaves them unparsed. Does not resolve
//! re-exports of other crates, and pools the aliases of all scopes of a file: a rule may be told of
//! a path too much, never of one too few that the file itself spells.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Item, ItemUse, Macro, UseTree};

use super::source::{attributes, is_test_only};

/// One path, such as `std::fs::read`, and its line. A glob import ends in `::*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    pub path: String,
    pub line: usize,
}

impl NamedPath {
    /// Whether this names `target`, something inside it, or everything of a module above it.
    pub fn reaches(&self, target: &str) -> bool {
        let below = |path: &str, parent: &str| {
            path.strip_prefix(parent)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        match self.path.strip_suffix("::*") {
            Some(module) => below(module, target) || below(target, module),
            None => below(&self.path, target),
        }
    }
}

/// Paths of everything in the file that is not compiled for tests only.
pub fn named_paths(file: &syn::File) -> Vec<NamedPath> {
    let mut aliases = Aliases::default();
    aliases.visit_file(file);
    let mut names = Names {
        aliases: aliases.full_paths,
        found: aliases.imported,
    };
    names.visit_file(file);
    names.found
}

/// First pass: what `use` brings in, and under which name.
#[derive(Default)]
struct Aliases {
    full_paths: HashMap<String, String>,
    imported: Vec<NamedPath>,
}

impl Aliases {
    fn flatten(&mut self, prefix: &str, tree: &UseTree) {
        let joined = |name: &dyn ToString| {
            if prefix.is_empty() {
                name.to_string()
            } else {
                format!("{prefix}::{}", name.to_string())
            }
        };
        match tree {
            UseTree::Path(path) => self.flatten(&joined(&path.ident), &path.tree),
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|item| self.flatten(prefix, item)),
            UseTree::Glob(glob) => {
                self.import(joined(&"*"), None, glob.star_token.spans[0].start().line);
            }
            UseTree::Name(name) if name.ident == "self" => {
                let alias = prefix.rsplit("::").next().map(str::to_owned);
                self.import(prefix.to_owned(), alias, name.ident.span().start().line);
            }
            UseTree::Name(name) => self.import(
                joined(&name.ident),
                Some(name.ident.to_string()),
                name.ident.span().start().line,
            ),
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" {
                    prefix.to_owned()
                } else {
                    joined(&rename.ident)
                };
                self.import(
                    path,
                    Some(rename.rename.to_string()),
                    rename.ident.span().start().line,
                );
            }
        }
    }

    fn import(&mut self, path: String, alias: Option<String>, line: usize) {
        if let Some(alias) = alias {
            self.full_paths.insert(alias, path.clone());
        }
        self.imported.push(NamedPath { path, line });
    }
}

impl<'ast> Visit<'ast> for Aliases {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.flatten("", &item.tree);
    }
}

/// Second pass: every other path, its first segment replaced by what it stands for.
struct Names {
    aliases: HashMap<String, String>,
    found: Vec<NamedPath>,
}

impl Names {
    fn add(&mut self, segments: &[String], line: usize) {
        let Some((first, rest)) = segments.split_first() else {
            return;
        };
        let mut path = self.aliases.get(first).unwrap_or(first).clone();
        for segment in rest {
            path.push_str("::");
            path.push_str(segment);
        }
        self.found.push(NamedPath { path, line });
    }

    fn scan(&mut self, tokens: TokenStream) {
        let (mut segments, mut line, mut colons) = (Vec::new(), 0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(&std::mem::take(&mut segments), line);
                        line = ident.span().start().line;
                    }
                    segments.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.scan(group.stream());
                    colons = 0;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => colons = 0,
            }
        }
        self.add(&segments, line);
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add(&segments, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.scan(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaching(code: &str, target: &str) -> Vec<usize> {
        let paths = named_paths(&syn::parse_file(code).unwrap());
        paths
            .iter()
            .filter(|path| path.reaches(target))
            .map(|path| path.line)
            .collect()
    }

    #[test]
    fn every_spelling_of_a_path_is_seen() {
        for code in [
            "use std::fs;",
            "use std::{io, fs::File};",
            "use std::*;",
            "use std::fs::*;",
            "fn a() { std::fs::read(\"x\"); }",
            "use std::{self as s}; fn a() { s::fs::read(\"x\"); }",
            "use std as s; fn a() -> s::fs::File { todo!() }",
            "fn a() { assert!(std::fs::exists(\"x\").is_ok()); }",
            "fn a() { vec![vec![std::fs::read(\"x\")]]; }",
            "impl A { fn a(x: Vec<std::fs::File>) {} }",
        ] {
            assert!(!reaching(code, "std::fs").is_empty(), "{code}");
        }
    }

    #[test]
    fn what_only_resembles_it_is_not() {
        for code in [
            "use std::fmt;",
            "use crate::std::fs;",
            "fn std() {}",
            "fn a() { other::fs::read(); }",
            "use std::fs_extra;",
            "use std::time::Duration;",
        ] {
            assert_eq!(reaching(code, "std::fs"), [0; 0], "{code}");
            assert_eq!(reaching(code, "std::time::Instant"), [0; 0], "{code}");
        }
    }

    #[test]
    fn tests_may_name_what_they_like_and_lines_are_right() {
        assert_eq!(
            reaching(
                "#[cfg(test)]\nmod tests {\n use std::fs;\n fn a() { fs::read(\"\"); }\n}",
                "std::fs"
            ),
            [0; 0]
        );
        assert_eq!(
            reaching(
                "use std::time;\nfn a() {\n  time::Instant::now();\n}",
                "std::time::Instant"
            ),
            [3]
        );
    }
}
