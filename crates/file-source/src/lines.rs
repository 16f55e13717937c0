//! Splits a byte stream into lines, at a bounded size and without copying a line that fits the buffer.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

/// Bytes asked of the stream at once; small enough to stay in the processor's cache until parsed.
const READ_BYTES: usize = 256 << 10;

/// A longer line is refused: it cannot be one Kafka record (brokers take 1 MB unless told otherwise).
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// What [`LineReader::advance`] came upon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A line, without its end. Its bytes are [`LineReader::bytes`] until the next step.
    Line(Range<usize>),
    /// A line of more than [`LINE_BYTES_MAX`] bytes was passed over.
    TooLong,
    /// The stream has no more just now. What follows the last line end stays for later.
    Pending,
}

pub(crate) struct LineReader {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// The unread part of `buffer`, and how far it is known to hold no line end.
    unread: Range<usize>,
    searched: usize,
    passing_over: bool,
    line_number: u64,
    bytes_read: u64,
}

impl LineReader {
    pub(crate) fn new(input: Box<dyn Read + Send>) -> Self {
        let buffer = vec![0; READ_BYTES];
        Self {
            input,
            buffer,
            unread: 0..0,
            searched: 0,
            passing_over: false,
            line_number: 0,
            bytes_read: 0,
        }
    }

    /// Number of the line that the last step was about, from 1.
    pub(crate) fn line_number(&self) -> u64 {
        self.line_number
    }

    /// Bytes of content taken from the stream so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub(crate) fn bytes(&self, line: Range<usize>) -> &[u8] {
        &self.buffer[line]
    }

    pub(crate) fn advance(&mut self) -> io::Result<Step> {
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..self.unread.end])
            {
                let end = self.searched + found;
                return Ok(self.finish_line(end, end + 1));
            }
            self.searched = self.unread.end;
            if self.unread.len() > LINE_BYTES_MAX {
                self.passing_over = true;
                self.unread.start = self.unread.end;
            }
            if self.fill()? == 0 {
                return Ok(Step::Pending);
            }
        }
    }

    /// What follows the last line end, as a line of its own: call when nothing more will come.
    pub(crate) fn finish(&mut self) -> Step {
        match self.unread.end {
            end if self.unread.is_empty() && !self.passing_over => {
                self.searched = end;
                Step::Pending
            }
            end => self.finish_line(end, end),
        }
    }

    fn finish_line(&mut self, end: usize, next: usize) -> Step {
        let line = self.unread.start..end;
        self.unread.start = next;
        self.searched = next;
        self.line_number += 1;
        if std::mem::take(&mut self.passing_over) || line.len() > LINE_BYTES_MAX {
            Step::TooLong
        } else {
            Step::Line(line)
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.unread.start > 0 {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            self.searched = self.unread.end;
        }
        if self.buffer.len() - self.unread.end < READ_BYTES {
            self.buffer
                .resize(self.unread.end + READ_BYTES.max(self.unread.end), 0);
        } else if self.unread.is_empty() && self.buffer.len() > READ_BYTES {
            // One huge line must not keep its memory for ever.
            self.buffer = vec![0; READ_BYTES];
        }
        loop {
            let room = self.unread.end..self.unread.end + READ_BYTES;
            match self.input.read(&mut self.buffer[room]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.unread.end += count;
                    self.bytes_read += count as u64;
                    return Ok(count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> (Vec<String>, LineReader) {
        let mut reader = LineReader::new(Box::new(io::Cursor::new(content.to_vec())));
        let mut lines = Vec::new();
        loop {
            match reader.advance().unwrap() {
                Step::Line(line) => {
                    lines.push(String::from_utf8_lossy(reader.bytes(line)).into_owned());
                }
                Step::TooLong => lines.push(format!("too long: {}", reader.line_number())),
                Step::Pending => return (lines, reader),
            }
        }
    }

    #[test]
    fn a_line_without_an_end_waits_until_told_that_it_is_the_last() {
        let (lines, mut reader) = read(b"one\n\ntwo\nthr");
        assert_eq!(lines, ["one", "", "two"]);
        assert_eq!(reader.bytes_read(), 12);
        let Step::Line(line) = reader.finish() else {
            panic!("no last line")
        };
        assert_eq!((reader.bytes(line), reader.line_number()), (&b"thr"[..], 4));
        assert_eq!(reader.finish(), Step::Pending);
    }

    #[test]
    fn lines_longer_than_the_buffer_are_whole() {
        let long = "x".repeat(3 * READ_BYTES + 17);
        let (lines, mut reader) = read(format!("a\n{long}\nb\n").as_bytes());
        assert_eq!(lines, ["a", &long, "b"]);
        assert_eq!(reader.finish(), Step::Pending);
    }

    #[test]
    fn a_line_beyond_the_limit_is_passed_over() {
        let mut content = vec![b'x'; 2 * LINE_BYTES_MAX + READ_BYTES];
        content.extend_from_slice(b"\nnext\n");
        let (lines, reader) = read(&content);
        assert_eq!(lines, ["too long: 1", "next"]);
        assert!(reader.buffer.len() <= LINE_BYTES_MAX + 2 * READ_BYTES + LINE_BYTES_MAX);
    }
}
