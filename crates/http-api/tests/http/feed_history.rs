//! What happens to a table, and who keeps a copy of it by what a feed tells: the copy is, after each commit, the rows as
//! they were at some later cut than before.

use std::collections::BTreeMap;

use proptest::prelude::*;
use row_model::Value::{Int, Null, Text};
use serde_json::Value;

use crate::fixture::Shop;

pub type Rows = BTreeMap<i64, String>;

pub fn followed(filter: &str, rows: &Rows) -> Rows {
    let is_followed = |id: i64, status: &str| match filter {
        "" => true,
        "id.eq.2" => id == 2,
        "status.eq.a" => status == "a",
        "and(status.in.(b,c),id.gt.1)" => status != "a" && id > 1,
        "or(id.gt.3,status.neq.a)" => id > 3 || status != "a",
        other => panic!("{other}"),
    };
    let rows = rows.iter();
    rows.filter(|(id, status)| is_followed(**id, status))
        .map(|(id, status)| (*id, status.clone()))
        .collect()
}

pub fn cells(row: &Value) -> (i64, String) {
    let status = row["status"].as_str().unwrap();
    (row["id"].as_i64().unwrap(), status.to_owned())
}

/// A copy of the rows that a filter lets through.
pub struct Kept {
    pub filter: &'static str,
    pub rows: Rows,
    /// Which of the states there were it is known to be at or after.
    pub at: usize,
}

impl Kept {
    pub fn apply(&mut self, event: &Value, states: &[Rows]) {
        match event["event"].as_str().unwrap() {
            "upsert" => {
                let (id, status) = cells(&event["row"]);
                assert_eq!(event["key"][0], id);
                let before = self.rows.insert(id, status.clone());
                assert_ne!(before.as_ref(), Some(&status), "{event}: nothing new");
            }
            "delete" => {
                let id = event["key"][0].as_i64().unwrap();
                assert!(self.rows.remove(&id).is_some(), "{event}: was not there");
            }
            // A state that there was, and none before the last one.
            "commit" => {
                let mut later = states.iter().skip(self.at);
                let found = later.position(|rows| followed(self.filter, rows) == self.rows);
                self.at += found.unwrap();
            }
            other => panic!("{other}"),
        }
    }

    pub fn is_newest(&self, states: &[Rows]) {
        let newest = followed(self.filter, states.last().unwrap());
        assert_eq!(self.rows, newest, "{}", self.filter);
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Edit {
    Put(i64, &'static str),
    Delete(i64),
    Truncate,
    Publish,
}

pub fn edit() -> impl Strategy<Value = Edit> {
    let status = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        8 => (1..7i64, status).prop_map(|(id, status)| Edit::Put(id, status)),
        4 => (1..7i64).prop_map(Edit::Delete),
        1 => Just(Edit::Truncate),
        6 => Just(Edit::Publish),
    ]
}

/// A shop whose orders change, and every state of them that was published.
pub struct History {
    pub shop: Shop,
    pub states: Vec<Rows>,
    rows: Rows,
}

impl History {
    pub fn begin(bytes_max: u64) -> Self {
        let mut shop = Shop::keeping();
        shop.keeps_bytes_max = bytes_max;
        for id in [7, 9, -1] {
            shop.delete("orders", Int(id));
        }
        let (states, rows) = (Vec::new(), Rows::new());
        let mut history = Self { shop, states, rows };
        // The schema of a table is known from its first row on.
        history.make(Edit::Put(1, "a"));
        history.make(Edit::Publish);
        history
    }

    pub fn make(&mut self, edit: Edit) {
        match edit {
            Edit::Put(id, status) => {
                self.shop
                    .put("orders", &[Int(id), Text(status), Null, Null]);
                self.rows.insert(id, status.to_owned());
            }
            Edit::Delete(id) => {
                self.shop.delete("orders", Int(id));
                self.rows.remove(&id);
            }
            Edit::Truncate => {
                self.shop.truncate("orders");
                self.rows.clear();
                self.make(Edit::Put(1, "a"));
            }
            Edit::Publish => {
                self.shop.publish();
                self.states.push(self.rows.clone());
            }
        }
    }
}
