//! A million orders of a shop in PostgreSQL, as Debezium's snapshot of them brought them to the broker.

use std::time::Duration;

use kafka_source::mock::{PlainConsumer, PlainProducer, Whence};
use real_stack::Stack;

use crate::rates::Rows;

const ROWS: u64 = 1_000_000;
const PARTITIONS: i32 = 4;
const POLL: Duration = Duration::from_secs(1);
const FETCH_WAIT_MS: u32 = 100;

const TABLE: &str = "
create table orders (
    id bigint primary key, customer_id bigint, status text, total numeric(12, 2), currency char(3), lines int,
    is_paid boolean, note text, name text, street text, city text, postal_code text, country char(2), email text,
    phone text, created_at timestamptz, updated_at timestamptz
);
insert into orders
select id, customer, (array['new', 'paid', 'shipped', 'returned'])[1 + mixed % 4], mixed % 100000 / 100.0, 'EUR',
    1 + mixed % 9, mixed % 2 = 0, case when mixed % 3 = 0 then 'please leave it at the door' end,
    (array['Anna', 'Maria', 'Jonas', 'Peter', 'Sofia'])[1 + customer % 5] || ' '
        || (array['Schneider', 'Rossi', 'Keller', 'Moreau'])[1 + customer % 4],
    1 + mixed % 1000 || ' ' || (array['Long Street', 'Station Road', 'Mill Lane'])[1 + mixed % 3],
    (array['Springfield', 'Newport', 'Ashford', 'Kingston'])[1 + customer % 4], (10000 + customer % 90000)::text,
    (array['AT', 'CH', 'DE', 'FR', 'IT'])[1 + customer % 5], 'customer' || customer || '@mail.example.org',
    '+49 30 ' || 1000000 + customer, placed, placed + mixed % 100000 * interval '1 s'
from (
    select id, mixed, mixed % 100000 as customer, timestamptz '2026-01-01' + mixed * interval '10.007 ms' as placed
    from (select id, (id::bigint * 7919 % 2147483647)::int as mixed from generate_series(1, 1000000) as id) as numbered
) as spread";

pub fn captured(stack: &Stack) -> anyhow::Result<Rows> {
    let brokers = stack.brokers()?;
    let mut shop = stack.postgres("orders")?;
    shop.run(TABLE)?;
    let topic = format!("{}.public.orders", shop.name());
    PlainProducer::create_topic(&brokers, &topic, PARTITIONS)?;
    let mut registration = shop.connector().with("decimal.handling.mode", "string");
    for converter in ["key.converter", "value.converter"] {
        registration = registration
            .with(converter, "org.apache.kafka.connect.json.JsonConverter")
            .with(&format!("{converter}.schemas.enable"), "false");
    }
    // Ends with the snapshot: nothing else shall be busy then.
    let _connector = stack.register(&registration)?;
    let partitions = (0..PARTITIONS).map(|partition| (topic.clone(), partition));
    let consumer = PlainConsumer::of(&brokers, partitions, Whence::Beginning, FETCH_WAIT_MS)?;
    let mut read = 0;
    while read < ROWS {
        read += u64::from(consumer.next(POLL, |_| ())?.is_some());
    }
    Ok(Rows {
        what: "orders of PostgreSQL",
        topic,
        table: "orders",
        partitions: PARTITIONS,
        count: ROWS,
    })
}
