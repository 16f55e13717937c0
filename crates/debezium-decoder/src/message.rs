//! Logical messages (`pg_logical_emit_message`): rows of an append-only table, keyed by their LSN.

use change_feed::RecordRef;
use row_model::{Change, Column, ColumnType, Moment, RecordFormat, Value};
use serde::Deserialize;

use crate::DecodeError;
use crate::data_change::Event;
use crate::decoding::Decoding;
use crate::headers::HeaderFacts;
use crate::images::Image;
use crate::json_token::Token;
use crate::semantic::Semantic;
use crate::topic::Unwrapped;

const CONTENT: &str = "content";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    source: Token<'a>,
    #[serde(borrow)]
    message: Message<'a>,
    ts_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    prefix: Option<Token<'a>>,
    #[serde(borrow)]
    content: Option<Token<'a>>,
}

/// The fields of the source block that become columns.
#[derive(Deserialize)]
struct Source<'a> {
    lsn: Option<i64>,
    #[serde(rename = "txId")]
    tx_id: Option<i64>,
    ts_ms: Option<i64>,
    #[serde(borrow)]
    schema: Option<&'a str>,
    #[serde(borrow)]
    table: Option<&'a str>,
}

/// What becomes of a message's cells: its prefix, its content and the content's type.
struct Cells<'a> {
    prefix: Option<Token<'a>>,
    content: Option<Token<'a>>,
    semantic: Semantic,
}

impl Decoding<'_> {
    pub fn message(
        &mut self,
        unwrapped: &Unwrapped<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        let malformed = |error| DecodeError::malformed("message", &error);
        let envelope: Envelope<'_> = serde_json::from_str(unwrapped.payload).map_err(malformed)?;
        let schema = unwrapped.schema.as_ref();
        let content = schema.and_then(|schema| schema.field("message")?.field("content"));
        let cells = Cells {
            prefix: envelope.message.prefix,
            content: envelope.message.content,
            semantic: content.map_or(Semantic::Untyped, Semantic::of),
        };
        let change = self.message_row(envelope.source, &cells, record, headers)?;
        Ok(Change {
            connector_ms: envelope.ts_ms,
            ..change
        })
    }

    /// A message whose content a transform has put in the place of a row; `None` if it is a row.
    pub fn decoded_message(
        &mut self,
        source: Token<'_>,
        event: &Event<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        let of_no_table = serde_json::from_str::<Source<'_>>(source.get())
            .is_ok_and(|source| source.schema == Some("") && source.table == Some(""));
        if !of_no_table {
            return Ok(None);
        }
        let cells = Cells {
            prefix: None,
            content: event.after.and_then(Image::json),
            semantic: Semantic::Untyped,
        };
        let change = self.message_row(source, &cells, record, headers)?;
        Ok(Some(Change {
            connector_ms: event.connector_ms,
            ..change
        }))
    }

    fn message_row(
        &mut self,
        source: Token<'_>,
        cells: &Cells<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        self.enters(RecordFormat::Messages)?;
        let facts = self.topic.source.facts(source)?;
        let malformed = |error| DecodeError::malformed("source block", &error);
        let block: Source<'_> = serde_json::from_str(source.get()).map_err(malformed)?;
        let lsn = block.lsn.ok_or(DecodeError::NoMessageLsn)?;
        // Protobuf has zero where nothing is, and no transaction is the zeroth.
        let tx_id = block.tx_id.filter(|id| *id != 0);
        self.builder.clear();
        self.builder.push(Value::Int(lsn));
        let text = Semantic::Text(ColumnType::Text);
        let content = self.topic.rules.made_column(CONTENT, &cells.semantic);
        for (name, token, semantic) in [
            ("prefix", cells.prefix, &text),
            (CONTENT, cells.content, &cells.semantic),
        ] {
            match token {
                None => self.builder.push(Value::Null),
                Some(token) => {
                    self.push_made(name, token, semantic)?;
                }
            }
        }
        let at = |millis| Value::Instant(Moment::from_units(millis, 1000));
        self.builder.push(block.ts_ms.map_or(Value::Null, at));
        self.builder.push(tx_id.map_or(Value::Null, Value::Int));
        let change = self.made_row(record.offset, columns(content.semantic.column_type()))?;
        self.topic.format = Some(RecordFormat::Messages);
        Ok(Change {
            position: facts.position,
            run: headers.run,
            transaction: facts.transaction,
            gtid_line: facts.gtid_line,
            commit_ms: facts.commit_ms,
            ..change
        })
    }
}

fn columns(content: ColumnType) -> Vec<Column> {
    let columns = [
        ("lsn", ColumnType::Int64, false),
        ("prefix", ColumnType::Text, true),
        (CONTENT, content, true),
        ("ts", ColumnType::TimestampTz, true),
        ("txId", ColumnType::Int64, true),
    ];
    let column = |(name, kind, nullable): (&str, ColumnType, bool)| Column {
        name: name.to_owned(),
        kind,
        nullable,
    };
    columns.map(column).to_vec()
}
