//! The data of all sides: orders of twelve columns, their customers, and the items of some of them.

use std::fmt::Write;

pub const ORDERS: u64 = 1_000_000;
pub const CUSTOMERS: u64 = 100_000;
/// Orders before this one have items.
pub const ORDERS_WITH_ITEMS: u64 = 100_000;
pub const ITEMS_EACH: u64 = 5;

/// One order, in terms that every side builds its row from.
pub struct Order {
    pub id: i64,
    pub customer_id: i64,
    pub status: &'static str,
    pub cents: i64,
    pub lines: i64,
    pub note: Option<&'static str>,
    pub address: String,
    pub email: String,
    pub is_paid: bool,
    pub created_at_seconds: i64,
    pub updated_at_seconds: i64,
}

pub const CURRENCY: &str = "EUR";

/// The first moment at which orders were created, and for how long.
pub const FIRST_SECOND: i64 = 1_700_000_000;
pub const SECONDS: u64 = 30_000_000;

/// The order of this number. Spread, but the same in every run.
pub fn order(number: u64) -> Order {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pick = |bits: u32, below: u64| ((mixed >> bits) % below) as i64;
    let customer_id = pick(8, CUSTOMERS);
    let created_at_seconds = FIRST_SECOND + pick(24, SECONDS);
    Order {
        id: number as i64,
        customer_id,
        status: ["new", "paid", "shipped", "returned"][pick(30, 4) as usize],
        cents: pick(16, 100_000),
        lines: pick(12, 9) + 1,
        note: (pick(14, 3) == 0).then_some("leave at the door"),
        address: format!("{} Long Street, Springfield", pick(20, 1_000)),
        email: format!("customer{customer_id}@example.org"),
        is_paid: pick(31, 2) == 0,
        created_at_seconds,
        updated_at_seconds: created_at_seconds + pick(10, 100_000),
    }
}

pub struct Customer {
    pub id: i64,
    pub name: String,
    pub country: &'static str,
}

pub fn customer(number: u64) -> Customer {
    const COUNTRIES: [&str; 8] = ["AT", "CH", "DE", "ES", "FR", "IT", "NL", "PT"];
    Customer {
        id: number as i64,
        name: format!("customer {number}"),
        country: COUNTRIES[(number * 7919 % 8) as usize],
    }
}

pub struct Item {
    pub id: i64,
    pub order_id: i64,
    pub article: String,
    pub quantity: i64,
}

pub fn item(number: u64) -> Item {
    Item {
        id: number as i64,
        order_id: (number / ITEMS_EACH) as i64,
        article: format!("A-{}", number * 7919 % 10_000),
        quantity: (number % 4) as i64 + 1,
    }
}

/// What the questions of one turn are about: the same for every side.
pub struct Picks(fastrand::Rng);

impl Picks {
    pub fn of_turn(turn: u64) -> Self {
        Self(fastrand::Rng::with_seed(turn))
    }

    pub fn order(&mut self) -> u64 {
        self.0.u64(0..ORDERS)
    }

    pub fn customer(&mut self) -> u64 {
        self.0.u64(0..CUSTOMERS)
    }

    /// Late enough for fifty orders after it.
    pub fn second(&mut self) -> i64 {
        FIRST_SECOND + self.0.i64(0..SECONDS as i64 / 2)
    }

    /// Fifty orders that have items, comma-separated.
    pub fn fifty_orders(&mut self) -> String {
        let mut ids = String::new();
        for place in 0..50 {
            let separator = if place == 0 { "" } else { "," };
            let _ = write!(ids, "{separator}{}", self.0.u64(0..ORDERS_WITH_ITEMS));
        }
        ids
    }
}
