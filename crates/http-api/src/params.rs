//! The query string. Every parameter is either taken or refused, and none is taken twice.

use std::borrow::Cow;

use query::percent::{self, PercentError};

use crate::error;
use crate::problem::ApiError;

/// Parameters of the API that no column filter may have the name of.
pub(crate) const RESERVED: &[&str] = &[
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
        Self::decoded(query).map_err(error::bad_query_string)
    }

    /// The same, for those whose errors are others.
    pub fn decoded(query: Option<&'a str>) -> Result<Self, PercentError> {
        let parts = query
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty());
        let pair = |part: &'a str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((percent::decode_form(name)?, percent::decode_form(value)?))
        };
        let pairs: Result<_, _> = parts.map(pair).collect();
        Ok(Self { pairs: pairs? })
    }

    /// Refuses all parameters but these.
    pub fn only(&self, supported: &[&str]) -> Result<(), ApiError> {
        self.only_or(supported, &[])
    }

    /// Refuses all parameters but these, and others that need not be named in an error.
    pub fn only_or(&self, supported: &[&str], others: &[&str]) -> Result<(), ApiError> {
        for (name, _) in &self.pairs {
            if !supported.contains(&&**name) && !others.contains(&&**name) {
                return Err(error::unknown_parameter(name, supported));
            }
        }
        self.once(supported)
    }

    /// Refuses these if they were sent several times.
    pub fn once(&self, names: &[&str]) -> Result<(), ApiError> {
        for (at, (name, _)) in self.pairs.iter().enumerate() {
            let repeated = self.pairs[..at].iter().any(|(earlier, _)| earlier == name);
            if repeated && names.contains(&&**name) {
                return Err(error::repeated_parameter(name));
            }
        }
        Ok(())
    }

    /// All of them, as they were sent.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Which of these words a parameter is, if it was sent.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let known = words.iter().position(|word| *word == text);
        known.map(Some).ok_or_else(|| error::bad_word(name, words))
    }

    /// Whether something is wanted: `true`, or `false`, which is meant if nothing was sent.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        let word = self.word(name, &["true", "false"])?;
        Ok(word == Some(0))
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
        query => Params::read(query)?.only(&[]),
    }
}
