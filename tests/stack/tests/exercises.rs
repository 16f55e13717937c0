//! What a course on change data capture has its pupils set up: an outbox, rows without their envelope, tables that
//! share a topic, topics by other names. One connector transforms all of them.

use anyhow::ensure;
use black_box::exact::Exact;
use real_stack::{Registration, Source, Stack};

const TABLES: &str = r#"
    create table outbox (id uuid primary key, aggregatetype text not null, aggregateid text not null, type text not null, payload jsonb);
    create table items (id int primary key, name text, price numeric(8, 2));
    create table customers_eu (id int primary key, name text);
    create table customers_us (id int primary key, name text);
    create table parcels (id int primary key, place text);
    create view customers as select * from customers_eu union all select * from customers_us;
    create view orders_events as select id, aggregateid, payload from outbox where aggregatetype = 'orders';
    insert into items values (1, 'pen', 1.50), (2, 'ink', 7.00), (3, 'paper', null);
    insert into customers_eu values (1, 'Ada'), (2, 'Grace');
    insert into customers_us values (101, 'Alan');
    insert into parcels values (1, 'Lyon'), (2, 'Oslo');
"#;

/// Each transformation sees the topics of its exercise alone.
fn transformed(registration: Registration) -> Registration {
    let name = registration
        .setting("topic.prefix")
        .unwrap_or_default()
        .to_owned();
    let mut registration = registration.with("transforms", "outbox,shards,rename,unwrap");
    for (transform, kind, topics) in [
        (
            "outbox",
            "io.debezium.transforms.outbox.EventRouter",
            "outbox",
        ),
        (
            "shards",
            "io.debezium.transforms.ByLogicalTableRouter",
            "customers_.*",
        ),
        (
            "rename",
            "org.apache.kafka.connect.transforms.RegexRouter",
            "parcels",
        ),
        (
            "unwrap",
            "io.debezium.transforms.ExtractNewRecordState",
            "items",
        ),
    ] {
        registration = registration
            .with(&format!("transforms.{transform}.type"), kind)
            .with(&format!("transforms.{transform}.predicate"), transform)
            .with(
                &format!("predicates.{transform}.type"),
                "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
            )
            .with(
                &format!("predicates.{transform}.pattern"),
                &format!(r"{name}\.public\.{topics}"),
            );
    }
    registration
        .with("predicates", "outbox,shards,rename,unwrap")
        .with(
            "transforms.outbox.route.topic.replacement",
            &format!("{name}.${{routedByValue}}.events"),
        )
        .with("transforms.shards.topic.regex", r"(.*)\.customers_.*")
        .with("transforms.shards.topic.replacement", "$1.customers")
        .with("transforms.shards.key.enforce.uniqueness", "false")
        .with("transforms.rename.regex", r"(.*)\.parcels")
        .with("transforms.rename.replacement", "$1.deliveries")
        .with("transforms.unwrap.add.fields", "op,source.ts_ms")
}

#[test]
fn events_of_an_outbox_flattened_rows_and_routed_topics() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut course = stack.postgres("course")?;
    course.run(TABLES)?;
    let _connector = stack.register(&transformed(course.connector()))?;
    let follower = stack.follow(course.name())?;
    for change in [
        "select",
        "insert into items values (4, 'glue', 2.25); update items set price = price * 2; delete from items where id = 2",
        "insert into customers_us values (102, 'Barbara'); update customers_eu set name = name || '!'; delete from customers_eu where id = 1",
        "insert into parcels values (3, 'Rome'); update parcels set id = 20 where id = 2; delete from parcels where id = 1",
        r#"insert into outbox select md5(n::text)::uuid, 'orders', 'o' || n, 'OrderPlaced', jsonb_build_object('order', n, 'lines', jsonb_build_array(n, 2)) from generate_series(1, 50) n"#,
    ] {
        course.run(change)?;
    }
    let mut items = course.expected("items")?;
    items.added_columns = ["__op", "__source_ts_ms", "__deleted"]
        .map(str::to_owned)
        .to_vec();
    follower.until_shows(&items)?;
    let mut customers = course.expected("customers")?;
    customers.key = Some(vec!["id".to_owned()]);
    follower.until_shows(&customers)?;
    let mut deliveries = course.expected("parcels")?;
    "deliveries".clone_into(&mut deliveries.name);
    follower.until_shows(&deliveries)?;
    let mut events = course.expected("orders_events")?;
    "events".clone_into(&mut events.name);
    events.key = Some(vec!["id".to_owned()]);
    follower.until_shows(&events)?;
    // Statistics over the events, asked as a table.
    let query = [("aggregate", "events:count()")];
    let answer = follower.server().get("/v1/tables/events/rows", &query)?;
    ensure!(answer.status == 200, "{}", answer.text);
    let body = answer.body()?;
    let rows = body.get("rows").as_list().unwrap_or_default();
    ensure!(
        rows.first().map(|row| row.get("events")) == Some(&Exact::Number("50".to_owned())),
        "{body}"
    );
    Ok(())
}
