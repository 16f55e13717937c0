//! Decides what a start does with each table: reads on, builds it anew, or leaves it as it is and says
//! what would help. Pure: no broker, disk or clock.
//!
//! Invariants: we never read on past a change we have not applied, and never make a table anew from
//! less than the whole of its log unless asked to. A stalled table is a delay; a skipped change, or
//! an emptier table, is a wrong answer that nothing later would correct.

mod causes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use change_feed::{PartitionFacts, StartAt, TopicUuid};
use row_model::{NextOffset, PartitionId};

use crate::preparation::Rebuild;

pub(crate) use self::causes::{Named, RebuildCause, Refusal};

/// How far a partition had been read, and of which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedPartition {
    /// Where reading goes on.
    pub next: NextOffset,
    /// Everything before it was applied. It is beyond `next` by a last delete, which is read again for
    /// its tombstone's sake.
    pub applied: NextOffset,
    pub topic_uuid: Option<TopicUuid>,
}

/// What the checkpoint remembers of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SavedPlace {
    At(SavedPartition),
    /// It was read on while config made no table of its topic: the table, if there was one, has a gap.
    PassedOver,
}

/// The rows that the checkpoint has of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SavedRows {
    /// There is no such table.
    None,
    Whole,
    /// They cannot be read, for this reason.
    Damaged(String),
}

impl SavedRows {
    pub fn damage(&self) -> Option<&str> {
        match self {
            Self::Damaged(reason) => Some(reason),
            Self::None | Self::Whole => None,
        }
    }
}

/// Everything that is decided by, of one table.
#[derive(Clone, Debug)]
pub(crate) struct Findings<'a> {
    /// Config has its source, and makes a table of its topic.
    pub served: bool,
    pub rows: &'a SavedRows,
    /// What config says otherwise than its rows were made by.
    pub change: Option<&'a Rebuild>,
    pub saved: BTreeMap<i32, SavedPlace>,
    /// Its partitions that the source has found.
    pub found: &'a [PartitionFacts],
    /// The source has found all there are.
    pub all_found: bool,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is not served, and what the checkpoint has of it stays there.
    LeaveOut,
    /// It is served as it is, until more is known of its log.
    Wait,
    /// Its partitions are read from these places.
    Resume(Vec<(PartitionId, Start)>),
    /// Its rows go, and its partitions are read from their beginning.
    Rebuild(RebuildCause),
    /// It takes no changes; what it has is served, and it says why and what to do.
    Refuse(Refusal),
}

/// Where the reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub at: StartAt,
    /// What is retained reaches back to where it must.
    pub complete: bool,
}

impl Start {
    pub(crate) fn earliest(facts: &PartitionFacts) -> Self {
        Self {
            at: StartAt::Earliest,
            complete: is_whole(facts),
        }
    }
}

/// The one decision there is, whatever was found.
pub(crate) fn decide(findings: &Findings<'_>) -> Outcome {
    if !findings.served {
        return Outcome::LeaveOut;
    }
    // What nobody may see any more goes whatever it costs, before the log is looked at.
    if let Some(change) = findings.change.filter(|change| change.forced) {
        return Outcome::Rebuild(RebuildCause::Changed(change.clone()));
    }
    if *findings.rows == SavedRows::None {
        let starts = findings.found.iter();
        return Outcome::Resume(starts.map(|facts| first_start(findings, facts)).collect());
    }
    let missing = missing(findings);
    let reason_to_rebuild = reason_to_rebuild(findings);
    if !findings.all_found && (missing.is_some() || reason_to_rebuild.is_some()) {
        return Outcome::Wait;
    }
    if findings.found.is_empty() {
        return Outcome::Refuse(Refusal::NotFound);
    }
    if let Some(cause) = another_log(findings, missing) {
        return Outcome::Refuse(cause);
    }
    if let Some(cause) = reason_to_rebuild {
        return match findings.found.iter().find(|facts| !is_whole(facts)) {
            None => Outcome::Rebuild(cause),
            Some(facts) => Outcome::Refuse(cause.but_shortened(facts)),
        };
    }
    match findings
        .found
        .iter()
        .find_map(|facts| expired(findings, facts))
    {
        Some(cause) => Outcome::Refuse(cause),
        None => Outcome::Resume(
            findings
                .found
                .iter()
                .map(|facts| (facts.id, start(findings, facts)))
                .collect(),
        ),
    }
}

/// The log has all that the partition ever said, as far as it still holds.
/// A compacted log lacks no record that a later one does not replace.
fn is_whole(facts: &PartitionFacts) -> bool {
    facts.retained_from.0 == 0 || facts.compacted
}

fn saved_at(findings: &Findings<'_>, partition: i32) -> Option<SavedPartition> {
    match findings.saved.get(&partition) {
        Some(SavedPlace::At(saved)) => Some(*saved),
        Some(SavedPlace::PassedOver) | None => None,
    }
}

/// A partition that the checkpoint has and the source has not.
fn missing(findings: &Findings<'_>) -> Option<i32> {
    let is_found = |number: &&i32| {
        findings
            .found
            .iter()
            .any(|facts| facts.partition == **number)
    };
    findings
        .saved
        .keys()
        .find(|number| !is_found(number))
        .copied()
}

/// Why the rows that are there will not do, even if the log is the one they were made of.
fn reason_to_rebuild(findings: &Findings<'_>) -> Option<RebuildCause> {
    if let SavedRows::Damaged(reason) = findings.rows {
        return Some(RebuildCause::Damaged {
            reason: reason.clone(),
        });
    }
    if let Some(change) = findings.change {
        return Some(RebuildCause::Changed(change.clone()));
    }
    let mut places = findings.saved.values();
    let passed_over = places.any(|place| *place == SavedPlace::PassedOver);
    passed_over.then_some(RebuildCause::PassedOver)
}

/// How it shows that the log is not the one that was read.
fn another_log(findings: &Findings<'_>, missing: Option<i32>) -> Option<Refusal> {
    let uuids = findings.saved.values().filter_map(|place| match place {
        SavedPlace::At(saved) => saved.topic_uuid,
        SavedPlace::PassedOver => None,
    });
    let uuids: Vec<TopicUuid> = uuids.collect();
    let is_another = |facts: &PartitionFacts| {
        facts
            .topic_uuid
            .is_some_and(|now| uuids.iter().any(|then| *then != now))
    };
    if findings.found.iter().any(is_another) {
        return Some(Refusal::Recreated);
    }
    if let Some(partition) = missing {
        return Some(Refusal::PartitionGone { partition });
    }
    findings.found.iter().find_map(|facts| {
        let saved = saved_at(findings, facts.partition)?;
        // Where the end is not known yet, reading on from there finds out.
        let end = facts.end.filter(|end| *end < saved.next)?;
        Some(Refusal::EndsBefore {
            partition: facts.partition,
            wanted: saved.next.0,
            end: end.0,
        })
    })
}

fn expired(findings: &Findings<'_>, facts: &PartitionFacts) -> Option<Refusal> {
    // What is read again was applied: retention may take it.
    let wanted = saved_at(findings, facts.partition)?.applied;
    let is_lost = wanted < facts.retained_from && !facts.compacted;
    is_lost.then_some(Refusal::Expired {
        partition: facts.partition,
        wanted: wanted.0,
        retained_from: facts.retained_from.0,
    })
}

fn start(findings: &Findings<'_>, facts: &PartitionFacts) -> Start {
    match saved_at(findings, facts.partition) {
        Some(saved) => Start {
            at: StartAt::Offset(saved.next.max(facts.retained_from)),
            complete: true,
        },
        None => Start::earliest(facts),
    }
}

/// Where a partition begins of which no row is held: where it was left, if that is still there, else
/// at its beginning, which loses nothing that was held.
fn first_start(findings: &Findings<'_>, facts: &PartitionFacts) -> (PartitionId, Start) {
    let alone = Findings {
        found: std::slice::from_ref(facts),
        ..findings.clone()
    };
    let is_lost = another_log(&alone, None).is_some() || expired(&alone, facts).is_some();
    let start = if is_lost {
        Start::earliest(facts)
    } else {
        start(findings, facts)
    };
    (facts.id, start)
}
