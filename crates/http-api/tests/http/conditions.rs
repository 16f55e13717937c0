//! `ETag` and `If-None-Match`: what a client has is not sent again, and who waits for something else sleeps until a
//! cut may have brought it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use expect_test::expect;
use http::Request;
use http_api::{Api, Limits, Listener, serve};
use row_model::{Decimal, Value};
use table_store::ReadState;

use crate::fixture::{Shop, request};
use crate::wakes::{Wakes, all_sleep};

/// A request line, headers and perhaps a body behind an empty line.
fn asking(text: &str) -> Request<Body> {
    match text.split_once("\n\n") {
        None => request(text),
        Some((head, body)) => request(head).map(|_| Body::from(body.to_owned())),
    }
}

/// The same of a client that has something.
fn knowing(text: &str, tag: &str, more: &str) -> Request<Body> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    asking(&format!("{line}\nIf-None-Match: {tag}{more}\n{rest}").replace("\n\n\n", "\n\n"))
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn tag_of(api: &Api, text: &str) -> String {
    let response = api.answer(asking(text)).await;
    let tag = header(&response, "etag").to_owned();
    let (status, body) = (response.status(), body_of(response).await);
    assert!(!tag.is_empty(), "{text}: {status} {body}");
    tag
}

async fn body_of(response: Response) -> String {
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Every kind of read, with a part of orders in it.
const READS: [&str; 14] = [
    "GET /v1/tables/orders/rows/7",
    "HEAD /v1/tables/orders/rows/7",
    "GET /v1/tables/orders/rows/7?select=id,status",
    "GET /v1/tables/orders/rows?limit=2",
    "GET /v1/tables/orders/rows?limit=2\nAccept: text/csv",
    "GET /v1/tables/orders/rows?limit=2\nAccept: application/x-ndjson",
    "POST /v1/query\n\n{\"from\":\"orders\",\"limit\":2}",
    "QUERY /v1/query\n\n{\"queries\":{\"paid\":{\"from\":\"orders\"},\"all\":{\"from\":\"notes\"}}}",
    "POST /v1/batch-get\n\n{\"get\":[{\"table\":\"orders\",\"keys\":[[7],[9]]}]}",
    "POST /v1/sql\n\n{\"sql\":\"SELECT * FROM orders\"}",
    "GET /v1/tables",
    "GET /v1/tables/orders",
    "GET /rest/v1/orders?limit=2",
    "GET /rest/v1/orders?limit=2\nAccept: text/csv\nPrefer: count=exact",
];

/// Those of them that say how many rows there are and what they take, and not what they are.
const OF_TABLES: [&str; 2] = ["GET /v1/tables", "GET /v1/tables/orders"];

fn pay(shop: &mut Shop, order: i64, status: &str) {
    let total = Value::Decimal(Decimal::new(2, &[0x07, 0xc6]));
    let values = [Value::Int(order), Value::Text(status), total, Value::Null];
    shop.put("orders", &values);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again_whatever_it_is() {
    let mut shop = Shop::open();
    let api = shop.api();
    let mut known = Vec::new();
    for text in READS {
        let tag = tag_of(&api, text).await;
        let other = "W/\"no,other\" ,";
        let response = api
            .answer(knowing(text, &format!("{other}{tag}"), ""))
            .await;
        assert_eq!(response.status(), 304, "{text}");
        assert_eq!(header(&response, "etag"), tag, "{text}");
        assert_eq!(header(&response, "cache-control"), "private, no-cache");
        assert!(header(&response, "rowtide-freshness").contains("state=live"));
        for name in ["rowtide-as-of", "server-timing", "x-request-id"] {
            assert!(response.headers().contains_key(name), "{text}: {name}");
        }
        for name in ["content-type", "content-length"] {
            assert!(!response.headers().contains_key(name), "{text}: {name}");
        }
        assert_eq!(body_of(response).await, "", "{text}");
        known.push(tag);
    }
    // How fresh it is changes nothing, nor does what other rows are.
    shop.set_facts("orders", |facts| facts.state = ReadState::CatchingUp);
    shop.publish();
    for (text, tag) in READS.iter().zip(&known) {
        assert_eq!(tag_of(&api, text).await, *tag, "{text}");
    }
    pay(&mut shop, 7, "refunded");
    shop.publish();
    for (text, tag) in READS.iter().zip(&known) {
        let is_of_rows = !OF_TABLES.contains(text);
        let response = api.answer(knowing(text, tag, "")).await;
        assert_eq!(response.status() == 304, !is_of_rows, "{text}");
        assert_eq!(tag_of(&api, text).await != *tag, is_of_rows, "{text}");
    }
    pay(&mut shop, 10, "paid");
    shop.publish();
    assert_ne!(tag_of(&api, "GET /v1/tables").await, known[10]);
    assert_ne!(tag_of(&api, "GET /v1/tables/orders").await, known[11]);
}

#[tokio::test]
async fn content_that_was_there_before_has_its_tag_of_then() {
    let mut shop = Shop::open();
    let api = shop.api();
    let first = tag_of(&api, READS[0]).await;
    for status in ["refunded", "paid"] {
        let total = Value::Decimal(Decimal::new(2, &[0x07, 0xc6]));
        let values = [
            Value::Int(7),
            Value::Text(status),
            total,
            Value::Unavailable,
        ];
        shop.put("orders", &values);
        shop.publish();
        assert_eq!(tag_of(&api, READS[0]).await == first, status == "paid");
    }
    // Another process tells the same.
    assert_eq!(tag_of(&Shop::open().api(), READS[0]).await, first);
}

#[tokio::test]
async fn every_answer_of_another_content_has_another_tag() {
    let api = Shop::open().api();
    let mut bodies = std::collections::BTreeMap::new();
    for text in [
        "GET /v1/tables/orders/rows/7",
        "GET /v1/tables/orders/rows/9",
        "GET /v1/tables/orders/rows/8",
        "GET /v1/tables/notes/rows/8",
        "GET /v1/tables/orders/rows/7?select=id",
        "GET /v1/tables/orders/rows/7?select=id&int64=string",
        "GET /v1/tables/orders/rows?limit=1",
        "GET /v1/tables/orders/rows?limit=1&format=arrays",
        "GET /v1/tables/orders/rows?limit=1&count=exact",
        "GET /v1/tables/orders/rows?limit=1&explain=true",
        "GET /v1/tables/orders/rows?limit=1\nAccept: application/x-ndjson",
        "GET /v1/tables/orders/rows?limit=1\nAccept: text/csv",
        "GET /v1/tables/orders/rows?id=eq.-1\nAccept: text/csv",
        "GET /rest/v1/orders?limit=1\nAccept: text/csv",
        "GET /rest/v1/orders?limit=1",
        "GET /rest/v1/orders?limit=1\nPrefer: count=exact",
        "GET /rest/v1/orders?limit=1\nAccept: application/vnd.pgrst.object+json",
    ] {
        let before = bodies.insert(tag_of(&api, text).await, text);
        assert_eq!(before, None, "{text}");
    }
    // The same content in other words.
    for same in [
        "GET /v1/tables/shop.public.orders/rows/7",
        "GET /v1/tables/orders/rows/7?select=*",
    ] {
        assert_eq!(
            bodies.get(&tag_of(&api, same).await),
            Some(&READS[0]),
            "{same}"
        );
    }
}

/// Until the client is asleep.
async fn fall_asleep<F: Future>(mut answer: Pin<&mut F>, what: &str) {
    tokio::select! {
        biased;
        _ = &mut answer => panic!("{what}: answered what the client has"),
        () = all_sleep() => {}
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_sleeps_until_there_is_something_else() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    for text in READS.into_iter().filter(|text| !OF_TABLES.contains(text)) {
        let tag = tag_of(&api, text).await;
        let mut answer = pin!(api.answer(knowing(text, &tag, "\nPrefer: wait=60")));
        let wakes = Arc::new(Wakes::default());
        fall_asleep(answer.as_mut(), text).await;
        assert!(wakes.poll(answer.as_mut()).is_pending(), "{text}");
        wakes.take();
        shop.put("items", &[Value::Int(7), Value::Text("B"), Value::Int(3)]);
        shop.publish_only("items");
        all_sleep().await;
        assert_eq!(wakes.take(), 0, "{text}: another table changed");
        pay(&mut shop, 7, text);
        shop.publish_only("orders");
        let response = answer.await;
        assert!(
            response.status().is_success(),
            "{text}: {}",
            response.status()
        );
        assert_ne!(header(&response, "etag"), tag, "{text}");
        let applied = header(&response, "preference-applied");
        assert!(applied.ends_with("wait=60"), "{text}: {applied}");
        assert!(header(&response, "rowtide-freshness").contains(", waited="));
        assert!(header(&response, "server-timing").starts_with("wait;dur="));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_rows_is_woken_by_those_only() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    for (text, order, status) in [
        (READS[0], 7, "one"),
        ("GET /v1/tables/orders/rows?id=eq.7", 7, "two"),
        (
            "GET /v1/tables/orders/rows?status=eq.never&limit=3",
            9,
            "never",
        ),
        ("GET /v1/tables/orders/rows?status=like.n*r", 9, "nor"),
    ] {
        let tag = tag_of(&api, text).await;
        let mut answer = pin!(api.answer(knowing(text, &tag, "\nPrefer: wait=60")));
        let wakes = Arc::new(Wakes::default());
        assert!(wakes.poll(answer.as_mut()).is_pending());
        // A list is looked for on a thread.
        fall_asleep(answer.as_mut(), text).await;
        assert!(wakes.poll(answer.as_mut()).is_pending());
        wakes.take();
        for nth in 0..3 {
            pay(&mut shop, 1_000 + nth, "irrelevant");
            shop.publish_only("orders");
            all_sleep().await;
            assert_eq!(wakes.take(), 0, "{text}");
        }
        pay(&mut shop, order, status);
        shop.publish_only("orders");
        // However many cuts come before it looks, it is woken once.
        shop.publish_only("orders");
        all_sleep().await;
        assert_eq!(wakes.take(), 1, "{text}");
        let response = answer.await;
        assert_eq!(response.status(), 200, "{text}");
        assert_ne!(header(&response, "etag"), tag, "{text}");
    }
    let tag = tag_of(&api, READS[0]).await;
    let mut answer = pin!(api.answer(knowing(READS[0], &tag, "\nPrefer: wait=60")));
    fall_asleep(answer.as_mut(), READS[0]).await;
    shop.delete("orders", Value::Int(7));
    shop.publish();
    let response = answer.await;
    assert_eq!(response.status(), 404);
    assert_ne!(header(&response, "etag"), tag);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_told_how_fresh_that_is() {
    let mut shop = Shop::open();
    let api = shop.api();
    for text in READS {
        let tag = tag_of(&api, text).await;
        let asked = tokio::time::Instant::now();
        let answer = api.answer(knowing(text, &tag, "\nPrefer: respond-async, wait=20"));
        let mut answer = pin!(answer);
        fall_asleep(answer.as_mut(), text).await;
        shop.set_facts("orders", |facts| {
            facts.state = ReadState::Stalled;
        });
        shop.publish();
        let response = answer.await;
        assert_eq!(asked.elapsed(), Duration::from_secs(20), "{text}");
        assert_eq!(response.status(), 304, "{text}");
        assert_eq!(header(&response, "etag"), tag, "{text}");
        let freshness = header(&response, "rowtide-freshness");
        assert!(freshness.contains("state=stalled"), "{text}: {freshness}");
        assert!(header(&response, "preference-applied").ends_with("wait=20"));
        shop.set_facts("orders", |_| {});
        shop.publish();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_row_that_is_not_there_gets_it_when_it_comes() {
    let mut shop = Shop::open();
    let api = shop.api();
    for (at, text) in [
        "GET /v1/tables/orders/rows/100",
        "GET /v1/tables/orders/rows/101?select=id",
        "GET /rest/v1/orders?id=eq.102\nAccept: application/vnd.pgrst.object+json",
    ]
    .into_iter()
    .enumerate()
    {
        let tag = tag_of(&api, text).await;
        let missing = api.answer(asking(text)).await.status();
        // To wait in vain, or not to wait, changes nothing: no client takes a 304 for "not found".
        for more in ["", "\nPrefer: wait=5"] {
            let response = api.answer(knowing(text, &tag, more)).await;
            assert_eq!(
                (response.status(), header(&response, "etag")),
                (missing, &*tag),
                "{text}"
            );
        }
        // A star is of what is there.
        let response = api.answer(knowing(text, "*", "\nPrefer: wait=5")).await;
        assert_eq!(response.status(), missing, "{text}");
        assert_eq!(header(&response, "preference-applied"), "");
        let mut answer = pin!(api.answer(knowing(text, &tag, "\nPrefer: wait=60")));
        fall_asleep(answer.as_mut(), text).await;
        pay(&mut shop, 100 + at as i64, "paid");
        shop.publish();
        let response = answer.await;
        assert_eq!(response.status(), 200, "{text}");
        assert_ne!(header(&response, "etag"), tag, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_may_be_said_as_a_parameter_or_in_a_body() {
    let api = Shop::open().api();
    for (text, seconds) in [
        ("GET /v1/tables/orders/rows/7?wait=3s", 3),
        ("GET /v1/tables/orders/rows?wait=3", 3),
        ("POST /v1/query\n\n{\"from\":\"orders\",\"wait\":\"3s\"}", 3),
        (
            "POST /v1/sql\n\n{\"sql\":\"SELECT * FROM orders\",\"wait\":\"3s\"}",
            3,
        ),
        ("GET /v1/tables/orders/rows/7?wait=0", 0),
    ] {
        // Only who has something can wait for something else.
        assert_eq!(api.answer(asking(text)).await.status(), 400, "{text}");
        let plain = text
            .replace("?wait=3s", "")
            .replace("?wait=3", "")
            .replace("?wait=0", "")
            .replace(",\"wait\":\"3s\"", "");
        let tag = tag_of(&api, &plain).await;
        // The parameter counts more than the header, which was not applied then.
        for more in ["", "\nPrefer: wait=50"] {
            let asked = tokio::time::Instant::now();
            let response = api.answer(knowing(text, &tag, more)).await;
            assert_eq!(
                (response.status().as_u16(), asked.elapsed().as_secs()),
                (304, seconds),
                "{text}"
            );
            assert_eq!(header(&response, "preference-applied"), "", "{text}");
        }
    }
    let tag = tag_of(&api, READS[0]).await;
    let asked = tokio::time::Instant::now();
    let response = api
        .answer(knowing(READS[0], &tag, "\nPrefer: wait=1000"))
        .await;
    assert_eq!(
        (response.status().as_u16(), asked.elapsed().as_secs()),
        (304, 60)
    );
}

#[tokio::test]
async fn what_is_no_condition_is_refused() {
    let api = Shop::open().api();
    let response = api.answer(knowing(READS[0], "0123", "")).await;
    expect![[r#"{"type":"https://github.com/rowtide/rowtide/errors/bad_request","title":"Bad request","status":400,"code":"bad_request","detail":"If-None-Match is a list of tags in double quotes, or *.","hint":"Send the header ETag of an earlier answer unchanged, quotes and all, as in If-None-Match: W/\"0123abcd\".","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}"#]].assert_eq(&body_of(response).await);
}

#[tokio::test(start_paused = true)]
async fn sleepers_have_a_limit_of_their_own_and_end_with_the_server() {
    let shop = Shop::open();
    let limits = Limits {
        in_flight_max: 1,
        waiters_max: 1,
        ..Limits::default()
    };
    let api = shop.api_with(limits);
    let tag = tag_of(&api, READS[0]).await;
    let sleeps = |text| api.answer(knowing(text, &tag, "\nPrefer: wait=60"));
    let mut first = pin!(sleeps(READS[0]));
    fall_asleep(first.as_mut(), "the first").await;
    // It takes the place of nobody who is answered.
    assert_eq!(api.answer(asking(READS[0])).await.status(), 200);
    assert_eq!(api.answer(knowing(READS[0], &tag, "")).await.status(), 304);
    let refused = sleeps(READS[0]).await;
    assert_eq!(refused.status(), 503);
    assert!(body_of(refused).await.contains("\"state\":\"live\""));
    // To end a listener ends those who sleep, and lets nobody sleep any more.
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, api.clone(), std::future::ready(())).await;
    for ended in [first.await, sleeps(READS[0]).await] {
        assert_eq!(ended.status(), 503);
        let body = body_of(ended).await;
        assert!(
            body.contains("draining") && body.contains("\"fresh\""),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_state_to_change_that_never_does() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let response = api.answer(asking(READS[0])).await;
    let (tag, as_of) = (
        header(&response, "etag"),
        header(&response, "rowtide-as-of"),
    );
    pay(&mut shop, 7, "refunded");
    shop.publish();
    let exact = format!("{}?at_exact={as_of}", READS[0]);
    let asked = tokio::time::Instant::now();
    let response = api.answer(knowing(&exact, tag, "\nPrefer: wait=60")).await;
    assert_eq!(
        (response.status().as_u16(), asked.elapsed().as_secs()),
        (304, 0)
    );
    let waits = format!("{exact}&wait=60");
    assert_eq!(api.answer(knowing(&waits, tag, "")).await.status(), 400);
    // What is there now is something else.
    assert_eq!(
        api.answer(knowing(READS[0], tag, "\nPrefer: wait=60"))
            .await
            .status(),
        200
    );
}
