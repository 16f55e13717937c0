//! What the shop does, each a transaction of the database: an order, a payment, a delivery, a restocking.
//!
//! They run as `REPEATABLE READ` and begin anew where another one was in the way, so the log has their failed
//! beginnings, too.

use fastrand::Rng;
use postgres::error::SqlState;
use postgres::{Client, Error, IsolationLevel, Transaction};

use super::schema::{CUSTOMERS, DISTRICTS, ITEMS, WAREHOUSES};

/// Lines of an order.
const LINES: std::ops::RangeInclusive<i32> = 3..=9;
/// Of a hundred orders so many name an item that does not exist and are taken back, as TPC-C has it.
const REFUSED_PERCENT: u32 = 2;
/// Of a hundred lines and payments so many concern another warehouse than the one they are made at.
const REMOTE_PERCENT: u32 = 10;
/// Restocked are so many of a warehouse's scarcest items at once.
const RESTOCKED_ITEMS: i64 = 5;
const CARRIERS: i32 = 10;
/// Up to ten milliseconds, or those in each other's way do little else than to begin anew.
const PAUSE_AFTER_CONFLICT: &str = "SELECT pg_sleep(random() / 100)";

/// One row that a transaction wrote and no later one can take back: what a reader must see from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The order is there with so many lines.
    Order {
        warehouse: i32,
        district: i32,
        id: i32,
        lines: i32,
    },
    /// The customer has paid at least so often.
    Payment {
        warehouse: i32,
        district: i32,
        customer: i32,
        payments: i32,
    },
    /// The order is under way with this carrier.
    Delivery {
        warehouse: i32,
        district: i32,
        id: i32,
        carrier: i32,
    },
    /// At least so many of the item have come in.
    Restock {
        warehouse: i32,
        item: i32,
        restocked: i32,
    },
}

/// A committed transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// What `pg_current_xact_id()` said inside of it.
    pub transaction: String,
    pub written: Written,
}

/// One of the shop's transactions, chosen as TPC-C mixes them. `None` if it was taken back or had nothing to do.
pub fn any(client: &mut Client, random: &mut Rng) -> Result<Option<Receipt>, Error> {
    let chosen = match random.u32(0..100) {
        0..45 => order,
        45..85 => payment,
        85..93 => delivery,
        _ => restocking,
    };
    loop {
        // Each attempt chooses anew: where two were in each other's way, they shall not meet again.
        match attempt(client, random, chosen) {
            Err(error) if is_conflict(&error) => client.batch_execute(PAUSE_AFTER_CONFLICT)?,
            outcome => return outcome,
        }
    }
}

type Body = fn(&mut Transaction<'_>, &mut Rng) -> Result<Option<Written>, Error>;

fn attempt(client: &mut Client, random: &mut Rng, body: Body) -> Result<Option<Receipt>, Error> {
    let builder = client.build_transaction();
    let mut transaction = builder
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()?;
    let Some(written) = body(&mut transaction, random)? else {
        transaction.rollback()?;
        return Ok(None);
    };
    let id = transaction
        .query_one("SELECT pg_current_xact_id()::text", &[])?
        .get(0);
    transaction.commit()?;
    Ok(Some(Receipt {
        transaction: id,
        written,
    }))
}

fn is_conflict(error: &Error) -> bool {
    let code = error.code();
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .iter()
    .any(|conflict| code == Some(conflict))
}

fn order(transaction: &mut Transaction<'_>, random: &mut Rng) -> Result<Option<Written>, Error> {
    let (warehouse, district) = place(random);
    let customer = random.i32(1..=CUSTOMERS);
    let lines = random.i32(LINES);
    let suppliers: Vec<i32> = (0..lines)
        .map(|_| other_warehouse(warehouse, random))
        .collect();
    let all_local = suppliers.iter().all(|supplier| *supplier == warehouse);
    let id: i32 = transaction
        .query_one(
            "UPDATE districts SET next_order = next_order + 1 WHERE warehouse = $1 AND id = $2 RETURNING next_order - 1",
            &[&warehouse, &district],
        )?
        .get(0);
    transaction.execute(
        "INSERT INTO orders VALUES ($1, $2, $3, $4, clock_timestamp(), NULL, $5, $6)",
        &[&warehouse, &district, &id, &customer, &lines, &all_local],
    )?;
    transaction.execute(
        "INSERT INTO new_orders VALUES ($1, $2, $3)",
        &[&warehouse, &district, &id],
    )?;
    for (number, supplier) in (1..).zip(suppliers) {
        let item = random.i32(1..=ITEMS);
        let quantity = random.i32(1..=10);
        transaction.execute(
            "UPDATE stock SET quantity = quantity - $3, sold = sold + $3, orders = orders + 1 WHERE warehouse = $1 AND item = $2",
            &[&supplier, &item, &quantity],
        )?;
        transaction.execute(
            "INSERT INTO order_lines SELECT $1::int4, $2::int4, $3::int4, $4::int4, id, $6::int4, $7::int4, price * $7::int4, NULL FROM items WHERE id = $5",
            &[&warehouse, &district, &id, &number, &item, &supplier, &quantity],
        )?;
    }
    let refused = random.u32(0..100) < REFUSED_PERCENT;
    Ok((!refused).then_some(Written::Order {
        warehouse,
        district,
        id,
        lines,
    }))
}

fn payment(transaction: &mut Transaction<'_>, random: &mut Rng) -> Result<Option<Written>, Error> {
    let (at_warehouse, at_district) = place(random);
    let warehouse = other_warehouse(at_warehouse, random);
    let district = if warehouse == at_warehouse {
        at_district
    } else {
        random.i32(1..=DISTRICTS)
    };
    let customer = random.i32(1..=CUSTOMERS);
    let cents = random.i32(100..=500_000);
    let memo = random.bool().then(|| format!("payment of {cents} cents"));
    let received = "received = received + $2::int4 / 100.0";
    transaction.execute(
        &format!("UPDATE warehouses SET {received} WHERE id = $1"),
        &[&at_warehouse, &cents],
    )?;
    transaction.execute(
        &format!("UPDATE districts SET {received} WHERE warehouse = $1 AND id = $3"),
        &[&at_warehouse, &cents, &at_district],
    )?;
    // Bad credit: the payment goes into the note, which mostly is long.
    let payments: i32 = transaction
        .query_one(
            "UPDATE customers SET balance = balance - $4::int4 / 100.0, paid = paid + $4::int4 / 100.0, payments = payments + 1,
               note = CASE credit WHEN 'bad' THEN left($4::text || ' ' || coalesce(note, ''), 4000) ELSE note END
             WHERE warehouse = $1 AND district = $2 AND id = $3 RETURNING payments",
            &[&warehouse, &district, &customer, &cents],
        )?
        .get(0);
    transaction.execute(
        "INSERT INTO payments VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6::int4 / 100.0, $7)",
        &[
            &at_warehouse,
            &at_district,
            &warehouse,
            &district,
            &customer,
            &cents,
            &memo,
        ],
    )?;
    Ok(Some(Written::Payment {
        warehouse,
        district,
        customer,
        payments,
    }))
}

/// The oldest order of each district of a warehouse goes out.
fn delivery(transaction: &mut Transaction<'_>, random: &mut Rng) -> Result<Option<Written>, Error> {
    let warehouse = random.i32(1..=WAREHOUSES);
    let carrier = random.i32(1..=CARRIERS);
    let mut written = None;
    for district in 1..=DISTRICTS {
        let oldest = transaction.query_opt(
            "DELETE FROM new_orders WHERE warehouse = $1 AND district = $2 AND order_id =
               (SELECT min(order_id) FROM new_orders WHERE warehouse = $1 AND district = $2) RETURNING order_id",
            &[&warehouse, &district],
        )?;
        let Some(id) = oldest.map(|row| row.get::<_, i32>(0)) else {
            continue;
        };
        let customer: i32 = transaction
            .query_one(
                "UPDATE orders SET carrier = $4 WHERE warehouse = $1 AND district = $2 AND id = $3 RETURNING customer",
                &[&warehouse, &district, &id, &carrier],
            )?
            .get(0);
        transaction.execute(
            "UPDATE order_lines SET delivered_at = clock_timestamp() WHERE warehouse = $1 AND district = $2 AND order_id = $3",
            &[&warehouse, &district, &id],
        )?;
        transaction.execute(
            "UPDATE customers SET deliveries = deliveries + 1, balance = balance +
               (SELECT sum(amount) FROM order_lines WHERE warehouse = $1 AND district = $2 AND order_id = $3)
             WHERE warehouse = $1 AND district = $2 AND id = $4",
            &[&warehouse, &district, &id, &customer],
        )?;
        written = Some(Written::Delivery {
            warehouse,
            district,
            id,
            carrier,
        });
    }
    Ok(written)
}

fn restocking(
    transaction: &mut Transaction<'_>,
    random: &mut Rng,
) -> Result<Option<Written>, Error> {
    let warehouse = random.i32(1..=WAREHOUSES);
    let more = random.i32(20..=90);
    let row = transaction.query(
        "UPDATE stock SET quantity = quantity + $2, restocked = restocked + $2 WHERE warehouse = $1 AND item IN
           (SELECT item FROM stock WHERE warehouse = $1 ORDER BY quantity, item LIMIT $3) RETURNING item, restocked",
        &[&warehouse, &more, &RESTOCKED_ITEMS],
    )?;
    Ok(row.first().map(|row| Written::Restock {
        warehouse,
        item: row.get(0),
        restocked: row.get(1),
    }))
}

fn place(random: &mut Rng) -> (i32, i32) {
    (random.i32(1..=WAREHOUSES), random.i32(1..=DISTRICTS))
}

/// Mostly the same.
fn other_warehouse(warehouse: i32, random: &mut Rng) -> i32 {
    if random.u32(0..100) < REMOTE_PERCENT {
        random.i32(1..=WAREHOUSES)
    } else {
        warehouse
    }
}
