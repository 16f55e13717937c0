//! The facts as rules ask for them: which connectors and tables are this source's.

use std::collections::BTreeSet;

use crate::Facts;
use crate::facts::{
    Connector, DatabaseKind, LogFacts, PostgresFacts, Publication, Table, TopicFacts,
};

pub(super) struct View<'a> {
    pub facts: &'a Facts,
    /// Those that write the topics which are followed; all, where none is known to.
    pub connectors: Vec<&'a Connector>,
}

impl<'a> View<'a> {
    pub fn new(facts: &'a Facts) -> Self {
        let connect = facts.connect.as_ref().and_then(|asked| asked.fact());
        let all = connect.map_or(&[][..], |facts| &facts.connectors);
        let prefixes = prefixes(facts);
        let ours = |connector: &&Connector| {
            let prefix = connector.prefix();
            prefix.is_some_and(|prefix| prefixes.contains(prefix))
        };
        let mut connectors: Vec<&Connector> = all.iter().filter(ours).collect();
        if connectors.is_empty() {
            connectors = all.iter().collect();
        }
        Self { facts, connectors }
    }

    /// Connectors of a database that was asked, or may be.
    pub fn connectors_of(
        &self,
        kinds: &'static [DatabaseKind],
    ) -> impl Iterator<Item = &'a Connector> {
        let connectors = self.connectors.iter().copied();
        connectors.filter(move |connector| kinds.contains(&connector.kind()))
    }

    /// Topics that make tables, of all sources.
    pub fn tables(&self) -> impl Iterator<Item = (&'a LogFacts, &'a TopicFacts)> {
        let logs = self.facts.logs.iter();
        logs.flat_map(|log| log.tables().map(move |topic| (log, topic)))
    }

    /// Those that a connector writes, as their names show.
    pub fn tables_of(
        &self,
        connector: &'a Connector,
    ) -> impl Iterator<Item = (&'a LogFacts, &'a TopicFacts)> {
        self.tables().filter(move |(_, topic)| {
            let prefix = connector.prefix().unwrap_or_default();
            let rest = topic.name.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with('.'))
        })
    }

    pub fn postgres(&self) -> Option<&'a PostgresFacts> {
        self.facts.postgres.as_ref()?.fact()
    }

    /// Tables of the database that are followed; all that are published, where no topic is known.
    pub fn captured(&self) -> Vec<&'a Table> {
        let Some(postgres) = self.postgres() else {
            return Vec::new();
        };
        let tables = postgres.tables.iter();
        if self.tables().next().is_some() {
            return tables
                .filter(|table| self.topic_of(table).is_some())
                .collect();
        }
        let published: BTreeSet<_> = self
            .publications()
            .into_iter()
            .flat_map(|publication| &publication.tables)
            .collect();
        tables
            .filter(|table| published.contains(&table.id()))
            .collect()
    }

    /// The topic that tells of a table: by what its records say, else by its name.
    pub fn topic_of(&self, table: &Table) -> Option<&'a TopicFacts> {
        let id = table.id();
        let end = format!(".{}.{}", harmless(&table.schema), harmless(&table.name));
        let topics = self.tables().map(|(_, topic)| topic);
        let mut topics = topics.filter(|topic| {
            let told = topic.tables();
            told.contains(&id) || (told.is_empty() && topic.name.ends_with(&end))
        });
        topics.next()
    }

    /// The publications that connectors read; where no connector is known, the one that Debezium makes, or else all.
    pub fn publications(&self) -> Vec<&'a Publication> {
        let all = self.postgres().map_or(&[][..], |facts| &facts.publications);
        let connectors = self.connectors_of(&[DatabaseKind::Postgres]);
        let named: BTreeSet<&str> = connectors.map(Connector::publication).collect();
        let usual = |publication: &&Publication| {
            if named.is_empty() {
                publication.name == "dbz_publication"
            } else {
                named.contains(publication.name.as_str())
            }
        };
        let ours: Vec<&Publication> = all.iter().filter(usual).collect();
        if ours.is_empty() && named.is_empty() {
            return all.iter().collect();
        }
        ours
    }
}

/// What stands before the names of all topics that are followed.
pub(super) fn prefixes(facts: &Facts) -> BTreeSet<String> {
    facts.logs.iter().flat_map(LogFacts::prefixes).collect()
}

/// A name as a topic has it.
fn harmless(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect()
}
