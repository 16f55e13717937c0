//! Until when a table has all that was committed: the bound under its lag.

use checkpoint_store::MemoryDisk;
use ingest::Ended;
use row_model::{NextOffset, PartitionId};
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Site};
use crate::one_by_one::OneByOne;

const TOPIC: &str = "shop.public.orders";

fn committed(at_ms: i64, partition: i32, id: i64) -> PlannedRecord {
    let at = At {
        topic: TOPIC,
        partition,
        lsn: Some(at_ms as u64),
        transaction: None,
    };
    let mut record = CONNECTOR.create(at, id, "v");
    let value = String::from_utf8(record.value.take().unwrap()).unwrap();
    let told = format!("\"ts_ms\":{at_ms},\"snapshot\"");
    record.value = Some(value.replace("\"ts_ms\":5,\"snapshot\"", &told).into());
    record
}

#[test]
fn the_partition_that_is_furthest_behind_counts() {
    let disk = MemoryDisk::default();
    let mut stepped = OneByOne::on(&disk, TOPIC, 2, false, Site::default().settings);
    let whole_until = |stepped: &OneByOne| stepped.table().facts.whole_until_ms;
    let end = |stepped: &mut OneByOne, partition: u32| {
        let next = NextOffset(stepped.next[partition as usize]);
        stepped
            .sequencer
            .reached_end(0, PartitionId(partition), Ended::at(next, 5_000));
        stepped.publish_at(5_000);
    };
    stepped.read(&committed(3_000, 0, 1));
    assert_eq!(whole_until(&stepped), None, "nobody knows of the other one");
    stepped.read(&committed(1_000, 1, 2));
    assert_eq!(whole_until(&stepped), Some(1_000));
    end(&mut stepped, 0);
    assert_eq!(whole_until(&stepped), Some(1_000));
    end(&mut stepped, 1);
    assert_eq!(whole_until(&stepped), Some(5_000));
    stepped.read(&committed(4_000, 1, 3));
    assert_eq!(whole_until(&stepped), Some(4_000));
    assert_eq!(stepped.table().facts.commit_ms, Some(4_000));
}

/// However long it is on its way: a machine that is busy handles for seconds what was heard long ago.
#[test]
fn an_end_is_about_the_moment_in_which_it_was_heard() {
    let disk = MemoryDisk::default();
    let mut stepped = OneByOne::on(&disk, TOPIC, 1, false, Site::default().settings);
    let told = |stepped: &OneByOne| {
        let facts = &stepped.table().facts;
        (facts.at_end_ms(), facts.whole_until_ms)
    };
    stepped.read(&committed(1_000, 0, 1));
    let ended = |next, at_ms| Ended {
        next: NextOffset(next),
        at_ms,
    };
    let id = PartitionId(0);
    let next = stepped.next[0];
    // More came right behind it.
    stepped.sequencer.reached_end(0, id, ended(next, None));
    stepped.publish_at(9_000);
    assert_eq!(told(&stepped), (None, Some(1_000)));
    stepped
        .sequencer
        .reached_end(0, id, ended(next, Some(5_000)));
    stepped.publish_at(9_100);
    assert_eq!(told(&stepped), (Some(5_000), Some(5_000)));
    stepped.sequencer.quiet(0, 9_050);
    assert_eq!(told(&stepped).0, Some(9_050));
}
