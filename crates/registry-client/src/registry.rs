//! A schema with all it refers to, collected over HTTP.

use std::collections::HashSet;

use change_feed::{RegisteredSchema, RegistryError, RegistryId, SchemaRegistry};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{Reference, Refusal, SchemaAnswer};
use crate::connection::Connection;
use crate::{OptionsError, RegistryOptions, limits};

/// A registry that is spoken to over HTTP.
pub struct HttpRegistry {
    connection: Connection,
    name: String,
}

impl HttpRegistry {
    /// Reads certificates and keys; speaks to nobody yet.
    pub fn new(options: &RegistryOptions) -> Result<Self, OptionsError> {
        let connection = Connection::new(options)?;
        Ok(Self {
            name: connection.name(),
            connection,
        })
    }
}

impl SchemaRegistry for HttpRegistry {
    fn fetch(&mut self, id: RegistryId) -> Result<RegisteredSchema, RegistryError> {
        let registry = self.name.clone();
        self.collect(id).map_err(|refusal| match refusal {
            Refusal::NotThere(reason) => RegistryError::Unknown {
                registry,
                id,
                reason,
            },
            Refusal::Trouble(reason) => RegistryError::Unavailable {
                registry,
                id,
                reason,
            },
        })
    }
}

/// What was collected of one schema so far.
#[derive(Default)]
struct Collected {
    /// The names that were asked for. The first schema of a name counts, as in every other client.
    asked: HashSet<String>,
    references: Vec<(String, String)>,
    bytes: usize,
}

impl HttpRegistry {
    fn collect(&mut self, id: RegistryId) -> Result<RegisteredSchema, Refusal> {
        let answer = self.ask(&format!("/schemas/ids/{}", id.0))?;
        let language = answer.language().map_err(|name| {
            Refusal::NotThere(format!(
                "it is written in {name:?}, which rowtide cannot read"
            ))
        })?;
        let mut collected = Collected::default();
        collected.weigh(&answer)?;
        self.collect_references(answer.references, 1, &mut collected)?;
        Ok(RegisteredSchema {
            language,
            text: answer.schema,
            references: collected.references,
        })
    }

    /// Depth first, so that what a schema refers to comes before it. The depth is bounded.
    fn collect_references(
        &mut self,
        references: Vec<Reference>,
        depth: usize,
        collected: &mut Collected,
    ) -> Result<(), Refusal> {
        for reference in references {
            let Reference {
                name,
                subject,
                version,
            } = reference;
            if !collected.asked.insert(name.clone()) {
                continue;
            }
            if collected.asked.len() > limits::REFERENCES_MAX || depth > limits::REFERENCE_DEPTH_MAX
            {
                return Err(Refusal::NotThere(format!(
                    "it refers to more than {} others, or to one that is more than {} steps away",
                    limits::REFERENCES_MAX,
                    limits::REFERENCE_DEPTH_MAX
                )));
            }
            let escaped = utf8_percent_encode(&subject, NON_ALPHANUMERIC);
            let answer = self.ask(&format!("/subjects/{escaped}/versions/{version}"));
            let in_context = |reason| {
                format!(
                    "{name} that it refers to (version {version} of subject {subject}): {reason}"
                )
            };
            let answer = answer.map_err(|refusal| match refusal {
                Refusal::NotThere(reason) => Refusal::NotThere(in_context(reason)),
                Refusal::Trouble(reason) => Refusal::Trouble(in_context(reason)),
            })?;
            collected.weigh(&answer)?;
            self.collect_references(answer.references, depth + 1, collected)?;
            collected.references.push((name, answer.schema));
        }
        Ok(())
    }

    fn ask(&mut self, path: &str) -> Result<SchemaAnswer, Refusal> {
        let body = self.connection.get(path)?;
        SchemaAnswer::parse(&body).map_err(Refusal::Trouble)
    }
}

impl Collected {
    fn weigh(&mut self, answer: &SchemaAnswer) -> Result<(), Refusal> {
        self.bytes += answer.schema.len();
        if self.bytes <= limits::SCHEMA_BYTES_MAX {
            return Ok(());
        }
        Err(Refusal::NotThere(format!(
            "with all it refers to it is larger than {} bytes",
            limits::SCHEMA_BYTES_MAX
        )))
    }
}
