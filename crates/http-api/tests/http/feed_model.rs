//! Whoever applies what a feed tells to a copy has, after each commit, the rows as they were at some later cut than
//! before, and in the end as they are: whatever is written, however late it reads, and whatever the ring lets go of.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::feed_history::{Edit, History, Kept, Rows, cells, edit};
use crate::fixture::{Shop, get, post};

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

/// One who keeps a copy.
struct Copier {
    kept: Kept,
    as_of: String,
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
            kept: Kept {
                filter,
                rows: rows.map(cells).collect(),
                at: states.len() - 1,
            },
            as_of: body["fresh"]["as_of"].as_str().unwrap().to_owned(),
        };
        copier.kept.is_newest(states);
        copier
    }

    /// Reads what there is. Answers whether it could go on.
    async fn read(&mut self, shop: &Shop, states: &[Rows]) -> bool {
        let filter = match self.kept.filter {
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
                self.kept.apply(event, states);
            }
            body["as_of"].as_str().unwrap().clone_into(&mut self.as_of);
        }
        self.kept.is_newest(states);
        true
    }

    /// The same by what a list tells of what changed.
    async fn refresh(&mut self, shop: &Shop, states: &[Rows]) -> bool {
        let filter = match self.kept.filter {
            "" => String::new(),
            filter => format!("&and=({filter})"),
        };
        let since = format!("select=id,status&since={}{filter}", self.as_of);
        let (status, body) = get(&shop.api(), &format!("/v1/tables/orders/rows?{since}")).await;
        let asked = json!({
            "from": "orders", "select": "id,status", "where": conditions(self.kept.filter), "since": self.as_of,
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
                self.kept.rows.remove(&key[0].as_i64().unwrap()).is_some(),
                "{body}"
            );
        }
        self.kept
            .rows
            .extend(body["changed"].as_array().unwrap().iter().map(cells));
        body["fresh"]["as_of"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.as_of);
        self.kept.at = states.len() - 1;
        self.kept.is_newest(states);
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Edit(Edit),
    Read(usize),
    Refresh(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        19 => edit().prop_map(Step::Edit),
        6 => (0..3usize).prop_map(Step::Read),
        4 => (0..3usize).prop_map(Step::Refresh),
    ]
}

async fn run(steps: Vec<Step>, bytes_max: u64) -> usize {
    let mut history = History::begin(bytes_max);
    let mut copiers = Vec::new();
    for filter in FILTERS {
        copiers.push(Copier::begin(&history.shop, filter, &history.states).await);
    }
    let mut resyncs = 0;
    for step in steps {
        let History { shop, states, .. } = &history;
        let (which, goes_on) = match step {
            Step::Edit(edit) => {
                history.make(edit);
                continue;
            }
            Step::Read(which) => (which, copiers[which].read(shop, states).await),
            Step::Refresh(which) => (which, copiers[which].refresh(shop, states).await),
        };
        if !goes_on {
            resyncs += 1;
            copiers[which] = Copier::begin(shop, FILTERS[which], states).await;
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
        let truncates = steps.iter().filter(|step| matches!(step, Step::Edit(Edit::Truncate))).count();
        let resyncs = runtime.block_on(run(steps, bytes_max));
        if bytes_max == u64::MAX && truncates == 0 {
            prop_assert_eq!(resyncs, 0, "the ring had room for everything");
        }
    }
}
