//! A database of PostgreSQL, made for one test.

use anyhow::Context;
use black_box::exact::Exact;
use black_box::wait;
use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::registration::Registration;
use crate::source::Source;
use crate::stack::{Part, Stack};

const USER: &str = "postgres";

/// A database and a session on it. Dropped with its replication slots.
pub struct Postgres {
    name: String,
    port: u16,
    client: Client,
}

impl Postgres {
    pub(crate) fn create(stack: &Stack, name: &str) -> anyhow::Result<Self> {
        let port = stack.port(Part::Postgres)?;
        connect(port, USER)?.batch_execute(&format!("create database {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            port,
            client: connect(port, name)?,
        })
    }

    /// Of the database, of its connector, and what the names of its topics begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it can be reached, for programs that take one.
    pub fn url(&self) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Executes statements; those without a transaction of their own are one.
    pub fn run(&mut self, sql: &str) -> anyhow::Result<()> {
        self.client
            .batch_execute(sql)
            .with_context(|| sql.to_owned())
    }

    /// The session, for whatever `run` cannot do.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Another session.
    pub fn session(&self) -> anyhow::Result<Client> {
        connect(self.port, &self.name)
    }

    /// Connects again, where the server was restarted.
    pub fn reconnect(&mut self) -> anyhow::Result<()> {
        self.client = connect(self.port, &self.name)?;
        Ok(())
    }

    /// The first column of each row, as text; null is empty.
    pub fn texts(&mut self, sql: &str) -> anyhow::Result<Vec<String>> {
        let messages = self
            .client
            .simple_query(sql)
            .with_context(|| sql.to_owned())?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// A connector that captures every table of the schema `public`.
    pub fn connector(&self) -> Registration {
        let port = self.port.to_string();
        Registration::from_recipe(
            include_str!("../connectors/postgres.json"),
            &self.name,
            &[("port", &port)],
        )
    }

    fn drop_database(&self) -> anyhow::Result<()> {
        let mut client = connect(self.port, USER)?;
        let slots = format!("from pg_replication_slots where database = '{}'", self.name);
        // Who reads from a slot is gone some time after it was asked to go.
        wait::until("the slots can be dropped", || {
            client.batch_execute(&format!("select pg_terminate_backend(active_pid) {slots}"))?;
            let dropped = client.batch_execute(&format!(
                "select pg_drop_replication_slot(slot_name) {slots}"
            ));
            Ok(dropped.is_ok().then_some(()))
        })?;
        client.batch_execute(&format!("drop database {} with (force)", self.name))?;
        Ok(())
    }
}

impl Source for Postgres {
    fn key(&mut self, table: &str) -> anyhow::Result<Vec<String>> {
        self.texts(&format!(
            "select attname from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
             where indrelid = '{table}'::regclass and indisprimary order by array_position(indkey::int[], attnum::int)"
        ))
    }

    fn rows(&mut self, table: &str) -> anyhow::Result<Vec<Exact>> {
        let columns = self.client.query(
            "select quote_ident(attname), format_type(atttypid, null), atttypmod from pg_attribute
             where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum",
            &[&table],
        )?;
        let spelled: Vec<String> = columns
            .iter()
            .map(|column| {
                let (name, kind): (&str, &str) = (column.get(0), column.get(1));
                format!("{} as {name}", spelled(name, kind, column.get(2)))
            })
            .collect();
        let rows = self.texts(&format!(
            "set intervalstyle = 'iso_8601';
             select row_to_json(spelled)::text from (select {} from {table}) as spelled",
            spelled.join(", ")
        ))?;
        let rows = rows.iter().map(|row| Exact::parse(row));
        rows.collect::<Result<_, _>>().context("rows as JSON")
    }
}

/// An expression whose JSON is what Rowtide answers for the column. `length` is what its declaration says, -1 if
/// nothing.
fn spelled(column: &str, kind: &str, length: i32) -> String {
    match kind {
        // Debezium sends as few digits as there need to be.
        "numeric" if length == -1 => format!("trim_scale({column})::text"),
        "numeric" | "interval" => format!("{column}::text"),
        "bit" if length == 1 => format!("{column} = B'1'"),
        // Debezium does not say how long a value is, only how long it may be.
        "bit" | "bit varying" => format!("lpad({column}::text, {length}, '0')"),
        "numeric[]" => format!("{column}::text[]"),
        "timestamp with time zone" => format!(
            "case when isfinite({column}) then (to_json({column} at time zone 'UTC') #>> '{{}}') || 'Z' else {column}::text end"
        ),
        "time with time zone" => {
            format!("replace(({column} at time zone 'UTC')::text, '+00', 'Z')")
        }
        "bytea" => format!("translate(encode({column}, 'base64'), E'\\n', '')"),
        _ => column.to_owned(),
    }
}

fn connect(port: u16, database: &str) -> anyhow::Result<Client> {
    let mut options = Client::configure();
    options
        .host("127.0.0.1")
        .port(port)
        .user(USER)
        .dbname(database)
        .application_name("real-stack");
    options
        .connect(NoTls)
        .with_context(|| format!("cannot connect to the database {database}"))
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A server that is down, or a connector that still reads, keeps it: the next `stack clean` does not.
        let _ = self.drop_database();
    }
}
