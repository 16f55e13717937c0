//! A record file that grows by a round of changes at a time.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

pub const ROWS: u64 = 20_000;
pub const CHANGES_A_ROUND: u64 = 400_000;

/// Rows that no round changes: those before this one, which the last change of each round is about.
pub const QUIET_ROWS: u64 = 1_000;
pub const LAST_ROW: u64 = QUIET_ROWS;

pub struct Records {
    file: File,
    path: PathBuf,
    written: u64,
}

impl Records {
    /// A file with the quiet rows.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let mut records = Self {
            file: File::create(path)?,
            path: path.to_owned(),
            written: 0,
        };
        let quiet: String = (0..QUIET_ROWS).map(|id| records.change(id)).collect();
        records.file.write_all(quiet.as_bytes())?;
        Ok(records)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a round at once; the number of its last change.
    pub fn append(&mut self) -> anyhow::Result<u64> {
        let mut lines = String::new();
        for nth in 1..=CHANGES_A_ROUND {
            let id = if nth == CHANGES_A_ROUND {
                LAST_ROW
            } else {
                LAST_ROW + 1 + nth % ROWS
            };
            lines.push_str(&self.change(id));
        }
        self.file.write_all(lines.as_bytes())?;
        Ok(self.written)
    }

    fn change(&mut self, id: u64) -> String {
        self.written += 1;
        let nth = self.written;
        let lsn = 1_000 + nth * 8;
        let mut value = String::new();
        let _ = write!(
            value,
            r#"{{"before":null,"after":{{"id":{id},"nth":{nth},"status":"shipped","total":"19.90","note":"leave at the door"}},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"shop","ts_ms":1795223140099,"snapshot":"false","db":"shop","schema":"public","table":"orders","txId":{nth},"lsn":{lsn},"xmin":null}},"transaction":null,"op":"u","ts_ms":1795223140421}}"#
        );
        let record = json!({
            "topic": "shop.public.orders", "partition": 0, "offset": nth - 1,
            "timestamp": 1_795_223_140_875_i64, "key": format!("{{\"id\":{id}}}"), "value": value, "headers": [],
        });
        format!("{record}\n")
    }
}
