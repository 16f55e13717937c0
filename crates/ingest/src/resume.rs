//! Decides where reading of a partition begins. Pure: no broker, disk or clock.
//!
//! Invariant: we never resume past a change we have not applied. A stalled table is a delay; a
//! skipped change is a wrong answer that nothing later would correct.

use change_feed::{PartitionFacts, StartAt, TopicUuid};
use row_model::NextOffset;

/// What the checkpoint remembers of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedPartition {
    pub next: NextOffset,
    pub topic_uuid: Option<TopicUuid>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeDecision {
    /// Read from here. `complete` says whether what is retained reaches back to the beginning.
    Start { at: StartAt, complete: bool },
    /// Do not read: the table stays as it is and says why.
    Stall { reason: String },
}

/// Where to begin, given what is saved and what the source says of the partition.
#[must_use]
pub fn decide_resume(saved: Option<&SavedPartition>, facts: &PartitionFacts) -> ResumeDecision {
    let place = format!("{}-{}", facts.topic, facts.partition);
    let Some(saved) = saved else {
        let complete = facts.retained_from.0 == 0 || facts.compacted;
        return ResumeDecision::Start {
            at: StartAt::Earliest,
            complete,
        };
    };
    if let (Some(then), Some(now)) = (saved.topic_uuid, facts.topic_uuid)
        && then != now
    {
        let reason = format!(
            "topic {} was recreated: the checkpoint describes another log. Delete the data directory to rebuild from the new one",
            facts.topic
        );
        return ResumeDecision::Stall { reason };
    }
    let wanted = saved.next;
    // A compacted log has no record missing that a later one does not replace.
    if wanted < facts.retained_from && !facts.compacted {
        let reason = format!(
            "{place}: record {} is no longer retained (the log starts at {}): changes between them are lost. Take a new snapshot and delete the data directory",
            wanted.0, facts.retained_from.0
        );
        return ResumeDecision::Stall { reason };
    }
    // Where the end is not known yet, reading on from there finds out.
    if let Some(end) = facts.end
        && end < wanted
    {
        let reason = format!(
            "{place}: the checkpoint expects record {}, but the log ends at {}: it is another log. Delete the data directory to rebuild from it",
            wanted.0, end.0
        );
        return ResumeDecision::Stall { reason };
    }
    ResumeDecision::Start {
        at: StartAt::Offset(wanted.max(facts.retained_from)),
        complete: true,
    }
}

#[cfg(test)]
mod tests {
    use row_model::PartitionId;

    use super::*;

    fn facts(retained_from: u64, end: u64) -> PartitionFacts {
        PartitionFacts {
            id: PartitionId(0),
            topic: "shop.public.orders".to_owned(),
            partition: 0,
            topic_uuid: Some(TopicUuid([1; 16])),
            retained_from: NextOffset(retained_from),
            end: Some(NextOffset(end)),
            compacted: false,
        }
    }

    fn saved(next: u64) -> SavedPartition {
        SavedPartition {
            next: NextOffset(next),
            topic_uuid: Some(TopicUuid([1; 16])),
        }
    }

    fn stalls(decision: &ResumeDecision) -> bool {
        matches!(decision, ResumeDecision::Stall { .. })
    }

    #[test]
    fn resumes_only_where_no_change_would_be_skipped() {
        let resume = |next| decide_resume(Some(&saved(next)), &facts(10, 20));
        let start = |next| ResumeDecision::Start {
            at: StartAt::Offset(NextOffset(next)),
            complete: true,
        };
        assert_eq!(resume(10), start(10));
        assert_eq!(resume(20), start(20)); // Caught up: nothing to read yet.
        assert!(stalls(&resume(9)));
        assert!(stalls(&resume(21)));
        let end_unknown = PartitionFacts {
            end: None,
            ..facts(10, 0)
        };
        assert_eq!(decide_resume(Some(&saved(21)), &end_unknown), start(21));
    }

    #[test]
    fn a_new_partition_is_complete_only_from_its_beginning() {
        let start = |complete| ResumeDecision::Start {
            at: StartAt::Earliest,
            complete,
        };
        assert_eq!(decide_resume(None, &facts(0, 5)), start(true));
        assert_eq!(decide_resume(None, &facts(3, 5)), start(false));
        assert_eq!(
            decide_resume(
                None,
                &PartitionFacts {
                    compacted: true,
                    ..facts(3, 5)
                }
            ),
            start(true)
        );
    }

    #[test]
    fn a_recreated_topic_is_another_log() {
        let recreated = PartitionFacts {
            topic_uuid: Some(TopicUuid([2; 16])),
            ..facts(0, 50)
        };
        assert!(stalls(&decide_resume(Some(&saved(10)), &recreated)));
        // A broker that has no ids says nothing either way.
        let unknown = PartitionFacts {
            topic_uuid: None,
            ..facts(0, 50)
        };
        assert!(!stalls(&decide_resume(Some(&saved(10)), &unknown)));
    }

    #[test]
    fn compaction_loses_nothing_that_a_later_record_does_not_replace() {
        let compacted = PartitionFacts {
            compacted: true,
            ..facts(15, 20)
        };
        assert!(!stalls(&decide_resume(Some(&saved(10)), &compacted)));
    }
}
