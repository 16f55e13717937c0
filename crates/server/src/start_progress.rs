//! Tells on standard error how far a start is: a bar on a terminal, else a line of the log now and then.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest::{StartPhase, StartProgress, StatusBoard, StatusReport};
use telemetry::clock;

/// How often the bar moves.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often a start that takes long is logged.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Tables that a probe names; the rest are counted.
const NAMED_MAX: usize = 5;

const WITH_TOTAL: &str = "{prefix:>11} [{bar:40}] {percent:>3} %  {msg}";
const WITHOUT_TOTAL: &str = "{prefix:>11} {spinner} {msg}";

/// Where progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    Bar,
    Log,
}

impl Show {
    /// A bar for a person, if that was not declined and the terminal can draw one.
    pub fn choose(no_progress: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if no_progress || is_dumb || !io::stderr().is_terminal() {
            Self::Log
        } else {
            Self::Bar
        }
    }
}

/// Follows a start on a thread of its own, until it is over. Nobody waits for it.
pub fn follow(board: Arc<StatusBoard>, show: Show) -> io::Result<()> {
    let thread = Builder::new().name("rowtide-progress".to_owned());
    let follow = move || match show {
        Show::Bar => draw(&board),
        Show::Log => log(&board),
    };
    thread.spawn(follow).map(|_| ())
}

fn draw(board: &StatusBoard) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    each_look(board, |start| {
        // Both are fixed texts that are right.
        let template = start.total.map_or(WITHOUT_TOTAL, |_| WITH_TOTAL);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(title(start.phase));
        bar.set_length(start.total.unwrap_or(0));
        bar.set_position(start.done);
        bar.set_message(amount(start));
        bar.tick();
    });
    bar.finish_and_clear();
}

fn log(board: &StatusBoard) {
    let mut told = clock::monotonic();
    each_look(board, |start| {
        if clock::monotonic() - told >= LOG_EVERY {
            told = clock::monotonic();
            let percent = start.share().map(|share| (share * 100.0) as u64);
            tracing::info!(percent, "{}: {}", title(start.phase), amount(start));
        }
    });
}

fn each_look(board: &StatusBoard, mut look: impl FnMut(&StartProgress)) {
    loop {
        let (start, is_running) = board.read(|report| (report.start, report.running));
        if !is_running || start.phase == StartPhase::Started {
            return;
        }
        look(&start);
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn title(phase: StartPhase) -> &'static str {
    match phase {
        StartPhase::Opening => "opening",
        StartPhase::Loading => "loading",
        StartPhase::CatchingUp => "catching up",
        StartPhase::Started => "started",
    }
}

/// How much is done, how fast it goes and how long it takes.
fn amount(start: &StartProgress) -> String {
    let what = match start.phase {
        StartPhase::Loading => "rows",
        _ => "records",
    };
    let done = match start.total {
        Some(total) => format!("{} of {} {what}", start.done, total),
        None => format!("{} {what}", start.done),
    };
    let rate = start.per_s.map(|per_s| format!("{per_s}/s"));
    let left = start.left_ms.map(|left_ms| {
        let left = Duration::from_secs(left_ms.div_ceil(1_000));
        format!("{} left", humantime::format_duration(left))
    });
    let told: Vec<String> = [Some(done), rate, left].into_iter().flatten().collect();
    told.join(", ")
}

/// What is being loaded, for a probe that fails because of it.
pub fn loading(report: &StatusReport) -> String {
    if report.start.phase == StartPhase::Opening {
        return "finding out what the checkpoint holds".to_owned();
    }
    let named = report.loading.iter().take(NAMED_MAX);
    let named = named.map(|table| format!("{} {:.0} %", table.name, table.progress * 100.0));
    let tables = named.collect::<Vec<_>>().join(", ");
    let amount = amount(&report.start);
    match report.loading.len().saturating_sub(NAMED_MAX) {
        0 => format!("{amount}: {tables}"),
        more => format!("{amount}: {tables} and {more} more"),
    }
}

/// How far the log has been read, for a probe that fails because of it.
pub fn catching_up(report: &StatusReport) -> String {
    let start = &report.start;
    if start.phase != StartPhase::CatchingUp {
        return "nothing is read before the checkpoint is loaded".to_owned();
    }
    let behind = start.total.map(|total| total.saturating_sub(start.done));
    let behind = behind.map_or(String::new(), |behind| format!("{behind} records behind: "));
    format!("{behind}{}. See /v1/status", amount(start))
}

#[cfg(test)]
mod tests {
    use ingest::TableLoading;

    use super::*;

    fn report(phase: StartPhase, total: Option<u64>) -> StatusReport {
        let mut report = StatusReport::default();
        report.start = StartProgress {
            phase,
            done: 250_000,
            total,
            per_s: Some(120_000),
            left_ms: total.map(|_| 61_500),
        };
        report
    }

    #[test]
    fn a_probe_hears_what_is_loaded_and_how_long_that_takes() {
        let mut report = report(StartPhase::Loading, Some(1_000_000));
        report.loading = (0..7)
            .map(|number| TableLoading {
                name: format!("t{number}"),
                rows_max: 1,
                progress: if number == 0 { 0.257 } else { 0.0 },
            })
            .collect();
        assert_eq!(
            loading(&report),
            "250000 of 1000000 rows, 120000/s, 1m 2s left: t0 26 %, t1 0 %, t2 0 %, t3 0 %, t4 0 % and 2 more"
        );
        assert_eq!(
            loading(&StatusReport::default()),
            "finding out what the checkpoint holds"
        );
    }

    #[test]
    fn a_probe_hears_how_far_behind_it_is() {
        assert_eq!(
            catching_up(&report(StartPhase::CatchingUp, Some(300_000))),
            "50000 records behind: 250000 of 300000 records, 120000/s, 1m 2s left. See /v1/status"
        );
        assert_eq!(
            catching_up(&report(StartPhase::CatchingUp, None)),
            "250000 records, 120000/s. See /v1/status"
        );
    }
}
