//! What the process tells about itself: metric names, typed events, the tracing set-up, and the one clock.
//!
//! Refuses to know tables, sources or requests: callers hand over names and numbers. Nothing here
//! ever fails a caller. Invariant: a failure that was handled is one [`Event`], which logs and counts together.

#![forbid(unsafe_code)]

pub mod clock;
mod event;
mod logging;
mod metric;
mod metrics_page;
mod record;

pub use event::{CheckpointEvent, Event, SchemaEvent, StoreEvent};
pub use logging::{LogFormat, LoggingError, init};
pub use metric::{Kind, Metric};
pub use metrics_page::{MetricsError, MetricsPage};
pub use record::{
    Operation, RequestDuration, StageLag, TableGauges, count_applied, count_subscriber,
    count_waiter, record_consumer_lag, record_memory, record_partitions_held, record_state,
    record_store, record_table, record_wait,
};
