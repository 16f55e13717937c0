//! Whole answers: statuses, headers, forms and ranges.

use expect_test::expect;

use super::{check, check_with, office};

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
            1,19.90,0.5,"2024-02-29 12:34:56.789+00","2024-02-29 12:34:56.789",2024-02-29,"\\xdead","{""a"":{""b"":[1,null],""n"":null},""name"":""x, \\""y\\""""}","{1,2}",t,"say ""hi"""
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
async fn a_range_of_rows_and_how_many_there_are() {
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
}

#[tokio::test]
async fn instants_are_told_in_the_zone_that_is_preferred() {
    check(
        "GET /rest/v1/things?select=seen,day:seen::date,text:seen::text,made::timestamptz&id=eq.1\nprefer: timezone=America/New_York, handling=strict",
        expect![[r#"
            200
            content-length: 136
            content-type: application/json; charset=utf-8
            content-range: 0-0/*
            content-location: /things?id=eq.1&select=seen%2Cday%3Aseen%3A%3Adate%2Ctext%3Aseen%3A%3Atext%2Cmade%3A%3Atimestamptz
            preference-applied: handling=strict, timezone=America/New_York
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"seen":"2024-02-29T07:34:56.789-05:00","day":"2024-02-29","text":"2024-02-29 07:34:56.789-05","made":"2024-02-29T12:34:56.789-05:00"}]
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/things?select=seen::date,count()&seen=not.is.null\nprefer: timezone=Pacific/Auckland\naccept: text/csv",
        expect![[r#"
            200
            content-length: 23
            content-type: text/csv; charset=utf-8
            content-range: 0-0/*
            content-location: /things?seen=not.is.null&select=seen%3A%3Adate%2Ccount%28%29
            preference-applied: timezone=Pacific/Auckland
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            seen,count
            2024-03-01,1
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/things?select=seen&id=eq.1\nprefer: timezone=Nowhere",
        expect![[r#"
            200
            content-length: 42
            content-type: application/json; charset=utf-8
            content-range: 0-0/*
            content-location: /things?id=eq.1&select=seen
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"seen":"2024-02-29T12:34:56.789+00:00"}]
        "#]],
    )
    .await;
    check(
        "GET /rest/v1/things?select=seen&id=eq.1\nprefer: timezone=Nowhere, handling=strict",
        expect![[r#"
            400
            content-length: 140
            content-type: application/json; charset=utf-8
            proxy-status: PostgREST; error=PGRST122
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"code":"PGRST122","details":"Invalid preferences: timezone=Nowhere","hint":null,"message":"Invalid preferences given with handling=strict"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn ranges_that_cannot_be() {
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
async fn more_rows_than_an_answer_has_are_cut_off_and_counted() {
    let api = office::with_many_clients(10_001);
    check_with(
        &api,
        "HEAD /rest/v1/clients?select=id\nprefer: count=exact",
        expect![[r#"
            206
            content-length: 118895
            content-type: application/json; charset=utf-8
            content-range: 0-9999/10001
            content-location: /clients?select=id
            preference-applied: count=exact
            rowtide-freshness: lag=38, commit=1699999998.412, state=live
            rowtide-truncated: rows


        "#]],
    )
    .await;
    check_with(
        &api,
        "HEAD /rest/v1/clients?select=id&limit=10000",
        expect![[r#"
            200
            content-length: 118895
            content-type: application/json; charset=utf-8
            content-range: 0-9999/*
            content-location: /clients?limit=10000&select=id
            rowtide-freshness: lag=38, commit=1699999998.412, state=live


        "#]],
    )
    .await;
    check_with(
        &api,
        "GET /rest/v1/clients?select=id&offset=10000&order=id",
        expect![[r#"
            200
            content-length: 14
            content-type: application/json; charset=utf-8
            content-range: 10000-10000/*
            content-location: /clients?offset=10000&order=id&select=id
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            [{"id":10001}]
        "#]],
    )
    .await;
}
