//! The shop's tables, what they hold before the first order, and how their rows belong together.

use std::fmt::Write as _;

use postgres::Client;

/// How much there is of everything: small enough for writers to meet at the same rows all the time.
pub const WAREHOUSES: i32 = 2;
pub const DISTRICTS: i32 = 5;
pub const CUSTOMERS: i32 = 30;
pub const ITEMS: i32 = 100;
/// Of each item in each warehouse, before the first order.
pub const OPENING_QUANTITY: i64 = 100;

/// A table's name and its key; payments have none.
pub const TABLES: [(&str, &[&str]); 9] = [
    ("warehouses", &["id"]),
    ("districts", &["warehouse", "id"]),
    ("customers", &["warehouse", "district", "id"]),
    ("items", &["id"]),
    ("stock", &["warehouse", "item"]),
    ("orders", &["warehouse", "district", "id"]),
    ("new_orders", &["warehouse", "district", "order_id"]),
    (
        "order_lines",
        &["warehouse", "district", "order_id", "number"],
    ),
    ("payments", &[]),
];

/// Every eighth customer has a note that PostgreSQL keeps outside the row and does not log with every update.
const TABLES_SQL: &str = "
CREATE TABLE warehouses (id int PRIMARY KEY, name text NOT NULL, city text, tax numeric(4,4) NOT NULL, received numeric(14,2) NOT NULL);
CREATE TABLE districts (warehouse int REFERENCES warehouses, id int, name text NOT NULL, tax numeric(4,4) NOT NULL,
  received numeric(14,2) NOT NULL, next_order int NOT NULL, PRIMARY KEY (warehouse, id));
CREATE TABLE customers (warehouse int, district int, id int, name text NOT NULL, credit text NOT NULL, discount numeric(4,4) NOT NULL,
  balance numeric(14,2) NOT NULL, paid numeric(14,2) NOT NULL, payments int NOT NULL, deliveries int NOT NULL, phone text,
  since timestamptz NOT NULL, note text, PRIMARY KEY (warehouse, district, id), FOREIGN KEY (warehouse, district) REFERENCES districts);
CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price numeric(6,2) NOT NULL, colour text, made_on date NOT NULL);
CREATE TABLE stock (warehouse int REFERENCES warehouses, item int REFERENCES items, quantity int NOT NULL, sold int NOT NULL,
  restocked int NOT NULL, orders int NOT NULL, PRIMARY KEY (warehouse, item));
CREATE TABLE orders (warehouse int, district int, id int, customer int NOT NULL, entered_at timestamptz NOT NULL, carrier int,
  lines int NOT NULL, all_local boolean NOT NULL, PRIMARY KEY (warehouse, district, id),
  FOREIGN KEY (warehouse, district, customer) REFERENCES customers);
CREATE TABLE new_orders (warehouse int, district int, order_id int, PRIMARY KEY (warehouse, district, order_id),
  FOREIGN KEY (warehouse, district, order_id) REFERENCES orders);
CREATE TABLE order_lines (warehouse int, district int, order_id int, number int, item int NOT NULL, supplier int NOT NULL,
  quantity int NOT NULL, amount numeric(8,2) NOT NULL, delivered_at timestamptz, PRIMARY KEY (warehouse, district, order_id, number),
  FOREIGN KEY (warehouse, district, order_id) REFERENCES orders, FOREIGN KEY (supplier, item) REFERENCES stock);
CREATE TABLE payments (warehouse int NOT NULL, district int NOT NULL, customer_warehouse int NOT NULL, customer_district int NOT NULL,
  customer int NOT NULL, paid_at timestamptz NOT NULL, amount numeric(8,2) NOT NULL, memo text);
CREATE TABLE rowtide_heartbeat (id int PRIMARY KEY, at timestamptz);
";

/// Everything a pure function of its number, so that a shop is the same each time it is opened.
const ROWS_SQL: &str = "
INSERT INTO warehouses SELECT w, 'Warehouse ' || w, CASE w % 2 WHEN 0 THEN 'Lund' END, w * 0.0125, 0 FROM generate_series(1, $W) w;
INSERT INTO districts SELECT w, d, 'District ' || w || '/' || d, d * 0.0100, 0, 1 FROM generate_series(1, $W) w, generate_series(1, $D) d;
INSERT INTO customers SELECT w, d, c, 'Customer ' || (c * 7919 + d * 31 + w) % 1000, CASE c % 10 WHEN 0 THEN 'bad' ELSE 'good' END,
  (c % 5) * 0.0500, 0, 0, 0, 0, CASE c % 3 WHEN 0 THEN NULL ELSE '+46 40 ' || 100000 + c END,
  '2020-01-01T00:00:00Z'::timestamptz + c * interval '37 days 1 hour 0.000017 seconds',
  CASE c % 8 WHEN 0 THEN (SELECT string_agg(md5(w || '/' || d || '/' || c || '/' || n), '') FROM generate_series(1, 120) n) WHEN 1 THEN '' END
  FROM generate_series(1, $W) w, generate_series(1, $D) d, generate_series(1, $C) c;
INSERT INTO items SELECT i, 'Item ' || chr(65 + i % 26) || i, 1 + (i * 37 % 9900) / 100.0, (ARRAY['red', 'green', 'Blue', NULL])[1 + i % 4],
  '2024-02-29'::date + i FROM generate_series(1, $I) i;
INSERT INTO stock SELECT w, i, $Q, 0, 0, 0 FROM generate_series(1, $W) w, generate_series(1, $I) i;
";

/// Makes the tables and fills them, before anybody follows them.
pub fn open_shop(client: &mut Client) -> Result<(), postgres::Error> {
    let rows = ROWS_SQL
        .replace("$W", &WAREHOUSES.to_string())
        .replace("$D", &DISTRICTS.to_string())
        .replace("$C", &CUSTOMERS.to_string())
        .replace("$I", &ITEMS.to_string())
        .replace("$Q", &OPENING_QUANTITY.to_string());
    client.batch_execute(TABLES_SQL)?;
    client.batch_execute(&rows)
}

/// Which columns name a row of another table: table, what the other row is called, its columns, the other
/// table, what leads back.
const RELATIONS: [(&str, &str, &str, &str, &str); 9] = [
    (
        "districts",
        "in_warehouse",
        "warehouse",
        "warehouses.id",
        "districts",
    ),
    (
        "customers",
        "in_district",
        "(warehouse, district)",
        "districts.(warehouse, id)",
        "customers",
    ),
    ("stock", "of_item", "item", "items.id", "in_stock"),
    (
        "stock",
        "in_warehouse",
        "warehouse",
        "warehouses.id",
        "stock",
    ),
    (
        "orders",
        "buyer",
        "(warehouse, district, customer)",
        "customers.(warehouse, district, id)",
        "bought",
    ),
    (
        "new_orders",
        "of_order",
        "(warehouse, district, order_id)",
        "orders.(warehouse, district, id)",
        "waiting",
    ),
    (
        "order_lines",
        "of_order",
        "(warehouse, district, order_id)",
        "orders.(warehouse, district, id)",
        "of_lines",
    ),
    ("order_lines", "of_item", "item", "items.id", "sold_in"),
    (
        "payments",
        "payer",
        "(customer_warehouse, customer_district, customer)",
        "customers.(warehouse, district, id)",
        "paid_by",
    ),
];

/// What a reader of the shop has in its configuration: the relations, which change events do not carry, and an
/// index of each kind.
pub fn configuration(topic_prefix: &str) -> String {
    let mut text = String::new();
    for (table, indexes) in [
        (
            "orders",
            r#"[["carrier"], ["warehouse", "district", "customer"]]"#,
        ),
        (
            "order_lines",
            r#"[["warehouse", "district", "order_id"], { columns = ["item"], kind = "hash" }]"#,
        ),
    ] {
        let _ = write!(
            text,
            "[[tables]]\nname = \"{table}\"\ntopic = \"{topic_prefix}.public.{table}\"\nindexes = {indexes}\n"
        );
    }
    for (table, name, columns, to, inverse) in RELATIONS {
        let _ = write!(
            text,
            "[[relations]]\nname = \"{name}\"\nfrom = \"{table}.{columns}\"\nto = \"{to}\"\ninverse = \"{inverse}\"\n"
        );
    }
    text
}
