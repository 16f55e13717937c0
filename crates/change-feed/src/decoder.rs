//! What records mean.

use row_model::ChangeBatch;

use crate::{RawBatch, RegistryId};

/// The partition a batch came from, in words.
#[derive(Clone, Copy, Debug)]
pub struct TopicContext<'a> {
    pub topic: &'a str,
    pub partition: i32,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Every record is accounted for.
    All,
    /// The record at this index of the batch, and those after it, wait for a schema that is not on the shelf.
    Needs { schema: RegistryId, from: usize },
}

/// Turns raw records into changes. Pure: no IO, no clock, no knowledge of tables.
///
/// Each decode worker has its own decoder; what must agree between workers (the numbering of
/// schemas) is shared inside it.
pub trait Decoder: Send {
    /// Decodes the records of `batch` from the index `from` on, in order, into `out`.
    ///
    /// A record that cannot be decoded becomes a failure in `out` with its reason, and the next
    /// record is decoded as if nothing had happened. Every record of the batch is accounted for:
    /// as a change, as a failure, or by [`ChangeBatch::next_offset`] alone; or it waits for a schema, and
    /// then `out` ends before it.
    fn decode(
        &mut self,
        context: TopicContext<'_>,
        batch: &RawBatch,
        from: usize,
        out: &mut ChangeBatch,
    ) -> Decoded;
}
