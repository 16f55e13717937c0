//! A database of MySQL or MariaDB, made for one test.
//!
//! Asked with the `mariadb` command, which comes with the servers and speaks to both: each call is a session.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use black_box::exact::Exact;

use crate::registration::Registration;
use crate::source::Source;
use crate::stack::{Part, Stack};

/// Reads the binary log, and may do everything else too.
const USER: &str = "dbz";

/// Debezium has a connector for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Mysql,
    Mariadb,
}

/// A database. Dropped at the end.
pub struct Mysql {
    flavour: Flavour,
    name: String,
    port: u16,
    brokers: String,
}

impl Mysql {
    pub(crate) fn create(stack: &Stack, flavour: Flavour, name: &str) -> anyhow::Result<Self> {
        let part = match flavour {
            Flavour::Mysql => Part::Mysql,
            Flavour::Mariadb => Part::Mariadb,
        };
        let database = Self {
            flavour,
            name: name.to_owned(),
            port: stack.port(part)?,
            brokers: stack.brokers()?,
        };
        database.ask("", &format!("create database {name} character set utf8mb4"))?;
        Ok(database)
    }

    /// Of the database, of its connector, and what the names of its topics begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Executes statements in one session.
    pub fn run(&mut self, sql: &str) -> anyhow::Result<()> {
        self.ask(&self.name, sql).map(drop)
    }

    /// The rows as lines, their columns with tabs in between; null is `NULL`.
    pub fn texts(&mut self, sql: &str) -> anyhow::Result<Vec<String>> {
        let said = self.ask(&self.name, sql)?;
        Ok(said.lines().map(str::to_owned).collect())
    }

    /// A connector that captures every table of the database.
    pub fn connector(&self) -> Registration {
        let recipe = match self.flavour {
            Flavour::Mysql => include_str!("../connectors/mysql.json"),
            Flavour::Mariadb => include_str!("../connectors/mariadb.json"),
        };
        // Each reader of a binary log has a number that no other has.
        let server = fastrand::u32(100_000..i32::MAX as u32).to_string();
        let port = self.port.to_string();
        let values = [
            ("port", port.as_str()),
            ("server_id", &server),
            ("brokers", &self.brokers),
        ];
        Registration::from_recipe(recipe, &self.name, &values)
    }

    fn ask(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let mut session = Command::new("mariadb")
            .args(["--no-defaults", "--host=127.0.0.1", "--batch", "--raw"])
            .args(["--skip-column-names", "--default-character-set=utf8mb4"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--user={USER}"))
            .arg(format!("--password={USER}"))
            .arg("--init-command=set time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'")
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run mariadb")?;
        let mut stdin = session.stdin.take().context("no stdin")?;
        stdin.write_all(sql.as_bytes())?;
        drop(stdin);
        let output = session.wait_with_output()?;
        ensure!(
            output.status.success(),
            "{}: {sql}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A column, as `show columns` tells it: quicker than the tables of `information_schema`.
struct Column {
    name: String,
    kind: String,
    is_key: bool,
}

impl Mysql {
    fn columns(&mut self, table: &str) -> anyhow::Result<Vec<Column>> {
        let told = self.texts(&format!("show columns from `{table}`"))?;
        told.iter()
            .map(|line| {
                let words: Vec<&str> = line.split('\t').collect();
                let [name, kind, _, key, ..] = words[..] else {
                    bail!("a column of {table}: {line}");
                };
                Ok(Column {
                    name: name.to_owned(),
                    kind: kind.to_owned(),
                    is_key: key == "PRI",
                })
            })
            .collect()
    }
}

impl Source for Mysql {
    fn key(&mut self, table: &str) -> anyhow::Result<Vec<String>> {
        let columns = self.columns(table)?.into_iter();
        let key = columns.filter(|column| column.is_key);
        Ok(key.map(|column| column.name).collect())
    }

    fn rows(&mut self, table: &str) -> anyhow::Result<Vec<Exact>> {
        let columns = self.columns(table)?;
        let members: Vec<String> = columns
            .iter()
            .map(|Column { name, kind, .. }| {
                format!("'{name}', {}", spelled(&format!("`{name}`"), kind))
            })
            .collect();
        let rows = self.texts(&format!(
            "select json_object({}) from `{table}`",
            members.join(", ")
        ))?;
        rows.iter()
            .map(|row| Exact::parse(row).with_context(|| format!("a row as JSON: {row}")))
            .collect()
    }
}

/// An expression whose JSON is what Rowtide answers for the column.
fn spelled(column: &str, whole: &str) -> String {
    let kind = whole.split(['(', ' ']).next().unwrap_or_default();
    // A fraction only as long as it needs to be.
    let short = |text: String| format!("trim(trailing '.' from trim(trailing '0' from {text}))");
    match kind {
        "decimal" | "date" => format!("cast({column} as char)"),
        "datetime" => short(format!("date_format({column}, '%Y-%m-%dT%H:%i:%s.%f')")),
        "timestamp" => format!(
            "concat({}, 'Z')",
            short(format!("date_format({column}, '%Y-%m-%dT%H:%i:%s.%f')"))
        ),
        "time" => short(format!("cast(cast({column} as time(6)) as char)")),
        "year" => format!("{column} + 0"),
        // As a number of four bytes, which has fewer digits than one of eight.
        "float" => format!("json_extract(cast({column} as char), '$')"),
        "bit" if whole == "bit(1)" => {
            format!("json_extract(case {column} when 1 then 'true' when 0 then 'false' end, '$')")
        }
        "bit" => {
            let length = whole.trim_start_matches("bit(").trim_end_matches(')');
            format!("lpad(bin({column} + 0), {length}, '0')")
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            format!("replace(to_base64({column}), '\\n', '')")
        }
        "set" => format!(
            "json_extract(if({column} = '', '[]', concat('[\"', replace({column}, ',', '\",\"'), '\"]')), '$')"
        ),
        "geometry" | "point" => format!(
            "json_extract(if({column} is null, null, json_object('srid', nullif(st_srid({column}), 0), 'wkb', replace(to_base64(st_aswkb({column})), '\\n', ''))), '$')"
        ),
        // What MariaDB calls JSON is text to everybody else.
        "longtext" => format!("concat({column}, '')"),
        _ => column.to_owned(),
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        // A server that is down keeps it: the next `stack clean` does not.
        let _ = self.ask("", &format!("drop database {}", self.name));
    }
}
