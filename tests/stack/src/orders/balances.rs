//! What every transaction of the shop keeps, asked of one moment in one request, and checked in its answer.
//!
//! Each balance is between tables that different topics carry: a transaction that is half there, or there before
//! one that it followed, tips one of them.

use std::collections::BTreeMap;

use black_box::decimal;
use black_box::exact::Exact;
use serde_json::{Value, json};

use super::schema::OPENING_QUANTITY;

/// Orders of which each is looked at with its lines.
const NEWEST_ORDERS: u32 = 200;
/// Sums are compared in hundredths, counts too.
const HUNDREDTHS: i128 = 100;
/// Of an answer's wrong balances so many are told.
const TOLD_MAX: usize = 5;

/// The questions, for `POST /v1/query`.
pub fn request() -> Value {
    let place = json!(["warehouse", "district"]);
    let grouped = |from: &str, by: &Value, aggregate: Value, filter: Value| json!({"from": from, "group_by": by, "aggregate": aggregate, "where": filter, "limit": 10_000});
    let count = json!({"fn": "count", "as": "n"});
    let sum = |column: &str| json!({"fn": "sum", "column": column, "as": column});
    let is = |column: &str, op: &str| json!([{"column": column, "op": op}]);
    json!({"queries": {
        "warehouses": {"from": "warehouses", "limit": 10_000},
        "districts": {"from": "districts", "limit": 10_000},
        "received": grouped("payments", &place, json!([sum("amount")]), json!([])),
        "paid": grouped("payments", &json!(["customer_warehouse", "customer_district"]), json!([sum("amount"), count]), json!([])),
        "customers": grouped("customers", &place, json!([sum("balance"), sum("paid"), sum("payments"), sum("deliveries")]), json!([])),
        "orders": grouped("orders", &place, json!([sum("lines"), count, {"fn": "max", "column": "id", "as": "newest"}]), json!([])),
        "open_orders": grouped("orders", &place, json!([sum("lines"), count]), is("carrier", "is_null")),
        "new_orders": grouped("new_orders", &place, json!([count]), json!([])),
        "lines": grouped("order_lines", &place, json!([count]), json!([])),
        "open_lines": grouped("order_lines", &place, json!([count]), is("delivered_at", "is_null")),
        "delivered": grouped("order_lines", &place, json!([sum("amount")]), is("delivered_at", "not_null")),
        "stock": {"from": "stock", "limit": 10_000},
        "sold": grouped("order_lines", &json!(["supplier", "item"]), json!([sum("quantity"), count]), json!([])),
        "newest_orders": {"from": "orders", "order": ["-id", "warehouse", "district"], "limit": NEWEST_ORDERS,
            "include": [{"rel": "of_lines", "aggregate": [count]}]},
        "gone_but_new": {"from": "new_orders", "where": [{"column": "of_order.carrier", "op": "not_null"}]},
    }})
}

/// What does not balance in an answer: a sentence each, the first few of them.
pub fn unbalanced(answer: &Exact) -> Vec<String> {
    let mut books = Books {
        results: answer.get("results"),
        wrong: Vec::new(),
    };
    books.money();
    books.orders();
    books.stock();
    books.wrong.truncate(TOLD_MAX);
    books.wrong
}

struct Books<'a> {
    results: &'a Exact,
    wrong: Vec<String>,
}

type Key = (i64, i64);

impl Books<'_> {
    fn money(&mut self) {
        let warehouses = self.column("warehouses", ["id", "id"], "received");
        let districts = self.column("districts", ["warehouse", "id"], "received");
        let received = self.column("received", ["warehouse", "district"], "amount");
        self.same("a district received, and was paid", &districts, &received);
        let mut of_warehouse = BTreeMap::new();
        for ((warehouse, _), cents) in &districts {
            *of_warehouse.entry((*warehouse, *warehouse)).or_default() += cents;
        }
        self.same(
            "a warehouse received, and its districts",
            &warehouses,
            &of_warehouse,
        );

        let payers = ["customer_warehouse", "customer_district"];
        let place = ["warehouse", "district"];
        let (amounts, paid) = (
            self.column("paid", payers, "amount"),
            self.column("customers", place, "paid"),
        );
        self.same(
            "customers of a district paid, and their payments",
            &paid,
            &amounts,
        );
        let (counted, payments) = (
            self.column("paid", payers, "n"),
            self.column("customers", place, "payments"),
        );
        self.same(
            "customers of a district paid so often, and payments",
            &payments,
            &counted,
        );
        let balance = self.column("customers", place, "balance");
        let mut owed = self.column("delivered", place, "amount");
        for (key, cents) in &amounts {
            *owed.entry(*key).or_default() -= cents;
        }
        self.same(
            "customers of a district owe, and got without paying",
            &balance,
            &owed,
        );
    }

    fn orders(&mut self) {
        let place = ["warehouse", "district"];
        let orders = self.column("orders", place, "n");
        let newest = self.column("orders", place, "newest");
        self.same(
            "the newest order of a district, and how many there are",
            &newest,
            &orders,
        );
        let mut next = self.column("districts", ["warehouse", "id"], "next_order");
        for number in next.values_mut() {
            *number -= HUNDREDTHS;
        }
        self.same(
            "orders a district has given out, and those there are",
            &next,
            &orders,
        );
        for (what, orders, column, lines) in [
            (
                "lines that orders of a district have, and lines there are",
                "orders",
                "lines",
                "lines",
            ),
            (
                "lines that its open orders have, and open lines",
                "open_orders",
                "lines",
                "open_lines",
            ),
            (
                "open orders, and those in the list of new ones",
                "open_orders",
                "n",
                "new_orders",
            ),
        ] {
            let (orders, lines) = (
                self.column(orders, place, column),
                self.column(lines, place, "n"),
            );
            self.same(what, &orders, &lines);
        }
        let mut delivered = orders;
        for (key, open) in self.column("open_orders", place, "n") {
            *delivered.entry(key).or_default() -= open;
        }
        let deliveries = self.column("customers", place, "deliveries");
        self.same(
            "deliveries to customers of a district, and orders that are not open",
            &deliveries,
            &delivered,
        );
        self.each_order();
    }

    fn each_order(&mut self) {
        for order in self.rows("newest_orders") {
            let lines = order.get("of_lines");
            let counted = lines
                .as_list()
                .and_then(<[_]>::first)
                .unwrap_or(lines)
                .get("n");
            if hundredths(order.get("lines")).is_none() || !counted.same(order.get("lines")) {
                self.wrong
                    .push(format!("an order with other lines than it says: {order}"));
            }
        }
        for order in self.rows("gone_but_new") {
            self.wrong
                .push(format!("in the list of new orders, and under way: {order}"));
        }
    }

    fn stock(&mut self) {
        let (sold_of, stock_of) = (["supplier", "item"], ["warehouse", "item"]);
        for (what, column, counted) in [
            (
                "sold of an item, and in lines of orders",
                "sold",
                "quantity",
            ),
            ("orders of an item, and lines with it", "orders", "n"),
        ] {
            let (stock, lines) = (
                self.column("stock", stock_of, column),
                self.column("sold", sold_of, counted),
            );
            self.same(what, &stock, &lines);
        }
        let quantity = self.column("stock", stock_of, "quantity");
        let mut left = self.column("stock", stock_of, "restocked");
        for (key, sold) in self.column("stock", stock_of, "sold") {
            *left.entry(key).or_default() += i128::from(OPENING_QUANTITY) * HUNDREDTHS - sold;
        }
        self.same("of an item there is, and must be left", &quantity, &left);
    }

    fn rows(&mut self, question: &str) -> Vec<Exact> {
        let rows = self.results.get(question).get("rows").as_list();
        if rows.is_none() {
            self.wrong.push(format!(
                "no answer to `{question}`: {}",
                self.results.get(question)
            ));
        }
        rows.unwrap_or_default().to_vec()
    }

    /// A column of an answer, in hundredths, by two others.
    fn column(
        &mut self,
        question: &str,
        [first, second]: [&str; 2],
        column: &str,
    ) -> BTreeMap<Key, i128> {
        let mut values = BTreeMap::new();
        for row in self.rows(question) {
            let key = row
                .get(first)
                .as_integer()
                .zip(row.get(second).as_integer());
            match (key, hundredths(row.get(column))) {
                (Some(key), Some(value)) => {
                    values.insert(key, value);
                }
                _ => self.wrong.push(format!(
                    "`{question}` without {first}, {second} and {column}: {row}"
                )),
            }
        }
        values
    }

    /// What is not there counts as nothing: a group without rows is no group.
    fn same(&mut self, what: &str, one: &BTreeMap<Key, i128>, other: &BTreeMap<Key, i128>) {
        let of = |side: &BTreeMap<Key, i128>, key| side.get(key).copied().unwrap_or_default();
        let keys = one
            .keys()
            .chain(other.keys().filter(|key| !one.contains_key(key)));
        let told = keys
            .filter(|key| of(one, key) != of(other, key))
            .map(|key| {
                let shown = |side| of(side, key) as f64 / 100.0;
                format!("{what}: {} and {}, at {key:?}", shown(one), shown(other))
            });
        self.wrong.extend(told.collect::<Vec<_>>());
    }
}

/// A number of at most two decimals, exactly, however it is written.
fn hundredths(value: &Exact) -> Option<i128> {
    let text = match value {
        Exact::Number(text) | Exact::Text(text) => decimal::plain(text)?,
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    (fraction.len() <= 2).then(|| format!("{whole}{fraction:0<2}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The books of one district with one delivered order, an open one, and one payment.
    const BALANCED: &str = r#"{"results":{
        "warehouses":{"rows":[{"id":1,"received":"7.50"}]},
        "districts":{"rows":[{"warehouse":1,"id":2,"received":"7.50","next_order":3}]},
        "received":{"rows":[{"warehouse":1,"district":2,"amount":"7.50"}]},
        "paid":{"rows":[{"customer_warehouse":1,"customer_district":2,"amount":"7.50","n":1}]},
        "customers":{"rows":[{"warehouse":1,"district":2,"balance":"-1.25","paid":"7.50","payments":1,"deliveries":1}]},
        "orders":{"rows":[{"warehouse":1,"district":2,"lines":3,"n":2,"newest":2}]},
        "open_orders":{"rows":[{"warehouse":1,"district":2,"lines":2,"n":1}]},
        "new_orders":{"rows":[{"warehouse":1,"district":2,"n":1}]},
        "lines":{"rows":[{"warehouse":1,"district":2,"n":3}]},
        "open_lines":{"rows":[{"warehouse":1,"district":2,"n":2}]},
        "delivered":{"rows":[{"warehouse":1,"district":2,"amount":"6.25"}]},
        "stock":{"rows":[{"warehouse":1,"item":9,"quantity":115,"sold":5,"restocked":20,"orders":3}]},
        "sold":{"rows":[{"supplier":1,"item":9,"quantity":5,"n":3}]},
        "newest_orders":{"rows":[{"id":2,"lines":2,"of_lines":[{"n":2}]},{"id":1,"lines":1,"of_lines":[{"n":1}]}]},
        "gone_but_new":{"rows":[]}}}"#;

    fn wrong(answer: &str) -> Vec<String> {
        unbalanced(&Exact::parse(answer).unwrap())
    }

    #[test]
    fn books_of_whole_transactions_balance() {
        assert_eq!(wrong(BALANCED), [""; 0]);
    }

    #[test]
    fn whatever_lacks_of_a_transaction_tips_a_balance() {
        for (whole, torn) in [
            (r#""received":"7.50"}"#, r#""received":"7.00"}"#),
            (r#""next_order":3"#, r#""next_order":4"#),
            (r#""amount":"7.50","n":1"#, r#""amount":"7.51","n":1"#),
            (r#""balance":"-1.25""#, r#""balance":"-1.26""#),
            (r#""payments":1"#, r#""payments":2"#),
            (r#""deliveries":1"#, r#""deliveries":0"#),
            (r#""newest":2"#, r#""newest":3"#),
            (r#""lines":2,"n":1"#, r#""lines":2,"n":2"#),
            (r#""n":3}"#, r#""n":2}"#),
            (r#""amount":"6.25""#, r#""amount":"6.2""#),
            (r#""quantity":115"#, r#""quantity":116"#),
            (r#""sold":5"#, r#""sold":4"#),
            (r#""of_lines":[{"n":2}]"#, r#""of_lines":[{"n":1}]"#),
            (r#""of_lines":[{"n":1}]"#, r#""of_lines":[]"#),
            (
                r#""gone_but_new":{"rows":[]}"#,
                r#""gone_but_new":{"rows":[{"order_id":1}]}"#,
            ),
            (r#""stock":{"rows":"#, r#""stock":{"error":"#),
        ] {
            let answer = BALANCED.replacen(whole, torn, 1);
            assert_ne!(answer, BALANCED, "{whole} is not in it");
            assert!(!wrong(&answer).is_empty(), "{torn} was not noticed");
        }
    }
}
