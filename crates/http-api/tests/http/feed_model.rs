//! Whoever applies what a feed tells to a copy has, after each commit, the rows as they were at some later cut than
//! before, and in the end as they are: whatever is written, however late it reads, and whatever the ring lets go of.

use std::collections::BTreeMap;

use proptest::prelude::*;
use row_model::Value::{Int, Null, Text};
use serde_json::{Value, json};

use crate::fixture::{Shop, get, post};

type Rows = BTreeMap<i64, String>;

const FILTERS: [&str; 3] = ["", "status.eq.a", "or(id.gt.3,status.neq.a)"];

/// The same as JSON.
fn conditions(filter: &str) -> Value {
    match filter {
        "" => json!([]),
        "status.eq.a" => json!({"column": "status", "op": "eq", "value": "a"}),
        _ => json!({"or": [
            {"column": "id", "op": "gt", "value": 3},
            {"column": "status", "op": "neq", "value": "a"},
        ]}),
    }
}

fn is_followed(filter: &str, id: i64, status: &str) -> bool {
    match filter {
        "" => true,
        "status.eq.a" => status == "a",
        _ => id > 3 || status != "a",
    }
}

fn followed(filter: &str, rows: &Rows) -> Rows {
    let rows = rows
        .iter()
        .filter(|(id, status)| is_followed(filter, **id, status));
    rows.map(|(id, status)| (*id, status.clone())).collect()
}

/// One who keeps a copy.
struct Copier {
    filter: &'static str,
    rows: Rows,
    as_of: String,
    /// Which of the states there were it is known to be at or after.
    at: usize,
}

impl Copier {
    async fn begin(shop: &Shop, filter: &'static str, states: &[Rows]) -> Self {
        let parameter = match filter {
            "" => String::new(),
            filter => format!("&and=({filter})"),
        };
        let path = format!("/v1/tables/orders/rows?select=id,status{parameter}");
        let (status, body) = get(&shop.api(), &path).await;
        assert_eq!(status, 200, "{body}");
        let rows = body["rows"].as_array().unwrap().iter();
        let copier = Self {
            filter,
            rows: rows.map(cells).collect(),
            as_of: body["fresh"]["as_of"].as_str().unwrap().to_owned(),
            at: states.len() - 1,
        };
        assert_eq!(copier.rows, followed(filter, states.last().unwrap()));
        copier
    }

    /// Reads what there is. Answers whether it could go on.
    async fn read(&mut self, shop: &Shop, states: &[Rows]) -> bool {
        let filter = match self.filter {
            "" => String::new(),
            filter => format!("&filter={filter}"),
        };
        loop {
            let path = format!(
                "/v1/changes?tables=orders&wait=0&since={}{filter}",
                self.as_of
            );
            let (status, body) = get(&shop.api(), &path).await;
            match status {
                200 => {}
                204 => break,
                410 => return false,
                _ => panic!("{status} {body}"),
            }
            for event in body["changes"].as_array().unwrap() {
                self.apply(event, states);
            }
            body["as_of"].as_str().unwrap().clone_into(&mut self.as_of);
        }
        assert_eq!(self.rows, followed(self.filter, states.last().unwrap()));
        true
    }

    /// The same by what a list tells of what changed.
    async fn refresh(&mut self, shop: &Shop, states: &[Rows]) -> bool {
        let filter = match self.filter {
            "" => String::new(),
            filter => format!("&and=({filter})"),
        };
        let since = format!("select=id,status&since={}{filter}", self.as_of);
        let (status, body) = get(&shop.api(), &format!("/v1/tables/orders/rows?{since}")).await;
        let asked = json!({
            "from": "orders", "select": "id,status", "where": conditions(self.filter), "since": self.as_of,
        });
        let as_query = post(&shop.api(), "/v1/query", &asked.to_string()).await;
        assert_eq!(as_query.0, status, "{}", as_query.1);
        if status == 410 {
            return false;
        }
        assert_eq!(status, 200, "{body}");
        for part in ["changed", "deleted"] {
            assert_eq!(as_query.1[part], body[part]);
        }
        for key in body["deleted"].as_array().unwrap() {
            assert!(
                self.rows.remove(&key[0].as_i64().unwrap()).is_some(),
                "{body}"
            );
        }
        self.rows
            .extend(body["changed"].as_array().unwrap().iter().map(cells));
        body["fresh"]["as_of"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.as_of);
        self.at = states.len() - 1;
        assert_eq!(self.rows, followed(self.filter, states.last().unwrap()));
        true
    }

    fn apply(&mut self, event: &Value, states: &[Rows]) {
        match event["event"].as_str().unwrap() {
            "upsert" => {
                let (id, status) = cells(&event["row"]);
                assert_eq!(event["key"][0], id);
                let before = self.rows.insert(id, status.clone());
                let is_changed = before.as_ref() != Some(&status);
                assert!(is_changed, "{event}: nothing new");
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
}

fn cells(row: &Value) -> (i64, String) {
    let status = row["status"].as_str().unwrap();
    (row["id"].as_i64().unwrap(), status.to_owned())
}

#[derive(Clone, Debug)]
enum Step {
    Put(i64, bool),
    Delete(i64),
    Truncate,
    Publish,
    Read(usize),
    Refresh(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..7i64, any::<bool>()).prop_map(|(id, is_a)| Step::Put(id, is_a)),
        4 => (1..7i64).prop_map(Step::Delete),
        1 => Just(Step::Truncate),
        6 => Just(Step::Publish),
        6 => (0..3usize).prop_map(Step::Read),
        4 => (0..3usize).prop_map(Step::Refresh),
    ]
}

async fn run(steps: Vec<Step>, bytes_max: u64) -> usize {
    let mut shop = Shop::keeping();
    shop.keeps_bytes_max = bytes_max;
    let mut rows = Rows::new();
    for id in [7, 9, -1] {
        shop.delete("orders", Int(id));
    }
    // The schema of a table is known from its first row on.
    shop.put("orders", &[Int(1), Text("a"), Null, Null]);
    rows.insert(1, "a".to_owned());
    shop.publish();
    let mut states = vec![rows.clone()];
    let mut copiers = Vec::new();
    for filter in FILTERS {
        copiers.push(Copier::begin(&shop, filter, &states).await);
    }
    let mut resyncs = 0;
    for step in steps {
        match step {
            Step::Put(id, is_a) => {
                let status = if is_a { "a" } else { "b" };
                shop.put("orders", &[Int(id), Text(status), Null, Null]);
                rows.insert(id, status.to_owned());
            }
            Step::Delete(id) => {
                shop.delete("orders", Int(id));
                rows.remove(&id);
            }
            Step::Truncate => {
                shop.truncate("orders");
                rows.clear();
                shop.put("orders", &[Int(1), Text("a"), Null, Null]);
                rows.insert(1, "a".to_owned());
            }
            Step::Publish => {
                shop.publish();
                states.push(rows.clone());
            }
            Step::Read(which) | Step::Refresh(which) => {
                let goes_on = match step {
                    Step::Read(_) => copiers[which].read(&shop, &states).await,
                    _ => copiers[which].refresh(&shop, &states).await,
                };
                if !goes_on {
                    resyncs += 1;
                    copiers[which] = Copier::begin(&shop, FILTERS[which], &states).await;
                }
            }
        }
    }
    resyncs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_copy_that_follows_is_the_table(
        steps in proptest::collection::vec(step(), 1..80),
        bytes_max in prop_oneof![Just(u64::MAX), 1_000..12_000u64],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let truncates = steps.iter().filter(|step| matches!(step, Step::Truncate)).count();
        let resyncs = runtime.block_on(run(steps, bytes_max));
        if bytes_max == u64::MAX && truncates == 0 {
            prop_assert_eq!(resyncs, 0, "the ring had room for everything");
        }
    }
}
