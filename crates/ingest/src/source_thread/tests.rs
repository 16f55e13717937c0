//! As of when a source's thread says that partitions have nothing more.

use std::time::Duration;

use change_feed::{RawBatch, SourceError, StartAt};
use row_model::NextOffset;

use super::*;

const FIRST: PartitionId = PartitionId(0);
const SECOND: PartitionId = PartitionId(1);

/// Has nothing by itself.
struct Mute;

impl Source for Mute {
    fn poll(&mut self, _: Duration, _: &mut Vec<SourceEvent>) {}

    fn start(&mut self, _: PartitionId, _: StartAt) -> Result<(), SourceError> {
        Ok(())
    }

    fn pause(&mut self, _: &[PartitionId]) {}

    fn resume(&mut self, _: &[PartitionId]) {}

    fn acknowledge(&mut self, _: &[(PartitionId, NextOffset)]) {}

    fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        Vec::new()
    }
}

/// One with a single worker, and what that gets.
fn driver() -> (Driver, Receiver<ToWorker>) {
    let (worker, messages) = crossbeam_channel::bounded(limits::QUEUED_BATCHES_MAX);
    let links = SourceLinks {
        source: 0,
        orders: crossbeam_channel::never(),
        questions: crossbeam_channel::never(),
        workers: vec![worker],
        sequencer: crossbeam_channel::bounded(limits::QUEUED_BATCHES_MAX).0,
        stop: Arc::default(),
        in_flight: Arc::default(),
    };
    let mut driver = Driver::new(Box::new(Mute), links);
    for id in [FIRST, SECOND] {
        driver.topics.insert(id, ("t".into(), id.0 as i32));
    }
    (driver, messages)
}

fn end(partition: PartitionId) -> SourceEvent {
    let next = NextOffset(7);
    SourceEvent::End { partition, next }
}

#[test]
fn an_end_is_of_no_moment_where_more_came_right_behind_it() {
    let (mut driver, messages) = driver();
    let records = SourceEvent::Records(RawBatch::new(FIRST));
    let events = vec![end(FIRST), end(SECOND), records, end(FIRST)];
    driver.look_for_last(&events);
    for (nth, event) in events.into_iter().enumerate() {
        driver.take(event, nth, 500);
    }
    let moments = messages.try_iter().filter_map(|message| match message {
        ToWorker::End { ended, .. } => Some(ended.at_ms),
        _ => None,
    });
    assert_eq!(moments.collect::<Vec<_>>(), [None, Some(500), Some(500)]);
}

#[test]
fn of_what_was_not_read_no_silence_is_told() {
    let (mut driver, messages) = driver();
    let told_at = |driver: &mut Driver, at_ms| {
        driver.speak_of_silence(at_ms);
        messages.try_iter().find_map(|message| match message {
            ToWorker::Silence(silence) => Some(silence.at_ms),
            _ => None,
        })
    };
    assert_eq!(told_at(&mut driver, 1_000), None);
    assert_eq!(told_at(&mut driver, 2_000), Some(1_000));
    driver.paused_here[0].insert(FIRST);
    assert_eq!(told_at(&mut driver, 3_000), None);
    driver.paused_here[0].clear();
    assert_eq!(
        told_at(&mut driver, 4_000),
        None,
        "at 3,000 it was not read"
    );
    assert_eq!(told_at(&mut driver, 5_000), Some(4_000));
}
