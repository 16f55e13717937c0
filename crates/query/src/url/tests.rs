//! The URL grammar: what it reads, what it refuses and where, and that what is printed reads back.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::any_tree::{any_condition, any_order};

/// What each parameter is read as, in the printed form; or why not.
fn check(parameters: &[(&str, &str)], expected: &Expect) {
    let mut out = String::new();
    for parameter in parameters {
        let (name, value) = parameter;
        let line = shown(read([*parameter]));
        writeln!(out, "{name}={value} -> {line}").unwrap();
    }
    expected.assert_eq(&out);
}

/// What each query is read as.
fn check_queries(queries: &[&str], expected: &Expect) {
    let mut out = String::new();
    for query in queries {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
        writeln!(out, "{query}\n    {}", shown(read(pairs))).unwrap();
    }
    expected.assert_eq(&out);
}

fn shown(read: Result<Query, SyntaxError>) -> String {
    read.map_or_else(
        |error| error.to_string(),
        |query| crate::said::query(&query),
    )
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
            select=id, amount:total,meta->>plan,"a,b",* -> [id, total as amount, meta->>plan, "a,b", *]
        "#]],
    );
}

#[test]
fn conditions_on_relations() {
    check_queries(
        &[
            "customer.tier=eq.gold",
            "customer.region.name=eq.EU",
            "customer.tier=eq.gold&total=gt.5&customer.age=not.lt.3",
            "customer!buyer.tier=eq.gold&customer.age=lt.3",
            "or=(total.gte.100,customer.tier.eq.gold,customer.age.gt.3)",
            "and=(customer.tier.eq.gold,customer.region.name.eq.EU,customer.region.code.eq.1)",
            "or=(customer.not.and(tier.eq.gold,age.gt.3),items.or(qty.gt.1,sku.eq.A))",
            "customer.and=(tier.eq.gold,age.gt.3)",
            "customer.not.or=(tier.eq.gold,age.gt.3)",
            "items.and=()",
            "not.and=(items.and())",
            "f.items.limit=eq.5",
            "items.\"limit\"=eq.5",
            "\"a.b\"=eq.x",
            "f.\"a.b\"=eq.x",
            "customer.meta->>plan=eq.pro",
            "total::text=like.1*",
            "and=(total.gt.column(paid),name.eq.column(customer.name),a.like.column)",
        ],
        &expect![[r#"
            customer.tier=eq.gold
                (customer.and(tier.eq.gold))
            customer.region.name=eq.EU
                (customer.and(region.and(name.eq.EU)))
            customer.tier=eq.gold&total=gt.5&customer.age=not.lt.3
                (customer.and(tier.eq.gold,age.not.lt.3),total.gt.5)
            customer!buyer.tier=eq.gold&customer.age=lt.3
                (customer!buyer.and(tier.eq.gold),customer.and(age.lt.3))
            or=(total.gte.100,customer.tier.eq.gold,customer.age.gt.3)
                (or(total.gte.100,customer.and(tier.eq.gold),customer.and(age.gt.3)))
            and=(customer.tier.eq.gold,customer.region.name.eq.EU,customer.region.code.eq.1)
                (and(customer.and(tier.eq.gold,region.and(name.eq.EU,code.eq.1))))
            or=(customer.not.and(tier.eq.gold,age.gt.3),items.or(qty.gt.1,sku.eq.A))
                (or(customer.and(not.and(tier.eq.gold,age.gt.3)),items.and(or(qty.gt.1,sku.eq.A))))
            customer.and=(tier.eq.gold,age.gt.3)
                (customer.and(tier.eq.gold,age.gt.3))
            customer.not.or=(tier.eq.gold,age.gt.3)
                (customer.and(not.or(tier.eq.gold,age.gt.3)))
            items.and=()
                (items.and())
            not.and=(items.and())
                (not.and(items.and()))
            f.items.limit=eq.5
                (items.and(limit.eq.5))
            items."limit"=eq.5
                (items.and(limit.eq.5))
            "a.b"=eq.x
                ("a.b".eq.x)
            f."a.b"=eq.x
                ("a.b".eq.x)
            customer.meta->>plan=eq.pro
                (customer.and(meta->>plan.eq.pro))
            total::text=like.1*
                (total::text.like."1*")
            and=(total.gt.column(paid),name.eq.column(customer.name),a.like.column)
                (and(total.gt.column(paid),name.eq.column(customer.name),a.like.column))
        "#]],
    );
}

#[test]
fn words_of_the_grammar_are_names_in_quotes() {
    check_queries(
        &[
            "customer.\"eq\"=eq.1",
            "or=(customer.\"eq\".eq.1)",
            "order=customer.name.desc,customer(age).asc.nullsfirst,customer.region.name,-id",
        ],
        &expect![[r#"
            customer."eq"=eq.1
                (customer.and(eq.eq.1))
            or=(customer."eq".eq.1)
                (or(customer.and(eq.eq.1)))
            order=customer.name.desc,customer(age).asc.nullsfirst,customer.region.name,-id
                customer.name.desc.nullsfirst,customer.age.asc.nullsfirst,customer.region.name.asc.nullslast,id.desc.nullsfirst
        "#]],
    );
}

#[test]
fn relations_and_aggregates_that_are_shown() {
    check_queries(
        &[
            "select=id,total,customer(name,tier),items(sku,qty)",
            "select=*,buyer:customer!orders_buyer_fkey!inner(name,region(code,planet(name)))",
            "select=...customer(name),customer!flatten(*),items!inner!\"inner\"(sku)",
            "select=id,items(*)&items.order=qty.desc&items.limit=5&items.offset=2&items.where=(qty.gt.1,sku.neq.A)",
            "select=lines:items(product(name))&lines.limit=3&items.product.where=name.eq.x",
            "include=customer(name),items",
            "select=id&include=customer",
            "select=status,total.sum(),n:count(),customer.age.avg()::text",
            "select=id,items(count(),qty.sum())",
            "select=customer.tier,total::text,t:meta->>x::numeric",
            "group_by=status,customer.tier&aggregate=n:count(),revenue:sum(total)&having=n.gt.10&order=revenue.desc",
            "aggregate=count,count(*),count(id),total.sum(),avg(customer.age)&having=(count.gt.10,sum.lt.5)",
            "group_by=status",
            "select=s:status&group_by=status&aggregate=count()",
            "select=status&aggregate=count()",
            "select=id&group_by=status",
            "select=status&group_by=status,customer.tier",
            "include=customer&group_by=status",
            "having=n.gt.1",
        ],
        &expect![[r#"
            select=id,total,customer(name,tier),items(sku,qty)
                [id, total, customer{[name, tier] limit 20}, items{[sku, qty] limit 20}]
            select=*,buyer:customer!orders_buyer_fkey!inner(name,region(code,planet(name)))
                [*, required customer!orders_buyer_fkey{[name, region{[code, planet{[name] limit 20}] limit 20}] limit 20} as buyer]
            select=...customer(name),customer!flatten(*),items!inner!"inner"(sku)
                [spread customer{[name] limit 20}, prefixed customer{[*] limit 20}, required items!inner{[sku] limit 20}]
            select=id,items(*)&items.order=qty.desc&items.limit=5&items.offset=2&items.where=(qty.gt.1,sku.neq.A)
                [id, items{[*] (qty.gt.1,sku.neq.A) qty.desc.nullsfirst limit 5 offset 2}]
            select=lines:items(product(name))&lines.limit=3&items.product.where=name.eq.x
                [items{[product{[name] (name.eq.x) limit 20}] limit 3} as lines]
            include=customer(name),items
                [*, customer{[name] limit 20}, items{limit 20}]
            select=id&include=customer
                [id, customer{limit 20}]
            select=status,total.sum(),n:count(),customer.age.avg()::text
                [status, sum(total), count() as n, avg(customer.age)::text]
            select=id,items(count(),qty.sum())
                [id, items{[count(), sum(qty)] limit 20}]
            select=customer.tier,total::text,t:meta->>x::numeric
                [customer.tier, total::text, meta->>x::numeric as t]
            group_by=status,customer.tier&aggregate=n:count(),revenue:sum(total)&having=n.gt.10&order=revenue.desc
                [status, customer.tier, count() as n, sum(total) as revenue] grouped having(n.gt.10) revenue.desc.nullsfirst
            aggregate=count,count(*),count(id),total.sum(),avg(customer.age)&having=(count.gt.10,sum.lt.5)
                [count(), count(), count(id), sum(total), avg(customer.age)] having(count.gt.10,sum.lt.5)
            group_by=status
                [status] grouped
            select=s:status&group_by=status&aggregate=count()
                [status as s, count()] grouped
            select=status&aggregate=count()
                [status, count()]
            select=id&group_by=status
                select and group_by name different columns: a group shows what it is grouped by, and aggregates, in the value of 'group_by' at character 1
            select=status&group_by=status,customer.tier
                select and group_by name different columns: a group shows what it is grouped by, and aggregates, in the value of 'group_by' at character 1
            include=customer&group_by=status
                include does not go with group_by or aggregate, in the value of 'group_by' at character 1
            having=n.gt.1
                having goes with group_by or aggregate only, in the value of 'having' at character 1
        "#]],
    );
}

#[test]
fn what_is_said_of_a_relation_is_said_of_one_that_is_shown() {
    check_queries(
        &[
            "select=a(x)&b.limit=5",
            "select=a(x)&a.limit=0",
            "select=a(x),a!hint(y)&a.offset=x",
            "select=b:a(x),c:a(y)&a.limit=1",
        ],
        &expect![[r#"
            select=a(x)&b.limit=5
                no relation 'b' is shown, in the parameter name 'b.limit'
            select=a(x)&a.limit=0
                expected a whole number from 1 to 10000, in the value of 'a.limit' at character 1
            select=a(x),a!hint(y)&a.offset=x
                expected a whole number from 0 to 1000000, in the value of 'a.offset' at character 1
            select=b:a(x),c:a(y)&a.limit=1
                no relation 'a' is shown, in the parameter name 'a.limit'
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
fn groups_that_cannot_be_read_are_refused_with_their_place() {
    check(
        &[
            ("or", "a.eq.1"),
            ("or", "()"),
            ("or", "(a.eq.1"),
            ("or", "(a.eq.1))"),
            ("or", "(é.eq.1,,b.eq.2)"),
            ("or", "(a)"),
            ("or", "(customer.tier)"),
            ("or", "(customer.tier.equal.gold)"),
            ("or", "(total.above.5)"),
            ("or", "(a.b.c.d.e.eq.1)"),
            ("or", "(customer.and(tier.eq.gold)"),
            ("or", "(a.eq.column(b)"),
            ("or", "(xor(a.eq.1))"),
        ],
        &expect![[r#"
            or=a.eq.1 -> expected a group in parentheses, as in (a.eq.1,b.is.null), in the value of 'or' at character 1
            or=() -> expected a condition, as in status.eq.paid, and(…), or(…), not.and(…) or not.or(…), in the value of 'or' at character 2
            or=(a.eq.1 -> expected ',' or ')', in the value of 'or' at character 8
            or=(a.eq.1)) -> expected the end, or the group's closing ')' there, in the value of 'or' at character 9
            or=(é.eq.1,,b.eq.2) -> expected a condition, as in status.eq.paid, and(…), or(…), not.and(…) or not.or(…), in the value of 'or' at character 9
            or=(a) -> expected '.' and an operator after the column, as in status.eq.paid, in the value of 'or' at character 3
            or=(customer.tier) -> there is no operator 'tier', in the value of 'or' at character 2
            or=(customer.tier.equal.gold) -> there is no operator 'equal', in the value of 'or' at character 2
            or=(total.above.5) -> there is no operator 'above', in the value of 'or' at character 2
            or=(a.b.c.d.e.eq.1) -> there are more than 3 relations in one path, in the value of 'or' at character 10
            or=(customer.and(tier.eq.gold) -> expected ',' or ')', in the value of 'or' at character 28
            or=(a.eq.column(b) -> expected ',' or ')', in the value of 'or' at character 16
            or=(xor(a.eq.1)) -> expected '.' and an operator after the column, as in status.eq.paid, in the value of 'or' at character 5
        "#]],
    );
}

#[test]
fn lists_of_columns_that_cannot_be_read_are_refused_with_their_place() {
    let places = ["a"; 9].join(",");
    check(
        &[
            ("order", ""),
            ("order", "id.down"),
            ("order", "id.nullsfirst.desc"),
            ("order", "customer(name"),
            ("order", &places),
            ("select", ""),
            ("select", "id,"),
            ("select", "customer("),
            ("select", "customer(name"),
            ("select", "customer()"),
            ("select", "customer!a!b(name)"),
            ("select", "customer!inner"),
            ("select", "customer.region(name)"),
            ("select", "total::"),
            ("select", "total.sum"),
            ("select", "total.sum()x"),
            ("select", "a.b:total"),
            ("select", "...name"),
            ("select", "a(b(c(d(e))))"),
            ("include", "customer,"),
            ("group_by", "status,"),
            ("group_by", "customer(tier)"),
            ("aggregate", "total"),
            ("aggregate", "sum()"),
            ("aggregate", "mean(total)"),
            ("aggregate", "sum(total"),
            ("having", "n.gt.10"),
            ("having", "n.gt.10,m.gt.1"),
        ],
        &expect![[r#"
            order= -> expected a column, in the value of 'order' at character 1
            order=id.down -> id.down.asc.nullslast
            order=id.nullsfirst.desc -> expected asc or desc, then nullsfirst or nullslast, in the value of 'order' at character 15
            order=customer(name -> expected ')' after the relation's column, in the value of 'order' at character 14
            order=a,a,a,a,a,a,a,a,a -> there are more than 8 columns in order, in the value of 'order' at character 17
            select= -> expected a column, in the value of 'select' at character 1
            select=id, -> expected a column, in the value of 'select' at character 4
            select=customer( -> expected a column, in the value of 'select' at character 10
            select=customer(name -> expected ',' or ')', in the value of 'select' at character 14
            select=customer() -> expected a column, in the value of 'select' at character 10
            select=customer!a!b(name) -> expected inner, left, flatten and one hint at most, in the value of 'select' at character 12
            select=customer!inner -> [required customer{limit 20}]
            select=customer.region(name) -> expected a relation by its name alone, as in items(product(name)), in the value of 'select' at character 1
            select=total:: -> expected a column, in the value of 'select' at character 8
            select=total.sum -> [total.sum]
            select=total.sum()x -> expected ',' or the end, in the value of 'select' at character 12
            select=a.b:total -> expected a plain name before ':', in the value of 'select' at character 1
            select=...name -> [spread name{limit 20}]
            select=a(b(c(d(e)))) -> there are more than 3 relations inside each other, in the value of 'select' at character 7
            include=customer, -> expected a column, in the value of 'include' at character 10
            group_by=status, -> expected a column, in the value of 'group_by' at character 8
            group_by=customer(tier) -> expected ',' or the end, in the value of 'group_by' at character 9
            aggregate=total -> expected count(), sum(column), avg(…), min(…) or max(…), in the value of 'aggregate' at character 1
            aggregate=sum() -> expected a column that it is made of, as in sum(total), in the value of 'aggregate' at character 1
            aggregate=mean(total) -> expected count(), sum(column), avg(…), min(…) or max(…), in the value of 'aggregate' at character 1
            aggregate=sum(total -> expected ')' after the column, in the value of 'aggregate' at character 10
            having=n.gt.10 -> having goes with group_by or aggregate only, in the value of 'having' at character 1
            having=n.gt.10,m.gt.1 -> expected the end, or parentheses around several conditions, in the value of 'having' at character 8
        "#]],
    );
}

#[test]
fn names_that_cannot_be_read_are_refused_with_their_place() {
    check(
        &[
            ("items.order", "qty"),
            ("customer.and", "tier.eq.gold"),
            ("customer!fk", "eq.1"),
            ("customer.", "eq.1"),
        ],
        &expect![[r#"
            items.order=qty -> no relation 'items' is shown, in the parameter name 'items.order'
            customer.and=tier.eq.gold -> expected a group in parentheses, as in (a.eq.1,b.is.null), in the value of 'customer.and' at character 1
            customer!fk=eq.1 -> expected a column after the relation, as in customer.name, in the parameter name 'customer!fk'
            customer.=eq.1 -> expected a column, in the parameter name 'customer.'
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
    let of_embed = format!("({})", vec!["a.eq.1"; 33].join(","));
    let twice = [
        ("select", "a(x)"),
        ("a.where", &*of_embed),
        ("and", &*of_embed),
    ];
    let error = read(twice).unwrap_err().to_string();
    let expected = "there are more than 64 conditions and groups, in the value of 'a.where'";
    assert!(error.starts_with(expected), "{error}");
    let embeds = |count: usize| {
        let all: Vec<String> = (0..count).map(|at| format!("r{at}(x)")).collect();
        read([("select", &*all.join(","))])
    };
    assert!(embeds(16).is_ok() && embeds(17).is_err());
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same(filter in proptest::collection::vec(any_condition(), 1..3), order in any_order()) {
        prop_assume!(filter.iter().map(Condition::nodes).sum::<usize>() < NODES_MAX);
        let filter = gather(filter);
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
