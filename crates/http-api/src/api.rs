//! What stands before the routes, from the outside in: request id, trace, caught panics, the body's
//! limit, the Host check, the bound on requests in flight, the timeout.
//!
//! Written as one function rather than as a stack of layers: each layer costs an allocation and a
//! clone of all that is inside it, and together they would cost more than a lookup. For the same
//! reason a bare lookup is answered from the request's head, before the router and without a future (and
//! where the connection brings nothing else, before hyper: see `quick.rs`): it has
//! passed everything but the timeout, and waits for nothing.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Limited;
use parking_lot::RwLock;
use table_store::Expected;
use telemetry::{Event, MetricsPage, RequestDuration, clock};
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::ServiceExt;
use tracing::{Instrument, debug, debug_span};

use crate::conditional::{Conditional, Dormitory};
use crate::patience::{InFlight, Patience};
use crate::problem::ApiError;
use crate::quick::{Lookup, Said};
use crate::round::Round;
use crate::route::{self, Route};
use crate::routes::{self, rows};
use crate::{
    ApiState, Hosts, Limits, Operator, admin, error, exact, floor, fresh, problem, request_id,
    respond,
};

/// Headers that ask for more than an answer begin so. Ignored, they would make promises.
const OWN_HEADERS: &str = "rowtide-";
/// Those that are known.
const KNOWN_HEADERS: [&str; 4] = [
    floor::AT_LEAST,
    floor::MAX_LAG,
    floor::ON_MISS,
    exact::AT_EXACT,
];

/// One listener's whole surface. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    router: Router,
    state: ApiState,
    /// Whether this is the listener that answers about tables, and not the admin's.
    is_data: bool,
    /// Places for requests that wait.
    waiters: Arc<Semaphore>,
    hosts: Hosts,
    limits: Limits,
    in_flight: Arc<Semaphore>,
    round: Round,
    /// Guards one look or one insertion. At most one entry for each route and status.
    durations: RwLock<BTreeMap<(Route, u16), RequestDuration>>,
}

impl Api {
    /// The data listener: tables, rows, status.
    #[must_use]
    pub fn data(state: ApiState, hosts: Hosts, limits: Limits) -> Self {
        let limits = limits.checked();
        let waiters = Arc::new(Semaphore::new(limits.waiters_max));
        let router = routes::router(state.clone(), limits, Arc::clone(&waiters));
        Self::new(router, state, Some(waiters), hosts, limits)
    }

    /// The admin listener: probes, metrics, and what changes the process. Answers to any host: the kubelet asks by the pod's address.
    #[must_use]
    pub fn admin(
        state: ApiState,
        operator: Arc<dyn Operator>,
        metrics: MetricsPage,
        limits: Limits,
    ) -> Self {
        let limits = limits.checked();
        let router = admin::router(state.clone(), operator, metrics, limits);
        Self::new(router, state, None, Hosts::any(), limits)
    }

    /// Only the data listener has places for requests that wait.
    fn new(
        router: Router,
        state: ApiState,
        waiters: Option<Arc<Semaphore>>,
        hosts: Hosts,
        limits: Limits,
    ) -> Self {
        let in_flight = Arc::new(Semaphore::new(limits.in_flight_max));
        Self {
            inner: Arc::new(Inner {
                router,
                state,
                is_data: waiters.is_some(),
                waiters: waiters.unwrap_or_else(|| Arc::new(Semaphore::new(0))),
                hosts,
                limits,
                in_flight,
                round: Round::default(),
                durations: RwLock::default(),
            }),
        }
    }

    /// Ends what would keep a drain waiting for a cut.
    pub(crate) fn end_waits(&self) {
        let state = &self.inner.state;
        if self.inner.is_data {
            state.waits().end();
            state.feeds().end();
            state.sleepers().end();
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Whether rows are looked up here.
    pub(crate) fn answers_lookups(&self) -> bool {
        self.inner.is_data
    }

    /// Lookups that are made together.
    pub(crate) fn round(&self) -> &Round {
        &self.inner.round
    }

    /// What will be looked up for this, if it is anything.
    pub(crate) fn expected(&self, lookup: &Lookup<'_>) -> Option<Expected> {
        rows::expected(&self.inner.state, lookup)
    }

    /// Appends the answer to a lookup, if it may be asked here and now and the row is there. Else it may
    /// have appended anything, and the request has not been counted.
    pub(crate) fn look_up(&self, lookup: &Lookup<'_>, started: Instant, said: &mut Said) -> bool {
        let inner = &self.inner;
        if !inner.is_data {
            return false;
        }
        let is_admitted = inner.hosts.admit_host(lookup.host);
        let Some(_permit) = inner.in_flight.try_acquire().ok().filter(|_| is_admitted) else {
            return false;
        };
        let Some(took) = rows::write_lookup(&inner.state, lookup, started, said) else {
            return false;
        };
        inner.observe(Route::Row, StatusCode::OK.as_u16(), took);
        debug!(
            path = %format_args!("/v1/tables/{}/rows/{}", lookup.table, lookup.key),
            took_us = took.as_micros() as u64,
            "looked up"
        );
        true
    }

    /// Answers a request. Never fails: what goes wrong is an answer too.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let started = clock::monotonic();
        let id = request_id::of(request.headers());
        let inner = &self.inner;
        let (in_flight, conditional) = match unwound(|| inner.decide(&request, started)) {
            Ok(Step::Answered(route, response)) => {
                let asked = Asked::of(&request, &id, started);
                return inner.finish(&asked, Some(route), response, None);
            }
            Ok(Step::Route(permit, conditional)) => {
                (InFlight::keep(permit, &inner.in_flight), conditional)
            }
            Err(panic) => {
                let asked = Asked::of(&request, &id, started);
                return inner.finish(&asked, None, asked.panicked(&*panic), None);
            }
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let asked = Asked {
            id: &id,
            method: &method,
            uri: &uri,
            started,
        };
        let patience = Patience::of(in_flight, conditional.is_some());
        let conditional = conditional.as_ref();
        // Boxed, because it is many times as large as all that a lookup needs.
        let routed = Box::pin(caught(inner.routed(
            request,
            &asked,
            conditional,
            &patience,
        )));
        let response = match routed.await {
            Ok(response) => response,
            Err(panic) => asked.panicked(&*panic),
        };
        let response = match conditional {
            Some(conditional) => conditional.applied(response, Some(&patience)),
            None => response,
        };
        inner.finish(&asked, None, response, patience.has_waited())
    }
}

/// What is remembered of a request until its answer is written.
struct Asked<'a> {
    id: &'a HeaderValue,
    method: &'a Method,
    uri: &'a Uri,
    started: Instant,
}

/// How far the head of a request brings it.
enum Step<'a> {
    Answered(Route, Response),
    /// It is the router's, and in flight as long as this lives; perhaps only what the client does not have is wanted.
    Route(SemaphorePermit<'a>, Option<Conditional>),
}

impl<'a> Asked<'a> {
    fn of<B>(request: &'a Request<B>, id: &'a HeaderValue, started: Instant) -> Self {
        Self {
            id,
            method: request.method(),
            uri: request.uri(),
            started,
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Response {
        Event::RequestPanicked {
            request_id: request_id::as_str(self.id),
            path: self.uri.path(),
            message: message(panic),
        }
        .emit();
        error::internal().into_response()
    }
}

impl Inner {
    /// Refuses a request, answers it if it is a lookup, or lets it in.
    fn decide<B>(&self, request: &Request<B>, started: Instant) -> Step<'_> {
        let refused = |error: ApiError| Step::Answered(Route::Unmatched, error.into_response());
        let admitted = self.admit(request);
        let admitted = admitted.and_then(|more| Ok((more, self.conditional(request)?)));
        let (asks_for_more, conditional) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => return refused(error),
        };
        let Ok(permit) = self.in_flight.try_acquire() else {
            return refused(error::overloaded());
        };
        if self.is_data
            && !asks_for_more
            && let Some((table, key)) = route::lookup_of(request.method(), request.uri())
        {
            let answer = rows::lookup(&self.state, table, key, started);
            let answer = answer.unwrap_or_else(IntoResponse::into_response);
            return match conditional {
                Some(conditional) if conditional.sleeps_on(&answer) => {
                    Step::Route(permit, Some(conditional))
                }
                Some(conditional) => Step::Answered(Route::Row, conditional.applied(answer, None)),
                None => Step::Answered(Route::Row, answer),
            };
        }
        Step::Route(permit, conditional)
    }

    /// What the client has already, if it says so to a listener that has tables.
    fn conditional<B>(&self, request: &Request<B>) -> Result<Option<Conditional>, ApiError> {
        if !self.is_data {
            return Ok(None);
        }
        Conditional::of(request.headers())
    }

    async fn routed<B>(
        &self,
        mut request: Request<B>,
        asked: &Asked<'_>,
        conditional: Option<&Conditional>,
        patience: &Patience,
    ) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request_id = request_id::as_str(asked.id);
        let path = asked.uri.path();
        let span = debug_span!("request", id = request_id, method = %asked.method, path);
        let body_bytes_max = self.limits.body_bytes_max as usize;
        request.extensions_mut().insert(patience.clone());
        let request = request.map(|body| Body::new(Limited::new(body, body_bytes_max)));
        let routed = self.looked(request, conditional, patience).instrument(span);
        tokio::select! {
            biased;
            response = routed => response,
            () = patience.ends(self.limits.request_timeout) => {
                Event::RequestTimedOut { request_id, path }.emit();
                error::timed_out(self.limits.request_timeout).into_response()
            }
        }
    }

    /// What the router answers: once, or until it is something that the client has not.
    async fn looked(
        &self,
        request: Request<Body>,
        conditional: Option<&Conditional>,
        patience: &Patience,
    ) -> Response {
        let Some(conditional) = conditional else {
            let Ok(response) = self.router.clone().oneshot(request).await;
            return response;
        };
        let dormitory = Dormitory {
            router: &self.router,
            state: &self.state,
            waiters: &self.waiters,
            patience,
            limits: &self.limits,
        };
        conditional.answer(request, &dormitory).await
    }

    /// What every answer has: its error written out, its id, its place in the metrics and in the log.
    fn finish(
        &self,
        asked: &Asked<'_>,
        route: Option<Route>,
        response: Response,
        waited: Option<Duration>,
    ) -> Response {
        // A panic that this meets may be the very one that is told.
        let fresh = || unwound(|| fresh::of_path(&self.state, asked.uri.path())).ok();
        let mut response = problem::write(response, asked.uri.path(), asked.id, fresh);
        let took = clock::monotonic().duration_since(asked.started);
        let route = route.or_else(|| response.extensions_mut().remove());
        let status = response.status().as_u16();
        self.observe(route.unwrap_or(Route::Unmatched), status, took);
        debug!(id = request_id::as_str(asked.id), method = %asked.method, path = asked.uri.path(), status, took_us = took.as_micros() as u64, "answered");
        let headers = response.headers_mut();
        respond::insert_took(headers, took.saturating_sub(waited.unwrap_or_default()));
        if let Some(waited) = waited {
            respond::insert_waited(headers, waited);
        }
        headers.insert(request_id::REQUEST_ID, asked.id.clone());
        if asked.method == Method::HEAD {
            without_body(response)
        } else {
            response
        }
    }

    /// What is refused without being looked at. Of all else, whether its headers ask for more than an answer.
    fn admit<B>(&self, request: &Request<B>) -> Result<bool, ApiError> {
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
        let mut asks_for_more = false;
        for name in headers.keys() {
            if self.is_data && name.as_str().starts_with(OWN_HEADERS) {
                if !KNOWN_HEADERS.contains(&name.as_str()) {
                    return Err(error::unsupported_header(name.as_str()));
                }
                let path = request.uri().path();
                let fits = route::keeps_floors(path)
                    || (name.as_str() == exact::AT_EXACT && route::is_export(path));
                if !fits {
                    return Err(error::misplaced_header(name.as_str()));
                }
                asks_for_more = true;
            }
        }
        Ok(asks_for_more)
    }

    fn observe(&self, route: Route, status: u16, took: Duration) {
        let kind = (route, status);
        if let Some(durations) = self.durations.read().get(&kind) {
            return durations.record(took);
        }
        let durations = RequestDuration::of(route.label(), status);
        durations.record(took);
        self.durations.write().insert(kind, durations);
    }
}

/// Whether headers ask for more than an answer.
pub(crate) fn asks_for_more(headers: &HeaderMap) -> bool {
    let mut names = headers.keys();
    names.any(|name| name.as_str().starts_with(OWN_HEADERS))
}

/// Runs a future to its end, or to its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match unwound(|| future.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn unwound<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    // Unwinding leaves nothing behind that others see: requests share tables, which readers do not change.
    catch_unwind(AssertUnwindSafe(work))
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
