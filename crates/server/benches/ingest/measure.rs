//! What one run took: time, CPU time, memory. Read from the kernel's account of this process.

use std::process::Command;

#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    pub records: u64,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub peak_bytes: u64,
    pub rows: u64,
    /// As the tables account for themselves: rows, keys, slots.
    pub accounted_bytes: u64,
    /// By how much the process grew from before the first record, measured after the last.
    pub grown_bytes: u64,
    /// Of the rows as compact JSON.
    pub json_bytes: u64,
}

impl Measured {
    pub fn records_per_s(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    pub fn to_line(self) -> String {
        format!(
            "{} {} {} {} {} {} {} {}",
            self.records,
            self.seconds,
            self.cpu_seconds,
            self.peak_bytes,
            self.rows,
            self.accounted_bytes,
            self.grown_bytes,
            self.json_bytes
        )
    }

    /// Runs this program again with these arguments and reads what it measured.
    pub fn of_child(args: &[&str]) -> Self {
        let program =
            std::env::current_exe().unwrap_or_else(|error| panic!("this program: {error}"));
        let output = Command::new(program)
            .args(args)
            .output()
            .unwrap_or_else(|error| panic!("{args:?}: {error}"));
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields: Vec<f64> = line
            .split_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        let [
            records,
            seconds,
            cpu_seconds,
            peak,
            rows,
            accounted,
            grown,
            json,
        ] = fields[..]
        else {
            panic!(
                "{args:?}: {line}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        Self {
            records: records as u64,
            seconds,
            cpu_seconds,
            peak_bytes: peak as u64,
            rows: rows as u64,
            accounted_bytes: accounted as u64,
            grown_bytes: grown as u64,
            json_bytes: json as u64,
        }
    }

    pub fn row(&self, title: &str, ratio: &str) -> String {
        format!(
            "{title:<34} {:>12.0} {:>14.2} {:>12.0} {ratio:>10}",
            self.records_per_s(),
            self.cpu_seconds * 1e6 / self.records as f64,
            self.peak_bytes as f64 / 1e6,
        )
    }

    pub fn memory_line(&self) -> String {
        let per_row = |bytes: u64| bytes as f64 / self.rows as f64;
        let ratio = |bytes: u64| bytes as f64 / self.json_bytes as f64;
        format!(
            "  a row of {:.0} B of compact JSON takes {:.0} B with key and slot: {:.2}x accounted, {:.2}x of what the process grew by",
            per_row(self.json_bytes),
            per_row(self.accounted_bytes),
            ratio(self.accounted_bytes),
            ratio(self.grown_bytes),
        )
    }
}

/// The run of median speed.
pub fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by(|a, b| a.records_per_s().total_cmp(&b.records_per_s()));
    runs[runs.len() / 2]
}

/// User and system time of this process so far.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Counted from behind the command's name, which may contain anything.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// A line of the process's status, in bytes: `VmRSS` now, `VmHWM` at most.
pub fn status_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
