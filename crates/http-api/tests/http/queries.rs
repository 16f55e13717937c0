//! Filters, orders, selections and forms of `GET /v1/tables/{t}/rows`.

mod refused;

use std::fmt::Write;

use expect_test::{Expect, expect};
use http_api::Limits;
use proptest::prelude::*;
use row_model::{ColumnType, Decimal, Moment, Value};
use serde_json::json;

use crate::fixture::{Shop, check, get, request, shown};

/// Sales of every type a filter looks at, and one that nothing is known of but its key.
fn sales() -> Shop {
    use ColumnType::{Any, Bool, Int64, Json, Text, TimestampTz};
    let mut shop = Shop::empty();
    let columns = [
        ("id", Int64),
        ("status", Text),
        ("total", ColumnType::Decimal),
        ("paid", Bool),
        ("at", TimestampTz),
        ("meta", Json),
        ("big", Int64),
        ("note", Any),
    ];
    shop.add("shop.public.sales", &columns, Some(&["id"]));
    let at = |seconds| Value::Instant(Moment { seconds, nanos: 0 });
    let total = |cents: &'static [u8]| Value::Decimal(Decimal::new(2, cents));
    shop.put(
        "sales",
        &[
            Value::Int(1),
            Value::Text("paid"),
            total(&[0x07, 0xc6]),
            Value::Bool(true),
            at(1_700_000_000),
            Value::Json(r#"{"plan":"pro","seats":5,"tags":["a","b"]}"#),
            Value::Int(9_007_199_254_740_993),
            Value::Text("7"),
        ],
    );
    shop.put(
        "sales",
        &[
            Value::Int(2),
            Value::Text("a,b (\"c\")"),
            total(&[0x27, 0x10]),
            Value::Bool(false),
            at(1_700_000_001),
            Value::Json(r#"{"plan":"free","seats":12}"#),
            Value::Int(2),
            Value::Int(7),
        ],
    );
    shop.put(
        "sales",
        &[
            Value::Int(3),
            Value::Text(""),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Unavailable,
            Value::Null,
            Value::Null,
        ],
    );
    shop.publish();
    shop
}

/// The ids that each query answers with.
async fn ids(shop: &Shop, queries: &[&str], expected: Expect) {
    let api = shop.api();
    let mut out = String::new();
    for query in queries {
        let (status, body) = get(&api, &format!("/v1/tables/sales/rows?{query}")).await;
        let rows = body["rows"].as_array().cloned().unwrap_or_default();
        let ids: Vec<String> = rows.iter().map(|row| row["id"].to_string()).collect();
        writeln!(out, "{query} -> {status} {}", ids.join(" ")).unwrap();
    }
    expected.assert_eq(&out);
}

#[tokio::test]
async fn filters_of_text_and_numbers() {
    ids(
        &sales(),
        &[
            "status=eq.paid",
            "status=neq.paid",
            "status=eq.",
            "status=eq.a%2Cb%20(%22c%22)",
            "status=in.(%22a,b%20(%5C%22c%5C%22)%22,paid)",
            "status=in.()",
            "status=not.in.()",
            "status=like.p*d",
            "status=ilike.P%25D",
            "status=starts.a,",
            "status=contains.(",
            "total=eq.19.9",
            "total=gt.19.90",
            "total=not.gt.19.90",
            "total=is.null",
            "total=between.(19.9,100)",
        ],
        expect![[r#"
            status=eq.paid -> 200 1
            status=neq.paid -> 200 2 3
            status=eq. -> 200 3
            status=eq.a%2Cb%20(%22c%22) -> 200 2
            status=in.(%22a,b%20(%5C%22c%5C%22)%22,paid) -> 200 1 2
            status=in.() -> 200 
            status=not.in.() -> 200 1 2 3
            status=like.p*d -> 200 1
            status=ilike.P%25D -> 200 1
            status=starts.a, -> 200 2
            status=contains.( -> 200 2
            total=eq.19.9 -> 200 1
            total=gt.19.90 -> 200 2
            total=not.gt.19.90 -> 200 1
            total=is.null -> 200 3
            total=between.(19.9,100) -> 200 1 2
        "#]],
    )
    .await;
}

#[tokio::test]
async fn filters_of_other_types() {
    ids(
        &sales(),
        &[
            "paid=is.true",
            "paid=not.is.true",
            "at=gte.2023-11-14T23:13:21%2B01:00",
            "meta-%3E%3Eplan=eq.pro",
            "meta-%3Eseats=gt.5",
            "meta-%3E%3Eseats=gt.5",
            "meta-%3Etags-%3E%3E0=eq.a",
            "meta=contains.%7B%22tags%22:[%22b%22]%7D",
            "meta=eq.%7B%22seats%22:12.0,%20%22plan%22:%22free%22%7D",
            "meta=is.null",
            "note=eq.7",
        ],
        expect![[r#"
            paid=is.true -> 200 1
            paid=not.is.true -> 200 2 3
            at=gte.2023-11-14T23:13:21%2B01:00 -> 200 2
            meta-%3E%3Eplan=eq.pro -> 200 1
            meta-%3Eseats=gt.5 -> 200 2
            meta-%3E%3Eseats=gt.5 -> 200 
            meta-%3Etags-%3E%3E0=eq.a -> 200 1
            meta=contains.%7B%22tags%22:[%22b%22]%7D -> 200 1
            meta=eq.%7B%22seats%22:12.0,%20%22plan%22:%22free%22%7D -> 200 2
            meta=is.null -> 200 
            note=eq.7 -> 200 1 2
        "#]],
    )
    .await;
}

#[tokio::test]
async fn groups() {
    ids(
        &sales(),
        &[
            "or=(status.eq.paid,and(id.gt.1,total.is.null))",
            "and=(id.gte.1,not.or(id.eq.1,id.eq.3))",
            "not.and=(id.gt.1,id.lt.3)",
            "not=(id.eq.2)",
            "id=gt.1&id=lt.3",
            "f.id=eq.2",
        ],
        expect![[r#"
            or=(status.eq.paid,and(id.gt.1,total.is.null)) -> 200 1 3
            and=(id.gte.1,not.or(id.eq.1,id.eq.3)) -> 200 2
            not.and=(id.gt.1,id.lt.3) -> 200 1 3
            not=(id.eq.2) -> 200 1 3
            id=gt.1&id=lt.3 -> 200 2
            f.id=eq.2 -> 200 2
        "#]],
    )
    .await;
}

#[tokio::test]
async fn orders() {
    ids(
        &sales(),
        &[
            "order=total",
            "order=total.desc",
            "order=total.desc.nullslast,id",
            "order=meta-%3Eseats.desc.nullslast",
            "order=status.desc&limit=2",
            "order=note,id.desc",
        ],
        expect![[r#"
            order=total -> 200 1 2 3
            order=total.desc -> 200 3 2 1
            order=total.desc.nullslast,id -> 200 2 1 3
            order=meta-%3Eseats.desc.nullslast -> 200 2 1 3
            order=status.desc&limit=2 -> 200 1 2
            order=note,id.desc -> 200 2 1 3
        "#]],
    )
    .await;
}

#[tokio::test]
async fn selected_columns_and_parts_of_them() {
    let api = sales().api();
    check(
        &api,
        "GET /v1/tables/sales/rows?id=lt.4&select=id,price:total,meta-%3E%3Eplan,seats:meta-%3Eseats,doc:meta&count=exact&explain=true&limit=2&order=id.desc",
        expect![[r#"
            200
            content-length: 478
            content-type: application/json
            link: </v1/tables/sales/rows?id=lt.4&select=id,price:total,meta-%3E%3Eplan,seats:meta-%3Eseats,doc:meta&count=exact&explain=true&limit=2&order=id.desc&cursor=Qokoqi0eERoOEqh60OTEruFdwi72zXa2ctx-_P8jgQMA>; rel="next"
            rowtide-as-of: Aokoqi0eERoOAQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"rows":[{"id":3,"price":null,"unavailable":["plan","seats","doc"]},{"id":2,"price":"100.00","plan":"free","seats":12,"doc":{"plan":"free","seats":12}}],"count":2,"total":3,"next":"Qokoqi0eERoOEqh60OTEruFdwi72zXa2ctx-_P8jgQMA","truncated":false,"plan":{"access":"scan","rows_examined":3},"fresh":{"as_of":"Aokoqi0eERoOAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn arrays_name_their_columns_once_and_what_was_never_sent_beside() {
    let api = sales().api();
    check(
        &api,
        "GET /v1/tables/sales/rows?format=arrays&int64=string&select=id,big,meta",
        expect![[r#"
            200
            content-length: 417
            content-type: application/json
            rowtide-as-of: Aokoqi0eERoOAQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"columns":["id","big","meta"],"rows":[["1","9007199254740993",{"plan":"pro","seats":5,"tags":["a","b"]}],["2","2",{"plan":"free","seats":12}],["3",null,null]],"unavailable":[[2,"meta"]],"count":3,"next":null,"truncated":false,"fresh":{"as_of":"Aokoqi0eERoOAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
    let (_, body) = get(&api, "/v1/tables/sales/rows?int64=string&id=eq.1&select=*").await;
    assert_eq!(
        (&body["rows"][0]["big"], &body["rows"][0]["note"]),
        (&json!("9007199254740993"), &json!("7"))
    );
}

#[tokio::test]
async fn lines_of_json_and_csv() {
    let api = sales().api();
    check(
        &api,
        "GET /v1/tables/sales/rows?select=id,status,meta&format=arrays\nAccept: application/x-ndjson",
        expect![[r#"
            200
            content-length: 404
            content-type: application/x-ndjson
            rowtide-as-of: Aokoqi0eERoOAQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"columns":["id","status","meta"]}
            [1,"paid",{"plan":"pro","seats":5,"tags":["a","b"]}]
            [2,"a,b (\"c\")",{"plan":"free","seats":12}]
            [3,"",null]
            {"unavailable":[[2,"meta"]],"count":3,"next":null,"truncated":false,"fresh":{"as_of":"Aokoqi0eERoOAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}

        "#]],
    )
    .await;
    let csv = async |query: &str| {
        let lines = format!("GET /v1/tables/sales/rows?{query}\nAccept: text/csv");
        // A carriage return is not to be seen, and would be lost on the way through git.
        let shown = shown(api.answer(request(&lines)).await).await;
        shown.replace('\r', "\\r")
    };
    expect![[r#"
        200
        content-length: 210
        content-type: text/csv; charset=utf-8; header=present
        link: </v1/tables/sales/rows?select=id,status,total,at,meta,plan:meta-%3E%3Eplan&limit=2&cursor=Qokoqi0eERoOzTClZKJZm4zOX8dx3OPjfCOBAwA>; rel="next"
        rowtide-as-of: Aokoqi0eERoOAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        id,status,total,at,meta,plan\r
        1,paid,19.90,2023-11-14T22:13:20Z,"{""plan"":""pro"",""seats"":5,""tags"":[""a"",""b""]}",pro\r
        2,"a,b (""c"")",100.00,2023-11-14T22:13:21Z,"{""plan"":""free"",""seats"":12}",free\r

    "#]]
    .assert_eq(&csv("select=id,status,total,at,meta,plan:meta-%3E%3Eplan&limit=2").await);
    expect![[r#"
        200
        content-length: 24
        content-type: text/csv; charset=utf-8; header=present
        rowtide-as-of: Aokoqi0eERoOAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        id,status,total\r
        3,"",\r

    "#]]
    .assert_eq(&csv("id=eq.3&select=id,status,total").await);
    for name in [
        "count=exact",
        "explain=true",
        "format=arrays",
        "int64=string",
    ] {
        let lines = format!("GET /v1/tables/sales/rows?{name}\nAccept: text/csv");
        assert_eq!(api.answer(request(&lines)).await.status(), 400, "{name}");
    }
}

#[tokio::test]
async fn head_answers_as_get_does() {
    let api = sales().api();
    let path = "/v1/tables/sales/rows?status=eq.paid&select=id";
    let head = shown(api.answer(request(&format!("HEAD {path}"))).await).await;
    let get = shown(api.answer(request(&format!("GET {path}"))).await).await;
    assert_eq!(head.trim_end(), get.split_once("\n\n").unwrap().0);
}

#[tokio::test]
async fn what_is_found_by_its_key_is_looked_up() {
    let api = sales().api();
    let mut plans = String::new();
    for query in [
        "id=eq.2",
        "id=in.(1,3,99)&status=eq.paid",
        "and=(id.eq.2,status.neq.x)",
        "id=gt.1",
        "or=(id.eq.1,id.eq.2)",
    ] {
        let uri = format!("/v1/tables/sales/rows?explain=true&count=exact&{query}");
        let (_, body) = get(&api, &uri).await;
        writeln!(plans, "{query} -> {} {}", body["plan"], body["total"]).unwrap();
    }
    expect![[r#"
        id=eq.2 -> {"access":"key(id)","rows_examined":1} 1
        id=in.(1,3,99)&status=eq.paid -> {"access":"key(id)","rows_examined":2} 1
        and=(id.eq.2,status.neq.x) -> {"access":"key(id)","rows_examined":1} 1
        id=gt.1 -> {"access":"scan","rows_examined":3} 2
        or=(id.eq.1,id.eq.2) -> {"access":"scan","rows_examined":3} 2
    "#]]
    .assert_eq(&plans);
    let mut shop = Shop::open();
    shop.put(
        "events",
        &[Value::Text("7"), Value::Text("the other seven")],
    );
    shop.publish();
    // Without types 7 is a number and a text, and both are keys of a row.
    let (_, body) = get(&shop.api(), "/v1/tables/events/rows?id=eq.7&explain=true").await;
    assert_eq!(
        (&body["count"], &body["plan"]["access"]),
        (&json!(2), &json!("key(id)"))
    );
}

#[tokio::test]
async fn a_walk_keeps_its_filter_and_order_and_refuses_others() {
    let api = sales().api();
    let path = "/v1/tables/sales/rows?limit=1&order=status.desc&id=gt.0";
    let response = api.answer(request(&format!("GET {path}"))).await;
    let link = response.headers()["link"].to_str().unwrap();
    let mut next = link[1..].split_once('>').unwrap().0.to_owned();
    let cursor = next.split_once("cursor=").unwrap().1.to_owned();
    assert_eq!(next, format!("{path}&cursor={cursor}"));
    let mut walked = Vec::new();
    loop {
        let (_, page) = get(&api, &next).await;
        walked.push(page["rows"][0]["id"].as_i64().unwrap());
        match page["next"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(walked, [2, 3]);
    let mut refused = String::new();
    for query in [
        "order=status&id=gt.0",
        "order=status.desc&id=gt.1",
        "order=status.desc",
    ] {
        let uri = format!("/v1/tables/sales/rows?{query}&cursor={cursor}");
        let (status, body) = get(&api, &uri).await;
        writeln!(
            refused,
            "{query} -> {status} {} {}",
            body["code"], body["detail"]
        )
        .unwrap();
    }
    // What is shown, and how much at a time, is no part of what the cursor is bound to.
    let uri = format!(
        "/v1/tables/sales/rows?order=status.desc&id=gt.0&select=id&limit=9&cursor={cursor}"
    );
    assert_eq!(
        get(&api, &uri).await.1["rows"],
        json!([{"id": 2}, {"id": 3}])
    );
    expect![[r#"
        order=status&id=gt.0 -> 400 "bad_cursor" "The cursor cannot be used: it was given for another filter or order."
        order=status.desc&id=gt.1 -> 400 "bad_cursor" "The cursor cannot be used: it was given for another filter or order."
        order=status.desc -> 400 "bad_cursor" "The cursor cannot be used: it was given for another filter or order."
    "#]]
    .assert_eq(&refused);
}

#[tokio::test]
async fn a_cursor_ends_with_the_columns_it_rests_on() {
    use ColumnType::{Int64, Text};
    let of = |kind| {
        let mut shop = Shop::empty();
        shop.add(
            "shop.public.sales",
            &[("id", Int64), ("size", kind)],
            Some(&["id"]),
        );
        shop.put("sales", &[Value::Int(1), Value::Null]);
        shop.put("sales", &[Value::Int(2), Value::Null]);
        shop.publish();
        shop.api()
    };
    let path = "/v1/tables/sales/rows?order=size&limit=1";
    let (_, page) = get(&of(Int64), path).await;
    let uri = format!("{path}&cursor={}", page["next"].as_str().unwrap());
    let (status, body) = get(&of(Text), &uri).await;
    assert_eq!((status, &body["code"]), (410, &json!("cursor_expired")));
    assert_eq!(get(&of(Int64), &uri).await.1["rows"][0]["id"], 2);
}

#[tokio::test]
async fn a_table_without_rows_can_be_asked() {
    let (status, body) = get(&Shop::open().api(), "/v1/tables/log/rows?line=eq.x").await;
    assert_eq!((status, &body["rows"]), (200, &json!([])));
}

#[tokio::test]
async fn a_page_of_csv_always_says_where_the_next_begins() {
    let mut shop = sales();
    let long = "x".repeat(3_000);
    for id in [10, 11] {
        let nothing = [Value::Null; 6];
        shop.put(
            "sales",
            &[&[Value::Int(id), Value::Text(&long)], &nothing[..]].concat(),
        );
    }
    shop.publish();
    let path = format!("/v1/tables/sales/rows?status=eq.{long}&limit=1");
    let api = shop.api();
    for (accept, there) in [("text/csv", true), ("application/json", false)] {
        let request = request(&format!("GET {path}\nAccept: {accept}"));
        let response = api.answer(request).await;
        assert_eq!(
            response.headers().contains_key("link"),
            there,
            "the body of JSON has next: {accept}"
        );
    }
}

/// As any text is written in a query string.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'.' | b'(' | b')' | b',' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

proptest! {
    /// Whatever is asked is answered or refused, and either says how fresh the table is.
    #[test]
    fn no_question_fails_the_server(
        name in "(id|status|total|paid|at|meta|note|big|or|and|not|order|select|meta->>plan|meta->tags|limit|count|[a-z>\"-]{0,5})",
        operator in "(not\\.)?(eq|neq|gt|lt|in|like|ilike|is|contains|starts|between|[a-z]{1,3})\\.",
        value in "(\\([a-z0-9.,\"]{0,12}\\)|[0-9]{1,3}|1e[0-9]{1,6}|null|true|\\{\"plan\":\"pro\"\\}|id\\.eq\\.1|\\PC{0,12})",
        rest in "(order=total\\.desc|select=\\*|format=arrays|explain=true|count=exact|select=meta-%3Eplan)?",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let uri = format!("/v1/tables/sales/rows?{}={}{}&{rest}", encoded(&name), encoded(&operator), encoded(&value));
        let (status, body) = runtime.block_on(async { get(&sales().api(), &uri).await });
        prop_assert!([200, 400].contains(&status), "{} {}", status, body);
        prop_assert!(body["fresh"]["as_of"].is_string());
        prop_assert!(status == 200 || body["detail"].is_string());
    }
}

#[tokio::test]
async fn a_query_past_its_budget_is_given_up_and_says_so() {
    let shop = sales();
    let few = shop.api_with(Limits {
        scan_rows_max: 2,
        ..Limits::default()
    });
    let (status, body) = get(&few, "/v1/tables/sales/rows?status=eq.paid").await;
    assert_eq!(status, 422);
    expect![[r#""scan_too_large" "Table 'sales': the query was given up: it would look at 3 rows of 'sales', and may look at 2." "An index on (status) would help: add it to `indexes` of [[tables]] 'sales', or POST it to /v1/tables/sales/indexes on the admin listener.""#]].assert_eq(&format!("{} {} {}", body["code"], body["detail"], body["hint"]));
    // A lookup examines what it finds, whatever the table's size.
    assert_eq!(get(&few, "/v1/tables/sales/rows?id=eq.1").await.0, 200);
}
