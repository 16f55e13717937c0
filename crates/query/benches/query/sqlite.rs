//! `SQLite`'s side: the same rows and indexes in memory, statements prepared once.

use std::hint::black_box;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::shop::{self, Picks};

const TABLES: &str = "
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, customer_id INTEGER, status TEXT, total REAL, currency TEXT, lines INTEGER,
        note TEXT, address TEXT, email TEXT, paid INTEGER, created_at INTEGER, updated_at INTEGER
    );
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
    CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER, article TEXT, quantity INTEGER);
    BEGIN;
";

const INDEXES: &str = "
    CREATE INDEX orders_customer_id ON orders (customer_id);
    CREATE INDEX orders_created_at ON orders (created_at);
    CREATE INDEX items_order_id ON items (order_id);
    ANALYZE;
    COMMIT;
";

pub struct Sqlite(Connection);

impl Sqlite {
    pub fn new() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(16);
        connection.execute_batch(TABLES)?;
        fill(&connection)?;
        connection.execute_batch(INDEXES)?;
        Ok(Self(connection))
    }

    pub fn lookup(&self, picks: &mut Picks) -> u64 {
        self.ask("SELECT * FROM orders WHERE id = ?", picks.order() as i64)
    }

    pub fn equality(&self, picks: &mut Picks) -> u64 {
        let customer = picks.customer() as i64;
        self.ask("SELECT * FROM orders WHERE customer_id = ?", customer)
    }

    pub fn ordered_range(&self, picks: &mut Picks) -> u64 {
        self.ask(
            "SELECT * FROM orders WHERE created_at >= ? ORDER BY created_at LIMIT 50",
            picks.second(),
        )
    }

    pub fn two_terms(&self, _: &mut Picks) -> u64 {
        let counted = self.0.query_row(
            "SELECT count(*) FROM orders WHERE status = 'paid' AND total >= ?",
            [900],
            |row| row.get(0),
        );
        counted.expect("a count is a row")
    }

    pub fn embed(&self, picks: &mut Picks) -> u64 {
        let ids = picks.fifty_orders();
        let sql = format!(
            "SELECT * FROM orders JOIN items ON items.order_id = orders.id WHERE orders.id IN ({ids}) AND ?"
        );
        self.ask(&sql, 1) / shop::ITEMS_EACH
    }

    pub fn join(&self, _: &mut Picks) -> u64 {
        self.ask(
            "SELECT country, count(*), sum(total) FROM orders JOIN customers ON customers.id = customer_id WHERE ? GROUP BY country",
            1,
        )
    }

    pub fn group(&self, _: &mut Picks) -> u64 {
        self.ask(
            "SELECT status, count(*) FROM orders WHERE ? GROUP BY status",
            1,
        )
    }

    /// Reads every column of every row; how many rows there were.
    fn ask(&self, sql: &str, parameter: i64) -> u64 {
        let read = || {
            let mut statement = self.0.prepare_cached(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query([parameter])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    black_box(row.get::<_, Value>(column)?);
                }
                count += 1;
            }
            Ok::<_, rusqlite::Error>(count)
        };
        read().expect("SQLite answers what it was prepared for")
    }
}

fn fill(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?)")?;
    for order in (0..shop::ORDERS).map(shop::order) {
        insert.execute(params![
            order.id,
            order.customer_id,
            order.status,
            order.cents as f64 / 100.0,
            shop::CURRENCY,
            order.lines,
            order.note,
            order.address,
            order.email,
            order.is_paid,
            order.created_at_seconds,
            order.updated_at_seconds,
        ])?;
    }
    let mut insert = connection.prepare("INSERT INTO customers VALUES (?,?,?)")?;
    for customer in (0..shop::CUSTOMERS).map(shop::customer) {
        insert.execute(params![customer.id, customer.name, customer.country])?;
    }
    let mut insert = connection.prepare("INSERT INTO items VALUES (?,?,?,?)")?;
    for item in (0..shop::ORDERS_WITH_ITEMS * shop::ITEMS_EACH).map(shop::item) {
        insert.execute(params![item.id, item.order_id, item.article, item.quantity])?;
    }
    Ok(())
}
