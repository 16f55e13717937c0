//! Whether the connectors run, and what they do when something goes wrong.

use super::view::{View, prefixes};
use crate::facts::Connector;
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &CONNECTOR_MISSING,
    &CONNECTOR_FAILED,
    &CONNECTOR_NOT_RUNNING,
    &FAILURES_SKIPPED,
];

/// How much of a trace is told: its first line names the cause.
const TRACE_CHARS_MAX: usize = 300;

const CONNECTOR_MISSING: Rule = Rule {
    id: "connector-missing",
    severity: Severity::Risky,
    title: "No connector writes the topics that are followed",
    why: "The tables are as their topics were left, and nothing new will come into them from this Connect cluster.",
    told: "Connect has no Debezium source connector whose `topic.prefix` stands before a topic that is followed.",
    mending: "\
Register the connector, or give the `--connect-url` of the cluster it runs in. Where a transform routes records to other names (`RegexRouter`, `ByLogicalTableRouter`, the outbox) the names of topics do not show \
who writes them: then this is nothing to mend.",
};

const CONNECTOR_FAILED: Rule = Rule {
    id: "connector-failed",
    severity: Severity::Wrong,
    title: "A connector has failed",
    why: "Nothing that was committed since is in any table, and Connect does not start a failed task again by itself; meanwhile the database keeps its log for it.",
    told: "Connect tells the connector or one of its tasks as `FAILED`. What is shown is the first line of its trace.",
    mending: "\
Mend what the trace names, then:

```sh
curl -X POST 'http://connect:8083/connectors/NAME/restart?includeTasks=true&onlyFailed=true'
```

The connector goes on where it had confirmed; what it sends twice is recognised. The whole trace: `curl http://connect:8083/connectors/NAME/status`.",
};

const CONNECTOR_NOT_RUNNING: Rule = Rule {
    id: "connector-not-running",
    severity: Severity::Wrong,
    title: "A connector does not run",
    why: "Nothing that was committed since is in any table, while the database keeps its log for the connector.",
    told: "Connect tells the connector or one of its tasks as `PAUSED`, `STOPPED` or `UNASSIGNED`, or the connector has no task.",
    mending: "\
```sh
curl -X PUT http://connect:8083/connectors/NAME/resume
```

`UNASSIGNED` passes when the workers have shared out their tasks again; if it does not, no worker is there to take it.",
};

const FAILURES_SKIPPED: Rule = Rule {
    id: "failures-skipped",
    severity: Severity::Wrong,
    title: "The connector passes over what it cannot handle",
    why: "A change that is passed over is missing for good, and nothing says so: the table differs from the source's until that row changes again.",
    told: "`errors.tolerance=all`, or `event.processing.failure.handling.mode` is `warn`, `skip` or `ignore`.",
    mending: "\
```json
\"errors.tolerance\": \"none\",
\"event.processing.failure.handling.mode\": \"fail\"
```

The connector then stops at what it cannot handle, which can be seen and mended. For tables that may have missed changes already, take an incremental snapshot by signal.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    let connect = view.facts.connect.as_ref();
    let prefixes = prefixes(view.facts);
    let writes = |connector: &&&Connector| {
        connector
            .prefix()
            .is_some_and(|prefix| prefixes.contains(prefix))
    };
    if let Some(asked) = connect
        && asked.answer.is_ok()
        && view
            .facts
            .logs
            .iter()
            .any(|log| log.tables().next().is_some())
        && view.connectors.iter().find(writes).is_none()
    {
        let names: Vec<&str> = view
            .connectors
            .iter()
            .map(|connector| connector.name.as_str())
            .collect();
        let names = if names.is_empty() {
            "it has no Debezium connector".to_owned()
        } else {
            format!("it has {}, with other prefixes", names.join(", "))
        };
        let wanted: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let mend = Connector::line("topic.prefix", &wanted.join(" or "));
        found.push(CONNECTOR_MISSING.at(format!("Kafka Connect {}", asked.address), names, mend));
    }
    for connector in &view.connectors {
        let address = connect.map_or("…", |asked| asked.address.as_str());
        states(connector, address, found);
        tolerance(connector, found);
    }
}

fn states(connector: &Connector, address: &str, found: &mut Vec<Finding>) {
    let of_tasks = connector.tasks.iter();
    let of_tasks = of_tasks.map(|task| {
        (
            format!("connector {}, task {}", connector.name, task.id),
            &task.state,
            &task.trace,
        )
    });
    let own = (
        format!("connector {}", connector.name),
        &connector.state,
        &connector.trace,
    );
    let url = format!("{address}/connectors/{}", connector.name);
    for (place, state, trace) in std::iter::once(own.clone()).chain(of_tasks) {
        match state.as_str() {
            "RUNNING" | "RESTARTING" => {}
            "FAILED" => {
                let cause = trace
                    .as_deref()
                    .and_then(|trace| trace.lines().next())
                    .unwrap_or("no trace");
                let cause: String = cause.chars().take(TRACE_CHARS_MAX).collect();
                let mend = format!(
                    "curl -X POST '{url}/restart?includeTasks=true&onlyFailed=true', once its cause is mended"
                );
                found.push(CONNECTOR_FAILED.at(place, format!("FAILED: {cause}"), mend));
            }
            state => found.push(CONNECTOR_NOT_RUNNING.at(
                place,
                state,
                format!("curl -X PUT {url}/resume"),
            )),
        }
    }
    if connector.tasks.is_empty() && connector.state == "RUNNING" {
        let mend = format!("curl -X POST {url}/restart?includeTasks=true");
        found.push(CONNECTOR_NOT_RUNNING.at(own.0, "it has no task", mend));
    }
}

fn tolerance(connector: &Connector, found: &mut Vec<Finding>) {
    const TOLERANCE: &str = "errors.tolerance";
    const MODE: &str = "event.processing.failure.handling.mode";
    let place = || format!("connector {}", connector.name);
    if connector.is(TOLERANCE, "all") {
        let seen = connector.told(TOLERANCE, "none");
        found.push(FAILURES_SKIPPED.at(place(), seen, Connector::line(TOLERANCE, "none")));
    }
    if ["warn", "skip", "ignore"]
        .iter()
        .any(|mode| connector.is(MODE, mode))
    {
        let seen = connector.told(MODE, "fail");
        found.push(FAILURES_SKIPPED.at(place(), seen, Connector::line(MODE, "fail")));
    }
}
