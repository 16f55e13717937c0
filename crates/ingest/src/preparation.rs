//! What is done to a topic's records before they are rows, and what follows when config changes it.
//! Pure: no disk, no log.
//!
//! Invariant: a table never holds rows of two preparations. What must no longer be seen is forgotten
//! whatever it costs; everything else is made anew only where the log still has all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Everything in config, and of the decoder, that decides what a record's row looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preparation {
    /// The declared key; empty: as the records have it.
    pub key: Vec<String>,
    pub drop: BTreeSet<String>,
    pub hash: BTreeSet<String>,
    /// Tells the key of the hashes from others, and nothing else of it; only where something is hashed.
    pub hash_key: Option<String>,
    pub types: BTreeMap<String, String>,
    /// Formats that are given instead of recognised.
    pub formats: Option<String>,
    /// Counts up when the decoder makes other rows of the same records.
    pub decoder: u32,
}

/// Tells the preparation of a source's topic.
#[derive(Clone)]
pub struct Preparations(Arc<PreparationOf>);

type PreparationOf = dyn Fn(&str, &str) -> Preparation + Send + Sync;

/// The rows of a table are not what config says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    /// The settings that changed.
    pub changed: Vec<&'static str>,
    /// Something is held that nobody may see any more: it goes, whatever the log still has.
    pub forced: bool,
}

impl Preparation {
    /// True if nobody may see all of a record.
    #[must_use]
    pub fn hides(&self) -> bool {
        !self.drop.is_empty() || !self.hash.is_empty()
    }

    /// The same before there were rules for columns and formats.
    pub(crate) fn without_rules(&self) -> Self {
        Self {
            key: self.key.clone(),
            decoder: self.decoder,
            ..Self::default()
        }
    }
}

impl Preparations {
    pub fn new(of: impl Fn(&str, &str) -> Preparation + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }

    /// The preparation of this source's topic.
    #[must_use]
    pub fn of(&self, source: &str, topic: &str) -> Preparation {
        (self.0)(source, topic)
    }
}

impl Default for Preparations {
    fn default() -> Self {
        Self::new(|_, _| Preparation::default())
    }
}

impl fmt::Debug for Preparations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preparations(…)")
    }
}

impl fmt::Display for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what is done to its records has changed ({})",
            self.changed.join(", ")
        )
    }
}

/// What config's change means for a table whose rows were made by `saved`.
#[must_use]
pub fn decide_rebuild(saved: &Preparation, now: &Preparation) -> Option<Rebuild> {
    let hash_key_changed = !now.hash.is_empty() && saved.hash_key != now.hash_key;
    let differences = [
        ("key", saved.key != now.key),
        ("columns.drop", saved.drop != now.drop),
        ("columns.hash", saved.hash != now.hash),
        (
            "secrets.hash_key",
            !saved.hash.is_empty() && hash_key_changed,
        ),
        ("columns.types", saved.types != now.types),
        ("formats", saved.formats != now.formats),
        ("the decoder of this version", saved.decoder != now.decoder),
    ];
    let changed = differences.into_iter().filter(|(_, differs)| *differs);
    let changed: Vec<&'static str> = changed.map(|(name, _)| name).collect();
    let is_newly_dropped = now.drop.iter().any(|column| !saved.drop.contains(column));
    let was_hidden = |column: &String| saved.drop.contains(column) || saved.hash.contains(column);
    let is_newly_hashed = now.hash.iter().any(|column| !was_hidden(column));
    let forced = is_newly_dropped || is_newly_hashed || hash_key_changed;
    (!changed.is_empty()).then_some(Rebuild { changed, forced })
}

/// A preparation in a checkpoint. Names and fingerprints only.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PreparationNote {
    key: Vec<String>,
    drop: BTreeSet<String>,
    hash: BTreeSet<String>,
    hash_key: Option<String>,
    types: BTreeMap<String, String>,
    formats: Option<String>,
    decoder: u32,
}

impl PreparationNote {
    pub fn of(preparation: &Preparation) -> Self {
        let Preparation {
            key,
            drop,
            hash,
            hash_key,
            types,
            formats,
            decoder,
        } = preparation.clone();
        Self {
            key,
            drop,
            hash,
            hash_key,
            types,
            formats,
            decoder,
        }
    }

    pub fn restore(&self) -> Preparation {
        Preparation {
            key: self.key.clone(),
            drop: self.drop.clone(),
            hash: self.hash.clone(),
            hash_key: self.hash_key.clone(),
            types: self.types.clone(),
            formats: self.formats.clone(),
            decoder: self.decoder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn hidden(drop: &[&str], hash: &[&str], key: &str) -> Preparation {
        Preparation {
            drop: set(drop),
            hash: set(hash),
            hash_key: (!hash.is_empty()).then(|| key.to_owned()),
            ..Preparation::default()
        }
    }

    /// The settings that changed, and whether what is held must go at all costs.
    fn decided(saved: &Preparation, now: &Preparation) -> Option<(Vec<&'static str>, bool)> {
        decide_rebuild(saved, now).map(|rebuild| (rebuild.changed, rebuild.forced))
    }

    #[test]
    fn what_was_seen_and_may_not_be_any_more_goes_at_all_costs() {
        let open = Preparation::default();
        let dropped = hidden(&["a"], &[], "");
        let hashed = hidden(&[], &["a"], "k");
        assert_eq!(decided(&open, &open), None);
        assert_eq!(decided(&open, &dropped), Some((vec!["columns.drop"], true)));
        assert_eq!(decided(&open, &hashed), Some((vec!["columns.hash"], true)));
        let both = vec!["columns.drop", "columns.hash"];
        assert_eq!(decided(&hashed, &dropped), Some((both.clone(), true)));
        assert_eq!(
            decided(&hashed, &hidden(&[], &["a"], "l")),
            Some((vec!["secrets.hash_key"], true))
        );
        // What was not there, or not to be read, cannot have been seen.
        assert_eq!(
            decided(&dropped, &open),
            Some((vec!["columns.drop"], false))
        );
        assert_eq!(decided(&hashed, &open), Some((vec!["columns.hash"], false)));
    }

    #[test]
    fn every_other_change_waits_for_the_log() {
        let open = Preparation::default();
        let mut now = open.clone();
        now.key = vec!["id".to_owned()];
        now.types.insert("at".to_owned(), "timestamp".to_owned());
        now.formats = Some("json".to_owned());
        now.decoder = 2;
        let all = vec![
            "key",
            "columns.types",
            "formats",
            "the decoder of this version",
        ];
        assert_eq!(decided(&open, &now), Some((all, false)));
        // A checkpoint that says nothing is from before there were rules.
        assert_eq!(
            decided(&now.without_rules(), &now),
            Some((vec!["columns.types", "formats"], false))
        );
    }

    #[test]
    fn preparations_read_back() {
        let mut preparation = hidden(&["a"], &["b"], "k");
        preparation.types.insert("c".to_owned(), "date".to_owned());
        preparation.decoder = 3;
        let text = serde_json::to_string(&PreparationNote::of(&preparation)).unwrap();
        let note: PreparationNote = serde_json::from_str(&text).unwrap();
        assert_eq!(note.restore(), preparation);
    }
}
