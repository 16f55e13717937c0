//! The workspace as the rules see it: members, their manifests, and their parsed sources.
//!
//! Loads everything once. A file that cannot be parsed is a finding, not an error: the other rules
//! still run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::finding::Finding;
use super::manifest::Manifest;
use super::source::SourceFile;

/// One package of the workspace.
pub struct Member {
    /// Relative to the workspace, with forward slashes: `crates/row-model`.
    pub dir: String,
    pub manifest: Manifest,
    pub sources: Vec<SourceFile>,
}

impl Member {
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    pub fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.dir)
    }

    /// The sources that ship: `src/` and the build script, not tests, benches and examples.
    pub fn shipped_sources(&self) -> impl Iterator<Item = &SourceFile> {
        let (sources, build) = (
            format!("{}/src/", self.dir),
            format!("{}/build.rs", self.dir),
        );
        self.sources
            .iter()
            .filter(move |file| file.path.starts_with(&sources) || file.path == build)
    }
}

/// Everything the rules look at.
pub struct Workspace {
    pub root: PathBuf,
    pub members: Vec<Member>,
    /// The folders of packages that `[workspace] exclude` names.
    pub excluded: Vec<String>,
    /// Files that could not be parsed.
    pub unreadable: Vec<Finding>,
}

impl Workspace {
    pub fn load(root: &Path) -> anyhow::Result<Self> {
        let root = root
            .canonicalize()
            .with_context(|| format!("cannot find {}", root.display()))?;
        let mut workspace = Self {
            members: Vec::new(),
            excluded: excluded_dirs(&root)?,
            unreadable: Vec::new(),
            root,
        };
        let dirs = member_dirs(&workspace.root)?;
        for dir in &dirs {
            let member = workspace.load_member(dir, &dirs)?;
            workspace.members.push(member);
        }
        Ok(workspace)
    }

    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name() == name)
    }

    /// The text of a file that is not a Rust source; `None` if it is not there.
    pub fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn load_member(&mut self, dir: &str, dirs: &[String]) -> anyhow::Result<Member> {
        let manifest_path = self.root.join(dir).join("Cargo.toml");
        let text = fs::read_to_string(&manifest_path)
            .with_context(|| format!("cannot read {}", manifest_path.display()))?;
        let manifest =
            Manifest::parse(&text).with_context(|| manifest_path.display().to_string())?;
        let mut sources = Vec::new();
        for path in files_below(&self.root, dir, dirs, "rs")? {
            let text = fs::read_to_string(self.root.join(&path))
                .with_context(|| format!("cannot read {path}"))?;
            match SourceFile::parse(path.clone(), text) {
                Ok(file) => sources.push(file),
                Err(error) => self.unreadable.push(Finding {
                    path,
                    line: error.span().start().line,
                    rule: "syntax",
                    message: format!("does not parse: {error}"),
                }),
            }
        }
        Ok(Member {
            dir: dir.to_owned(),
            manifest,
            sources,
        })
    }
}

/// A list of `[workspace]` in the root's manifest.
fn workspace_list(root: &Path, name: &str) -> anyhow::Result<Option<Vec<String>>> {
    let text = fs::read_to_string(root.join("Cargo.toml"))
        .context("no Cargo.toml at the workspace's root")?;
    let table: toml::Table = text.parse().context("Cargo.toml")?;
    let list = table
        .get("workspace")
        .and_then(|workspace| workspace.get(name))
        .and_then(toml::Value::as_array);
    let texts = |list: &Vec<toml::Value>| {
        let texts = list.iter().filter_map(toml::Value::as_str);
        texts.map(str::to_owned).collect()
    };
    Ok(list.map(texts))
}

fn excluded_dirs(root: &Path) -> anyhow::Result<Vec<String>> {
    Ok(workspace_list(root, "exclude")?.unwrap_or_default())
}

/// The folders that `[workspace] members` names: literal ones and `parent/*`.
fn member_dirs(root: &Path) -> anyhow::Result<Vec<String>> {
    let members = workspace_list(root, "members")?;
    let mut dirs = Vec::new();
    for pattern in members.context("Cargo.toml has no [workspace] members")? {
        match pattern.strip_suffix("/*") {
            None if pattern.contains('*') => {
                bail!("tidy reads members as a folder or as `folder/*`, not {pattern:?}")
            }
            None => dirs.push(pattern),
            Some(parent) => {
                for entry in fs::read_dir(root.join(parent))
                    .with_context(|| format!("cannot list {parent}"))?
                {
                    let entry = entry?;
                    if entry.path().join("Cargo.toml").is_file() {
                        dirs.push(format!("{parent}/{}", entry.file_name().to_string_lossy()));
                    }
                }
            }
        }
    }
    dirs.sort();
    Ok(dirs)
}

/// Files with this extension below `dir`, sorted, leaving out build output, hidden folders, and
/// folders of other members.
pub fn files_below(
    root: &Path,
    dir: &str,
    members: &[String],
    extension: &str,
) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(dir)).with_context(|| format!("cannot list {dir}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if dir.is_empty() {
            name.clone()
        } else {
            format!("{dir}/{name}")
        };
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" && !members.contains(&path) {
                found.extend(files_below(root, &path, members, extension)?);
            }
        } else if Path::new(&name)
            .extension()
            .is_some_and(|found| found == extension)
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::tidy::planted::planted;

    #[test]
    fn a_file_that_does_not_parse_is_a_finding() {
        let tree = planted(&[("crates/a/src/lib.rs", "//! A.\nfn (\n")]);
        assert_eq!(tree.workspace.unreadable.len(), 1);
        assert_eq!(tree.workspace.unreadable[0].line, 2);
    }

    #[test]
    fn a_members_sources_end_where_the_next_member_begins() {
        let tree = planted(&[
            ("crates/a/src/lib.rs", "//! A."),
            ("tests/src/lib.rs", "//! T."),
            ("tests/tests/one.rs", "//! One."),
        ]);
        let counts: Vec<_> = tree
            .workspace
            .members
            .iter()
            .map(|member| (member.dir.as_str(), member.sources.len()))
            .collect();
        assert_eq!(counts, [("crates/a", 1), ("tests", 2)]);
    }
}
