//! How a record file is compressed: its name says so, its content is never guessed at.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Compressed bytes read at once.
const INPUT_BUFFER_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Opens a file for reading its plain content.
    pub(crate) fn open(self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(path)?;
        let buffered = |file| BufReader::with_capacity(INPUT_BUFFER_BYTES, file);
        Ok(match self {
            Self::None => Box::new(file),
            // Several members in one file are one content: captures are continued by appending.
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(file))),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(buffered(file))?),
        })
    }
}

#[test]
fn the_last_extension_decides() {
    let of = |name: &str| Compression::of(Path::new(name));
    assert_eq!(of("a/events.jsonl"), Compression::None);
    assert_eq!(of("events.jsonl.gz"), Compression::Gzip);
    assert_eq!(of("events.jsonl.zst"), Compression::Zstd);
    assert_eq!(of("events.gz.jsonl"), Compression::None);
}
