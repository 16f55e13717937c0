//! Where the connector makes records wait.

use super::view::View;
use crate::facts::Connector;
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[&POLL_INTERVAL, &LINGER, &OVERRIDES_REFUSED];

const POLL: &str = "poll.interval.ms";
const LINGER_MS: &str = "producer.override.linger.ms";

/// More is worth a line.
const POLL_MAX_MS: i64 = 10;
const POLL_DEFAULT_MS: i64 = 500;

const POLL_INTERVAL: Rule = Rule {
    id: "connector-poll-interval",
    severity: Severity::Slow,
    title: "Records wait for the connector's poll interval",
    why: "From commit to Kafka it was measured to take 323 ms in the middle and 961 ms at worst with the default of 500 ms, 12 ms with 5, and 3 to 4 ms with 1 and `producer.override.linger.ms=0`.",
    told: "`poll.interval.ms` of the connector is not set (Debezium's default is 500) or above 10.",
    mending: "\
```json
\"poll.interval.ms\": \"5\",
\"producer.override.linger.ms\": \"0\"
```

Measured with PostgreSQL, one table, JSON, at 50 commits a second, from commit to Kafka:

| | p50 / p95 / p99 |
|---|---|
| defaults (`poll.interval.ms=500`) | 323 / 721 / 961 ms |
| `poll.interval.ms=50` | 57 / 94 / 103 ms |
| `poll.interval.ms=5` | 12.5 / 18 / 38 ms |
| `poll.interval.ms=5`, `producer.override.linger.ms=0` | 7.2 / 12 / 26 ms |
| `poll.interval.ms=1`, `producer.override.linger.ms=0` | 4.1 / 5.9 / 30 ms |

The connector wakes up more often, also when nothing happens: with 5 ms some percent of one core.",
};

const LINGER: Rule = Rule {
    id: "connector-linger",
    severity: Severity::Slow,
    title: "The connector's producer waits for more records",
    why: "Since Kafka 4.0 a producer waits 5 ms before it sends what it has: measured from commit to Kafka, 12 ms in the middle instead of 7.",
    told: "`producer.override.linger.ms` of the connector is not set or above 0. A `producer.linger.ms=0` of the worker does the same and cannot be seen from outside.",
    mending: "\
```json
\"producer.override.linger.ms\": \"0\"
```

Connect lets a connector say so since 3.0, unless its `connector.client.config.override.policy` forbids it ([overrides-refused](overrides-refused.md)). Under load records are still sent together: those that come while a \
request is on its way go with the next.",
};

const OVERRIDES_REFUSED: Rule = Rule {
    id: "overrides-refused",
    severity: Severity::Slow,
    title: "Connect lets no connector set its producer",
    why: "Registering a connector with `producer.override.linger.ms` would fail, so its records wait the 5 ms of the worker's producer.",
    told: "Connect was asked whether it would take a connector with `producer.override.linger.ms`, and refused that setting. Nothing is registered for it.",
    mending: "\
In the worker's properties, which takes a restart of the worker:

```properties
connector.client.config.override.policy=All
```

or, for all its connectors, `producer.linger.ms=0`.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for connector in &view.connectors {
        let place = format!("connector {}", connector.name);
        if connector.number(POLL, POLL_DEFAULT_MS) > POLL_MAX_MS {
            let seen = connector.told(POLL, "500");
            found.push(POLL_INTERVAL.at(place.clone(), seen, Connector::line(POLL, "5")));
        }
        if connector.number(LINGER_MS, i64::MAX) <= 0 {
            continue;
        }
        if let Some(refusal) = &connector.overrides_refused {
            let mend = "connector.client.config.override.policy=All in the worker's properties, or producer.linger.ms=0 there";
            found.push(OVERRIDES_REFUSED.at(place, refusal.clone(), mend));
        } else {
            let seen = connector.told(LINGER_MS, "the worker's (5 since Kafka 4.0)");
            found.push(LINGER.at(place, seen, Connector::line(LINGER_MS, "0")));
        }
    }
}
