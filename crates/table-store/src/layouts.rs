//! Where columns lie in rows of each shape.

use std::collections::HashMap;
use std::sync::Arc;

use row_model::{SchemaHistory, SchemaId, Version};

/// Where some columns lie in rows of each shape, looked up by name once a shape.
#[derive(Debug)]
pub struct Layouts {
    history: Arc<SchemaHistory>,
    names: Arc<[String]>,
    /// Of shapes met before.
    known: HashMap<SchemaId, Arc<[Option<usize>]>>,
    /// Of the shape met last: nearly every row has it.
    last: Option<(SchemaId, Arc<[Option<usize>]>)>,
}

impl Layouts {
    #[must_use]
    pub fn new(history: Arc<SchemaHistory>, names: Arc<[String]>) -> Self {
        Self {
            history,
            names,
            known: HashMap::new(),
            last: None,
        }
    }

    /// The place of each column; `None` for one that rows of this shape lack.
    pub fn of(&mut self, shape: SchemaId) -> &[Option<usize>] {
        self.turn_to(shape);
        self.places()
    }

    /// Makes [`places`](Self::places) those of a shape.
    pub fn turn_to(&mut self, shape: SchemaId) {
        if self.last.as_ref().is_none_or(|(last, _)| *last != shape) {
            let known = self.known.get(&shape);
            let places = known.map_or_else(|| self.look_up(shape), Arc::clone);
            // Most readers meet one shape, and never come to this.
            if let Some((before, places)) = self.last.replace((shape, places)) {
                self.known.insert(before, places);
            }
        }
    }

    /// Of the shape turned to last.
    #[must_use]
    pub fn places(&self) -> &[Option<usize>] {
        self.last.as_ref().map_or(&[], |(_, places)| places)
    }

    /// A row, with the places of its shape.
    pub fn laid_out(&mut self, version: Version) -> (Version, Arc<[Option<usize>]>) {
        self.turn_to(version.schema());
        let places = self.last.as_ref().map(|(_, places)| Arc::clone(places));
        (version, places.unwrap_or_default())
    }

    fn look_up(&self, shape: SchemaId) -> Arc<[Option<usize>]> {
        let written = self.history.get(shape);
        let place = |name: &String| written.as_ref()?.column(name);
        self.names.iter().map(place).collect()
    }
}
