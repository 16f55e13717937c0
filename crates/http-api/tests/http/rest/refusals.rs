//! What is refused, in the words of `PostgREST`.

use expect_test::expect;

use super::{check, check_with, office};

#[tokio::test]
async fn bad_parameters_and_headers() {
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
}

#[tokio::test]
async fn other_methods_and_paths() {
    check("POST /rest/v1/projects", expect![[r#"
        405
        allow: OPTIONS,GET,HEAD
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
    check("OPTIONS /rest/v1/unknown", expect![[r#"
        404
        content-length: 120
        content-type: application/json; charset=utf-8
        proxy-status: PostgREST; error=PGRST205
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"code":"PGRST205","details":null,"hint":null,"message":"Could not find the table 'public.unknown' in the schema cache"}
    "#]]).await;
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
}

#[tokio::test]
async fn what_is_refused_before_it_is_routed() {
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
async fn rows_that_lead_to_each_other() {
    let api = office::with_many_projects_of_a_client(1_000);
    let select = "select=projects(clients(projects(*)))";
    check_with(
        &api,
        &format!("GET /rest/v1/clients?{select}"),
        expect![[r#"
            500
            content-length: 238
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=54000
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"54000","details":null,"hint":"Ask for fewer related rows: give the relations a limit, or leave out those that lead back to where they came from.","message":"its answer has more than 16777216 bytes, with the rows inside its rows"}
        "#]],
    )
    .await;
    let limits = "projects.limit=1000&projects.clients.projects.limit=1000";
    let lines = format!("GET /v1/tables/clients/rows?{select}&{limits}");
    check_with(&api, &lines, expect![[r#"
        422
        content-length: 646
        content-type: application/problem+json
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/scan_too_large","title":"Query would examine too many rows","status":422,"code":"scan_too_large","detail":"Table 'clients': the query was given up: its answer has more than 16777216 bytes, with the rows inside its rows.","hint":"Ask for fewer related rows: give the relations a limit, or leave out those that lead back to where they came from.","retryable":false,"request_id":"r1","fresh":{"as_of":"AgFYf6ISReeaAQAABQQBaz9wAJnluPlU64UyAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}
