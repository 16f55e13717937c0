//! The peer: rows as JSON maps, as they come out of a parser.

use serde_json::{Map, Value, json};

use crate::orders::order;

pub type Row = Map<String, Value>;

pub fn rows(count: u64) -> Vec<Row> {
    let row = |number| {
        let order = order(number);
        let row = json!({
            "id": order.id,
            "customer_id": order.customer_id,
            "status": order.status,
            "total": order.cents as f64 / 100.0,
            "created_at": order.created_at_seconds,
        });
        match row {
            Value::Object(row) => row,
            _ => Map::new(),
        }
    };
    (0..count).map(row).collect()
}

fn is_dear_and_paid(row: &Row) -> bool {
    row["status"] == "paid" && row["total"].as_f64() >= Some(900.0)
}

pub fn two_terms(rows: &[Row]) -> usize {
    rows.iter().filter(|row| is_dear_and_paid(row)).count()
}

pub fn two_numbers(rows: &[Row]) -> usize {
    let met = |row: &&Row| {
        row["customer_id"].as_i64() < Some(1_000) && row["id"].as_i64() > Some(500_000)
    };
    rows.iter().filter(met).count()
}

pub fn top_by_time(rows: &[Row]) -> usize {
    top(rows.iter().collect(), |row| row["created_at"].as_f64())
}

pub fn top_by_total(rows: &[Row]) -> usize {
    let met = rows.iter().filter(|row| is_dear_and_paid(row));
    top(met.collect(), |row| row["total"].as_f64())
}

/// Sorts what is met, writes the first 50 out, and answers how many there were.
fn top(mut met: Vec<&Row>, by: fn(&Row) -> Option<f64>) -> usize {
    met.sort_by(|one, other| {
        by(other)
            .partial_cmp(&by(one))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let first: Vec<&Row> = met.iter().copied().take(50).collect();
    std::hint::black_box(serde_json::to_vec(&first).unwrap_or_default());
    met.len()
}
