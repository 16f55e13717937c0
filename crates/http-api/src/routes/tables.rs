//! `GET /v1/tables` and `GET /v1/tables/{t}`: what tables there are and what their rows look like.

use api_types::{Cardinality, ColumnInfo, IndexState, RelationInfo, TableInfo, TablesResponse};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::fresh::Fresh;
use query::relation::Link;
use table_store::{Cut, TableCut};

use super::{answer, indexes, table, table_name};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, fresh, params};

pub(super) async fn list(State(state): State<ApiState>, uri: Uri) -> Response {
    answer(Route::Tables, all(&state, &uri))
}

fn all(state: &ApiState, uri: &Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let cut = state.store().published();
    let fresh = fresh::of_all(state, &cut);
    params::none(uri.query()).map_err(|refused| refused.at(fresh.clone()))?;
    let now_ms = state.now_ms();
    let tables = cut
        .tables()
        .iter()
        .map(|table| info(state, &cut, table, &fresh::of_table(&cut, table, now_ms)));
    let body = TablesResponse {
        tables: tables.collect(),
        fresh: fresh::to_wire(&fresh),
    };
    Ok(respond::value(&body, &fresh, timing))
}

pub(super) async fn one(State(state): State<ApiState>, uri: Uri) -> Response {
    answer(Route::Table, described(&state, &uri))
}

fn described(state: &ApiState, uri: &Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let cut = state.store().published();
    let table = table(state, &cut, &table_name(uri)?)?;
    let fresh = fresh::of_table(&cut, table, state.now_ms());
    params::none(uri.query()).map_err(|refused| refused.at(fresh.clone()))?;
    Ok(respond::value(
        &info(state, &cut, table, &fresh),
        &fresh,
        timing,
    ))
}

fn info(state: &ApiState, cut: &Cut, table: &TableCut, fresh: &Fresh) -> TableInfo {
    let identity = table.table.identity();
    let shape = state.shapes().of(table);
    let column = |column: &row_model::Column| ColumnInfo {
        name: column.name.clone(),
        type_name: column.kind.name().to_owned(),
        nullable: column.nullable || shape.may_lack(&column.name),
    };
    let index_details = indexes::infos(&table.table);
    let ready = index_details.iter();
    let ready = ready.filter(|index| index.state == IndexState::Ready);
    TableInfo {
        name: identity.name.clone(),
        topic: identity.topic.clone(),
        key: shape.schema().key.clone(),
        columns: shape.schema().columns.iter().map(column).collect(),
        former_columns: shape.former_columns().iter().map(column).collect(),
        schema_epoch: table.schema_epoch,
        indexes: ready.map(|index| index.columns.clone()).collect(),
        index_details,
        relations: state
            .world(cut)
            .relations
            .links(cut, table)
            .into_iter()
            .map(relation)
            .collect(),
        rows: table.rows,
        bytes: table.memory_bytes,
        memory: super::status::memory(&table.facts.memory),
        quarantined: table.facts.quarantined,
        fresh: fresh::to_wire(fresh),
    }
}

fn relation(link: Link) -> RelationInfo {
    let name = |table: &TableCut| table.table.identity().name.clone();
    RelationInfo {
        name: link.name,
        table: name(&link.target),
        cardinality: if link.is_many {
            Cardinality::ToMany
        } else {
            Cardinality::ToOne
        },
        columns: link.from,
        target_columns: link.to,
        through: link.junction.map(|junction| name(&junction.table)),
    }
}
