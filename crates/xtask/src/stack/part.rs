//! The servers that the stack is made of.

use std::fmt;

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Postgres,
    Mariadb,
    Mysql,
    Kafka,
    Registry,
    Connect,
    Toxiproxy,
}

impl Part {
    pub const ALL: [Self; 7] = [
        Self::Postgres,
        Self::Mariadb,
        Self::Mysql,
        Self::Kafka,
        Self::Registry,
        Self::Connect,
        Self::Toxiproxy,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::Kafka => "kafka",
            Self::Registry => "registry",
            Self::Connect => "connect",
            Self::Toxiproxy => "toxiproxy",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
