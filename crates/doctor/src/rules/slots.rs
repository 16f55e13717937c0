//! PostgreSQL's log, and what it keeps for the connectors.

use super::view::View;
use crate::facts::{DatabaseKind, PostgresFacts, Slot};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &WAL_LEVEL,
    &SLOT_MISSING,
    &SLOT_LOST,
    &SLOT_INACTIVE,
    &SLOT_LAG,
    &SLOT_UNLIMITED,
];

/// A slot for which more is kept is behind. It is the log of minutes of hard work, or of hours without heartbeats.
const KEPT_MAX_BYTES: u64 = 1 << 30;
const SIZE_LIMIT: &str = "max_slot_wal_keep_size";

const WAL_LEVEL: Rule = Rule {
    id: "wal-level",
    severity: Severity::Wrong,
    title: "PostgreSQL's log does not have what changes are made of",
    why: "No slot can be made and no change be sent until the server has been restarted with `wal_level=logical`.",
    told: "`wal_level` is not `logical`.",
    mending: "\
```sql
ALTER SYSTEM SET wal_level = 'logical';
```

and restart the server. On hosted servers it is a parameter of its own: `rds.logical_replication=1` (RDS, Aurora), `cloudsql.logical_decoding=on` (Cloud SQL).",
};

const SLOT_MISSING: Rule = Rule {
    id: "slot-missing",
    severity: Severity::Wrong,
    title: "The connector's replication slot does not exist",
    why: "The database keeps nothing for the connector: changes between its last record and the next start are lost, and only a new snapshot finds them.",
    told: "The database has no logical slot of the name that the connector has (`slot.name`, by default `debezium`).",
    mending: "\
Let the connector make it and read all rows again: with `\"snapshot.mode\": \"when_needed\"` it does so where its offsets lead nowhere. Rowtide recognises the new snapshot and lets go of rows that were deleted meanwhile. A \
server that was promoted has its slots only where they are synchronised (PostgreSQL 17: `\"slot.failover\": \"true\"` and `sync_replication_slots`).",
};

const SLOT_LOST: Rule = Rule {
    id: "slot-lost",
    severity: Severity::Wrong,
    title: "The log that the connector needs is gone",
    why: "The connector cannot go on from where it was: changes are lost, and only a new snapshot finds them.",
    told: "`wal_status` of a slot is `lost`; or `unreserved`, which is lost at the next checkpoint of the database.",
    mending: "\
`unreserved`: let the connector catch up now. `lost`:

```sql
SELECT pg_drop_replication_slot('debezium');
```

and start the connector with `\"snapshot.mode\": \"when_needed\"`. So that it does not happen again, raise `max_slot_wal_keep_size`, and watch what the slot keeps.",
};

const SLOT_INACTIVE: Rule = Rule {
    id: "slot-inactive",
    severity: Severity::Risky,
    title: "Nobody reads a replication slot",
    why: "The database keeps all its log from there on until somebody reads it or the disk is full, whichever is first; and it cannot clean up its catalogues meanwhile.",
    told: "A logical slot of the database is not active.",
    mending: "\
Start the connector that reads it. If there is none any more:

```sql
SELECT pg_drop_replication_slot('debezium');
```

A connector that starts again without its slot has lost the changes between.",
};

const SLOT_LAG: Rule = Rule {
    id: "slot-lag",
    severity: Severity::Risky,
    title: "The database keeps much log for a slot",
    why: "The connector is behind, or its tables are quiet and it has nothing to confirm: the disk fills, or the slot is lost when it reaches the limit.",
    told: "More than 1 GiB of log, or than half of `max_slot_wal_keep_size`, is kept for a slot that is read.",
    mending: "\
If the tables are quiet while others in the server are not, heartbeats with an action query let the slot move: [no-heartbeat-action-query](no-heartbeat-action-query.md).

If the connector is behind, look at what takes its time: `max.batch.size` and `max.queue.size` (2,048 and 8,192 by default), the CPU of the worker, a transaction that is open for hours (`SELECT pid, xact_start, query FROM \
pg_stat_activity ORDER BY xact_start LIMIT 5;`).",
};

const SLOT_UNLIMITED: Rule = Rule {
    id: "slot-unlimited",
    severity: Severity::Risky,
    title: "A slot may fill the database's disk",
    why: "A connector that is down for a weekend makes the server keep all log since; when the disk is full the database stops, for everybody.",
    told: "`max_slot_wal_keep_size` is -1, which is PostgreSQL's default.",
    mending: "\
```sql
ALTER SYSTEM SET max_slot_wal_keep_size = '50GB';
SELECT pg_reload_conf();
```

Take what the disk has to spare. Beyond it the slot is lost and the connector needs a new snapshot, which is better than a database that stands still.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    let Some(postgres) = view.postgres() else {
        return;
    };
    let setting = |name: &str| postgres.settings.get(name).map(String::as_str);
    let level = setting("wal_level").unwrap_or("logical");
    let server = || "PostgreSQL".to_owned();
    if level != "logical" {
        found.push(WAL_LEVEL.at(
            server(),
            format!("wal_level={level}"),
            "ALTER SYSTEM SET wal_level = 'logical'; and restart the server",
        ));
    }
    if setting(SIZE_LIMIT) == Some("-1") {
        let seen = format!("{SIZE_LIMIT}=-1: no limit");
        let mend = format!("ALTER SYSTEM SET {SIZE_LIMIT} = '50GB'; SELECT pg_reload_conf();");
        found.push(SLOT_UNLIMITED.at(server(), seen, mend));
    }
    for connector in view.connectors_of(&[DatabaseKind::Postgres]) {
        let name = connector.slot();
        let is_of_this = connector
            .setting("database.dbname")
            .is_none_or(|of| of == postgres.database);
        if is_of_this && !postgres.slots.iter().any(|slot| slot.name == name) {
            let seen = format!("database {} has no slot {name}", postgres.database);
            let mend = "\"snapshot.mode\": \"when_needed\", and restart the connector";
            found.push(SLOT_MISSING.at(format!("connector {}", connector.name), seen, mend));
        }
    }
    let limit = limit_bytes(setting(SIZE_LIMIT));
    for slot in &postgres.slots {
        check_slot(slot, limit, postgres, found);
    }
}

fn check_slot(slot: &Slot, limit: Option<u64>, postgres: &PostgresFacts, found: &mut Vec<Finding>) {
    let place = format!("slot {} of database {}", slot.name, postgres.database);
    let kept = size(slot.kept_bytes);
    let drop = format!("SELECT pg_drop_replication_slot('{}');", slot.name);
    let status = slot.wal_status.as_deref().unwrap_or_default();
    if ["lost", "unreserved"].contains(&status) {
        let mend = format!("{drop} and \"snapshot.mode\": \"when_needed\" in its connector");
        found.push(SLOT_LOST.at(place, format!("wal_status={status}"), mend));
        return;
    }
    if !slot.is_active {
        let mend = format!("start its connector, or {drop}");
        found.push(SLOT_INACTIVE.at(
            place,
            format!("it is not active, and {kept} of log are kept for it"),
            mend,
        ));
        return;
    }
    let max = limit.map_or(KEPT_MAX_BYTES, |limit| KEPT_MAX_BYTES.min(limit / 2));
    if slot.kept_bytes > max {
        let limit = limit.map_or("no limit".to_owned(), |limit| {
            format!("{SIZE_LIMIT} is {}", size(limit))
        });
        let mend = "\"heartbeat.interval.ms\": \"2000\" with heartbeat.action.query, if its tables are quiet";
        found.push(SLOT_LAG.at(
            place,
            format!("{kept} of log are kept for it ({limit})"),
            mend,
        ));
    }
}

/// As `SHOW` writes it: a number with a unit. `None`: no limit.
fn limit_bytes(text: Option<&str>) -> Option<u64> {
    let text = text?.trim();
    let at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().ok()?;
    let shift = match unit {
        "kB" => 10,
        // Without a unit it is in megabytes.
        "MB" | "" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[test]
fn a_limit_is_read_as_the_server_writes_it() {
    assert_eq!(limit_bytes(Some("-1")), None);
    assert_eq!(limit_bytes(Some("10GB")), Some(10 << 30));
    assert_eq!(limit_bytes(Some("64")), Some(64 << 20));
    assert_eq!(limit_bytes(Some("1 parsec")), None);
}
