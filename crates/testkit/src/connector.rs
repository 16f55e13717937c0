//! Events as Debezium's connector for PostgreSQL writes them (JSON without schemas), ready for a
//! [`ScriptedLog`](crate::scripted_source::ScriptedLog).
//!
//! Tables have the default replica identity. Every row is `{"id": …, "v": …}` and every key
//! `{"id": …}`: what rows hold is the decoder's tests' affair. Refuses to keep any state: places,
//! positions and transactions are the test's to choose.

use row_model::{SchemaHistory, Value, Version};

use crate::scripted_source::PlannedRecord;

/// One run of a connector. Runs are ordered by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connector {
    pub run: u32,
}

/// Where an event goes, and where it stands in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<'a> {
    pub topic: &'a str,
    pub partition: i32,
    /// `None` is a source that tells no position: then only the log's order counts.
    pub lsn: Option<u64>,
    pub transaction: Option<u64>,
}

impl<'a> At<'a> {
    /// A transaction of one change, numbered as its position is.
    pub fn lsn(topic: &'a str, partition: i32, lsn: u64) -> Self {
        Self {
            topic,
            partition,
            lsn: Some(lsn),
            transaction: Some(lsn),
        }
    }
}

impl Connector {
    /// A row of the first snapshot.
    #[must_use]
    pub fn snapshot(self, at: At<'_>, id: i64, v: &str) -> PlannedRecord {
        self.written(at, "r", id, v)
    }

    #[must_use]
    pub fn create(self, at: At<'_>, id: i64, v: &str) -> PlannedRecord {
        self.written(at, "c", id, v)
    }

    #[must_use]
    pub fn update(self, at: At<'_>, id: i64, v: &str) -> PlannedRecord {
        self.written(at, "u", id, v)
    }

    /// A delete without the tombstone that mostly follows it. Its image is the key alone.
    #[must_use]
    pub fn delete(self, at: At<'_>, id: i64) -> PlannedRecord {
        self.event(
            at,
            "d",
            Some(id),
            &format!(r#""before":{{"id":{id},"v":null}},"after":null"#),
        )
    }

    #[must_use]
    pub fn tombstone(self, at: At<'_>, id: i64) -> PlannedRecord {
        PlannedRecord {
            value: None,
            ..self.event(at, "d", Some(id), "")
        }
    }

    #[must_use]
    pub fn truncate(self, at: At<'_>) -> PlannedRecord {
        self.event(at, "t", None, r#""before":null,"after":null"#)
    }

    /// A heartbeat: it takes an offset and changes no row.
    #[must_use]
    pub fn heartbeat(at: At<'_>) -> PlannedRecord {
        PlannedRecord::new(at.topic, at.partition, None, Some(r#"{"ts_ms":1}"#))
    }

    /// A record that was cut off on its way.
    #[must_use]
    pub fn broken(at: At<'_>) -> PlannedRecord {
        PlannedRecord::new(
            at.topic,
            at.partition,
            Some(r#"{"id":1}"#),
            Some(r#"{"op":"c","#),
        )
    }

    /// The row that leaves when its key changes: a delete that names the new key.
    #[must_use]
    pub fn moved_away(self, at: At<'_>, id: i64, to: i64) -> PlannedRecord {
        with_header(self.delete(at, id), "__debezium.newkey", to)
    }

    /// The row that arrives when its key changes: a create that names the old key.
    #[must_use]
    pub fn moved_here(self, at: At<'_>, id: i64, v: &str, from: i64) -> PlannedRecord {
        with_header(self.create(at, id, v), "__debezium.oldkey", from)
    }

    /// A change of a table without a key, of which the source sends whole rows before and after.
    #[must_use]
    pub fn keyless(
        self,
        at: At<'_>,
        op: &str,
        before: Option<(i64, &str)>,
        after: Option<(i64, &str)>,
    ) -> PlannedRecord {
        let image =
            |row: Option<(i64, &str)>| row.map_or("null".to_owned(), |(id, v)| image(id, v));
        let images = format!(r#""before":{},"after":{}"#, image(before), image(after));
        self.event(at, op, None, &images)
    }

    /// A row of a snapshot of a table without a key. `mark` is `true`, `first`, `last` and the like.
    #[must_use]
    pub fn keyless_snapshot(self, at: At<'_>, row: (i64, &str), mark: &str) -> PlannedRecord {
        with_mark(self.keyless(at, "r", None, Some(row)), mark)
    }

    /// What follows a delete from a table without a key.
    #[must_use]
    pub fn keyless_tombstone(self, at: At<'_>) -> PlannedRecord {
        PlannedRecord {
            value: None,
            ..self.event(at, "d", None, "")
        }
    }

    /// The same event, written again by this run: a connector that did not know it had.
    #[must_use]
    pub fn again(self, event: &PlannedRecord) -> PlannedRecord {
        let mut event = event.clone();
        for (name, value) in &mut event.headers {
            if name == RUN_ID {
                *value = Some(self.run_id().into_bytes());
            }
        }
        event
    }

    fn written(self, at: At<'_>, op: &str, id: i64, v: &str) -> PlannedRecord {
        let images = format!(r#""before":null,"after":{}"#, image(id, v));
        self.event(at, op, Some(id), &images)
    }

    fn event(self, at: At<'_>, op: &str, id: Option<i64>, images: &str) -> PlannedRecord {
        let mut parts = at.topic.rsplit('.');
        let (table, schema) = (parts.next().unwrap_or_default(), parts.next());
        let schema = schema.unwrap_or("public");
        let number = |number: Option<u64>| number.map_or("null".to_owned(), |it| it.to_string());
        let (lsn, transaction) = (number(at.lsn), number(at.transaction));
        let snapshot = if op == "r" { "true" } else { "false" };
        let value = format!(
            r#"{{{images},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"s","ts_ms":5,"snapshot":"{snapshot}","db":"d","sequence":"[null,\"{lsn}\"]","schema":"{schema}","table":"{table}","txId":{transaction},"lsn":{lsn},"xmin":null}},"transaction":null,"op":"{op}","ts_ms":6}}"#
        );
        let key = id.map(|id| format!(r#"{{"id":{id}}}"#));
        PlannedRecord {
            timestamp_ms: 7,
            headers: vec![(RUN_ID.to_owned(), Some(self.run_id().into_bytes()))],
            ..PlannedRecord::new(at.topic, at.partition, key.as_deref(), Some(&value))
        }
    }

    fn run_id(self) -> String {
        format!("01a1fbb5-4ae7-7171-8aee-{:012x}", self.run)
    }
}

/// Where the connector tells boundaries of transactions.
impl PlannedRecord {
    /// The same event as one of a transaction's, counted from one.
    #[must_use]
    pub fn within(self, transaction: u64, order: u64) -> Self {
        let value = self.value.map(|value| {
            let value = String::from_utf8_lossy(&value);
            let block = format!(
                r#""transaction":{{"id":"{transaction}:{order}","total_order":{order},"data_collection_order":1}}"#
            );
            value
                .replace(r#""transaction":null"#, &block)
                .into_bytes()
        });
        Self { value, ..self }
    }
}

/// The `id` and `v` of a row that one of these events left in a table.
#[must_use]
pub fn read_row(version: &Version, schemas: &SchemaHistory) -> Option<(i64, String)> {
    let (row, schema) = (version.row()?, schemas.get(version.schema())?);
    let column = |name: &str| row.get(schema.column(name)?);
    match (column("id")?, column("v")?) {
        (Value::Int(id), Value::Text(v)) => Some((id, v.to_owned())),
        _ => None,
    }
}

const RUN_ID: &str = "__debezium.context.runId";

fn image(id: i64, v: &str) -> String {
    format!(r#"{{"id":{id},"v":"{v}"}}"#)
}

/// The same row of a snapshot with another mark.
#[must_use]
pub fn with_mark(record: PlannedRecord, mark: &str) -> PlannedRecord {
    let value = record.value.map(|value| {
        let value = String::from_utf8_lossy(&value);
        let mark = format!(r#""snapshot":"{mark}""#);
        value.replace(r#""snapshot":"true""#, &mark).into_bytes()
    });
    PlannedRecord { value, ..record }
}

/// A record of the transaction topic: a transaction begins, or ends with so many events of each table.
#[must_use]
pub fn boundary(topic: &str, transaction: u64, events: Option<&[(&str, u64)]>) -> PlannedRecord {
    let counts = events.map(|events| {
        let counts = events.iter().map(|(table, count)| {
            format!(r#"{{"data_collection":"{table}","event_count":{count}}}"#)
        });
        counts.collect::<Vec<_>>().join(",")
    });
    let total: u64 = events.into_iter().flatten().map(|(_, count)| count).sum();
    // The position differs between the two, as it does in truth.
    let (status, position) = if events.is_some() {
        ("END", 2)
    } else {
        ("BEGIN", 1)
    };
    let collections = counts.map_or_else(|| "null".to_owned(), |counts| format!("[{counts}]"));
    let value = format!(
        r#"{{"status":"{status}","id":"{transaction}:{position}","event_count":{total},"data_collections":{collections},"ts_ms":5}}"#
    );
    let key = format!(r#"{{"id":"{transaction}:{position}"}}"#);
    PlannedRecord::new(topic, 0, Some(&key), Some(&value))
}

fn with_header(mut record: PlannedRecord, name: &str, key: i64) -> PlannedRecord {
    let value = format!(r#"{{"id":{key}}}"#).into_bytes();
    record.headers.push((name.to_owned(), Some(value)));
    record
}
