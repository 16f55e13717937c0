//! PostgreSQL through Debezium's own connector.

use real_stack::Stack;

#[test]
fn what_was_there_and_what_comes_is_served() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("shop")?;
    shop.run(
        "create table customers (id bigint primary key, name text not null, credit numeric(12, 2));
         create table orders (id bigint primary key, customer_id bigint not null, placed timestamptz not null);
         insert into customers select n, 'customer ' || n, n * 1.5 from generate_series(1, 500) n;
         insert into orders select n, n % 500 + 1, '2026-01-01Z'::timestamptz + n * interval '1 second' from generate_series(1, 2000) n",
    )?;
    let _connector = stack.register(&shop.connector())?;
    let follower = stack.follow(shop.name())?;
    follower.until_equal(&mut shop, &["customers", "orders"])?;

    shop.run("insert into customers values (1001, 'late', null); update customers set credit = credit + 1 where id % 7 = 0")?;
    shop.run("delete from orders where id % 5 = 0")?;
    shop.run("update orders set id = id + 10000 where id % 11 = 0")?;
    follower.until_equal(&mut shop, &["customers", "orders"])
}
