//! The query string. Every parameter is either taken or refused, and none is taken twice.

use std::borrow::Cow;

use query::percent;

use crate::error;
use crate::problem::ApiError;

/// Parameters of the API that no column filter may have the name of. Most are not built yet, and are refused by name.
const RESERVED: &[&str] = &[
    "select",
    "order",
    "limit",
    "cursor",
    "count",
    "format",
    "include",
    "group_by",
    "aggregate",
    "having",
    "explain",
    "since",
    "int64",
    "at_least",
    "at_exact",
    "max_lag",
    "wait",
    "on_miss",
    "and",
    "or",
    "not",
];

/// The parameters of a request, decoded.
#[derive(Debug)]
pub(crate) struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Params<'a> {
    pub fn read(query: Option<&'a str>) -> Result<Self, ApiError> {
        let parts = query
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty());
        let pair = |part: &'a str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((percent::decode_form(name)?, percent::decode_form(value)?))
        };
        let pairs: Result<_, _> = parts.map(pair).collect();
        Ok(Self {
            pairs: pairs.map_err(error::bad_query_string)?,
        })
    }

    /// Refuses all parameters but these. `is_column` tells filters from slips.
    pub fn only(
        &self,
        supported: &[&str],
        is_column: impl Fn(&str) -> bool,
    ) -> Result<(), ApiError> {
        for (at, (name, _)) in self.pairs.iter().enumerate() {
            if !supported.contains(&&**name) {
                let column = name.strip_prefix("f.").unwrap_or(name);
                return Err(if RESERVED.contains(&&**name) {
                    error::unsupported_parameter(name, supported)
                } else if is_column(column) {
                    error::unsupported_filter(column, supported)
                } else {
                    error::unknown_parameter(name, supported)
                });
            }
            if self.pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(error::repeated_parameter(name));
            }
        }
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    }

    /// The limit asked for, from 1 to `max`.
    pub fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else {
            return Ok(default);
        };
        let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| error::bad_limit(max))
    }
}

/// Refuses every parameter.
pub(crate) fn none(query: Option<&str>) -> Result<(), ApiError> {
    match query {
        None | Some("") => Ok(()),
        query => Params::read(query)?.only(&[], |_| false),
    }
}
