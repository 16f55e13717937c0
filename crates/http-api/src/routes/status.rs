//! `GET /v1/status`: where every source, table and the checkpoint stand.

use api_types::{QUARANTINE_LISTED_MAX, StatusResponse, TableMemory, TableStatus};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use table_store::{Cut, MemoryUse, TableCut};

use super::{answer, unknown};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, fresh, params};

pub(super) async fn status(State(state): State<ApiState>, uri: Uri) -> Response {
    answer(Route::Status, whole(&state, &uri))
}

fn whole(state: &ApiState, uri: &Uri) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let cut = state.store().published();
    let fresh = fresh::of_all(state, &cut);
    params::none(uri.query()).map_err(|refused| refused.at(fresh.clone()))?;
    let now_ms = state.now_ms();
    let provider = state.status();
    let body = StatusResponse {
        sources: provider.sources(),
        tables: cut
            .tables()
            .iter()
            .map(|table| of_table(state, &cut, table, now_ms))
            .collect(),
        quarantine: provider.quarantine_notes(QUARANTINE_LISTED_MAX),
        checkpoint: provider.checkpoint(),
        start: provider.start(),
        memory: provider.memory(),
        fresh: fresh::to_wire(&fresh),
    };
    Ok(respond::value(&body, &fresh, timing))
}

/// What a table's bytes are for.
pub(super) fn memory(memory: &MemoryUse) -> TableMemory {
    TableMemory {
        rows: memory.rows as u64,
        deleted: memory.deleted as u64,
        versions: memory.versions as u64,
        slots: memory.slots as u64,
        indexes: memory.indexes as u64,
        beside: memory.beside as u64,
        waiting: memory.waiting as u64,
    }
}

fn of_table(state: &ApiState, cut: &Cut, table: &TableCut, now_ms: i64) -> TableStatus {
    let identity = table.table.identity();
    let fresh = fresh::of_table(cut, table, now_ms);
    let facts = &table.facts;
    let stages = state.status().stages(&identity.name);
    let fresh = fresh::to_wire(&fresh);
    TableStatus {
        name: identity.name.clone(),
        topic: identity.topic.clone(),
        rows: table.rows,
        bytes: table.memory_bytes,
        memory: memory(&facts.memory),
        state: fresh.state,
        quarantined: facts.quarantined,
        reason: facts
            .reason
            .clone()
            .or_else(|| facts.incomplete_because.clone()),
        notes: facts.notes.clone(),
        unknown: unknown::of(table, &fresh, stages.as_ref()),
        stages,
        rebuild: state.status().rebuild(&identity.name),
        fresh,
    }
}
