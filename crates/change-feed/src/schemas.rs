//! Schemas that live in a registry: records name them by number and do not carry them.
//!
//! Decoders stay pure: they look schemas up on a [`SchemaShelf`], and say which one is missing.
//! Whoever drives them has a [`SchemaRegistry`] bring it, and asks again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;

/// What records call a schema by. Numbers belong to one registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryId(pub u32);

/// The language a schema is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaLanguage {
    Avro,
    Protobuf,
    Json,
}

/// A schema as the registry holds it, with all that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredSchema {
    pub language: SchemaLanguage,
    pub text: String,
    /// The schemas it refers to, by the name it calls them: what one refers to comes before it.
    pub references: Vec<(String, String)>,
}

/// Why a schema could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry does not know this number, or says that what it holds is unusable: asking again does not help.
    #[error("the schema registry {registry} has no schema {id}: {reason}", id = .id.0)]
    Unknown {
        registry: String,
        id: RegistryId,
        reason: String,
    },
    /// The registry cannot be reached, refuses us, or answers what makes no sense. Asked again until it does.
    #[error("the schema registry {registry} does not give schema {id}: {reason}", id = .id.0)]
    Unavailable {
        registry: String,
        id: RegistryId,
        reason: String,
    },
}

/// Brings schemas. Blocking: called by a thread that does nothing else.
pub trait SchemaRegistry: Send {
    fn fetch(&mut self, id: RegistryId) -> Result<RegisteredSchema, RegistryError>;
}

/// The schemas of one registry that are at hand, shared by the decoders of a source. A number never
/// changes its meaning, so nothing is ever replaced.
#[derive(Debug, Default)]
pub struct SchemaShelf {
    /// Guards one look or one insertion. Decoders look once per number and keep what they found.
    schemas: RwLock<HashMap<RegistryId, Arc<ShelvedSchema>>>,
}

/// A schema, or why there will never be one.
pub type ShelvedSchema = Result<RegisteredSchema, String>;

impl SchemaShelf {
    #[must_use]
    pub fn get(&self, id: RegistryId) -> Option<Arc<ShelvedSchema>> {
        self.schemas.read().get(&id).cloned()
    }

    /// Forgets what the registry could not give, except these: whoever needs it has it asked for again.
    pub fn forget_unusable(&self, except: &BTreeSet<RegistryId>) {
        let mut schemas = self.schemas.write();
        schemas.retain(|id, schema| schema.is_ok() || except.contains(id));
    }

    pub fn put(&self, id: RegistryId, schema: ShelvedSchema) {
        self.schemas
            .write()
            .entry(id)
            .or_insert_with(|| Arc::new(schema));
    }
}
