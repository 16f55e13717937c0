//! What cannot be read, and what is said of it.

use super::*;

#[test]
fn filters_fail_as_postgrests_do() {
    check(
        &[
            "id=0",
            "id=noop.0",
            "id=eq",
            "id=",
            "done=is.nil",
            "id=eq().1",
            "id=in.1",
            "id=fts().x",
        ],
        &expect![[r#"
            id=0
                "failed to parse filter (0)" (line 1, column 1): unexpected "0" expecting "not" or operator (eq, gt, ...)
            id=noop.0
                "failed to parse filter (noop.0)" (line 1, column 1): unexpected "o" expecting "not" or operator (eq, gt, ...)
            id=eq
                "failed to parse filter (eq)" (line 1, column 3): unexpected end of input expecting operator (eq, gt, ...)
            id=
                "failed to parse filter ()" (line 1, column 1): unexpected end of input expecting "not" or operator (eq, gt, ...)
            done=is.nil
                "failed to parse filter (is.nil)" (line 1, column 5): unexpected "i" expecting isVal: (null, not_null, true, false, unknown)
            id=eq().1
                "failed to parse filter (eq().1)" (line 1, column 4): unexpected ")" expecting operator (eq, gt, ...)
            id=in.1
                "failed to parse filter (in.1)" (line 1, column 4): unexpected "1" expecting "("
            id=fts().x
                "failed to parse filter (fts().x)" (line 1, column 5): unexpected ")" expecting operator (eq, gt, ...)
        "#]],
    );
}

#[test]
fn groups_fail_as_postgrests_do() {
    check(
        &[
            "or=()",
            "or=(id.in.1,2,id.eq.3)",
            "or=)(",
            "and=(ord(id.eq.1,id.eq.1),id.eq.2)",
            "or=(id.eq.1,not.xor(id.eq.2,id.eq.3))",
            "or=(id.eq.1",
        ],
        &expect![[r#"
            or=()
                "failed to parse logic tree (())" (line 1, column 4): unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)
            or=(id.in.1,2,id.eq.3)
                "failed to parse logic tree ((id.in.1,2,id.eq.3))" (line 1, column 10): unexpected "1" expecting "("
            or=)(
                "failed to parse logic tree ()()" (line 1, column 3): unexpected ")" expecting "("
            and=(ord(id.eq.1,id.eq.1),id.eq.2)
                "failed to parse logic tree ((ord(id.eq.1,id.eq.1),id.eq.2))" (line 1, column 7): unexpected "d" expecting "("
            or=(id.eq.1,not.xor(id.eq.2,id.eq.3))
                "failed to parse logic tree ((id.eq.1,not.xor(id.eq.2,id.eq.3)))" (line 1, column 16): unexpected "x" expecting logic operator (and, or)
            or=(id.eq.1
                "failed to parse logic tree ((id.eq.1)" (line 1, column 11): unexpected end of input expecting "," or ")"
        "#]],
    );
}

#[test]
fn orders_fail_as_postgrests_do() {
    check(
        &[
            "order=id.ac",
            "order=id.descc",
            "order=id.nulsfist",
            "order=id.nullslasttt",
            "order=id.asc.nlsfst",
            "order=id.asc.smth34",
            "order=clients(name,id)",
            "order=",
        ],
        &expect![[r#"
            order=id.ac
                "failed to parse order (id.ac)" (line 1, column 4): unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"
            order=id.descc
                "failed to parse order (id.descc)" (line 1, column 8): unexpected 'c' expecting delimiter (.), "," or end of input
            order=id.nulsfist
                "failed to parse order (id.nulsfist)" (line 1, column 4): unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast"
            order=id.nullslasttt
                "failed to parse order (id.nullslasttt)" (line 1, column 13): unexpected 't' expecting "," or end of input
            order=id.asc.nlsfst
                "failed to parse order (id.asc.nlsfst)" (line 1, column 8): unexpected "l" expecting "nullsfirst" or "nullslast"
            order=id.asc.smth34
                "failed to parse order (id.asc.smth34)" (line 1, column 8): unexpected "s" expecting "nullsfirst" or "nullslast"
            order=clients(name,id)
                "failed to parse order (clients(name,id))" (line 1, column 8): unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input
            order=
                "failed to parse order ()" (line 1, column 1): unexpected end of input expecting field name (* or [a..z0..9_$])
        "#]],
    );
}

#[test]
fn selections_fail_as_postgrests_do() {
    check(
        &[
            "select=id,clients(name[])",
            "select=data->>-78xy",
            "select=data->>--34",
            "select=name!hint",
            "select=*!hint",
            "select=name::",
            "select=name::text::int",
            "select=:",
            "select=id,,name",
            "select=rel(a",
            "select=rel->jsonpath(*)",
            "select=...rel->jsonpath(*)",
            "select=\"unterminated",
            "select=id)",
            "select=ä,\u{1f980}",
        ],
        &expect![[r#"
            select=id,clients(name[])
                "failed to parse select parameter (id,clients(name[]))" (line 1, column 16): unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input
            select=data->>-78xy
                "failed to parse select parameter (data->>-78xy)" (line 1, column 11): unexpected 'x' expecting digit, "->", "::", ".", "," or end of input
            select=data->>--34
                "failed to parse select parameter (data->>--34)" (line 1, column 9): unexpected "-" expecting digit
            select=name!hint
                "failed to parse select parameter (name!hint)" (line 1, column 5): unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input
            select=*!hint
                "failed to parse select parameter (*!hint)" (line 1, column 2): unexpected '!' expecting ")", "," or end of input
            select=name::
                "failed to parse select parameter (name::)" (line 1, column 7): unexpected end of input expecting letter or digit
            select=name::text::int
                "failed to parse select parameter (name::text::int)" (line 1, column 11): unexpected ':' expecting letter, digit, ".", ")", "," or end of input
            select=:
                "failed to parse select parameter (:)" (line 1, column 1): unexpected ':' expecting "...", "..", field name (* or [a..z0..9_$]), "*", "count()" or end of input
            select=id,,name
                "failed to parse select parameter (id,,name)" (line 1, column 4): unexpected "," expecting "...", "..", field name (* or [a..z0..9_$]), "*" or "count()"
            select=rel(a
                "failed to parse select parameter (rel(a)" (line 1, column 6): unexpected end of input expecting letter, digit, "-", "->>", "->", "::", ".", ")" or ","
            select=rel->jsonpath(*)
                "failed to parse select parameter (rel->jsonpath(*))" (line 1, column 14): unexpected '(' expecting "-", "->>", "->", "::", ".", ")", "," or end of input
            select=...rel->jsonpath(*)
                "failed to parse select parameter (...rel->jsonpath(*))" (line 1, column 8): unexpected '>'
            select="unterminated
                "failed to parse select parameter ("unterminated)" (line 1, column 14): unexpected end of input expecting "\\" or "\""
            select=id)
                "failed to parse select parameter (id))" (line 1, column 3): unexpected ')' expecting letter, digit, "-", "->>", "->", "::", ".", "," or end of input
            select=ä,🦀
                "failed to parse select parameter (ä,🦀)" (line 1, column 3): unexpected "\129408" expecting "...", "..", field name (* or [a..z0..9_$]), "*" or "count()"
        "#]],
    );
}

#[test]
fn names_fail_as_postgrests_do() {
    check(
        &["is.nullx=eq.1)", "a=is.nullx", "a(b)=eq.1", "a..b=eq.1"],
        &expect![[r#"
            is.nullx=eq.1)
                NotEmbedded { name: "is", at: Place { parameter: "is.nullx", offset: None } }
            a=is.nullx
                "failed to parse filter (is.nullx)" (line 1, column 8): unexpected 'x' expecting end of input
            a(b)=eq.1
                "failed to parse tree path (a(b))" (line 1, column 2): unexpected '(' expecting letter, digit, "-", delimiter (.), "->>", "->" or end of input
            a..b=eq.1
                "failed to parse tree path (a..b)" (line 1, column 3): unexpected "." expecting field name (* or [a..z0..9_$])
        "#]],
    );
}

#[test]
fn what_has_no_end_is_refused() {
    let nested = "a(".repeat(10_000);
    assert!(read([("select", &*nested)]).is_err());
    let nested = "(and".repeat(10_000);
    assert!(read([("or", &*nested)]).is_err());
    let many = format!("{{{}}}", vec!["1"; 1_000].join(","));
    let error = read([("id", &*format!("eq(any).{many}"))]).unwrap_err();
    assert_eq!(
        error,
        ReadError::TooMuch {
            what: "conditions and groups",
            max: 256
        }
    );
    let many = ["id"; 9].join(",");
    let error = read([("order", &*many)]).unwrap_err();
    assert_eq!(
        error,
        ReadError::TooMuch {
            what: "columns in order",
            max: 8
        }
    );
}

#[test]
fn failures_have_places_too() {
    for (text, offset) in [("id=noop.1", 0), ("or=(id.eq.1,x)", 10), ("a.not.and=)", 0)] {
        let error = read_text(text).unwrap_err();
        assert_eq!(error.place().unwrap().offset, Some(offset), "{error}");
    }
}

#[test]
fn places_are_in_the_parameters_own_value() {
    let query = read_text("or=(a.eq.1,b.gt.22)&items.x=eq.5&select=id, name,items(sku)").unwrap();
    let Condition::Any(parts) = &query.filter[0] else {
        panic!("{query:?}");
    };
    let Condition::Test(test) = &parts[1] else {
        panic!("{parts:?}");
    };
    assert_eq!((test.operator, &*test.at.parameter), (Operator::Gt, "or"));
    // (a.eq.1,b.gt.22): the value stands at 13, the column at 8.
    assert_eq!((test.at.offset, test.column.at.offset), (Some(13), Some(8)));
    let items = query.select.unwrap();
    let SelectedWhat::Path(name) = &items[1].what else {
        panic!("{items:?}");
    };
    assert_eq!((&*name.at.parameter, name.at.offset), ("select", Some(4)));
    let SelectedWhat::Embed(embed) = &items[2].what else {
        panic!("{items:?}");
    };
    let Condition::Test(test) = &embed.query.filter[0] else {
        panic!("{embed:?}");
    };
    assert_eq!((&*test.at.parameter, test.at.offset), ("items.x", Some(3)));
    assert_eq!(
        AggregateFunction::from_spelling("sum"),
        Some(AggregateFunction::Sum)
    );
}
