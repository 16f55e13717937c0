//! What records mean.

use row_model::ChangeBatch;

use crate::RawBatch;

/// The partition a batch came from, in words.
#[derive(Clone, Copy, Debug)]
pub struct TopicContext<'a> {
    pub topic: &'a str,
    pub partition: i32,
}

/// Turns raw records into changes. Pure: no IO, no clock, no knowledge of tables.
///
/// Each decode worker has its own decoder; what must agree between workers (the numbering of
/// schemas) is shared inside it.
pub trait Decoder: Send {
    /// Decodes every record of `batch`, in order, into `out`.
    ///
    /// A record that cannot be decoded becomes a failure in `out` with its reason, and the next
    /// record is decoded as if nothing had happened. Every record of the batch is accounted for:
    /// as a change, as a failure, or by [`ChangeBatch::next_offset`] alone.
    fn decode(&mut self, context: TopicContext<'_>, batch: &RawBatch, out: &mut ChangeBatch);
}
