//! PostgreSQL through Debezium's own connector: all that a connector tells in its life, one after the other.

use anyhow::ensure;
use black_box::exact::Exact;
use real_stack::{Follower, Postgres, Stack};

const TABLES: &str = "
    create table customers (id bigint primary key, name text not null, credit numeric(12, 2));
    create table orders (id bigint primary key, customer_id bigint not null, placed timestamptz not null);
    create table archive (id bigint primary key, what text);
    create table late (id bigint primary key, what text);
    create table documents (id bigint primary key, title text, body text);
    alter table documents alter column body set storage external;
    create table debezium_signal (id varchar(42) primary key, type varchar(32) not null, data varchar(2048));
    create table rowtide_heartbeat (id int primary key, at timestamptz);
    insert into customers select n, 'customer ' || n, n * 1.5 from generate_series(1, 500) n;
    insert into orders select n, n % 500 + 1, '2026-01-01Z'::timestamptz + n * interval '1 second' from generate_series(1, 2000) n;
    insert into archive select n, 'old ' || n from generate_series(1, 100) n;
    insert into late select n, 'late ' || n from generate_series(1, 3000) n;
    insert into documents select n, 'title ' || n, repeat(md5(n::text), 300) from generate_series(1, 20) n;
";

const TYPES: &str = "
    create type mood as enum ('sad', 'ok', 'happy');
    create table types (
        id int primary key, small smallint, big bigint, real4 real, real8 double precision, exact numeric(20, 5), free numeric,
        yes boolean, fixed char(5), short varchar(20), long text, day date, at_time time, at_time_zone timetz,
        at_moment timestamp, at_instant timestamptz(3), span interval, bytes bytea, one_bit bit(1), bits bit(12), some_bits varbit(20),
        id_text uuid, doc json, docb jsonb, feeling mood, numbers int[], words text[], address inet, network cidr, rng int4range, page xml
    );
";

fn typed_rows(first: i32) -> String {
    format!(
        r#"insert into types values
        ({first}, -32768, 9223372036854775807, 1.1, -1e300, 123456789012345.67890, 0.1000, true, 'ab', 'ü€𝄞', E'a\nb"c', '2024-02-29', '12:34:56.789',
         '12:34:56+02', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56.123+02', '1 year 2 mons 3 days 04:05:06.789', '\x00ff10', '1', '101010101010', '101',
         '11111111-2222-3333-4444-555555555555', '{{"a": [1, 2.50], "b": null}}', '{{"a": [1, 2.50], "b": null}}', 'happy', '{{1,null,3}}', '{{"a","b c",null}}',
         '10.0.0.1', '10.1.0.0/16', '[1,5)', '<a>1</a>'),
        ({first} + 1, 0, 0, 'NaN', 'Infinity', 0, 12345678901234567890.123456789, false, '', '', '', '0001-01-01', '00:00', '23:59:59.999999-12', '1999-12-31 23:59:59',
         'infinity', '11 years 1 mon 30 days 23:59:59.5', '', '0', '000000000000', '', '00000000-0000-0000-0000-000000000000', '[]', '"text"', 'sad', '{{}}', '{{}}', '::1', '::/0', 'empty', '<b/>');
        insert into types (id) values ({first} + 2)"#
    )
}

#[test]
fn all_that_a_connector_tells_in_its_life() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("shop")?;
    shop.run(TABLES)?;
    shop.run(TYPES)?;
    shop.run(&typed_rows(1))?;
    let public = format!("{}.public", shop.name());
    let registration = shop
        .connector()
        .with("signal.data.collection", "public.debezium_signal")
        .with("incremental.snapshot.chunk.size", "500")
        .with(
            "snapshot.include.collection.list",
            r"public\.(customers|orders|archive|documents|types)",
        )
        .with("heartbeat.interval.ms", "500")
        .with(
            "heartbeat.action.query",
            "insert into rowtide_heartbeat values (1, now()) on conflict (id) do update set at = now()",
        );
    let _connector = stack.register(&registration)?;
    let follower = stack.follow_with(
        shop.name(),
        &format!("signal_table = \"{public}.debezium_signal\"\nheartbeat_table = \"{public}.rowtide_heartbeat\""),
    )?;
    follower.until_equal(
        &mut shop,
        &["customers", "orders", "archive", "documents", "types"],
    )?;

    every_operation(&mut shop, &follower)?;
    values_that_are_not_sent_again(&mut shop, &follower)?;
    an_incremental_snapshot(&mut shop, &follower)?;
    other_columns(&mut shop, &follower)?;
    own_writes(&mut shop, &follower)?;
    silence(&mut shop, &follower)?;
    // What came last cost nothing of what came first.
    follower.check_equal(
        &mut shop,
        &[
            "customers",
            "orders",
            "archive",
            "late",
            "documents",
            "types",
        ],
    )
}

fn every_operation(shop: &mut Postgres, follower: &Follower) -> anyhow::Result<()> {
    shop.run("insert into customers values (1001, 'new', null)")?;
    shop.run("update customers set credit = credit + 1 where id % 7 = 0")?;
    shop.run("delete from orders where id % 5 = 0")?;
    // Another key: the old row goes, the new one comes.
    shop.run("update orders set id = id + 10000 where id % 11 = 0")?;
    shop.run("truncate archive; insert into archive values (7, 'after the truncate')")?;
    shop.run(&typed_rows(11))?;
    shop.run("update types set small = 1 where id in (1, 11)")?;
    follower.until_equal(shop, &["customers", "orders", "archive", "types"])?;
    let metrics = follower.server().admin("/metrics")?.text;
    let counted = |table: &str, op: &str| {
        let (table, op) = (format!("table=\"{table}\""), format!("op=\"{op}\""));
        let mut lines = metrics.lines();
        lines
            .find(|line| {
                line.starts_with("rowtide_events_applied_total")
                    && line.contains(&table)
                    && line.contains(&op)
            })
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
    };
    // 500 and one inserted, 72 updated.
    ensure!(counted("customers", "upsert") == Some(573), "{metrics}");
    // A fifth of 2,000, and of the others each eleventh under its old key.
    ensure!(counted("orders", "delete") == Some(400 + 145), "{metrics}");
    ensure!(counted("archive", "truncate") == Some(1), "{metrics}");
    Ok(())
}

/// Under the usual REPLICA IDENTITY a long value that did not change is not sent.
fn values_that_are_not_sent_again(shop: &mut Postgres, follower: &Follower) -> anyhow::Result<()> {
    shop.run("update documents set title = title || ', again'")?;
    shop.run("update documents set id = id + 100 where id <= 5")?;
    shop.run("update documents set body = null where id = 6")?;
    shop.run("update documents set body = repeat('x', 10000) where id = 7")?;
    follower.until_equal(shop, &["documents"])
}

/// Rows that were there before and are read while others are written.
fn an_incremental_snapshot(shop: &mut Postgres, follower: &Follower) -> anyhow::Result<()> {
    shop.run(
        r#"insert into debezium_signal values ('late', 'execute-snapshot', '{"data-collections": ["public.late"], "type": "incremental"}')"#,
    )?;
    for round in 0..10 {
        shop.run(&format!(
            "update late set what = what || '+' where id % 10 = {round};
             delete from late where id = {round} + 500;
             insert into late values ({round} + 10000, 'while it is read')"
        ))?;
    }
    follower.until_equal(shop, &["late"])
}

/// A row has the columns that its last change told, so each is changed after the table was.
fn other_columns(shop: &mut Postgres, follower: &Follower) -> anyhow::Result<()> {
    for change in [
        "alter table customers add column tier text default 'basic'",
        "alter table customers rename column credit to balance",
        "alter table customers drop column balance",
    ] {
        shop.run(change)?;
        shop.run("update customers set name = name || '.'")?;
        follower.until_equal(shop, &["customers"])?;
    }
    Ok(())
}

/// The id of a transaction, sent along with the next read, shows all of it.
fn own_writes(shop: &mut Postgres, follower: &Follower) -> anyhow::Result<()> {
    // A topic that was found while others were read is behind them for a while.
    follower.until_whole("/v1/tables")?;
    for round in 0..20 {
        let mut transaction = shop.client().transaction()?;
        transaction.batch_execute(&format!(
            "update customers set tier = 'round {round}' where id = 7; insert into orders values ({round} + 50000, 7, now())"
        ))?;
        let id = transaction.query_one("select pg_current_xact_id()::text", &[])?;
        let id: String = id.get(0);
        transaction.commit()?;
        let floor = format!("tx:{id}");
        let query = [("at_least", floor.as_str()), ("wait", "60s")];
        let customer = follower
            .server()
            .found("/v1/tables/customers/rows/7", &query)?;
        ensure!(
            customer.get("row").get("tier") == &Exact::text(&format!("round {round}"))
                || customer.get("tier") == &Exact::text(&format!("round {round}")),
            "round {round}: {customer}"
        );
        let order = format!("/v1/tables/orders/rows/{}", 50_000 + round);
        follower.server().found(&order, &[])?;
        // At once, but where a record came so late that this had to be found out.
        follower.until_whole(&order)?;
    }
    Ok(())
}

/// Nothing is written but the connector's own row, and that proves how far the source has come.
fn silence(shop: &mut Postgres, follower: &Follower) -> anyhow::Result<()> {
    let position = shop.texts("select pg_current_wal_insert_lsn()")?;
    let floor = format!("lsn:{}", position.concat());
    for query in [
        [("at_least", floor.as_str()), ("wait", "60s")],
        [("max_lag", "30s"), ("wait", "60s")],
    ] {
        let answer = follower.server().get("/v1/wait", &query)?;
        ensure!(answer.status == 200, "{query:?}: {}", answer.text);
    }
    let first = fresh(follower)?;
    ensure!(first.get("state") == &Exact::text("live"), "{first}");
    follower.until("freshness goes on", "/v1/status", |_| {
        let later = fresh(follower).ok()?;
        let known = later.get("source_lag_ms").as_integer()?;
        (later.get("as_of") != first.get("as_of") && known < 30_000).then_some(())
    })
}

fn fresh(follower: &Follower) -> anyhow::Result<Exact> {
    let answer = follower
        .server()
        .found("/v1/tables/customers/rows/7", &[])?;
    Ok(answer.get("fresh").clone())
}
