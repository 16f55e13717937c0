//! Events of an outbox, through every converter.

use expect_test::expect;

use crate::{TOPIC, check_with_headers};

const ORDERS: &str = "outbox.event.Order";

#[test]
fn a_payload_is_kept_as_json_or_as_text_whatever_the_converter() {
    let id = |id: &'static str| [("id", Some(id))];
    let json = r#""{\"id\": 1, \"lines\": [{\"price\": 1.50}]}""#;
    let with_schema = r#"{"schema":{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1},"payload":"{\"to\": \"Paris\"}"}"#;
    let typed_key = r#"{"schema":{"type":"string","optional":false},"payload":"c-7"}"#;
    check_with_headers(
        ORDERS,
        &[
            (
                Some(r#""1""#),
                Some(json),
                &id("11111111-1111-1111-1111-111111111111"),
            ),
            (Some(r#""1""#), Some(r#""[1, 2, 3]""#), &id("2")),
            (Some(r#""1""#), Some("null"), &id("3")),
            (Some("1"), None, &id("4")),
            // The string converter.
            (Some("c-7"), Some(r#"{"to": "Paris"}"#), &id("5")),
            (Some("c-7"), Some("shipped"), &id("6")),
            (Some(typed_key), Some(with_schema), &id(r#""7""#)),
            (
                None,
                Some("42"),
                &id(r#"{"schema":{"type":"int64"},"payload":8}"#),
            ),
        ],
        &expect![[r#"
            0 Upsert [Text("11111111-1111-1111-1111-111111111111"), Text("1"), Json("{\"id\": 1, \"lines\": [{\"price\": 1.50}]}")] at None
            1 Upsert [Text("2"), Text("1"), Json("[1, 2, 3]")] at None
            2 Upsert [Text("3"), Text("1"), Null] at None
            3 Upsert [Text("4"), Text("1"), Null] at None
            4 Upsert [Text("5"), Text("c-7"), Json("{\"to\": \"Paris\"}")] at None
            5 Upsert [Text("6"), Text("c-7"), Text("shipped")] at None
            6 Upsert [Text("7"), Text("c-7"), Json("{\"to\": \"Paris\"}")] at None
            7 Upsert [Text("8"), Null, Int(42)] at None
            shape: id text, aggregateid text, payload json key Some(["id"])
        "#]],
    );
}

#[test]
fn what_is_placed_beside_the_payload_and_in_headers_becomes_columns() {
    let value =
        r#"{"payload":{"id":1,"nested":{"deep":true}},"happened":"2024-01-01T00:00:00.000000Z"}"#;
    let none = r#"{"payload":null,"happened":"2024-01-03T00:00:00.000000Z"}"#;
    // Here `payload` is a member of the event itself.
    let own = r#"{"payload":1,"id":2}"#;
    let headers = [
        ("id", Some("1")),
        ("eventType", Some("OrderCreated")),
        ("tenant", None),
    ];
    check_with_headers(
        "Order.events",
        &[
            (Some(r#""1""#), Some(value), &headers),
            (Some(r#""1""#), Some(none), &headers),
            (Some(r#""1""#), Some(own), &headers),
        ],
        &expect![[r#"
            0 Upsert [Text("1"), Text("1"), Json("{\"id\":1,\"nested\":{\"deep\":true}}"), Text("2024-01-01T00:00:00.000000Z"), Text("OrderCreated"), Null] at None
            1 Upsert [Text("1"), Text("1"), Null, Text("2024-01-03T00:00:00.000000Z"), Text("OrderCreated"), Null] at None
            2 Upsert [Text("1"), Text("1"), Json("{\"payload\":1,\"id\":2}"), Text("OrderCreated"), Null] at None
            shape: id text, aggregateid text, payload json, happened any, eventType text, tenant text key Some(["id"])
            shape: id text, aggregateid text, payload json, eventType text, tenant text key Some(["id"])
        "#]],
    );
}

#[test]
fn an_event_is_known_by_its_header_and_a_row_by_its_key() {
    check_with_headers(
        ORDERS,
        &[
            (Some(r#""1""#), Some(r#"{"id":1}"#), &[]),
            (Some(r#""1""#), Some("{}"), &[("id", None)]),
            (Some(r#""1""#), Some("shipped"), &[]),
        ],
        &expect![[r#"
            0 failed: an outbox event without its header `id`
            1 failed: an outbox event without its header `id`
            2 failed: the value is no Debezium change event: it has no `op` and `source`
        "#]],
    );
    // A flattened row to which somebody added a header of that name.
    check_with_headers(
        TOPIC,
        &[(
            Some(r#"{"id":1}"#),
            Some(r#"{"id":1}"#),
            &[("id", Some("7"))],
        )],
        &expect![[r#"
            0 Upsert [Int(1)] at None
            shape: id any key Some(["id"])
        "#]],
    );
}
