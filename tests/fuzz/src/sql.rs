//! Statements of SQL: any text is a query of the tables there are, or says what is wrong with it.

use std::sync::LazyLock;

use query::relation::World;
use query::sql::{self, Parameter};

use crate::memory;
use crate::shop::SHOP;

const HELD_BYTES_BASE: usize = 4 << 20;
const HELD_BYTES_PER_BYTE: usize = 4_000;

/// It is read twice to the same end, and what can be read can be bound or says why not.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    LazyLock::force(&SHOP);
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * text.len();
    let first = memory::within(bytes_max, || said(text));
    assert_eq!(first, said(text));
}

fn said(text: &str) -> Result<String, String> {
    let parameters = [
        Parameter::Number("1.50".to_owned()),
        Parameter::Null,
        Parameter::List(vec![Parameter::Text("a".to_owned())]),
    ];
    let cut = SHOP.cut();
    let world = World::new(&cut, &SHOP.relations);
    let refused = |error: &dyn std::error::Error| {
        let text = error.to_string();
        assert!(!text.is_empty());
        text
    };
    let read = sql::read(text, &parameters, &world).map_err(|error| refused(&error))?;
    let bound = read.bind(&world).map_err(|error| refused(&error))?;
    assert_eq!(sql::types(&bound).len(), bound.labels().count());
    Ok(format!("{:?}", read.query))
}
