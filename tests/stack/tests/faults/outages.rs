//! Servers and networks that go away and come back: nobody has to do anything.

use std::time::Duration;

use anyhow::ensure;
use black_box::wait;
use real_stack::Fault;

use crate::shop::Shop;
use crate::turn;

#[test]
fn what_goes_away_and_comes_back_costs_nothing() -> anyhow::Result<()> {
    let _turn = turn();
    let mut shop = Shop::open(|registration| registration)?;
    the_connector_goes(&mut shop)?;
    the_network_goes(&mut shop)?;
    rowtide_goes(&mut shop)?;
    the_broker_goes(&mut shop)?;
    the_database_goes(&mut shop)
}

fn the_connector_goes(shop: &mut Shop) -> anyhow::Result<()> {
    shop.survives("the connector is paused", |shop, _| {
        shop.connector.pause()?;
        // The log is quiet, and Rowtide says how much the source is ahead.
        shop.follower
            .until("the source is known to be ahead", "/v1/tables", |tables| {
                let lag = tables.get("fresh").get("source_lag_ms").as_integer()?;
                (lag > 2_000).then_some(())
            })?;
        shop.connector.resume()
    })?;
    shop.survives("the connector is restarted", |shop, _| {
        shop.connector.restart()
    })?;
    shop.survives("its worker is killed", |shop, _| {
        shop.stack.operate(&["stop", "--kill", "connect"])?;
        shop.stack.operate(&["start", "connect"])?;
        shop.connector.until_running()
    })
}

fn the_network_goes(shop: &mut Shop) -> anyhow::Result<()> {
    let network = shop.stack.network()?;
    shop.survives("the network swallows everything", |shop, witness| {
        witness.connector_runs(true);
        let broken = network.broken(Fault::Silence)?;
        let detail = shop.until_source("stale")?;
        ensure!(
            detail.contains(&shop.stack.proxied_brokers()),
            "it names who is away: {detail}"
        );
        shop.until_states(&["stale"])?;
        broken.mend();
        shop.until_source("live").map(drop)
    })?;
    shop.survives("the network is slow", |shop, witness| {
        witness.connector_runs(true);
        let slow = network.broken(Fault::Latency(1_000))?;
        wait::pass(Duration::from_secs(4));
        slow.mend();
        let narrow = network.broken(Fault::Bandwidth(2))?;
        wait::pass(Duration::from_secs(3));
        narrow.mend();
        shop.until_source("live").map(drop)
    })?;
    shop.survives("connections are reset and refused", |shop, witness| {
        witness.connector_runs(true);
        let broken = network.broken(Fault::Reset(100))?;
        wait::pass(Duration::from_secs(2));
        broken.mend();
        let refused = network.refusing()?;
        shop.until_source("stale")?;
        refused.mend();
        shop.until_source("live").map(drop)
    })
}

fn rowtide_goes(shop: &mut Shop) -> anyhow::Result<()> {
    shop.survives("Rowtide is killed", |shop, witness| {
        for _ in 0..2 {
            witness.excuses(|| {
                shop.follower.kill()?;
                shop.follower.start_again()?;
                shop.until_states(&["live"])
            })?;
        }
        Ok(())
    })
}

fn the_broker_goes(shop: &mut Shop) -> anyhow::Result<()> {
    for kill in [&["stop", "kafka"][..], &["stop", "--kill", "kafka"]] {
        shop.survives(&format!("the broker: {}", kill.join(" ")), |shop, _| {
            shop.stack.operate(kill)?;
            shop.until_source("stale")?;
            shop.stack.operate(&["start", "kafka"])?;
            shop.until_source("live").map(drop)
        })?;
    }
    Ok(())
}

fn the_database_goes(shop: &mut Shop) -> anyhow::Result<()> {
    shop.survives("the database is restarted", |shop, _| {
        shop.stack.operate(&["stop", "--kill", "postgres"])?;
        shop.stack.operate(&["start", "postgres"])
    })
}
