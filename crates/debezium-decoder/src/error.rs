//! Why a record could not be decoded. The text is what an operator reads in the quarantine.

use change_feed::RegistryId;
use row_model::KeyTooLong;

use crate::cell::Mismatch;

/// One reason per kind of bad record. Never quotes a cell: the quarantine is listed to readers who
/// may not see every column.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Key and value together are more than the decoder accepts.
    #[error("the record has {bytes} bytes; at most {max} are accepted")]
    TooLarge { bytes: usize, max: usize },
    /// The row would take more than the decoder accepts, though the record does not.
    #[error("the row would take more than {max} bytes")]
    RowTooLarge { max: usize },
    /// The bytes are not text, and no binary format is configured for the topic.
    #[error(
        "the {part} is not UTF-8 text (first bad byte at {at}); binary formats need a schema registry"
    )]
    NotText { part: &'static str, at: usize },
    /// Truncated or otherwise malformed JSON, or JSON of another shape than an envelope's.
    #[error("the {part} is not what it should be: {reason}")]
    Malformed { part: &'static str, reason: String },
    /// Avro or Protobuf, framed as a schema registry's serializers do.
    #[error(
        "the {part} is framed for a schema registry (Avro or Protobuf), and none is configured"
    )]
    NeedsRegistry { part: &'static str },
    /// The registry's schema cannot be used, or the registry has none of this number.
    #[error(
        "the {part} was written by schema {id} of the registry, which cannot be used: {reason}"
    )]
    UnusableSchema {
        part: &'static str,
        id: u32,
        reason: String,
    },
    /// The schema is not at hand yet. Never a failure: decoding stops there and is tried again.
    #[error("waits for schema {schema} of the registry", schema = .schema.0)]
    Waits { schema: RegistryId },
    /// Kafka Connect's string converter was given a struct.
    #[error(
        "the {part} is the text of a Java object (`Struct{{…}}`): the connector's `{part}.converter` is StringConverter; set it to JsonConverter or another that keeps structs"
    )]
    JavaText { part: &'static str },
    /// The topic's records have been of another format so far.
    #[error("the topic has held {known} so far, and this is one of {met}")]
    OtherFormat {
        known: &'static str,
        met: &'static str,
    },
    /// A flattened row cannot be told from others without a key: what it was is not sent.
    #[error("a flattened row without a key; declare the table's key in config, or send envelopes")]
    FlatWithoutKey,
    /// An outbox event without the header that identifies it.
    #[error("an outbox event without its header `id`")]
    NoEventId,
    /// A logical message without the position that identifies it.
    #[error("a logical message without `source.lsn`")]
    NoMessageLsn,
    /// A JSON object that is neither a change nor any other record of Debezium.
    #[error("the value is no Debezium change event: it has no `op` and `source`")]
    NotAnEnvelope,
    /// An operation this version does not know.
    #[error("unknown op {op}")]
    UnknownOp { op: String },
    /// The operation needs an image that is missing.
    #[error("op `{op}` without `{image}`")]
    MissingImage {
        op: &'static str,
        image: &'static str,
    },
    /// A cell does not have the type its schema says.
    #[error("column `{column}` is not a valid {expected}")]
    BadCell {
        column: String,
        expected: &'static str,
    },
    /// The record's key and the row disagree.
    #[error("the record's key does not match its row in column `{column}`")]
    KeyMismatch { column: String },
    /// Config declares a key column that the row does not have.
    #[error("the row has no column `{column}`, which config declares as its key")]
    NoKeyColumn { column: String },
    /// The key is longer than any key may be.
    #[error(transparent)]
    KeyTooLong(#[from] KeyTooLong),
    /// More shapes or columns than a topic may have.
    #[error("the topic has had too many different shapes of rows, or the row too many columns")]
    TooManyShapes,
}

impl DecodeError {
    /// The kind of the reason in one word, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::RowTooLarge { .. } => "too_large",
            Self::NotText { .. } => "not_text",
            Self::Malformed { .. } => "malformed",
            Self::NeedsRegistry { .. } => "needs_registry",
            Self::UnusableSchema { .. } => "unusable_schema",
            Self::Waits { .. } => "waits",
            Self::JavaText { .. } => "java_text",
            Self::OtherFormat { .. } => "other_format",
            Self::FlatWithoutKey => "flat_without_key",
            Self::NoEventId => "no_event_id",
            Self::NoMessageLsn => "no_message_lsn",
            Self::NotAnEnvelope => "not_an_envelope",
            Self::UnknownOp { .. } => "unknown_op",
            Self::MissingImage { .. } => "missing_image",
            Self::BadCell { .. } => "bad_cell",
            Self::KeyMismatch { .. } => "key_mismatch",
            Self::NoKeyColumn { .. } => "no_key_column",
            Self::KeyTooLong(_) => "key_too_long",
            Self::TooManyShapes => "too_many_shapes",
        }
    }

    pub(crate) fn bad_cell(column: &str, mismatch: &Mismatch) -> Self {
        Self::BadCell {
            column: column.to_owned(),
            expected: mismatch.0,
        }
    }

    pub(crate) fn malformed(part: &'static str, error: &serde_json::Error) -> Self {
        Self::Malformed {
            part,
            reason: without_value(&error.to_string()),
        }
    }
}

/// The parser quotes what it met in the place of something else, which may be a cell.
fn without_value(reason: &str) -> String {
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = reason.strip_prefix(kind)
            && let Some((met, expected)) = rest.rsplit_once(", expected ")
        {
            let met = met.split(['`', '"']).next().unwrap_or_default().trim_end();
            return format!("{kind}{met}, expected {expected}");
        }
    }
    reason.to_owned()
}
