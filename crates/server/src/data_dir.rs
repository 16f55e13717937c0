//! Makes sure at the start that the data directory can be used, while somebody is still looking.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;

/// Creates the directory if need be, and tries to write into it.
pub fn prepare(path: &Path) -> anyhow::Result<()> {
    try_write(path).with_context(|| {
        format!(
            "cannot write into the data directory {}: make it writable for this user, give another with --data-dir, or run with --ephemeral",
            path.display()
        )
    })
}

fn try_write(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    // Permissions, read-only mounts and full disks all show by trying, and in no other way.
    let probe = path.join(".write-probe");
    fs::write(&probe, b"rowtide")?;
    fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_and_left_empty() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        prepare(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_said_with_a_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = format!("{:#}", prepare(&file.path().join("x")).unwrap_err());
        assert!(
            error.starts_with("cannot write into the data directory /"),
            "{error}"
        );
        assert!(error.contains("--ephemeral: Not a directory"), "{error}");
    }
}
