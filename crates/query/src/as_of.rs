//! `as_of`: where the tables of an answer stood, as an opaque token.
//!
//! It names places in the *log*, so it holds across restarts and replicas. The cut that it names beside them is
//! for who wants exactly that one again, from the same process and soon; as a floor a token is its places.
//!
//! Positions of the source alone would not do: many changes share one, and each partition of a topic has its own
//! share of those before it, so two states of a table can have the same newest position and different rows. How
//! far each partition has been read tells them apart. Some thirty bytes a table, and five a partition.

use row_model::{CutId, Epoch, SourcePosition};
use table_store::{Cut, CutName, LogId, ProcessId, TableCut, TableFacts, TableIdentity};

pub use crate::token::TableHash;
use crate::token::{TokenReader, TokenWriter, decode, kind};

/// Where several tables stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// Which cut that was; `None` where nobody can ask for it again.
    pub cut: Option<CutName>,
    pub tables: Vec<TableStanding>,
}

/// Where one table stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStanding {
    pub table: TableHash,
    /// The newest position of its source, if its records carry any.
    pub position: Option<(Epoch, SourcePosition)>,
    /// The log that the offsets are of, where its broker tells logs of one name apart.
    pub log: Option<LogId>,
    /// Before these offsets of these partitions. None before anything was known of its log.
    pub offsets: Vec<(i32, u64)>,
}

/// The text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an as_of token")]
pub struct AsOfError;

mod has {
    pub const POSITION: u8 = 1;
    pub const LOG: u8 = 2;
}

impl AsOf {
    /// The standing of these tables at their cut.
    #[must_use]
    pub fn of<'a>(tables: impl IntoIterator<Item = &'a TableCut>) -> Self {
        Self {
            cut: None,
            tables: tables.into_iter().map(TableStanding::of).collect(),
        }
    }

    /// The same with the name of the cut, which can be asked for again from now on.
    #[must_use]
    pub fn at<'a>(cut: &Cut, tables: impl IntoIterator<Item = &'a TableCut>) -> Self {
        Self {
            cut: cut.tell(),
            ..Self::of(tables)
        }
    }

    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = match self.cut {
            None => TokenWriter::new(kind::AS_OF),
            Some(CutName { process, cut }) => {
                let mut out = TokenWriter::new(kind::AS_OF_CUT);
                out.bytes(&process.0.to_be_bytes());
                out.number(cut.0);
                out
            }
        };
        for table in &self.tables {
            table.write(&mut out);
        }
        out.finish()
    }

    /// Reads a token.
    ///
    /// # Errors
    /// If it is not ours, or of a version that is no longer read.
    pub fn decode(token: &str) -> Result<Self, AsOfError> {
        let with_cut = decode(kind::AS_OF_CUT, token);
        let has_cut = with_cut.is_some();
        let bytes = with_cut.or_else(|| decode(kind::AS_OF, token));
        let bytes = bytes.ok_or(AsOfError)?;
        let mut reader = TokenReader(&bytes);
        let cut = if has_cut {
            Some(read_cut(&mut reader).ok_or(AsOfError)?)
        } else {
            None
        };
        let mut tables = Vec::new();
        while !reader.is_at_end() {
            tables.push(TableStanding::read(&mut reader).ok_or(AsOfError)?);
        }
        Ok(Self { cut, tables })
    }
}

impl TableStanding {
    fn of(table: &TableCut) -> Self {
        Self::at(table.table.identity(), &table.facts)
    }

    /// Where a table stands of which this is said.
    #[must_use]
    pub fn at(table: &TableIdentity, facts: &TableFacts) -> Self {
        Self {
            table: TableHash::of(table),
            position: facts.position.map(|position| (facts.epoch, position)),
            log: facts.log,
            offsets: facts.offsets.clone(),
        }
    }

    fn write(&self, out: &mut TokenWriter) {
        out.hash(self.table);
        let position = self.position.map_or(0, |_| has::POSITION);
        out.byte(position | self.log.map_or(0, |_| has::LOG));
        if let Some((epoch, position)) = &self.position {
            out.number(u64::from(epoch.0));
            out.number(position.domain());
            out.byte(position.as_bytes().len() as u8);
            out.bytes(position.as_bytes());
        }
        if let Some(log) = self.log {
            out.bytes(&log.0.to_be_bytes());
        }
        out.number(self.offsets.len() as u64);
        for (partition, offset) in &self.offsets {
            out.number(u64::from(*partition as u32));
            out.number(*offset);
        }
    }

    fn read(reader: &mut TokenReader<'_>) -> Option<Self> {
        let table = reader.hash()?;
        let flags = reader.byte()?;
        if flags & !(has::POSITION | has::LOG) != 0 {
            return None;
        }
        let position = match flags & has::POSITION {
            0 => None,
            _ => Some(read_position(reader)?),
        };
        let log = match flags & has::LOG {
            0 => None,
            _ => Some(LogId(u64::from_be_bytes(reader.take(8)?.try_into().ok()?))),
        };
        // Not reserved for: the number is the token's own claim.
        let count = reader.number()?;
        let mut offsets = Vec::new();
        for _ in 0..count {
            let partition = u32::try_from(reader.number()?).ok()?;
            offsets.push((partition as i32, reader.number()?));
        }
        Some(Self {
            table,
            position,
            log,
            offsets,
        })
    }
}

fn read_cut(reader: &mut TokenReader<'_>) -> Option<CutName> {
    let process = u64::from_be_bytes(reader.take(8)?.try_into().ok()?);
    Some(CutName {
        process: ProcessId(process),
        cut: CutId(reader.number()?),
    })
}

fn read_position(reader: &mut TokenReader<'_>) -> Option<(Epoch, SourcePosition)> {
    let epoch = Epoch(u32::try_from(reader.number()?).ok()?);
    let domain = reader.number()?;
    let len = usize::from(reader.byte()?);
    let position = SourcePosition::from_bytes(domain, reader.take(len)?)?;
    Some((epoch, position))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::identity;

    #[test]
    fn a_table_takes_some_thirty_bytes_and_the_same_ones_everywhere() {
        let lsn = SourcePosition::from_numbers(0, &[0x16_B3F7_0000]).unwrap();
        let orders = TableStanding {
            table: TableHash::of(&identity("orders")),
            position: Some((Epoch(1), lsn)),
            log: Some(LogId(0x0123_4567_89ab_cdef)),
            offsets: vec![(0, 91_827), (1, 4_100)],
        };
        let as_of = AsOf {
            cut: None,
            tables: vec![orders],
        };
        // Clients keep tokens across upgrades: these must be read for ever.
        expect!["AkS4gE2baFS5AwEBAAYFFrP3AAABI0VniavN7wECAAMBZrMBAQIQBA"]
            .assert_eq(&as_of.encode());
        let cut = CutName {
            process: ProcessId(0xfedc_ba98_7654_3210),
            cut: CutId(300),
        };
        let as_of = AsOf {
            cut: Some(cut),
            ..as_of
        };
        expect!["A_7cuph2VDIQAgEsRLiATZtoVLkDAQEABgUWs_cAAAEjRWeJq83vAQIAAwFmswEBAhAE"]
            .assert_eq(&as_of.encode());
    }

    #[test]
    fn tables_of_other_sources_and_topics_are_others() {
        let orders = identity("orders");
        let other_source = TableIdentity {
            source: "crm".to_owned(),
            ..orders.clone()
        };
        let other_name = TableIdentity {
            name: "sales".to_owned(),
            ..orders.clone()
        };
        assert_ne!(TableHash::of(&orders), TableHash::of(&identity("items")));
        assert_ne!(TableHash::of(&orders), TableHash::of(&other_source));
        assert_eq!(TableHash::of(&orders), TableHash::of(&other_name));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        // The last two are of another kind, and of an earlier version.
        for text in ["", "Ag==", "!", "Aw", "AgAA", "QQAAAAAAAAAAAQ", "AQ"] {
            assert_eq!(AsOf::decode(text), Err(AsOfError), "{text}");
        }
        let of_nothing = AsOf::of([]);
        assert_eq!(AsOf::decode("Ag"), Ok(of_nothing));
    }

    fn any_standing() -> impl Strategy<Value = TableStanding> {
        let position = (
            any::<u32>(),
            any::<u64>(),
            proptest::collection::vec(any::<u8>(), 0..=30),
        );
        let position = position.prop_map(|(epoch, domain, bytes)| {
            (
                Epoch(epoch),
                SourcePosition::from_bytes(domain, &bytes).unwrap(),
            )
        });
        let offsets = proptest::collection::vec((any::<i32>(), any::<u64>()), 0..20);
        let parts = (
            any::<u64>(),
            proptest::option::of(position),
            any::<Option<u64>>(),
            offsets,
        );
        parts.prop_map(|(table, position, log, offsets)| TableStanding {
            table: TableHash(table),
            position,
            log: log.map(LogId),
            offsets,
        })
    }

    proptest! {
        #[test]
        fn any_standing_is_read_back(
            tables in proptest::collection::vec(any_standing(), 0..5),
            cut: Option<(u64, u64)>,
        ) {
            let cut = cut.map(|(process, cut)| CutName {
                process: ProcessId(process),
                cut: CutId(cut),
            });
            let as_of = AsOf { cut, tables };
            prop_assert_eq!(AsOf::decode(&as_of.encode()), Ok(as_of));
        }

        #[test]
        fn no_bytes_make_a_token_panic(bytes: Vec<u8>) {
            use base64::Engine;
            for kind in [kind::AS_OF, kind::AS_OF_CUT] {
                let token = [&[kind], &*bytes].concat();
                let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
                let _ = AsOf::decode(&token);
            }
        }
    }
}
