//! What a run of libFuzzer says at its end, in one line. Its output has no other form than text: what is
//! not found in it is shown as `?`.

use std::fmt;
use std::path::Path;

/// One run of one target.
#[derive(Debug)]
pub struct Report {
    target: &'static str,
    executions: Option<u64>,
    coverage: Option<u64>,
    peak_mb: Option<u64>,
    /// What went wrong and where the input lies that shows it, in several lines.
    pub finding: Option<String>,
}

impl Report {
    pub const HEADINGS: &str = "target         executions   coverage    peak MB";

    pub fn of(target: &'static str, log: &str, is_clean: bool, log_file: &Path) -> Self {
        let statistic = |name: &str| {
            let line = log.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok())
        };
        Self {
            target,
            executions: statistic("stat::number_of_executed_units"),
            coverage: last_coverage(log),
            peak_mb: statistic("stat::peak_rss_mb"),
            finding: (!is_clean).then(|| finding(log, log_file)),
        }
    }
}

/// As in `#4096 NEW cov: 812 ft: 3021 …`.
fn last_coverage(log: &str) -> Option<u64> {
    let mut words = log.rsplit_once(" cov: ")?.1.split_whitespace();
    words.next()?.parse().ok()
}

fn finding(log: &str, log_file: &Path) -> String {
    let says = |line: &&str| {
        line.contains("panicked at")
            || line.starts_with("==") && line.contains("ERROR: libFuzzer")
            || line.contains("Test unit written to")
    };
    let lines: Vec<&str> = log.lines().collect();
    let mut told = Vec::new();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| says(line)) {
        told.push(*line);
        if line.contains("panicked at") {
            told.extend(lines.get(number + 1));
        }
    }
    format!("{}\nall it said: {}", told.join("\n"), log_file.display())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
        write!(
            f,
            "{:<13} {:>11} {:>10} {:>10}",
            self.target,
            shown(self.executions),
            shown(self.coverage),
            shown(self.peak_mb)
        )?;
        match &self.finding {
            Some(finding) => write!(f, "\n{} FAILED\n{finding}", self.target),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_clean_run_is_one_line() {
        let log = "#2 INITED cov: 8 ft: 9\n#10 NEW cov: 9 ft: 10 corp: 2/4b\n#41 DONE cov: 11 ft: 12\nstat::number_of_executed_units: 4193670\nstat::peak_rss_mb:              27\n";
        let report = Report::of("json", log, true, Path::new("x.log"));
        expect!["json              4193670         11         27"].assert_eq(&report.to_string());
    }

    #[test]
    fn a_finding_says_what_and_where() {
        let log = "#2 INITED cov: 8 ft: 9\n\nthread '<unnamed>' panicked at src/a.rs:1:2:\ntoo bad\nnote: x\n==7== ERROR: libFuzzer: deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-1\n";
        let report = Report::of("json", log, false, Path::new("x.log"));
        expect![[r#"
            json                    ?          8          ?
            json FAILED
            thread '<unnamed>' panicked at src/a.rs:1:2:
            too bad
            ==7== ERROR: libFuzzer: deadly signal
            artifact_prefix='a/'; Test unit written to a/crash-1
            all it said: x.log"#]]
        .assert_eq(&report.to_string());
    }
}
