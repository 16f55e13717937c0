//! Where a change stands in its source's order, by connector.
//!
//! Only what compares rightly becomes a position: two changes of one key must never be ordered
//! against the log on a guess. Everything else has none, and the later record of the log wins.

use std::borrow::Cow;

use row_model::SourcePosition;
use serde::Deserialize;

use crate::block::{Block, Connector};
use crate::json_token::Token;

impl Block<'_> {
    pub fn position(&self, snapshot: bool, incremental: bool) -> Option<SourcePosition> {
        match self.connector() {
            Connector::Postgres if incremental => newest_of_sequence(self.sequence.as_deref()?),
            // Zero is no place in the log: Protobuf has it where nothing is.
            Connector::Postgres => {
                let lsn = self.lsn.filter(|lsn| *lsn > 0)?;
                SourcePosition::from_numbers(0, &[lsn])
            }
            Connector::MySql => {
                let file = file_number(self.file.as_deref()?)?;
                // Files of different servers have nothing to do with each other. Without its row (a
                // transform may leave it out) the place is that of a whole statement.
                match (self.pos?, self.row) {
                    (pos, Some(row)) => {
                        SourcePosition::from_numbers(self.server_id?, &[file, pos, row])
                    }
                    (pos, None) => SourcePosition::from_numbers(self.server_id?, &[file, pos]),
                }
            }
            Connector::SqlServer | Connector::Db2 => self.lsn_text_position(),
            // Snapshot rows say zero, which is no place in the log.
            Connector::Informix => {
                let number = |lsn: &Option<Cow<'_, str>>| {
                    lsn.as_deref()?.parse().ok().filter(|lsn: &u64| *lsn > 0)
                };
                SourcePosition::from_numbers(
                    0,
                    &[number(&self.commit_lsn)?, number(&self.change_lsn)?],
                )
            }
            // Changes of one transaction share its commit: the log orders them. A snapshot's own
            // number is on the same line; a change's own, which precedes its commit, is not.
            Connector::Oracle => {
                let scn = if snapshot && !incremental {
                    &self.scn
                } else {
                    &self.commit_scn
                };
                SourcePosition::from_numbers(0, &[scn.as_deref()?.parse().ok()?])
            }
            // With a wall time `ts_ms` is that, and not the cluster's time.
            Connector::MongoDb if self.wall_time.is_none() && !snapshot => {
                let millis = u64::try_from(self.ts_ms?).ok()?;
                let seconds = Some(millis / 1000).filter(|_| millis % 1000 == 0)?;
                SourcePosition::from_numbers(0, &[seconds, self.ord?])
            }
            Connector::Vitess => self.vitess_position(),
            // Only changes of one transaction have one commit time: the log orders them.
            Connector::Spanner => SourcePosition::from_numbers(
                0,
                &[self.ts_ns?.get().trim_matches('"').parse().ok()?],
            ),
            Connector::MongoDb | Connector::Cassandra | Connector::Other => None,
        }
    }

    fn lsn_text_position(&self) -> Option<SourcePosition> {
        const NOTHING_CHANGED: &str = "00000000:00000000:0000";
        let mut bytes = lsn_bytes(self.commit_lsn.as_deref()?)?;
        let change = self.change_lsn.as_deref();
        // Protobuf has an empty text where nothing is.
        let change = change.filter(|lsn| !lsn.is_empty());
        bytes.extend(lsn_bytes(change.unwrap_or(NOTHING_CHANGED))?);
        let serial = self.event_serial_no.map_or("0", Token::get);
        let serial: u32 = serial.trim_matches('"').parse().ok()?;
        bytes.extend(serial.to_be_bytes());
        SourcePosition::from_bytes(0, &bytes)
    }

    /// The transaction number of this row's shard. Numbers of different shards, servers or replication
    /// domains do not compare, and a set of several servers is no single number.
    fn vitess_position(&self) -> Option<SourcePosition> {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow)]
            keyspace: Cow<'a, str>,
            #[serde(borrow, rename = "shard")]
            name: Cow<'a, str>,
            #[serde(borrow)]
            gtid: Cow<'a, str>,
        }
        let shards: Vec<Part<'_>> = serde_json::from_str(self.vgtid.as_deref()?).ok()?;
        let ours = |shard: &&Part<'_>| {
            Some(&*shard.name) == self.shard.as_deref()
                && Some(&*shard.keyspace) == self.keyspace.as_deref()
        };
        let gtid = &shards.iter().find(ours)?.gtid;
        let (line, number) = match gtid.split_once('/')? {
            ("MySQL56", set) if !set.contains(',') => {
                let (server, interval) = set.rsplit_once(':')?;
                let last = interval.rsplit('-').next()?;
                (server, last.parse().ok()?)
            }
            ("MariaDB", gtid) if !gtid.contains(',') => {
                let (domain, rest) = gtid.split_once('-')?;
                (domain, rest.rsplit('-').next()?.parse().ok()?)
            }
            _ => return None,
        };
        let domain = line_of([self.keyspace.as_deref()?, self.shard.as_deref()?, line]);
        SourcePosition::from_numbers(domain, &[number])
    }
}

/// `["<lsn of the last commit>" or null, "<lsn>"]`: the newer of the two is what an incremental row stands at.
fn newest_of_sequence(sequence: &str) -> Option<SourcePosition> {
    let parts: Vec<Option<Cow<'_, str>>> = serde_json::from_str(sequence).ok()?;
    let newest = parts
        .iter()
        .flatten()
        .filter_map(|lsn| lsn.parse::<u64>().ok())
        .max()?;
    SourcePosition::from_numbers(0, &[newest])
}

/// 42 of `mysql-bin.000042`.
fn file_number(file: &str) -> Option<u64> {
    file.rsplit('.').next()?.parse().ok()
}

/// The bytes of `00000027:00000758:0005`.
fn lsn_bytes(lsn: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(10);
    for (part, width) in lsn.split(':').zip([4, 4, 2]) {
        let number = u32::from_str_radix(part, 16).ok()?;
        bytes.extend_from_slice(&number.to_be_bytes()[4 - width..]);
    }
    (bytes.len() == 10).then_some(bytes)
}

/// A number for a line of positions that has a name. On disk, so the same in every process and
/// version: FNV-1a.
fn line_of(names: [&str; 3]) -> u64 {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use row_model::Transaction;

    use super::*;

    fn position(json: &str) -> Option<SourcePosition> {
        let block: Block<'_> = serde_json::from_str(json).unwrap();
        let mark = block.snapshot.map_or("", Token::get).trim_matches('"');
        block.position(
            matches!(mark, "true" | "first" | "last"),
            mark == "incremental",
        )
    }

    fn order(one: &str, other: &str) -> Option<Ordering> {
        position(one).unwrap().order(&position(other).unwrap())
    }

    #[test]
    fn binlog_positions_compare_only_on_one_server() {
        let block = |server: u64, file: &str, pos: u64, row: u64| {
            format!(
                r#"{{"connector":"mysql","server_id":{server},"file":"{file}","pos":{pos},"row":{row},"gtid":"u:7"}}"#
            )
        };
        let at = |server, file, pos, row| position(&block(server, file, pos, row)).unwrap();
        assert!(at(1, "bin.000009", 900, 0).is_before(&at(1, "bin.000010", 4, 0)));
        assert!(at(1, "bin.000010", 4, 0).is_before(&at(1, "bin.000010", 4, 1)));
        assert_eq!(
            at(1, "bin.000010", 4, 0).order(&at(2, "bin.000010", 4, 0)),
            None
        );
    }

    #[test]
    fn sql_server_positions_order_by_commit_then_change() {
        let block = |commit: &str, change: &str, serial: &str| {
            format!(
                r#"{{"connector":"sqlserver","commit_lsn":"{commit}","change_lsn":"{change}","event_serial_no":{serial}}}"#
            )
        };
        let first = block("00000027:00000758:0005", "00000027:00000758:0003", "1");
        // Documented samples spell the number as text.
        let second = block("00000027:00000758:0005", "00000027:00000758:0003", "\"2\"");
        let later = block("00000027:00000ac0:0002", "00000027:00000100:0003", "1");
        assert_eq!(order(&first, &second), Some(Ordering::Less));
        assert_eq!(order(&first, &later), Some(Ordering::Less));
        let db2 = first
            .replace("sqlserver", "db2")
            .replace(r#","event_serial_no":1"#, "");
        assert!(position(&db2).is_some());
        assert_eq!(position(r#"{"connector":"db2","commit_lsn":"x"}"#), None);
    }

    #[test]
    fn oracle_stands_where_its_transaction_committed() {
        let change = |scn: u64, commit: &str| {
            format!(
                r#"{{"connector":"oracle","snapshot":"false","txId":"02000a0037030001","scn":"{scn}","commit_scn":{commit}}}"#
            )
        };
        let snapshot = r#"{"connector":"oracle","snapshot":"first","txId":null,"scn":"2122185","commit_scn":null}"#;
        // The change was made before the snapshot was taken and committed after it.
        assert_eq!(
            order(snapshot, &change(2_122_180, "\"2122191\"")),
            Some(Ordering::Less)
        );
        assert_eq!(
            order(&change(5, "\"90\""), &change(4, "\"100\"")),
            Some(Ordering::Less)
        );
        assert_eq!(position(&change(5, "null")), None);
        let json = change(5, "\"90\"");
        let block: Block<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(
            block.transaction(),
            Some(Transaction(0x0200_0a00_3703_0001))
        );
    }

    #[test]
    fn informix_numbers_are_compared_and_zero_is_none() {
        let block = |commit: &str, change: &str| {
            format!(
                r#"{{"connector":"informix","txId":"157","commit_lsn":"{commit}","change_lsn":"{change}"}}"#
            )
        };
        let (nine, ten) = (block("99", "7"), block("100", "6"));
        assert_eq!(order(&nine, &ten), Some(Ordering::Less));
        assert_eq!(position(&block("0", "0")), None);
    }

    #[test]
    fn a_wall_time_is_no_cluster_time() {
        let block = |wall: &str| {
            format!(
                r#"{{"connector":"mongodb","ts_ms":1780000000000,"snapshot":"false","ord":3,"wallTime":{wall}}}"#
            )
        };
        assert_eq!(
            position(&block("null")),
            SourcePosition::from_numbers(0, &[1_780_000_000, 3])
        );
        assert_eq!(position(&block("1780000000123")), None);
    }

    #[test]
    fn vitess_numbers_compare_within_a_shard_and_a_server() {
        let block = |shard: &str, gtid: &str| {
            let vgtid = format!(
                r#"[{{"keyspace":"commerce","shard":"80-","gtid":"MariaDB/0-54610504-47"}},{{"keyspace":"commerce","shard":"-80","gtid":"{gtid}"}}]"#
            );
            let vgtid = serde_json::Value::from(vgtid);
            format!(
                r#"{{"connector":"vitess","keyspace":"commerce","shard":"{shard}","vgtid":{vgtid}}}"#
            )
        };
        let ours = |gtid: &str| block("-80", gtid);
        let (one, two) = (ours("MariaDB/0-1592148-45"), ours("MariaDB/0-1592149-46"));
        assert_eq!(order(&one, &two), Some(Ordering::Less));
        assert_eq!(order(&one, &block("80-", "MariaDB/0-1592148-45")), None);
        let (one, two) = (ours("MySQL56/ab-c:1-9"), ours("MySQL56/ab-c:1-10"));
        assert_eq!(order(&one, &two), Some(Ordering::Less));
        assert_eq!(order(&one, &ours("MySQL56/ab-d:1-10")), None);
        assert_eq!(position(&ours("MySQL56/ab-c:1-9,ab-d:1-4")), None);
    }

    #[test]
    fn spanner_orders_by_commit_time_and_cassandra_not_at_all() {
        let spanner = r#"{"connector":"spanner","ts_ns":1670955531785000123,"sequence":"0"}"#;
        assert_eq!(
            position(spanner),
            SourcePosition::from_numbers(0, &[1_670_955_531_785_000_123])
        );
        let cassandra =
            r#"{"connector":"cassandra","snapshot":false,"file":"commitlog-6-1.log","pos":54}"#;
        assert_eq!(position(cassandra), None);
    }
}
