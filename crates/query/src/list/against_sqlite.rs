//! The same questions as SQL against `SQLite`, for what both know: numbers, text, nulls, logic and order.

use std::fmt::Write;

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;

use super::random::{Cell, RandomRow, any_filter, any_order, any_rows, asked, path, shop_of};
use crate::tree::{Condition, IsWhat, Operand, Operator, Ordered, Test};

/// `old` is there in one shape only, `late` in the other.
const COLUMNS: [&str; 5] = ["id", "f", "t", "late", "day"];

fn sql_value(cell: &Cell) -> Sql {
    match cell {
        Cell::Number(millionths) => Sql::Real(*millionths as f64 / 1e6),
        Cell::Text(text) => Sql::Text((*text).to_owned()),
        Cell::Date(days) => Sql::Integer(*days),
        // What was never sent is for SQL a null, but of `is`: such rows are left out.
        _ => Sql::Null,
    }
}

fn database(rows: &[RandomRow]) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("CREATE TABLE rows (id INTEGER, f REAL, t TEXT, late TEXT, day INTEGER); PRAGMA case_sensitive_like = ON;").unwrap();
    for row in rows {
        let values: Vec<Sql> = COLUMNS
            .iter()
            .map(|column| sql_value(&row.cell(&path(column))))
            .collect();
        database
            .execute(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?)",
                rusqlite::params_from_iter(values),
            )
            .unwrap();
    }
    database
}

fn literal(column: &str, text: &str) -> String {
    match (column, text) {
        ("id" | "f", number) => number.to_owned(),
        ("day", "2024-02-29") => "19782".to_owned(),
        ("day", _) => "-1".to_owned(),
        (_, text) => format!("'{text}'"),
    }
}

fn sql(condition: &Condition, out: &mut String) {
    let joined = |parts: &[Condition], word: &str, out: &mut String| {
        out.push('(');
        for (at, part) in parts.iter().enumerate() {
            out.push_str(if at > 0 { word } else { "" });
            sql(part, out);
        }
        out.push(')');
    };
    match condition {
        Condition::All(parts) => joined(parts, " AND ", out),
        Condition::Any(parts) => joined(parts, " OR ", out),
        Condition::Not(part) => {
            out.push_str("NOT ");
            sql(part, out);
        }
        Condition::Test(test) => out.push_str(&sql_of_test(test)),
        Condition::Related(_) => unreachable!("one table has no relations"),
    }
}

fn sql_of_test(test: &Test) -> String {
    let column = &*test.column.column;
    match (&test.operand, test.operator) {
        (Operand::Is(IsWhat::Null), _) => format!("({column} IS NULL)"),
        (Operand::Is(_), _) => format!("({column} IS NOT NULL)"),
        (Operand::List(values), operator) => {
            let values: Vec<String> = values.iter().map(|text| literal(column, text)).collect();
            match operator {
                Operator::In => format!("({column} IN ({}))", values.join(",")),
                _ => format!("({column} BETWEEN {} AND {})", values[0], values[1]),
            }
        }
        (Operand::Column(_), _) => unreachable!("no column is compared with another"),
        (Operand::One(text), operator) => {
            let value = literal(column, text);
            match operator {
                Operator::Eq => format!("({column} = {value})"),
                Operator::Neq => format!("({column} <> {value})"),
                Operator::Gt => format!("({column} > {value})"),
                Operator::Gte => format!("({column} >= {value})"),
                Operator::Lt => format!("({column} < {value})"),
                Operator::Lte => format!("({column} <= {value})"),
                Operator::Starts => format!("(substr({column}, 1, length({value})) = {value})"),
                Operator::Contains => format!("(instr({column}, {value}) > 0)"),
                _ => format!("({column} LIKE {} ESCAPE '\\')", value.replace('*', "%")),
            }
        }
    }
}

fn statement(filter: &[Condition], order: &[Ordered]) -> String {
    let mut out = "SELECT id FROM rows WHERE ".to_owned();
    sql(&Condition::All(filter.to_vec()), &mut out);
    let mut out = out.replace("WHERE ()", "WHERE TRUE") + " ORDER BY ";
    for item in order {
        let direction = if item.descending { "DESC" } else { "ASC" };
        let nulls = if item.nulls_first { "FIRST" } else { "LAST" };
        write!(out, "{} {direction} NULLS {nulls}, ", item.by.column).unwrap();
    }
    out + "id"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn sqlite_answers_the_same(
        rows in any_rows(0..20),
        filter in any_filter(COLUMNS.to_vec()),
        order in any_order(COLUMNS.to_vec()),
        limit in 1..9_usize,
    ) {
        let sent = |row: &RandomRow| COLUMNS.iter().all(|column| row.cell(&path(column)) != Cell::NeverSent);
        let rows: Vec<RandomRow> = rows.into_iter().filter(sent).collect();
        let statement = statement(&filter, &order);
        let database = database(&rows);
        let mut prepared = database.prepare(&statement).unwrap();
        let wanted: Result<Vec<i64>, _> = prepared.query_map([], |row| row.get(0)).unwrap().collect();
        let (ids, total) = asked(&shop_of(&rows), &filter, &order, limit);
        prop_assert_eq!(&ids, &wanted.unwrap(), "{}", statement);
        prop_assert_eq!(total as usize, ids.len());
    }
}
