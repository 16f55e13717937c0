//! Every rule, by what it looks at. Each module has its rules as constants and one function that tells which facts meet them.

mod changes;
mod clocks;
mod connectors;
mod latency;
mod mysql;
mod promises;
mod reach;
mod slots;
mod tables;
#[cfg(test)]
mod tests;
mod topics;
mod values;
mod view;

use crate::{Facts, Finding, Rule};
use view::View;

/// Every rule there is, in the order of the index of their pages.
pub const ALL: &[&[&Rule]] = &[
    reach::RULES,
    promises::RULES,
    latency::RULES,
    connectors::RULES,
    changes::RULES,
    values::RULES,
    topics::RULES,
    tables::RULES,
    slots::RULES,
    mysql::RULES,
    clocks::RULES,
];

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only whether what config names is there.
    Reach,
    Everything,
}

/// Everything that the facts show, worst first.
pub fn check(facts: &Facts, scope: Scope) -> Vec<Finding> {
    let view = View::new(facts);
    let reach: [Check; 2] = [reach::check, promises::check];
    let more: [Check; 9] = [
        latency::check,
        connectors::check,
        changes::check,
        values::check,
        topics::check,
        tables::check,
        slots::check,
        mysql::check,
        clocks::check,
    ];
    let more = match scope {
        Scope::Reach => &[],
        Scope::Everything => &more[..],
    };
    let mut found: Vec<Finding> = Vec::new();
    for judge in reach.iter().chain(more) {
        judge(&view, &mut found);
    }
    // Those of one rule stay together, in the order they were found.
    let place = |finding: &Finding| {
        let of_rule = ALL.iter().copied().flatten();
        of_rule.clone().position(|rule| *rule == finding.rule)
    };
    found.sort_by_key(|finding| (finding.rule.severity, place(finding)));
    found
}

type Check = fn(&View<'_>, &mut Vec<Finding>);
