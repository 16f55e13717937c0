//! A shop that is written to all the time, a connector, and a Rowtide that follows it.

use anyhow::Context;
use black_box::exact::Exact;
use real_stack::{Connector, Follower, Postgres, Registration, Stack};

use crate::witness::Witness;
use crate::writers::Writers;

const TABLES: [&str; 3] = ["customers", "orders", "pulse"];

const MADE: &str = "
    create table customers (id int primary key, name text not null, balance numeric(12, 2) not null);
    create table orders (id bigserial primary key, customer_id int not null, amount numeric(12, 2) not null, note text);
    create table pulse (id int primary key, beat bigint not null);
    create table rowtide_heartbeat (id int primary key, at timestamptz);
    insert into customers select n, 'customer ' || n, 0 from generate_series(1, 20) n;
    insert into orders (customer_id, amount) select n % 20 + 1, n from generate_series(1, 300) n;
    insert into pulse values (1, 0)";

const HEARTBEAT: &str =
    "insert into rowtide_heartbeat values (1, now()) on conflict (id) do update set at = now()";

pub struct Shop {
    pub stack: Stack,
    pub follower: Follower,
    pub connector: Connector,
    pub database: Postgres,
}

impl Shop {
    /// One whose network to the broker can be broken, and whose tables equal the source's.
    pub fn open(change: impl FnOnce(Registration) -> Registration) -> anyhow::Result<Self> {
        let stack = Stack::from_env()?;
        let mut database = stack.postgres("faults")?;
        database.run(MADE)?;
        let registration = database
            .connector()
            .with("heartbeat.interval.ms", "300")
            .with("heartbeat.action.query", HEARTBEAT);
        let connector = stack.register(&change(registration))?;
        let name = database.name().to_owned();
        let heartbeats = format!("heartbeat_table = \"{name}.public.rowtide_heartbeat\"");
        let follower = Follower::start(&stack.proxied_brokers(), &name, &heartbeats)?;
        let mut shop = Self {
            stack,
            follower,
            connector,
            database,
        };
        shop.equals()?;
        Ok(shop)
    }

    /// The topic of a table.
    pub fn topic(&self, table: &str) -> String {
        format!("{}.public.{table}", self.database.name())
    }

    /// Waits until all tables equal the source's, and its transactions are known to be whole.
    pub fn equals(&mut self) -> anyhow::Result<()> {
        self.follower.until_equal(&mut self.database, &TABLES)?;
        self.until_states(&["live"])?;
        self.follower.until_whole("/v1/tables")
    }

    /// Lets writers write while something goes wrong and is over; then the tables must equal the source's.
    pub fn survives(
        &mut self,
        what: &str,
        goes_wrong: impl FnOnce(&mut Self, &Witness) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let writers = Writers::start(&self.database)?;
        let witness = Witness::start(&self.follower, writers.beats());
        let outcome = goes_wrong(self, &witness)
            .and_then(|()| writers.write_on())
            .and_then(|()| {
                writers.stop()?;
                self.database.reconnect()?;
                self.equals()
            });
        let told = witness.end();
        outcome
            .with_context(|| format!("{what}; {}", self.told()))
            .and_then(|()| told.with_context(|| what.to_owned()))
    }

    /// Waits until the worst state of all tables is one of these.
    pub fn until_states(&self, wanted: &[&str]) -> anyhow::Result<()> {
        let what = format!("the tables are {}", wanted.join(" or "));
        self.follower.until(&what, "/v1/tables", |tables| {
            let state = tables.get("fresh").get("state").as_text()?;
            wanted.contains(&state).then_some(())
        })
    }

    /// Waits until the source is said to be in this state; what is said of it.
    pub fn until_source(&self, wanted: &str) -> anyhow::Result<String> {
        let what = format!("the source is {wanted}");
        self.follower.until(&what, "/v1/status", |status| {
            let source = status.get("sources").as_list()?.first()?;
            let is_wanted = source.get("state").as_text() == Some(wanted);
            let detail = source.get("detail").as_text().unwrap_or_default();
            is_wanted.then(|| detail.to_owned())
        })
    }

    /// What the status says of a table.
    pub fn table(&self, name: &str) -> anyhow::Result<Exact> {
        let status = self.follower.server().found("/v1/status", &[])?;
        let tables = status.get("tables").as_list().context("no tables")?;
        let table = tables
            .iter()
            .find(|it| it.get("name").as_text() == Some(name));
        table.cloned().with_context(|| format!("no table {name}"))
    }

    fn told(&self) -> String {
        let connector = self
            .connector
            .status()
            .map_or_else(|error| error.to_string(), |it| it.to_string());
        let status = self.follower.server().get("/v1/status", &[]);
        let status = status.map_or_else(|error| error.to_string(), |it| it.text);
        format!("the connector: {connector}; the status: {status}")
    }
}
