//! Topics that are not what they were: nothing that is missing is taken for deleted.

use anyhow::ensure;
use black_box::exact::Exact;
use black_box::wait;

use crate::shop::Shop;
use crate::turn;

#[test]
fn topics_that_grow_expire_or_are_made_anew_are_told_from_deleted_rows() -> anyhow::Result<()> {
    let _turn = turn();
    let mut shop = Shop::open(|registration| registration)?;
    partitions_are_added(&mut shop)?;
    retention_overtakes(&mut shop)?;
    a_topic_is_made_anew(&mut shop)
}

fn partitions_are_added(shop: &mut Shop) -> anyhow::Result<()> {
    let topics = shop.stack.topics()?;
    shop.survives("partitions are added", |shop, _| {
        topics.widen(&shop.topic("orders"), 5)
    })
}

/// What was written while Rowtide was away is gone: a new snapshot and a rebuild are needed, and it says so.
fn retention_overtakes(shop: &mut Shop) -> anyhow::Result<()> {
    let topics = shop.stack.topics()?;
    shop.survives("retention overtakes Rowtide", |shop, witness| {
        witness.excuses(|| {
            shop.follower.kill()?;
            shop.database
                .run("insert into customers values (1001, 'new', 0)")?;
            until_in_the_log(shop)?;
            topics.expire(&shop.topic("customers"), 2)?;
            shop.follower.start_again()?;
            shop.until_states(&["stalled"])
        })?;
        let told = shop.table("customers")?;
        let reason = told.get("reason").as_text().unwrap_or_default();
        ensure!(
            reason.contains("is no longer retained")
                && reason.contains("`rowtide rebuild customers`"),
            "{told}"
        );
        // The row is in the database: that it is not found must not be taken for the truth.
        let answer = shop
            .follower
            .server()
            .get("/v1/tables/customers/rows/1001", &[])?;
        ensure!(answer.status == 404, "{}", answer.text);
        let fresh = told.get("fresh");
        ensure!(*fresh.get("complete") == Exact::Bool(false), "{told}");
        ensure!(*fresh.get("lag_ms") == Exact::Null, "{told}");
        witness.snapshot_is_ahead();
        take_a_new_snapshot(shop)?;
        rebuild(shop, "customers")
    })?;
    complete(shop, "customers", true)
}

fn a_topic_is_made_anew(shop: &mut Shop) -> anyhow::Result<()> {
    let topics = shop.stack.topics()?;
    shop.survives("a topic is deleted and made again", |shop, witness| {
        let topic = shop.topic("orders");
        topics.delete(&topic)?;
        // The connector, or the broker for it, makes it again with the next order.
        shop.follower
            .until("it says what helps", "/v1/status", |status| {
                let tables = status.get("tables").as_list()?;
                let table = tables
                    .iter()
                    .find(|it| it.get("name").as_text() == Some("orders"))?;
                let reason = table.get("reason").as_text()?;
                reason.contains("`rowtide rebuild orders`").then_some(())
            })?;
        // The log that is there now has no row that was not written since.
        rebuild(shop, "orders")?;
        complete(shop, "orders", false)?;
        witness.snapshot_is_ahead();
        take_a_new_snapshot(shop)
    })?;
    complete(shop, "orders", true)
}

/// Waits until a table that is not to be restarted shows what comes after all that was written.
fn until_in_the_log(shop: &mut Shop) -> anyhow::Result<()> {
    wait::until("the connector has written all that was committed", || {
        let slots = "select count(*) from pg_replication_slots where database = current_database() and confirmed_flush_lsn >= ";
        let last = shop.database.texts("select pg_current_wal_lsn()")?;
        let asked = format!("{slots}'{}'", last.concat());
        wait::until("it is confirmed", || {
            Ok((shop.database.texts(&asked)?.concat() == "1").then_some(()))
        })?;
        Ok(Some(()))
    })
}

/// As docs/operating.md says.
pub fn take_a_new_snapshot(shop: &Shop) -> anyhow::Result<()> {
    shop.connector.stop()?;
    shop.connector.forget_offsets()?;
    shop.connector.resume()
}

/// Again until the log holds all of the table: a snapshot that was ordered is not yet taken.
fn rebuild(shop: &Shop, table: &str) -> anyhow::Result<()> {
    let configuration = shop.follower.site().path("rowtide.toml");
    let configuration = configuration.to_string_lossy().into_owned();
    let command = ["rebuild", table, "--config", &configuration];
    wait::until(&format!("{table} is rebuilt"), || {
        let (code, said) = shop.follower.site().run(&command)?;
        let is_early = said.contains("A new full snapshot of the source mends it");
        ensure!(
            code == 0 || is_early,
            "rowtide rebuild {table}: {code}: {said}"
        );
        Ok((code == 0).then_some(()))
    })
}

fn complete(shop: &Shop, table: &str, wanted: bool) -> anyhow::Result<()> {
    let told = shop.table(table)?;
    ensure!(
        *told.get("fresh").get("complete") == Exact::Bool(wanted),
        "{told}"
    );
    Ok(())
}
