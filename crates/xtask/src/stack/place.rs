//! Where a stack lies, and on which ports its parts listen.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Context;

use super::part::Part;

const FIRST_PORT: u16 = 29_000;

/// What listens, each on the port so many after the stack's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Postgres = 0,
    Kafka = 1,
    KafkaController = 2,
    Connect = 3,
    Registry = 4,
    Mariadb = 5,
    Mysql = 6,
    Toxiproxy = 7,
    /// Toxiproxy's own, in front of [`Self::KafkaBehindProxy`]; the broker tells clients this address.
    KafkaProxied = 8,
    KafkaTls = 9,
    KafkaSasl = 10,
    KafkaBehindProxy = 11,
}

pub struct Place {
    project: PathBuf,
    folder: PathBuf,
    first_port: u16,
    lives: Lives,
}

/// For how long servers are started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lives {
    /// Minutes, with as little work before and beside what is asked of them as can be: for tests.
    #[default]
    Short,
    /// As those who use them have them, once they have run for a while: for measuring.
    Long,
}

impl Place {
    /// `STACK_DIR` and `STACK_PORT`, so that several stacks can run beside each other.
    pub fn from_environment(project: &Path) -> anyhow::Result<Self> {
        let project = project.canonicalize()?;
        let folder =
            env::var_os("STACK_DIR").map_or_else(|| project.join("target/stack"), PathBuf::from);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make STACK_DIR {}", folder.display()))?;
        let first_port = match env::var("STACK_PORT") {
            Ok(port) => port.parse().with_context(|| {
                format!("STACK_PORT is {port:?}: give the first of 12 free ports, such as 29000")
            })?,
            Err(_) => FIRST_PORT,
        };
        Ok(Self::at(project, folder.canonicalize()?, first_port))
    }

    pub fn at(project: PathBuf, folder: PathBuf, first_port: u16) -> Self {
        Self {
            project,
            folder,
            first_port,
            lives: Lives::default(),
        }
    }

    /// The same, where servers are started for so long.
    pub fn with_lives(self, lives: Lives) -> Self {
        Self { lives, ..self }
    }

    pub fn lives(&self) -> Lives {
        self.lives
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn first_port(&self) -> u16 {
        self.first_port
    }

    /// The project's own folder.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// A file of the project that says what a part is.
    pub fn recipe(&self, name: &str) -> PathBuf {
        self.project.join("tests/stack").join(name)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the part stores.
    pub fn data(&self, part: Part) -> PathBuf {
        self.path(&format!("data-{part}"))
    }

    /// Where the part puts what it needs for a moment.
    pub fn temporary(&self, part: Part) -> PathBuf {
        self.path(&format!("tmp-{part}"))
    }

    pub fn log(&self, part: Part) -> PathBuf {
        self.path(&format!("{part}.log"))
    }

    pub fn port(&self, listener: Listener) -> u16 {
        self.first_port + listener as u16
    }

    /// As a person writes it down.
    pub fn address(&self, part: Part) -> String {
        let at = |listener| format!("127.0.0.1:{}", self.port(listener));
        match part {
            Part::Postgres => at(Listener::Postgres),
            Part::Mariadb => at(Listener::Mariadb),
            Part::Mysql => at(Listener::Mysql),
            Part::Kafka => at(Listener::Kafka),
            Part::Registry => format!("http://{}/apis/ccompat/v7", at(Listener::Registry)),
            Part::Connect => format!("http://{}", at(Listener::Connect)),
            Part::Toxiproxy => format!("http://{}", at(Listener::Toxiproxy)),
        }
    }

    /// Writes a configuration from its recipe, with `{name}` replaced by what this place has for it.
    pub fn configure(&self, recipe: &str) -> anyhow::Result<PathBuf> {
        let from = self.recipe(&format!("conf/{recipe}"));
        let mut text =
            fs::read_to_string(&from).with_context(|| format!("cannot read {}", from.display()))?;
        let ports = [
            ("kafka_port", Listener::Kafka),
            ("controller_port", Listener::KafkaController),
            ("connect_port", Listener::Connect),
            ("postgres_port", Listener::Postgres),
            ("proxied_port", Listener::KafkaProxied),
            ("behind_proxy_port", Listener::KafkaBehindProxy),
            ("tls_port", Listener::KafkaTls),
            ("sasl_port", Listener::KafkaSasl),
        ];
        for (name, listener) in ports {
            text = text.replace(&format!("{{{name}}}"), &self.port(listener).to_string());
        }
        text = text.replace("{folder}", &self.folder.display().to_string());
        let to = self.path(recipe);
        fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
        Ok(to)
    }
}
