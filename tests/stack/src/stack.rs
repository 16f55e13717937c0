//! Where the servers are, and how a test has its own place on them.

use std::env;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::connect::{Connect, Connector};
use crate::follower::Follower;
use crate::mysql::{Flavour, Mysql};
use crate::postgres::Postgres;
use crate::registration::Registration;
use crate::topics::Topics;
use crate::toxiproxy::Network;

const FIRST_PORT: u16 = 29_000;

/// The servers of `cargo xtask stack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Postgres,
    Kafka,
    Connect,
    Registry,
    Mariadb,
    Mysql,
    Toxiproxy,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Connect => "connect",
            Self::Registry => "registry",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::Toxiproxy => "toxiproxy",
        }
    }

    /// How many ports after the stack's first one.
    fn port_offset(self) -> u16 {
        match self {
            Self::Postgres => 0,
            Self::Kafka => 1,
            Self::Connect => 3,
            Self::Registry => 4,
            Self::Mariadb => 5,
            Self::Mysql => 6,
            Self::Toxiproxy => 7,
        }
    }
}

/// The running servers, at `STACK_PORT` and the ports after it.
#[derive(Clone, Debug)]
pub struct Stack {
    first_port: u16,
}

impl Stack {
    pub fn from_env() -> anyhow::Result<Self> {
        let first_port = match env::var("STACK_PORT") {
            Ok(port) => port
                .parse()
                .with_context(|| format!("STACK_PORT is {port:?}, which is no port"))?,
            Err(_) => FIRST_PORT,
        };
        Ok(Self { first_port })
    }

    /// Where the part listens, if it does.
    pub fn port(&self, part: Part) -> anyhow::Result<u16> {
        let port = self.first_port + part.port_offset();
        ensure!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            "no {name} at 127.0.0.1:{port}: `STACK_PORT={} cargo xtask stack start {name}` starts it, `cargo xtask stack test` starts all and runs the tests",
            self.first_port,
            name = part.name(),
        );
        Ok(port)
    }

    /// The broker's plain listener.
    pub fn brokers(&self) -> anyhow::Result<String> {
        Ok(format!("127.0.0.1:{}", self.port(Part::Kafka)?))
    }

    /// The broker through Toxiproxy.
    pub fn proxied_brokers(&self) -> String {
        format!("127.0.0.1:{}", self.first_port + 8)
    }

    /// The broker's listener with TLS; its certificate is signed by [`Self::authority`].
    pub fn tls_brokers(&self) -> String {
        format!("127.0.0.1:{}", self.first_port + 9)
    }

    /// The broker's listener with TLS and a login: `rowtide`, `rowtide-password`, with PLAIN or SCRAM-SHA-512.
    pub fn login_brokers(&self) -> String {
        format!("127.0.0.1:{}", self.first_port + 10)
    }

    /// The certificate that clients of the listeners with TLS must trust.
    pub fn authority(&self) -> PathBuf {
        folder().join("tls/authority.pem")
    }

    /// The network behind [`Self::proxied_brokers`].
    pub fn network(&self) -> anyhow::Result<Network> {
        Ok(Network::at(self.port(Part::Toxiproxy)?))
    }

    pub fn topics(&self) -> anyhow::Result<Topics> {
        Ok(Topics::of(self.brokers()?, folder()))
    }

    /// The registry's own address.
    pub fn registry(&self) -> anyhow::Result<String> {
        let port = self.port(Part::Registry)?;
        Ok(format!("http://127.0.0.1:{port}"))
    }

    /// Where the registry answers as Confluent's does.
    pub fn registry_url(&self) -> anyhow::Result<String> {
        Ok(format!("{}/apis/ccompat/v7", self.registry()?))
    }

    pub fn connect(&self) -> anyhow::Result<Connect> {
        Ok(Connect::at(self.port(Part::Connect)?))
    }

    /// A new database of PostgreSQL, by a name that begins so.
    pub fn postgres(&self, name: &str) -> anyhow::Result<Postgres> {
        Postgres::create(self, &unique(name))
    }

    /// A new database of MySQL or MariaDB, by a name that begins so.
    pub fn mysql(&self, flavour: Flavour, name: &str) -> anyhow::Result<Mysql> {
        Mysql::create(self, flavour, &unique(name))
    }

    /// A connector that runs: its snapshot may still be on its way.
    pub fn register(&self, registration: &Registration) -> anyhow::Result<Connector> {
        let connector = self.connect()?.register(registration)?;
        connector.until_running()?;
        Ok(connector)
    }

    /// A Rowtide that follows all topics of a connector with this prefix.
    pub fn follow(&self, prefix: &str) -> anyhow::Result<Follower> {
        self.follow_with(prefix, "")
    }

    /// The same with more settings: keys of the source first, then other sections.
    pub fn follow_with(&self, prefix: &str, settings: &str) -> anyhow::Result<Follower> {
        Follower::start(&self.brokers()?, prefix, settings)
    }

    /// Starts, stops or kills parts as an operator would: `["stop", "kafka"]`. For tests that no other test runs
    /// beside.
    pub fn operate(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = if let Some(xtask) = env::var_os("STACK_XTASK") {
            Command::new(xtask)
        } else {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["run", "--quiet", "--package", "xtask", "--"]);
            cargo
        };
        let output = command
            .arg("stack")
            .args(arguments)
            .env("STACK_PORT", self.first_port.to_string())
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()
            .context("cannot run xtask")?;
        ensure!(
            output.status.success(),
            "xtask stack {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

fn folder() -> PathBuf {
    env::var_os("STACK_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/stack")),
        PathBuf::from,
    )
}

/// A name that no other test and no earlier run has: topics outlive their tests.
fn unique(name: &str) -> String {
    let letters: String = std::iter::repeat_with(fastrand::lowercase)
        .take(7)
        .collect();
    format!("{name}_{letters}")
}
