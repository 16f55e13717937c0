//! The shop's database: what is in it and what happens next. Pure: a seed and the time decide everything.
//!
//! Its size is bounded: old orders are archived and closed tickets removed, so it can be open for weeks.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::catalogue::{FIRST_NAMES, LAST_NAMES, NOTES, PRODUCTS, REGULAR, SUBJECTS};
use super::connector::{Change, Connector, Event};
use super::rows::{
    Cell, Customer, Item, Key, Order, OrderStatus, Row, Table, Ticket, TicketStatus,
};

const CUSTOMERS_AT_START: i32 = 200;
const ORDERS_AT_START: i32 = 600;
const TICKETS_AT_START: i32 = 40;
/// Beyond these the oldest make room.
const ORDERS_MAX: usize = 800;
const TICKETS_MAX: usize = 60;
const LINES_MAX: i32 = 4;

const MINUTE_MS: u64 = 60_000;

/// The shop behind its connector.
#[derive(Debug)]
pub struct Shop {
    customers: Rows<Customer>,
    orders: Rows<Order>,
    items: Rows<Item>,
    tickets: Rows<Ticket>,
    next_order: i32,
    next_ticket: i32,
    random: Rng,
    connector: Connector,
}

/// One committed transaction of the source, and what to tell a person about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Transaction {
    pub events: Vec<Event>,
    pub story: String,
}

impl Shop {
    /// A shop that has been open for a while.
    pub fn open(seed: u64, now_ms: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let connector = Connector::new(now_ms, random.u64(..));
        let mut shop = Self {
            customers: Rows::default(),
            orders: Rows::default(),
            items: Rows::default(),
            tickets: Rows::default(),
            next_order: 1,
            next_ticket: 1,
            random,
            connector,
        };
        for id in 1..=CUSTOMERS_AT_START {
            let created_at = now_ms.saturating_sub(MINUTE_MS * 1440 * shop.random.u64(30..900));
            let name = match id {
                1 => REGULAR.to_owned(),
                _ => format!("{} {}", shop.pick(&FIRST_NAMES), shop.pick(&LAST_NAMES)),
            };
            shop.customers.put(Customer {
                id,
                name,
                points: 0,
                created_at,
            });
        }
        for back in (1..=u64::try_from(ORDERS_AT_START).unwrap_or_default()).rev() {
            let placed_at = now_ms.saturating_sub(back * 47 * MINUTE_MS);
            shop.place_order(placed_at);
            let id = shop.next_order - 1;
            let steps = if back > 40 {
                3
            } else {
                shop.random.usize(0..3)
            };
            for _ in 0..steps {
                shop.advance_order(id, placed_at + 30 * MINUTE_MS);
            }
        }
        for back in (1..=u64::try_from(TICKETS_AT_START).unwrap_or_default()).rev() {
            shop.open_ticket(now_ms.saturating_sub(back * 53 * MINUTE_MS));
        }
        shop
    }

    /// What the connector sends first: every row there is.
    pub fn snapshot(&self, now_ms: u64) -> Vec<Event> {
        self.connector.snapshot(&self.contents(), now_ms)
    }

    /// The next transaction.
    pub fn step(&mut self, now_ms: u64) -> Transaction {
        let done = if self.orders.len() > ORDERS_MAX {
            self.archive_oldest_order()
                .or_else(|| self.advance_some_order(now_ms))
        } else if self.tickets.len() > TICKETS_MAX {
            self.close_or_remove_ticket()
                .or_else(|| self.answer_ticket(now_ms))
        } else {
            match self.random.u32(0..100) {
                0..14 => Some(self.place_order(now_ms)),
                14..56 => self.advance_some_order(now_ms),
                56..60 => self.cancel_order(),
                60..68 => Some(self.open_ticket(now_ms)),
                68..80 => self.answer_ticket(now_ms),
                80..95 => self.close_or_remove_ticket(),
                _ => self.archive_oldest_order(),
            }
        };
        // There is not always something to cancel or to answer, but always something to sell.
        let done = done.unwrap_or_else(|| self.place_order(now_ms));
        let events = self.connector.transaction(&done.changes, now_ms);
        Transaction {
            events,
            story: done.story,
        }
    }

    /// Every row, table by table.
    pub fn contents(&self) -> Vec<(&'static Table, Vec<Vec<Cell>>)> {
        vec![
            self.customers.cells(),
            self.orders.cells(),
            self.items.cells(),
            self.tickets.cells(),
        ]
    }

    fn place_order(&mut self, now_ms: u64) -> Done {
        let regular = self.random.u32(0..3) == 0;
        let customer_id = if regular {
            1
        } else {
            self.random.i32(2..=CUSTOMERS_AT_START)
        };
        let id = self.next_order;
        self.next_order += 1;
        let mut total_cents = 0;
        let mut changes = Vec::new();
        for line in 1..=self.random.i32(1..=LINES_MAX) {
            let product = self.random.choice(&PRODUCTS).unwrap_or(&PRODUCTS[0]);
            let quantity = self.random.i32(1..=3);
            total_cents += product.cents * i64::from(quantity);
            changes.push(self.items.put(Item {
                order_id: id,
                line,
                product,
                quantity,
            }));
        }
        let lines = changes.len();
        let note = (self.random.u32(0..4) == 0).then(|| self.pick(&NOTES));
        let order = Order {
            id,
            customer_id,
            status: OrderStatus::Pending,
            total_cents,
            placed_at: now_ms,
            paid_at: None,
            note,
        };
        changes.insert(0, self.orders.put(order));
        let name = self
            .customers
            .get((customer_id, 0))
            .map_or("?", |customer| &customer.name);
        let story = format!(
            "{name} orders {lines} item(s) for {} (order {id})",
            euros(total_cents)
        );
        Done { changes, story }
    }

    fn advance_some_order(&mut self, now_ms: u64) -> Option<Done> {
        let finished = [OrderStatus::Delivered, OrderStatus::Cancelled];
        let order = self.some(
            |shop| &shop.orders,
            |order| !finished.contains(&order.status),
        )?;
        self.advance_order(order.id, now_ms)
    }

    /// Pending to paid to shipped to delivered; being paid earns the customer points.
    fn advance_order(&mut self, id: i32, now_ms: u64) -> Option<Done> {
        let mut order = self.orders.get((id, 0))?.clone();
        order.status = match order.status {
            OrderStatus::Pending => OrderStatus::Paid,
            OrderStatus::Paid => OrderStatus::Shipped,
            OrderStatus::Shipped => OrderStatus::Delivered,
            OrderStatus::Delivered | OrderStatus::Cancelled => return None,
        };
        let mut done = Done {
            changes: Vec::new(),
            story: format!("order {id} is {}", order.status.as_str()),
        };
        if order.status == OrderStatus::Paid {
            order.paid_at = Some(now_ms);
            let mut customer = self.customers.get((order.customer_id, 0))?.clone();
            let earned = i32::try_from(order.total_cents / 1000).unwrap_or(0);
            customer.points = customer.points.saturating_add(earned);
            let Customer { name, points, .. } = &customer;
            done.story = format!("{}, {name} has {points} points", done.story);
            done.changes.push(self.customers.put(customer));
        }
        done.changes.insert(0, self.orders.put(order));
        Some(done)
    }

    fn cancel_order(&mut self) -> Option<Done> {
        let pending = |order: &Order| order.status == OrderStatus::Pending;
        let mut order = self.some(|shop| &shop.orders, pending)?;
        order.status = OrderStatus::Cancelled;
        let id = order.id;
        Some(Done {
            changes: vec![self.orders.put(order)],
            story: format!("order {id} is cancelled"),
        })
    }

    /// Deletes the oldest finished order and its items.
    fn archive_oldest_order(&mut self) -> Option<Done> {
        let finished = |order: &&Order| {
            matches!(
                order.status,
                OrderStatus::Delivered | OrderStatus::Cancelled
            )
        };
        let id = self.orders.iter().find(finished)?.id;
        let lines = (1..=LINES_MAX).filter_map(|line| self.items.remove((id, line)));
        let mut changes: Vec<Change> = lines.collect();
        changes.extend(self.orders.remove((id, 0)));
        let story = format!("order {id} is archived: it and its items are deleted");
        Some(Done { changes, story })
    }

    fn open_ticket(&mut self, now_ms: u64) -> Done {
        let about = if self.random.bool() {
            self.some(|shop| &shop.orders, |_| true)
        } else {
            None
        };
        let anyone = self.random.i32(1..=CUSTOMERS_AT_START);
        let id = self.next_ticket;
        self.next_ticket += 1;
        let ticket = Ticket {
            id,
            customer_id: about.as_ref().map_or(anyone, |order| order.customer_id),
            order_id: about.map(|order| order.id),
            subject: self.pick(&SUBJECTS),
            status: TicketStatus::Open,
            replies: 0,
            opened_at: now_ms,
            answered_at: None,
        };
        let story = format!("ticket {id} is opened: {}", ticket.subject);
        let changes = vec![self.tickets.put(ticket)];
        Done { changes, story }
    }

    fn answer_ticket(&mut self, now_ms: u64) -> Option<Done> {
        let open = |ticket: &Ticket| ticket.status != TicketStatus::Closed;
        let mut ticket = self.some(|shop| &shop.tickets, open)?;
        ticket.status = TicketStatus::Answered;
        ticket.replies += 1;
        ticket.answered_at = Some(now_ms);
        let Ticket { id, replies, .. } = ticket;
        Some(Done {
            changes: vec![self.tickets.put(ticket)],
            story: format!("ticket {id} is answered, reply {replies}"),
        })
    }

    /// A closed ticket is deleted, an answered one closed; open ones wait.
    fn close_or_remove_ticket(&mut self) -> Option<Done> {
        let closed = self
            .tickets
            .iter()
            .find(|ticket| ticket.status == TicketStatus::Closed);
        if let Some(id) = closed.map(|ticket| ticket.id) {
            let changes = self.tickets.remove((id, 0)).into_iter().collect();
            return Some(Done {
                changes,
                story: format!("ticket {id} is deleted"),
            });
        }
        let answered = |ticket: &&Ticket| ticket.status == TicketStatus::Answered;
        let mut ticket = self.tickets.iter().find(answered)?.clone();
        ticket.status = TicketStatus::Closed;
        let story = format!("ticket {} is closed", ticket.id);
        Some(Done {
            changes: vec![self.tickets.put(ticket)],
            story,
        })
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.random.choice(from).copied().unwrap_or_default()
    }

    /// One row at random of those that fit.
    fn some<R: Row>(
        &mut self,
        rows: impl Fn(&Self) -> &Rows<R>,
        fits: impl Fn(&R) -> bool,
    ) -> Option<R> {
        let fitting = rows(self).iter().filter(|row| fits(row)).count();
        if fitting == 0 {
            return None;
        }
        let chosen = self.random.usize(0..fitting);
        rows(self)
            .iter()
            .filter(|row| fits(row))
            .nth(chosen)
            .cloned()
    }
}

struct Done {
    changes: Vec<Change>,
    story: String,
}

fn euros(cents: i64) -> String {
    format!("€ {}.{:02}", cents / 100, cents % 100)
}

/// The rows of one table, by key.
#[derive(Debug)]
struct Rows<R>(BTreeMap<Key, R>);

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Row> Rows<R> {
    fn put(&mut self, row: R) -> Change {
        let after = Some(row.cells());
        let before = self.0.insert(row.key(), row);
        Change {
            table: R::TABLE,
            before: before.map(|row| row.cells()),
            after,
        }
    }

    fn remove(&mut self, key: Key) -> Option<Change> {
        let before = self.0.remove(&key)?;
        Some(Change {
            table: R::TABLE,
            before: Some(before.cells()),
            after: None,
        })
    }

    fn get(&self, key: Key) -> Option<&R> {
        self.0.get(&key)
    }

    fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.values()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn cells(&self) -> (&'static Table, Vec<Vec<Cell>>) {
        (R::TABLE, self.iter().map(Row::cells).collect())
    }
}

#[cfg(test)]
#[path = "shop_tests.rs"]
mod tests;
