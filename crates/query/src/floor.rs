//! Floors: how far the tables of an answer must have come, as it is spelled and as it is judged.
//!
//! A floor is judged on one cut and nothing else, so that an answer never claims what another cut shows. What a
//! token or the log's end says is about offsets ([`crate::reach`]); what a transaction, a position or a time
//! says is about a *source*, and is judged by how far the source was seen and how far each table has come along.

mod judge;

use std::fmt;

use row_model::Gtid;

use crate::as_of::AsOf;
use crate::literal;

pub use judge::{Lack, PlaceLack, Precision, Standing, Unfit, is_foreign, stand};

/// Sets of global transaction ids have as many lines as servers that were ever written to.
const GTIDS_MAX: usize = 64;

/// How far tables must have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Floor {
    /// As far as an earlier answer, or as the log reached when it was asked.
    Tables(AsOf),
    /// As far as the log reaches when the request arrives: still to be asked.
    LogEnd,
    Source(SourceFloor),
}

/// A place in the history of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFloor {
    /// Which one, by its name in config or by that of its connector; needed where there are several.
    pub source: Option<String>,
    pub at: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The transaction of this id, modulo 2^32.
    Transaction(u64),
    Lsn(u64),
    /// All of these.
    Gtids(Vec<Gtid>),
    /// Everything that was committed up to this time, milliseconds since 1970.
    Time(i64),
}

impl Place {
    /// What its spelling begins with.
    #[must_use]
    pub fn prefix(&self) -> &'static str {
        match self {
            Self::Transaction(_) => "tx:",
            Self::Lsn(_) => "lsn:",
            Self::Gtids(_) => "gtid:",
            Self::Time(_) => "ts:",
        }
    }
}

/// Why a text is no floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloorError {
    /// It begins like none, and is no token of an answer either.
    #[error(
        "it is no as_of of an answer of this version, and begins with none of tx:, lsn:, gtid:, ts:"
    )]
    Unknown,
    #[error(
        "tx: wants the number that pg_current_xact_id() answers inside the transaction that writes, as in tx:753"
    )]
    Transaction,
    #[error(
        "lsn: wants what pg_current_wal_insert_lsn() answers after COMMIT: two hexadecimal numbers, as in lsn:0/16B3F70"
    )]
    Lsn,
    #[error(
        "gtid: wants one global transaction id or a set of them, as in gtid:3e11fa47-71ca-11e1-9e33-c80aa9429562:23 or gtid:0-1-42"
    )]
    Gtid,
    #[error(
        "ts: wants a time with its offset from UTC, or milliseconds since 1970, as in ts:2026-11-20T23:59:58.412Z (a + is written as %2B in a URL)"
    )]
    Time,
    /// The source itself would have to be asked.
    #[error("source_now is not supported: no database is asked")]
    SourceNow,
}

impl Floor {
    /// Reads a floor as it is spelled.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, FloorError> {
        match text {
            "log_end" => return Ok(Self::LogEnd),
            "source_now" => return Err(FloorError::SourceNow),
            _ => {}
        }
        let Some((kind, rest)) = text.split_once(':') else {
            let token = AsOf::decode(text).map_err(|_| FloorError::Unknown)?;
            return Ok(Self::Tables(token));
        };
        let (source, at) = match kind {
            "tx" => {
                let (source, id) = named(rest, 1);
                (source, transaction(id).ok_or(FloorError::Transaction)?)
            }
            "lsn" => {
                let (source, lsn) = named(rest, 2);
                (source, lsn_of(lsn).ok_or(FloorError::Lsn)?)
            }
            "gtid" => {
                let (source, gtids) = named(rest, 1);
                (source, gtids_of(gtids).ok_or(FloorError::Gtid)?)
            }
            "ts" => {
                let (source, time) = named(rest, 1);
                (source, time_of(time).ok_or(FloorError::Time)?)
            }
            _ => return Err(FloorError::Unknown),
        };
        Ok(Self::Source(SourceFloor {
            source: source.map(str::to_owned),
            at,
        }))
    }
}

/// Splits a source's name off; what follows has so many parts between slashes.
fn named(text: &str, parts: usize) -> (Option<&str>, &str) {
    let slashes = text.rmatch_indices('/').map(|(at, _)| at);
    match slashes.take(parts).nth(parts - 1) {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    }
}

/// A number, as transactions are numbered. With the connector's addition of where it ended, too.
fn transaction(text: &str) -> Option<Place> {
    let id = text.split(':').next()?;
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    id.parse()
        .ok()
        .filter(|_| is_number)
        .map(Place::Transaction)
}

fn lsn_of(text: &str) -> Option<Place> {
    let half = |text: &str| {
        let is_hex =
            (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u64::from_str_radix(text, 16).ok().filter(|_| is_hex)
    };
    let (high, low) = text.split_once('/')?;
    Some(Place::Lsn(half(high)? << 32 | half(low)?))
}

fn gtids_of(text: &str) -> Option<Place> {
    let gtids: Option<Vec<Gtid>> = text.split(',').map(Gtid::parse).collect();
    gtids
        .filter(|gtids| gtids.len() <= GTIDS_MAX)
        .map(Place::Gtids)
}

fn time_of(text: &str) -> Option<Place> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let ms = if is_number {
        text.parse().ok()?
    } else {
        literal::instant_ms(text)?
    };
    Some(Place::Time(ms))
}

/// `0/16B3F70`, as the source spells it.
#[derive(Clone, Copy, Debug)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}

#[cfg(test)]
mod tests;
