//! One broken rule at one place, with what to do about it.

use std::fmt;

/// Ordered by place, so that a report reads file by file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the workspace, with forward slashes.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// The rule's name as it is printed.
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: [{}] {}",
            self.path, self.line, self.rule, self.message
        )
    }
}
