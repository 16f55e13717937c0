//! What is told of made-up records.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;

const NOW_MS: i64 = 1_700_000_000_123;

/// Records, each with how long it was in each stage before it became visible.
fn published(stages: &mut Stages, now_ms: i64, records: impl IntoIterator<Item = [i64; 3]>) {
    for [connector, broker, rowtide] in records {
        let broker_ms = now_ms - rowtide;
        stages.add(Times {
            commit: Some(broker_ms - broker - connector),
            connector: Some(broker_ms - broker),
            broker: Some(broker_ms),
        });
    }
    stages.publish(true, now_ms, |_, _| {});
}

fn told(stages: &mut Stages, now_ms: i64) -> String {
    let Some(report) = stages.report(now_ms) else {
        return "nothing".to_owned();
    };
    let mut text = format!("{} records\n", report.records);
    let names = Stage::ALL.map(Stage::name).into_iter().chain(["whole"]);
    for (name, lag) in names.zip(report.stages.iter().chain([&report.whole])) {
        let Some(lag) = lag else {
            writeln!(text, "{name}: unknown").unwrap();
            continue;
        };
        let (median, p99, worst) = (lag.median_ms, lag.p99_ms, lag.worst_ms);
        writeln!(text, "{name}: {median} {p99} {worst}").unwrap();
    }
    text + &report.causes.join("\n")
}

fn check(records: impl IntoIterator<Item = [i64; 3]>, expected: &Expect) {
    let mut stages = Stages::default();
    published(&mut stages, NOW_MS, records);
    expected.assert_eq(&told(&mut stages, NOW_MS));
}

#[test]
fn the_time_is_split_and_nothing_is_said_of_what_is_well() {
    check(
        (0..100).map(|_| [1, 1, 1]),
        &expect![[r#"
        100 records
        connector: 1 1 1
        broker: 1 1 1
        rowtide: 1 1 1
        whole: 3 3 3
    "#]],
    );
}

#[test]
fn the_default_of_debezium_is_known_by_its_spread() {
    check(
        (0..100).map(|at| [3, at * 5, 2]),
        &expect![[r#"
        100 records
        connector: 3 3 3
        broker: 240 480 495
        rowtide: 2 2 2
        whole: 240 480 500
        Records wait in the connector, evenly up to about 480 ms (240 ms in the middle): so they do with Debezium's default poll.interval.ms=500. Set poll.interval.ms=5 in the connector (measured: 12 ms from commit to Kafka instead of 323), and producer.override.linger.ms=0 (7 ms)."#]],
    );
    check(
        (0..100).map(|at| [at * 5, 20, 2]),
        &expect![[r#"
        100 records
        connector: 240 480 495
        broker: 20 20 20
        rowtide: 2 2 2
        whole: 288 517 517
        Records wait in the connector, evenly up to about 480 ms (240 ms in the middle): so they do with Debezium's default poll.interval.ms=500. Set poll.interval.ms=5 in the connector (measured: 12 ms from commit to Kafka instead of 323), and producer.override.linger.ms=0 (7 ms)."#]],
    );
    // What is always late is not late for this.
    check(
        (0..100).map(|_| [3, 250, 2]),
        &expect![[r#"
        100 records
        connector: 3 3 3
        broker: 240 240 250
        rowtide: 2 2 2
        whole: 240 240 255
    "#]],
    );
}

#[test]
fn a_few_milliseconds_may_be_the_producers() {
    check(
        (0..100).map(|at| [4, 3, 4 + at % 5]),
        &expect![[r#"
        100 records
        connector: 4 4 4
        broker: 3 3 3
        rowtide: 6 8 8
        whole: 13 15 15
        A few of these milliseconds may be the connector's producer, which waits for more records (linger.ms, 5 since Kafka 4.0): set producer.override.linger.ms=0 in the connector (measured: 7 ms from commit to Kafka instead of 12)."#]],
    );
}

#[test]
fn clocks_that_disagree_are_named_and_nothing_is_made_zero() {
    check(
        (0..100).map(|_| [-300, 400, 5]),
        &expect![[r#"
            100 records
            connector: -300 -300 -300
            broker: 400 400 400
            rowtide: 5 5 5
            whole: 104 104 105
            The clock of the connector's machine is about 300 ms or more behind the database's: the stage connector is told as negative, and lasts longer than that. Keep the clocks with NTP."#]],
    );
    check(
        (0..100).map(|_| [5, -40, 60]),
        &expect![[r#"
            100 records
            connector: 5 5 5
            broker: -44 -44 -40
            rowtide: 60 60 60
            whole: 25 25 25
            The clock of the machine that gives records their time in Kafka (the broker, or the connector's producer) is about 44 ms or more behind the connector's: the stage broker is told as negative, and lasts longer than that. Keep the clocks with NTP."#]],
    );
    check(
        (0..100).map(|_| [5, 5, -70]),
        &expect![[r#"
            100 records
            connector: 5 5 5
            broker: 5 5 5
            rowtide: -72 -72 -70
            whole: -60 -60 -60
            The clock of this machine is about 72 ms or more behind the machine's that gives records their time in Kafka: the stage rowtide is told as negative, and lasts longer than that. Keep the clocks with NTP."#]],
    );
    // As much as clocks always disagree.
    check(
        (0..100).map(|_| [-3, 5, -3]),
        &expect![[r#"
        100 records
        connector: -3 -3 -3
        broker: 5 5 5
        rowtide: -3 -3 -3
        whole: -1 -1 -1
    "#]],
    );
}

#[test]
fn whole_seconds_are_not_taken_for_a_lag() {
    let mut stages = Stages::default();
    for at in 0..100 {
        let commit = NOW_MS - at * 10;
        stages.add(Times {
            commit: Some(commit - commit.rem_euclid(1000)),
            connector: Some(commit + 3),
            broker: Some(commit + 5),
        });
    }
    stages.publish(true, NOW_MS, |_, _| {});
    expect![[r#"
        100 records
        connector: 480 960 996
        broker: 2 2 2
        rowtide: 480 960 985
        whole: 1123 1123 1123
        The source tells commit times in whole seconds: up to 999 ms of the stage connector may be no lag at all."#]].assert_eq(&told(&mut stages, NOW_MS));
}

#[test]
fn what_a_record_does_not_say_is_unknown() {
    let mut stages = Stages::default();
    stages.add(Times {
        connector: Some(NOW_MS - 9),
        ..Times::default()
    });
    stages.publish(true, NOW_MS, |_, _| {});
    expect![[r#"
        1 records
        connector: unknown
        broker: unknown
        rowtide: unknown
        whole: unknown
    "#]]
    .assert_eq(&told(&mut stages, NOW_MS));
}

#[test]
fn a_minute_is_remembered_and_what_does_not_count_is_not() {
    let mut stages = Stages::default();
    assert_eq!(stages.report(NOW_MS), None);
    stages.add(Times {
        commit: Some(0),
        ..Times::default()
    });
    stages.publish(false, NOW_MS, |_, _| panic!("does not count"));
    assert_eq!(stages.report(NOW_MS), None);
    let records = |stages: &mut Stages, at| stages.report(at).map_or(0, |told| told.records);
    published(&mut stages, NOW_MS, [[1, 1, 1]]);
    published(&mut stages, NOW_MS + 29_999, [[1, 1, 1]]);
    published(&mut stages, NOW_MS + 30_000, [[1, 1, 1]]);
    assert_eq!(records(&mut stages, NOW_MS + 59_999), 3);
    assert_eq!(records(&mut stages, NOW_MS + 60_000), 1);
    assert_eq!(records(&mut stages, NOW_MS + 90_000), 0);
}

#[test]
fn of_many_records_those_are_counted_that_stand_for_all() {
    let mut stages = Stages::default();
    published(&mut stages, NOW_MS, (0..100_000).map(|at| [0, 0, at / 100]));
    let report = stages.report(NOW_MS).unwrap();
    assert!((512..=1_024).contains(&report.records), "{report:?}");
    let whole = report.whole.unwrap();
    assert!((400..=600).contains(&whole.median_ms), "{report:?}");
    assert!(whole.worst_ms > 900, "{report:?}");
}
