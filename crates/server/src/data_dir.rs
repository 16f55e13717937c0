//! Makes sure at the start that the data directory can be used, while somebody is still looking, and says
//! what helps where it cannot.
//!
//! Nothing in it is ever deleted for being damaged: whoever runs the command that is named decides that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use checkpoint_store::CheckpointError;

/// The checkpoint's place in the data directory.
pub fn checkpoint_path(data_dir: &Path) -> PathBuf {
    data_dir.join("checkpoint")
}

/// Another process has the directory open. In words, with what helps.
#[derive(Debug)]
pub struct InUse(String);

impl std::fmt::Display for InUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InUse {}

/// Why the checkpoint there cannot be used, and what helps.
pub fn refused(data_dir: &Path, error: &CheckpointError) -> anyhow::Error {
    let path = checkpoint_path(data_dir);
    let path = path.display();
    let away = format!("`mv {path} {path}.away`");
    match error {
        CheckpointError::Corrupt { .. } | CheckpointError::Stopped(_) => damaged(data_dir, error),
        CheckpointError::NewerFormat { written_by, .. } => anyhow!(
            "{path}: {error}. Start rowtide {written_by} or a newer one, give another --data-dir, or move it away and start again: {away}"
        ),
        CheckpointError::Foreign { .. } => anyhow!(
            "{error}. Give another --data-dir; if it was one and its marker is lost, move it away and start again: {away}"
        ),
        CheckpointError::Locked {
            process: Some(process),
            ..
        } => anyhow::Error::new(InUse(format!(
            "{error}. Stop it (`kill {process}`), or give another --data-dir"
        ))),
        CheckpointError::Locked { process: None, .. } => {
            let told = format!("{error}. Stop it, or give another --data-dir");
            anyhow::Error::new(InUse(told))
        }
        CheckpointError::Open { .. } => anyhow!(
            "{error}. Make it readable and writable for this user, or give another --data-dir"
        ),
        CheckpointError::Read(_) | CheckpointError::Write(_) | CheckpointError::Unsettled(_) => {
            anyhow!(
                "{path}: {error}. It may be whole: look at the disk. If it stays so, move it away and start again: {away}"
            )
        }
    }
}

/// The checkpoint is not what was written, and not one of its tables alone.
pub fn damaged(data_dir: &Path, error: &dyn std::error::Error) -> anyhow::Error {
    let path = checkpoint_path(data_dir);
    let path = path.display();
    anyhow!(
        "{path}: {error}. Move it away and start again: `mv {path} {path}.away`. Everything is then read from the log; a table whose log was shortened is incomplete until its source takes a new full snapshot"
    )
}

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
    use row_model::TableId;

    use super::*;

    /// The manual quotes them.
    #[test]
    fn every_refusal_says_what_helps() {
        let place = || "/data/checkpoint".to_owned();
        let errors = [
            CheckpointError::NewerFormat {
                found: 4,
                written_by: "9.0.0".to_owned(),
                supported: 3,
            },
            CheckpointError::Foreign {
                place: place(),
                found: "it contains thesis.tex".to_owned(),
            },
            CheckpointError::Corrupt {
                table: None::<TableId>,
                what: "the header".to_owned(),
                reason: "a checksum does not match".to_owned(),
            },
            CheckpointError::Locked {
                place: place(),
                process: Some(4711),
            },
            CheckpointError::Open {
                dir: place().into(),
                source: io::ErrorKind::PermissionDenied.into(),
            },
            CheckpointError::Read(io::ErrorKind::NotFound.into()),
        ];
        let page = include_str!("../../../docs/reference/recovery.md");
        for error in errors {
            let said = refused(Path::new("/data"), &error).to_string();
            assert!(
                page.contains(&said),
                "docs/reference/recovery.md lacks: {said}"
            );
        }
    }

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
