//! A schema registry in memory whose answers the test writes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{RegisteredSchema, RegistryError, RegistryId, SchemaLanguage, SchemaRegistry};
use parking_lot::{Condvar, Mutex};

/// What a registry of a test is called in errors.
pub const REGISTRY: &str = "http://registry:8081";

/// A request that gets no answer ends by itself after this many looks: a test that waits for it fails, and ends.
const HANG_LOOKS_MAX: u32 = 10_000;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Clones are the same registry.
#[derive(Clone, Default)]
pub struct ScriptedRegistry(Arc<(Mutex<RegistryState>, Condvar)>);

#[derive(Default)]
struct RegistryState {
    schemas: HashMap<RegistryId, RegisteredSchema>,
    down: Option<String>,
    hangs: bool,
    hanging: u32,
    asked: HashMap<RegistryId, u32>,
}

impl ScriptedRegistry {
    /// Registers an Avro schema.
    pub fn register(&self, id: u32, text: &str) {
        let schema = RegisteredSchema {
            language: SchemaLanguage::Avro,
            text: text.to_owned(),
            references: Vec::new(),
        };
        self.0.0.lock().schemas.insert(RegistryId(id), schema);
    }

    /// From now on it cannot be reached.
    pub fn go_down(&self, reason: &str) {
        self.0.0.lock().down = Some(reason.to_owned());
    }

    pub fn come_up(&self) {
        self.0.0.lock().down = None;
    }

    /// From now on it takes requests and answers none.
    pub fn hang(&self) {
        self.0.0.lock().hangs = true;
    }

    /// Answers again, also those that wait.
    pub fn go_on(&self) {
        self.0.0.lock().hangs = false;
        self.0.1.notify_all();
    }

    /// How many requests wait for an answer.
    pub fn hanging(&self) -> u32 {
        self.0.0.lock().hanging
    }

    /// How often a schema was asked for.
    pub fn asked(&self, id: u32) -> u32 {
        let state = self.0.0.lock();
        state.asked.get(&RegistryId(id)).copied().unwrap_or(0)
    }
}

impl SchemaRegistry for ScriptedRegistry {
    fn fetch(&mut self, id: RegistryId) -> Result<RegisteredSchema, RegistryError> {
        let (state, changed) = &*self.0;
        let mut state = state.lock();
        *state.asked.entry(id).or_default() += 1;
        state.hanging += 1;
        let mut looks = 0;
        while state.hangs && looks < HANG_LOOKS_MAX {
            changed.wait_for(&mut state, LOOK_EVERY);
            looks += 1;
        }
        state.hanging -= 1;
        let registry = REGISTRY.to_owned();
        if let Some(reason) = state.down.clone() {
            return Err(RegistryError::Unavailable {
                registry,
                id,
                reason,
            });
        }
        state.schemas.get(&id).cloned().ok_or_else(|| {
            let reason = format!("Schema {} not found", id.0);
            RegistryError::Unknown {
                registry,
                id,
                reason,
            }
        })
    }
}
