//! What the real stack is measured by: how soon a commit is visible over HTTP and where that time goes, and how fast
//! records of a real broker become rows, beside other consumers of the same topic in the same run.
//!
//! Everything shares the machine, so rounds are interleaved and medians are printed. Judges by the bars, but fails
//! only where something cannot be measured. Run by `cargo xtask stack bench`.

mod clock;
mod latency;
mod orders;
mod quantiles;
mod rates;
mod readings;

use real_stack::Stack;

fn main() -> anyhow::Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    // Cargo itself passes an argument, too.
    let is_wanted = |case: &str| {
        let known = ["latency", "rates"];
        !named.iter().any(|name| known.contains(&name.as_str()))
            || named.iter().any(|name| name == case)
    };
    let stack = Stack::from_env()?;
    if is_wanted("latency") {
        latency::measure(&stack)?;
    }
    if is_wanted("rates") {
        rates::measure(&stack)?;
    }
    Ok(())
}
