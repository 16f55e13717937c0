//! The fields of a body that say how far tables must have come for its answer. Whoever answers reads what stands in
//! them; they belong to the whole body, and a query inside it cannot have them.

use super::node::{self, Kind};
use crate::url::text::SyntaxError;

pub(super) const FIELDS: &[&str] = &["at_least", "max_lag", "wait", "on_miss", "at_exact"];

/// How far tables must have come, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FloorAsked {
    pub at_least: Option<String>,
    pub max_lag: Option<String>,
    pub wait: Option<String>,
    pub on_miss: Option<String>,
    pub at_exact: Option<String>,
}

/// Reads those fields of a body, and nothing else.
///
/// # Errors
/// If one of them is no text, or is there twice.
pub fn floor(body: &[u8]) -> Result<FloorAsked, SyntaxError> {
    let object = node::root(body)?.object()?.only_these(FIELDS);
    object.distinct()?;
    let text = |name| {
        let node = object.get(name);
        node.map(|node| match node.kind() {
            // So many seconds.
            Kind::Number if matches!(name, "wait" | "max_lag") => Ok(node.raw().to_owned()),
            _ => node.text(),
        })
        .transpose()
    };
    Ok(FloorAsked {
        at_least: text("at_least")?,
        max_lag: text("max_lag")?,
        wait: text("wait")?,
        on_miss: text("on_miss")?,
        at_exact: text("at_exact")?,
    })
}
