//! The grammar, by the examples that `PostgREST` documents and the failures that its specifications name.

mod failures;

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::tree::{
    AggregateFunction, ColumnPath, Condition, Lift, Operand, Operator, Query, Related, RelationRef,
    Selected, SelectedWhat,
};

/// A query string, not encoded.
fn read_text(text: &str) -> Result<Query, ReadError> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    read(parts.map(|part| part.split_once('=').unwrap_or((part, ""))))
}

fn check(texts: &[&str], expected: &Expect) {
    let mut out = String::new();
    for text in texts {
        let line = match read_text(text) {
            Ok(query) if query == Query::default() => "everything".to_owned(),
            Ok(query) => shown(&query),
            Err(ReadError::Syntax {
                message, details, ..
            }) => format!("{message}: {details}"),
            Err(error) => format!("{error:?}"),
        };
        writeln!(out, "{text}\n    {line}").unwrap();
    }
    expected.assert_eq(&out);
}

fn shown(query: &Query) -> String {
    let mut parts = Vec::new();
    if let Some(items) = &query.select {
        parts.push(format!("show [{}]", listed(items, item)));
    }
    if !query.filter.is_empty() {
        parts.push(format!("where {}", listed(&query.filter, condition)));
    }
    if !query.order.is_empty() {
        let order = listed(&query.order, |one| {
            let direction = if one.descending { "down" } else { "up" };
            let nulls = if one.nulls_first { "first" } else { "last" };
            format!("{} {direction} nulls {nulls}", path(&one.by))
        });
        parts.push(format!("order {order}"));
    }
    parts.extend(query.limit.map(|limit| format!("limit {limit}")));
    if query.offset > 0 {
        parts.push(format!("offset {}", query.offset));
    }
    parts.join(" ")
}

fn listed<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn item(item: &Selected) -> String {
    let what = match &item.what {
        SelectedWhat::Star => "*".to_owned(),
        SelectedWhat::Path(of) => path(of),
        SelectedWhat::Aggregate(aggregate) => {
            let of = aggregate.of.as_ref().map_or_else(String::new, path);
            format!(
                "{}({of}){}",
                aggregate.function.spelling(),
                cast(aggregate.cast.as_ref())
            )
        }
        SelectedWhat::Embed(embed) => {
            let lift = if embed.lift == Lift::Spread {
                "spread "
            } else {
                ""
            };
            let required = if embed.required { "required " } else { "" };
            format!(
                "{lift}{required}{}{{{}}}",
                relation(&embed.relation),
                shown(&embed.query)
            )
        }
    };
    match &item.alias {
        Some(alias) => format!("{what} as {alias}"),
        None => what,
    }
}

fn relation(relation: &RelationRef) -> String {
    let hint = relation.hint.iter().map(|hint| format!("!{hint}"));
    relation.name.clone() + &hint.collect::<String>()
}

fn path(of: &ColumnPath) -> String {
    let via: String = of.via.iter().map(|via| relation(via) + ".").collect();
    let steps = of.steps.iter().flat_map(|step| ["/", &*step.0]);
    let steps: String = steps.collect();
    let text = if of.as_text { "#" } else { "" };
    format!("{via}{}{steps}{text}{}", of.column, cast(of.cast.as_ref()))
}

fn cast(cast: Option<&String>) -> String {
    cast.map_or_else(String::new, |cast| format!("::{cast}"))
}

fn condition(of: &Condition) -> String {
    match of {
        Condition::All(parts) => format!("all({})", listed(parts, condition)),
        Condition::Any(parts) => format!("any({})", listed(parts, condition)),
        Condition::Not(part) => format!("not {}", condition(part)),
        Condition::Test(test) => {
            let operand = match &test.operand {
                Operand::One(text) => format!("{text:?}"),
                Operand::List(texts) => format!("{texts:?}"),
                Operand::Is(what) => format!("{what:?}"),
                Operand::Column(other) => path(other),
            };
            format!(
                "{} {} {operand}",
                path(&test.column),
                test.operator.spelling()
            )
        }
        Condition::Related(Related {
            relation: to,
            filter,
            ..
        }) => {
            format!("some {}({})", relation(to), listed(filter, condition))
        }
    }
}

#[test]
fn columns_are_selected_renamed_and_cast() {
    check(
        &[
            "",
            "select=",
            "select=*",
            "select=first_name,age",
            "select=fullName:full_name,birthDate:birth_date",
            "select=full_name,salary::text",
            "select=id, name , total",
            "select=id,json_data->>blood_type,json_data->phones",
            "select=id,ct:json_data->phones->0->>country_code",
            "select=a->-1::int,b->\"x.y\",c->!@$%^*_a",
            "select=\":arr->ow::cast\",\"(inside,parens)\",\"a.dotted.column\",\"  col  \"",
            "select=field-with_sep,123,$,Just A Server Model",
            "select=id,id",
        ],
        &expect![[r#"

                everything
            select=
                show []
            select=*
                show [*]
            select=first_name,age
                show [first_name, age]
            select=fullName:full_name,birthDate:birth_date
                show [full_name as fullName, birth_date as birthDate]
            select=full_name,salary::text
                show [full_name, salary::text]
            select=id, name , total
                show [id, name, total]
            select=id,json_data->>blood_type,json_data->phones
                show [id, json_data/blood_type#, json_data/phones]
            select=id,ct:json_data->phones->0->>country_code
                show [id, json_data/phones/0/country_code# as ct]
            select=a->-1::int,b->"x.y",c->!@$%^*_a
                show [a/-1::int as a, b/x.y, c/!@$%^*_a]
            select=":arr->ow::cast","(inside,parens)","a.dotted.column","  col  "
                show [:arr->ow::cast, (inside,parens), a.dotted.column,   col  ]
            select=field-with_sep,123,$,Just A Server Model
                show [field-with_sep, 123, $, Just A Server Model]
            select=id,id
                show [id]
        "#]],
    );
}

#[test]
fn aggregates() {
    check(
        &[
            "select=count()",
            "select=amount.sum(),amount.avg(),amount.min(),amount.max(),amount.count()",
            "select=total:amount.sum()::int,order_date",
            "select=details->>n::int.sum(),n:count()::text",
            "select=count",
            "select=name,orders(amount.sum()),...customers(city.count())",
            "select=amount.median()",
        ],
        &expect![[r#"
            select=count()
                show [count()]
            select=amount.sum(),amount.avg(),amount.min(),amount.max(),amount.count()
                show [sum(amount), avg(amount), min(amount), max(amount), count(amount)]
            select=total:amount.sum()::int,order_date
                show [sum(amount)::int as total, order_date]
            select=details->>n::int.sum(),n:count()::text
                show [sum(details/n#::int), count()::text as n]
            select=count
                show [count]
            select=name,orders(amount.sum()),...customers(city.count())
                show [name, orders{show [sum(amount)]} as orders, spread customers{show [count(city)]}]
            select=amount.median()
                "failed to parse select parameter (amount.median())" (line 1, column 8): unexpected "m" expecting "sum", "avg", "count", "max" or "min"
        "#]],
    );
}

#[test]
fn relations_are_embedded() {
    check(
        &[
            "select=title,directors(id,last_name)",
            "select=title,director:directors(id)",
            "select=title,directors!director_id!inner(id),x:billing!left(*)",
            "select=title,directors!inner!hint(id)",
            "select=id,projects(id,tasks(id)),...clients(client_name:name)",
            "select=id,..clients(name)",
            "select=title,actors()&actors=not.is.null",
            "select=title,actors!inner()&actors.name=eq.x",
            "select=id,count(id)",
        ],
        &expect![[r#"
            select=title,directors(id,last_name)
                show [title, directors{show [id, last_name]} as directors]
            select=title,director:directors(id)
                show [title, directors{show [id]} as director]
            select=title,directors!director_id!inner(id),x:billing!left(*)
                show [title, required directors!director_id{show [id]} as directors, billing{show [*]} as x]
            select=title,directors!inner!hint(id)
                show [title, required directors!hint{show [id]} as directors]
            select=id,projects(id,tasks(id)),...clients(client_name:name)
                show [id, projects{show [id, tasks{show [id]} as tasks]} as projects, spread clients{show [name as client_name]}]
            select=id,..clients(name)
                show [id, spread clients{show [name]}]
            select=title,actors()&actors=not.is.null
                show [title] where some actors()
            select=title,actors!inner()&actors.name=eq.x
                show [title] where some actors(name eq "x")
            select=id,count(id)
                "failed to parse select parameter (id,count(id))" (line 1, column 9): unexpected '(' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input
        "#]],
    );
}

#[test]
fn levels_have_filters_orders_and_limits_of_their_own() {
    check(
        &[
            "select=*,roles(*)&roles.character=in.(Chico,Harpo,Groucho)",
            "select=*,actors(*)&actors.order=last_name,first_name.desc&actors.limit=10&actors.offset=2",
            "select=id,the_tasks:tasks(id,users(id))&tasks.order=name&the_tasks.users.id=in.(1,2)",
            "select=*,roles(*)&roles.or=(a.eq.1,not.and(b.gt.2,c.is.null))&roles.not.and=(d.eq.1)",
            "select=title,directors(last_name)&order=directors(last_name).desc.nullslast,title",
            "select=*,d:directors(*)&order=d(data->name)",
            "select=name,clients()&clients=is.null",
            "select=name,c:clients!inner(x!inner(y))&c.z=eq.1&c=is.not_null",
            "select=*,a(),b()&a.x=ilike.*m*&b.y=eq.2&or=(a.not.is.null,b.not.is.null)",
            "select=name,child(name,grand())&child.grand=not.is.null&child=not.is.null",
            "select=*,status(*)&status=eq.3",
            "select=*&projects.name=like.x",
            "select=id,projects(id,tasks(id))&projects.tasks2.name=like.x",
            "select=id,clients(name)&order=clientsx(name)",
        ],
        &expect![[r#"
            select=*,roles(*)&roles.character=in.(Chico,Harpo,Groucho)
                show [*, roles{show [*] where character in ["Chico", "Harpo", "Groucho"]} as roles]
            select=*,actors(*)&actors.order=last_name,first_name.desc&actors.limit=10&actors.offset=2
                show [*, actors{show [*] order last_name up nulls last, first_name down nulls first limit 10 offset 2} as actors]
            select=id,the_tasks:tasks(id,users(id))&tasks.order=name&the_tasks.users.id=in.(1,2)
                show [id, tasks{show [id, users{show [id] where id in ["1", "2"]} as users] order name up nulls last} as the_tasks]
            select=*,roles(*)&roles.or=(a.eq.1,not.and(b.gt.2,c.is.null))&roles.not.and=(d.eq.1)
                show [*, roles{show [*] where any(a eq "1", not all(b gt "2", c is Null)), not all(d eq "1")} as roles]
            select=title,directors(last_name)&order=directors(last_name).desc.nullslast,title
                show [title, directors{show [last_name]} as directors] order directors.last_name down nulls last, title up nulls last
            select=*,d:directors(*)&order=d(data->name)
                show [*, directors{show [*]} as d] order directors.data/name up nulls last
            select=name,clients()&clients=is.null
                show [name] where not some clients()
            select=name,c:clients!inner(x!inner(y))&c.z=eq.1&c=is.not_null
                show [name, required clients{show [required x{show [y]} as x] where z eq "1"} as c] where some clients(z eq "1", some x())
            select=*,a(),b()&a.x=ilike.*m*&b.y=eq.2&or=(a.not.is.null,b.not.is.null)
                show [*] where any(some a(x ilike "*m*"), some b(y eq "2"))
            select=name,child(name,grand())&child.grand=not.is.null&child=not.is.null
                show [name, child{show [name] where some grand()} as child] where some child(some grand())
            select=*,status(*)&status=eq.3
                show [*, status{show [*]} as status] where status eq "3"
            select=*&projects.name=like.x
                NotEmbedded { name: "projects", at: Place { parameter: "projects.name", offset: None } }
            select=id,projects(id,tasks(id))&projects.tasks2.name=like.x
                NotEmbedded { name: "tasks2", at: Place { parameter: "projects.tasks2.name", offset: None } }
            select=id,clients(name)&order=clientsx(name)
                NotEmbedded { name: "clientsx", at: Place { parameter: "order", offset: Some(0) } }
        "#]],
    );
}

#[test]
fn operators() {
    check(
        &[
            "age=gte.18&student=is.true&id=not.eq.5",
            "a=eq.&b=neq.x.y&c=gt.1&d=lt.2&e=lte.3",
            "a=like.*x*&b=ilike.%y&c=match.^x$&d=imatch.y",
            "a=in.(1,2,3)&b=in.(\"hi,there\",\"yes,you\", x)&c=not.in.()&d=in.(\"\\\\\",\"a\\\"b\")",
            "a=in.(\")&b=in.(Double\"Quote\"McGraw\")&c=in.(/\\Slash/\\Beast/\\)&d=in.( 1 , 2 )",
            "a=is.null&b=is.NOT_NULL&c=is.False&d=is.unknown&e=not.is.true",
            "a=cs.{1,2}&b=cd.{\"x\"}&c=ov.{1}&d=cs.{\"a\":1}",
            "a=isdistinct.1&b=not.isdistinct.2",
            "last_name=like(any).{O*,P*}&x=not.eq(all).{1,\"2,3\"}",
            "x=eq(any).{1,NULL}",
            "json_data->>blood_type=eq.A-&json_data->age=gt.20&json_data->a->0=eq.1",
            "\"*id*\"=eq.1&Just A Model=like.*91*&\"a.b\".c=eq.1",
            "a=fts(french).amusant",
            "a=wfts.x",
            "a=sl.[1,2]",
            "a=eq(any).1",
            "a->>b->c=eq.1",
        ],
        &expect![[r#"
            age=gte.18&student=is.true&id=not.eq.5
                where age gte "18", student is True, not id eq "5"
            a=eq.&b=neq.x.y&c=gt.1&d=lt.2&e=lte.3
                where a eq "", b neq "x.y", c gt "1", d lt "2", e lte "3"
            a=like.*x*&b=ilike.%y&c=match.^x$&d=imatch.y
                where a like "*x*", b ilike "%y", c match "^x$", d imatch "y"
            a=in.(1,2,3)&b=in.("hi,there","yes,you", x)&c=not.in.()&d=in.("\\","a\"b")
                where a in ["1", "2", "3"], b in ["hi,there", "yes,you", " x"], not c in [], d in ["\\", "a\"b"]
            a=in.(")&b=in.(Double"Quote"McGraw")&c=in.(/\Slash/\Beast/\)&d=in.( 1 , 2 )
                where a in ["\""], b in ["Double\"Quote\"McGraw\""], c in ["/\\Slash/\\Beast/\\"], d in ["1 ", " 2 "]
            a=is.null&b=is.NOT_NULL&c=is.False&d=is.unknown&e=not.is.true
                where a is Null, b is NotNull, c is False, d is Null, not e is True
            a=cs.{1,2}&b=cd.{"x"}&c=ov.{1}&d=cs.{"a":1}
                where a contains "{1,2}", b cd "{\"x\"}", c ov "{1}", d contains "{\"a\":1}"
            a=isdistinct.1&b=not.isdistinct.2
                where any(a neq "1", a is Null), not any(b neq "2", b is Null)
            last_name=like(any).{O*,P*}&x=not.eq(all).{1,"2,3"}
                where any(last_name like "O*", last_name like "P*"), not all(x eq "1", x eq "2,3")
            x=eq(any).{1,NULL}
                Unsupported { what: "null among the values of any or all", at: Place { parameter: "x", offset: Some(11) } }
            json_data->>blood_type=eq.A-&json_data->age=gt.20&json_data->a->0=eq.1
                where json_data/blood_type# eq "A-", json_data/age gt "20", json_data/a/0 eq "1"
            "*id*"=eq.1&Just A Model=like.*91*&"a.b".c=eq.1
                NotEmbedded { name: "a.b", at: Place { parameter: "\"a.b\".c", offset: None } }
            a=fts(french).amusant
                Unsupported { what: "full-text search", at: Place { parameter: "a", offset: Some(12) } }
            a=wfts.x
                Unsupported { what: "full-text search", at: Place { parameter: "a", offset: Some(5) } }
            a=sl.[1,2]
                Unsupported { what: "operators of ranges", at: Place { parameter: "a", offset: Some(3) } }
            a=eq(any).1
                Array { text: "1", at: Place { parameter: "a", offset: Some(8) } }
            a->>b->c=eq.1
                StepIntoText { arrow: "->", by: "unknown", at: Place { parameter: "a->>b->c", offset: None } }
        "#]],
    );
}

#[test]
fn groups() {
    check(
        &[
            "or=(age.lt.18,age.gt.21)",
            "not.or=(id.eq.1,id.eq.2)",
            "grade=gte.90&student=is.true&or=(age.eq.14,not.and(age.gte.11,age.lte.17))",
            "or=(age.not.eq.14,name.eq.\"(a,b)\",id.in.(\"1\",2),arr.cs.{1,2})",
            "and=( and ( id.in.( 1, 2, 3 ) , id.eq.3 ) , or ( id.eq.2 , id.eq.3 ) )",
            "or=(a.like(any).{x*,y*},data->>a.eq.1,or.eq.2)",
            "and=(id.eq.1,id.neq.2))",
            "or=(a.eq.)",
        ],
        &expect![[r#"
            or=(age.lt.18,age.gt.21)
                where any(age lt "18", age gt "21")
            not.or=(id.eq.1,id.eq.2)
                where not any(id eq "1", id eq "2")
            grade=gte.90&student=is.true&or=(age.eq.14,not.and(age.gte.11,age.lte.17))
                where grade gte "90", student is True, any(age eq "14", not all(age gte "11", age lte "17"))
            or=(age.not.eq.14,name.eq."(a,b)",id.in.("1",2),arr.cs.{1,2})
                where any(not age eq "14", name eq "(a,b)", id in ["1", "2"], arr contains "{1,2}")
            and=( and ( id.in.( 1, 2, 3 ) , id.eq.3 ) , or ( id.eq.2 , id.eq.3 ) )
                where all(all(id in ["1", " 2", " 3 "], id eq "3 "), any(id eq "2 ", id eq "3 "))
            or=(a.like(any).{x*,y*},data->>a.eq.1,or.eq.2)
                where any(any(a like "x*", a like "y*"), data/a# eq "1", or eq "2")
            and=(id.eq.1,id.neq.2))
                where all(id eq "1", id neq "2")
            or=(a.eq.)
                where any(a eq "")
        "#]],
    );
}

#[test]
fn ranges() {
    check(
        &[
            "limit=15&offset=30",
            "limit=0&offset=-4",
            "limit=99999999999999999999",
            "limit=-1",
            "limit=x",
            "offset=",
            "columns=id,name&on_conflict=id",
            "columns=",
            "limit=1&limit=2",
            "select=id&select=id",
        ],
        &expect![[r#"
            limit=15&offset=30
                limit 15 offset 30
            limit=0&offset=-4
                limit 0
            limit=99999999999999999999
                limit 9223372036854775807
            limit=-1
                NegativeLimit { at: Place { parameter: "limit", offset: Some(0) } }
            limit=x
                "failed to parse limit (x)" (line 1, column 1): unexpected "x" expecting "-" or digit
            offset=
                "failed to parse offset ()" (line 1, column 1): unexpected end of input expecting "-" or digit
            columns=id,name&on_conflict=id
                everything
            columns=
                "failed to parse columns parameter ()" (line 1, column 1): unexpected end of input expecting field name (* or [a..z0..9_$])
            limit=1&limit=2
                Repeated { name: "limit" }
            select=id&select=id
                Repeated { name: "select" }
        "#]],
    );
}

proptest! {
    /// Texts of the grammar's own pieces come farther into it than others.
    #[test]
    fn no_text_is_too_much(
        name in "(select|order|limit|or|a\\.and|id|a\\.b|not\\.or|columns)",
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "(", ")", ",", ".", "eq.", "in.", "is.", "not.", "and", "or", "any", "{", "}", "\"", "\\",
                "->", "->>", "::", ":", "!", "!inner", "...", "*", "count()", "sum()", "a", "-1", " ", "é", "\n",
            ]),
            0..30,
        ),
    ) {
        let value = pieces.concat();
        let _ = read([(&*name, &*value)]);
        let _ = read([(&*value, &*name)]);
    }

    #[test]
    fn nor_is_any_other(name in ".{0,20}", value in ".{0,60}") {
        let _ = read([(&*name, &*value)]);
    }
}
