//! The words every other crate speaks: values, rows, keys, schemas, positions, changes.
//!
//! Pure data: no IO, no clock, no async, no serde. What a row *means* is decided here
//! (which bytes hold a value, which keys are equal, which positions may be compared);
//! where rows live, how they arrive and how they are rendered is decided elsewhere.

#![forbid(unsafe_code)]

mod boundary;
mod change;
mod decimal;
mod exact;
mod gtid;
mod ids;
mod key;
mod notice;
mod position;
mod row;
mod schema;
mod sort_key;
mod spelling;
mod stamp;
mod value;
mod varint;
mod version;

pub use boundary::{Boundary, BoundaryKind, Membership, TransactionKey};
pub use change::{
    Change, ChangeBatch, ChangeKind, Failure, RecordFormat, RunId, SnapshotMark, Transaction,
};
pub use decimal::{Decimal, DecimalError};
pub use exact::Exact;
pub use gtid::{Gtid, GtidLine};
pub use ids::{CutId, NextOffset, PartitionId, SchemaId, SlotId, TableId};
pub use key::{KEY_BYTES_MAX, KeyTooLong, encode_key, encode_key_value};
pub use notice::{Notice, NoticeKind};
pub use position::{Epoch, SourcePosition};
pub use row::{Absent, COLUMNS_MAX, CellFinder, RawCell, Row, RowBuilder, RowCells, SmallNumber};
pub use schema::{Column, ColumnType, Schema, SchemaCatalog, SchemaHistory};
pub use sort_key::{ORDERED_BYTES_MAX, push_sort_key, sort_key_len, sort_key_of_key};
pub use spelling::{
    TimestampText, write_clock, write_date, write_duration, write_timestamp, write_uuid,
};
pub use stamp::{OriginId, Stamp};
pub use value::{Moment, Value, parse_uuid};
pub use version::{Version, VersionParts};
