//! Lines of record files: what recognises our own lines, against what reads any line.

use file_source::line::{LineParser, ParsedLine};

use crate::memory;

/// The parser's buffers, and what they may take for each byte.
const HELD_BYTES_BASE: usize = 64 << 10;
const HELD_BYTES_PER_BYTE: usize = 100;

/// A line means the same whatever lines came before it, and however it is written.
pub fn check(data: &[u8]) {
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * data.len();
    memory::within(bytes_max, || {
        let mut parser = LineParser::default();
        for line in data.split(|byte| *byte == b'\n') {
            let here = said(&mut parser, line);
            assert_eq!(here, said(&mut LineParser::default(), line), "alone");
            if let (Ok(here), Some(with_more)) = (here, with_unknown_member(line)) {
                // Only the general parser takes it, and it ignores what it does not know.
                let general = said(&mut LineParser::default(), &with_more);
                assert_eq!(Ok(here), general, "by the general parser");
            }
        }
    });
}

fn said(parser: &mut LineParser, line: &[u8]) -> Result<String, String> {
    parser.parse(line).map(|line| {
        let headers: Vec<_> = line.headers().collect();
        let ParsedLine {
            topic,
            partition,
            offset,
            timestamp_ms,
            key,
            value,
            ..
        } = line;
        format!("{topic:?} {partition} {offset} {timestamp_ms:?} {key:?} {value:?} {headers:?}")
    })
}

/// The line with one member more at the end of its object.
fn with_unknown_member(line: &[u8]) -> Option<Vec<u8>> {
    let object = line.trim_ascii_end().strip_suffix(b"}")?;
    Some([object, br#","not_of_a_record":0}"#].concat())
}
