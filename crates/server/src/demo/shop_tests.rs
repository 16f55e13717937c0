//! The shop's events, read as a stranger would read them, lead to the shop's own rows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::connector::object;
use super::*;

const NOW: u64 = 1_795_219_198_412;

/// Rows by topic and key, as the events tell them.
#[derive(Default)]
struct Reader {
    rows: BTreeMap<(String, String), Value>,
    lsn: u64,
    deleted: Option<String>,
}

impl Reader {
    fn apply(&mut self, event: &Event) {
        let key: Value = serde_json::from_str(&event.key).unwrap();
        let at = (event.topic.clone(), key["payload"].to_string());
        let deleted = self.deleted.take();
        let Some(value) = &event.value else {
            assert_eq!(
                deleted.as_ref(),
                Some(&event.key),
                "a tombstone follows its delete"
            );
            return;
        };
        assert_eq!(deleted, None, "a delete is followed by its tombstone");
        let value: Value = serde_json::from_str(value).unwrap();
        let payload = &value["payload"];
        let lsn = payload["source"]["lsn"].as_u64().unwrap();
        let held = self.rows.get(&at).cloned().unwrap_or_default();
        match payload["op"].as_str().unwrap() {
            "r" => {
                let replaced = self.rows.insert(at, payload["after"].clone());
                assert!(lsn >= self.lsn && replaced.is_none());
            }
            op => {
                assert!(lsn > self.lsn, "positions grow");
                assert_eq!(payload["before"], held, "before is what was held");
                assert_eq!(
                    (op == "d", op == "c"),
                    (payload["after"].is_null(), held.is_null())
                );
                if op == "d" {
                    self.rows.remove(&at);
                    self.deleted = Some(event.key.clone());
                } else {
                    self.rows.insert(at, payload["after"].clone());
                }
            }
        }
        self.lsn = lsn;
    }
}

#[test]
fn events_lead_to_the_rows_of_the_shop() {
    let mut shop = Shop::open(7, NOW);
    let mut reader = Reader::default();
    let snapshot = shop.snapshot(NOW);
    for event in &snapshot {
        reader.apply(event);
    }
    let mut ops = BTreeMap::new();
    for step in 0..3000 {
        let done = shop.step(NOW + step * 500);
        assert!(!done.events.is_empty() && !done.story.is_empty());
        for event in &done.events {
            reader.apply(event);
            let value = event.value.as_deref().unwrap_or_default();
            let op = ["\"op\":\"c\"", "\"op\":\"u\"", "\"op\":\"d\""];
            let op = op
                .into_iter()
                .find(|op| value.contains(op))
                .unwrap_or("tombstone");
            *ops.entry((event.topic.clone(), op)).or_insert(0) += 1;
        }
    }
    let mut expected = BTreeMap::new();
    for (table, rows) in shop.contents() {
        for row in rows {
            let text = |columns: Vec<_>| object(columns.into_iter(), &row);
            let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
            let key = parse(text(table.key.iter().collect())).to_string();
            let row = parse(text(table.columns().collect()));
            expected.insert((format!("shop.public.{}", table.name), key), row);
        }
    }
    assert_eq!(reader.rows, expected);
    // Everything that can happen does: c, u, d and tombstones of orders and tickets, c, d and
    // tombstones of items, u of customers.
    assert_eq!(ops.len(), 4 + 4 + 3 + 1, "{ops:?}");
    assert!(shop.orders.len() <= ORDERS_MAX + 1 && shop.tickets.len() <= TICKETS_MAX + 1);
}

#[test]
fn totals_are_the_sums_of_their_items() {
    let mut shop = Shop::open(8, NOW);
    for step in 0..500 {
        shop.step(NOW + step);
    }
    for order in shop.orders.iter() {
        let items = shop.items.iter().filter(|item| item.order_id == order.id);
        let sum: i64 = items
            .map(|item| item.product.cents * i64::from(item.quantity))
            .sum();
        assert_eq!(sum, order.total_cents, "order {}", order.id);
    }
}

#[test]
fn a_seed_decides_everything() {
    let [mut one, mut same, mut other] = [1, 1, 2].map(|seed| Shop::open(seed, NOW));
    assert_eq!(one.snapshot(NOW), same.snapshot(NOW));
    let [one, same, other] = [&mut one, &mut same, &mut other].map(|shop| {
        (0..50)
            .map(|step| shop.step(NOW + step))
            .collect::<Vec<_>>()
    });
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn a_snapshot_is_marked_as_the_connector_marks_it() {
    let events = Shop::open(1, NOW).snapshot(NOW);
    let marker = |event: &Event| {
        let value: Value = serde_json::from_str(event.value.as_deref().unwrap()).unwrap();
        value["payload"]["source"]["snapshot"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut markers: Vec<(String, String)> = events
        .iter()
        .map(|event| (event.topic.clone(), marker(event)))
        .collect();
    markers.dedup();
    let markers: Vec<&str> = markers.iter().map(|(_, marker)| marker.as_str()).collect();
    let middle = [
        "first_in_data_collection",
        "true",
        "last_in_data_collection",
    ];
    let expected = [
        ["first", "true", "last_in_data_collection"],
        middle,
        middle,
        ["first_in_data_collection", "true", "last"],
    ];
    assert_eq!(markers, expected.concat());
}
