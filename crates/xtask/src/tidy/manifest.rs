//! A member's `Cargo.toml`: which crates it names, in which role, on which line.

use anyhow::Context;
use toml::Table;

/// The role in which a crate is depended on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In what ships: `[dependencies]`, `[build-dependencies]`, and both under `[target.…]`.
    Shipped,
    /// `[dev-dependencies]`.
    Tests,
}

/// One dependency as the manifest names it.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The package's own name, also where the manifest renames it.
    pub package: String,
    pub role: Role,
    pub line: usize,
}

/// A parsed `Cargo.toml` of a member.
pub struct Manifest {
    pub name: String,
    pub table: Table,
    pub dependencies: Vec<Dependency>,
}

impl Manifest {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table: Table = text.parse().context("not a TOML document")?;
        let name = table
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str)
            .context("no [package] name")?
            .to_owned();
        let mut dependencies = Vec::new();
        collect(&table, "", text, &mut dependencies);
        let targets = table.get("target").and_then(toml::Value::as_table);
        for (condition, target) in targets.into_iter().flatten() {
            if let Some(target) = target.as_table() {
                collect(target, condition, text, &mut dependencies);
            }
        }
        Ok(Self {
            name,
            table,
            dependencies,
        })
    }

    /// A field of a table such as `[lib]`, if it is there.
    pub fn field(&self, section: &str, key: &str) -> Option<&toml::Value> {
        self.table.get(section)?.get(key)
    }

    /// The tables of an array such as `[[test]]`.
    pub fn targets(&self, kind: &str) -> impl Iterator<Item = &Table> {
        self.table
            .get(kind)
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_table)
    }
}

fn collect(table: &Table, condition: &str, text: &str, found: &mut Vec<Dependency>) {
    let sections = [
        ("dependencies", Role::Shipped),
        ("build-dependencies", Role::Shipped),
        ("dev-dependencies", Role::Tests),
    ];
    for (section, role) in sections {
        let entries = table.get(section).and_then(toml::Value::as_table);
        for (key, value) in entries.into_iter().flatten() {
            let package = value
                .get("package")
                .and_then(toml::Value::as_str)
                .unwrap_or(key);
            found.push(Dependency {
                package: package.to_owned(),
                role,
                line: line_of(text, section, condition, key),
            });
        }
    }
}

/// The line that names `key` in `section`, or 1 where the manifest's layout hides it.
fn line_of(text: &str, section: &str, condition: &str, key: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.trim_end_matches(']');
            if header.ends_with(&format!("{section}.{key}")) && header.contains(condition) {
                return index + 1;
            }
            inside = header.contains(condition) && header.rsplit('.').next() == Some(section);
        } else if inside
            && line
                .split(['.', '=', ' '])
                .next()
                .is_some_and(|name| name.trim_matches('"') == key)
        {
            return index + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_dependency_is_seen_with_its_line() {
        let manifest = Manifest::parse(
            r#"[package]
name = "a"
[dependencies]
plain = "1"
inherited.workspace = true
renamed = { package = "real", version = "1" }
[dependencies.long]
path = "../long"
[dev-dependencies]
plain = "1"
[target.'cfg(unix)'.dependencies]
unix = "1"
"#,
        )
        .unwrap();
        let seen: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|d| (d.package.as_str(), d.role, d.line))
            .collect();
        assert_eq!(
            seen,
            [
                ("inherited", Role::Shipped, 5),
                ("long", Role::Shipped, 7),
                ("plain", Role::Shipped, 4),
                ("real", Role::Shipped, 6),
                ("plain", Role::Tests, 10),
                ("unix", Role::Shipped, 12),
            ]
        );
    }
}
