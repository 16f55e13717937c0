//! What is found, and the rule that it was found by.

use std::fmt;

/// What it means for the tables, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Tables are wrong, or will be with the next change of a certain kind; or nothing arrives at all.
    Wrong,
    /// Nothing is wrong until something else happens.
    Risky,
    /// Right, and later than it could be.
    Slow,
    /// Worth knowing.
    Hint,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Risky => "risky",
            Self::Slow => "slow",
            Self::Hint => "hint",
        }
    }

    /// Whether somebody has to act.
    pub fn needs_somebody(self) -> bool {
        self <= Self::Risky
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that can be the matter. Its texts are all that is ever said of it in general; they are also its page.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable: scripts and people know it by this name.
    pub id: &'static str,
    pub severity: Severity,
    /// What is the matter, in a few words.
    pub title: &'static str,
    /// What comes of it, in one or two sentences.
    pub why: &'static str,
    /// What is looked at, and when it is told.
    pub told: &'static str,
    /// How to mend it, with all there is to know before doing so. Markdown.
    pub mending: &'static str,
}

impl Rule {
    /// Where its page is, from the root of the repository.
    pub fn page(&self) -> String {
        format!("docs/doctor/{}.md", self.id)
    }

    /// What was seen at a place, and the line that mends it there.
    pub(crate) fn at(
        &'static self,
        place: impl Into<String>,
        seen: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding {
            rule: self,
            place: place.into(),
            seen: seen.into(),
            mend: mend.into(),
        }
    }
}

/// A rule, met by a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static Rule,
    /// Whose matter it is: a connector, a topic, a table.
    pub place: String,
    /// What was seen there, with its value.
    pub seen: String,
    /// The line to write, run or send.
    pub mend: String,
}
