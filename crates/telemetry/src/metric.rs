//! Every metric there is, declared once: its name, kind and help.
//!
//! Base units, `_total` on counters, and no label that rows or requests could make grow without bound.
//! Described for users in `docs/reference/metrics.md`.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Stands somewhere.
    Gauge,
    /// Counts observations by size.
    Histogram,
}

/// Declares each metric once, so that its name, kind and help cannot drift apart.
macro_rules! metrics {
    ($($variant:ident = $name:literal, $kind:ident, $help:literal;)*) => {
        #[doc = "A metric of this process."]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

metrics! {
    BuildInfo = "rowtide_build_info", Gauge, "Always 1; the label names the version.";
    State = "rowtide_state", Gauge, "1 for the state of the worst table, 0 for the others.";
    LagSeconds = "rowtide_lag_seconds", Gauge, "Upper bound on a table's age against the log; NaN while unknown.";
    LastCommitTimestampSeconds = "rowtide_last_commit_timestamp_seconds", Gauge, "When the source committed the newest change that is visible.";
    StageLagSeconds = "rowtide_stage_lag_seconds", Histogram, "Time that a live table's records took from their commit to the connector, from there to their time in the log, and from there to the cut that shows them.";
    ConsumerLagRecords = "rowtide_consumer_lag_records", Gauge, "Records between the next one to read and the end of the partition, as last heard of.";
    Rows = "rowtide_rows", Gauge, "Rows of a table.";
    MemoryBytes = "rowtide_memory_bytes", Gauge, "Memory a table takes: rows, keys, slots, older versions, indexes, changes that wait for their transactions.";
    MemoryUsedBytes = "rowtide_memory_used_bytes", Gauge, "Memory that all tables take.";
    MemoryMaxBytes = "rowtide_memory_max_bytes", Gauge, "Memory that they may take: memory.max, or infinity.";
    PartitionsAwaitingMemory = "rowtide_partitions_awaiting_memory", Gauge, "Partitions whose next change would take more than memory.max.";
    EventsAppliedTotal = "rowtide_events_applied_total", Counter, "Changes applied to a table.";
    GhostsSweptTotal = "rowtide_ghosts_swept_total", Counter, "Rows deleted because a full snapshot did not name them.";
    ApplyErrorsTotal = "rowtide_apply_errors_total", Counter, "Records that could not be decoded or applied.";
    SourceErrorsTotal = "rowtide_source_errors_total", Counter, "Times a source lost contact with its log.";
    SchemaRegistryErrorsTotal = "rowtide_schema_registry_errors_total", Counter, "Times a schema registry did not give a schema.";
    PartitionsAwaitingSchema = "rowtide_partitions_awaiting_schema", Gauge, "Partitions whose next record waits for a schema of the registry.";
    CheckpointDurationSeconds = "rowtide_checkpoint_duration_seconds", Histogram, "Time one checkpoint took until it was durable.";
    CheckpointLastSuccessTimestampSeconds = "rowtide_checkpoint_last_success_timestamp_seconds", Gauge, "When the last checkpoint became durable.";
    CheckpointStoreBytes = "rowtide_checkpoint_store_bytes", Gauge, "What the checkpoint takes of the disk.";
    CheckpointLiveBytes = "rowtide_checkpoint_live_bytes", Gauge, "Rows and notes that the checkpoint holds, each counted once.";
    CheckpointRewritesTotal = "rowtide_checkpoint_rewrites_total", Counter, "Times the checkpoint was written anew because it had grown.";
    CheckpointFailing = "rowtide_checkpoint_failing", Gauge, "1 while checkpoints cannot be written, else 0.";
    CheckpointFailuresTotal = "rowtide_checkpoint_failures_total", Counter, "Checkpoints that could not be written.";
    RequestDurationSeconds = "rowtide_request_duration_seconds", Histogram, "Time from a request's head to the head of its answer.";
    Subscribers = "rowtide_subscribers", Gauge, "Requests that follow changes.";
    WaitWaiters = "rowtide_wait_waiters", Gauge, "Requests that wait for tables to come as far as they insist on, or for an answer to change.";
    WaitDurationSeconds = "rowtide_wait_duration_seconds", Histogram, "Time that requests waited for tables to come as far as they insist on, or for an answer to change.";
    RequestPanicsTotal = "rowtide_request_panics_total", Counter, "Requests that ended in a caught panic.";
    ResponseTruncatedTotal = "rowtide_response_truncated_total", Counter, "Answers that stopped at the bound on their size.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_their_kind() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let counts = metric.kind() == Kind::Counter;
            assert_eq!(metric.name().ends_with("_total"), counts, "{metric:?}");
        }
    }
}
