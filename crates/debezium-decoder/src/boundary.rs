//! The transaction topic, and what changes say of the transaction that they are of.

use std::num::NonZeroU64;

use row_model::{Boundary, BoundaryKind, Membership, TransactionKey};
use serde::Deserialize;

use crate::DecodeError;
use crate::avro::AvroRow;
use crate::json_token::{Token, integer, text};

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    status: Token<'a>,
    #[serde(borrow)]
    id: Token<'a>,
    data_collections: Option<Vec<Events>>,
    ts_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Events {
    data_collection: String,
    event_count: u64,
}

/// The `transaction` member of a change.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    id: Token<'a>,
    #[serde(borrow, default)]
    total_order: Option<Token<'a>>,
}

/// Reads a record that begins or ends a transaction.
pub(crate) fn read(payload: &str, offset: u64) -> Result<Boundary, DecodeError> {
    const PART: &str = "transaction boundary";
    let malformed = |reason: &str| DecodeError::Malformed {
        part: PART,
        reason: reason.to_owned(),
    };
    let told: Told<'_> =
        serde_json::from_str(payload).map_err(|error| DecodeError::malformed(PART, &error))?;
    let id = text(told.id);
    let transaction = id.as_deref().and_then(TransactionKey::of);
    let kind = match told.status.get() {
        "\"BEGIN\"" => BoundaryKind::Begins,
        "\"END\"" => BoundaryKind::Ends {
            events: (told.data_collections.into_iter().flatten())
                .map(|events| (events.data_collection, events.event_count))
                .collect(),
        },
        _ => return Err(malformed("its status is neither BEGIN nor END")),
    };
    Ok(Boundary {
        offset,
        transaction: transaction.ok_or_else(|| malformed("it has no id"))?,
        at_ms: told.ts_ms,
        kind,
    })
}

/// What the `transaction` member of a change says; `None` for a block that names no transaction.
pub(crate) fn membership(block: Token<'_>) -> Option<Membership> {
    let block: Block<'_> = serde_json::from_str(block.get()).ok()?;
    let order = block.total_order.and_then(integer);
    Some(Membership {
        transaction: TransactionKey::of(&text(block.id)?)?,
        order: order.and_then(|order| NonZeroU64::new(order.try_into().ok()?)),
    })
}

pub(crate) fn avro_membership(block: AvroRow<'_>) -> Option<Membership> {
    let mut json = String::new();
    block.write_json(&mut json).ok()?;
    membership(Token::of_valid(&json))
}

/// The same where id and order stand alone, as text.
pub(crate) fn member(id: &str, order: Option<&str>) -> Option<Membership> {
    Some(Membership {
        transaction: TransactionKey::of(id)?,
        order: order.and_then(|order| order.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_read_and_bad_ones_are_named() {
        let boundary = |json: &str| read(json, 7).map_err(|error| error.to_string());
        let end = boundary(
            r#"{"status":"END","id":"781:39950456","event_count":2,"data_collections":[{"data_collection":"public.orders","event_count":2}],"ts_ms":5}"#,
        );
        assert_eq!(
            end,
            Ok(Boundary {
                offset: 7,
                transaction: TransactionKey(781),
                at_ms: Some(5),
                kind: BoundaryKind::Ends {
                    events: vec![("public.orders".to_owned(), 2)]
                },
            })
        );
        let begin = boundary(r#"{"status":"BEGIN","id":"781:1","event_count":null,"ts_ms":5}"#);
        assert_eq!(begin.map(|it| it.kind), Ok(BoundaryKind::Begins));
        for (bad, why) in [
            (r#"{"status":"END","id":null}"#, "it has no id"),
            (r#"{"status":"END","id":""}"#, "it has no id"),
            (r#"{"status":"STOP","id":"1:2"}"#, "neither BEGIN nor END"),
            (r#"{"status":"END"}"#, "missing field `id`"),
        ] {
            let error = boundary(bad).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_change_says_which_event_of_which_transaction_it_is() {
        let of = |json| membership(Token::of_valid(json));
        let told = of(r#"{"id":"781:39950457","total_order":2,"data_collection_order":1}"#);
        let expected = member("781", Some("2"));
        assert!(expected.is_some());
        assert_eq!(told, expected);
        assert_eq!(of(r#"{"id":"","total_order":0}"#), None);
        assert_eq!(of(r#"{"total_order":0}"#), None);
        let unordered = of(r#"{"id":"0-11-39","total_order":0}"#);
        assert_eq!(unordered.map(|it| it.order), Some(None));
    }
}
