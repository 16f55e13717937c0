//! Conditional requests: what a client has already is not sent again, and who would rather wait is answered when
//! there is something else.
//!
//! A request that waits is asked anew whenever a table that its answer rests on has changed, or the rows of it if that
//! is all there is to it, as if it had just come. So
//! whatever shapes the answer (the newest shape of a table, a floor, a limit) is as true of the last answer
//! as of the first, and no route needs to know that somebody waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, Request, StatusCode, header};
use query::fresh::Fresh;
use query::percent;
use telemetry::clock;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use crate::api::asks_for_more;
use crate::condition::Condition;
use crate::feed::Following;
use crate::feed::asked::Followed;
use crate::floor::preferred_wait;
use crate::patience::Patience;
use crate::problem::ApiError;
use crate::route::{self, Route};
use crate::routes::{self, body, rows};
use crate::sleepers::Seen;
use crate::waits::Waited;
use crate::{ApiState, Limits, error, fresh, respond};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a client has already, and how long it would wait for anything else.
#[derive(Clone, Debug)]
pub(crate) struct Conditional {
    condition: Condition,
    /// `Prefer: wait`.
    preferred: Option<Duration>,
}

/// Who lets requests sleep.
pub(crate) struct Dormitory<'a> {
    pub router: &'a Router,
    pub state: &'a ApiState,
    /// Places for requests that wait.
    pub waiters: &'a Arc<Semaphore>,
    pub patience: &'a Patience,
    pub limits: &'a Limits,
}

impl Conditional {
    /// What the headers say of it, if anything.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let condition = Condition::of(headers)?;
        Ok(condition.map(|condition| Self {
            condition,
            preferred: preferred_wait(headers),
        }))
    }

    /// Whether the client would rather wait than have this answer.
    pub fn sleeps_on(&self, response: &Response) -> bool {
        self.preferred.is_some() && self.holds(response)
    }

    /// Whether this answer is what the client has.
    pub fn holds(&self, response: &Response) -> bool {
        let tag = response.headers().get(header::ETAG);
        tag.is_some_and(|tag| self.condition.holds(response.status(), tag))
    }

    /// The answer to be sent in the place of this one: without a body, if the client has it. What is not found is said
    /// again, because no client takes a 304 for that (RFC 9110, 13.2.1).
    pub fn applied(&self, mut response: Response, patience: Option<&Patience>) -> Response {
        let has_slept =
            |patience: &Patience| patience.is_waiter() && patience.sleep().at_most.is_none();
        if let Some(wait) = self.preferred.filter(|_| patience.is_some_and(has_slept)) {
            let applied = format!("wait={}", wait.as_secs());
            let headers = response.headers_mut();
            let others = headers.get(PREFERENCE_APPLIED);
            let applied = match others.and_then(|others| others.to_str().ok()) {
                Some(others) => format!("{others}, {applied}"),
                None => applied,
            };
            respond::insert(headers, PREFERENCE_APPLIED, applied);
        }
        if response.status().is_success() && self.holds(&response) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
            for of_the_body in [
                header::CONTENT_TYPE,
                header::CONTENT_LENGTH,
                header::CONTENT_RANGE,
                header::LINK,
            ] {
                response.headers_mut().remove(of_the_body);
            }
        }
        response
    }

    /// Answers when there is something that the client has not, or at the end of its patience.
    pub async fn answer(&self, request: Request<Body>, dormitory: &Dormitory<'_>) -> Response {
        let (head, body) = request.into_parts();
        let body = match body::read(body, dormitory.limits).await {
            Ok(body) => body,
            Err(refused) => return refused.into_response(),
        };
        let mut stay: Option<Stay> = None;
        loop {
            let request = Request::from_parts(head.clone(), Body::from(body.clone()));
            let response = dormitory.look(request).await;
            let sleep = dormitory.patience.sleep();
            let at_most = sleep.at_most.or(self.preferred).unwrap_or_default();
            let is_over = match &stay {
                Some(stay) => stay.until <= Instant::now(),
                None => at_most.is_zero(),
            };
            let Some(seen) = sleep.seen.filter(|_| !is_over && self.holds(&response)) else {
                return response;
            };
            // Nothing is kept of it: what is sent in the end says how fresh it is by then.
            drop(response);
            let stay = match &mut stay {
                Some(stay) => stay,
                None => match dormitory.admit(at_most) {
                    Ok(admitted) => stay.insert(admitted),
                    Err(refused) => return refused.at(dormitory.fresh(&seen)).into_response(),
                },
            };
            if stay.sleep(&seen, sleep.rows.as_ref()).await == Waited::Ended {
                return error::draining().at(dormitory.fresh(&seen)).into_response();
            }
        }
    }
}

impl<'a> Dormitory<'a> {
    /// What is answered now. A bare lookup needs neither the router nor a thread for it.
    async fn look(&self, request: Request<Body>) -> Response {
        let asks_for_more = asks_for_more(request.headers());
        let lookup = route::lookup_of(request.method(), request.uri());
        let Some((table, key)) = lookup.filter(|_| !asks_for_more) else {
            let Ok(response) = self.router.clone().oneshot(request).await;
            return response;
        };
        // Taken before the row is looked up: what changes in between is looked at again.
        let cut = self.state.store().published();
        let named = percent::decode(table).ok();
        if let Some(Ok(table)) = named.map(|name| cut.table(&name)) {
            self.patience.rests_on(|| Seen::tables([table]));
            self.patience
                .rests_on_rows(|| rows::of_key(self.state, &cut, table, key));
        }
        let found = rows::lookup(self.state, table, key, clock::monotonic());
        routes::answer(Route::Row, found)
    }

    fn admit(&self, at_most: Duration) -> Result<Stay<'a>, ApiError> {
        if self.patience.is_waiter() {
            // It has waited for a floor before.
            self.patience.wait_on(at_most);
        } else {
            let slot = Arc::clone(self.waiters).try_acquire_owned();
            let slot = slot.map_err(|_| error::too_many_waits())?;
            self.patience.wait(slot, at_most);
        }
        Ok(Stay {
            state: self.state,
            patience: self.patience,
            until: Instant::now() + at_most,
            since: clock::monotonic(),
            ended: Waited::TimedOut,
            following: None,
        })
    }

    /// How fresh that is on which an answer rests.
    fn fresh(&self, seen: &Seen) -> Fresh {
        let cut = self.state.store().published();
        let tables = cut.tables().iter().filter(|table| seen.has(table));
        fresh::of_tables(&cut, tables.map(|table| &**table), self.state.now_ms())
    }
}

/// The time that one request may sleep, once or many times.
struct Stay<'a> {
    state: &'a ApiState,
    patience: &'a Patience,
    until: Instant,
    since: std::time::Instant,
    /// How its last sleep did.
    ended: Waited,
    /// The rows that its answer rests on, if it rests on nothing else. Kept while it looks, so that no change is missed.
    following: Option<Following>,
}

impl Stay<'_> {
    async fn sleep(&mut self, seen: &Seen, rows: Option<&Arc<Followed>>) -> Waited {
        self.ended = if let Some(rows) = rows {
            self.until_rows_changed(seen, rows).await
        } else {
            self.following = None;
            let (store, sleepers) = (self.state.store(), self.state.sleepers());
            sleepers.until_changed(store, seen, self.until).await
        };
        self.ended
    }

    async fn until_rows_changed(&mut self, seen: &Seen, rows: &Arc<Followed>) -> Waited {
        let state = self.state;
        let known = self.following.take();
        let is_same = |known: &Following| known.question().followed.name == rows.name;
        let known = known.filter(is_same);
        let is_new = known.is_none();
        let following = known.unwrap_or_else(|| state.feeds().follow(state, rows));
        let following = self.following.insert(following);
        // What changed between the answer and this nobody will tell.
        if is_new && !seen.is_in(&state.store().published()) {
            return Waited::Woken;
        }
        if following.has_ended() {
            return Waited::Ended;
        }
        match timeout_at(self.until, following.woken()).await {
            Err(_) => Waited::TimedOut,
            Ok(()) if following.has_ended() => Waited::Ended,
            Ok(()) => Waited::Woken,
        }
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        let took = clock::monotonic().duration_since(self.since);
        self.patience.waited(took);
        telemetry::record_wait(self.ended.label(), took);
    }
}
