//! The shop's four tables: their columns as PostgreSQL has them, and their rows.

/// One table as the connector describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub key: &'static [Column],
    /// The columns after the key's, which come first in every table here.
    pub rest: &'static [Column],
}

impl Table {
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.key.iter().chain(self.rest)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `serial`: its default is a sequence, which Debezium reports as 0.
    Serial,
    Integer,
    Text,
    /// `numeric(12, 2)`.
    Money,
    /// `timestamptz`.
    Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Integer(i32),
    Text(String),
    Cents(i64),
    /// Milliseconds since 1970.
    Instant(u64),
    Null,
}

/// Values of the key's columns; the second is 0 where there is only one.
pub type Key = (i32, i32);

/// A row of one table.
pub trait Row: Clone {
    const TABLE: &'static Table;
    fn key(&self) -> Key;
    /// In the order of the table's columns.
    fn cells(&self) -> Vec<Cell>;
}

const fn required(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        optional: false,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        optional: true,
    }
}

static CUSTOMERS: Table = Table {
    name: "customers",
    key: &[required("id", Kind::Serial)],
    rest: &[
        required("name", Kind::Text),
        required("email", Kind::Text),
        required("tier", Kind::Text),
        required("points", Kind::Integer),
        required("created_at", Kind::Instant),
    ],
};

static ORDERS: Table = Table {
    name: "orders",
    key: &[required("id", Kind::Serial)],
    rest: &[
        required("customer_id", Kind::Integer),
        required("status", Kind::Text),
        required("total", Kind::Money),
        required("placed_at", Kind::Instant),
        optional("paid_at", Kind::Instant),
        optional("note", Kind::Text),
    ],
};

static ORDER_ITEMS: Table = Table {
    name: "order_items",
    key: &[
        required("order_id", Kind::Integer),
        required("line", Kind::Integer),
    ],
    rest: &[
        required("sku", Kind::Text),
        required("title", Kind::Text),
        required("quantity", Kind::Integer),
        required("unit_price", Kind::Money),
    ],
};

static TICKETS: Table = Table {
    name: "tickets",
    key: &[required("id", Kind::Serial)],
    rest: &[
        required("customer_id", Kind::Integer),
        optional("order_id", Kind::Integer),
        required("subject", Kind::Text),
        required("status", Kind::Text),
        required("replies", Kind::Integer),
        required("opened_at", Kind::Instant),
        optional("answered_at", Kind::Instant),
    ],
};

#[derive(Clone, Debug)]
pub struct Customer {
    pub id: i32,
    pub name: String,
    pub points: i32,
    pub created_at: u64,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub id: i32,
    pub customer_id: i32,
    pub status: OrderStatus,
    pub total_cents: i64,
    pub placed_at: u64,
    pub paid_at: Option<u64>,
    pub note: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    Pending,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub order_id: i32,
    pub line: i32,
    pub product: &'static Product,
    pub quantity: i32,
}

#[derive(Debug)]
pub struct Product {
    pub sku: &'static str,
    pub title: &'static str,
    pub cents: i64,
}

#[derive(Clone, Debug)]
pub struct Ticket {
    pub id: i32,
    pub customer_id: i32,
    pub order_id: Option<i32>,
    pub subject: &'static str,
    pub status: TicketStatus,
    pub replies: i32,
    pub opened_at: u64,
    pub answered_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketStatus {
    Open,
    Answered,
    Closed,
}

impl OrderStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl TicketStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Closed => "closed",
        }
    }
}

impl Customer {
    fn tier(&self) -> &'static str {
        match self.points {
            ..500 => "bronze",
            500..2000 => "silver",
            _ => "gold",
        }
    }
}

impl Row for Customer {
    const TABLE: &'static Table = &CUSTOMERS;

    fn key(&self) -> Key {
        (self.id, 0)
    }

    fn cells(&self) -> Vec<Cell> {
        let email = format!("{}@example.com", self.name.to_lowercase().replace(' ', "."));
        vec![
            Cell::Integer(self.id),
            Cell::Text(self.name.clone()),
            Cell::Text(email),
            Cell::Text(self.tier().to_owned()),
            Cell::Integer(self.points),
            Cell::Instant(self.created_at),
        ]
    }
}

impl Row for Order {
    const TABLE: &'static Table = &ORDERS;

    fn key(&self) -> Key {
        (self.id, 0)
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Integer(self.id),
            Cell::Integer(self.customer_id),
            Cell::Text(self.status.as_str().to_owned()),
            Cell::Cents(self.total_cents),
            Cell::Instant(self.placed_at),
            self.paid_at.map_or(Cell::Null, Cell::Instant),
            self.note
                .map_or(Cell::Null, |note| Cell::Text(note.to_owned())),
        ]
    }
}

impl Row for Item {
    const TABLE: &'static Table = &ORDER_ITEMS;

    fn key(&self) -> Key {
        (self.order_id, self.line)
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Integer(self.order_id),
            Cell::Integer(self.line),
            Cell::Text(self.product.sku.to_owned()),
            Cell::Text(self.product.title.to_owned()),
            Cell::Integer(self.quantity),
            Cell::Cents(self.product.cents),
        ]
    }
}

impl Row for Ticket {
    const TABLE: &'static Table = &TICKETS;

    fn key(&self) -> Key {
        (self.id, 0)
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Integer(self.id),
            Cell::Integer(self.customer_id),
            self.order_id.map_or(Cell::Null, Cell::Integer),
            Cell::Text(self.subject.to_owned()),
            Cell::Text(self.status.as_str().to_owned()),
            Cell::Integer(self.replies),
            Cell::Instant(self.opened_at),
            self.answered_at.map_or(Cell::Null, Cell::Instant),
        ]
    }
}
