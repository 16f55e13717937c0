//! Errors below `/rest/v1`: the body that clients of `PostgREST` know.

use serde::{Deserialize, Serialize};

/// An error as a client of `PostgREST` sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestError {
    /// `PGRST…`, or a code of `PostgreSQL`.
    pub code: String,
    pub details: Option<RestDetails>,
    pub hint: Option<String>,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RestDetails {
    Text(String),
    /// Between which relations it could not be told.
    Relations(Vec<RestRelation>),
}

/// A relation that may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestRelation {
    pub cardinality: String,
    /// `orders with customers`.
    pub embedding: String,
    /// `orders_customer_id_fkey using orders(customer_id) and customers(id)`.
    pub relationship: String,
}
