//! `as_of`: where the tables of an answer stood in their sources, as an opaque token.
//!
//! It names positions of the *source* (or, where records carry none, of the log), never a cut: so it
//! holds across restarts and replicas. Some twenty bytes a table.

use row_model::{Epoch, SourcePosition};
use table_store::{TableCut, TableFacts};

pub use crate::token::TableHash;
use crate::token::{TokenReader, TokenWriter, decode, kind};

/// Where several tables stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsOf {
    pub tables: Vec<TableStanding>,
}

/// Where one table stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStanding {
    pub table: TableHash,
    pub epoch: Epoch,
    pub at: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was applied yet.
    Start,
    /// At this position of its source.
    Source(SourcePosition),
    /// Its records carry no position: before these offsets of these partitions.
    Log(Vec<(i32, u64)>),
}

/// The text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an as_of token")]
pub struct AsOfError;

mod standing {
    pub const START: u8 = 0;
    pub const SOURCE: u8 = 1;
    pub const LOG: u8 = 2;
}

impl AsOf {
    /// The standing of these tables at their cut.
    #[must_use]
    pub fn of<'a>(tables: impl IntoIterator<Item = &'a TableCut>) -> Self {
        let standing = |table: &TableCut| TableStanding {
            table: TableHash::of(table.table.identity()),
            epoch: table.facts.epoch,
            at: Standing::of(&table.facts),
        };
        Self {
            tables: tables.into_iter().map(standing).collect(),
        }
    }

    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = TokenWriter::new(kind::AS_OF);
        for table in &self.tables {
            out.hash(table.table);
            out.number(u64::from(table.epoch.0));
            match &table.at {
                Standing::Start => out.byte(standing::START),
                Standing::Source(position) => {
                    out.byte(standing::SOURCE);
                    out.number(position.domain());
                    out.byte(position.as_bytes().len() as u8);
                    out.bytes(position.as_bytes());
                }
                Standing::Log(offsets) => {
                    out.byte(standing::LOG);
                    out.number(offsets.len() as u64);
                    for (partition, offset) in offsets {
                        out.number(u64::from(*partition as u32));
                        out.number(*offset);
                    }
                }
            }
        }
        out.finish()
    }

    /// Reads a token.
    ///
    /// # Errors
    /// If it is not ours, or of a version that is no longer read.
    pub fn decode(token: &str) -> Result<Self, AsOfError> {
        let bytes = decode(kind::AS_OF, token).ok_or(AsOfError)?;
        let mut reader = TokenReader(&bytes);
        let mut tables = Vec::new();
        while !reader.is_at_end() {
            tables.push(read_table(&mut reader).ok_or(AsOfError)?);
        }
        Ok(Self { tables })
    }
}

impl Standing {
    fn of(facts: &TableFacts) -> Self {
        match facts.position {
            Some(position) => Self::Source(position),
            None if facts.offsets.is_empty() => Self::Start,
            None => Self::Log(facts.offsets.clone()),
        }
    }
}

fn read_table(reader: &mut TokenReader<'_>) -> Option<TableStanding> {
    let table = reader.hash()?;
    let epoch = Epoch(u32::try_from(reader.number()?).ok()?);
    let at = match reader.byte()? {
        standing::START => Standing::Start,
        standing::SOURCE => {
            let domain = reader.number()?;
            let len = usize::from(reader.byte()?);
            Standing::Source(SourcePosition::from_bytes(domain, reader.take(len)?)?)
        }
        standing::LOG => {
            // Not reserved for: the number is the token's own claim.
            let count = reader.number()?;
            let mut offsets = Vec::new();
            for _ in 0..count {
                let partition = u32::try_from(reader.number()?).ok()?;
                offsets.push((partition as i32, reader.number()?));
            }
            Standing::Log(offsets)
        }
        _ => return None,
    };
    Some(TableStanding { table, epoch, at })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::identity;

    fn standing(epoch: u32, at: Standing) -> TableStanding {
        TableStanding {
            table: TableHash::of(&identity("orders")),
            epoch: Epoch(epoch),
            at,
        }
    }

    #[test]
    fn one_table_takes_some_twenty_bytes_and_the_same_ones_everywhere() {
        let lsn = SourcePosition::from_numbers(0, &[0x16_B3F7_0000]).unwrap();
        let token = AsOf {
            tables: vec![standing(1, Standing::Source(lsn))],
        }
        .encode();
        // Clients keep tokens across upgrades: this one must be read for ever.
        expect!["AUS4gE2baFS5AQEBAAYFFrP3AAA"].assert_eq(&token);
    }

    #[test]
    fn tables_of_other_sources_and_topics_are_others() {
        let orders = identity("orders");
        let other_source = table_store::TableIdentity {
            source: "crm".to_owned(),
            ..orders.clone()
        };
        let other_name = table_store::TableIdentity {
            name: "sales".to_owned(),
            ..orders.clone()
        };
        assert_ne!(TableHash::of(&orders), TableHash::of(&identity("items")));
        assert_ne!(TableHash::of(&orders), TableHash::of(&other_source));
        assert_eq!(TableHash::of(&orders), TableHash::of(&other_name));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "AQ==", "!", "Ag", "AQAA", "QQAAAAAAAAAAAQ"] {
            assert_eq!(AsOf::decode(text), Err(AsOfError), "{text}");
        }
        assert_eq!(AsOf::decode("AQ"), Ok(AsOf { tables: Vec::new() }));
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        let position = (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..=30));
        prop_oneof![
            Just(Standing::Start),
            position.prop_map(|(domain, bytes)| {
                Standing::Source(SourcePosition::from_bytes(domain, &bytes).unwrap())
            }),
            proptest::collection::vec((any::<i32>(), any::<u64>()), 1..20).prop_map(Standing::Log),
        ]
    }

    proptest! {
        #[test]
        fn any_standing_is_read_back(tables in proptest::collection::vec((any::<u64>(), any::<u32>(), any_standing()), 0..5)) {
            let table = |(hash, epoch, at)| TableStanding { table: TableHash(hash), epoch: Epoch(epoch), at };
            let as_of = AsOf { tables: tables.into_iter().map(table).collect() };
            prop_assert_eq!(AsOf::decode(&as_of.encode()), Ok(as_of));
        }

        #[test]
        fn no_bytes_make_a_token_panic(bytes: Vec<u8>) {
            use base64::Engine;
            let mut token = vec![1];
            token.extend(bytes);
            let _ = AsOf::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token));
        }
    }
}
