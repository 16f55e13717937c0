//! Equal rows of a multiset, which have one content and the numbers from 0: how many there are, which of
//! them a removal means, and how the numbers stay without gaps when one goes.

use row_model::{CutId, SchemaId, SourcePosition, Stamp};
use table_store::{Incoming, TableWriter};

use crate::keyless::{self, Content};

/// Of so many equal rows the one that was removed is looked for. Beyond it any is as good.
const COPIES_LOOKED_AT_MAX: u64 = 64;

/// How many rows with this content are held.
pub(crate) fn count(writer: &TableWriter, content: Content) -> u64 {
    keyless::count(|number| {
        let held = writer.newest(&content.key(number));
        held.is_some_and(|held| !held.is_deleted())
    })
}

/// Of several equal rows the newest that was made before a position; a row of a snapshot was.
pub(crate) fn newest_before(
    writer: &TableWriter,
    content: Content,
    held: u64,
    at: Option<SourcePosition>,
) -> Option<u64> {
    let made = |number: u64| Some(writer.newest(&content.key(number))?.stamp().streamed);
    let looked_at = (held.saturating_sub(COPIES_LOOKED_AT_MAX)..held).rev();
    let copies = looked_at.filter_map(|number| Some((number, made(number)?)));
    let older = copies.filter(|(_, made)| {
        let both = made.as_ref().zip(at.as_ref());
        !both.is_some_and(|(made, at)| at.is_before(made))
    });
    let newest = older.reduce(|newest, other| match (&newest.1, &other.1) {
        (Some(made), Some(later)) if made.is_before(later) => other,
        (None, Some(_)) => other,
        _ => newest,
    });
    newest.map(|(number, _)| number)
}

/// Removes one of several equal rows. The last one takes its place.
pub(crate) fn take_out(
    writer: &mut TableWriter,
    cut: CutId,
    content: Content,
    number: u64,
    schema: Option<SchemaId>,
    incoming: &Incoming,
) {
    let last = count(writer, content).saturating_sub(1);
    let Some(moved) = writer.newest(&content.key(last)) else {
        return;
    };
    if number < last {
        let row = moved.row().map(|row| row.as_bytes());
        let stamp = moved.stamp();
        writer.write(cut, &content.key(number), moved.schema(), row, |_| {
            Some(stamp)
        });
    }
    let schema = schema.unwrap_or(moved.schema());
    writer.write(cut, &content.key(last), schema, None, |_| {
        Some(Stamp {
            epoch: incoming.epoch,
            streamed: incoming.position,
            origin: incoming.origin,
            ..Stamp::default()
        })
    });
}
