//! What stands before the routes, from the outside in: request id, trace, caught panics, the body's
//! limit, the Host check, the bound on requests in flight, the timeout.
//!
//! Written as one function rather than as a stack of layers: each layer costs an allocation and a
//! clone of all that is inside it, and together they would cost more than a lookup. For the same
//! reason a bare lookup is answered before the router, once it has passed everything but the timeout: it waits for nothing.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Limited;
use parking_lot::RwLock;
use telemetry::{Event, MetricsPage, RequestDuration, clock};
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tracing::{Instrument, debug, debug_span};

use crate::problem::ApiError;
use crate::route::{self, Route};
use crate::routes::{self, rows};
use crate::{ApiState, Hosts, Limits, admin, error, fresh, problem, request_id};

/// Requests that ask for more than this version does begin so. Ignored, they would make promises.
const OWN_HEADERS: &str = "rowtide-";

/// One listener's whole surface. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    router: Router,
    /// On the data listener.
    data: Option<ApiState>,
    hosts: Hosts,
    limits: Limits,
    in_flight: Semaphore,
    /// Guards one look or one insertion. At most one entry for each route and status.
    durations: RwLock<HashMap<(Route, u16), RequestDuration>>,
}

impl Api {
    /// The data listener: tables, rows, status.
    #[must_use]
    pub fn data(state: ApiState, hosts: Hosts, limits: Limits) -> Self {
        Self::new(
            routes::router(state.clone(), limits),
            Some(state),
            hosts,
            limits,
        )
    }

    /// The admin listener: probes and metrics. Answers to any host: the kubelet asks by the pod's address.
    #[must_use]
    pub fn admin(state: ApiState, metrics: MetricsPage, limits: Limits) -> Self {
        Self::new(
            admin::router(state, metrics, limits),
            None,
            Hosts::any(),
            limits,
        )
    }

    fn new(router: Router, data: Option<ApiState>, hosts: Hosts, limits: Limits) -> Self {
        let limits = limits.checked();
        let in_flight = Semaphore::new(limits.in_flight_max);
        Self {
            inner: Arc::new(Inner {
                router,
                data,
                hosts,
                limits,
                in_flight,
                durations: RwLock::default(),
            }),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Answers a request. Never fails: what goes wrong is an answer too.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let started = clock::monotonic();
        let id = request_id::of(request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = match caught(self.inner.run(request, &id)).await {
            Ok(response) => response,
            Err(panic) => {
                let (request_id, message) = (request_id::as_str(&id), message(&*panic));
                Event::RequestPanicked {
                    request_id,
                    path: uri.path(),
                    message,
                }
                .emit();
                error::internal().into_response()
            }
        };
        let mut response = problem::write(response, uri.path(), &id);
        let took = clock::monotonic().duration_since(started);
        self.inner.observe(&mut response, took);
        debug!(id = request_id::as_str(&id), %method, path = uri.path(), status = response.status().as_u16(), took_us = took.as_micros() as u64, "answered");
        response.headers_mut().insert(request_id::REQUEST_ID, id);
        if method == Method::HEAD {
            without_body(response)
        } else {
            response
        }
    }
}

impl Inner {
    async fn run<B>(&self, request: Request<B>, id: &HeaderValue) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if let Err(refused) = self.admit(&request) {
            return refused.into_response();
        }
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return error::overloaded().into_response();
        };
        let uri = request.uri();
        if let Some(state) = &self.data
            && request.method() == Method::GET
            && let Some((table, key)) = route::row_of(uri.path())
            && uri.query().is_none_or(str::is_empty)
        {
            return rows::lookup(state, table, key);
        }
        let uri = uri.clone();
        let span = debug_span!("request", id = request_id::as_str(id), method = %request.method(), path = uri.path());
        let body_bytes_max = self.limits.body_bytes_max as usize;
        let request = request.map(|body| Body::new(Limited::new(body, body_bytes_max)));
        let routed = self.router.clone().oneshot(request).instrument(span);
        match tokio::time::timeout(self.limits.request_timeout, routed).await {
            Ok(Ok(response)) => response,
            Err(_) => {
                Event::RequestTimedOut {
                    request_id: request_id::as_str(id),
                    path: uri.path(),
                }
                .emit();
                self.timed_out(&uri).into_response()
            }
        }
    }

    /// What is refused without being looked at.
    fn admit<B>(&self, request: &Request<B>) -> Result<(), ApiError> {
        let headers = request.headers();
        let length = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > self.limits.body_bytes_max) {
            return Err(error::body_too_large(self.limits.body_bytes_max));
        }
        if !self.hosts.admit(request.uri(), headers) {
            return Err(error::foreign_host());
        }
        match headers
            .keys()
            .find(|name| name.as_str().starts_with(OWN_HEADERS))
        {
            Some(name) if self.data.is_some() => Err(error::unsupported_header(name.as_str())),
            _ => Ok(()),
        }
    }

    fn timed_out(&self, uri: &Uri) -> ApiError {
        let error = error::timed_out(self.limits.request_timeout);
        let Some(state) = &self.data else {
            return error;
        };
        let cut = state.store().published();
        let named = route::rest_of(uri.path()).unwrap_or_else(|| route::table_of(uri.path()));
        let table = query::percent::decode(named)
            .ok()
            .and_then(|name| cut.table(&name).ok());
        error.at(match table {
            Some(table) => fresh::of_table(table, state.now_ms()),
            None => fresh::of_all(state, &cut),
        })
    }

    fn observe(&self, response: &mut Response, took: Duration) {
        let route = response
            .extensions_mut()
            .remove()
            .unwrap_or(Route::Unmatched);
        let kind = (route, response.status().as_u16());
        if let Some(durations) = self.durations.read().get(&kind) {
            return durations.record(took);
        }
        let durations = RequestDuration::of(route.label(), kind.1);
        durations.record(took);
        self.durations.write().insert(kind, durations);
    }
}

/// Runs a future to its end, or to its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // Unwinding leaves nothing behind that others see: requests share tables, which readers do not change.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

/// The answer to HEAD: all of the answer to GET but its body.
fn without_body(mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    *response.body_mut() = Body::empty();
    if let Some(length) = length.filter(|length| *length > 0) {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
