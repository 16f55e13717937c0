//! `GET /v1/tables/{t}/rows`: pages in key order.

use std::collections::BTreeSet;
use std::fmt::Write;

use expect_test::expect;
use row_model::Value;
use serde_json::json;

use crate::fixture::{Shop, check, get};

#[tokio::test]
async fn a_page_of_rows() {
    let api = Shop::open().api();
    check(&api, "GET /v1/tables/orders/rows?limit=2", expect![[r#"
        200
        content-length: 412
        content-type: application/json
        link: </v1/tables/orders/rows?limit=2&cursor=QkS4gE2baFS5zTClZKJZm4zOX8dx3OPjfCOBCAA>; rel="next"
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"rows":[{"id":-1,"status":"it's \"new\"","total":"19.90","unavailable":["doc"]},{"id":7,"status":"paid","total":"19.90","unavailable":["doc"]}],"count":2,"next":"QkS4gE2baFS5zTClZKJZm4zOX8dx3OPjfCOBCAA","truncated":false,"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn the_last_page() {
    let api = Shop::open().api();
    let (_, first) = get(&api, "/v1/tables/orders/rows?limit=2").await;
    let next = first["next"].as_str().unwrap();
    check(
        &api,
        &format!("GET /v1/tables/orders/rows?limit=2&cursor={next}"),
        expect![[r#"
            200
            content-length: 306
            content-type: application/json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"rows":[{"id":9,"status":"shipped","total":"19.90","unavailable":["doc"]}],"count":1,"next":null,"truncated":false,"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn no_rows_and_keyless_tables_are_lists_too() {
    let mut shop = Shop::open();
    let (status, body) = get(&shop.api(), "/v1/tables/log/rows").await;
    assert_eq!(
        (status, &body["rows"], &body["count"], &body["next"]),
        (200, &json!([]), &json!(0), &json!(null))
    );
    shop.put("log", &[Value::Text("one")]);
    shop.publish();
    let (_, body) = get(&shop.api(), "/v1/tables/log/rows?").await;
    assert_eq!(body["rows"], json!([{"line": "one"}]));
}

#[tokio::test]
async fn a_walk_while_rows_change_gives_each_lasting_row_once() {
    let mut shop = Shop::open();
    for id in 100..1_100 {
        shop.put("events", &[Value::Int(id), Value::Text("first")]);
    }
    shop.publish();
    let api = shop.api();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for round in 0.. {
        let (status, page) = get(&api, &format!("/v1/tables/events/rows?limit=37{cursor}")).await;
        assert_eq!(
            (status, page["rows"].as_array().unwrap().len()),
            (200, page["count"].as_u64().unwrap() as usize)
        );
        seen.extend(
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|row| row["id"].as_i64()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        // Rows behind and before the walk change, and one appears behind it.
        shop.put(
            "events",
            &[Value::Int(100 + round * 7 % 1_000), Value::Text("changed")],
        );
        shop.put("events", &[Value::Int(-round), Value::Text("behind")]);
        shop.publish();
    }
    let lasting: Vec<i64> = [7].into_iter().chain(100..1_100).collect();
    assert_eq!(seen, lasting);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
}

#[tokio::test]
async fn a_page_stops_at_a_mebibyte_and_says_how_to_go_on() {
    let mut shop = Shop::open();
    let long = "x".repeat(300_000);
    for title in ["k1", "k2", "k3", "k4", "k5"] {
        shop.put("notes", &[Value::Text(title), Value::Text(&long)]);
    }
    let huge = "y".repeat(2_000_000);
    shop.put("notes", &[Value::Text("k6"), Value::Text(&huge)]);
    shop.publish();
    let api = shop.api();
    let (mut titles, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(&api, &format!("/v1/tables/notes/rows?limit=10{cursor}")).await;
        let rows = page["rows"].as_array().unwrap();
        titles.push(
            rows.iter()
                .map(|row| row["title"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>(),
        );
        assert_eq!(
            page["truncated"].as_bool().unwrap(),
            page["hint"].is_string()
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        assert_eq!(page["truncated"], true);
        cursor = format!("&cursor={next}");
    }
    assert_eq!(
        titles,
        [
            vec!["", "50% \"off\"", "a,b", "a/b", "k1", "k2", "k3"],
            vec!["k4", "k5"],
            vec!["k6"]
        ]
    );
}

#[tokio::test]
async fn a_bad_limit_or_cursor_is_refused() {
    let api = Shop::open().api();
    let (_, page) = get(&api, "/v1/tables/orders/rows?limit=1").await;
    let foreign = page["next"].as_str().unwrap();
    let mut refused = String::new();
    for (table, query) in [
        ("orders", "limit=0".to_owned()),
        ("orders", "limit=10001".to_owned()),
        ("orders", "limit=-1".to_owned()),
        ("orders", "limit=ten".to_owned()),
        ("orders", "limit=".to_owned()),
        ("orders", "limit=1&limit=2".to_owned()),
        ("orders", "cursor=".to_owned()),
        ("orders", "cursor=%F0%9F%A6%80".to_owned()),
        ("items", format!("cursor={foreign}")),
    ] {
        let (status, body) = get(&api, &format!("/v1/tables/{table}/rows?{query}")).await;
        assert!(body["fresh"]["as_of"].is_string(), "{query}");
        writeln!(refused, "{status} {} {}", body["code"], body["detail"]).unwrap();
    }
    expect![[r#"
        400 "bad_request" "limit is a whole number from 1 to 10000."
        400 "bad_request" "limit is a whole number from 1 to 10000."
        400 "bad_request" "limit is a whole number from 1 to 10000."
        400 "bad_request" "limit is a whole number from 1 to 10000."
        400 "bad_request" "limit is a whole number from 1 to 10000."
        400 "bad_request" "The parameter 'limit' was sent more than once."
        400 "bad_cursor" "The cursor cannot be used: it is not a cursor of this server."
        400 "bad_cursor" "The cursor cannot be used: it is not a cursor of this server."
        400 "bad_cursor" "The cursor cannot be used: it was given for another table."
    "#]]
    .assert_eq(&refused);
}
