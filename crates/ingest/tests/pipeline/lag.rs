//! Until when a table has all that was committed: the bound under its lag.

use checkpoint_store::MemoryDisk;
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
            .reached_end(0, PartitionId(partition), next);
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
