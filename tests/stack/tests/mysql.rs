//! MySQL and MariaDB through Debezium's own connectors: the tutorial's database, and a table of every type.

use anyhow::ensure;
use black_box::compare::compare;
use black_box::spelling::Spellings;
use real_stack::{Flavour, Follower, Mysql, Source, Stack};

/// The database that Debezium's tutorial works with.
const INVENTORY: &str = "
    create table products (id int not null auto_increment primary key, name varchar(255) not null, description varchar(512), weight float) auto_increment = 101;
    insert into products values (default, 'scooter', 'Small 2-wheel scooter', 3.14), (default, 'car battery', '12V car battery', 8.1),
        (default, '12-pack drill bits', '12-pack of drill bits with sizes ranging from #40 to #3', 0.8), (default, 'hammer', '12oz carpenter''s hammer', 0.75),
        (default, 'hammer', '14oz carpenter''s hammer', 0.875), (default, 'hammer', '16oz carpenter''s hammer', 1.0),
        (default, 'rocks', 'box of assorted rocks', 5.3), (default, 'jacket', 'water resistent black wind breaker', 0.1), (default, 'spare tire', '24 inch spare tire', 22.2);
    create table products_on_hand (product_id int not null primary key, quantity int not null, foreign key (product_id) references products (id));
    insert into products_on_hand values (101, 3), (102, 8), (103, 18), (104, 4), (105, 5), (106, 0), (107, 44), (108, 2), (109, 5);
    create table customers (id int not null auto_increment primary key, first_name varchar(255) not null, last_name varchar(255) not null, email varchar(255) not null unique key) auto_increment = 1001;
    insert into customers values (default, 'Sally', 'Thomas', 'sally.thomas@acme.com'), (default, 'George', 'Bailey', 'gbailey@foobar.com'),
        (default, 'Edward', 'Walker', 'ed@walker.com'), (default, 'Anne', 'Kretchmar', 'annek@noanswer.org');
    create table addresses (id int not null auto_increment primary key, customer_id int not null, street varchar(255) not null, city varchar(255) not null,
        state varchar(255) not null, zip varchar(255) not null, type enum('SHIPPING', 'BILLING', 'LIVING') not null, foreign key (customer_id) references customers (id)) auto_increment = 10;
    insert into addresses values (default, 1001, '3183 Moore Avenue', 'Euless', 'Texas', '76036', 'SHIPPING'), (default, 1001, '2389 Hidden Valley Road', 'Harrisburg', 'Pennsylvania', '17116', 'BILLING'),
        (default, 1002, '281 Riverside Drive', 'Augusta', 'Georgia', '30901', 'BILLING'), (default, 1003, '3787 Brownton Road', 'Columbus', 'Mississippi', '39701', 'SHIPPING'),
        (default, 1003, '2458 Lost Creek Road', 'Bethlehem', 'Pennsylvania', '18018', 'SHIPPING'), (default, 1003, '4800 Simpson Square', 'Hillsdale', 'Oklahoma', '73743', 'BILLING'),
        (default, 1004, '1289 University Hill Road', 'Canehill', 'Arkansas', '72717', 'LIVING');
    create table orders (order_number int not null auto_increment primary key, order_date date not null, purchaser int not null, quantity int not null, product_id int not null,
        foreign key (purchaser) references customers (id), foreign key (product_id) references products (id)) auto_increment = 10001;
    insert into orders values (default, '2016-01-16', 1001, 1, 102), (default, '2016-01-17', 1002, 2, 105), (default, '2016-02-19', 1002, 2, 106), (default, '2016-02-21', 1003, 1, 107);
    create table geom (id int not null auto_increment primary key, g geometry not null, h geometry);
    insert into geom values (default, st_geomfromtext('POINT(1 1)'), null), (default, st_geomfromtext('LINESTRING(2 1, 6 6)'), null),
        (default, st_geomfromtext('POLYGON((0 5, 2 5, 2 7, 0 7, 0 5))'), st_geomfromtext('POINT(1 2)'));
    create view order_emails as select o.order_number, o.quantity, c.email as customer_email, p.name as product_name
        from orders o join customers c on c.id = o.purchaser join products p on p.id = o.product_id;
";

const RELATIONS: &str = r#"
[[relations]]
name = "customer"
from = "orders.purchaser"
to = "customers.id"
[[relations]]
name = "product"
from = "orders.product_id"
to = "products.id"
"#;

const TYPES: &str = "
    create table types (
        id int primary key, tiny tinyint, tiny_unsigned tinyint unsigned, small smallint, medium mediumint, big bigint, big_unsigned bigint unsigned,
        exact decimal(20, 5), whole decimal(10), real4 float, real8 double, yes boolean, one_bit bit(1), bits bit(12),
        fixed char(5), short varchar(20), words text, day date, at_time time(3), at_moment datetime(6), at_second datetime, at_instant timestamp(3) null, in_year year,
        fixed_bytes binary(4), some_bytes varbinary(20), bytes blob, feeling enum('sad', 'ok', 'happy'), colours set('red', 'green', 'blue'), doc json
    );
";

fn typed_rows(first: i32) -> String {
    format!(
        r#"insert into types values
        ({first}, -128, 255, -32768, -8388608, 9223372036854775807, 9007199254740993, 123456789012345.67890, 42, 1.5, -1e300, true, b'1', b'101010101010',
         'ab', 'ü€𝄞', 'a"b', '2024-02-29', '-838:59:58.5', '2024-02-29 12:34:56.123456', '1999-12-31 23:59:59', '2024-02-29 12:34:56.120', 2024,
         x'00ff1020', x'00ff', x'deadbeef', 'happy', 'red,blue', '{{"a": [1, 2.5], "b": null}}'),
        ({first} + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.1, false, b'0', b'0', '', '', '', '1000-01-01', '00:00:00', '1000-01-01 00:00:00', '9999-12-31 23:59:59', '1970-01-02 00:00:01', 1901,
         x'01020304', '', '', 'sad', '', '[]');
        insert into types (id) values ({first} + 2);"#
    )
}

#[test]
fn mysql() -> anyhow::Result<()> {
    a_life(Flavour::Mysql, "@@global.gtid_executed")
}

#[test]
fn mariadb() -> anyhow::Result<()> {
    a_life(Flavour::Mariadb, "@@last_gtid")
}

fn a_life(flavour: Flavour, position: &str) -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut inventory = stack.mysql(flavour, "inventory")?;
    inventory.run(INVENTORY)?;
    inventory.run(TYPES)?;
    inventory.run(&typed_rows(1))?;
    let _connector = stack.register(&inventory.connector())?;
    let follower = stack.follow_with(inventory.name(), RELATIONS)?;
    let tables = [
        "customers",
        "orders",
        "products",
        "products_on_hand",
        "addresses",
        "geom",
        "types",
    ];
    follower.until_equal(&mut inventory, &tables)?;
    joined(&mut inventory, &follower)?;

    // As the tutorial goes on.
    inventory.run("update customers set first_name = 'Anne Marie' where id = 1004")?;
    inventory.run(
        "delete from addresses where customer_id = 1004; delete from customers where id = 1004",
    )?;
    inventory.run(
        "insert into customers values (default, 'Sarah', 'Thompson', 'kitt@acme.com'), (default, 'Kenneth', 'Anderson', 'kander@acme.com')",
    )?;
    inventory
        .run("update orders set order_number = 20001, quantity = 7 where order_number = 10001")?;
    inventory.run(&typed_rows(11))?;
    inventory.run("update types set tiny = 1 where id in (1, 11)")?;
    inventory.run("alter table products add column colour varchar(20) default 'grey'; update products set weight = weight * 2")?;
    follower.until_equal(&mut inventory, &tables)?;
    joined(&mut inventory, &follower)?;
    own_writes(&mut inventory, &follower, position)?;
    follower.check_equal(&mut inventory, &tables)
}

/// Orders with their customers and products, as the database joins them.
fn joined(inventory: &mut Mysql, follower: &Follower) -> anyhow::Result<()> {
    let mut wanted = inventory.expected("order_emails")?;
    wanted.key = Some(vec!["order_number".to_owned()]);
    let query = [(
        "select",
        "order_number,quantity,customer!flatten(email),product!flatten(name)",
    )];
    let answer = follower.server().found("/v1/tables/orders/rows", &query)?;
    let rows = answer.get("rows").as_list().unwrap_or_default();
    let wrong = compare(&wanted, &Spellings::default(), rows).wrong;
    ensure!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

/// What was written is there once its place in the binary log is.
fn own_writes(inventory: &mut Mysql, follower: &Follower, position: &str) -> anyhow::Result<()> {
    for round in 0..5 {
        let said = inventory.texts(&format!(
            "begin; update customers set last_name = 'round {round}' where id = 1001; update products_on_hand set quantity = {round} where product_id = 101; commit; select {position}"
        ))?;
        let floor = format!("gtid:{}", said.concat());
        let query = [("at_least", floor.as_str()), ("wait", "60s")];
        let server = follower.server();
        let answer = server.found("/v1/tables/customers/rows/1001", &query)?;
        ensure!(
            answer.to_string().contains(&format!("\"round {round}\"")),
            "{floor}: {answer}"
        );
        follower.check_equal(inventory, &["customers", "products_on_hand"])?;
    }
    Ok(())
}
