//! Indexes, declared ones and added ones: there from the first row on, after a restart, and after a rebuild.

use std::ops::ControlFlow;

use row_model::{Value, push_sort_key};
use table_store::{IndexDefinition, IndexKind};
use testkit::connector::At;

use crate::harness::{CONNECTOR, Rules, Running, Site};

const ORDERS: &str = "shop.public.orders";

fn at(lsn: u64) -> At<'static> {
    At::lsn(ORDERS, 0, lsn)
}

fn index(column: &str, kind: IndexKind) -> IndexDefinition {
    IndexDefinition::new(vec![column.to_owned()], kind).unwrap()
}

fn site() -> Site {
    let mut site = Site::default();
    let declared = vec![index("v", IndexKind::Ordered), index("vv", IndexKind::Hash)];
    site.settings.indexes = vec![(ORDERS.to_owned(), declared)];
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "a"),
        CONNECTOR.create(at(11), 2, "b"),
        CONNECTOR.update(at(12), 1, "b"),
    ]);
    site
}

/// Which of the indexes are ready, and the ids of the rows with `v = b` by the first.
fn found(running: &Running) -> (Vec<bool>, Vec<i64>) {
    let cut = running.pipeline.store().pin();
    let Ok(table) = cut.table("orders") else {
        return (Vec::new(), Vec::new());
    };
    let indexes = table.table.indexes();
    let ready: Vec<bool> = indexes.iter().map(|index| index.is_ready()).collect();
    let (mut key, mut ids) = (Vec::new(), Vec::new());
    push_sort_key(Value::Text("b"), false, false, &mut key);
    if let Some(index) = indexes.first().filter(|index| index.is_ready()) {
        let read = table.table.each_equal(index, &key, cut.id, |version| {
            if let Some(Value::Int(id)) = version.row().and_then(|row| row.get(0)) {
                ids.push(id);
            }
            ControlFlow::Continue(())
        });
        read.expect("it was ready");
    }
    (ready, ids)
}

fn until_found(running: &Running, ids: &[i64]) {
    running.until("the index has the rows", |running| {
        found(running) == (vec![true, true], ids.to_vec())
    });
}

#[test]
fn they_are_there_from_the_start_after_a_restart_and_after_a_rebuild() {
    let mut site = site();
    let running = site.start();
    until_found(&running, &[1, 2]);
    drop(running);

    site.log.append(&[CONNECTOR.delete(at(13), 2)]);
    let running = site.start();
    until_found(&running, &[1]);
    // One that is added while it runs is nowhere but in the checkpoint.
    let table = running.table("orders").unwrap();
    let added = table
        .table
        .add_index(index("id", IndexKind::Ordered))
        .unwrap();
    assert!(table.table.build_index(&added));
    drop(running);

    site.rules = Some(Rules {
        topic: ORDERS,
        types: vec![("id", "uint64")],
        ..Rules::default()
    });
    let running = site.start();
    running.until("the rebuilt table has its indexes", |running| {
        let (ready, _) = found(running);
        let is_rebuilt = running.table("orders").is_some_and(|table| table.rows == 1);
        is_rebuilt && ready == [true, true, true]
    });
    let table = running.table("orders").unwrap();
    assert!(table.table.remove_index(&["id".to_owned()]));
    drop(running);

    let running = site.start();
    until_found(&running, &[1]);
}

#[test]
fn what_config_declares_counts_more_than_what_was_added() {
    let mut site = site();
    let declared = std::mem::take(&mut site.settings.indexes);
    let running = site.start();
    running.until_live("orders");
    let table = running.table("orders").unwrap();
    // Of the same columns as a declared one, and of another kind.
    table.table.add_index(index("v", IndexKind::Hash)).unwrap();
    drop(running);

    site.settings.indexes = declared;
    let running = site.start();
    until_found(&running, &[1, 2]);
    drop(running);

    // It was not forgotten but replaced: config's index goes with config.
    site.settings.indexes = Vec::new();
    let running = site.start();
    running.until_live("orders");
    assert!(found(&running).0.is_empty());
}

#[test]
fn a_column_that_no_row_has_had_is_told() {
    let site = site();
    let running = site.start();
    running.until_live("orders");
    let facts = running.facts("orders").unwrap();
    let told: Vec<_> = facts
        .notes
        .iter()
        .filter(|note| note.starts_with("indexes:"))
        .collect();
    assert_eq!(
        told,
        [
            r#"indexes: no row has had a column "vv": to the index (vv) by hash it is null in all. Correct its name in the indexes of this [[tables]], or remove it"#
        ]
    );
}
