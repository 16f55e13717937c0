//! Records of the quarantine that are tried once more, as the admin listener takes it.

use std::sync::Arc;

use http_api::{Api, Limits};
use telemetry::MetricsPage;

use crate::doubles::{Operated, Status};
use crate::fixture::{Shop, request, shown};

fn admin(operated: Operated) -> Api {
    let state = Shop::open().state(Status::default());
    let metrics = MetricsPage::empty();
    Api::admin(state, Arc::new(operated), metrics, Limits::default())
}

async fn answer(operated: Operated, query: &str) -> String {
    let line = format!("POST /v1/quarantine/replay{query}");
    shown(admin(operated).answer(request(&line)).await).await
}

#[tokio::test]
async fn what_came_of_each_record_is_told() {
    let one = "?topic=t&partition=2&offset=7";
    let told = answer(Operated::default(), one).await;
    assert!(told.starts_with("200"), "{told}");
    let records = r#"{"records":[{"topic":"t","partition":2,"offset":7,"outcome":"applied"},{"topic":"t","partition":2,"offset":8,"outcome":"kept","reason":"still bad"}],"applied":1,"settled":0,"kept":1,"fresh":{"#;
    assert!(told.contains(records), "{told}");
    // A table is named as anywhere else, and stands for its topic.
    let told = answer(Operated::default(), "?table=orders").await;
    assert!(told.contains(r#""topic":"shop.public.orders""#), "{told}");
    let told = answer(Operated::default(), "?all=true").await;
    assert!(told.contains(r#""topic":"any""#), "{told}");
}

#[tokio::test]
async fn what_is_meant_has_to_be_said() {
    for query in [
        "",
        "?all=false",
        "?table=orders&all=true",
        "?table=orders&topic=t",
        "?topic=t&offset=7",
        "?table=orders&partition=0",
        "?topic=t&partition=x",
        "?offset=7",
    ] {
        let told = answer(Operated::default(), query).await;
        assert!(
            told.starts_with("400") && told.contains("all=true"),
            "{query}: {told}"
        );
    }
    let told = answer(Operated::default(), "?tabel=orders").await;
    assert!(
        told.starts_with("400") && told.contains("unknown_parameter"),
        "{told}"
    );
    let busy = Operated { busy: true };
    assert!(answer(busy, "?all=true").await.starts_with("503"));
}
