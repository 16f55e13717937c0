//! `POST` and `DELETE /v1/tables/{t}/indexes`, on the admin listener: indexes that come and go while the
//! table is served. Checkpoints keep those that are added here; which there are always, config says.

use std::sync::Arc;
use std::thread::Builder;

use api_types::{IndexInfo, IndexKind, IndexRemoved, IndexRequest, IndexResponse, IndexState};
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, LengthLimitError};
use query::fresh::Fresh;
use table_store::{AddIndexError, Index, IndexDefinition, Table, TableCut};

use super::{table, table_name};
use crate::params::{self, Params};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::{ApiState, error, fresh};

const KEEP_HINT: &str = "The next checkpoint keeps it: it is there after a restart too, until it is removed here (without a data directory, until the process ends). GET /v1/tables/{table} on the data listener shows how far it is.";
const REMOVED_HINT: &str =
    "If the configuration has it, it comes back at the next start: remove it there too.";

/// The indexes of a table as answers show them.
pub(super) fn infos(table: &Table) -> Vec<IndexInfo> {
    table.indexes().iter().map(|index| info(index)).collect()
}

fn info(index: &Index) -> IndexInfo {
    let (definition, is_ready) = (index.definition(), index.is_ready());
    IndexInfo {
        columns: definition.columns().to_vec(),
        kind: match definition.kind() {
            table_store::IndexKind::Ordered => IndexKind::Ordered,
            table_store::IndexKind::Hash => IndexKind::Hash,
        },
        state: if is_ready {
            IndexState::Ready
        } else {
            IndexState::Building
        },
        progress: (!is_ready).then(|| index.progress()),
        entries: index.entries(),
        bytes: index.memory_bytes() as u64,
    }
}

/// Adds an index and has it built on a thread of its own.
pub(crate) async fn add(
    state: &ApiState,
    request: Request<Body>,
    body_bytes_max: u64,
) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let (head, bytes) = read(request, body_bytes_max).await?;
    let uri = &head.uri;
    let (table, fresh) = named_table(state, uri)?;
    let refused = |error: ApiError| error.at(fresh.clone());
    params::none(uri.query()).map_err(refused)?;
    let request = parse(&bytes).map_err(refused)?;
    let index = added(&table, request).map_err(refused)?;
    let response = IndexResponse {
        table: table.table.identity().name.clone(),
        index: info(&index),
        hint: KEEP_HINT.replace("{table}", &table.table.identity().name),
    };
    build(&table.table, index).map_err(refused)?;
    let mut response = respond::value(&response, &fresh, timing);
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Removes the index of these columns, which the body names or the parameter `columns`.
pub(crate) async fn remove(
    state: &ApiState,
    request: Request<Body>,
    body_bytes_max: u64,
) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let (head, bytes) = read(request, body_bytes_max).await?;
    let uri = &head.uri;
    let (table, fresh) = named_table(state, uri)?;
    let refused = |error: ApiError| error.at(fresh.clone());
    let params = Params::read(uri.query()).map_err(refused)?;
    params.only(&["columns"]).map_err(refused)?;
    let columns: Vec<String> = match params.get("columns") {
        Some(columns) => columns.split(',').map(str::to_owned).collect(),
        None => parse(&bytes).map_err(refused)?.columns,
    };
    let name = &table.table.identity().name;
    if !table.table.remove_index(&columns) {
        let known = infos(&table.table).into_iter();
        let known: Vec<String> = known.map(|index| index.columns.join(",")).collect();
        return Err(refused(error::no_index(name, &columns, &known)));
    }
    let response = IndexRemoved {
        table: name.clone(),
        removed: columns,
        hint: REMOVED_HINT.to_owned(),
    };
    Ok(respond::value(&response, &fresh, timing))
}

/// The request with its whole body, unless it comes from a web page.
async fn read(request: Request<Body>, bytes_max: u64) -> Result<(Parts, Bytes), ApiError> {
    let (head, body) = request.into_parts();
    refuse_pages(&head.headers)?;
    match body.collect().await {
        Ok(collected) => Ok((head, collected.to_bytes())),
        Err(error) if is_too_long(&error) => Err(error::body_too_large(bytes_max)),
        Err(_) => Err(error::body_cut_off()),
    }
}

/// This listener answers to every host, and no web page may change the process.
pub(super) fn refuse_pages(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(header::ORIGIN) {
        return Err(error::foreign_host());
    }
    Ok(())
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

pub(super) fn named_table(state: &ApiState, uri: &Uri) -> Result<(Arc<TableCut>, Fresh), ApiError> {
    let cut = state.store().published();
    let table = table(state, &cut, &table_name(uri)?)?;
    let fresh = fresh::of_table(&cut, table, state.now_ms());
    Ok((Arc::clone(table), fresh))
}

fn parse(bytes: &[u8]) -> Result<IndexRequest, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| error::no_index_request(&error))
}

fn added(table: &TableCut, request: IndexRequest) -> Result<Arc<Index>, ApiError> {
    let name = &table.table.identity().name;
    let kind = match request.kind {
        IndexKind::Ordered => table_store::IndexKind::Ordered,
        IndexKind::Hash => table_store::IndexKind::Hash,
    };
    let definition = IndexDefinition::new(request.columns, kind)
        .map_err(|refused| error::bad_index(name, &refused))?;
    let shapes = table.table.schemas().shapes();
    let mut known: Vec<&str> = Vec::new();
    for column in shapes.iter().flat_map(|shape| &shape.columns) {
        if !known.contains(&column.name.as_str()) {
            known.push(&column.name);
        }
    }
    for column in definition.columns() {
        if !known.contains(&column.as_str()) {
            return Err(error::unknown_column(name, column, &known));
        }
    }
    let columns = definition.columns().to_vec();
    let added = table.table.add_index(definition);
    added.map_err(|refused| match refused {
        AddIndexError::Exists => error::index_exists(name, &columns),
        AddIndexError::TooMany => error::too_many_indexes(name, refused),
    })
}

/// Not waited for at the end: it holds nothing that must be finished.
fn build(table: &Arc<Table>, index: Arc<Index>) -> Result<(), ApiError> {
    let columns = index.definition().columns().to_vec();
    let thread = Builder::new().name("rowtide-index".to_owned());
    let shared = Arc::clone(table);
    let started = thread.spawn(move || shared.build_index(&index));
    started.map(|_| ()).map_err(|error| {
        tracing::error!("no thread to build an index: {error}");
        table.remove_index(&columns);
        error::overloaded()
    })
}
