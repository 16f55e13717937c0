//! Kafka Connect's connectors, as its REST API tells them.

use std::collections::BTreeMap;

/// What one Connect cluster says.
#[derive(Clone, Debug, Default)]
pub struct ConnectFacts {
    /// Debezium's source connectors only.
    pub connectors: Vec<Connector>,
}

/// A connector, with the settings it was registered with. Values of secrets are left out.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    pub name: String,
    pub settings: BTreeMap<String, String>,
    /// `RUNNING`, `PAUSED`, `STOPPED`, `FAILED`, `UNASSIGNED`.
    pub state: String,
    pub trace: Option<String>,
    pub tasks: Vec<Task>,
    /// What Connect says against settings of the producer for this connector alone, if it does.
    pub overrides_refused: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Task {
    pub id: i64,
    pub state: String,
    pub trace: Option<String>,
}

/// What a connector reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    Postgres,
    MySql,
    MariaDb,
    Other,
}

impl Connector {
    pub fn setting(&self, name: &str) -> Option<&str> {
        let value = self.settings.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    pub fn is(&self, name: &str, wanted: &str) -> bool {
        self.setting(name)
            .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    }

    /// A setting that is a number, or what holds where it is none.
    pub fn number(&self, name: &str, default: i64) -> i64 {
        let written = self.setting(name);
        written
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    }

    pub fn kind(&self) -> DatabaseKind {
        let class = self.setting("connector.class").unwrap_or_default();
        let class = class.rsplit('.').next().unwrap_or_default();
        match class {
            _ if class.starts_with("Postgres") => DatabaseKind::Postgres,
            _ if class.starts_with("MySql") => DatabaseKind::MySql,
            _ if class.starts_with("MariaDb") => DatabaseKind::MariaDb,
            _ => DatabaseKind::Other,
        }
    }

    /// What stands before the names of its topics.
    pub fn prefix(&self) -> Option<&str> {
        // The second is its name before Debezium 2.
        self.setting("topic.prefix")
            .or_else(|| self.setting("database.server.name"))
    }

    pub fn slot(&self) -> &str {
        self.setting("slot.name").unwrap_or("debezium")
    }

    pub fn publication(&self) -> &str {
        self.setting("publication.name")
            .unwrap_or("dbz_publication")
    }

    /// A line of its settings, as it is written in JSON.
    pub fn line(name: &str, value: &str) -> String {
        format!("\"{name}\": \"{value}\"")
    }

    /// How a setting is told: with its value, or that it has none.
    pub fn told(&self, name: &str, default: &str) -> String {
        match self.setting(name) {
            Some(value) => format!("{name}={value}"),
            None => format!("{name} is not set, so it is {default}"),
        }
    }

    /// The names of its transforms of this class, as they stand in the names of their settings.
    pub fn transforms(&self, class: &str) -> Vec<&str> {
        let names = self.setting("transforms").unwrap_or_default().split(',');
        let names = names.map(str::trim);
        names
            .filter(|name| {
                let of = self.setting(&format!("transforms.{name}.type"));
                of.is_some_and(|of| of.rsplit('.').next() == Some(class))
            })
            .collect()
    }
}
