//! What happened in one run: counted, hashed, and kept in words where somebody wants to read it.
//!
//! Invariant: two runs of one seed have the same hash, or the schedule is not a function of the seed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::rc::Rc;

use crate::coverage::{Coverage, Happening};

/// The trace of one run. Clones are the same trace.
#[derive(Clone, Default)]
pub struct Trace(Rc<RefCell<Told>>);

#[derive(Default)]
struct Told {
    step: u32,
    hash: Hash,
    coverage: Coverage,
    lines: VecDeque<String>,
    /// How many are kept; none if nobody reads them.
    lines_max: usize,
}

#[derive(Default)]
struct Hash(DefaultHasher);

impl Trace {
    /// A trace that keeps its last lines.
    pub fn keeping(lines_max: usize) -> Self {
        let trace = Self::default();
        trace.0.borrow_mut().lines_max = lines_max;
        trace
    }

    pub fn begin_step(&self, step: u32) {
        self.0.borrow_mut().step = step;
    }

    /// Something of a kind that is counted.
    pub fn count(&self, happening: Happening, details: fmt::Arguments<'_>) {
        self.0.borrow_mut().coverage.count(happening);
        self.say(format_args!("{happening:?} {details}"));
    }

    /// Something that is only to be read, and to be the same every time.
    pub fn say(&self, what: fmt::Arguments<'_>) {
        let told = &mut *self.0.borrow_mut();
        // A hash takes everything that is written into it.
        let _ = told.hash.write_fmt(what);
        if told.lines_max > 0 {
            if told.lines.len() == told.lines_max {
                told.lines.pop_front();
            }
            let line = format!("step {:>3}: {what}", told.step);
            told.lines.push_back(line);
        }
    }

    pub fn hash(&self) -> u64 {
        self.0.borrow().hash.0.finish()
    }

    pub fn coverage(&self) -> Coverage {
        self.0.borrow().coverage.clone()
    }

    /// The last lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        let told = self.0.borrow();
        told.lines.iter().cloned().collect()
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
