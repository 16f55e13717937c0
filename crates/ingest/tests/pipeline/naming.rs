//! What tables are called: by config, else by the end of their topic, and so for good.

use testkit::connector::At;

use crate::harness::{CONNECTOR, Running, Site};

const SHOP: &str = "shop.public.orders";
const CRM: &str = "crm.public.orders";

fn write(site: &Site, topic: &str, id: i64) {
    let at = At::lsn(topic, 0, 100 + id as u64);
    site.log.append(&[CONNECTOR.create(at, id, "x")]);
}

/// The names of all tables with their topics.
fn names(running: &Running) -> Vec<(String, String)> {
    let cut = running.cut();
    let identities = cut.tables().iter().map(|table| table.table.identity());
    let mut names: Vec<_> = identities
        .map(|identity| (identity.name.clone(), identity.topic.clone()))
        .collect();
    names.sort();
    names
}

/// Waits until there are these tables and no others. A name alone would not do: while its table is
/// not there yet, it may be the end of another one's topic.
fn until_named(running: &Running, wanted: &[(&str, &str)]) {
    let owned = |(name, topic): &(&str, &str)| ((*name).to_owned(), (*topic).to_owned());
    let wanted: Vec<_> = wanted.iter().map(owned).collect();
    running.until(&format!("the tables are {wanted:?}"), |running| {
        names(running) == wanted
    });
}

#[test]
fn a_name_from_config_wins_and_the_whole_topic_finds_the_table_too() {
    let mut site = Site::default();
    site.give_name("shop_orders", SHOP);
    write(&site, SHOP, 1);
    write(&site, CRM, 2);
    let running = site.start();
    until_named(&running, &[("orders", CRM), ("shop_orders", SHOP)]);
    assert!(running.rows(SHOP).contains_key(&1));
    assert!(running.rows("crm.public.orders").contains_key(&2));
    assert!(running.rows("orders").contains_key(&2));
}

#[test]
fn a_name_once_given_is_kept_whatever_topics_come() {
    let site = Site::default();
    write(&site, SHOP, 1);
    let running = site.start();
    running.until_live("orders");
    drop(running);

    // In the order of their names the new topic comes first.
    write(&site, CRM, 2);
    for _ in 0..2 {
        let running = site.start();
        until_named(&running, &[("orders", SHOP), ("public.orders", CRM)]);
        assert!(running.rows("orders").contains_key(&1));
        assert!(running.rows("public.orders").contains_key(&2));
    }
}

#[test]
fn a_name_is_kept_even_while_its_topic_is_gone() {
    let site = Site::default();
    write(&site, SHOP, 1);
    let running = site.start();
    running.until_live("orders");
    drop(running);
    site.log.delete_topic(SHOP);
    write(&site, CRM, 2);
    let running = site.start();
    until_named(&running, &[("orders", SHOP), ("public.orders", CRM)]);
    assert!(running.rows("orders").contains_key(&1));
    assert!(!running.rows("orders").contains_key(&2));
}
