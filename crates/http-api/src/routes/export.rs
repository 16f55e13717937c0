//! `GET /v1/tables/{t}/export`: all rows of a table at one cut, in key order, as they are sent for.
//!
//! An answer that ends was whole: one that cannot be finished breaks off, which every client notices.
//! The cut's versions are held for as long as it takes, so a reader that stands still is given up, and so is an
//! answer that takes very long.

use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};
use hyper::body::Frame;
use query::bind::BoundQuery;
use query::format::{Format, RowWriter};
use query::list::{self, Budget, ListError, Page, PageRequest};
use query::tree::Query;
use query::whole;
use table_store::PinnedCut;
use telemetry::clock;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::page::bound;
use super::scan::Threads;
use super::{DataState, answer, table, table_name};
use crate::floor::{self, Asking};
use crate::media::Media;
use crate::params::Params;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{error, fresh};

/// Pieces that are ready while the reader is still busy with earlier ones.
const PIECES_AHEAD: usize = 4;

pub(super) async fn rows(
    State(state): State<DataState>,
    asking: Asking,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer(Route::Export, begin(&state, &asking, &uri, &headers))
}

fn begin(
    state: &DataState,
    asking: &Asking,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    let floor = Params::read(uri.query()).and_then(|params| asking.floor_of(&params));
    let cut = floor::cut_of(&state.api, &floor)?;
    let table = table(&state.api, &cut, &table_name(uri)?)?;
    let fresh = fresh::of_table(&cut, table, state.api.now_ms());
    let read = Params::read(uri.query()).and_then(|params| {
        params.only(&["format", "at_exact"])?;
        let fresh = floor?.judged(&cut, [&**table], fresh.clone())?;
        let media = match params.word("format", &["ndjson", "csv"])? {
            Some(0) => Media::NdJson,
            Some(_) => Media::Csv,
            None if Media::wanted(headers) == Media::Csv => Media::Csv,
            None => Media::NdJson,
        };
        let query = bound(&state.api, &cut, table, &Query::default())?;
        let exports = Arc::clone(&state.exports).try_acquire_owned();
        Ok((
            media,
            query,
            fresh,
            exports.map_err(|_| error::too_many_exports())?,
        ))
    });
    let (media, query, fresh, permit) = read.map_err(|refused| refused.at(fresh.clone()))?;
    timing.found();
    let (pieces, coming) = mpsc::channel(PIECES_AHEAD);
    let export = Export {
        state: state.clone(),
        cut,
        query,
        format: match media {
            Media::Csv => Format::Csv,
            Media::Json | Media::NdJson => Format::Objects,
        },
        pieces,
        started: clock::monotonic(),
        _permit: permit,
    };
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || export.write(&runtime));
    let mut response = respond::of_type(media.content_type(), Vec::new(), &fresh, &timing);
    *response.body_mut() = Body::new(Coming(coming));
    Ok(response)
}

/// An answer that is being written, on a thread of its own.
struct Export {
    state: DataState,
    cut: PinnedCut,
    query: BoundQuery,
    format: Format,
    pieces: mpsc::Sender<Piece>,
    started: Instant,
    _permit: OwnedSemaphorePermit,
}

enum Piece {
    Rows(Bytes),
    /// There are no more. Without it the answer was broken off.
    End,
}

impl Export {
    fn write(self, runtime: &Handle) {
        let mut writer = RowWriter::new(&self.query, self.format, false, self.state.api.shapes());
        let find = |request: &PageRequest| self.find(runtime, request);
        let written = whole::write_all(&self.query, &mut writer, find, |piece| {
            self.send(runtime, Piece::Rows(std::mem::take(piece).into()))
        });
        let table = &self.query.table().table.identity().name;
        match written {
            Ok(rows) => {
                let took = clock::monotonic().duration_since(self.started);
                tracing::info!(table, rows, ms = took.as_millis(), "exported");
                let _ = self.send(runtime, Piece::End);
            }
            Err(whole::Ended::Failed(error)) => {
                tracing::warn!(table, %error, "an export was broken off");
            }
            Err(whole::Ended::NotWanted) => {
                tracing::warn!(
                    table,
                    "an export was broken off: its reader has left, or takes nothing"
                );
            }
        }
    }

    /// One pass, with one of the permits that all scans share.
    fn find(&self, runtime: &Handle, request: &PageRequest) -> Result<Page, ListError> {
        let _permit = runtime.block_on(self.state.scans.acquire());
        let limits = &self.state.limits;
        let budget = Budget {
            rows_max: u64::MAX,
            workers: &Threads(limits.scans_max),
            is_late: &|| self.is_beyond(limits.export_timeout),
        };
        list::page(&self.cut, &self.query, request, budget)
    }

    fn send(&self, runtime: &Handle, piece: Piece) -> ControlFlow<()> {
        let limits = &self.state.limits;
        let sent = tokio::time::timeout(limits.export_stall_max, self.pieces.send(piece));
        let taken = runtime.block_on(async { matches!(sent.await, Ok(Ok(()))) });
        if taken && !self.is_beyond(limits.export_timeout) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }

    fn is_beyond(&self, bound: Duration) -> bool {
        clock::monotonic().duration_since(self.started) > bound
    }
}

/// The body of an answer that is still being written.
struct Coming(mpsc::Receiver<Piece>);

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|piece| match piece {
            Some(Piece::Rows(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            None => Some(Err(io::Error::other("the export was broken off"))),
        })
    }
}
