//! Asking where logs end, for whoever wants to see all that is in them by now.

/// Where a partition ends: the offset of the next record that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    pub topic: String,
    pub partition: i32,
    pub next: u64,
}

type Answer = Box<dyn FnOnce(Result<Vec<LogEnd>, String>) + Send>;

/// One question. It is answered once, from any thread; dropped unanswered it is a source that has ended.
pub struct EndsQuestion {
    /// Topics and partitions.
    pub of: Vec<(String, i32)>,
    answer: Answer,
}

impl EndsQuestion {
    pub fn new(
        of: Vec<(String, i32)>,
        answer: impl FnOnce(Result<Vec<LogEnd>, String>) + Send + 'static,
    ) -> Self {
        Self {
            of,
            answer: Box::new(answer),
        }
    }

    /// Answers with the ends, or with why they cannot be told.
    pub fn answer(self, ends: Result<Vec<LogEnd>, String>) {
        (self.answer)(ends);
    }
}

impl std::fmt::Debug for EndsQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndsQuestion")
            .field("of", &self.of)
            .finish_non_exhaustive()
    }
}
