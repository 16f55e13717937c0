//! Which files a path stands for, in the order in which they are read.

use std::io;
use std::path::{Path, PathBuf};

use change_feed::SourceError;

/// A directory's files that are read. Others (READMEs, temporary names) are passed over.
const RECORD_FILE_ENDINGS: [&str; 3] = [".jsonl", ".jsonl.gz", ".jsonl.zst"];

/// The files to read. The list only grows: a file keeps its index for the life of the source.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    is_directory: bool,
    list: Vec<PathBuf>,
}

impl Files {
    /// `may_be_empty`: a directory that is followed may get its first file later.
    pub(crate) fn find(root: &Path, may_be_empty: bool) -> Result<Self, SourceError> {
        let metadata = std::fs::metadata(root).map_err(|error| unreachable(root, &error))?;
        let is_directory = metadata.is_dir();
        let list = if is_directory {
            Vec::new()
        } else {
            vec![root.to_path_buf()]
        };
        let mut files = Self {
            root: root.to_path_buf(),
            is_directory,
            list,
        };
        files.refresh()?;
        if files.list.is_empty() && !may_be_empty {
            let endings = RECORD_FILE_ENDINGS.join(", ");
            let message = format!(
                "{} holds no record files (names ending in {endings})",
                root.display()
            );
            return Err(SourceError::Config(message));
        }
        Ok(files)
    }

    /// Appends files that came since, in name order.
    pub(crate) fn refresh(&mut self) -> Result<(), SourceError> {
        if !self.is_directory {
            return Ok(());
        }
        let entries =
            std::fs::read_dir(&self.root).map_err(|error| unreachable(&self.root, &error))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry
                .map_err(|error| unreachable(&self.root, &error))?
                .path();
            if is_record_file(&path) && !self.list.contains(&path) {
                found.push(path);
            }
        }
        found.sort();
        self.list.append(&mut found);
        Ok(())
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Path> {
        self.list.get(index).map(PathBuf::as_path)
    }

    pub(crate) fn is_last(&self, index: usize) -> bool {
        index + 1 >= self.list.len()
    }
}

/// A file or directory that cannot be read.
pub(crate) fn unreachable(path: &Path, error: &io::Error) -> SourceError {
    SourceError::Unreachable {
        what: path.display().to_string(),
        reason: error.to_string(),
    }
}

fn is_record_file(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    !name.starts_with('.')
        && RECORD_FILE_ENDINGS
            .iter()
            .any(|ending| name.ends_with(ending))
        && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_in_name_order_and_later_files_come_last() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.jsonl", "a.jsonl.gz", "README.md", ".hidden.jsonl"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let mut files = Files::find(dir.path(), false).unwrap();
        assert_eq!(
            files.list,
            [dir.path().join("a.jsonl.gz"), dir.path().join("b.jsonl")]
        );
        assert!(!files.is_last(0) && files.is_last(1));
        std::fs::write(dir.path().join("0.jsonl"), "").unwrap();
        files.refresh().unwrap();
        assert_eq!(files.get(2), Some(dir.path().join("0.jsonl").as_path()));
    }

    #[test]
    fn says_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let error = Files::find(dir.path(), false).unwrap_err().to_string();
        assert!(
            error
                .ends_with("holds no record files (names ending in .jsonl, .jsonl.gz, .jsonl.zst)"),
            "{error}"
        );
        assert!(Files::find(dir.path(), true).is_ok());
        let error = Files::find(&dir.path().join("nowhere"), true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("nowhere: No such file"), "{error}");
    }
}
