//! Named numbers, which a process that measures hands to the one that compares.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, ensure};

pub type Figures = BTreeMap<String, f64>;

pub fn figures<const N: usize>(named: [(&str, f64); N]) -> Figures {
    named.map(|(name, figure)| (name.to_owned(), figure)).into()
}

/// Runs this program again, so that memory and CPU time are that run's alone.
pub fn of_child(arguments: &[&str]) -> anyhow::Result<Figures> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{arguments:?} printed no figures"))
}

pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
