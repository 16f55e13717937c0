//! A replication slot that is lost: the connector takes a new snapshot, and what was deleted meanwhile goes.

use anyhow::ensure;
use black_box::exact::Exact;
use black_box::wait;

use crate::shop::Shop;
use crate::turn;

#[test]
fn rows_that_were_deleted_while_there_was_no_slot_go_with_the_next_snapshot() -> anyhow::Result<()>
{
    let _turn = turn();
    let mut shop = Shop::open(|registration| registration.with("snapshot.mode", "when_needed"))?;
    shop.survives("the slot is dropped", |shop, _| {
        shop.connector.stop()?;
        let slot = format!("pg_drop_replication_slot('{}')", shop.database.name());
        wait::until("nobody reads from the slot any more", || {
            Ok(shop.database.run(&format!("select {slot}")).ok())
        })?;
        // Nothing in the log will ever say so.
        shop.database.run("delete from orders where id % 3 = 0; update customers set name = 'renamed' where id = 7")?;
        shop.connector.resume()
    })?;
    for table in ["orders", "customers"] {
        let told = shop.table(table)?;
        ensure!(
            *told.get("fresh").get("complete") == Exact::Bool(true),
            "{told}"
        );
    }
    Ok(())
}
