//! How fresh an answer is: the worst over the tables it touched. What is not known is said to be
//! unknown, never guessed.

use table_store::{Cut, ReadState, TableCut, TableFacts, Transactions};

use crate::as_of::AsOf;
use crate::floor::Precision;

/// Without contact to the log for longer than this, a live table is stale.
pub const STALE_AFTER_MS: u64 = 30_000;

/// Clocks that are no further apart count as one.
const CLOCKS_APART_MS: i64 = 1_000;

/// Where a table stands for its readers, the best first: the worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Live,
    CatchingUp,
    Loading,
    /// It was live, but there was no contact with the log beyond [`STALE_AFTER_MS`].
    Stale,
    Stalled,
}

/// How fresh some tables of one cut are.
#[derive(Clone, Debug, PartialEq)]
pub struct Fresh {
    pub as_of: String,
    /// When the source committed the newest visible change, of the table where that is longest ago.
    pub commit_ms: Option<i64>,
    /// Upper bound on the age against the log; `None` if there is none.
    pub lag_ms: Option<u64>,
    /// The same against the source; `None` without its heartbeats.
    pub source_lag_ms: Option<u64>,
    pub state: State,
    /// Share of the log read at the start, while loading.
    pub progress: Option<f64>,
    pub transactions: Transactions,
    pub complete: bool,
    pub quarantined: u64,
    /// Whether the tables have come as far as was asked for; `None` if nothing was.
    pub satisfied: Option<bool>,
    /// What it rests on that they have, where it may rest on one thing or another.
    pub precision: Option<Precision>,
    /// Which of the lags was bounded, if one was.
    pub bound: Option<Bound>,
}

/// What a bound on the lag is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The source itself: its heartbeats say how far it is shown.
    Source,
    /// The log only: a connector that has stopped is not noticed.
    Log,
}

impl Fresh {
    /// The lag that a bound is about, and which one it is; no lag if none is known.
    #[must_use]
    pub fn bounded_lag_ms(&self) -> (Option<u64>, Bound) {
        match self.source_lag_ms {
            Some(lag) => (Some(lag), Bound::Source),
            None => (self.lag_ms, Bound::Log),
        }
    }
}

/// How fresh these tables of a cut are, `None` if there are none.
#[must_use]
pub fn of<'a, T>(cut: &Cut, tables: T, now_ms: i64) -> Option<Fresh>
where
    T: IntoIterator<Item = &'a TableCut> + Clone,
{
    let all = tables
        .clone()
        .into_iter()
        .map(|table| of_table(&table.facts, now_ms));
    let mut fresh = all.reduce(|a, b| worse(a, &b))?;
    fresh.as_of = AsOf::at(cut, tables).encode();
    Some(fresh)
}

/// The lag of these tables that a bound is about, and which one it is; no lag if none is known.
#[must_use]
pub fn bounded_lag_ms<'a>(
    tables: impl IntoIterator<Item = &'a TableCut>,
    now_ms: i64,
) -> Option<(Option<u64>, Bound)> {
    let all = tables
        .into_iter()
        .map(|table| of_table(&table.facts, now_ms));
    let worst = all.reduce(|a, b| worse(a, &b))?;
    Some(worst.bounded_lag_ms())
}

/// All but the token.
fn of_table(facts: &TableFacts, now_ms: i64) -> Fresh {
    let lag_ms = lag_ms(facts, now_ms);
    let state = match facts.state {
        ReadState::Live if lag_ms.is_some_and(|lag| lag > STALE_AFTER_MS) => State::Stale,
        ReadState::Live => State::Live,
        ReadState::CatchingUp => State::CatchingUp,
        ReadState::Loading => State::Loading,
        ReadState::Stalled => State::Stalled,
    };
    Fresh {
        as_of: String::new(),
        commit_ms: facts.commit_ms,
        lag_ms,
        source_lag_ms: source_lag_ms(facts, now_ms),
        state,
        progress: facts.progress.filter(|_| state == State::Loading),
        transactions: facts.transactions,
        complete: facts.complete,
        quarantined: facts.quarantined,
        satisfied: None,
        precision: None,
        bound: None,
    }
}

/// Everything that the source committed is shown but for the last so many milliseconds. A source whose clock is
/// ahead of ours by more than a little proves nothing.
fn source_lag_ms(facts: &TableFacts, now_ms: i64) -> Option<u64> {
    let lag = now_ms.saturating_sub(facts.shown_source_ms()?);
    (lag >= -CLOCKS_APART_MS).then(|| lag.max(0) as u64)
}

/// The table is at most this much behind its log: it was told so much ago that it is at the end, or
/// all that was committed before then is applied.
///
/// While loading there is no such bound: the rows that are still missing may be of any age.
fn lag_ms(facts: &TableFacts, now_ms: i64) -> Option<u64> {
    if facts.state == ReadState::Loading {
        return None;
    }
    let since_end = facts
        .at_end_ms()
        .map(|at| now_ms.saturating_sub(at).max(0) as u64);
    // A commit in the future is another machine's clock, and proves nothing about ours.
    let since_commit = facts
        .whole_until_ms
        .and_then(|at| u64::try_from(now_ms.saturating_sub(at)).ok());
    since_end.into_iter().chain(since_commit).min()
}

fn worse(a: Fresh, b: &Fresh) -> Fresh {
    Fresh {
        as_of: a.as_of,
        commit_ms: a.commit_ms.into_iter().chain(b.commit_ms).min(),
        // One table without a bound leaves none for all.
        lag_ms: a.lag_ms.zip(b.lag_ms).map(|(a, b)| a.max(b)),
        source_lag_ms: a.source_lag_ms.zip(b.source_lag_ms).map(|(a, b)| a.max(b)),
        state: a.state.max(b.state),
        progress: a
            .progress
            .into_iter()
            .chain(b.progress)
            .min_by(f64::total_cmp),
        transactions: a.transactions.max(b.transactions),
        complete: a.complete && b.complete,
        quarantined: a.quarantined + b.quarantined,
        satisfied: None,
        precision: None,
        bound: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn facts(state: ReadState, set: impl FnOnce(&mut TableFacts)) -> TableFacts {
        let mut facts = TableFacts {
            state,
            ..TableFacts::default()
        };
        set(&mut facts);
        facts
    }

    fn live(at_end_ms: Option<i64>, commit_ms: Option<i64>) -> TableFacts {
        let facts = facts(ReadState::Live, |facts| {
            (facts.commit_ms, facts.whole_until_ms) = (commit_ms, commit_ms);
        });
        if let Some(at) = at_end_ms {
            facts.told_at_end(at);
        }
        facts
    }

    fn seen(facts: &TableFacts) -> (State, Option<u64>) {
        let fresh = of_table(facts, NOW_MS);
        (fresh.state, fresh.lag_ms)
    }

    #[test]
    fn the_lag_is_the_smaller_of_two_bounds_and_unknown_without_any() {
        assert_eq!(
            seen(&live(Some(NOW_MS - 40), Some(NOW_MS - 90_000))),
            (State::Live, Some(40))
        );
        assert_eq!(
            seen(&live(Some(NOW_MS - 90_000), Some(NOW_MS - 40))),
            (State::Live, Some(40))
        );
        assert_eq!(seen(&live(None, None)), (State::Live, None));
        // A source that cannot grow is for ever at its end.
        assert_eq!(seen(&live(Some(i64::MAX), None)), (State::Live, Some(0)));
        // A source whose clock is ahead.
        assert_eq!(
            seen(&live(Some(NOW_MS - 40), Some(NOW_MS + 500))),
            (State::Live, Some(40))
        );
        assert_eq!(seen(&live(None, Some(NOW_MS + 500))), (State::Live, None));
    }

    #[test]
    fn the_lag_against_the_source_is_known_by_its_heartbeats_only() {
        let known = |shown_ms: Option<i64>| {
            let facts = live(Some(NOW_MS - 40), Some(NOW_MS - 5));
            if let Some(at) = shown_ms {
                facts.shows_source_of(at);
            }
            of_table(&facts, NOW_MS)
        };
        let lag = |shown_ms| known(shown_ms).source_lag_ms;
        assert_eq!((lag(None), lag(Some(NOW_MS - 700))), (None, Some(700)));
        // Its clock is a little ahead of ours; and by so much that nothing can be said.
        assert_eq!(
            (lag(Some(NOW_MS + 900)), lag(Some(NOW_MS + 1_001))),
            (Some(0), None)
        );
        let bounded = |shown_ms| known(shown_ms).bounded_lag_ms();
        assert_eq!(bounded(None), (Some(5), Bound::Log));
        assert_eq!(bounded(Some(NOW_MS - 700)), (Some(700), Bound::Source));
        let both = worse(known(None), &known(Some(NOW_MS - 700)));
        assert_eq!(both.source_lag_ms, None);
    }

    #[test]
    fn a_live_table_that_hears_nothing_more_becomes_stale() {
        let bound = STALE_AFTER_MS as i64;
        assert_eq!(seen(&live(Some(NOW_MS - bound), None)).0, State::Live);
        assert_eq!(seen(&live(Some(NOW_MS - bound - 1), None)).0, State::Stale);
        let mut stalled = live(Some(NOW_MS - 2 * bound), None);
        stalled.state = ReadState::Stalled;
        assert_eq!(seen(&stalled).0, State::Stalled);
    }

    #[test]
    fn while_loading_no_age_is_claimed() {
        let loading = facts(ReadState::Loading, |facts| {
            facts.commit_ms = Some(NOW_MS - 5);
            facts.progress = Some(0.5);
        });
        let fresh = of_table(&loading, NOW_MS);
        assert_eq!(
            (fresh.state, fresh.lag_ms, fresh.progress),
            (State::Loading, None, Some(0.5))
        );
    }

    #[test]
    fn several_tables_are_as_fresh_as_the_worst_in_every_respect() {
        let mut good = live(Some(NOW_MS - 10), Some(NOW_MS - 20));
        good.transactions = Transactions::Whole;
        let behind = facts(ReadState::CatchingUp, |facts| {
            facts.complete = false;
            facts.quarantined = 2;
            facts.commit_ms = Some(NOW_MS - 7_000);
            facts.whole_until_ms = Some(NOW_MS - 7_000);
            facts.transactions = Transactions::Partial;
        });
        let loading = |progress| {
            facts(ReadState::Loading, |facts| {
                facts.progress = Some(progress);
                facts.quarantined = 1;
            })
        };
        let worst_of = |all: &[&TableFacts]| {
            all.iter()
                .map(|facts| of_table(facts, NOW_MS))
                .reduce(|a, b| worse(a, &b))
                .unwrap()
        };

        let two = worst_of(&[&good, &behind]);
        assert_eq!(
            (two.state, two.lag_ms, two.commit_ms),
            (State::CatchingUp, Some(7_000), Some(NOW_MS - 7_000))
        );
        assert_eq!(
            (two.transactions, two.complete, two.quarantined),
            (Transactions::Partial, false, 2)
        );

        let all = worst_of(&[&loading(0.9), &good, &behind, &loading(0.2)]);
        assert_eq!(
            (all.state, all.lag_ms, all.progress),
            (State::Loading, None, Some(0.2))
        );
        assert_eq!(all.quarantined, 4);
    }

    #[test]
    fn states_are_ordered_from_best_to_worst() {
        use State::{CatchingUp, Live, Loading, Stale, Stalled};
        assert!([Live, CatchingUp, Loading, Stale, Stalled].is_sorted());
        let nothing = table_store::Publisher::default().store().published();
        assert_eq!(of(&nothing, [], NOW_MS), None);
    }
}
