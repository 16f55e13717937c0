//! Where the connector tells its transactions, in some of the databases: each step is one.

use std::collections::BTreeMap;

use testkit::connector::boundary;
use testkit::scripted_source::PlannedRecord;

use super::{Database, has};
use crate::coverage::Happening;
use crate::truth::Place;

pub const BOUNDARIES: &str = "s.transaction";

/// Records of the transaction that is being written, and of those before it.
#[derive(Default)]
pub struct Boundaries {
    open: Option<Open>,
    /// The topics and places of each transaction's changes.
    pub written: Vec<Vec<(usize, Place)>>,
}

#[derive(Default)]
struct Open {
    events: BTreeMap<&'static str, u64>,
    places: Vec<(usize, Place)>,
}

impl Database {
    /// A change becomes one of a transaction, where the connector tells any.
    pub(super) fn of_transaction(&mut self, topic: usize, record: PlannedRecord) -> PlannedRecord {
        let value = record.value.as_deref().unwrap_or_default();
        let is_event = has(value, r#""transaction":null"#) && !has(value, r#""op":"r""#);
        let Some(boundaries) = self.boundaries.as_mut().filter(|_| is_event) else {
            return record;
        };
        let table = &self.topics[topic];
        let offset = table.written[record.partition as usize].len() as u64;
        if boundaries.open.is_none() {
            let begins = boundary(BOUNDARIES, self.transaction, None);
            self.log.append(&[begins]);
        }
        let open = boundaries.open.get_or_insert_default();
        let (_, collection) = table.name.split_once('.').unwrap_or_default();
        *open.events.entry(collection).or_default() += 1;
        open.places.push((topic, (record.partition, offset)));
        record.within(self.transaction, open.places.len() as u64)
    }

    /// What was written since the last one ended was a transaction. Rarely nobody says so.
    pub(super) fn end_transaction(&mut self, rng: &mut fastrand::Rng) {
        let Some(boundaries) = &mut self.boundaries else {
            return;
        };
        let Some(open) = boundaries.open.take() else {
            return;
        };
        boundaries.written.push(open.places);
        if rng.u32(..20) == 0 {
            let id = self.transaction;
            self.trace.count(Happening::EndLost, format_args!("{id}"));
            return;
        }
        let events: Vec<(&str, u64)> = open.events.into_iter().collect();
        let ends = boundary(BOUNDARIES, self.transaction, Some(&events));
        self.log.append(&[ends]);
    }
}
