//! Whether the clocks agree that lags are measured by.

use super::view::View;
use crate::facts::ClockOffset;
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[&CLOCK_SKEW];

/// Clocks that are kept by NTP disagree by less.
const TOLERATED_MS: i64 = 100;

const CLOCK_SKEW: Rule = Rule {
    id: "clock-skew",
    severity: Severity::Risky,
    title: "Clocks disagree",
    why: "Lags are differences of clocks: they are told too long or too short by as much, and so `max_lag` and `as_of` times let through what they should not, or refuse what they need not.",
    told: "The database's clock differs from this machine's by more than 100 ms beyond what the question took; or the newest record of a topic has a time that is more than that ahead of this machine.",
    mending: "\
Keep all clocks with NTP: on each machine

```sh
timedatectl set-ntp true
```

`rowtide status` shows where time goes between commit and answer; a stage that is negative is a clock that is behind.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    let facts = view.facts;
    let postgres = facts.postgres.as_ref().and_then(|asked| asked.fact());
    if let Some(postgres) = postgres {
        let ClockOffset {
            ahead_ms,
            uncertain_ms,
        } = postgres.clock;
        if ahead_ms.abs() > TOLERATED_MS + uncertain_ms {
            let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
            let seen = format!(
                "it is {} ms {side} this machine's (known to {uncertain_ms} ms)",
                ahead_ms.abs()
            );
            found.push(CLOCK_SKEW.at(
                "the database's clock",
                seen,
                "timedatectl set-ntp true, on both machines",
            ));
        }
    }
    let newest = |(_, topic): (_, &crate::facts::TopicFacts)| {
        topic
            .samples
            .iter()
            .filter_map(|sample| sample.timestamp_ms)
            .max()
    };
    let ahead = view
        .tables()
        .filter_map(newest)
        .max()
        .map(|newest| newest - facts.now_ms);
    if let Some(ahead_ms) = ahead.filter(|ahead| *ahead > TOLERATED_MS) {
        let seen =
            format!("its newest record has a time that is {ahead_ms} ms ahead of this machine's");
        found.push(CLOCK_SKEW.at(
            "the log's clock",
            seen,
            "timedatectl set-ntp true, on the machines of Connect and the brokers and on this one",
        ));
    }
}
