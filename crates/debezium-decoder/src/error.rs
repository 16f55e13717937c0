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
    /// A document's text that has half a character, or is no document.
    #[error("the {part} is no document in extended JSON")]
    NoDocument { part: &'static str },
    /// Deeper than MongoDB can hold it.
    #[error("the {part} is nested deeper than {max} levels")]
    TooDeep { part: &'static str, max: usize },
    /// Avro or Protobuf, framed as a schema registry's serializers do.
    #[error(
        "the {part} is framed for a schema registry (Avro or Protobuf), and none is configured"
    )]
    NeedsRegistry { part: &'static str },
    /// Config says Avro or Protobuf, and the bytes name no schema.
    #[error(
        "config says that the {part} is Avro or Protobuf, and it is not framed for a schema registry: a zero byte and the number of a schema come first"
    )]
    NotFramed { part: &'static str },
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
    /// Cassandra's deletion of a partition or of a range of rows.
    #[error(
        "a deletion of more than one row (a partition or a range of clustering keys), which does not name them: they stay until the table is rebuilt from a new snapshot"
    )]
    DeletesRange,
    /// A cell does not have the type its schema says.
    #[error("column `{column}` is not a valid {expected}")]
    BadCell {
        column: String,
        expected: &'static str,
    },
    /// A cell is not what config says its column holds.
    #[error("column `{column}` does not fit its type in config, `{hint}`")]
    HintMismatch { column: String, hint: String },
    /// Config drops a column that rows are known by.
    #[error(
        "the key has the column `{column}`, which config drops: hash it instead, or it names no row"
    )]
    KeyDropped { column: String },
    /// A flattened document whose key is hidden by one of its two names.
    #[error(
        "the record's key says under `id` what config hides under `_id`: name both in the table's `hash`"
    )]
    KeyNameHides,
    /// A key without the name of its column, where config hides columns.
    #[error(
        "the key is a bare value, which may be one of the columns that config hides: add \"__key\" to the table's `hash`, or send keys with the names of their columns"
    )]
    BareKeyHides,
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
            Self::NoDocument { .. } => "no_document",
            Self::TooDeep { .. } => "too_deep",
            Self::NeedsRegistry { .. } => "needs_registry",
            Self::NotFramed { .. } => "not_framed",
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
            Self::DeletesRange => "deletes_range",
            Self::BadCell { .. } => "bad_cell",
            Self::HintMismatch { .. } => "hint_mismatch",
            Self::KeyDropped { .. } => "key_dropped",
            Self::KeyNameHides => "key_name_hides",
            Self::BareKeyHides => "bare_key_hides",
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
            reason: without_values(error),
        }
    }

    /// The reason for readers who may not see any value of the record: an operation is one, too.
    pub(crate) fn reason(&self, hides: bool) -> String {
        match self {
            Self::UnknownOp { .. } if hides => "unknown op".to_owned(),
            _ => self.to_string(),
        }
    }
}

/// What the parser says, without the value that it met in the place of another.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.classify() != serde_json::error::Category::Data || text.starts_with("missing field ") {
        return text;
    }
    let place = format!("at line {} column {}", error.line(), error.column());
    let met = text
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.rsplit_once(", expected "));
    let Some((met, expected)) = met else {
        return format!("a value of another kind {place}");
    };
    // `string "…"`, ``integer `…` ``: the word is the kind, the rest is the value.
    let kind = met.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("invalid type: {kind}, expected {expected}")
}
