//! `POST /v1/batch-get`: rows of several tables by their keys, all of one cut.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{Method, Uri};
use query::bind::BoundQuery;
use query::dsl::{self, BatchGet, Get, KeyAsked, KeyValues};
use query::fetch;
use query::format::{Format, RowWriter};
use query::fresh::Fresh;
use query::key::{KeyError, RowKey};
use row_model::Schema;
use table_store::{Cut, TableCut};

use super::page::{self, within_budget};
use super::{DataState, answer, body, scan, table};
use crate::floor::{Asking, Floor};
use crate::limits::BATCH_BYTES_MAX;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, error, fresh, params};

pub(super) async fn get(
    State(state): State<DataState>,
    asking: Asking,
    method: Method,
    uri: Uri,
    body: Body,
) -> Response {
    if !body::may_ask(&method) {
        return body::wrong_method(&method);
    }
    let result = match body::read(body, &state.limits).await {
        Ok(body) => answered(&state, &asking, &uri, body).await,
        Err(refused) => Err(refused),
    };
    answer(Route::BatchGet, result)
}

async fn answered(
    state: &DataState,
    asking: &Asking,
    uri: &Uri,
    body: Bytes,
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    params::none(uri.query())?;
    let asked = dsl::read_batch(&body).map_err(|refused| error::bad_batch(&refused))?;
    let floor = dsl::floor(&body).map_err(|refused| error::bad_batch(&refused))?;
    let floor = asking.floor_with(&floor.into())?;
    let bound = bound(&state.api, &*floor.pin(&state.api)?, &asked)?;
    let tables = touched(&bound.0);
    drop(bound);
    state
        .wait(&floor, &tables, &asking.patience, &mut timing)
        .await?;
    let find = move |state: &DataState, timing| find(state, &floor, &asked, timing);
    scan::on_own_thread(state, timing, find).await
}

fn find(
    state: &DataState,
    floor: &Floor,
    asked: &BatchGet,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let cut = floor.pin(&state.api)?;
    // Bound again: this cut may be newer than the one it was checked against.
    let (gets, fresh) = bound(&state.api, &cut, asked)?;
    let tables = touched(&gets);
    let fresh = floor.judged(&cut, tables.iter().map(|table| &**table), fresh)?;
    let mut found = Vec::with_capacity(gets.len());
    for get in &gets {
        let rows = within_budget(&state.limits, &timing, |budget| {
            fetch::rows(&cut, &get.query, &get.keys, budget)
        });
        let rows = rows.map_err(|refused| error::too_costly(&get.query, &refused));
        found.push(rows.map_err(|refused| refused.at(fresh.clone()))?);
    }
    timing.found();
    let mut body = b"{\"results\":[".to_vec();
    for (at, (get, rows)) in gets.iter().zip(&found).enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"table\":");
        respond::write_json(&get.query.table().table.identity().name, &mut body);
        body.extend_from_slice(b",\"rows\":[");
        let shapes = state.api.shapes();
        let mut writer = RowWriter::new(&get.query, Format::Objects, asked.int64_as_text, shapes);
        rows.write(&mut writer, &mut body)
            .map_err(|refused| error::too_costly(&get.query, &refused).at(fresh.clone()))?;
        body.extend_from_slice(b"]}");
        if body.len() > BATCH_BYTES_MAX {
            return Err(error::batch_too_large(BATCH_BYTES_MAX).at(fresh));
        }
    }
    body.push(b']');
    Ok(respond::open(body, &fresh, &timing))
}

/// Rows of one table, ready to be looked up.
struct BoundGet {
    query: BoundQuery,
    keys: Vec<RowKey>,
}

fn bound(
    state: &ApiState,
    cut: &Cut,
    asked: &BatchGet,
) -> Result<(Vec<BoundGet>, Fresh), ApiError> {
    let tables = asked.gets.iter().map(|get| table(state, cut, &get.table));
    let tables: Vec<&Arc<TableCut>> = tables.collect::<Result<_, _>>()?;
    let gets = asked.gets.iter().zip(&tables);
    let gets = gets.map(|(get, table)| bound_get(state, cut, table, get));
    let gets: Result<Vec<BoundGet>, ApiError> = gets.collect();
    let now_ms = state.now_ms();
    let gets = gets.map_err(|refused| {
        let named = tables.iter().map(|table| &***table);
        refused.at(fresh::of_tables(cut, named, now_ms))
    })?;
    let tables = touched(&gets);
    let fresh = fresh::of_tables(cut, tables.iter().map(|table| &**table), now_ms);
    Ok((gets, fresh))
}

/// All tables that the answer rests on, some perhaps several times.
fn touched(gets: &[BoundGet]) -> Vec<Arc<TableCut>> {
    gets.iter().flat_map(|get| get.query.tables()).collect()
}

fn bound_get(
    state: &ApiState,
    cut: &Cut,
    table: &Arc<TableCut>,
    get: &Get,
) -> Result<BoundGet, ApiError> {
    let name = &table.table.identity().name;
    if get.query.is_grouped() {
        return Err(error::aggregated_lookup(name));
    }
    let query = page::bound(state, cut, table, &get.query)?;
    let schema = table.schema.and_then(|id| table.table.schemas().get(id));
    let key = |asked: &KeyAsked| match &schema {
        Some(schema) => row_key(asked, schema)
            .map_err(|refused| error::bad_batch_key(name, &refused, &asked.at)),
        // Before its first row a table has no shape, and no row.
        None => Ok(RowKey::of_nothing()),
    };
    let keys: Result<_, _> = get.keys.iter().map(key).collect();
    Ok(BoundGet { query, keys: keys? })
}

fn row_key(asked: &KeyAsked, schema: &Schema) -> Result<RowKey, KeyError> {
    let by_column = match &asked.values {
        KeyValues::InOrder(texts) => return RowKey::of_values(texts, schema),
        KeyValues::ByColumn(by_column) => by_column,
    };
    let names = schema.key.as_ref().ok_or(KeyError::Keyless)?;
    let text = |name: &String| {
        let mut columns = by_column.iter();
        columns
            .find(|(column, _)| column == name)
            .map(|(_, text)| text)
    };
    let texts: Vec<&String> = names.iter().filter_map(text).collect();
    if texts.len() != by_column.len() || texts.len() != names.len() {
        return Err(KeyError::OtherColumns {
            expected: names.clone(),
            given: by_column.iter().map(|(name, _)| name.clone()).collect(),
        });
    }
    RowKey::of_values(&texts, schema)
}
