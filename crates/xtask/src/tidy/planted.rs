//! A small workspace in a temporary folder, with a violation planted in it, for the rules' own
//! tests.

use std::fs;

use expect_test::Expect;
use tempfile::TempDir;

use super::Rule;
use super::workspace::Workspace;

/// The loaded workspace and the folder it lives in, which is removed with it.
pub struct Planted {
    pub workspace: Workspace,
    _folder: TempDir,
}

/// Writes these files, a workspace manifest, and a plain manifest for every member that has none.
pub fn planted(files: &[(&str, &str)]) -> Planted {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    fs::create_dir(folder.path().join("crates")).unwrap();
    let has_tests = files.iter().any(|(path, _)| path.starts_with("tests/"));
    write(
        "Cargo.toml",
        &format!(
            "[workspace]\nmembers = [\"crates/*\"{}]\n",
            if has_tests { ", \"tests\"" } else { "" }
        ),
    );
    for (path, text) in files {
        write(path, text);
    }
    for (path, _) in files {
        let member = match path.split('/').collect::<Vec<_>>()[..] {
            ["crates", name, _, ..] => format!("crates/{name}"),
            ["tests", ..] => "tests".to_owned(),
            _ => continue,
        };
        if !folder.path().join(&member).join("Cargo.toml").exists() {
            write(
                &format!("{member}/Cargo.toml"),
                &format!(
                    "[package]\nname = {:?}\n",
                    member.rsplit('/').next().unwrap()
                ),
            );
        }
    }
    Planted {
        workspace: Workspace::load(folder.path()).unwrap(),
        _folder: folder,
    }
}

/// What `rule` finds in a workspace of these files, a line each.
pub fn check(rule: Rule, files: &[(&str, &str)], expect: &Expect) {
    let found = rule(&planted(files).workspace);
    let lines: Vec<String> = found.iter().map(|finding| format!("{finding}\n")).collect();
    expect.assert_eq(&lines.concat());
}
