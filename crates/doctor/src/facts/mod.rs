//! What was found out before anything is judged. Only what a rule looks at; never a password.

mod connect;
mod log;
mod mysql;
mod postgres;
mod shape;

pub use connect::{ConnectFacts, Connector, DatabaseKind, Task};
pub use log::{LogFacts, RegistryFacts, Sample, TopicFacts};
pub use mysql::MySqlFacts;
pub use postgres::{Column, Identity, PostgresFacts, Publication, Slot, Table};
pub use shape::Shape;

/// Everything that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// When it was asked, in milliseconds since 1970.
    pub now_ms: i64,
    /// One for each source that reads Kafka.
    pub logs: Vec<LogFacts>,
    pub connect: Option<Asked<ConnectFacts>>,
    pub postgres: Option<Asked<PostgresFacts>>,
    pub mysql: Option<MySqlFacts>,
}

/// What somebody said of itself, or why it said nothing.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    /// Where it was asked, without any login.
    pub address: String,
    /// Why there is no answer, in words.
    pub answer: Result<T, String>,
}

impl<T> Asked<T> {
    pub fn fact(&self) -> Option<&T> {
        self.answer.as_ref().ok()
    }
}

/// How far a clock is from this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset {
    /// Positive: it is ahead.
    pub ahead_ms: i64,
    /// Half the time that the question took: it cannot be known better.
    pub uncertain_ms: i64,
}
