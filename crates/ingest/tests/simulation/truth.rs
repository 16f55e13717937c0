//! What the tables of a database hold after any part of their log, kept the naive way.
//!
//! Invariant: every change has a place in the log and one place in the database's order; applying
//! those that were read in that order is the truth about it, however often the log repeats itself.

use std::collections::BTreeMap;

/// The rows of a table by their ids, in words.
pub type Rows = BTreeMap<i64, String>;
/// A partition and an offset in it.
pub type Place = (i32, u64);

/// A change as the database made it, and where its records first came to lie: one of most changes,
/// two of a changed key.
struct Happened {
    topic: usize,
    places: Vec<Place>,
    what: What,
    /// How many full snapshots had begun before.
    scans: u32,
}

/// What a change does to a table.
pub enum What {
    Upsert(i64, String),
    Delete(i64),
    /// Rows are under other keys now. Where one arrives over another, that one's move follows.
    Move(Vec<Move>),
    Truncate,
}

/// A row goes from one key to another.
pub struct Move {
    pub from: i64,
    pub to: i64,
    pub row: String,
    /// Where its leaving lies, and its arrival.
    pub halves: [Place; 2],
}

/// A full snapshot as far as one table is concerned.
pub struct Scan {
    pub topic: usize,
    pub number: u32,
    /// Its rows, the last of which closed it.
    pub places: Vec<Place>,
}

/// The history of a database.
#[derive(Default)]
pub struct Truth {
    history: Vec<Happened>,
    /// Full snapshots that named a table's rows to the last, oldest first.
    ended: Vec<Scan>,
    /// Full snapshots that were begun.
    pub scans: u32,
}

impl Truth {
    pub fn happened(&mut self, topic: usize, places: Vec<Place>, what: What) {
        self.history.push(Happened {
            topic,
            places,
            what,
            scans: self.scans,
        });
    }

    pub fn ended(&mut self, scan: Scan) {
        self.ended.push(scan);
    }

    /// What a topic's table holds after the records for which `is_read` holds, if the full snapshot
    /// of this number has swept it: what was not told since that began is gone. A key changes when both
    /// halves have been read: whoever shows one without the other is wrong.
    pub fn rows_after(&self, topic: usize, swept: u32, is_read: impl Fn(i32, u64) -> bool) -> Rows {
        let mut rows: BTreeMap<i64, (&str, u32)> = BTreeMap::new();
        for happened in &self.history {
            let told = happened.scans;
            let are_read = |places: &[Place]| places.iter().all(|place| is_read(place.0, place.1));
            let is_move = matches!(happened.what, What::Move(_));
            if happened.topic != topic || !(is_move || are_read(&happened.places)) {
                continue;
            }
            match &happened.what {
                What::Upsert(id, row) => {
                    rows.insert(*id, (row, told));
                }
                What::Delete(id) => {
                    rows.remove(id);
                }
                What::Move(moves) => {
                    let mut next = true;
                    let mut done: Vec<&Move> = Vec::new();
                    for it in moves.iter().rev() {
                        next = are_read(&it.halves) && (next || !rows.contains_key(&it.to));
                        done.extend(next.then_some(it));
                    }
                    for it in &done {
                        rows.remove(&it.from);
                    }
                    rows.extend(done.iter().map(|it| (it.to, (&*it.row, told))));
                }
                What::Truncate => rows.clear(),
            }
        }
        let left = rows.into_iter().filter(|(_, (_, told))| *told >= swept);
        left.map(|(id, (row, _))| (id, row.to_owned())).collect()
    }

    /// Whether a row was ever what it is said to be.
    pub fn was_told(&self, topic: usize, (id, row): (&i64, &String)) -> bool {
        let of_topic = self.history.iter().filter(|it| it.topic == topic);
        of_topic.map(|it| &it.what).any(|what| match what {
            What::Upsert(told, was) => (told, was) == (id, row),
            What::Move(moves) => moves.iter().any(|it| (&it.to, &it.row) == (id, row)),
            What::Delete(_) | What::Truncate => false,
        })
    }

    /// Full snapshots of a topic that may have swept it: those whose last row was read, and which
    /// have named all of theirs.
    pub fn may_have_swept(
        &self,
        topic: usize,
        is_read: impl Fn(i32, u64) -> bool,
    ) -> impl Iterator<Item = u32> {
        let of_topic = self.ended.iter().filter(move |scan| scan.topic == topic);
        of_topic
            .filter(move |scan| {
                let mut places = scan.places.iter();
                places.all(|(partition, offset)| is_read(*partition, *offset))
            })
            .map(|scan| scan.number)
    }

    /// Full snapshots of a topic that have rows in a partition from an offset on, and their last rows.
    pub fn scans_beyond(&self, topic: usize, from: Place) -> impl Iterator<Item = (u32, Place)> {
        let of_topic = self.ended.iter().filter(move |scan| scan.topic == topic);
        of_topic
            .filter(move |scan| {
                let mut places = scan.places.iter();
                places.any(|place| place.0 == from.0 && place.1 >= from.1)
            })
            .filter_map(|scan| Some((scan.number, *scan.places.last()?)))
    }

    /// The last full snapshot that has named a topic's rows.
    pub fn last_scan(&self, topic: usize) -> u32 {
        self.last_ended(topic).map_or(0, |scan| scan.number)
    }

    pub fn last_ended(&self, topic: usize) -> Option<&Scan> {
        let mut of_topic = self.ended.iter().rev();
        of_topic.find(|scan| scan.topic == topic)
    }

    /// Places of changes that have several, of one topic.
    pub fn spread(&self, topic: usize) -> impl Iterator<Item = &[Place]> {
        let of_topic = self.history.iter().filter(move |it| it.topic == topic);
        of_topic
            .map(|happened| &happened.places[..])
            .filter(|places| places.len() > 1)
    }
}
