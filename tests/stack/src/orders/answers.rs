//! Whether Rowtide and PostgreSQL give the same answers to the same questions.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use black_box::decimal;
use black_box::exact::Exact;
use black_box::server::{Answer, Server};
use postgres::Client;
use serde_json::json;

use super::questions::{Asked, Question};

/// What is wrong with Rowtide's answer to a question; `None` if it is PostgreSQL's.
pub fn difference(
    question: &Question,
    source: &mut Client,
    server: &Server,
) -> anyhow::Result<Option<String>> {
    let wanted = from_source(source, question.sql)?;
    let answered = from_rowtide(question, server)?;
    if wanted.is_empty() {
        return Ok(Some("nothing answers it, so it proves nothing".to_owned()));
    }
    let rest = matches!(question.asked, Asked::Rest(_));
    let same = |have: &Exact, want: &Exact| {
        if rest {
            have.same(want)
        } else {
            is_same(have, want)
        }
    };
    Ok(first_difference(&answered, &wanted, &same))
}

fn first_difference(
    answered: &[Exact],
    wanted: &[Exact],
    same: &dyn Fn(&Exact, &Exact) -> bool,
) -> Option<String> {
    if answered.len() != wanted.len() {
        return Some(format!(
            "{} rows, should be {}",
            answered.len(),
            wanted.len()
        ));
    }
    let mut pairs = answered.iter().zip(wanted).enumerate();
    let (at, (have, want)) = pairs.find(|(_, (have, want))| !same(have, want))?;
    Some(format!("row {at} is {have}, should be {want}"))
}

fn from_source(source: &mut Client, sql: &str) -> anyhow::Result<Vec<Exact>> {
    let whole = format!("SELECT coalesce(json_agg(row_to_json(t)), '[]')::text FROM ({sql}) t");
    let text: String = source
        .query_one(&whole, &[])
        .with_context(|| sql.to_owned())?
        .get(0);
    Ok(Exact::parse(&text)?.as_list().unwrap_or_default().to_vec())
}

fn from_rowtide(question: &Question, server: &Server) -> anyhow::Result<Vec<Exact>> {
    let answer = match question.asked {
        Asked::List(path) => server.get(&format!("/v1/tables/{}", escaped(path)), &[]),
        Asked::Rest(path) => server.get(&format!("/rest/v1/{}", escaped(path)), &[]),
        Asked::Query(body) => server.ask_with("/v1/query", &serde_json::from_str(body)?),
        Asked::Sql => server.ask_with("/v1/sql", &json!({"sql": question.sql})),
    }?;
    rows_of(question.asked, &answer)
}

fn rows_of(asked: Asked, answer: &Answer) -> anyhow::Result<Vec<Exact>> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    let body = answer.body()?;
    let rows = match asked {
        Asked::Rest(_) => &body,
        _ => body.get("rows"),
    };
    let rows = rows.as_list().context("an answer without rows")?;
    let Asked::Sql = asked else {
        return Ok(rows.to_vec());
    };
    let columns = body
        .get("columns")
        .as_list()
        .context("an answer without columns")?;
    let names: Vec<String> = columns
        .iter()
        .filter_map(|name| Some(name.as_text()?.to_owned()))
        .collect();
    let named = |row: &Exact| {
        let cells = row.as_list().unwrap_or_default().iter().cloned();
        Exact::Object(names.iter().cloned().zip(cells).collect())
    };
    Ok(rows.iter().map(named).collect())
}

/// What must not stand in a query string as it is.
fn escaped(path: &str) -> String {
    path.replace(' ', "%20")
}

/// PostgreSQL writes decimals as numbers and instants with `+00:00`, Rowtide as texts and with `Z`.
fn is_same(have: &Exact, want: &Exact) -> bool {
    match (have, want) {
        (Exact::Text(have), Exact::Number(want)) => {
            decimal::canonical(have) == decimal::canonical(want)
        }
        (Exact::Text(_), Exact::Text(instant)) if instant.ends_with("+00:00") => {
            have.same(&Exact::text(&instant.replace("+00:00", "Z")))
        }
        (Exact::List(have), Exact::List(want)) => {
            have.len() == want.len()
                && have
                    .iter()
                    .zip(want)
                    .all(|(have, want)| is_same(have, want))
        }
        (Exact::Object(have), Exact::Object(want)) => objects_are_same(have, want),
        _ => have.same(want),
    }
}

fn objects_are_same(have: &BTreeMap<String, Exact>, want: &BTreeMap<String, Exact>) -> bool {
    // That a relation had more rows than were asked for is said beside them.
    let said =
        |(name, _): &(&String, &Exact)| *name != "truncated" || want.contains_key("truncated");
    have.iter().filter(said).count() == want.len()
        && want
            .iter()
            .all(|(name, want)| have.get(name).is_some_and(|have| is_same(have, want)))
}
