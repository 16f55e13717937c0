//! `/rest/v1`: what a client of `PostgREST` sees, by the examples of its specifications.

use std::fmt::Write;

use axum::body::{Body, to_bytes};
use expect_test::{Expect, expect};
use http::Response;
use http_api::{Api, Hosts, Limits};
use query::relation::{Endpoint, Relation, Relations};
use row_model::{ColumnType, Decimal, Moment, Value};

use crate::fixture::{Shop, request};

/// Clients with projects with tasks, tasks with users through a junction, messages between users.
fn office() -> Api {
    use ColumnType::{Bool, Int32, Text};
    let mut shop = Shop::empty();
    let id_name = [("id", Int32), ("name", Text)];
    shop.add("dbz.test.clients", &id_name, Some(&["id"]));
    shop.add(
        "dbz.test.projects",
        &[("id", Int32), ("name", Text), ("client_id", Int32)],
        Some(&["id"]),
    );
    shop.add(
        "dbz.test.tasks",
        &[("id", Int32), ("name", Text), ("project_id", Int32)],
        Some(&["id"]),
    );
    shop.add("dbz.test.users", &id_name, Some(&["id"]));
    shop.add(
        "dbz.test.users_tasks",
        &[("user_id", Int32), ("task_id", Int32)],
        Some(&["user_id", "task_id"]),
    );
    shop.add(
        "dbz.test.messages",
        &[
            ("id", Int32),
            ("sender", Int32),
            ("recipient", Int32),
            ("read", Bool),
        ],
        Some(&["id"]),
    );
    shop.add(
        "dbz.public.things",
        &[
            ("id", ColumnType::Int64),
            ("price", ColumnType::Decimal),
            ("ratio", ColumnType::Float64),
            ("seen", ColumnType::TimestampTz),
            ("made", ColumnType::Timestamp),
            ("day", ColumnType::Date),
            ("raw", ColumnType::Bytes),
            ("doc", ColumnType::Json),
            ("tags", ColumnType::Array),
            ("ok", Bool),
            ("note", Text),
        ],
        Some(&["id"]),
    );
    fill(&mut shop);
    shop.publish();
    let state = shop.state_with(relations());
    Api::data(state, Hosts::loopback(&[]), Limits::default())
}

fn fill(shop: &mut Shop) {
    for (id, name) in [(1, "Microsoft"), (2, "Apple")] {
        shop.put("clients", &[Value::Int(id), Value::Text(name)]);
    }
    let projects = [
        (1, "Windows 7", Some(1)),
        (2, "Windows 10", Some(1)),
        (3, "IOS", Some(2)),
        (4, "OSX", Some(2)),
        (5, "Orphan", None),
    ];
    for (id, name, client) in projects {
        let client = client.map_or(Value::Null, Value::Int);
        shop.put("projects", &[Value::Int(id), Value::Text(name), client]);
    }
    let tasks = [
        "Design w7",
        "Code w7",
        "Design w10",
        "Code w10",
        "Design IOS",
        "Code IOS",
        "Design OSX",
        "Code OSX",
    ];
    for (at, name) in (1..).zip(tasks) {
        shop.put(
            "tasks",
            &[Value::Int(at), Value::Text(name), Value::Int((at + 1) / 2)],
        );
    }
    for (id, name) in [
        (1, "Angela Martin"),
        (2, "Michael Scott"),
        (3, "Dwight Schrute"),
    ] {
        shop.put("users", &[Value::Int(id), Value::Text(name)]);
    }
    for (user, task) in [
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 5),
        (2, 6),
        (2, 7),
        (3, 1),
        (3, 5),
    ] {
        shop.put("users_tasks", &[Value::Int(user), Value::Int(task)]);
    }
    shop.put(
        "messages",
        &[
            Value::Int(1),
            Value::Int(1),
            Value::Int(2),
            Value::Bool(true),
        ],
    );
    let at = Moment {
        seconds: 1_709_210_096,
        nanos: 789_000_000,
    };
    shop.put(
        "things",
        &[
            Value::Int(1),
            Value::Decimal(Decimal::new(2, &[0x07, 0xc6])),
            Value::Float(0.5),
            Value::Instant(at),
            Value::Timestamp(at),
            Value::Date(19_782),
            Value::Bytes(&[0xde, 0xad]),
            Value::Json(r#"{"a":{"b":[1,null],"n":null},"name":"x, \"y\""}"#),
            Value::Json("[1,2]"),
            Value::Bool(true),
            Value::Text("say \"hi\""),
        ],
    );
    let mut second = [Value::Null; 11];
    (second[0], second[7]) = (Value::Int(2), Value::Unavailable);
    shop.put("things", &second);
}

fn relations() -> Relations {
    let to_one = |name: &str, from: &str, column: &str, to: &str, inverse: &str| Relation {
        name: name.to_owned(),
        from: Endpoint {
            table: from.to_owned(),
            columns: vec![column.to_owned()],
        },
        to: Endpoint {
            table: to.to_owned(),
            columns: vec!["id".to_owned()],
        },
        inverse: Some(inverse.to_owned()),
        constraint: Some(format!("{from}_{column}_fkey")),
    };
    Relations::from(vec![
        to_one("client", "projects", "client_id", "clients", "projects"),
        to_one("project", "tasks", "project_id", "projects", "tasks"),
        to_one("user", "users_tasks", "user_id", "users", "users_tasks"),
        to_one("task", "users_tasks", "task_id", "tasks", "users_tasks"),
        to_one("from_user", "messages", "sender", "users", "sent"),
        to_one("to_user", "messages", "recipient", "users", "received"),
    ])
}

/// Status, the headers that `PostgREST` sends or that say something, and the body.
async fn shown(response: Response<Body>) -> String {
    let (head, body) = response.into_parts();
    let mut text = format!("{}\n", head.status.as_u16());
    for name in [
        "allow",
        "content-length",
        "content-type",
        "content-range",
        "content-location",
        "content-profile",
        "preference-applied",
        "proxy-status",
        "rowtide-freshness",
        "rowtide-position",
        "rowtide-truncated",
        "rowtide-unavailable",
    ] {
        if let Some(value) = head.headers.get(name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    text + "\n" + std::str::from_utf8(&body).unwrap() + "\n"
}

/// Whole answers.
async fn check(lines: &str, expected: Expect) {
    expected.assert_eq(&shown(office().answer(request(lines)).await).await);
}

/// Statuses and bodies of answers to some `GET`s, with `Content-Range` where there is one.
async fn check_bodies(queries: &[&str], expected: Expect) {
    let api = office();
    let mut text = String::new();
    for query in queries {
        let encoded = query
            .replace(' ', "%20")
            .replace('"', "%22")
            .replace('{', "%7B");
        let encoded = encoded
            .replace('}', "%7D")
            .replace('>', "%3E")
            .replace('\\', "%5C");
        let response = api
            .answer(request(&format!("GET /rest/v1/{encoded}")))
            .await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        writeln!(
            text,
            "{query}\n    {status} {}",
            String::from_utf8_lossy(&body)
        )
        .unwrap();
    }
    expected.assert_eq(&text);
}

#[tokio::test]
async fn a_list() {
    check(
        "GET /rest/v1/clients",
        expect![[r#"
        200
        content-length: 53
        content-type: application/json; charset=utf-8
        content-range: 0-1/*
        content-location: /clients
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        [{"id":1,"name":"Microsoft"},{"id":2,"name":"Apple"}]
    "#]],
    )
    .await;
    check(
        "GET /rest/v1/clients?name=eq.x&id=gt.0",
        expect![[r#"
        200
        content-length: 2
        content-type: application/json; charset=utf-8
        content-range: */*
        content-location: /clients?id=gt.0&name=eq.x
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        []
    "#]],
    )
    .await;
    check(
        "HEAD /rest/v1/projects?limit=2&offset=1&order=id\nprefer: count=exact",
        expect![[r#"
            206
            content-length: 80
            content-type: application/json; charset=utf-8
            content-range: 1-2/5
            content-location: /projects?limit=2&offset=1&order=id
            preference-applied: count=exact
            rowtide-freshness: lag=38, commit=1699999998.412, state=live


        "#]],
    )
    .await;
}

#[tokio::test]
async fn values_are_spelled_as_to_json_spells_them() {
    check("GET /rest/v1/things?order=id", expect![[r#"
        200
        content-length: 366
        content-type: application/json; charset=utf-8
        content-range: 0-1/*
        content-location: /things?order=id
        rowtide-freshness: lag=38, commit=1699999998.412, state=live
        rowtide-unavailable: doc

        [{"id":1,"price":19.90,"ratio":0.5,"seen":"2024-02-29T12:34:56.789+00:00","made":"2024-02-29T12:34:56.789","day":"2024-02-29","raw":"\\xdead","doc":{"a":{"b":[1,null],"n":null},"name":"x, \"y\""},"tags":[1,2],"ok":true,"note":"say \"hi\""},{"id":2,"price":null,"ratio":null,"seen":null,"made":null,"day":null,"raw":null,"doc":null,"tags":null,"ok":null,"note":null}]
    "#]]).await;
    check(
        "GET /rest/v1/things?order=id\naccept: text/csv",
        expect![[r#"
            200
            content-length: 236
            content-type: text/csv; charset=utf-8
            content-range: 0-1/*
            content-location: /things?order=id
            rowtide-freshness: lag=38, commit=1699999998.412, state=live
            rowtide-unavailable: doc

            id,price,ratio,seen,made,day,raw,doc,tags,ok,note
            1,19.90,0.5,"2024-02-29 12:34:56.789+00","2024-02-29 12:34:56.789",2024-02-29,"\\xdead","{""a"":{""b"":[1,null],""n"":null},""name"":""x, \\""y\\""""}","[1,2]",t,"say ""hi"""
            2,,,,,,,,,,
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/things?id=eq.1&select=id,doc\naccept: application/vnd.pgrst.array+json;nulls=stripped",
        expect![[r#"
            200
            content-length: 55
            content-type: application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8
            content-range: 0-0/*
            content-location: /things?id=eq.1&select=id%2Cdoc
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"id":1,"doc":{"a":{"b":[1,null]},"name":"x, \"y\""}}]
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/things?id=eq.9\naccept: text/csv",
        expect![[r#"
            200
            content-length: 1
            content-type: text/csv; charset=utf-8
            content-range: */*
            content-location: /things?id=eq.9
            rowtide-freshness: lag=38, commit=1699999998.412, state=live



        "#]],
    )
    .await;
}

#[tokio::test]
async fn one_row_as_an_object() {
    check(
        "GET /rest/v1/clients?id=eq.1\naccept: application/vnd.pgrst.object+json",
        expect![[r#"
            200
            content-length: 27
            content-type: application/vnd.pgrst.object+json; charset=utf-8
            content-range: 0-0/*
            content-location: /clients?id=eq.1
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"id":1,"name":"Microsoft"}
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/clients\naccept: application/vnd.pgrst.object+json",
        expect![[r#"
            406
            content-length: 131
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=PGRST116
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST116","details":"The result contains 2 rows","hint":null,"message":"Cannot coerce the result to a single JSON object"}
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/things?id=eq.2\naccept: application/vnd.pgrst.object+json;nulls=stripped",
        expect![[r#"
            200
            content-length: 8
            content-type: application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8
            content-range: 0-0/*
            content-location: /things?id=eq.2
            rowtide-freshness: lag=38, commit=1699999998.412, state=live
            rowtide-unavailable: doc

            {"id":2}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn ranges_and_counts() {
    check(
        "GET /rest/v1/projects?select=id\nrange-unit: items\nrange: 1-2",
        expect![[r#"
            200
            content-length: 19
            content-type: application/json; charset=utf-8
            content-range: 1-2/*
            content-location: /projects?select=id
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"id":2},{"id":3}]
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/projects?select=id&id=gt.3\nprefer: count=planned, handling=strict",
        expect![[r#"
            200
            content-length: 19
            content-type: application/json; charset=utf-8
            content-range: 0-1/2
            content-location: /projects?id=gt.3&select=id
            preference-applied: count=planned, handling=strict
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"id":4},{"id":5}]
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/projects?offset=100\nprefer: count=exact",
        expect![[r#"
            416
            content-length: 146
            content-type: application/json; charset=utf-8
            content-range: */5
            proxy-status: PostgREST; error=PGRST103
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST103","details":"An offset of 100 was requested, but there are only 5 rows.","hint":null,"message":"Requested range not satisfiable"}
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/projects?offset=100",
        expect![[r#"
        200
        content-length: 2
        content-type: application/json; charset=utf-8
        content-range: */*
        content-location: /projects?offset=100
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        []
    "#]],
    )
    .await;
    check("GET /rest/v1/projects\nrange: 1-0", expect![[r#"
        416
        content-length: 177
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST103
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST103","details":"The lower boundary must be lower than or equal to the upper boundary in the Range header.","hint":null,"message":"Requested range not satisfiable"}
    "#]]).await;
    check("GET /rest/v1/projects?limit=-1", expect![[r#"
        416
        content-length: 134
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST103
        rowtide-freshness: lag=38, commit=1699999998.412, state=live
        rowtide-position: in the value of 'limit' at character 1

        {"code":"PGRST103","details":"Limit should be greater than or equal to zero.","hint":null,"message":"Requested range not satisfiable"}
    "#]]).await;
    check(
        "GET /rest/v1/projects?limit=0",
        expect![[r#"
        200
        content-length: 2
        content-type: application/json; charset=utf-8
        content-range: */*
        content-location: /projects?limit=0
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        []
    "#]],
    )
    .await;
}

#[tokio::test]
async fn refusals_before_a_table_is_looked_at() {
    check("GET /rest/v1/projects?id=noop.0", expect![[r#"
        400
        content-length: 171
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST100
        rowtide-freshness: lag=38, commit=1699999998.412, state=live
        rowtide-position: in the value of 'id' at character 1

        {"code":"PGRST100","details":"unexpected \"o\" expecting \"not\" or operator (eq, gt, ...)","hint":null,"message":"\"failed to parse filter (noop.0)\" (line 1, column 1)"}
    "#]]).await;
    check("GET /rest/v1/projects?select=id,(x", expect![[r#"
        400
        content-length: 216
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST100
        rowtide-freshness: lag=38, commit=1699999998.412, state=live
        rowtide-position: in the value of 'select' at character 4

        {"code":"PGRST100","details":"unexpected \"(\" expecting \"...\", \"..\", field name (* or [a..z0..9_$]), \"*\" or \"count()\"","hint":null,"message":"\"failed to parse select parameter (id,(x)\" (line 1, column 4)"}
    "#]]).await;
    check(
        "GET /rest/v1/projects\naccept: text/unknowntype",
        expect![[r#"
            406
            content-length: 116
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=PGRST107
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST107","details":null,"hint":null,"message":"None of these media types are available: text/unknowntype"}
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/projects\nprefer: handling=strict, anything",
        expect![[r#"
            400
            content-length: 132
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=PGRST122
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST122","details":"Invalid preferences: anything","hint":null,"message":"Invalid preferences given with handling=strict"}
        "#]],
    )
    .await;
    check("POST /rest/v1/projects", expect![[r#"
        405
        content-length: 137
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST117
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST117","details":null,"hint":"Rowtide is read-only: write to the source database.","message":"Unsupported HTTP method: POST"}
    "#]]).await;
    check(
        "OPTIONS /rest/v1/projects",
        expect![[r#"
        200
        allow: OPTIONS,GET,HEAD
        content-length: 0


    "#]],
    )
    .await;
    check("GET /rest/v1/", expect![[r#"
        404
        content-length: 142
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST126
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST126","details":null,"hint":"GET /v1/tables lists all tables with their columns.","message":"Root endpoint metadata is disabled"}
    "#]]).await;
    check("GET /rest/v1/invalid/nested/paths", expect![[r#"
        404
        content-length: 96
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST125
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST125","details":null,"hint":null,"message":"Invalid path specified in request URL"}
    "#]]).await;
    check("GET /rest/v1/rpc/add", expect![[r#"
        404
        content-length: 175
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST202
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST202","details":"Rowtide has no functions: it knows tables from their change events.","hint":null,"message":"Could not find the function add in the schema cache"}
    "#]]).await;
    check("GET /rest/v1/projects?name=eq.%zz", expect![[r#"
        400
        content-length: 174
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST100
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST100","details":"'%' is not followed by two hexadecimal digits (a percent sign itself is written %25)","hint":null,"message":"failed to decode the query string"}
    "#]]).await;
    check("GET /rest/v1/projects\nhost: evil.example", expect![[r#"
        403
        content-length: 183
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST100

        {"code":"PGRST100","details":null,"hint":"Use localhost, 127.0.0.1 or [::1], or name the host in the configuration.","message":"This listener does not answer to this Host or Origin."}
    "#]]).await;
}

#[tokio::test]
async fn tables_and_schemas() {
    check("GET /rest/v1/project", expect![[r#"
        404
        content-length: 163
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST205
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST205","details":null,"hint":"Perhaps you meant the table 'public.projects'","message":"Could not find the table 'public.project' in the schema cache"}
    "#]]).await;
    check("GET /rest/v1/zzz", expect![[r#"
        404
        content-length: 116
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST205
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST205","details":null,"hint":null,"message":"Could not find the table 'public.zzz' in the schema cache"}
    "#]]).await;
    check(
        "GET /rest/v1/clients?limit=1\naccept-profile: test",
        expect![[r#"
            200
            content-length: 29
            content-type: application/json; charset=utf-8
            content-range: 0-0/*
            content-location: /clients?limit=1
            content-profile: test
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"id":1,"name":"Microsoft"}]
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/clients\naccept-profile: public",
        expect![[r#"
            404
            content-length: 120
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=PGRST205
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST205","details":null,"hint":null,"message":"Could not find the table 'public.clients' in the schema cache"}
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/clients\naccept-profile: unknown",
        expect![[r#"
            406
            content-length: 132
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=PGRST106
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST106","details":null,"hint":"Only the following schemas are exposed: public, test","message":"Invalid schema: unknown"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn embedded_relations() {
    check_bodies(
        &[
            "projects?id=eq.1&select=id, name, clients(*), tasks(id, name)",
            "projects?select=name,client:clients(clientId:id,name)&order=id",
            "projects?id=in.(5)&select=id,tasks(id)",
            "clients?id=eq.1&select=id,projects(id,tasks(id))",
            "tasks?select=id,users(id)&order=id&users.order=id",
            "users?select=id,tasks(id)&order=id",
            "projects?select=id,...clients(client_name:name)&order=id",
            "users?select=id,...tasks(names:name)&id=eq.3",
            "users?select=*,tasks:users_tasks(*,...tasks(*))&limit=1&order=id",
            "projects?select=id,clients!inner(name)&clients.name=eq.Apple&order=id",
            "clients?select=id,projects(id,tasks(id,name))&projects.tasks.name=like.Design*&order=id",
            "clients?select=id,projects(id,tasks(id))&order=id.asc&limit=1&projects.order=id.asc&projects.limit=2&projects.tasks.order=id.asc&projects.tasks.limit=1",
            "projects?id=eq.1&select=id, name, the_tasks:tasks(id, name)&tasks.order=name.asc",
            "projects?select=id,clients(name)&order=clients(name).nullsfirst,id",
            "projects?select=name,clients()&clients=not.is.null&order=id",
            "projects?select=name,clients()&clients=is.null",
            "users?select=name,tasks()&tasks.id=eq.1&tasks=not.is.null&order=id",
            "users?select=id,designTasks:tasks(id,name),codeTasks:tasks(id,name)&designTasks.name=like.*Design*&codeTasks.name=like.*Code*&order=id",
            "messages?select=id,sender(name),recipient(name)",
            "messages?select=id,users!messages_sender_fkey(name)",
            "messages?select=id,from:from_user(name)&from=not.is.null",
            "clients?select=*,projects(*)&order=projects(id)",
            "clients?select=*,pros:projects(*)&order=pros(id)",
            "projects?select=id,clients(name)&order=clientsx(name)",
            "clients?select=*,project(*)",
            "clients?select=*,nothing!x(*)",
            "messages?select=*,users(*)",
            "projects?select=*,clients(*)&clients=eq.1",
            "clients?select=*&non_existent_projects.name=like.*x*",
            "projects?select=*,clients(nope)",
        ],
        expect![[r#"
            projects?id=eq.1&select=id, name, clients(*), tasks(id, name)
                200 [{"id":1,"name":"Windows 7","clients":{"id":1,"name":"Microsoft"},"tasks":[{"id":1,"name":"Design w7"},{"id":2,"name":"Code w7"}]}]
            projects?select=name,client:clients(clientId:id,name)&order=id
                200 [{"name":"Windows 7","client":{"clientId":1,"name":"Microsoft"}},{"name":"Windows 10","client":{"clientId":1,"name":"Microsoft"}},{"name":"IOS","client":{"clientId":2,"name":"Apple"}},{"name":"OSX","client":{"clientId":2,"name":"Apple"}},{"name":"Orphan","client":null}]
            projects?id=in.(5)&select=id,tasks(id)
                200 [{"id":5,"tasks":[]}]
            clients?id=eq.1&select=id,projects(id,tasks(id))
                200 [{"id":1,"projects":[{"id":1,"tasks":[{"id":1},{"id":2}]},{"id":2,"tasks":[{"id":3},{"id":4}]}]}]
            tasks?select=id,users(id)&order=id&users.order=id
                200 [{"id":1,"users":[{"id":1},{"id":3}]},{"id":2,"users":[{"id":1}]},{"id":3,"users":[{"id":1}]},{"id":4,"users":[{"id":1}]},{"id":5,"users":[{"id":2},{"id":3}]},{"id":6,"users":[{"id":2}]},{"id":7,"users":[{"id":2}]},{"id":8,"users":[]}]
            users?select=id,tasks(id)&order=id
                200 [{"id":1,"tasks":[{"id":1},{"id":2},{"id":3},{"id":4}]},{"id":2,"tasks":[{"id":5},{"id":6},{"id":7}]},{"id":3,"tasks":[{"id":1},{"id":5}]}]
            projects?select=id,...clients(client_name:name)&order=id
                200 [{"id":1,"client_name":"Microsoft"},{"id":2,"client_name":"Microsoft"},{"id":3,"client_name":"Apple"},{"id":4,"client_name":"Apple"},{"id":5,"client_name":null}]
            users?select=id,...tasks(names:name)&id=eq.3
                200 [{"id":3,"names":["Design w7","Design IOS"]}]
            users?select=*,tasks:users_tasks(*,...tasks(*))&limit=1&order=id
                200 [{"id":1,"name":"Angela Martin","tasks":[{"user_id":1,"task_id":1,"id":1,"name":"Design w7","project_id":1},{"user_id":1,"task_id":2,"id":2,"name":"Code w7","project_id":1},{"user_id":1,"task_id":3,"id":3,"name":"Design w10","project_id":2},{"user_id":1,"task_id":4,"id":4,"name":"Code w10","project_id":2}]}]
            projects?select=id,clients!inner(name)&clients.name=eq.Apple&order=id
                200 [{"id":3,"clients":{"name":"Apple"}},{"id":4,"clients":{"name":"Apple"}}]
            clients?select=id,projects(id,tasks(id,name))&projects.tasks.name=like.Design*&order=id
                200 [{"id":1,"projects":[{"id":1,"tasks":[{"id":1,"name":"Design w7"}]},{"id":2,"tasks":[{"id":3,"name":"Design w10"}]}]},{"id":2,"projects":[{"id":3,"tasks":[{"id":5,"name":"Design IOS"}]},{"id":4,"tasks":[{"id":7,"name":"Design OSX"}]}]}]
            clients?select=id,projects(id,tasks(id))&order=id.asc&limit=1&projects.order=id.asc&projects.limit=2&projects.tasks.order=id.asc&projects.tasks.limit=1
                200 [{"id":1,"projects":[{"id":1,"tasks":[{"id":1}]},{"id":2,"tasks":[{"id":3}]}]}]
            projects?id=eq.1&select=id, name, the_tasks:tasks(id, name)&tasks.order=name.asc
                200 [{"id":1,"name":"Windows 7","the_tasks":[{"id":2,"name":"Code w7"},{"id":1,"name":"Design w7"}]}]
            projects?select=id,clients(name)&order=clients(name).nullsfirst,id
                200 [{"id":5,"clients":null},{"id":3,"clients":{"name":"Apple"}},{"id":4,"clients":{"name":"Apple"}},{"id":1,"clients":{"name":"Microsoft"}},{"id":2,"clients":{"name":"Microsoft"}}]
            projects?select=name,clients()&clients=not.is.null&order=id
                200 [{"name":"Windows 7"},{"name":"Windows 10"},{"name":"IOS"},{"name":"OSX"}]
            projects?select=name,clients()&clients=is.null
                200 [{"name":"Orphan"}]
            users?select=name,tasks()&tasks.id=eq.1&tasks=not.is.null&order=id
                200 [{"name":"Angela Martin"},{"name":"Dwight Schrute"}]
            users?select=id,designTasks:tasks(id,name),codeTasks:tasks(id,name)&designTasks.name=like.*Design*&codeTasks.name=like.*Code*&order=id
                200 [{"id":1,"designTasks":[{"id":1,"name":"Design w7"},{"id":3,"name":"Design w10"}],"codeTasks":[{"id":2,"name":"Code w7"},{"id":4,"name":"Code w10"}]},{"id":2,"designTasks":[{"id":5,"name":"Design IOS"},{"id":7,"name":"Design OSX"}],"codeTasks":[{"id":6,"name":"Code IOS"}]},{"id":3,"designTasks":[{"id":1,"name":"Design w7"},{"id":5,"name":"Design IOS"}],"codeTasks":[]}]
            messages?select=id,sender(name),recipient(name)
                200 [{"id":1,"sender":{"name":"Angela Martin"},"recipient":{"name":"Michael Scott"}}]
            messages?select=id,users!messages_sender_fkey(name)
                200 [{"id":1,"users":{"name":"Angela Martin"}}]
            messages?select=id,from:from_user(name)&from=not.is.null
                200 [{"id":1,"from":{"name":"Angela Martin"}}]
            clients?select=*,projects(*)&order=projects(id)
                400 {"code":"PGRST118","details":"'clients' and 'projects' do not form a many-to-one or one-to-one relationship","hint":null,"message":"A related order on 'projects' is not possible"}
            clients?select=*,pros:projects(*)&order=pros(id)
                400 {"code":"PGRST118","details":"'clients' and 'pros' do not form a many-to-one or one-to-one relationship","hint":null,"message":"A related order on 'pros' is not possible"}
            projects?select=id,clients(name)&order=clientsx(name)
                400 {"code":"PGRST108","details":null,"hint":"Verify that 'clientsx' is included in the 'select' query parameter.","message":"'clientsx' is not an embedded resource in this request"}
            clients?select=*,project(*)
                400 {"code":"PGRST200","details":"Searched for a foreign key relationship between 'clients' and 'project' in the schema 'test', but no matches were found.","hint":"Perhaps you meant 'projects' instead of 'project'.","message":"Could not find a relationship between 'clients' and 'project' in the schema cache"}
            clients?select=*,nothing!x(*)
                400 {"code":"PGRST200","details":"Searched for a foreign key relationship between 'clients' and 'nothing' using the hint 'x' in the schema 'test', but no matches were found.","hint":null,"message":"Could not find a relationship between 'clients' and 'nothing' in the schema cache"}
            messages?select=*,users(*)
                300 {"code":"PGRST201","details":[{"cardinality":"many-to-one","embedding":"messages with users","relationship":"messages_sender_fkey using messages(sender) and users(id)"},{"cardinality":"many-to-one","embedding":"messages with users","relationship":"messages_recipient_fkey using messages(recipient) and users(id)"}],"hint":"Try changing 'users' to one of the following: 'users!messages_sender_fkey', 'users!messages_recipient_fkey'. Find the desired relationship in the 'details' key.","message":"Could not embed because more than one relationship was found for 'messages' and 'users'"}
            projects?select=*,clients(*)&clients=eq.1
                400 {"code":"PGRST120","details":"Only is null or not is null filters are allowed on embedded resources","hint":null,"message":"Bad operator on the 'clients' embedded resource"}
            clients?select=*&non_existent_projects.name=like.*x*
                400 {"code":"PGRST108","details":null,"hint":"Verify that 'non_existent_projects' is included in the 'select' query parameter.","message":"'non_existent_projects' is not an embedded resource in this request"}
            projects?select=*,clients(nope)
                400 {"code":"42703","details":null,"hint":null,"message":"column clients.nope does not exist"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn filters() {
    check_bodies(
        &[
            "projects?select=id&id=not.eq.5&order=id.desc",
            "projects?select=id&name=like(any).{Win*,O*}&order=id",
            "projects?select=id&client_id=isdistinct.1&order=id",
            "projects?select=id&or=(id.eq.1,and(id.gt.3,name.not.like.*phan))&order=id",
            "projects?select=id&id=not.in.()&order=id",
            "projects?select=id&id=in.( 1, 2 )&order=id",
            "projects?select=id&client_id=is.null",
            "projects?select=id&name=match.^W.*7$",
            "projects?select=id&name=imatch.^os",
            "things?select=id&tags=cs.{1}",
            "things?select=id&tags=cd.{1,2,4}",
            "things?select=id&tags=ov.{2,9}",
            "things?select=id&doc=cs.{\"a\":{\"b\":[1]}}",
            "things?select=id&tags=eq.{1,2}",
            "things?select=id,doc->a->b,n:doc->a->b->0,doc->>name&id=eq.1",
            "things?select=id&ok=eq.t",
            "things?select=id&seen=eq.2024-02-29 12:34:56.789%2B00",
            "things?select=id&seen=gt.2024-02-29&made=lt.2024-03-01",
            "things?select=id&raw=eq.\\xdead",
            "things?select=id&price=eq. 19.9",
            "messages?read=is.true&select=id",
            "projects?select=id&name=fts.x",
            "projects?select=id&id=eq.abc",
            "projects?select=id&id=in.(1,b)",
            "things?select=id&day=eq.yesterday",
            "projects?select=id&id=like.1*",
            "projects?select=id&nam=eq.1",
            "projects?select=nope",
            "projects?order=nope",
            "projects?select=name->x",
            "things?order=doc",
            "projects?select=id::fakecolumntype",
            "projects?select=name&name=cs.x",
            "projects?select=*,id",
        ],
        expect![[r#"
            projects?select=id&id=not.eq.5&order=id.desc
                200 [{"id":4},{"id":3},{"id":2},{"id":1}]
            projects?select=id&name=like(any).{Win*,O*}&order=id
                200 [{"id":1},{"id":2},{"id":4},{"id":5}]
            projects?select=id&client_id=isdistinct.1&order=id
                200 [{"id":3},{"id":4},{"id":5}]
            projects?select=id&or=(id.eq.1,and(id.gt.3,name.not.like.*phan))&order=id
                200 [{"id":1},{"id":4}]
            projects?select=id&id=not.in.()&order=id
                200 [{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]
            projects?select=id&id=in.( 1, 2 )&order=id
                200 [{"id":1},{"id":2}]
            projects?select=id&client_id=is.null
                200 [{"id":5}]
            projects?select=id&name=match.^W.*7$
                200 [{"id":1}]
            projects?select=id&name=imatch.^os
                200 [{"id":4}]
            things?select=id&tags=cs.{1}
                200 [{"id":1}]
            things?select=id&tags=cd.{1,2,4}
                200 [{"id":1}]
            things?select=id&tags=ov.{2,9}
                200 [{"id":1}]
            things?select=id&doc=cs.{"a":{"b":[1]}}
                200 [{"id":1}]
            things?select=id&tags=eq.{1,2}
                200 [{"id":1}]
            things?select=id,doc->a->b,n:doc->a->b->0,doc->>name&id=eq.1
                200 [{"id":1,"b":[1,null],"n":1,"name":"x, \"y\""}]
            things?select=id&ok=eq.t
                200 [{"id":1}]
            things?select=id&seen=eq.2024-02-29 12:34:56.789%2B00
                200 [{"id":1}]
            things?select=id&seen=gt.2024-02-29&made=lt.2024-03-01
                200 [{"id":1}]
            things?select=id&raw=eq.\xdead
                200 [{"id":1}]
            things?select=id&price=eq. 19.9
                200 [{"id":1}]
            messages?read=is.true&select=id
                200 [{"id":1}]
            projects?select=id&name=fts.x
                400 {"code":"PGRST127","details":"Rowtide has no full-text search","hint":null,"message":"Feature not implemented"}
            projects?select=id&id=eq.abc
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"abc\""}
            projects?select=id&id=in.(1,b)
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"b\""}
            things?select=id&day=eq.yesterday
                400 {"code":"22007","details":null,"hint":null,"message":"invalid input syntax for type date: \"yesterday\""}
            projects?select=id&id=like.1*
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: integer ~~ unknown"}
            projects?select=id&nam=eq.1
                400 {"code":"42703","details":null,"hint":"Perhaps you meant to reference the column \"projects.name\".","message":"column projects.nam does not exist"}
            projects?select=nope
                400 {"code":"42703","details":null,"hint":null,"message":"column projects.nope does not exist"}
            projects?order=nope
                400 {"code":"42703","details":null,"hint":null,"message":"column projects.nope does not exist"}
            projects?select=name->x
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: text -> unknown"}
            things?order=doc
                404 {"code":"42883","details":null,"hint":"Use an explicit ordering operator or modify the query.","message":"could not identify an ordering operator for type json"}
            projects?select=id::fakecolumntype
                400 {"code":"42704","details":null,"hint":null,"message":"type \"fakecolumntype\" does not exist"}
            projects?select=name&name=cs.x
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: text @> unknown"}
            projects?select=*,id
                400 {"code":"42701","details":null,"hint":"Give one of them another name, as in select=total:amount.","message":"column \"id\" specified more than once"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn casts_and_aggregates() {
    check_bodies(
        &[
            "projects?select=id::text&id=eq.1",
            "things?select=price::int,seen::date,ok::text,doc->>name::text&id=eq.1",
            "projects?select=name::int",
            "projects?select=count()",
            "projects?select=client_id,count(),id.max()&order=client_id",
            "things?select=price.sum(),ratio.avg()",
            "clients?select=name,projects(count())&order=id",
            "projects?select=name.sum()",
        ],
        expect![[r#"
            projects?select=id::text&id=eq.1
                200 [{"id":"1"}]
            things?select=price::int,seen::date,ok::text,doc->>name::text&id=eq.1
                200 [{"price":20,"seen":"2024-02-29","ok":"true","name":"x, \"y\""}]
            projects?select=name::int
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"Windows 7\""}
            projects?select=count()
                200 [{"count":5}]
            projects?select=client_id,count(),id.max()&order=client_id
                200 [{"client_id":1,"count":2,"max":2},{"client_id":2,"count":2,"max":4},{"client_id":null,"count":1,"max":5}]
            things?select=price.sum(),ratio.avg()
                200 [{"sum":19.90,"avg":0.5}]
            clients?select=name,projects(count())&order=id
                200 [{"name":"Microsoft","projects":[{"count":2}]},{"name":"Apple","projects":[{"count":2}]}]
            projects?select=name.sum()
                404 {"code":"42883","details":null,"hint":"No function matches the given name and argument types. You might need to add explicit type casts.","message":"function sum(text) does not exist"}
        "#]],
    )
    .await;
}
