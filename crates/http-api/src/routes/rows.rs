//! `GET /v1/tables/{t}/rows/{key}`: one row by its key, and what is asked for beside it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::bind::BoundQuery;
use query::fetch;
use query::format::{Format, RowWriter};
use query::fresh::Fresh;
use query::key::RowKey;
use query::lookup::{self, LookupError};
use query::percent;
use query::tree::Query;
use query::url::{self, About};
use row_model::Version;
use table_store::{Cut, Expected, PinnedCut, TableCut};

use super::page::{self, within_budget};
use super::{DataState, answer, no_table, scan};
use crate::etag::Tag;
use crate::feed::asked::Followed;
use crate::floor::{Asking, Floor};
use crate::params::Params;
use crate::problem::ApiError;
use crate::quick::{Lookup, Said};
use crate::respond::{self, Timing};
use crate::route::{self, Route};
use crate::told::Told;
use crate::{ApiState, error, floor, fresh};

/// Rows rarely are longer; a longer one costs one more allocation.
const ROW_BYTES_USUAL: usize = 1_024;
/// What can be said of a row beside its key.
const SUPPORTED: &[&str] = &[
    "select", "include", "int64", "at_least", "max_lag", "wait", "on_miss", "at_exact",
];
/// What of it is not about the row.
const OWN: &[&str] = &[
    "int64", "at_least", "max_lag", "wait", "on_miss", "at_exact",
];

/// A lookup that asks for more than the row as it is.
pub(super) async fn one(State(state): State<DataState>, asking: Asking, uri: Uri) -> Response {
    answer(Route::Row, waited(&state, &asking, uri).await)
}

async fn waited(state: &DataState, asking: &Asking, uri: Uri) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    let (floor, tables) = {
        let floor = Params::read(uri.query()).and_then(|params| asking.floor_of(&params));
        let cut = floor::cut_of(&state.api, &floor)?;
        let asked = Asked::read(&state.api, &cut, &uri)?;
        (
            floor.map_err(|refused| refused.at(asked.fresh))?,
            asked.query.tables(),
        )
    };
    state
        .wait(&floor, &tables, &asking.patience, &mut timing)
        .await?;
    let find = move |state: &DataState, timing| shown(state, &floor, &uri, timing);
    scan::on_own_thread(state, timing, find).await
}

/// The point lookup. Waits for nothing; also called without a router in between.
pub(crate) fn lookup(
    state: &ApiState,
    table: &str,
    key: &str,
    started: Instant,
) -> Result<Response, ApiError> {
    let mut timing = Timing::since(started);
    let name = percent::decode(table).map_err(error::bad_path)?;
    let found = lookup::row(state.store(), &name, key).map_err(|refused| match refused {
        LookupError::Table(refused) => no_table(state, &state.store().published(), &name, &refused),
        LookupError::Key { cut, table, error } => error::bad_key(
            &table.table.identity().name,
            &error,
        )
        .at(fresh::of_table(&cut, &table, state.now_ms())),
    })?;
    timing.found();
    let told = state.told(&found.cut, &found.table);
    let Some(version) = found.row else {
        return Err(error::row_not_found(&found.table, told.fresh.clone()));
    };
    let mut body = Vec::with_capacity(ROW_BYTES_USUAL);
    let tag = write_row(&version, &told, &mut body);
    Ok(respond::json_told(body, tag, &told, &timing))
}

/// The row of a key, for those who wait until it changes.
pub(crate) fn of_key(
    state: &ApiState,
    cut: &Cut,
    table: &Arc<TableCut>,
    key: &str,
) -> Option<Followed> {
    let schema = table.table.schemas().get(table.schema?)?;
    let key = RowKey::read(key, &schema).ok()?;
    let query = page::bound(state, cut, table, &Query::default()).ok()?;
    Followed::bell(query, Some(&key))
}

/// What [`write_lookup`] will look up, if it is anything.
pub(crate) fn expected(state: &ApiState, lookup: &Lookup<'_>) -> Option<Expected> {
    let name = percent::decode(lookup.table).ok()?;
    lookup::expected(state.store(), &name, lookup.key)
}

/// Appends the whole answer to a point lookup, if the row is there, and tells how long that took.
pub(crate) fn write_lookup(
    state: &ApiState,
    lookup: &Lookup<'_>,
    started: Instant,
    said: &mut Said,
) -> Option<Duration> {
    let mut timing = Timing::since(started);
    let name = percent::decode(lookup.table).ok()?;
    let found = lookup::row(state.store(), &name, lookup.key).ok()?;
    timing.found();
    let told = state.told(&found.cut, &found.table);
    said.body.clear();
    let tag = write_row(&found.row?, &told, &mut said.body);
    respond::write_told(said, tag, &told, &timing, lookup.id).ok()
}

/// Appends a body, which nothing stands before, and names what it says.
fn write_row(version: &Version, told: &Told, body: &mut Vec<u8>) -> Tag {
    body.extend_from_slice(b"{\"row\":");
    told.shape.write_row(version, body);
    let tag = Tag::of_json(body);
    body.extend_from_slice(b",\"fresh\":");
    body.extend_from_slice(&told.json);
    body.push(b'}');
    tag
}

/// What is asked of a row, fitted to its table.
struct Asked {
    query: BoundQuery,
    int64_as_text: bool,
    fresh: Fresh,
}

impl Asked {
    fn read(api: &ApiState, cut: &Cut, uri: &Uri) -> Result<Self, ApiError> {
        let table = super::table(api, cut, &super::table_name(uri)?)?;
        Self::of(api, cut, table, uri)
            .map_err(|refused| refused.or_at(fresh::of_table(cut, table, api.now_ms())))
    }

    fn of(api: &ApiState, cut: &Cut, table: &Arc<TableCut>, uri: &Uri) -> Result<Self, ApiError> {
        let params = Params::read(uri.query())?;
        check_names(&params)?;
        let int64_as_text = params.word("int64", &["string", "number"])? == Some(0);
        let asked = params.pairs().filter(|(name, _)| !OWN.contains(name));
        let query = url::read(asked).map_err(|refused| error::bad_syntax(&refused))?;
        if query.is_grouped() {
            return Err(error::aggregated_lookup(&table.table.identity().name));
        }
        let query = page::bound(api, cut, table, &query)?;
        let touched = query.tables();
        let fresh = fresh::of_tables(cut, touched.iter().map(|table| &**table), api.now_ms());
        Ok(Self {
            query,
            int64_as_text,
            fresh,
        })
    }
}

/// The same with what is selected of the row, and the rows that are related to it.
fn shown(
    state: &DataState,
    floor: &Floor,
    uri: &Uri,
    timing: Timing,
) -> Result<Response, ApiError> {
    let cut = floor.pin(&state.api)?;
    let asked = Asked::read(&state.api, &cut, uri)?;
    let fresh = asked.fresh.clone();
    shown_at(state, &cut, floor, asked, uri, timing).map_err(|refused| refused.or_at(fresh))
}

fn shown_at(
    state: &DataState,
    cut: &PinnedCut,
    floor: &Floor,
    asked: Asked,
    uri: &Uri,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let api = &state.api;
    let Asked {
        query,
        int64_as_text,
        fresh,
    } = asked;
    let touched = query.tables();
    let fresh = floor.judged(cut, touched.iter().map(|table| &**table), fresh)?;
    let table = query.table();
    let name = &table.table.identity().name;
    let (_, segment) = route::row_of(uri.path()).unwrap_or_default();
    let Some(schema) = table.schema.and_then(|id| table.table.schemas().get(id)) else {
        return Err(error::row_not_found(table, fresh));
    };
    let key = RowKey::read(segment, &schema).map_err(|refused| error::bad_key(name, &refused))?;
    let found = within_budget(&state.limits, &timing, |budget| {
        fetch::rows(cut, &query, std::slice::from_ref(&key), budget)
    });
    let found = found.map_err(|refused| error::too_costly(&query, &refused))?;
    timing.found();
    if !found.has(0) {
        return Err(error::row_not_found(table, fresh));
    }
    let mut body = Vec::with_capacity(ROW_BYTES_USUAL);
    body.extend_from_slice(b"{\"row\":");
    let mut writer = RowWriter::new(&query, Format::Objects, int64_as_text, api.shapes());
    found
        .write(&mut writer, &mut body)
        .map_err(|refused| error::too_costly(&query, &refused).at(fresh.clone()))?;
    Ok(respond::open(body, &fresh, &timing))
}

/// A row that has a key needs no filter.
fn check_names(params: &Params<'_>) -> Result<(), ApiError> {
    let said_of_embeds: Vec<&str> = params
        .pairs()
        .map(|(name, _)| name)
        .filter(|name| matches!(url::about(name), Ok(Some(About::Embed))))
        .collect();
    params.only_or(SUPPORTED, &said_of_embeds)
}
