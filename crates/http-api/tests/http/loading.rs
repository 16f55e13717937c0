//! While a table loads, every answer about it says how far that is; its status says what is amiss.

use std::sync::Arc;

use http_api::{Api, ApiState, Hosts, Limits};
use parking_lot::Mutex;
use query::relation::Relations;
use serde_json::json;
use table_store::ReadState;

use crate::doubles::Status;
use crate::fixture::{NOW_MS, Shop, get};

#[tokio::test]
async fn every_answer_says_how_far_loading_is() {
    let mut shop = Shop::open();
    shop.set_facts("orders", |facts| {
        facts.state = ReadState::Loading;
        facts.progress = Some(0.43);
    });
    shop.publish();
    let api = shop.api();
    for (path, status) in [
        ("/v1/tables/orders", 200),
        ("/v1/tables/orders/rows", 200),
        ("/v1/tables/orders/rows/7", 200),
        ("/v1/tables/orders/rows/12345", 404),
        ("/v1/tables/orders/rows?limit=x", 400),
        ("/v1/tables/orders/rows?nope=eq.1", 400),
        ("/v1/quarantine?table=orders", 200),
        ("/v1/tables", 200),
        ("/v1/status", 200),
    ] {
        let (answered, body) = get(&api, path).await;
        let told = (&body["fresh"]["state"], &body["fresh"]["progress"]);
        assert_eq!(answered, status, "{path}");
        assert_eq!(told, (&json!("loading"), &json!(0.43)), "{path}");
    }
    let (_, status) = get(&api, "/v1/status").await;
    assert_eq!(status["tables"][0]["fresh"]["progress"], json!(0.43));
    assert_eq!(status["tables"][1]["fresh"]["progress"], json!(null));
}

#[tokio::test]
async fn the_status_says_what_records_lack() {
    let mut shop = Shop::open();
    shop.set_facts("orders", |facts| {
        facts.notes = vec!["cloud events without extension attributes".to_owned()];
    });
    shop.publish();
    let (_, status) = get(&shop.api(), "/v1/status").await;
    let notes = json!(["cloud events without extension attributes"]);
    assert_eq!(status["tables"][0]["notes"], notes);
    assert_eq!(status["tables"][1]["notes"], json!(null));
}

#[tokio::test]
async fn a_table_whose_loading_ends_while_it_is_asked_for_is_not_said_to_be_none() {
    for path in [
        "/v1/tables/orders/rows/7",
        "/v1/tables/orders/rows",
        "/rest/v1/orders",
    ] {
        let mut shop = Shop::empty();
        let id = [("id", row_model::ColumnType::Int64)];
        shop.add("shop.public.orders", &id, Some(&["id"]));
        let store = Arc::clone(shop.store());
        let status = Status {
            meanwhile: Mutex::new(Some(Box::new(move || shop.publish()))),
            ..Status::default()
        };
        let (status, relations) = (Arc::new(status), Relations::default());
        let state = ApiState::new(store, || NOW_MS, status, relations);
        let api = Api::data(state, Hosts::loopback(&[]), Limits::default());
        assert_eq!(get(&api, path).await.0, 503, "{path}");
        assert_ne!(get(&api, path).await.0, 503, "{path}");
    }
}
