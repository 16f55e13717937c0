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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Shop, UNBOUND, bound};
    use crate::list::{self, ListError};
    use crate::tree::Query;

    /// What is handed on of a shop's rows, in pieces.
    fn pieces(rows: i64, format: Format, pieces_max: usize) -> (Vec<String>, Option<u64>) {
        let mut shop = Shop::new();
        for id in (0..rows).rev() {
            shop.put(id, "paid");
        }
        shop.publish();
        let cut = shop.store().pin();
        let query = bound(&Query::default(), &cut);
        // What is written after the cut is not of it.
        shop.put(-1, "late");
        shop.publish();
        let mut writer = RowWriter::new(&query, format, false, shop.shapes());
        let mut pieces = Vec::new();
        let find = |request: &PageRequest| list::page(&cut, &query, request, UNBOUND);
        let count = write_all::<ListError>(&query, &mut writer, find, |piece| {
            pieces.push(String::from_utf8(std::mem::take(piece)).unwrap());
            if pieces.len() == pieces_max {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        (pieces, count.ok())
    }

    #[test]
    fn every_row_of_the_cut_comes_once_and_in_order() {
        // More than two passes.
        let rows = 25_000;
        let (pieces, count) = pieces(rows, Format::Objects, usize::MAX);
        assert_eq!(count, Some(rows as u64));
        assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES * 2));
        let all = pieces.concat();
        let ids = all.lines().map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["id"].as_i64().unwrap()
        });
        assert!(ids.eq(0..rows));
    }

    #[test]
    fn csv_has_a_header_also_where_there_are_no_rows() {
        let (full, _) = pieces(2, Format::Csv, usize::MAX);
        assert_eq!(full.concat().lines().count(), 3);
        let (empty, count) = pieces(0, Format::Csv, usize::MAX);
        assert_eq!((empty.concat().lines().count(), count), (1, Some(0)));
    }

    #[test]
    fn nothing_more_is_written_once_nobody_wants_it() {
        let (pieces, count) = pieces(25_000, Format::Objects, 2);
        assert_eq!((pieces.len(), count), (2, None));
    }
}
