//! `rowtide doctor`: what is wrong or risky between the database and the tables, and the line that mends it.
//!
//! Only brings together who is asked ([`examiner`]), what is judged ([`doctor`]) and how it is told.

mod report;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use config::{Config, ConfigArgs, Reads, SourceConfig, TableConfig};
use doctor::facts::{Asked, LogFacts, MySqlFacts};
use doctor::rules::{self, Scope};
use doctor::{Facts, Finding};
use examiner::{PostgresAddress, SourceToAsk};
use registry_client::{RegistryAddress, RegistryOptions};
use telemetry::clock;

use crate::failure::Failure;
use crate::output::{self, Style};
use crate::source;

pub use report::{json, text};

/// Settings of a server are some tens of kilobytes.
const VARIABLES_BYTES_MAX: u64 = 4 << 20;

#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Kafka Connect's REST API, to look at the connectors too: `http://user:password@host:8083`
    #[arg(
        long,
        value_name = "URL",
        env = "ROWTIDE_CONNECT_URL",
        hide_env_values = true
    )]
    connect_url: Option<String>,

    /// The source database, to look at it too: `postgres://user:password@host:5432/database`
    #[arg(long, value_name = "URL", env = "ROWTIDE_DSN", hide_env_values = true)]
    dsn: Option<String>,

    /// What `mysql -N -e "SHOW GLOBAL VARIABLES"` wrote, for MySQL and MariaDB; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    mysql_variables: Option<PathBuf>,

    /// Print JSON, as is done anyway when the output is not a terminal
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    config: ConfigArgs,
}

/// Who is asked beside the brokers.
#[derive(Default)]
struct Others {
    connect: Option<RegistryOptions>,
    postgres: Option<PostgresAddress>,
    mysql: Option<MySqlFacts>,
}

pub fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let others = Others::new(args)?;
    let sources = if others.is_enough_for(&args.config) {
        Vec::new()
    } else {
        sources_to_ask(&config::load(&args.config, &config::process_environment())?)
    };
    let not_asked = others.not_asked();
    let findings = examine(&sources, others, Scope::Everything)?;
    match Style::choose(args.json) {
        Style::Json => output::print(&json(&findings).to_string())?,
        Style::Human { color } => {
            let mut told = text(&findings, color);
            if !not_asked.is_empty() {
                let _ = write!(told, "\n\nNot asked: {}.", not_asked.join(", "));
            }
            output::print(&told)?;
        }
    }
    verdict(&findings)
}

/// What `rowtide check --connect` finds: whether what the configuration names is there.
pub fn reach(config: &Config) -> Result<Vec<Finding>, Failure> {
    examine(&sources_to_ask(config), Others::default(), Scope::Reach)
}

/// An exit code for scripts: whether somebody has to act.
pub fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let needing = findings
        .iter()
        .filter(|finding| finding.rule.severity.needs_somebody());
    match needing.count() {
        0 => Ok(()),
        1 => Err(anyhow!("one thing is wrong or risky").into()),
        count => Err(anyhow!("{count} things are wrong or risky").into()),
    }
}

fn examine(
    sources: &[(SourceToAsk, LogFacts)],
    others: Others,
    scope: Scope,
) -> Result<Vec<Finding>, Failure> {
    let mut facts = Facts::default();
    for (ask, known) in sources {
        facts.logs.push(examiner::log(ask, known.clone())?);
    }
    // After the records were read: none of them may seem to come from later.
    facts.now_ms = clock::now_ms();
    facts.connect = others.connect.as_ref().map(examiner::connect);
    facts.postgres = others.postgres.as_ref().map(examiner::postgres);
    facts.mysql = others.mysql;
    Ok(rules::check(&facts, scope))
}

impl Others {
    fn new(args: &DoctorArgs) -> Result<Self, Failure> {
        let connect = args.connect_url.as_deref().map(|url| {
            let address = RegistryAddress::parse(url)
                .map_err(|error| Failure::Usage(format!("--connect-url {error}")))?;
            let mut options = RegistryOptions::new(vec![address]);
            options.timeout = examiner::limits::REQUEST;
            Ok::<_, Failure>(options)
        });
        let postgres = args.dsn.as_deref().map(|dsn| {
            let is_mysql = ["mysql:", "mariadb:"].iter().any(|kind| dsn.starts_with(kind));
            if is_mysql {
                let help = "--dsn: only PostgreSQL can be asked; for MySQL and MariaDB give --mysql-variables";
                return Err(Failure::Usage(help.to_owned()));
            }
            PostgresAddress::parse(dsn).map_err(|error| Failure::Usage(format!("--dsn: {error}")))
        });
        Ok(Self {
            connect: connect.transpose()?,
            postgres: postgres.transpose()?,
            mysql: args.mysql_variables.as_deref().map(variables).transpose()?,
        })
    }

    /// Without brokers there is still something to look at.
    fn is_enough_for(&self, config: &ConfigArgs) -> bool {
        let names_source =
            config.config.is_some() || config.brokers.is_some() || !config.topics.is_empty();
        let is_any = self.connect.is_some() || self.postgres.is_some() || self.mysql.is_some();
        is_any && !names_source
    }

    fn not_asked(&self) -> Vec<&'static str> {
        let mut not = Vec::new();
        if self.connect.is_none() {
            not.push("Kafka Connect (--connect-url)");
        }
        if self.postgres.is_none() && self.mysql.is_none() {
            not.push("the database (--dsn, --mysql-variables)");
        }
        not
    }
}

fn variables(path: &Path) -> Result<MySqlFacts, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .take(VARIABLES_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path);
        file.and_then(|file| file.take(VARIABLES_BYTES_MAX).read_to_string(&mut text))
    };
    read.with_context(|| format!("--mysql-variables {}", path.display()))?;
    let parsed = MySqlFacts::parse(&text);
    parsed.map_err(|wrong| Failure::Usage(format!("--mysql-variables {}: {wrong}", path.display())))
}

/// The sources that read Kafka, with what is known of them beforehand.
fn sources_to_ask(config: &Config) -> Vec<(SourceToAsk, LogFacts)> {
    let sources = config.sources.iter();
    sources
        .filter_map(|source| source_to_ask(config, source))
        .collect()
}

fn source_to_ask(config: &Config, source: &SourceConfig) -> Option<(SourceToAsk, LogFacts)> {
    let Reads::Kafka { topics, .. } = &source.reads else {
        return None;
    };
    let ask = SourceToAsk {
        options: source::kafka_options(source)?,
        registry: source.registry.clone(),
    };
    let of_tables = |fits: fn(&TableConfig) -> bool| {
        let tables = config.tables.iter().filter(|table| fits(table));
        tables.map(|table| table.topic.clone()).collect()
    };
    let log = LogFacts {
        source: source.name.clone(),
        wanted: topics.clone(),
        heartbeat_topic: source.heartbeat_topic.clone(),
        transaction_topic: source.transaction_topic.clone(),
        heartbeat_table: source.heartbeat_table.clone(),
        placeholder: source.unavailable_value.text().to_owned(),
        bounded: of_tables(|table| table.keep.is_some()),
        typed: of_tables(|table| !table.columns.types.is_empty()),
        unserved: source.unserved_topics.iter().cloned().collect(),
        topics: Asked {
            address: ask.options.brokers.clone(),
            answer: Err("not asked".to_owned()),
        },
        missing: Vec::new(),
        registry: None,
    };
    Some((ask, log))
}
