//! The URL grammar: what it reads, what it refuses and where, and that what is printed reads back.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::tree::{
    ColumnPath, IsWhat, Operand, Operator, Ordered, Selected, SelectedWhat, Step, Test,
};

/// What each parameter is read as, in the printed form; or why not.
fn check(parameters: &[(&str, &str)], expected: &Expect) {
    let mut out = String::new();
    for (name, value) in parameters {
        let line = match read([(*name, *value)]) {
            Ok(query) => match (&query.select, &query.order[..]) {
                (Some(items), _) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
                (None, []) => print_conditions(&query.filter),
                (None, order) => print_order(order),
            },
            Err(error) => error.to_string(),
        };
        writeln!(out, "{name}={value} -> {line}").unwrap();
    }
    expected.assert_eq(&out);
}

fn shown(item: &Selected) -> String {
    let what = match &item.what {
        SelectedWhat::Star => "all".to_owned(),
        SelectedWhat::Path(path) => format!("{:?}{:?}{}", path.column, path.steps, path.as_text),
        what => format!("{what:?}"),
    };
    format!("{what} as {:?}", item.alias)
}

#[test]
fn filters_of_a_column() {
    check(
        &[
            ("status", "eq.paid"),
            ("status", "eq."),
            ("status", "eq.\"quoted, taken as it is\""),
            (
                "status",
                "not.in.(paid,\"a,b\",\"say \\\"hi\\\" \\\\\", x y,)",
            ),
            ("status", "in.()"),
            ("status", "in.(\"\")"),
            ("status", "in.(null,\"null\")"),
            ("f.limit", "gt.5"),
            ("meta->>plan", "like.pro*"),
            ("meta->a->0->>\"b->c\"", "is.not_null"),
            ("total", "between.(1,5.5)"),
            ("größe", "eq.🦀"),
            ("at", "gte.2024-02-29T12:00:00Z"),
        ],
        &expect![[r#"
            status=eq.paid -> (status.eq.paid)
            status=eq. -> (status.eq."")
            status=eq."quoted, taken as it is" -> (status.eq."\"quoted, taken as it is\"")
            status=not.in.(paid,"a,b","say \"hi\" \\", x y,) -> (status.not.in.(paid,"a,b","say \"hi\" \\","x y",""))
            status=in.() -> (status.in.())
            status=in.("") -> (status.in.(""))
            status=in.(null,"null") -> (status.in.(null,null))
            f.limit=gt.5 -> (limit.gt.5)
            meta->>plan=like.pro* -> (meta->>plan.like."pro*")
            meta->a->0->>"b->c"=is.not_null -> (meta->a->0->>"b->c".is.not_null)
            total=between.(1,5.5) -> (total.between.(1,5.5))
            größe=eq.🦀 -> (größe.eq."🦀")
            at=gte.2024-02-29T12:00:00Z -> (at.gte.2024-02-29T12:00:00Z)
        "#]],
    );
}

#[test]
fn groups() {
    check(
        &[
            ("or", "(a.eq.1,and(b.gt.2,c.is.null))"),
            (
                "and",
                "(not.or(a.eq.1,b.not.in.(1,2)), \"x.y\".eq.\"1,(2)\" )",
            ),
            ("not.or", "(a.eq.1,b.eq.)"),
            ("not", "(a.eq.1)"),
            ("or", "(a.eq.,b.eq.\"\")"),
            ("or", "(eq.eq.eq,not.eq.not,and.eq.1)"),
            ("or", "(a->b->>c.starts.x.y)"),
        ],
        &expect![[r#"
            or=(a.eq.1,and(b.gt.2,c.is.null)) -> (or(a.eq.1,and(b.gt.2,c.is.null)))
            and=(not.or(a.eq.1,b.not.in.(1,2)), "x.y".eq."1,(2)" ) -> (and(not.or(a.eq.1,b.not.in.(1,2)),"x.y".eq."1,(2)"))
            not.or=(a.eq.1,b.eq.) -> (not.or(a.eq.1,b.eq.""))
            not=(a.eq.1) -> (not.and(a.eq.1))
            or=(a.eq.,b.eq."") -> (or(a.eq."",b.eq.""))
            or=(eq.eq.eq,not.eq.not,and.eq.1) -> (or(eq.eq.eq,not.eq.not,and.eq.1))
            or=(a->b->>c.starts.x.y) -> (or(a->b->>c.starts.x.y))
        "#]],
    );
}

#[test]
fn orders_and_selections() {
    check(
        &[
            ("order", "id"),
            (
                "order",
                "created_at.desc,id.asc.nullsfirst, meta->>x.nullslast,\"a.b\".desc.nullslast",
            ),
            ("select", "id, amount:total,meta->>plan,\"a,b\",*"),
        ],
        &expect![[r#"
            order=id -> id.asc.nullslast
            order=created_at.desc,id.asc.nullsfirst, meta->>x.nullslast,"a.b".desc.nullslast -> created_at.desc.nullsfirst,id.asc.nullsfirst,meta->>x.asc.nullslast,"a.b".desc.nullslast
            select=id, amount:total,meta->>plan,"a,b",* -> "id"[]false as None "total"[]false as Some("amount") "meta"[Step("plan")]true as None "a,b"[]false as None all as None
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    check(
        &[
            ("status", "paid"),
            ("status", ""),
            ("status", "equals.paid"),
            ("status", "not.not.eq.1"),
            ("status", "eq"),
            ("status", "in.paid"),
            ("status", "in.(paid"),
            ("status", "in.(\"paid)"),
            ("status", "in.(\"a\"b)"),
            ("status", "in.(a)b"),
            ("status", "is.nul"),
            ("status", "between.(1)"),
            ("meta->", "eq.1"),
            ("meta->>a->b", "eq.1"),
            ("\"meta", "eq.1"),
        ],
        &expect![[r#"
            status=paid -> there is no operator 'paid', in the value of 'status' at character 1
            status= -> expected an operator and a value, as in eq.paid, in the value of 'status' at character 1
            status=equals.paid -> there is no operator 'equals', in the value of 'status' at character 1
            status=not.not.eq.1 -> there is no operator 'not', in the value of 'status' at character 5
            status=eq -> expected '.' and a value after the operator, in the value of 'status' at character 3
            status=in.paid -> expected a list in parentheses, as in (a,b), in the value of 'status' at character 4
            status=in.(paid -> expected ',' or ')', in the value of 'status' at character 9
            status=in.("paid) -> expected a closing quote for this one, in the value of 'status' at character 5
            status=in.("a"b) -> expected ',' or ')', in the value of 'status' at character 8
            status=in.(a)b -> expected the end, or a value in double quotes, in the value of 'status' at character 7
            status=is.nul -> expected null, not_null, true or false, in the value of 'status' at character 4
            status=between.(1) -> expected two bounds, as in between.(1,5), in the value of 'status' at character 9
            meta->=eq.1 -> expected a column, in the parameter name 'meta->'
            meta->>a->b=eq.1 -> expected no more steps after '->>', which makes text, in the parameter name 'meta->>a->b'
            "meta=eq.1 -> expected a closing quote for this one, in the parameter name '"meta'
        "#]],
    );
}

#[test]
fn groups_and_lists_that_cannot_be_read_are_refused_with_their_place() {
    let places = ["a"; 9].join(",");
    check(
        &[
            ("or", "a.eq.1"),
            ("or", "()"),
            ("or", "(a.eq.1"),
            ("or", "(a.eq.1))"),
            ("or", "(é.eq.1,,b.eq.2)"),
            ("or", "(a)"),
            ("or", "(customer.tier.eq.gold)"),
            ("or", "(xor(a.eq.1))"),
            ("order", ""),
            ("order", "id.down"),
            ("order", "id.nullsfirst.desc"),
            ("order", "customer(name)"),
            ("order", &places),
            ("select", ""),
            ("select", "id,"),
            ("select", "customer(name)"),
            ("select", "total::text"),
            ("select", "total.sum()"),
            ("select", "...customer(name)"),
        ],
        &expect![[r#"
            or=a.eq.1 -> expected a group in parentheses, as in (a.eq.1,b.is.null), in the value of 'or' at character 1
            or=() -> expected a condition, as in status.eq.paid, and(…), or(…), not.and(…) or not.or(…), in the value of 'or' at character 2
            or=(a.eq.1 -> expected ',' or ')', in the value of 'or' at character 8
            or=(a.eq.1)) -> expected the end, or the group's closing ')' there, in the value of 'or' at character 9
            or=(é.eq.1,,b.eq.2) -> expected a condition, as in status.eq.paid, and(…), or(…), not.and(…) or not.or(…), in the value of 'or' at character 9
            or=(a) -> expected '.' and an operator after the column, as in status.eq.paid, in the value of 'or' at character 3
            or=(customer.tier.eq.gold) -> conditions on relations (here 'customer.tier') are not supported by this version, in the value of 'or' at character 11
            or=(xor(a.eq.1)) -> expected '.' and an operator after the column, as in status.eq.paid, in the value of 'or' at character 5
            order= -> expected a column, in the value of 'order' at character 1
            order=id.down -> expected asc or desc, then nullsfirst or nullslast, in the value of 'order' at character 4
            order=id.nullsfirst.desc -> expected asc or desc, then nullsfirst or nullslast, in the value of 'order' at character 15
            order=customer(name) -> orders by relations (here 'customer') are not supported by this version, in the value of 'order' at character 1
            order=a,a,a,a,a,a,a,a,a -> there are more than 8 columns in order, in the value of 'order' at character 17
            select= -> expected a column, in the value of 'select' at character 1
            select=id, -> expected a column, in the value of 'select' at character 4
            select=customer(name) -> relations in select (here 'customer') are not supported by this version, in the value of 'select' at character 1
            select=total::text -> casts in select (here 'total') are not supported by this version, in the value of 'select' at character 1
            select=total.sum() -> aggregates and relations in select (here 'total') are not supported by this version, in the value of 'select' at character 1
            select=...customer(name) -> relations in select (here '...') are not supported by this version, in the value of 'select' at character 1
        "#]],
    );
}

#[test]
fn a_query_has_bounds() {
    let deep = format!("{}a.eq.1{}", "or(".repeat(9), ")".repeat(9));
    let wide = format!("({})", vec!["a.eq.1"; 64].join(","));
    let long = format!("in.({})", vec!["1"; 1_001].join(","));
    for (name, value, what) in [
        (
            "or",
            format!("({deep})"),
            "there are more than 8 groups inside each other",
        ),
        ("or", wide, "there are more than 64 conditions and groups"),
        ("id", long, "there are more than 1000 values in one list"),
    ] {
        let error = read([(name, &*value)]).unwrap_err().to_string();
        assert!(error.starts_with(what), "{error}");
    }
    let many = vec![("id", "eq.1"); 65];
    assert!(read(many).is_err());
}

fn any_path() -> impl Strategy<Value = ColumnPath> {
    let name = "[a-zé_.>,()\"\\\\ -]{1,6}";
    let steps = proptest::collection::vec(name.prop_map(Step), 0..3);
    (name, steps, any::<bool>()).prop_map(|(column, steps, as_text)| ColumnPath {
        column,
        as_text: as_text && !steps.is_empty(),
        steps,
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
        proptest::collection::vec(value(), 0..4)
            .prop_map(|list| (Operator::In, Operand::List(list))),
        (value(), value())
            .prop_map(|(low, high)| (Operator::Between, Operand::List(vec![low, high]))),
        (0..4_usize).prop_map(|at| {
            let what = [IsWhat::Null, IsWhat::NotNull, IsWhat::True, IsWhat::False][at];
            (Operator::Is, Operand::Is(what))
        }),
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

fn any_condition() -> impl Strategy<Value = Condition> {
    any_test().prop_recursive(4, 20, 4, |inner| {
        (
            proptest::collection::vec(inner, 1..4),
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(|(parts, all, negated)| {
                let group = if all {
                    Condition::All(parts)
                } else {
                    Condition::Any(parts)
                };
                if negated {
                    Condition::Not(Box::new(group))
                } else {
                    group
                }
            })
    })
}

fn any_order() -> impl Strategy<Value = Vec<Ordered>> {
    let item = (any_path(), any::<bool>(), any::<bool>());
    let item = item.prop_map(|(by, descending, nulls_first)| Ordered {
        by,
        descending,
        nulls_first,
    });
    proptest::collection::vec(item, 1..4)
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same(filter in proptest::collection::vec(any_condition(), 1..3), order in any_order()) {
        prop_assume!(filter.iter().map(Condition::nodes).sum::<usize>() < NODES_MAX);
        let printed = (print_conditions(&filter), print_order(&order));
        let query = read([("and", &*printed.0), ("order", &*printed.1)]);
        let query = query.map_err(|error| TestCaseError::fail(format!("{error}: {printed:?}")))?;
        prop_assert_eq!(query.filter, vec![Condition::All(filter)]);
        prop_assert_eq!(query.order, order);
    }

    #[test]
    fn no_text_makes_reading_panic_and_every_refusal_has_a_place_in_it(
        name in "(or|and|not|select|order|a|a->>b|f\\.or|[a\">\\-\\PC]{0,6})",
        value in "((not\\.)?(eq|in|is|between|like)\\.)?[(),.\"\\\\a-e \\PC]{0,24}",
    ) {
        match read([(&*name, &*value)]) {
            Ok(query) => {
                let again = read([("and", &*print_conditions(&query.filter))]);
                prop_assert!(query.filter.is_empty() || again.unwrap().filter == [Condition::All(query.filter)]);
            }
            Err(error) => {
                prop_assert_eq!(&error.place.parameter, &name);
                prop_assert!(error.place.offset.is_none_or(|at| at <= value.chars().count()), "{}", error);
            }
        }
    }

    #[test]
    fn mutations_of_what_reads_never_panic(condition in any_condition(), at: prop::sample::Index, put in "[(),.\"\\\\a ]{0,2}") {
        let printed: Vec<char> = print_conditions(&[condition]).chars().collect();
        let at = at.index(printed.len());
        let mutated: String = printed[..at].iter().copied().chain(put.chars()).chain(printed[at + 1..].iter().copied()).collect();
        let _ = read([("and", &*mutated)]);
    }
}
