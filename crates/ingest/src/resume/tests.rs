//! Every combination of facts, and what must hold of what is decided.

use change_feed::{PartitionFacts, StartAt, TopicUuid};
use row_model::{NextOffset, PartitionId};

use super::*;
use crate::preparation::Rebuild;

const TOPIC: &str = "shop.public.orders";
const NAMED: Named<'_> = Named {
    table: "orders",
    topic: TOPIC,
    source: "kafka",
};

/// Where every partition was left.
const LEFT_AT: u64 = 5;

/// What the checkpoint and the source say of one partition; `None` where they say nothing of it.
#[derive(Clone, Debug)]
struct Seen {
    saved: Option<SavedPlace>,
    found: Option<PartitionFacts>,
}

fn uuid(number: u8) -> Option<TopicUuid> {
    (number > 0).then_some(TopicUuid([number; 16]))
}

fn left(topic_uuid: Option<TopicUuid>) -> SavedPlace {
    SavedPlace::At(SavedPartition {
        next: NextOffset(LEFT_AT),
        applied: NextOffset(LEFT_AT),
        topic_uuid,
    })
}

fn log(partition: i32, from: u64, end: Option<u64>, id: u8, compacted: bool) -> PartitionFacts {
    PartitionFacts {
        id: PartitionId(partition as u32),
        topic: TOPIC.to_owned(),
        partition,
        topic_uuid: uuid(id),
        retained_from: NextOffset(from),
        end: end.map(NextOffset),
        compacted,
    }
}

/// All there is to see of the first partition: 3 x 2 places x 3 ids x 3 beginnings x 4 ends, compacted or
/// not, and that it is gone, or was never there.
fn first_partitions() -> Vec<Seen> {
    let mut all = Vec::new();
    let places = [
        None,
        Some(SavedPlace::PassedOver),
        Some(left(uuid(0))),
        Some(left(uuid(1))),
    ];
    for saved in places {
        all.push(Seen { saved, found: None });
        for id in 0..3 {
            for from in [0, LEFT_AT, LEFT_AT + 2] {
                for end in [None, Some(LEFT_AT - 1), Some(LEFT_AT), Some(LEFT_AT + 9)] {
                    for compacted in [false, true] {
                        let found = Some(log(0, from, end, id, compacted));
                        all.push(Seen { saved, found });
                    }
                }
            }
        }
    }
    all
}

/// What else may be there: nothing, or one that is well, new, gone, lost in part, of another log.
fn second_partitions() -> Vec<Seen> {
    let whole = log(1, 0, Some(LEFT_AT), 1, false);
    let of = |saved, found| Seen { saved, found };
    vec![
        of(None, None),
        of(Some(left(uuid(1))), Some(whole.clone())),
        of(None, Some(whole)),
        of(None, Some(log(1, 2, Some(LEFT_AT), 1, false))),
        of(Some(left(uuid(1))), None),
        of(
            Some(SavedPlace::PassedOver),
            Some(log(1, 0, None, 0, false)),
        ),
        of(Some(left(uuid(1))), Some(log(1, 7, Some(9), 1, false))),
        of(Some(left(uuid(1))), Some(log(1, 0, Some(2), 1, false))),
        of(Some(left(uuid(1))), Some(log(1, 0, Some(9), 2, false))),
    ]
}

fn changes() -> [Option<Rebuild>; 3] {
    let of = |forced| {
        Some(Rebuild {
            changed: vec!["key"],
            forced,
        })
    };
    [None, of(false), of(true)]
}

fn each(mut check: impl FnMut(&Findings<'_>, &Outcome)) {
    let damaged = SavedRows::Damaged("a checksum".to_owned());
    for first in first_partitions() {
        for second in second_partitions() {
            let seen = [first.clone(), second];
            let found: Vec<PartitionFacts> =
                seen.iter().filter_map(|seen| seen.found.clone()).collect();
            let saved = (0..).zip(&seen);
            let saved: BTreeMap<i32, SavedPlace> = saved
                .filter_map(|(number, seen)| Some((number, seen.saved?)))
                .collect();
            for rows in [&SavedRows::None, &SavedRows::Whole, &damaged] {
                for change in &changes() {
                    for (served, all_found) in [(true, true), (true, false), (false, true)] {
                        let findings = Findings {
                            served,
                            rows,
                            change: change.as_ref(),
                            saved: saved.clone(),
                            found: &found,
                            all_found,
                        };
                        check(&findings, &decide(&findings));
                    }
                }
            }
        }
    }
}

/// The log may be another one than that which was read, as far as anybody can see.
fn may_be_another_log(findings: &Findings<'_>) -> bool {
    let mut places = findings.saved.iter();
    places.any(|(number, place)| {
        let Some(facts) = findings
            .found
            .iter()
            .find(|facts| facts.partition == *number)
        else {
            return true;
        };
        let SavedPlace::At(saved) = place else {
            return false;
        };
        let other_id = findings.found.iter().any(|facts| {
            facts.topic_uuid.is_some()
                && saved.topic_uuid.is_some()
                && facts.topic_uuid != saved.topic_uuid
        });
        other_id || facts.end.is_some_and(|end| end < saved.next)
    })
}

fn is_shortened(findings: &Findings<'_>) -> bool {
    let mut found = findings.found.iter();
    found.any(|facts| facts.retained_from.0 > 0 && !facts.compacted)
}

#[test]
fn nothing_is_read_on_past_a_change_that_was_not_applied() {
    let mut resumed = 0;
    each(|findings, outcome| {
        let Outcome::Resume(starts) = outcome else {
            return;
        };
        resumed += 1;
        assert!(findings.served, "{findings:?}");
        assert_eq!(starts.len(), findings.found.len(), "{findings:?}");
        let holds_rows = *findings.rows != SavedRows::None;
        if holds_rows {
            assert!(!may_be_another_log(findings), "{findings:?}");
            assert_eq!(*findings.rows, SavedRows::Whole, "{findings:?}");
            assert_eq!(findings.change, None, "{findings:?}");
        }
        for (facts, (id, start)) in findings.found.iter().zip(starts) {
            assert_eq!(facts.id, *id);
            let from = match start.at {
                StartAt::Earliest => facts.retained_from,
                StartAt::Offset(from) => from,
            };
            let place = findings.saved.get(&facts.partition);
            if let Some(SavedPlace::At(saved)) = place {
                // A compacted log has no record missing that a later one does not replace.
                assert!(
                    from <= saved.next || facts.compacted || !start.complete,
                    "{findings:?}"
                );
                assert!(from >= saved.next || !holds_rows, "{findings:?}");
            } else {
                assert_eq!(start.at, StartAt::Earliest, "{findings:?}");
                assert_ne!((place, holds_rows), (Some(&SavedPlace::PassedOver), true));
            }
            let is_late = start.at == StartAt::Earliest && facts.retained_from.0 > 0;
            assert_eq!(start.complete, !is_late || facts.compacted, "{findings:?}");
        }
    });
    assert!(resumed > 500, "{resumed}");
}

#[test]
fn nothing_is_built_anew_from_less_than_a_whole_log_of_the_same_topic() {
    let mut rebuilt = 0;
    each(|findings, outcome| {
        let Outcome::Rebuild(_) = outcome else {
            return;
        };
        rebuilt += 1;
        if findings.change.is_some_and(|change| change.forced) {
            return;
        }
        assert!(findings.all_found, "{findings:?}");
        assert!(!findings.found.is_empty(), "{findings:?}");
        assert!(!is_shortened(findings), "{findings:?}");
        assert!(!may_be_another_log(findings), "{findings:?}");
        assert_ne!(*findings.rows, SavedRows::None, "{findings:?}");
    });
    assert!(rebuilt > 500, "{rebuilt}");
}

#[test]
fn what_nobody_may_see_any_more_goes_whatever_the_log_is() {
    each(|findings, outcome| {
        if findings.served && findings.change.is_some_and(|change| change.forced) {
            assert!(matches!(outcome, Outcome::Rebuild(_)), "{findings:?}");
        }
    });
}

#[test]
fn what_is_not_served_is_left_alone() {
    each(|findings, outcome| {
        assert_eq!(
            *outcome == Outcome::LeaveOut,
            !findings.served,
            "{findings:?}"
        );
    });
}

#[test]
fn a_table_waits_only_for_more_to_be_found() {
    let mut waited = 0;
    each(|findings, outcome| {
        if *outcome == Outcome::Wait {
            waited += 1;
            assert!(!findings.all_found, "{findings:?}");
        }
    });
    assert!(waited > 500, "{waited}");
}

#[test]
fn every_refusal_names_the_command_that_helps() {
    let mut refused = 0;
    each(|_, outcome| {
        let Outcome::Refuse(refusal) = outcome else {
            return;
        };
        refused += 1;
        let told = refusal.told(NAMED);
        let helps = *refusal == Refusal::NotFound || told.ends_with("`rowtide rebuild orders`");
        assert!(helps && told.contains(TOPIC), "{told}");
    });
    assert!(refused > 500, "{refused}");
}

/// The order in which partitions are found says nothing.
#[test]
fn the_same_facts_in_another_order_are_decided_alike() {
    each(|findings, outcome| {
        let found: Vec<PartitionFacts> = findings.found.iter().rev().cloned().collect();
        let turned = decide(&Findings {
            found: &found,
            ..findings.clone()
        });
        let kind = std::mem::discriminant;
        assert_eq!(kind(&turned), kind(outcome), "{findings:?}");
    });
}

/// What is decided when all of the log has been seen.
fn decided(
    rows: &SavedRows,
    change: Option<&Rebuild>,
    saved: &BTreeMap<i32, SavedPlace>,
    found: &[PartitionFacts],
) -> Outcome {
    decide(&Findings {
        served: true,
        rows,
        change,
        saved: saved.clone(),
        found,
        all_found: true,
    })
}

fn one_partition() -> BTreeMap<i32, SavedPlace> {
    BTreeMap::from([(0, left(uuid(1)))])
}

#[test]
fn a_log_that_goes_on_is_read_on() {
    let resumed = |found: &[PartitionFacts], starts: &[(StartAt, bool)]| {
        let starts = (0..).zip(starts);
        let starts = starts.map(|(id, &(at, complete))| (PartitionId(id), Start { at, complete }));
        let outcome = decided(&SavedRows::Whole, None, &one_partition(), found);
        assert_eq!(outcome, Outcome::Resume(starts.collect()));
    };
    let at = |offset| (StartAt::Offset(NextOffset(offset)), true);
    let well = log(0, 0, Some(9), 1, false);
    resumed(std::slice::from_ref(&well), &[at(5)]);
    resumed(&[log(0, 5, Some(5), 1, false)], &[at(5)]);
    resumed(&[log(0, 8, Some(9), 1, true)], &[at(8)]);
    // One that was added is complete only from its beginning.
    let added = |from| [well.clone(), log(1, from, None, 1, false)];
    resumed(&added(0), &[at(5), (StartAt::Earliest, true)]);
    resumed(&added(3), &[at(5), (StartAt::Earliest, false)]);
}

#[test]
fn a_last_delete_that_retention_took_was_applied() {
    let deleted = SavedPartition {
        next: NextOffset(LEFT_AT - 1),
        applied: NextOffset(LEFT_AT),
        topic_uuid: uuid(1),
    };
    let saved = BTreeMap::from([(0, SavedPlace::At(deleted))]);
    let begun = |retained_from| {
        let found = [log(0, retained_from, Some(LEFT_AT + 2), 1, false)];
        decided(&SavedRows::Whole, None, &saved, &found)
    };
    let at = |offset| {
        let at = StartAt::Offset(NextOffset(offset));
        let complete = true;
        Outcome::Resume(vec![(PartitionId(0), Start { at, complete })])
    };
    assert_eq!(begun(0), at(LEFT_AT - 1));
    assert_eq!(begun(LEFT_AT), at(LEFT_AT));
    assert!(matches!(begun(LEFT_AT + 1), Outcome::Refuse(_)));
}

/// One line for everything else that a start can find. The manual quotes them.
#[test]
fn what_was_found_is_told_with_what_helps() {
    let (whole, damaged) = (
        &SavedRows::Whole,
        &SavedRows::Damaged("a checksum".to_owned()),
    );
    let one = one_partition();
    let two = BTreeMap::from([(0, left(uuid(1))), (1, left(uuid(1)))]);
    let passed_over = BTreeMap::from([(0, SavedPlace::PassedOver)]);
    let [_, change, _] = changes();
    let well = &[log(0, 0, Some(9), 1, false)];
    let late = &[log(0, 3, Some(9), 1, false)];
    let outcomes = [
        decided(whole, None, &one, &[]),
        decided(whole, None, &one, &[log(0, 0, Some(9), 2, false)]),
        decided(whole, None, &two, well),
        decided(whole, None, &one, &[log(0, 0, Some(4), 1, false)]),
        decided(whole, None, &one, &[log(0, 7, Some(9), 1, false)]),
        decided(damaged, None, &one, well),
        decided(damaged, None, &one, late),
        decided(whole, change.as_ref(), &one, well),
        decided(whole, change.as_ref(), &one, late),
        decided(whole, None, &passed_over, well),
        decided(whole, None, &passed_over, late),
    ];
    let words = outcomes.map(|outcome| match outcome {
        Outcome::Refuse(refusal) => refusal.told(NAMED),
        Outcome::Rebuild(cause) => cause.told(NAMED),
        other => format!("{other:?}"),
    });
    expect_test::expect![[r#"
        topic shop.public.orders was not found at source kafka
        topic shop.public.orders was recreated: the checkpoint describes another log. If the log that is there now is the right one, run `rowtide rebuild orders`
        shop.public.orders-1 is gone, and no broker takes a partition away: it is another log. If the log that is there now is the right one, run `rowtide rebuild orders`
        shop.public.orders-0: the checkpoint expects record 5, but the log ends at 4: it is another log. If the log that is there now is the right one, run `rowtide rebuild orders`
        shop.public.orders-0: record 5 is no longer retained (the log starts at 7): changes between them are lost. Take a new full snapshot of the source and run `rowtide rebuild orders`
        its rows in the checkpoint are damaged (a checksum): it is being rebuilt from the log
        its rows in the checkpoint are damaged (a checksum), and shop.public.orders-0 begins at offset 3: a rebuild would lose rows that did not change since. Take a new full snapshot of the source and run `rowtide rebuild orders`
        what is done to its records has changed (key): it is being rebuilt from the log
        what is done to its records has changed (key), and shop.public.orders-0 begins at offset 3: a rebuild would lose rows that did not change since. Restore the setting, or take a new full snapshot of the source and run `rowtide rebuild orders`
        records of shop.public.orders were read while it was not served: it is being rebuilt from the log
        records of shop.public.orders were read while it was not served, and shop.public.orders-0 begins at offset 3: a rebuild would lose rows that did not change since. Take a new full snapshot of the source and run `rowtide rebuild orders`"#]].assert_eq(&words.join("\n"));
    let page = include_str!("../../../../docs/reference/recovery.md");
    for told in &words {
        assert!(
            page.contains(told),
            "docs/reference/recovery.md lacks: {told}"
        );
    }
}
