//! PostgreSQL's settings, slots, publications and tables, from its catalogues.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use doctor::facts::{
    Asked, ClockOffset, Column, Identity, PostgresFacts, Publication, Slot, Table,
};
use telemetry::clock;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Error, NoTls, Row};

use crate::limits;

const SETTINGS: &str = "SELECT name, current_setting(name) FROM pg_settings \
    WHERE name IN ('wal_level', 'max_slot_wal_keep_size')";

/// Through JSON where a column is younger than the oldest servers.
const SLOTS: &str = "SELECT slot_name::text, active, to_jsonb(s) ->> 'wal_status', \
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint \
    FROM pg_replication_slots s WHERE slot_type = 'logical' AND database = current_database() ORDER BY 1";

const PUBLICATIONS: &str = "SELECT pubname::text, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, \
    coalesce((to_jsonb(p) ->> 'pubviaroot')::boolean, false) FROM pg_publication p ORDER BY 1";

const PUBLISHED: &str =
    "SELECT pubname::text, schemaname::text, tablename::text FROM pg_publication_tables";

const TABLES: &str = "SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relreplident::text, \
    EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), \
    (SELECT p.relname::text FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent WHERE c.relispartition AND h.inhrelid = c.oid LIMIT 1) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 2, 3 LIMIT $1";

/// What is stored aside: not short texts, which never are by themselves.
const COLUMNS: &str = "SELECT a.attrelid::bigint, a.attname::text, t.typname::text, NOT a.attnotnull, \
    a.atthasdef AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = '', \
    a.attstorage IN ('x', 'e') AND a.atttypmod NOT BETWEEN 0 AND 500 \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
    WHERE a.attrelid::bigint = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

/// A database's address, with what it is logged into with. Shown without.
pub struct PostgresAddress(Config);

/// Why a text is no address of a database. The text itself is never repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresAddressError {
    /// It cannot be read.
    Unreadable,
    /// It asks for what this binary cannot do.
    Tls,
}

impl fmt::Display for PostgresAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "it is no postgres://user:password@host:5432/database",
            Self::Tls => "it asks for TLS (sslmode), which rowtide cannot speak to a database: leave sslmode out where the way there is safe, or leave --dsn out",
        })
    }
}

impl std::error::Error for PostgresAddressError {}

impl PostgresAddress {
    pub fn parse(text: &str) -> Result<Self, PostgresAddressError> {
        let mut config: Config = text.parse().map_err(|_| PostgresAddressError::Unreadable)?;
        if config.get_hosts().is_empty() {
            return Err(PostgresAddressError::Unreadable);
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(PostgresAddressError::Tls);
        }
        config.connect_timeout(limits::DATABASE);
        config.application_name("rowtide doctor");
        config.options("-c default_transaction_read_only=on -c statement_timeout=8000");
        Ok(Self(config))
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.0.get_ports();
        let hosts = self.0.get_hosts().iter().enumerate().map(|(at, host)| {
            let host = match host {
                Host::Tcp(host) => host.clone(),
                Host::Unix(path) => path.display().to_string(),
            };
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            format!("{host}:{port}")
        });
        let hosts: Vec<String> = hosts.collect();
        let database = self.0.get_dbname().unwrap_or("(the user's)");
        write!(f, "{}/{database}", hosts.join(","))
    }
}

/// Asks for everything over one connection.
pub fn postgres(address: &PostgresAddress) -> Asked<PostgresFacts> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = match runtime {
        Err(error) => Err(error.to_string()),
        Ok(runtime) => runtime.block_on(async {
            match tokio::time::timeout(limits::DATABASE, ask(&address.0)).await {
                Ok(answer) => answer.map_err(|error| in_words(&error)),
                Err(_) => Err(format!("it does not answer within {:?}", limits::DATABASE)),
            }
        }),
    };
    Asked {
        address: address.to_string(),
        answer,
    }
}

/// What the server says; else what went wrong, down to its cause. Neither has the password.
fn in_words(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}

async fn ask(config: &Config) -> Result<PostgresFacts, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with the client; what goes wrong on it, the client's questions say.
    let carried = tokio::spawn(connection);
    let facts = facts(&client).await;
    drop(client);
    let _ = carried.await;
    facts
}

async fn facts(client: &Client) -> Result<PostgresFacts, Error> {
    let clock = clock_offset(client).await?;
    let database = client
        .query_one("SELECT current_database()::text", &[])
        .await?;
    let settings = client.query(SETTINGS, &[]).await?;
    let slots = client.query(SLOTS, &[]).await?;
    Ok(PostgresFacts {
        database: database.get(0),
        settings: settings
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect(),
        slots: slots.iter().map(slot).collect(),
        publications: publications(client).await?,
        tables: tables(client).await?,
        clock,
    })
}

async fn clock_offset(client: &Client) -> Result<ClockOffset, Error> {
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    // The first time it is prepared as well.
    let question = client.prepare(NOW).await?;
    let asked_ms = clock::now_ms();
    let theirs_ms: i64 = client.query_one(&question, &[]).await?.get(0);
    let answered_ms = clock::now_ms();
    Ok(ClockOffset {
        ahead_ms: theirs_ms - i64::midpoint(asked_ms, answered_ms),
        uncertain_ms: (answered_ms - asked_ms + 1) / 2,
    })
}

fn slot(row: &Row) -> Slot {
    let kept: Option<i64> = row.get(3);
    Slot {
        name: row.get(0),
        is_active: row.get(1),
        wal_status: row.get(2),
        kept_bytes: kept.unwrap_or_default().max(0) as u64,
    }
}

async fn publications(client: &Client) -> Result<Vec<Publication>, Error> {
    let mut tables: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in client.query(PUBLISHED, &[]).await? {
        let of = tables.entry(row.get(0)).or_default();
        of.insert((row.get(1), row.get(2)));
    }
    let rows = client.query(PUBLICATIONS, &[]).await?;
    let publications = rows.iter().map(|row| {
        let name: String = row.get(0);
        let operations = ["insert", "update", "delete", "truncate"].into_iter();
        let operations = operations.zip(2..).filter(|(_, at)| row.get(*at));
        Publication {
            is_of_all_tables: row.get(1),
            operations: operations.map(|(name, _)| name.to_owned()).collect(),
            via_root: row.get(6),
            tables: tables.remove(&name).unwrap_or_default(),
            name,
        }
    });
    Ok(publications.collect())
}

async fn tables(client: &Client) -> Result<Vec<Table>, Error> {
    let rows = client.query(TABLES, &[&limits::TABLES_MAX]).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let mut columns: BTreeMap<i64, Vec<Column>> = BTreeMap::new();
    for row in client.query(COLUMNS, &[&ids]).await? {
        let of = columns.entry(row.get(0)).or_default();
        of.push(Column {
            name: row.get(1),
            type_name: row.get(2),
            is_nullable: row.get(3),
            has_default: row.get(4),
            is_stored_aside: row.get(5),
        });
    }
    let tables = rows.iter().map(|row| {
        let id: i64 = row.get(0);
        let identity: String = row.get(3);
        Table {
            schema: row.get(1),
            name: row.get(2),
            identity: match identity.as_str() {
                "f" => Identity::Full,
                "i" => Identity::Index,
                "n" => Identity::Nothing,
                _ => Identity::Default,
            },
            has_primary_key: row.get(4),
            is_partition_of: row.get(5),
            columns: columns.remove(&id).unwrap_or_default(),
        }
    });
    Ok(tables.collect())
}

#[test]
fn an_address_is_shown_without_its_login() {
    let address = PostgresAddress::parse("postgres://me:hunter2@db:5433/shop").unwrap();
    assert_eq!(address.to_string(), "db:5433/shop");
    let refused = |text| PostgresAddress::parse(text).err();
    assert_eq!(
        refused("db:5433/shop"),
        Some(PostgresAddressError::Unreadable)
    );
    assert_eq!(
        refused("postgres://db/shop?sslmode=require"),
        Some(PostgresAddressError::Tls)
    );
}
