//! The configuration file: any text is a configuration or says what is wrong with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use config::{ConfigArgs, load};

use crate::memory;

/// The server reads a file, so this is one: in memory where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let shared_memory = PathBuf::from("/dev/shm");
    let folder = if shared_memory.is_dir() {
        shared_memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("rowtide-fuzz-config-{}", std::process::id()))
});

/// The schema of the configuration is built once; the rest goes with the file.
const HELD_BYTES_BASE: usize = 4 << 20;
const HELD_BYTES_PER_BYTE: usize = 2_000;

/// It is read twice to the same end, and each finding says what to do.
pub fn check(data: &[u8]) {
    // A reference to a file would read what happens to be there.
    if data.windows(5).any(|window| window == b"file:") {
        return;
    }
    let written = fs::write(&*FILE, data);
    assert!(written.is_ok(), "{}: {written:?}", FILE.display());
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * data.len();
    let first = memory::within(bytes_max, said);
    assert_eq!(first, said());
}

fn said() -> Result<String, String> {
    let flags = ConfigArgs {
        config: Some(FILE.clone()),
        ..ConfigArgs::default()
    };
    let environment = BTreeMap::from([("SECRET".to_owned(), "x".to_owned())]);
    match load(&flags, &environment) {
        Ok(config) => Ok(format!("{config:?}")),
        Err(errors) => {
            let text = errors.to_string();
            assert!(!text.is_empty());
            Err(text)
        }
    }
}
