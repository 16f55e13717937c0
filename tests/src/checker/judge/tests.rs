//! Lies that the judge must find, and the truth that it must not take for one.

use super::*;
use crate::checker::bank::{Bank, Transaction};
use crate::checker::connector::Mishap;
use crate::checker::moment;

/// A history, and what all tables show after each of its changes.
struct Told {
    history: History,
    states: Vec<Vec<Fact>>,
    ends: Vec<u64>,
}

fn told(seed: u64) -> Told {
    let mut bank = Bank::new(seed);
    let mut transactions = vec![bank.opening()];
    (0..30).for_each(|_| transactions.extend(bank.some()));
    let mut history = History::default();
    history.enter(&transactions, Mishap::None, false);
    history.all_arrived(moment::now());
    let ends = transactions.iter().scan(0, |end, transaction| {
        *end += followed(transaction).count() as u64;
        Some(*end)
    });
    Told {
        history,
        ends: ends.collect(),
        states: states(&transactions),
    }
}

fn followed(transaction: &Transaction) -> impl Iterator<Item = Fact> {
    let changes = transaction.changes.iter();
    changes.filter_map(|change| {
        let table = Table::named(change.table.name)?;
        Some(Fact {
            table,
            id: change.id,
            row: change.after,
        })
    })
}

fn states(transactions: &[Transaction]) -> Vec<Vec<Fact>> {
    let mut state: Vec<Fact> = Vec::new();
    for fact in transactions.iter().flat_map(followed) {
        if state
            .iter()
            .all(|known| (known.table, known.id) != (fact.table, fact.id))
        {
            state.push(Fact { row: None, ..fact });
        }
    }
    let mut states = vec![state.clone()];
    for fact in transactions.iter().flat_map(followed) {
        let known = state
            .iter_mut()
            .find(|known| (known.table, known.id) == (fact.table, fact.id));
        *known.unwrap() = fact;
        states.push(state.clone());
    }
    states
}

#[test]
fn the_truth_is_explained_and_balanced() {
    let Told {
        history,
        states,
        ends,
    } = told(1);
    for end in [0].iter().chain(&ends) {
        let state = &states[*end as usize];
        let explained = explained(&history, state, true).unwrap();
        let (least, most) = explained.whole.unwrap();
        assert!((least..=most).contains(end), "{end}: {least}..={most}");
        explained.at_least(&all_at(*end)).unwrap();
        balanced(state).unwrap();
    }
    for (changes, state) in states.iter().enumerate().step_by(7) {
        explained(&history, state, false)
            .unwrap()
            .at_least(&all_at(changes as u64))
            .unwrap();
    }
}

#[test]
fn a_torn_transaction_is_found() {
    let Told {
        history,
        states,
        ends,
    } = told(2);
    let mut found = 0;
    for (changes, state) in states.iter().enumerate().step_by(3) {
        if changes == 0 || ends.contains(&(changes as u64)) {
            continue;
        }
        // Half of a transaction that ends as another state began is none.
        let torn = explained(&history, state, true);
        assert!(matches!(torn, Err(Wrong::Torn(_))), "{changes}: {torn:?}");
        found += 1;
    }
    assert!(found > 20);
}

#[test]
fn partitions_of_different_moments_are_torn_only_where_that_is_denied() {
    let Told {
        history,
        states,
        ends,
    } = told(3);
    let (early, late) = (&states[ends[8] as usize], &states[ends[40] as usize]);
    let mixed: Vec<Fact> = early
        .iter()
        .zip(late)
        .map(
            |(early, late)| {
                *if early.place().1 == 0 { early } else { late }
            },
        )
        .collect();
    assert!(matches!(
        explained(&history, &mixed, true),
        Err(Wrong::Torn(_))
    ));
    let explained = explained(&history, &mixed, false).unwrap();
    explained.at_least(&all_at(ends[8])).unwrap();
    assert!(matches!(
        explained.at_least(&all_at(ends[40])),
        Err(Wrong::BelowFloor(_))
    ));
}

#[test]
fn one_partition_of_two_moments_never_was() {
    let Told {
        history,
        states,
        ends,
    } = told(4);
    let (early, late) = (&states[ends[8] as usize], &states[ends[40] as usize]);
    let mixed: Vec<Fact> = early
        .iter()
        .zip(late)
        .enumerate()
        .map(
            |(nth, (early, late))| {
                *if nth % 2 == 0 { early } else { late }
            },
        )
        .collect();
    assert!(matches!(
        explained(&history, &mixed, false),
        Err(Wrong::NeverWas(..))
    ));
}

#[test]
fn an_older_answer_is_found_by_everything_that_it_is_older_than() {
    let Told {
        history,
        states,
        ends,
    } = told(5);
    let (early, late) = (ends[15], ends[45]);
    let of = |end: u64| explained(&history, &states[end as usize], true).unwrap();
    let seen = of(late).floors();
    assert!(matches!(
        of(early).not_before(&seen),
        Err(Wrong::WentBack(_))
    ));
    assert!(matches!(
        of(early).at_least(&seen),
        Err(Wrong::BelowFloor(_))
    ));
    assert!(matches!(of(early).as_young_as(late), Err(Wrong::Stale(_))));
    of(late).not_before(&of(early).floors()).unwrap();
    of(late).not_before(&seen).unwrap();
}

#[test]
fn a_whole_answer_about_one_table_is_a_floor_for_all() {
    let Told {
        history,
        states,
        ends,
    } = told(6);
    let part = |end: u64, table: &'static Table| -> Vec<Fact> {
        let facts = states[end as usize].iter();
        facts.filter(|fact| fact.table == table).copied().collect()
    };
    let accounts = explained(&history, &part(ends[45], &ACCOUNTS), true).unwrap();
    let orders = explained(&history, &part(ends[8], &ORDERS), true).unwrap();
    assert!(matches!(
        orders.not_before(&accounts.floors()),
        Err(Wrong::WentBack(_))
    ));
}

#[test]
fn rows_that_nobody_wrote_and_rows_that_are_gone_never_were() {
    let Told {
        history,
        states,
        ends,
    } = told(7);
    let state = &states[ends[25] as usize];
    let change = |to: &dyn Fn(Row) -> Option<Row>| {
        let mut lie = state.clone();
        let fact = lie.iter_mut().find(|fact| fact.table == &ACCOUNTS).unwrap();
        fact.row = fact.row.and_then(to);
        lie
    };
    let richer = change(&|row| {
        Some(Row {
            cell: row.cell + 1,
            ..row
        })
    });
    assert!(matches!(
        explained(&history, &richer, false),
        Err(Wrong::NeverWas(..))
    ));
    assert!(matches!(balanced(&richer), Err(Wrong::Unbalanced(_))));
    let gone = change(&|_| None);
    assert!(matches!(
        explained(&history, &gone, false),
        Err(Wrong::NeverWas(..))
    ));
    let mut lineless = state.clone();
    lineless.retain(|fact| fact.table != &LINES);
    assert!(matches!(balanced(&lineless), Err(Wrong::Unbalanced(_))));
}

#[test]
fn another_answer_for_the_same_moment_is_found() {
    let Told { states, ends, .. } = told(9);
    let (one, other) = (&states[ends[25] as usize], &states[ends[26] as usize]);
    same(one, one).unwrap();
    assert!(matches!(same(one, other), Err(Wrong::Changed(_))));
}

#[test]
fn a_message_names_only_what_contradicts_itself() {
    let Told {
        history,
        states,
        ends,
    } = told(8);
    let middle = ends.windows(2).find(|pair| pair[0] + 1 < pair[1]).unwrap()[0] + 1;
    let Err(Wrong::Torn(facts)) = explained(&history, &states[middle as usize], true) else {
        panic!("not torn");
    };
    assert!(facts.len() <= 2, "{facts:?}");
}
