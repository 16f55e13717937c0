//! The fields of a source block, whatever carries them.

use std::borrow::Cow;

use row_model::Transaction;
use serde::Deserialize;

use crate::DecodeError;
use crate::json_token::Token;

/// The connectors whose blocks are known, as far as it matters to what their changes mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Connector {
    Postgres,
    MySql,
    SqlServer,
    Oracle,
    Db2,
    Informix,
    MongoDb,
    Vitess,
    Spanner,
    Cassandra,
    #[default]
    Other,
}

/// The fields of a source block that matter, whatever carries them: the envelope, columns added to
/// a flattened row, or the attributes of a cloud event.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Block<'a> {
    #[serde(borrow, default)]
    pub connector: Cow<'a, str>,
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub db: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub schema: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub table: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub collection: Option<Cow<'a, str>>,
    #[serde(default)]
    pub ts_ms: Option<i64>,
    #[serde(borrow, default)]
    pub snapshot: Option<Token<'a>>,
    #[serde(borrow, default)]
    pub sequence: Option<Cow<'a, str>>,
    /// A number, or with some connectors a text.
    #[serde(borrow, default, rename = "txId")]
    pub tx_id: Option<Token<'a>>,
    #[serde(default)]
    pub lsn: Option<u64>,
    #[serde(default)]
    pub server_id: Option<u64>,
    #[serde(borrow, default)]
    pub gtid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub file: Option<Cow<'a, str>>,
    #[serde(default)]
    pub pos: Option<u64>,
    #[serde(default)]
    pub row: Option<u64>,
    #[serde(borrow, default)]
    pub change_lsn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub commit_lsn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub event_serial_no: Option<Token<'a>>,
    #[serde(borrow, default)]
    pub scn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub commit_scn: Option<Cow<'a, str>>,
    #[serde(default)]
    pub ord: Option<u64>,
    #[serde(borrow, default, rename = "wallTime")]
    pub wall_time: Option<Token<'a>>,
    #[serde(borrow, default)]
    pub keyspace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub shard: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub vgtid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub ts_ns: Option<Token<'a>>,
}

impl<'a> Block<'a> {
    pub fn parse(text: &'a str) -> Result<Self, DecodeError> {
        serde_json::from_str(text).map_err(|error| DecodeError::malformed("source block", &error))
    }

    /// Takes up one field by its name in the source block, underscores or not. Numbers may be
    /// spelled as text. What a source block does not have is left alone.
    pub fn set(&mut self, name: &str, token: Token<'a>) {
        if token.get() == "null" {
            return;
        }
        let text = || crate::json_token::text(token);
        let number = || text().map_or(token.get().parse().ok(), |text| text.parse().ok());
        match name {
            "connector" => self.connector = text().unwrap_or_default(),
            "name" => self.name = text().unwrap_or_default(),
            "db" => self.db = text(),
            "schema" => self.schema = text(),
            "table" => self.table = text(),
            "collection" => self.collection = text(),
            "ts_ms" | "tsms" => self.ts_ms = number().map(|number| number as i64),
            "snapshot" => self.snapshot = Some(token),
            "sequence" => self.sequence = text(),
            "txId" => self.tx_id = Some(token),
            "lsn" => self.lsn = number(),
            "server_id" | "serverid" => self.server_id = number(),
            "gtid" => self.gtid = text(),
            "file" => self.file = text(),
            "pos" => self.pos = number(),
            "row" => self.row = number(),
            "change_lsn" | "changelsn" => self.change_lsn = text(),
            "commit_lsn" | "commitlsn" => self.commit_lsn = text(),
            "event_serial_no" | "eventserialno" => self.event_serial_no = Some(token),
            "scn" => self.scn = text(),
            "commit_scn" | "commitscn" => self.commit_scn = text(),
            "ord" => self.ord = number(),
            "wallTime" | "walltime" => self.wall_time = Some(token),
            "keyspace" => self.keyspace = text(),
            "shard" => self.shard = text(),
            "vgtid" => self.vgtid = text(),
            "ts_ns" | "tsns" => self.ts_ns = Some(token),
            _ => {}
        }
    }

    /// True if any part of the source table's name is known.
    pub fn names_a_table(&self) -> bool {
        self.table.is_some() || self.collection.is_some()
    }

    /// The source table's full name.
    pub fn table_name(&self) -> String {
        let parts = [
            &self.db,
            &self.keyspace,
            &self.schema,
            &self.table,
            &self.collection,
        ];
        let mut name = self.name.to_string();
        for part in parts.into_iter().flatten() {
            name.push('\0');
            name.push_str(part);
        }
        name
    }

    /// The connector by its name; without one, by the fields that only it writes.
    pub fn connector(&self) -> Connector {
        match &*self.connector {
            "postgresql" => Connector::Postgres,
            "mysql" | "mariadb" => Connector::MySql,
            "sqlserver" => Connector::SqlServer,
            "oracle" => Connector::Oracle,
            "db2" => Connector::Db2,
            "informix" => Connector::Informix,
            "mongodb" => Connector::MongoDb,
            "vitess" => Connector::Vitess,
            "spanner" => Connector::Spanner,
            "cassandra" => Connector::Cassandra,
            "" if self.lsn.is_some() => Connector::Postgres,
            "" if self.server_id.is_some() => Connector::MySql,
            "" if self.event_serial_no.is_some() => Connector::SqlServer,
            "" if self.commit_scn.is_some() => Connector::Oracle,
            _ => Connector::Other,
        }
    }

    pub fn transaction(&self) -> Option<Transaction> {
        if let Some(id) = self.tx_id.map(Token::get).filter(|id| *id != "null") {
            let id = id.trim_matches('"');
            return match id.parse::<i64>() {
                // Compared modulo 2^32: the source's id may or may not carry its epoch.
                Ok(number) => Some(Transaction(u64::from(number as u32))),
                // Oracle's: hexadecimal digits.
                Err(_) => u64::from_str_radix(id, 16).ok().map(Transaction),
            };
        }
        // A gtid ends in its number within the domain or server.
        let gtid = self.gtid.as_deref()?;
        gtid.rsplit([':', '-'])
            .next()?
            .parse()
            .ok()
            .map(Transaction)
    }
}
