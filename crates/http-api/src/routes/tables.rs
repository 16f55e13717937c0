//! `GET /v1/tables` and `GET /v1/tables/{t}`: what tables there are and what their rows look like.

use api_types::{Cardinality, ColumnInfo, IndexState, RelationInfo, TableInfo, TablesResponse};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use query::relation::Link;
use serde::Serialize;
use table_store::{Cut, TableCut};

use super::{answer, indexes, table, table_name};
use crate::etag::Tag;
use crate::floor::Asking;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::sleepers::Seen;
use crate::{ApiState, fresh, params};

pub(super) async fn list(State(state): State<ApiState>, asking: Asking, uri: Uri) -> Response {
    answer(Route::Tables, all(&state, &asking, &uri))
}

fn all(state: &ApiState, asking: &Asking, uri: &Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let cut = state.store().published();
    asking.patience.rests_on(|| Seen::all(&cut));
    let fresh = fresh::of_all(state, &cut);
    params::none(uri.query()).map_err(|refused| refused.at(fresh.clone()))?;
    let now_ms = state.now_ms();
    let tables = cut.tables().iter();
    let mut body = TablesResponse {
        tables: tables.map(|table| info(state, &cut, table)).collect(),
        fresh: fresh::unsaid(),
    };
    let tag = tag_of(&body);
    for (info, table) in body.tables.iter_mut().zip(cut.tables()) {
        info.fresh = fresh::to_wire(&fresh::of_table(&cut, table, now_ms));
    }
    body.fresh = fresh::to_wire(&fresh);
    Ok(respond::tagged(respond::value(&body, &fresh, timing), tag))
}

pub(super) async fn one(State(state): State<ApiState>, asking: Asking, uri: Uri) -> Response {
    answer(Route::Table, described(&state, &asking, &uri))
}

fn described(state: &ApiState, asking: &Asking, uri: &Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let cut = state.store().published();
    let table = table(state, &cut, &table_name(uri)?)?;
    asking.patience.rests_on(|| Seen::tables([table]));
    let fresh = fresh::of_table(&cut, table, state.now_ms());
    params::none(uri.query()).map_err(|refused| refused.at(fresh.clone()))?;
    let mut body = info(state, &cut, table);
    let tag = tag_of(&body);
    body.fresh = fresh::to_wire(&fresh);
    Ok(respond::tagged(respond::value(&body, &fresh, timing), tag))
}

/// The tag of what does not say yet how fresh it is.
fn tag_of(unsaid: &impl Serialize) -> Tag {
    let mut said = Vec::new();
    respond::write_json(unsaid, &mut said);
    Tag::of_json(&said)
}

/// All of a table but how fresh it is.
fn info(state: &ApiState, cut: &Cut, table: &TableCut) -> TableInfo {
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
        fresh: fresh::unsaid(),
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
