//! `at_exact`: several answers of one state, on every surface, while the tables go on; and what is told when that
//! state is gone.

use std::fmt::Write;

use expect_test::expect;
use row_model::Value::{Int, Null, Text};
use serde_json::{Value, json};

use crate::fixture::{Shop, get, post, request, shown};

/// Every way to read, with the state that is wanted, and what of its answer is about rows.
async fn read_all(shop: &Shop, token: &str) -> Vec<Value> {
    let api = shop.api();
    let mut answers = Vec::new();
    for path in [
        "/v1/tables/orders/rows/7",
        "/v1/tables/orders/rows/8",
        "/v1/tables/orders/rows",
        "/v1/tables/items/rows",
        "/v1/tables/orders/rows?select=status,count()",
        "/v1/tables/orders/export?format=ndjson",
    ] {
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{mark}at_exact={token}");
        if path.contains("export") {
            let answer = api.answer(request(&format!("GET {path}"))).await;
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
            answers.push(json!(String::from_utf8(body.unwrap().to_vec()).unwrap()));
        } else {
            answers.push(get(&api, &path).await.1);
        }
    }
    for (path, body) in [
        ("/v1/query", r#"{"from":"orders","at_exact":"TOKEN"}"#),
        (
            "/v1/query",
            r#"{"queries":{"a":{"from":"orders"},"b":{"from":"items"}},"at_exact":"TOKEN"}"#,
        ),
        (
            "/v1/batch-get",
            r#"{"get":[{"table":"orders","keys":[[7],[8]]}],"at_exact":"TOKEN"}"#,
        ),
        (
            "/v1/sql",
            r#"{"sql":"SELECT id, status FROM orders ORDER BY id","at_exact":"TOKEN"}"#,
        ),
    ] {
        let (_, body) = post(&api, path, &body.replace("TOKEN", token)).await;
        answers.push(body);
    }
    let head = format!("GET /rest/v1/orders?order=id\nRowtide-At-Exact: {token}");
    let answer = api.answer(request(&head)).await;
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    answers.push(serde_json::from_slice(&body.unwrap()).unwrap());
    answers
}

async fn token_of(shop: &Shop) -> String {
    let (_, body) = get(&shop.api(), "/v1/tables/orders/rows/7").await;
    body["fresh"]["as_of"].as_str().unwrap().to_owned()
}

fn order(shop: &mut Shop, id: i64, status: &str) {
    shop.put("orders", &[Int(id), Text(status), Null, Null]);
}

#[tokio::test]
async fn every_surface_answers_from_the_state_that_was_told() {
    let mut shop = Shop::keeping();
    let token = token_of(&shop).await;
    let told = read_all(&shop, &token).await;
    for round in 0..20 {
        order(&mut shop, 7, &format!("round {round}"));
        order(&mut shop, 8 + round, "new");
        shop.put("items", &[Int(7), Text("A,1/🦀"), Int(round)]);
        shop.pass(1_000);
        shop.publish();
        assert_eq!(read_all(&shop, &token).await, told, "round {round}");
    }
    let newest = token_of(&shop).await;
    assert_ne!(newest, token);
    assert_ne!(read_all(&shop, &newest).await, told);
    // A header says it as well, and a parameter counts more.
    let head = format!("GET /v1/tables/orders/rows/8?at_exact={newest}\nRowtide-At-Exact: {token}");
    assert_eq!(shop.api().answer(request(&head)).await.status(), 200);
    let head = format!("GET /v1/tables/orders/rows/8\nRowtide-At-Exact: {token}");
    assert_eq!(shop.api().answer(request(&head)).await.status(), 404);
}

#[tokio::test]
async fn a_state_that_is_gone_is_told_and_never_replaced() {
    let mut shop = Shop::keeping();
    let token = token_of(&shop).await;
    order(&mut shop, 7, "newer");
    shop.publish();
    let path = format!("/v1/tables/orders/rows/7?at_exact={token}");
    shop.pass(30_000);
    shop.publish();
    assert_eq!(get(&shop.api(), &path).await.0, 200);
    shop.pass(1);
    shop.publish();
    let answer = shop.api().answer(request(&format!("GET {path}"))).await;
    expect![[r#"
        410
        content-length: 774
        content-type: application/problem+json
        rowtide-as-of: AwAAAAAAAAAHAQREuIBNm2hUuQEAAAUEAWs_cAAFBxR-F5of9wEAAAUEAWs_cABL3mQhuCkf2QEAAAUEAWs_cAACft68NArHQQEAAAUEAWs_cACOeQszIYvGpgEAAAUEAWs_cAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/snapshot_expired","title":"Snapshot expired","status":410,"code":"snapshot_expired","detail":"The state of at_exact is gone: states are kept for 30 s after newer ones, as memory allows ([versions] max), and not across restarts, replicas and rebuilds.","hint":"Ask without at_exact, and go on with the as_of of that answer; to see nothing older than before, send the old one as at_least.","retryable":false,"request_id":"r1","fresh":{"as_of":"AwAAAAAAAAAHAQREuIBNm2hUuQEAAAUEAWs_cAAFBxR-F5of9wEAAAUEAWs_cABL3mQhuCkf2QEAAAUEAWs_cAACft68NArHQQEAAAUEAWs_cACOeQszIYvGpgEAAAUEAWs_cAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]].assert_eq(&shown(answer).await);
    for answer in read_all(&shop, &token).await {
        let is_told = answer.to_string().contains("The state of at_exact is gone");
        assert!(is_told, "{answer}");
    }
}

#[tokio::test]
async fn a_table_that_was_not_live_is_not_answered_from() {
    let shop = Shop::keeping_but("items");
    let told = token_of(&shop).await;
    let (status, body) = get(
        &shop.api(),
        &format!("/v1/tables/items/rows?at_exact={told}"),
    )
    .await;
    assert_eq!((status, &body["code"]), (410, &json!("snapshot_expired")));
    let (status, _) = get(
        &shop.api(),
        &format!("/v1/tables/orders/rows?at_exact={told}"),
    )
    .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn what_names_no_state_is_refused() {
    let shop = Shop::keeping();
    let token = token_of(&shop).await;
    let old = token_of(&Shop::open()).await;
    let mut told = String::new();
    for query in [
        "at_exact=7".to_owned(),
        format!("at_exact={old}"),
        format!("at_exact={token}&at_least={token}"),
        format!("at_exact={token}&wait=1s"),
    ] {
        let (status, body) = get(&shop.api(), &format!("/v1/tables/orders/rows?{query}")).await;
        let query = query.replace(&token, "TOKEN").replace(&old, "OLD");
        let told = &mut told;
        writeln!(
            told,
            "{query}\n  {status} {} {}",
            body["code"], body["detail"]
        )
        .unwrap();
        writeln!(told, "  {}", body["hint"]).unwrap();
    }
    expect![[r#"
        at_exact=7
          400 "bad_request" "at_exact is no as_of of an answer of this version."
          "at_exact is fresh.as_of of an earlier answer (header Rowtide-As-Of), unchanged."
        at_exact=OLD
          410 "snapshot_expired" "at_exact names no state of this process: it was told by an earlier version."
          "Ask without at_exact, and go on with the as_of of that answer; to see nothing older than before, send the old one as at_least."
        at_exact=TOKEN&at_least=TOKEN
          400 "bad_request" "at_exact and at_least do not go together: at_exact says which state is answered from."
          "Send at_least with the first request, and the as_of of its answer as at_exact with the others."
        at_exact=TOKEN&wait=1s
          400 "bad_request" "wait means nothing without at_least, max_lag or the header If-None-Match."
          "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end; If-None-Match its header ETag, to wait for a change."
    "#]].assert_eq(&told);
}
