//! Compares a table as it was answered with the table as the database held it, every cell of it.
//!
//! Tells every difference, not the first: a missing row, a row too much, a key twice, a wrong cell,
//! a column that the database does not have. Rows of a table without a key are compared as a
//! multiset.

use std::collections::BTreeMap;

use crate::exact::Exact;
use crate::scenario::ExpectedTable;
use crate::spelling::Spellings;

/// Longest value that a message shows.
const SHOWN_MAX: usize = 120;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Cells that were compared.
    pub cells: usize,
    /// One sentence for each difference.
    pub wrong: Vec<String>,
}

impl Comparison {
    pub fn add(&mut self, other: Self) {
        self.cells += other.cells;
        self.wrong.extend(other.wrong);
    }
}

/// Compares the answered rows with the expected ones.
pub fn compare(expected: &ExpectedTable, spellings: &Spellings, answered: &[Exact]) -> Comparison {
    let table = Table {
        expected,
        spellings,
    };
    match &expected.key {
        Some(key) => table.by_key(key, answered),
        None => table.as_multiset(answered),
    }
}

struct Table<'a> {
    expected: &'a ExpectedTable,
    spellings: &'a Spellings,
}

type Key = Vec<Exact>;

impl Table<'_> {
    fn by_key(&self, columns: &[String], answered: &[Exact]) -> Comparison {
        let mut comparison = Comparison::default();
        let mut rows: BTreeMap<Key, &Exact> = BTreeMap::new();
        for row in answered {
            let key = columns
                .iter()
                .map(|column| row.get(column).canonical())
                .collect();
            if let Some(twin) = rows.insert(key, row) {
                comparison.wrong.push(self.says(&format!(
                    "one key twice: {} and {}",
                    shown(row),
                    shown(twin)
                )));
            }
        }
        let deviations = self.deviations(columns);
        let deviation =
            |key: &Key, column: &str| deviations.get(&(key.clone(), column.to_owned())).copied();
        for wanted in &self.expected.rows {
            let key = self.key_of(
                columns,
                &columns
                    .iter()
                    .map(|column| wanted.get(column).clone())
                    .collect::<Vec<_>>(),
            );
            match rows.remove(&key) {
                Some(row) => {
                    comparison.add(self.cells(row, wanted, &|column| deviation(&key, column)));
                }
                None if deviation(&key, "*") == Some(&Exact::text("row absent")) => {}
                None => comparison
                    .wrong
                    .push(self.says(&format!("missing: {}", shown(wanted)))),
            }
        }
        for (key, row) in rows {
            if deviation(&key, "*") != Some(&Exact::text("row present")) {
                comparison
                    .wrong
                    .push(self.says(&format!("should not be there: {}", shown(row))));
            }
        }
        comparison
    }

    fn as_multiset(&self, answered: &[Exact]) -> Comparison {
        let mut comparison = Comparison::default();
        let mut left: Vec<&Exact> = answered.iter().collect();
        let mut rows: Vec<&Exact> = self.expected.rows.iter().collect();
        for told in &self.expected.deviations {
            // There is no key to name a row by: the whole row stands for it.
            match (told.sent.as_text(), told.key.first()) {
                (Some("row present"), Some(row)) => rows.push(row),
                (Some("row absent"), Some(row)) => {
                    if let Some(index) = rows.iter().position(|wanted| *wanted == row) {
                        rows.swap_remove(index);
                    }
                }
                _ => {}
            }
        }
        for wanted in rows {
            let matching = |row: &&Exact| self.cells(row, wanted, &|_| None).wrong.is_empty();
            match left.iter().position(matching) {
                Some(index) => {
                    comparison.cells += wanted.as_object().map_or(0, BTreeMap::len);
                    left.swap_remove(index);
                }
                None => comparison
                    .wrong
                    .push(self.says(&format!("missing: {}", shown(wanted)))),
            }
        }
        comparison.wrong.extend(
            left.into_iter()
                .map(|row| self.says(&format!("should not be there: {}", shown(row)))),
        );
        comparison
    }

    /// Compares one row; `deviation` is what the recording says of a column instead of the truth.
    fn cells<'d>(
        &self,
        row: &Exact,
        wanted: &Exact,
        deviation: &dyn Fn(&str) -> Option<&'d Exact>,
    ) -> Comparison {
        let mut comparison = Comparison::default();
        let (Some(have), Some(want)) = (row.as_object(), wanted.as_object()) else {
            comparison
                .wrong
                .push(self.says(&format!("a row is an object, not {}", shown(row))));
            return comparison;
        };
        let unavailable = row.get("unavailable").as_list().unwrap_or_default();
        let never_sent = |column: &str| {
            let mut deviations = self.expected.deviations.iter();
            deviations.any(|told| told.column == column && is_absent(&told.sent))
        };
        for (column, truth) in want {
            comparison.cells += 1;
            let sent = deviation(column);
            if sent.is_some() && unavailable.contains(&Exact::text(column)) {
                continue;
            }
            let sent = sent.unwrap_or(truth);
            let mut accepted = if is_absent(sent) {
                Vec::new()
            } else {
                self.spellings.of(&self.expected.topic, column, sent)
            };
            // A row from before its column is null there, whatever the format makes of a null that was sent.
            if is_absent(sent) || *sent == Exact::Null && never_sent(column) {
                accepted.push(Exact::Null);
            }
            let right = match have.get(column) {
                Some(value) => accepted.iter().any(|wanted| value.same(wanted)),
                // A column that no record has is not there in any row, null in the database or not.
                None => is_absent(sent) || *sent == Exact::Null && never_sent(column),
            };
            if !right {
                let value = have
                    .get(column)
                    .map_or_else(|| "not there".to_owned(), shown);
                let accepted: Vec<String> = accepted.iter().map(shown).collect();
                let message = format!(
                    "{column} is {value}, should be {}, in {}",
                    accepted.join(" or "),
                    shown(row)
                );
                comparison.wrong.push(self.says(&message));
            }
        }
        let known = |column: &String| {
            want.contains_key(column)
                || column == "unavailable"
                || self.expected.added_columns.contains(column)
        };
        for column in have.keys().filter(|column| !known(column)) {
            comparison
                .wrong
                .push(self.says(&format!("no such column: {column}, in {}", shown(row))));
        }
        comparison
    }

    fn deviations(&self, columns: &[String]) -> BTreeMap<(Key, String), &Exact> {
        let place = |key: &[Exact], column: &String| (self.key_of(columns, key), column.clone());
        self.expected
            .deviations
            .iter()
            .map(|told| (place(&told.key, &told.column), &told.sent))
            .collect()
    }

    /// The key as it is answered, from the key as it is on the wire.
    fn key_of(&self, columns: &[String], wire: &[Exact]) -> Key {
        let spelled = |(column, wire): (&String, &Exact)| {
            self.spellings
                .of(&self.expected.topic, column, wire)
                .swap_remove(0)
                .canonical()
        };
        columns.iter().zip(wire).map(spelled).collect()
    }

    fn says(&self, message: &str) -> String {
        format!("{}: {message}", self.expected.name)
    }
}

fn is_absent(sent: &Exact) -> bool {
    sent.as_text() == Some("(field absent)")
}

fn shown(value: &Exact) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Deviation;

    fn rows(text: &str) -> Vec<Exact> {
        Exact::parse(text).unwrap().as_list().unwrap().to_vec()
    }

    fn table(key: Option<&str>, want: &str) -> ExpectedTable {
        let (name, topic) = ("t".to_owned(), "s.t".to_owned());
        ExpectedTable {
            name,
            topic,
            key: key.map(|key| vec![key.to_owned()]),
            rows: rows(want),
            deviations: Vec::new(),
            added_columns: Vec::new(),
        }
    }

    fn wrong(expected: &ExpectedTable, answered: &str) -> Vec<String> {
        compare(expected, &Spellings::default(), &rows(answered)).wrong
    }

    #[test]
    fn equal_tables_have_no_difference_in_any_order() {
        let expected = table(Some("id"), r#"[{"id":1,"v":"a"},{"id":2,"v":null}]"#);
        let comparison = compare(
            &expected,
            &Spellings::default(),
            &rows(r#"[{"v":null,"id":2},{"id":1.0,"v":"a"}]"#),
        );
        assert_eq!(
            comparison,
            Comparison {
                cells: 4,
                wrong: Vec::new()
            }
        );
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let expected = table(Some("id"), r#"[{"id":1,"v":"a"},{"id":2,"v":null}]"#);
        for (answered, told) in [
            (
                r#"[{"id":1,"v":"a"}]"#,
                vec![r#"t: missing: {"id":2,"v":null}"#],
            ),
            (
                r#"[{"id":1,"v":"a"},{"id":2,"v":null},{"id":3,"v":""}]"#,
                vec![r#"t: should not be there: {"id":3,"v":""}"#],
            ),
            (
                r#"[{"id":1,"v":"b"},{"id":2,"v":null}]"#,
                vec![r#"t: v is "b", should be "a", in {"id":1,"v":"b"}"#],
            ),
            (
                r#"[{"id":1,"v":"a"},{"id":2,"v":""}]"#,
                vec![r#"t: v is "", should be null, in {"id":2,"v":""}"#],
            ),
            (
                r#"[{"id":1,"v":"a"},{"id":2,"v":null},{"id":2,"v":null}]"#,
                vec![r#"t: one key twice: {"id":2,"v":null} and {"id":2,"v":null}"#],
            ),
            (
                r#"[{"id":1,"v":"a","w":0},{"id":2,"v":null}]"#,
                vec![r#"t: no such column: w, in {"id":1,"v":"a","w":0}"#],
            ),
            (
                r#"[{"id":1},{"id":2,"v":null}]"#,
                vec![r#"t: v is not there, should be "a", in {"id":1}"#],
            ),
            (
                r#"[{"id":1,"v":"a"},{"id":2}]"#,
                vec![r#"t: v is not there, should be null, in {"id":2}"#],
            ),
            (
                r#"[[1,"a"],{"id":2,"v":null}]"#,
                vec![
                    r#"t: missing: {"id":1,"v":"a"}"#,
                    r#"t: should not be there: [1,"a"]"#,
                ],
            ),
        ] {
            assert_eq!(wrong(&expected, answered), told);
        }
    }

    #[test]
    fn rows_without_a_key_are_counted() {
        let expected = table(None, r#"[{"a":1},{"a":1},{"a":2}]"#);
        assert_eq!(wrong(&expected, r#"[{"a":2},{"a":1},{"a":1}]"#), [""; 0]);
        assert_eq!(
            wrong(&expected, r#"[{"a":2},{"a":2},{"a":1}]"#),
            [
                r#"t: missing: {"a":1}"#,
                r#"t: should not be there: {"a":2}"#
            ]
        );
        assert_eq!(
            wrong(&expected, r#"[{"a":2},{"a":1},{"a":1},{"a":1}]"#),
            [r#"t: should not be there: {"a":1}"#]
        );
    }

    #[test]
    fn rows_without_a_key_are_named_whole_where_the_recording_differs() {
        let mut expected = table(None, r#"[{"a":1},{"a":2}]"#);
        let deviation = |row: &str, sent: &str| Deviation {
            key: vec![Exact::parse(row).unwrap()],
            column: "*".to_owned(),
            sent: Exact::text(sent),
        };
        expected.deviations = vec![
            deviation(r#"{"a":1}"#, "row absent"),
            deviation(r#"{"a":3}"#, "row present"),
        ];
        assert_eq!(wrong(&expected, r#"[{"a":2},{"a":3}]"#), [""; 0]);
        assert_eq!(wrong(&expected, r#"[{"a":1},{"a":2}]"#).len(), 2);
    }

    #[test]
    fn a_column_that_was_never_sent_may_be_missing_where_it_is_null() {
        let mut expected = table(Some("id"), r#"[{"id":1,"v":"a"},{"id":2,"v":null}]"#);
        assert_eq!(wrong(&expected, r#"[{"id":1,"v":"a"},{"id":2}]"#).len(), 1);
        expected.deviations = vec![Deviation {
            key: vec![Exact::Number("1".to_owned())],
            column: "v".to_owned(),
            sent: Exact::text("(field absent)"),
        }];
        assert_eq!(wrong(&expected, r#"[{"id":1},{"id":2}]"#), [""; 0]);
    }

    #[test]
    fn what_a_transformation_adds_is_no_column_too_much() {
        let mut expected = table(Some("id"), r#"[{"id":1}]"#);
        assert_eq!(wrong(&expected, r#"[{"id":1,"__op":"c"}]"#).len(), 1);
        expected.added_columns = vec!["__op".to_owned()];
        assert_eq!(wrong(&expected, r#"[{"id":1,"__op":"c"}]"#), [""; 0]);
    }

    #[test]
    fn what_was_lost_before_the_recording_is_not_asked_for() {
        let mut expected = table(
            Some("id"),
            r#"[{"id":1,"v":"a"},{"id":2,"v":"b"},{"id":3,"v":"c"}]"#,
        );
        let deviation = |id: &str, column: &str, sent: &str| {
            let key = vec![Exact::Number(id.to_owned())];
            Deviation {
                key,
                column: column.to_owned(),
                sent: Exact::text(sent),
            }
        };
        expected.deviations = vec![
            deviation("1", "v", "(field absent)"),
            deviation("2", "v", "B"),
            deviation("3", "*", "row absent"),
            deviation("4", "*", "row present"),
        ];
        assert_eq!(
            wrong(&expected, r#"[{"id":1},{"id":2,"v":"B"},{"id":4,"v":"d"}]"#),
            [""; 0]
        );
        assert_eq!(
            wrong(
                &expected,
                r#"[{"id":1,"v":"a"},{"id":2,"v":"b"},{"id":5,"v":"d"}]"#
            )
            .len(),
            3
        );
        assert_eq!(
            wrong(&expected, r#"[{"id":1},{"id":2,"unavailable":["v"]}]"#),
            [""; 0]
        );
    }
}
