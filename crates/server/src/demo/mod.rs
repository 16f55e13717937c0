//! `rowtide demo`: a shop whose database changes, an in-process broker, and from there the real way
//! of a record to an HTTP answer.

mod banner;
mod catalogue;
mod connector;
mod feeder;
mod rows;
mod shop;

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Args;
use config::ConfigArgs;
use query::relation::{Endpoint, Relation};
use telemetry::clock::now_ms;

use crate::cli::LogArgs;
use crate::failure::Failure;
use crate::start_progress::Show;
use crate::{output, serve};
use shop::Shop;

#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Transactions a second
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,

    /// Decides what happens in the shop
    #[arg(long, default_value = "1")]
    seed: u64,

    /// Where the API answers: a loopback address or `unix:/path` [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Where probes and metrics answer [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,

    #[command(flatten)]
    log: LogArgs,
}

/// As the shop's foreign keys have it.
fn relations() -> Vec<Relation> {
    let endpoint = |table: &str, column: &str| Endpoint {
        table: table.to_owned(),
        columns: vec![column.to_owned()],
    };
    let keys = [
        ("customer", "orders", "customer_id", "customers", "orders"),
        ("order", "order_items", "order_id", "orders", "items"),
        ("customer", "tickets", "customer_id", "customers", "tickets"),
        ("order", "tickets", "order_id", "orders", "tickets"),
    ];
    let relation = |(name, table, column, to, inverse): (&str, &str, &str, &str, &str)| Relation {
        name: name.to_owned(),
        from: endpoint(table, column),
        to: endpoint(to, "id"),
        inverse: Some(inverse.to_owned()),
        constraint: Some(format!("{table}_{column}_fkey")),
        is_unique: false,
    };
    keys.map(relation).into()
}

pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    args.log.start("warn")?;
    let shop = Shop::open(args.seed, now_ms().unsigned_abs());
    let broker = feeder::start_broker(&shop).context("the demo cannot be set up")?;
    let flags = ConfigArgs {
        brokers: Some(broker.bootstrap_servers()),
        topics: vec![format!("{}.public.*", connector::TOPIC_PREFIX)],
        ephemeral: true,
        listen: args.listen.clone(),
        admin: args.admin.clone(),
        ..ConfigArgs::default()
    };
    // Variables that configure a real server are not meant for the demo.
    let mut config = config::load(&flags, &BTreeMap::new())?;
    config.relations = relations();
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "rowtide".to_owned());
    let (open, closed) = crossbeam_channel::bounded::<()>(0);
    std::thread::scope(|scope| {
        let served = serve::run(&config, None, Show::Log, |listen| {
            // Nobody reading the text is no reason to close the shop.
            let _ = output::print(&banner::text(
                listen,
                args.rate,
                &broker.bootstrap_servers(),
                &program,
            ));
            scope.spawn(|| feeder::run(shop, &broker, args.rate, &closed));
        });
        drop(open);
        served
    })
}
