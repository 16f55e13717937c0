//! MySQL and MariaDB: what their binary log has, and for how long.

use super::view::View;
use crate::facts::MySqlFacts;
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &BINLOG_OFF,
    &BINLOG_FORMAT,
    &BINLOG_ROW_IMAGE,
    &BINLOG_RETENTION,
    &GTID_OFF,
];

/// A long weekend.
const KEPT_MIN_SECONDS: i64 = 3 * 86_400;

const BINLOG_OFF: Rule = Rule {
    id: "binlog-off",
    severity: Severity::Wrong,
    title: "The server writes no binary log",
    why: "There is nothing that a connector could read changes from.",
    told: "`log_bin` is `OFF`.",
    mending: "\
In the server's configuration, with a restart:

```ini
[mysqld]
log-bin = binlog
server-id = 1
```",
};

const BINLOG_FORMAT: Rule = Rule {
    id: "binlog-format",
    severity: Severity::Wrong,
    title: "The binary log has statements, not rows",
    why: "Changes that are logged as statements are not sent: with the first of them tables differ from the source's.",
    told: "`binlog_format` is not `ROW`.",
    mending: "\
```sql
SET GLOBAL binlog_format = 'ROW';
```

and the same in the server's configuration. Sessions that are open go on as before: let the applications connect anew.",
};

const BINLOG_ROW_IMAGE: Rule = Rule {
    id: "binlog-row-image",
    severity: Severity::Wrong,
    title: "The binary log has only parts of rows",
    why: "Columns that an UPDATE did not touch are missing in its event and become null in the table.",
    told: "`binlog_row_image` is not `FULL`.",
    mending: "\
```sql
SET GLOBAL binlog_row_image = 'FULL';
```

and the same in the server's configuration. Then take a new snapshot.",
};

const BINLOG_RETENTION: Rule = Rule {
    id: "binlog-retention",
    severity: Severity::Risky,
    title: "The binary log is kept for a short time",
    why: "A connector that is down for longer finds its place gone, and needs a new snapshot.",
    told: "`binlog_expire_logs_seconds` (or `expire_logs_days` of MariaDB) is above 0 and below three days.",
    mending: "\
```sql
SET GLOBAL binlog_expire_logs_seconds = 604800;
```

(MariaDB before 10.6: `SET GLOBAL expire_logs_days = 7;`), and the same in the server's configuration. On RDS: `CALL mysql.rds_set_configuration('binlog retention hours', 168);`.",
};

const GTID_OFF: Rule = Rule {
    id: "gtid-off",
    severity: Severity::Hint,
    title: "Transactions have no global ids",
    why: "A place in the log is a file and a number that mean nothing on another server: after a failover the connector needs a new snapshot.",
    told: "`gtid_mode` of MySQL is not `ON`. MariaDB always has them.",
    mending: "\
```sql
SET GLOBAL enforce_gtid_consistency = ON;
SET GLOBAL gtid_mode = OFF_PERMISSIVE;
SET GLOBAL gtid_mode = ON_PERMISSIVE;
SET GLOBAL gtid_mode = ON;
```

one after the other on all servers, as MySQL's manual says, and the same in the servers' configuration.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    let Some(server) = &view.facts.mysql else {
        return;
    };
    let place = server.name();
    let differs = |name: &str, wanted: &str| {
        let value = server.variable(name)?;
        (!value.eq_ignore_ascii_case(wanted)).then(|| format!("{name}={value}"))
    };
    if let Some(seen) = differs("log_bin", "ON") {
        found.push(BINLOG_OFF.at(
            place,
            seen,
            "log-bin = binlog in [mysqld], and restart the server",
        ));
        return;
    }
    if let Some(seen) = differs("binlog_format", "ROW") {
        found.push(BINLOG_FORMAT.at(place, seen, "SET GLOBAL binlog_format = 'ROW';"));
    }
    if let Some(seen) = differs("binlog_row_image", "FULL") {
        found.push(BINLOG_ROW_IMAGE.at(place, seen, "SET GLOBAL binlog_row_image = 'FULL';"));
    }
    if let Some(seen) = differs("gtid_mode", "ON").filter(|_| !server.is_mariadb()) {
        found.push(GTID_OFF.at(
            place,
            seen,
            "SET GLOBAL gtid_mode = ON; after the steps on its page",
        ));
    }
    retention(server, found);
}

fn retention(server: &MySqlFacts, found: &mut Vec<Finding>) {
    let number = |name: &str| {
        server
            .variable(name)?
            .parse::<f64>()
            .ok()
            .filter(|kept| *kept > 0.0)
    };
    let days = number("expire_logs_days").map(|days| ("expire_logs_days", days, days * 86_400.0));
    let seconds = number("binlog_expire_logs_seconds");
    let seconds = seconds.map(|kept| ("binlog_expire_logs_seconds", kept, kept));
    let Some((name, written, kept)) = seconds.or(days) else {
        return;
    };
    if (kept as i64) < KEPT_MIN_SECONDS {
        let mend = match name {
            "expire_logs_days" => "SET GLOBAL expire_logs_days = 7;",
            _ => "SET GLOBAL binlog_expire_logs_seconds = 604800;",
        };
        found.push(BINLOG_RETENTION.at(server.name(), format!("{name}={written}"), mend));
    }
}
