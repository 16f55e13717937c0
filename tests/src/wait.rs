//! The one place where a test lets time pass: until a condition holds, with a deadline, or for the
//! random moment at which a process is killed.
//!
//! A deadline only ends a test that has already failed; no test asserts how long anything takes.

use std::time::{Duration, Instant};

use anyhow::bail;

/// How long the slowest condition may take: a debug build replaying the largest recording on a
/// loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(5);

const STEP: Duration = Duration::from_millis(10);

/// Polls until there is an answer. An error of `poll` ends the wait.
pub fn until<T>(what: &str, poll: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    until_within(PATIENCE, what, poll)
}

/// The same with a patience of its own.
pub fn until_within<T>(
    patience: Duration,
    what: &str,
    mut poll: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a deadline of the tests, outside the product and its clock"
    )]
    let now = Instant::now;
    let deadline = now() + patience;
    loop {
        if let Some(answer) = poll()? {
            return Ok(answer);
        }
        if deadline < now() {
            bail!("waited {} s until {what}", patience.as_secs());
        }
        pass(STEP);
    }
}

/// Lets time pass, for moments that no condition can name.
#[expect(
    clippy::disallowed_methods,
    reason = "the condition is another process's; it can only be asked again"
)]
pub fn pass(time: Duration) {
    std::thread::sleep(time);
}
