//! Cuts that stay readable after newer ones: whoever was told of one can ask for it again for a while.
//!
//! A cut that nobody was told of is not among them, so what nobody reads costs nothing. The oldest one is a pin
//! that moves: versions which were replaced after it are kept. How much that is, is bounded, and the oldest
//! goes first. What time it is, is said by the writer.

use std::collections::VecDeque;
use std::sync::Arc;

use row_model::CutId;

use crate::cut::Cut;

/// For so long after a newer one has replaced it a cut can be asked for again.
pub const RETAINED_MS: i64 = 30_000;

/// When a cut is published, and what may be kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    pub now_ms: i64,
    /// Bytes of all versions that were ever set aside to be kept. It only grows: what a cut makes us keep is
    /// what it has grown by since.
    pub set_aside_bytes: u64,
    /// For versions and cuts together.
    pub bytes_max: u64,
}

/// Cuts that were replaced, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    cuts: VecDeque<RetainedCut>,
    /// Of the cuts themselves.
    bytes: u64,
}

#[derive(Debug)]
struct RetainedCut {
    cut: Arc<Cut>,
    bytes: u64,
    replaced_ms: i64,
    /// What had been set aside when it was published.
    set_aside_bytes: u64,
}

impl Retained {
    pub fn oldest(&self) -> Option<CutId> {
        self.cuts.front().map(|oldest| oldest.cut.id)
    }

    pub fn find(&self, id: CutId) -> Option<&Arc<Cut>> {
        let found = self.cuts.binary_search_by_key(&id, |kept| kept.cut.id);
        found.ok().map(|at| &self.cuts[at].cut)
    }

    /// Memory of the cuts themselves; their versions are accounted by the tables.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps a cut that was just replaced, if anybody may ask for it again.
    pub fn replaced(&mut self, cut: Arc<Cut>, bytes: u64, set_aside_bytes: u64, now_ms: i64) {
        // Whoever still holds it may tell others of it later.
        if cut.was_told() || Arc::strong_count(&cut) > 1 {
            self.bytes += bytes;
            self.cuts.push_back(RetainedCut {
                cut,
                bytes,
                replaced_ms: now_ms,
                set_aside_bytes,
            });
        }
    }

    /// Lets go of what is too old or too much.
    pub fn let_go(&mut self, keeping: &Keeping) {
        while let Some(oldest) = self.cuts.front() {
            let versions = keeping
                .set_aside_bytes
                .saturating_sub(oldest.set_aside_bytes);
            let is_too_much = versions.saturating_add(self.bytes) > keeping.bytes_max;
            let is_too_old = keeping.now_ms.saturating_sub(oldest.replaced_ms) > RETAINED_MS;
            if !is_too_much && !is_too_old {
                return;
            }
            self.bytes -= oldest.bytes;
            self.cuts.pop_front();
        }
    }

    /// Lets go of the older half.
    pub fn halve(&mut self) {
        for gone in self.cuts.drain(..self.cuts.len().div_ceil(2)) {
            self.bytes -= gone.bytes;
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
