//! Relations and aggregates in the URL: lists, lookups and what a table is related to.

use std::fmt::Write;

use expect_test::{Expect, expect};
use serde_json::json;
use table_store::ReadState;

use crate::fixture::{get, said, sales};

/// What each path answers.
async fn answers(paths: &[&str], expected: Expect) {
    let api = sales().api();
    let mut out = String::new();
    for path in paths {
        let (status, body) = get(&api, &format!("/v1/tables/{path}")).await;
        writeln!(out, "{path}\n    {}", said(status, body)).unwrap();
    }
    expected.assert_eq(&out);
}

#[tokio::test]
async fn related_rows_are_shown_in_lists() {
    answers(
        &[
            "orders/rows?select=id,total,customer(name,region(name)),items(sku,qty)&items.order=qty.desc&items.limit=1&order=customer.name.desc.nullslast,id&limit=2",
            "orders/rows?include=customer(name),items(sku)&id=eq.10",
            "orders/rows?select=id,items!inner(sku)&items.where=(qty.gt.1)",
            "orders/rows?select=id,buyer:customer(name)&format=arrays&id=lte.8",
            "orders/rows?select=id,customer!flatten(name)&id=lte.8",
            "customers/rows?select=name,orders(id,items(sku))&orders.items.where=(qty.gte.3)",
        ],
        expect![[r#"
            orders/rows?select=id,total,customer(name,region(name)),items(sku,qty)&items.order=qty.desc&items.limit=1&order=customer.name.desc.nullslast,id&limit=2
                200 {"count":2,"next":"QkS4gE2baFS57L1SWEe25tPcvy-rAKMxY7--m57__yOBCAAjgQgA","rows":[{"customer":{"name":"Bob","region":{"name":"US"}},"id":8,"items":[{"qty":1,"sku":"C3"}],"total":"100.00"},{"customer":{"name":"Ada","region":{"name":"EU"}},"id":7,"items":[{"qty":3,"sku":"A1"}],"total":"19.90","truncated":["items"]}],"truncated":false}
            orders/rows?include=customer(name),items(sku)&id=eq.10
                200 {"count":1,"next":null,"rows":[{"customer":null,"customer_id":null,"id":10,"items":[],"status":"open","total":"1.00"}],"truncated":false}
            orders/rows?select=id,items!inner(sku)&items.where=(qty.gt.1)
                200 {"count":2,"next":null,"rows":[{"id":7,"items":[{"sku":"A1"}]},{"id":9,"items":[{"sku":"A1"}]}],"truncated":false}
            orders/rows?select=id,buyer:customer(name)&format=arrays&id=lte.8
                200 {"columns":["id","buyer"],"count":2,"next":null,"rows":[[7,{"name":"Ada"}],[8,{"name":"Bob"}]],"truncated":false}
            orders/rows?select=id,customer!flatten(name)&id=lte.8
                200 {"count":2,"next":null,"rows":[{"customer_name":"Ada","id":7},{"customer_name":"Bob","id":8}],"truncated":false}
            customers/rows?select=name,orders(id,items(sku))&orders.items.where=(qty.gte.3)
                200 {"count":2,"next":null,"rows":[{"name":"Ada","orders":[{"id":7,"items":[{"sku":"A1"}]},{"id":9,"items":[{"sku":"A1"}]}]},{"name":"Bob","orders":[{"id":8,"items":[]}]}],"truncated":false}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn conditions_are_about_related_rows() {
    answers(
        &[
            "orders/rows?select=id&customer.tier=eq.gold&status=eq.paid",
            "orders/rows?select=id&customer.region.name=eq.US",
            "orders/rows?select=id&items.sku=eq.B2&items.qty=gt.1",
            "orders/rows?select=id&or=(customer.tier.eq.silver,items.qty.gte.5)",
            "orders/rows?select=id&not.and=(items.and())",
            "orders/rows?select=id&customer!orders_customer_id_fkey.name=eq.Ada",
        ],
        expect![[r#"
            orders/rows?select=id&customer.tier=eq.gold&status=eq.paid
                200 {"count":1,"next":null,"rows":[{"id":7}],"truncated":false}
            orders/rows?select=id&customer.region.name=eq.US
                200 {"count":1,"next":null,"rows":[{"id":8}],"truncated":false}
            orders/rows?select=id&items.sku=eq.B2&items.qty=gt.1
                200 {"count":0,"next":null,"rows":[],"truncated":false}
            orders/rows?select=id&or=(customer.tier.eq.silver,items.qty.gte.5)
                200 {"count":2,"next":null,"rows":[{"id":8},{"id":9}],"truncated":false}
            orders/rows?select=id&not.and=(items.and())
                200 {"count":1,"next":null,"rows":[{"id":10}],"truncated":false}
            orders/rows?select=id&customer!orders_customer_id_fkey.name=eq.Ada
                200 {"count":2,"next":null,"rows":[{"id":7},{"id":9}],"truncated":false}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_lookup_shows_what_is_asked_for_beside_the_row() {
    answers(
        &[
            "orders/rows/7?include=customer(name,tier)",
            "orders/rows/7?select=id,items(sku)&items.order=qty&items.limit=1&int64=string",
            "orders/rows/10?include=customer",
            "orders/rows/10?include=customer!inner(name)",
            "orders/rows/11?include=customer",
            "orders/rows/x?include=customer",
            "orders/rows/7?select=count()",
            "orders/rows/7?select=idd",
            "orders/rows/7?status=eq.paid",
            "orders/rows/7?include=customer&customer.tier=eq.gold",
            "orders/rows/7?include=customer&items.limit=5",
            "orders/rows/7?order=id",
        ],
        expect![[r#"
            orders/rows/7?include=customer(name,tier)
                200 {"row":{"customer":{"name":"Ada","tier":"gold"},"customer_id":3,"id":7,"status":"paid","total":"19.90"}}
            orders/rows/7?select=id,items(sku)&items.order=qty&items.limit=1&int64=string
                200 {"row":{"id":"7","items":[{"sku":"B2"}],"truncated":["items"]}}
            orders/rows/10?include=customer
                200 {"row":{"customer":null,"customer_id":null,"id":10,"status":"open","total":"1.00"}}
            orders/rows/10?include=customer!inner(name)
                404 {"code":"row_not_found","detail":"Table 'orders' has no row with this key."}
            orders/rows/11?include=customer
                404 {"code":"row_not_found","detail":"Table 'orders' has no row with this key."}
            orders/rows/x?include=customer
                400 {"code":"type_mismatch","detail":"Table 'orders': key column 'id' is of type int64: expected an integer.","hint":"Write the value as answers do. GET /v1/tables/orders lists the key and its types."}
            orders/rows/7?select=count()
                400 {"code":"bad_request","detail":"A row that is looked up by its key cannot be aggregated.","hint":"Aggregate rows with GET /v1/tables/orders/rows?aggregate=n:count(). Related rows are aggregated within their own brackets: select=*,items(qty.sum())."}
            orders/rows/7?select=idd
                400 {"candidates":["id"],"code":"unknown_column","detail":"Table 'orders' has no column 'idd'.","hint":"GET /v1/tables/orders lists all columns."}
            orders/rows/7?status=eq.paid
                400 {"candidates":["int64","select","wait","at_least","include","on_miss","at_exact","max_lag"],"code":"unknown_parameter","detail":"There is no parameter 'status' here.","hint":"This path takes the parameters select, include, int64, at_least, max_lag, wait, on_miss, at_exact."}
            orders/rows/7?include=customer&customer.tier=eq.gold
                400 {"candidates":["at_least","select","at_exact","on_miss","include","int64","max_lag","wait"],"code":"unknown_parameter","detail":"There is no parameter 'customer.tier' here.","hint":"This path takes the parameters select, include, int64, at_least, max_lag, wait, on_miss, at_exact."}
            orders/rows/7?include=customer&items.limit=5
                400 {"candidates":["customer"],"code":"bad_request","detail":"The query cannot be read: no relation 'items' is shown, in the parameter name 'items.limit'.","hint":"Name the relation in select or include, as in select=id,items(sku)."}
            orders/rows/7?order=id
                400 {"candidates":["int64","select","wait","include","on_miss","at_exact","at_least","max_lag"],"code":"unknown_parameter","detail":"There is no parameter 'order' here.","hint":"This path takes the parameters select, include, int64, at_least, max_lag, wait, on_miss, at_exact."}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn unknown_relations_name_candidates() {
    answers(
        &[
            "orders/rows?custmer.tier=eq.gold",
            "orders/rows?select=id,item(sku)",
            "orders/rows?customer.teir=eq.gold",
            "orders/rows?include=customer(nmae)",
            "orders/rows?order=items.qty",
            "orders/rows?select=items.sku",
            "orders/rows?items.limit=5",
            "orders/rows?offset=5",
        ],
        expect![[r#"
            orders/rows?custmer.tier=eq.gold
                400 {"candidates":["customer"],"code":"unknown_relation","detail":"Table 'orders' has no relation 'custmer', in the parameter name 'custmer.tier'.","hint":"Relations are said in the configuration ([[relations]]): change events carry no foreign keys."}
            orders/rows?select=id,item(sku)
                400 {"candidates":["items"],"code":"unknown_relation","detail":"Table 'orders' has no relation 'item', in the value of 'select' at character 4.","hint":"Relations are said in the configuration ([[relations]]): change events carry no foreign keys."}
            orders/rows?customer.teir=eq.gold
                400 {"candidates":["tier"],"code":"unknown_column","detail":"Table 'customers' has no column 'teir'.","hint":"GET /v1/tables/customers lists all columns."}
            orders/rows?include=customer(nmae)
                400 {"candidates":["name"],"code":"unknown_column","detail":"Table 'customers' has no column 'nmae'.","hint":"GET /v1/tables/customers lists all columns."}
            orders/rows?order=items.qty
                400 {"code":"bad_request","detail":"Table 'orders': relation 'items' leads to several rows, in the value of 'order' at character 1.","hint":"Show its rows inside the row, as in items(sku), or ask for one of them in a condition."}
            orders/rows?select=items.sku
                400 {"code":"bad_request","detail":"Table 'orders': relation 'items' leads to several rows, in the value of 'select' at character 1.","hint":"Show its rows inside the row, as in items(sku), or ask for one of them in a condition."}
            orders/rows?items.limit=5
                400 {"code":"bad_request","detail":"The query cannot be read: no relation 'items' is shown, in the parameter name 'items.limit'.","hint":"Name the relation in select or include, as in select=id,items(sku)."}
            orders/rows?offset=5
                400 {"code":"unknown_parameter","detail":"There is no parameter 'offset': rows that come and go would be shown twice or not at all.","hint":"Pass next of the previous page as cursor."}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_table_names_its_relations() {
    let (status, body) = get(&sales().api(), "/v1/tables/orders").await;
    assert_eq!(status, 200);
    expect![[r#"[{"cardinality":"to_one","columns":["customer_id"],"name":"customer","table":"customers","target_columns":["id"]},{"cardinality":"to_many","columns":["id"],"name":"items","table":"items","target_columns":["order_id"]}]"#]].assert_eq(&body["relations"].to_string());
}

#[tokio::test]
async fn an_answer_is_as_fresh_as_the_worst_of_its_tables() {
    let mut shop = sales();
    shop.set_facts("items", |facts| {
        facts.state = ReadState::CatchingUp;
        facts.quarantined = 2;
    });
    shop.publish();
    let api = shop.api();
    for (path, state) in [
        ("orders/rows?include=customer", "live"),
        ("orders/rows?include=items", "catching_up"),
        ("orders/rows?items.qty=gt.1", "catching_up"),
        ("orders/rows/7?include=items", "catching_up"),
        ("orders/rows/7", "live"),
        ("orders/rows/99?include=items", "catching_up"),
    ] {
        let (_, body) = get(&api, &format!("/v1/tables/{path}")).await;
        assert_eq!(body["fresh"]["state"], json!(state), "{path}");
    }
}

#[tokio::test]
async fn a_table_that_is_touched_twice_counts_once() {
    let mut shop = sales();
    shop.set_facts("items", |facts| facts.quarantined = 2);
    shop.publish();
    let api = shop.api();
    let (_, twice) = get(
        &api,
        "/v1/tables/items/rows?order.items.qty=gt.1&include=order(items(sku))",
    )
    .await;
    let (_, once) = get(&api, "/v1/tables/items/rows?include=order").await;
    assert_eq!(twice["fresh"], once["fresh"]);
    assert_eq!(twice["fresh"]["quarantined"], 2);
}

#[tokio::test]
async fn rows_are_grouped_and_aggregated() {
    answers(
        &[
            "orders/rows?group_by=status&aggregate=n:count(),revenue:sum(total)&order=revenue.desc",
            "orders/rows?group_by=status,customer.tier&aggregate=count()&having=(count.gte.1)&format=arrays",
            "orders/rows?group_by=status&aggregate=n:count()&having=n.gt.1",
            "orders/rows?aggregate=count(),max(total),avg(items.qty)",
            "orders/rows?aggregate=n:count(customer_id),sum:total.sum()",
            "orders/rows?select=status,total.sum()&customer.tier=eq.gold",
            "customers/rows?select=name,orders(total.sum(),n:count())",
            "orders/rows?group_by=status",
            "orders/rows?group_by=status&aggregate=n:count()&limit=1",
            "orders/rows?aggregate=sum(status)",
            "orders/rows?group_by=status&aggregate=count()&having=totl.gt.1",
            "orders/rows?group_by=sttus",
            "orders/rows?select=id,sum(total)",
            "orders/rows?having=n.gt.1",
        ],
        expect![[r#"
            orders/rows?group_by=status&aggregate=n:count(),revenue:sum(total)&order=revenue.desc
                200 {"count":3,"next":null,"rows":[{"n":1,"revenue":"240.00","status":"shipped"},{"n":2,"revenue":"119.90","status":"paid"},{"n":1,"revenue":"1.00","status":"open"}],"truncated":false}
            orders/rows?group_by=status,customer.tier&aggregate=count()&having=(count.gte.1)&format=arrays
                200 {"columns":["status","tier","count"],"count":4,"next":null,"rows":[["open",null,1],["paid","gold",1],["paid","silver",1],["shipped","gold",1]],"truncated":false}
            orders/rows?group_by=status&aggregate=n:count()&having=n.gt.1
                200 {"count":1,"next":null,"rows":[{"n":2,"status":"paid"}],"truncated":false}
            orders/rows?aggregate=count(),max(total),avg(items.qty)
                400 {"code":"bad_request","detail":"Table 'orders': relation 'items' leads to several rows, in the value of 'aggregate' at character 24.","hint":"Show its rows inside the row, as in items(sku), or ask for one of them in a condition."}
            orders/rows?aggregate=n:count(customer_id),sum:total.sum()
                200 {"count":1,"next":null,"rows":[{"n":3,"sum":"360.90"}],"truncated":false}
            orders/rows?select=status,total.sum()&customer.tier=eq.gold
                200 {"count":2,"next":null,"rows":[{"status":"paid","sum":"19.90"},{"status":"shipped","sum":"240.00"}],"truncated":false}
            customers/rows?select=name,orders(total.sum(),n:count())
                200 {"count":2,"next":null,"rows":[{"name":"Ada","orders":[{"n":2,"sum":"259.90"}]},{"name":"Bob","orders":[{"n":1,"sum":"100.00"}]}],"truncated":false}
            orders/rows?group_by=status
                200 {"count":3,"next":null,"rows":[{"status":"open"},{"status":"paid"},{"status":"shipped"}],"truncated":false}
            orders/rows?group_by=status&aggregate=n:count()&limit=1
                200 {"count":1,"next":"QkS4gE2baFS5wPMawL_Be_mb-DfR7CrXa0BvcGVuAAA","rows":[{"n":1,"status":"open"}],"truncated":false}
            orders/rows?aggregate=sum(status)
                400 {"code":"type_mismatch","detail":"Table 'orders': sum cannot be made of column 'status', which is of type text, in the value of 'aggregate' at character 1.","hint":"Only numbers and durations are summed; count, min and max take others too."}
            orders/rows?group_by=status&aggregate=count()&having=totl.gt.1
                400 {"candidates":["count","status"],"code":"unknown_column","detail":"Table 'orders': there is no column 'totl' among what is shown of the groups, in the value of 'having' at character 1.","hint":"Groups have only what they are grouped by and the aggregates, by the names of the answer."}
            orders/rows?group_by=sttus
                400 {"candidates":["status"],"code":"unknown_column","detail":"Table 'orders' has no column 'sttus'.","hint":"GET /v1/tables/orders lists all columns."}
            orders/rows?select=id,sum(total)
                400 {"code":"unknown_relation","detail":"Table 'orders' has no relation 'sum', in the value of 'select' at character 4.","hint":"An aggregate stands after its column, as in select=status,total.sum(), or in a parameter of its own, as in aggregate=sum(total)."}
            orders/rows?having=n.gt.1
                400 {"code":"bad_request","detail":"The query cannot be read: having goes with group_by or aggregate only, in the value of 'having' at character 1."}
        "#]],
    )
    .await;
}
