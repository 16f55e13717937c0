//! How far the reading of logs is, table by table: bars on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use api_types::{RebuildState, RebuildStatus};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::output::{self, harmless};

const BAR: &str = "{prefix} {bar:30} {percent:>3} % {msg}";

/// Shares are told in tenths where there is no bar.
const STEPS: f64 = 10.0;

pub struct Progress {
    bars: Option<MultiProgress>,
    tables: BTreeMap<String, Shown>,
}

struct Shown {
    bar: ProgressBar,
    /// What was said last.
    line: String,
}

impl Progress {
    pub fn of<'a>(tables: impl Iterator<Item = &'a str>) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        let shown = tables.map(|table| {
            let bar = match &bars {
                Some(bars) => bars.add(ProgressBar::new(1_000).with_style(style())),
                None => ProgressBar::hidden(),
            };
            bar.set_prefix(harmless(table));
            let line = String::new();
            (table.to_owned(), Shown { bar, line })
        });
        Self {
            tables: shown.collect(),
            bars,
        }
    }

    pub fn show(&mut self, table: &str, status: &RebuildStatus) {
        let Some(shown) = self.tables.get_mut(table) else {
            return;
        };
        // Why one failed is said at the end.
        let detail = status.detail.as_ref();
        let detail = detail.filter(|_| status.state != RebuildState::Failed);
        let remark = detail.map_or(String::new(), |detail| format!(": {}", harmless(detail)));
        let state = status.state.as_str();
        if self.bars.is_some() {
            shown.bar.set_position((status.progress * 1_000.0) as u64);
            shown
                .bar
                .set_message(format!("{state}, {} rows{remark}", status.rows));
            if status.state.is_over() {
                shown.bar.finish();
            }
            return;
        }
        let tenths = (status.progress * STEPS).floor() * STEPS;
        let line = match status.state {
            RebuildState::Replaying => {
                format!("{}: {tenths} % of the log read{remark}", harmless(table))
            }
            _ => format!("{}: {state}{remark}", harmless(table)),
        };
        if shown.line != line {
            say_aside(&line);
            shown.line = line;
        }
    }

    /// Says something on standard output, above the bars.
    pub fn say(&self, line: &str) -> Result<(), Failure> {
        match &self.bars {
            Some(bars) => bars.suspend(|| output::print(line)),
            None => output::print(line),
        }
    }

    pub fn end(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

/// Nothing can be done if nobody reads it.
pub fn say_aside(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar())
}
