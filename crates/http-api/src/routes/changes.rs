//! `GET /v1/changes`: what changes of tables, as a stream without end or as one batch that is waited for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::{DataState, answer};
use crate::feed::Following;
use crate::feed::asked::{FeedAsked, Form};
use crate::feed::pieces::Pieces;
use crate::feed::reader::Reader;
use crate::feed::step::{Standing, Step, fresh_now};
use crate::floor::Asking;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{error, fresh};

/// Proxies are to pass on what they have.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

pub(super) async fn changes(
    State(state): State<DataState>,
    asking: Asking,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer(Route::Changes, begun(&state, &asking, &uri, &headers).await)
}

async fn begun(
    state: &DataState,
    asking: &Asking,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let timing = Timing::start();
    let api = &state.api;
    let cut = api.store().pin();
    let asked = FeedAsked::read(api, &cut, uri, headers)
        .map_err(|refused| refused.or_at(fresh::of_all(api, &cut)))?;
    let asked = Arc::new(asked);
    let Ok(slot) = Arc::clone(&state.feeds).try_acquire_owned() else {
        return Err(error::too_many_feeds().at(fresh::of_all(api, &cut)));
    };
    // Before it is found out where it stands: what changes from now on wakes it.
    let following = api.feeds().follow(api, &asked.followed);
    let standing = match &asked.since {
        None => Some(Standing::at(&cut, &asked.followed)),
        Some(since) => Standing::after(api, &cut, &asked.followed, since),
    };
    if standing.as_ref().is_some_and(Standing::is_ahead) {
        following.is_ahead(true);
    }
    let form = asked.followed.form;
    if form == Form::Batch {
        asking.patience.wait(slot, asked.wait);
        drop(cut);
        let standing = standing.ok_or_else(|| {
            error::since_expired().at(fresh::of_all(api, &api.store().published()))
        })?;
        return batch(state, &asked, standing, following, timing).await;
    }
    let fresh = fresh_now(api, &asked.followed);
    let (pieces, coming) = mpsc::channel(1);
    let reader = Reader {
        api: api.clone(),
        standing,
        following,
        pieces,
        _slot: slot,
        asked: Arc::clone(&asked),
    };
    let first = asked.initial.then_some(cut);
    tokio::spawn(reader.run(first));
    let content_type = HeaderValue::from_static(match form {
        Form::Events => "text/event-stream",
        Form::Lines | Form::Batch | Form::Bell => "application/x-ndjson",
    });
    let mut response = respond::of_type(content_type, Vec::new(), &fresh, &timing);
    response.headers_mut().extend([UNBUFFERED]);
    *response.body_mut() = Body::new(Pieces(coming));
    Ok(response)
}

/// One batch of what changed, as soon as there is any; 204 if there is none for as long as that is waited for.
async fn batch(
    state: &DataState,
    asked: &FeedAsked,
    mut standing: Standing,
    following: Following,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let api = &state.api;
    let deadline = Instant::now() + asked.wait;
    let mut is_late = false;
    loop {
        let fresh = fresh_now(api, &asked.followed);
        if following.has_ended() {
            return Err(error::draining().at(fresh));
        }
        match standing.step(api, asked, following.question()) {
            Step::Anew(_) => return Err(error::since_expired().at(fresh)),
            Step::Told(events) if events.is_empty() => {
                yield_now().await;
                continue;
            }
            Step::Told(events) => {
                timing.found();
                let mut body = b"{\"changes\":[".to_vec();
                body.extend_from_slice(&events);
                body.extend_from_slice(b"],\"as_of\":");
                respond::write_json(&standing.token(api, &asked.followed), &mut body);
                body.extend_from_slice(b",\"fresh\":");
                respond::write_json(&fresh::to_wire(&fresh), &mut body);
                body.push(b'}');
                return Ok(respond::json(body, &fresh, &timing));
            }
            Step::Nothing => {}
        }
        if is_late {
            let mut response = respond::json(Vec::new(), &fresh, &timing);
            *response.status_mut() = StatusCode::NO_CONTENT;
            let headers = response.headers_mut();
            headers.remove(header::CONTENT_TYPE);
            let token = standing.token(api, &asked.followed);
            respond::insert(headers, respond::AS_OF, token);
            return Ok(response);
        }
        // Then it looks once more: what is no news has been passed over without waking it.
        is_late = timeout_at(deadline, following.woken()).await.is_err();
    }
}
