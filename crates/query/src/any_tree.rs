//! Conditions and orders of any shape that a spelling can say, for the tests of the spellings.

use proptest::prelude::*;

use crate::tree::{
    ColumnPath, Condition, IsWhat, Operand, Operator, Ordered, Place, Related, RelationRef, Step,
    Test, gather,
};
use crate::url::condition::Grouping;

fn any_path() -> impl Strategy<Value = ColumnPath> {
    let name = "[a-zé_.>,():!\"\\\\ -]{1,6}|desc|eq|not|and";
    let steps = proptest::collection::vec(name.prop_map(Step), 0..3);
    let cast = proptest::option::of("text|a b");
    (name, steps, any::<bool>(), cast).prop_map(|(column, steps, as_text, cast)| ColumnPath {
        column,
        as_text: as_text && !steps.is_empty(),
        steps,
        cast,
        ..ColumnPath::default()
    })
}

fn any_test() -> impl Strategy<Value = Condition> {
    let value = || "[a-z0-9é.,()\"\\\\ %*-]{0,6}";
    let operand = prop_oneof![
        (value(), 0..9_usize).prop_map(|(text, at)| {
            use Operator::{Contains, Eq, Gt, Gte, Ilike, Like, Lt, Lte, Neq, Starts};
            let of_one = [Eq, Neq, Gt, Gte, Lt, Lte, Like, Ilike, Starts, Contains];
            (of_one[at], Operand::One(text))
        }),
        (any_path(), 0..6_usize).prop_map(|(path, at)| {
            use Operator::{Eq, Gt, Gte, Lt, Lte, Neq};
            let column = Operand::Column(Box::new(path));
            ([Eq, Neq, Gt, Gte, Lt, Lte][at], column)
        }),
        proptest::collection::vec(value(), 0..4)
            .prop_map(|list| (Operator::In, Operand::List(list))),
        (value(), value())
            .prop_map(|(low, high)| (Operator::Between, Operand::List(vec![low, high]))),
        (0..4_usize).prop_map(|at| {
            let what = [IsWhat::Null, IsWhat::NotNull, IsWhat::True, IsWhat::False][at];
            (Operator::Is, Operand::Is(what))
        }),
        Just((Operator::Match, Operand::One("^a".to_owned()))),
    ];
    (any_path(), operand, any::<bool>()).prop_map(|(column, (operator, operand), negated)| {
        let test = Condition::Test(Test {
            column,
            operator,
            operand,
            at: Place::default(),
        });
        if negated {
            Condition::Not(Box::new(test))
        } else {
            test
        }
    })
}

pub(crate) fn any_condition() -> impl Strategy<Value = Condition> {
    any_test().prop_recursive(4, 20, 4, |inner| {
        let parts = || proptest::collection::vec(inner.clone(), 1..4);
        let group = (parts(), any::<bool>(), any::<bool>());
        let group = group.prop_map(|(parts, any, negated)| Grouping { any, negated }.of(parts));
        let related = (
            any_relation(),
            proptest::collection::vec(inner.clone(), 0..3),
        );
        let related = related.prop_map(|(relation, filter)| {
            Condition::Related(Related {
                relation,
                filter: gather(filter),
                at: Place::default(),
            })
        });
        prop_oneof![2 => group, 1 => related]
    })
}

/// Few names, so that conditions on one relation meet, and words of the grammar among them.
fn any_relation() -> impl Strategy<Value = RelationRef> {
    let hint = proptest::option::of("[a-c]|inner|x y");
    ("[ab]|not|or|eq|desc|a\\.b|f", hint).prop_map(|(name, hint)| RelationRef { name, hint })
}

pub(crate) fn any_order() -> impl Strategy<Value = Vec<Ordered>> {
    let via = proptest::collection::vec(any_relation(), 0..3);
    let item = (any_path(), via, any::<bool>(), any::<bool>());
    let item = item.prop_map(|(by, via, descending, nulls_first)| Ordered {
        by: ColumnPath { via, ..by },
        descending,
        nulls_first,
    });
    proptest::collection::vec(item, 1..4)
}
