//! Where exported rows go: standard output, or a file that takes its name when all of it is on disk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::ExportFormat;
use crate::failure::Failure;

/// Takes bytes, and counts rows.
pub struct Output {
    to: To,
    lines: Lines,
}

enum To {
    Stdout(Stdout),
    File {
        draft: BufWriter<File>,
        path: PathBuf,
    },
}

/// Counts rows. JSON has no line's end in a row; quoted fields of CSV may have some, and a quote in one is two.
struct Lines {
    format: ExportFormat,
    ended: u64,
    is_quoted: bool,
}

impl Output {
    pub fn create(path: Option<&Path>, format: ExportFormat) -> Result<Self, Failure> {
        let to = match path {
            None => To::Stdout(io::stdout()),
            Some(path) if path.file_name().is_none() || path.is_dir() => {
                return Err(Failure::Usage(format!(
                    "--output {}: that is no file",
                    path.display()
                )));
            }
            Some(path) => {
                let draft = draft_of(path);
                let file = File::create(&draft)
                    .with_context(|| format!("cannot write {}", draft.display()))?;
                To::File {
                    draft: BufWriter::new(file),
                    path: path.to_owned(),
                }
            }
        };
        Ok(Self {
            to,
            lines: Lines {
                format,
                ended: 0,
                is_quoted: false,
            },
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.lines.count(bytes);
        match &mut self.to {
            To::Stdout(stdout) => written(stdout.write_all(bytes), || "standard output".to_owned()),
            To::File { draft, path } => {
                let name = || draft_of(path).display().to_string();
                written(draft.write_all(bytes), name)
            }
        }
    }

    /// Gives the file its name. Answers how many rows there are, and where.
    pub fn finish(self) -> Result<(u64, String), Failure> {
        let rows = self.lines.rows();
        let to = match self.to {
            To::Stdout(mut stdout) => {
                written(stdout.flush(), || "standard output".to_owned())?;
                "standard output".to_owned()
            }
            To::File { draft, path } => {
                keep(draft, &path).with_context(|| format!("cannot write {}", path.display()))?;
                path.display().to_string()
            }
        };
        Ok((rows, to))
    }
}

fn keep(draft: BufWriter<File>, path: &Path) -> io::Result<()> {
    let file = draft.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(draft_of(path), path)?;
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn written(result: io::Result<()>, place: impl FnOnce() -> String) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        result => Ok(result.with_context(|| format!("cannot write to {}", place()))?),
    }
}

impl Lines {
    fn count(&mut self, bytes: &[u8]) {
        let is_csv = self.format == ExportFormat::Csv;
        for byte in bytes {
            match byte {
                b'"' if is_csv => self.is_quoted = !self.is_quoted,
                b'\n' if !self.is_quoted => self.ended += 1,
                _ => {}
            }
        }
    }

    /// Without the header of CSV.
    fn rows(&self) -> u64 {
        let header = u64::from(self.format == ExportFormat::Csv);
        self.ended.saturating_sub(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_not_lines() {
        let count = |format, text: &str| {
            let mut lines = Lines {
                format,
                ended: 0,
                is_quoted: false,
            };
            for byte in text.as_bytes() {
                lines.count(&[*byte]);
            }
            lines.rows()
        };
        let json = "{\"a\":\"x\\\"y\"}\n{\"a\":1}\n";
        assert_eq!(count(ExportFormat::Ndjson, json), 2);
        let csv = "a,b\r\n1,\"x \"\"\r\ny\"\r\n2,z\r\n";
        assert_eq!(count(ExportFormat::Csv, csv), 2);
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.ndjson");
        fs::write(&path, "old").unwrap();
        let Ok(mut output) = Output::create(Some(&path), ExportFormat::Ndjson) else {
            panic!("it can be written")
        };
        assert!(output.write(b"{}\n").is_ok());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert!(matches!(output.finish(), Ok((1, _))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
