//! `POST /v1/sql`: one `SELECT`, answered by the same executor as every other spelling of a query.

mod refusal;

use api_types::{SqlRequest, SqlTail};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::bind::BoundQuery;
use query::format::{Format, RowWriter};
use query::fresh::Fresh;
use query::list::{self, LIMIT_MAX, ListError, PAGE_BYTES_MAX, Page, PageRequest};
use query::sql::{self, Parameter};
use table_store::Cut;
use telemetry::Event;

use super::page::within_budget;
use super::{DataState, answer, body, scan};
use crate::floor::{Asking, Floor, Spelled};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, error, fresh, params};

/// What runs a statement, where others may come.
const ENGINE: &str = "core";

const TOO_MANY_ROWS: &str = "The answer stopped at 10,000 rows. Add a LIMIT, filter with WHERE or aggregate; to read all rows, follow next of GET /v1/tables/{table}/rows.";
const TOO_MANY_BYTES: &str = "The answer stopped at 1 MiB. Select fewer columns, add a LIMIT, filter with WHERE or aggregate; to read all rows, follow next of GET /v1/tables/{table}/rows.";

pub(super) async fn ask(
    State(state): State<DataState>,
    asking: Asking,
    uri: Uri,
    body: Body,
) -> Response {
    let result = match body::read(body, &state.limits).await {
        Ok(sent) => answered(&state, &asking, &uri, &sent).await,
        Err(refused) => Err(refused),
    };
    answer(Route::Sql, result)
}

/// A statement as it came.
struct Asked {
    text: String,
    parameters: Vec<Parameter>,
    floor: Spelled,
}

async fn answered(
    state: &DataState,
    asking: &Asking,
    uri: &Uri,
    body: &[u8],
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    params::none(uri.query())?;
    let asked = asked(body)?;
    let floor = asking.floor_with(&asked.floor)?;
    // What cannot be answered waits for no permit.
    let tables = bound(&state.api, &*floor.pin(&state.api)?, &asked)?
        .query
        .tables();
    state
        .wait(&floor, &tables, &asking.patience, &mut timing)
        .await?;
    let find = move |state: &DataState, timing| find(state, &floor, &asked, timing);
    scan::on_own_thread(state, timing, find).await
}

fn asked(body: &[u8]) -> Result<Asked, ApiError> {
    refusal::check_fields(body)?;
    let request: SqlRequest =
        serde_json::from_slice(body).map_err(|error| refusal::of_body(&error))?;
    let parameters = request.params.iter();
    Ok(Asked {
        floor: Spelled {
            at_least: request.at_least,
            max_lag: request.max_lag,
            at_exact: request.at_exact,
            wait: request.wait,
            on_miss: request.on_miss,
        },
        text: request.sql,
        parameters: parameters.map(|json| Parameter::of_json(json)).collect(),
    })
}

/// A statement that can be run.
struct Bound {
    query: BoundQuery,
    /// Rows that the statement itself wants at most.
    limit: Option<usize>,
    fresh: Fresh,
}

fn bound(state: &ApiState, cut: &Cut, asked: &Asked) -> Result<Bound, ApiError> {
    let world = state.world(cut);
    let read = sql::read(&asked.text, &asked.parameters, &world)
        .map_err(|refused| refusal::of_statement(state, cut, &refused))?;
    let name = &read.table.table.identity().name;
    let query = read.bind(&world).map_err(|refused| {
        let fresh = fresh::of_table(cut, &read.table, state.now_ms());
        refusal::of_binding(name, &refused).at(fresh)
    })?;
    let tables = query.tables();
    let tables = tables.iter().map(|table| &**table);
    let fresh = query::fresh::of(cut, tables, state.now_ms());
    Ok(Bound {
        limit: read.query.limit,
        fresh: fresh.unwrap_or_else(|| fresh::of_all(state, cut)),
        query,
    })
}

fn find(
    state: &DataState,
    floor: &Floor,
    asked: &Asked,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let cut = floor.pin(&state.api)?;
    // Bound again: this cut may be newer than the one it was checked against.
    let mut bound = bound(&state.api, &cut, asked)?;
    let touched = bound.query.tables();
    bound.fresh = floor.judged(&cut, touched.iter().map(|table| &**table), bound.fresh)?;
    let request = PageRequest {
        after: None,
        limit: LIMIT_MAX,
        counted: false,
    };
    let page = within_budget(&state.limits, &timing, |budget| {
        list::page(&cut, &bound.query, &request, budget)
    });
    let refused =
        |refused: ListError| error::too_costly(&bound.query, &refused).at(bound.fresh.clone());
    let page = page.map_err(refused)?;
    timing.found();
    let body = render(&state.api, &bound, &page).map_err(refused)?;
    Ok(respond::open(body, &bound.fresh, &timing))
}

/// The answer up to how fresh it is: an object that is still open.
fn render(state: &ApiState, bound: &Bound, page: &Page) -> Result<Vec<u8>, ListError> {
    let mut writer = RowWriter::new(&bound.query, Format::Arrays, false, state.shapes());
    let mut body = b"{\"columns\":".to_vec();
    writer.write_header(&mut body);
    body.extend_from_slice(b",\"types\":");
    respond::write_json(&sql::types(&bound.query), &mut body);
    body.extend_from_slice(b",\"rows\":[");
    let rendered = page.render(&mut writer, b",", PAGE_BYTES_MAX, &mut body)?;
    body.push(b']');
    if let Some(unavailable) = writer.take_unavailable() {
        body.extend_from_slice(b",\"unavailable\":");
        body.extend_from_slice(&unavailable);
    }
    let asked_for_fewer = bound.limit.is_some_and(|limit| limit <= LIMIT_MAX);
    let hint = if rendered.truncated {
        Some(TOO_MANY_BYTES)
    } else {
        (rendered.next.is_some() && !asked_for_fewer).then_some(TOO_MANY_ROWS)
    };
    let table = &bound.query.table().table.identity().name;
    if hint.is_some() {
        Event::AnswerTruncated { table }.emit();
    }
    let tail = SqlTail {
        truncated: hint.is_some(),
        hint: hint.map(|hint| hint.replace("{table}", table)),
        engine: ENGINE.to_owned(),
    };
    let brace = body.len();
    respond::write_json(&tail, &mut body);
    // The tail is an object of its own; its opening brace gives its place to the comma.
    body[brace] = b',';
    body.pop();
    Ok(body)
}
