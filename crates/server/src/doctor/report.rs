//! Findings as they are told: in blocks for a person, in JSON for a program.

use std::fmt::Write as _;

use doctor::{Finding, Rule, Severity};
use serde_json::{Value, json as value};

use crate::output::harmless;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";

/// One block for each rule: what is the matter, where and with which line to mend it, and why.
pub fn text(findings: &[Finding], color: bool) -> String {
    if findings.is_empty() {
        return "Nothing was found that is wrong, risky or slow.".to_owned();
    }
    let mut blocks: Vec<String> = findings
        .chunk_by(|one, next| one.rule == next.rule)
        .map(|of_rule| block(of_rule[0].rule, of_rule, color))
        .collect();
    blocks.push(totals(findings));
    blocks.join("\n\n")
}

fn block(rule: &Rule, findings: &[Finding], color: bool) -> String {
    let (paint, dim, reset) = if color {
        (paint(rule.severity), DIM, RESET)
    } else {
        ("", "", "")
    };
    let name = rule.severity.name().to_uppercase();
    let mut out = format!(
        "{paint}{name}{reset} {} {dim}({}){reset}\n",
        rule.title, rule.id
    );
    for finding in findings {
        let Finding {
            place, seen, mend, ..
        } = finding;
        let _ = writeln!(out, "  {}: {}", harmless(place), harmless(seen));
        let _ = writeln!(out, "    mend: {}", harmless(mend));
    }
    let _ = write!(out, "  {}\n  {dim}{}{reset}", rule.why, rule.page());
    out
}

fn paint(severity: Severity) -> &'static str {
    match severity {
        Severity::Wrong => "\x1b[1;31m",
        Severity::Risky => "\x1b[1;33m",
        Severity::Slow => "\x1b[1;36m",
        Severity::Hint => "\x1b[1m",
    }
}

const SEVERITIES: [Severity; 4] = [
    Severity::Wrong,
    Severity::Risky,
    Severity::Slow,
    Severity::Hint,
];

fn count(findings: &[Finding], severity: Severity) -> usize {
    let of = findings.iter();
    of.filter(|finding| finding.rule.severity == severity)
        .count()
}

fn totals(findings: &[Finding]) -> String {
    let told = SEVERITIES.map(|severity| (count(findings, severity), severity));
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, severity)| match (severity, count) {
            (Severity::Hint, 2..) => format!("{count} hints"),
            _ => format!("{count} {severity}"),
        })
        .collect();
    format!("Found: {}.", told.join(", "))
}

/// Each finding by itself, worst first, and how many there are of each severity.
pub fn json(findings: &[Finding]) -> Value {
    let told = findings.iter().map(|finding| {
        let Finding {
            rule,
            place,
            seen,
            mend,
        } = finding;
        value!({
            "id": rule.id, "severity": rule.severity.name(), "title": rule.title, "place": place,
            "seen": seen, "why": rule.why, "mend": mend, "page": rule.page(),
        })
    });
    let counts = SEVERITIES.map(|severity| {
        (
            severity.name().to_owned(),
            Value::from(count(findings, severity)),
        )
    });
    value!({
        "findings": told.collect::<Vec<_>>(),
        "counts": serde_json::Map::from_iter(counts),
    })
}

#[cfg(test)]
mod tests {
    use doctor::Facts;
    use doctor::facts::MySqlFacts;
    use doctor::rules::{self, Scope};
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_finding_teaches_in_a_few_lines() {
        let variables =
            "log_bin\tON\nbinlog_format\tROW\nbinlog_row_image\tMINIMAL\ngtid_mode\tOFF\n";
        let facts = Facts {
            mysql: MySqlFacts::parse(variables).ok(),
            ..Facts::default()
        };
        let findings = rules::check(&facts, Scope::Everything);
        expect![[r#"
            WRONG The binary log has only parts of rows (binlog-row-image)
              MySQL: binlog_row_image=MINIMAL
                mend: SET GLOBAL binlog_row_image = 'FULL';
              Columns that an UPDATE did not touch are missing in its event and become null in the table.
              docs/doctor/binlog-row-image.md

            HINT Transactions have no global ids (gtid-off)
              MySQL: gtid_mode=OFF
                mend: SET GLOBAL gtid_mode = ON; after the steps on its page
              A place in the log is a file and a number that mean nothing on another server: after a failover the connector needs a new snapshot.
              docs/doctor/gtid-off.md

            Found: 1 wrong, 1 hint."#]]
        .assert_eq(&text(&findings, false));
        assert!(text(&findings, true).starts_with("\x1b[1;31mWRONG\x1b[0m"));
        let told = json(&findings);
        assert_eq!(told["findings"][0]["id"], "binlog-row-image");
        assert_eq!(
            told["counts"].to_string(),
            r#"{"hint":1,"risky":0,"slow":0,"wrong":1}"#
        );
    }

    #[test]
    fn nothing_found_is_told_too() {
        expect!["Nothing was found that is wrong, risky or slow."].assert_eq(&text(&[], true));
    }
}
