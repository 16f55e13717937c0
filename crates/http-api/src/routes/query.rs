//! `POST` and `QUERY /v1/query`: a query, or several of one cut, as JSON spells them.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Uri};
use query::dsl::{self, Asked, Question};
use query::format::Format;
use query::fresh::Fresh;
use query::list::{LIMIT_DEFAULT, LIMIT_MAX, PAGE_BYTES_MAX};
use table_store::{Cut, TableCut};

use super::page::{PageAsked, Wanted};
use super::{DataState, answer, body, scan, since, table};
use crate::floor::{Asking, Floor};
use crate::media::Media;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, error, fresh, params};

pub(super) async fn ask(
    State(state): State<DataState>,
    asking: Asking,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !body::may_ask(&method) {
        return body::wrong_method(&method);
    }
    let media = match Media::wanted(&headers) {
        // It has no place to say that there is more.
        Media::Csv => Media::Json,
        media => media,
    };
    let result = match body::read(body, &state.limits).await {
        Ok(body) => answered(&state, &asking, &uri, media, body).await,
        Err(refused) => Err(refused),
    };
    answer(Route::Query, result)
}

async fn answered(
    state: &DataState,
    asking: &Asking,
    uri: &Uri,
    media: Media,
    body: Bytes,
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    params::none(uri.query())?;
    // What cannot be read waits for no permit.
    let asked = dsl::read(&body, LIMIT_MAX).map_err(|refused| error::bad_query(&refused))?;
    let floor = dsl::floor(&body).map_err(|refused| error::bad_query(&refused))?;
    let floor = asking.floor_with(&floor.into())?;
    let bound = bound(&state.api, &*floor.pin(&state.api)?, &asked)?;
    let tables = touched(&bound.0);
    drop(bound);
    state
        .wait(&floor, &tables, &asking.patience, &mut timing)
        .await?;
    if let Some((question, since)) = since_of(&asked)? {
        let cut = floor.pin(&state.api)?;
        return since::asked(&state.api, &cut, question, since, &floor, timing);
    }
    let find = move |state: &DataState, timing| find(state, &floor, &asked, media, timing);
    scan::on_own_thread(state, timing, find).await
}

/// The one question of which only what changed is wanted.
fn since_of(asked: &Asked) -> Result<Option<(&Question, &str)>, ApiError> {
    match asked {
        Asked::One(question) => {
            let since = question.since.as_deref();
            Ok(since.map(|since| (&**question, since)))
        }
        Asked::Several(named) if named.iter().any(|(_, it)| it.since.is_some()) => {
            Err(error::since_of_several())
        }
        Asked::Several(_) => Ok(None),
    }
}

fn find(
    state: &DataState,
    floor: &Floor,
    asked: &Asked,
    media: Media,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let cut = floor.pin(&state.api)?;
    // Bound again: this cut may be newer than the one it was checked against.
    let (pages, fresh) = bound(&state.api, &cut, asked)?;
    let tables = touched(&pages);
    let fresh = floor.judged(&cut, tables.iter().map(|table| &**table), fresh)?;
    let mut found = Vec::with_capacity(pages.len());
    for asked in &pages {
        let page = asked.find(&cut, &state.limits, &timing);
        found.push(page.map_err(|refused| refused.at(fresh.clone()))?);
    }
    timing.found();
    let mut body = Vec::new();
    let answers = pages.iter().zip(&found);
    let Asked::Several(named) = asked else {
        let mut tag = None;
        for (asked, page) in answers {
            let told = Some(&fresh);
            let written = asked
                .write(&state.api, page, media, PAGE_BYTES_MAX, told, &mut body)
                .map_err(|refused| refused.at(fresh.clone()))?;
            tag = written.tag;
        }
        let response = respond::of_type(media.content_type(), body, &fresh, &timing);
        return Ok(respond::tagged(response, tag));
    };
    body.extend_from_slice(b"{\"results\":{");
    for (at, ((name, _), (asked, page))) in named.iter().zip(answers).enumerate() {
        if at > 0 {
            body.push(b',');
        }
        respond::write_json(name, &mut body);
        body.push(b':');
        // Together they take no more than one may.
        let bytes_max = PAGE_BYTES_MAX.saturating_sub(body.len());
        asked
            .write(&state.api, page, Media::Json, bytes_max, None, &mut body)
            .map_err(|refused| refused.at(fresh.clone()))?;
    }
    body.push(b'}');
    Ok(respond::open(body, &fresh, &timing))
}

/// Every query fitted to its table, and how fresh all that they rest on is.
fn bound(state: &ApiState, cut: &Cut, asked: &Asked) -> Result<(Vec<PageAsked>, Fresh), ApiError> {
    let questions: Vec<&Question> = match asked {
        Asked::One(question) => vec![question],
        Asked::Several(named) => named.iter().map(|(_, question)| question).collect(),
    };
    let tables = questions
        .iter()
        .map(|question| table(state, cut, &question.from));
    let tables: Vec<&Arc<TableCut>> = tables.collect::<Result<_, _>>()?;
    let pages = questions.iter().zip(&tables).map(|(question, table)| {
        PageAsked::new(state, cut, table, &question.query, &wanted(question))
    });
    let pages: Result<Vec<_>, _> = pages.collect();
    let now_ms = state.now_ms();
    let pages = pages.map_err(|refused| {
        let named = tables.iter().map(|table| &***table);
        refused.at(fresh::of_tables(cut, named, now_ms))
    })?;
    let tables = touched(&pages);
    let fresh = fresh::of_tables(cut, tables.iter().map(|table| &**table), now_ms);
    Ok((pages, fresh))
}

/// All tables that the answers rest on, some perhaps several times.
fn touched(pages: &[PageAsked]) -> Vec<Arc<TableCut>> {
    pages.iter().flat_map(|page| page.query.tables()).collect()
}

fn wanted(question: &Question) -> Wanted<'_> {
    Wanted {
        limit: question.limit.unwrap_or(LIMIT_DEFAULT),
        cursor: question.cursor.as_deref(),
        counted: question.counted,
        explained: question.explained,
        int64_as_text: question.int64_as_text,
        format: match question.as_arrays {
            Some(true) => Format::Arrays,
            _ => Format::Objects,
        },
    }
}
