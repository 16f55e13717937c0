//! All rows of a query at one cut, in its order, however many there are.
//!
//! They are found by passes over the table, each of which keeps the least rows after the last one of the
//! pass before: a share of the table at a time, so that neither the passes become many nor their rows much.

use std::ops::ControlFlow;

use crate::bind::BoundQuery;
use crate::format::{Format, RowWriter};
use crate::list::{Page, PageRequest};

/// Rows that one pass finds: at least these, ...
const PASS_ROWS_MIN: u64 = 10_000;
/// ... and at most these, ...
const PASS_ROWS_MAX: u64 = 250_000;
/// ... and in between so many that there are as many passes as this.
const PASSES: u64 = 32;

/// Bytes handed on at once.
const PIECE_BYTES: usize = 64 << 10;

/// Why it ended before all rows were handed on.
#[derive(Debug)]
pub enum Ended<E> {
    /// A pass failed.
    Failed(E),
    /// Whoever takes the pieces wants no more.
    NotWanted,
}

/// Hands all rows to `take`, written by `writer` and each ended by a line's end, some at a time. `find`
/// makes a pass at the same cut. Answers how many there were.
///
/// # Errors
/// If a pass fails, or `take` breaks off.
pub fn write_all<E>(
    query: &BoundQuery,
    writer: &mut RowWriter<'_>,
    mut find: impl FnMut(&PageRequest) -> Result<Page, E>,
    mut take: impl FnMut(&mut Vec<u8>) -> ControlFlow<()>,
) -> Result<u64, Ended<E>> {
    let pass_rows = (query.table().rows / PASSES).clamp(PASS_ROWS_MIN, PASS_ROWS_MAX);
    let mut request = PageRequest {
        after: None,
        limit: pass_rows as usize,
        counted: false,
    };
    let (mut piece, mut count) = (Vec::with_capacity(PIECE_BYTES * 2), 0);
    if writer.format() == Format::Csv {
        writer.write_header(&mut piece);
    }
    loop {
        let page = find(&request).map_err(Ended::Failed)?;
        for (number, node) in page.rows.iter().enumerate() {
            writer.write_row(number, node, &mut piece);
            if writer.format() != Format::Csv {
                piece.push(b'\n');
            }
            if piece.len() >= PIECE_BYTES {
                if take(&mut piece).is_break() {
                    return Err(Ended::NotWanted);
                }
                piece.clear();
            }
        }
        count += page.rows.len() as u64;
        match page.rows.last().filter(|_| page.more) {
            Some(last) => request.after = Some(last.row.place().to_vec()),
            None => break,
        }
    }
    if !piece.is_empty() && take(&mut piece).is_break() {
        return Err(Ended::NotWanted);
    }
    Ok(count)
}
