//! The bodies of questions: any bytes are a query or a batch of keys, or say what is wrong with them.

use query::dsl::{self, Asked, BATCH_KEYS_MAX, QUERIES_MAX};
use query::tree::{Condition, Query};
use query::url::{self, NODES_MAX};

use crate::memory;

const HELD_BYTES_BASE: usize = 1 << 20;
/// Parts are read where they lie, but each has a pointer of its own.
const HELD_BYTES_PER_BYTE: usize = 200;
const LIMIT_MAX: usize = 10_000;
/// An error repeats little of what was sent, and names a few words that are known.
const ERROR_BYTES_MAX: usize = 8 << 10;

pub fn check(data: &[u8]) {
    memory::within(HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * data.len(), || {
        queries(data);
        batch(data);
    });
}

fn queries(data: &[u8]) {
    let questions = match dsl::read(data, LIMIT_MAX) {
        Ok(Asked::One(question)) => vec![*question],
        Ok(Asked::Several(named)) => named.into_iter().map(|(_, question)| question).collect(),
        Err(error) => {
            let reason = error.to_string();
            assert!(reason.len() < ERROR_BYTES_MAX, "{reason}");
            return;
        }
    };
    assert!((1..=QUERIES_MAX).contains(&questions.len()));
    for question in questions {
        assert!(
            question
                .limit
                .is_none_or(|limit| (1..=LIMIT_MAX).contains(&limit))
        );
        reads_back(&question.query);
    }
}

/// What is read here is what the URL says, and is within the same bounds.
fn reads_back(query: &Query) {
    let nodes: usize = query.filter.iter().map(Condition::nodes).sum();
    assert!(nodes <= NODES_MAX, "{nodes}");
    if query.filter.is_empty() {
        return;
    }
    let printed = url::print_conditions(&query.filter);
    // One group more may be one too many.
    if let Ok(again) = url::read([("and", &*printed)]) {
        assert_eq!(
            again.filter,
            [Condition::All(query.filter.clone())],
            "{printed}"
        );
    }
}

fn batch(data: &[u8]) {
    match dsl::read_batch(data) {
        Ok(batch) => {
            let keys: usize = batch.gets.iter().map(|get| get.keys.len()).sum();
            assert!(keys <= BATCH_KEYS_MAX, "{keys}");
        }
        Err(error) => {
            let reason = error.to_string();
            assert!(reason.len() < ERROR_BYTES_MAX, "{reason}");
        }
    }
}
