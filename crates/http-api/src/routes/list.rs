//! `GET /v1/tables/{t}/rows`: a page of the rows that meet a filter, in an order and a form, as the URL spells it.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Uri, header};
use query::bind;
use query::format::Format;
use query::fresh::Fresh;
use query::list::{self, PAGE_BYTES_MAX};
use query::url::{self, About};
use table_store::{Cut, TableCut};

use super::page::{PageAsked, Wanted};
use super::{DataState, answer, scan, since, table, table_name};
use crate::floor::{Asking, Floor};
use crate::media::Media;
use crate::params::{self, Params};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, error, floor, fresh};

/// What is read here. The rest is the query.
pub(super) const OWN: &[&str] = &[
    "limit", "cursor", "count", "format", "explain", "int64", "at_least", "max_lag", "wait",
    "on_miss", "at_exact", "since",
];
/// What a CSV has no place for.
const NOT_IN_CSV: &[&str] = &["count", "explain", "format", "int64"];

pub(super) async fn rows(
    State(state): State<DataState>,
    asking: Asking,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer(
        Route::Rows,
        page(&state, &asking, uri, Media::wanted(&headers)).await,
    )
}

async fn page(
    state: &DataState,
    asking: &Asking,
    uri: Uri,
    media: Media,
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    if uri.query().is_some_and(asks_since) {
        return since::changed(state, asking, &uri).await;
    }
    // What cannot be read waits for no permit.
    let (floor, tables, rows) = {
        let floor = Params::read(uri.query()).and_then(|params| asking.floor_of(&params));
        let cut = floor::cut_of(&state.api, &floor)?;
        let (asked, fresh) = read(&state.api, &cut, &uri, media)?;
        let floor = floor.map_err(|refused| refused.at(fresh))?;
        (floor, asked.query.tables(), asked)
    };
    // A floor is judged anew with each table's news.
    if floor.insisted().is_none() {
        asking.patience.rests_on_rows(|| rows.alone());
    }
    state
        .wait(&floor, &tables, &asking.patience, &mut timing)
        .await?;
    let find = move |state: &DataState, timing| find(state, &floor, &uri, media, timing);
    scan::on_own_thread(state, timing, find).await
}

fn find(
    state: &DataState,
    floor: &Floor,
    uri: &Uri,
    media: Media,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let cut = floor.pin(&state.api)?;
    // Read again: this cut may be newer than the one it was checked against.
    let (asked, fresh) = read(&state.api, &cut, uri, media)?;
    let touched = asked.query.tables();
    let fresh = floor.judged(&cut, touched.iter().map(|table| &**table), fresh)?;
    let page = asked
        .find(&cut, &state.limits, &timing)
        .map_err(|refused| refused.at(fresh.clone()))?;
    timing.found();
    let mut body = Vec::new();
    let written = asked
        .write(
            &state.api,
            &page,
            media,
            PAGE_BYTES_MAX,
            Some(&fresh),
            &mut body,
        )
        .map_err(|refused| refused.at(fresh.clone()))?;
    // What is rendered needs neither the cut's versions nor the rows any more.
    drop(page);
    let response = respond::of_type(media.content_type(), body, &fresh, &timing);
    let mut response = respond::tagged(response, written.tag);
    if let Some(next) = &written.rendered.next {
        let link = link(uri, asked.page.limit, next);
        let headers = response.headers_mut();
        match (media, HeaderValue::try_from(&link)) {
            // CSV says nowhere else that there is more: a long header is better than a lost page.
            (Media::Csv, Ok(link)) => drop(headers.insert(header::LINK, link)),
            _ => respond::insert(headers, header::LINK, link),
        }
    }
    Ok(response)
}

/// Whether only what changed is wanted.
fn asks_since(query: &str) -> bool {
    let mut names = query.split('&').map(|part| part.split('=').next());
    names.any(|name| name == Some("since"))
}

/// The same request, with the cursor of the next page.
fn link(uri: &Uri, limit: usize, next: &str) -> String {
    let parts = uri.query().unwrap_or_default().split('&');
    let named = |part: &str, name| part.split('=').next() == Some(name);
    let mut kept: Vec<String> = parts
        .filter(|part| !part.is_empty() && !named(part, "cursor"))
        .map(str::to_owned)
        .collect();
    if !kept.iter().any(|part| named(part, "limit")) {
        kept.push(format!("limit={limit}"));
    }
    kept.push(format!("cursor={next}"));
    format!("<{}?{}>; rel=\"next\"", uri.path(), kept.join("&"))
}

/// What is asked of a list, and how fresh its answer is.
fn read(
    state: &ApiState,
    cut: &Cut,
    uri: &Uri,
    media: Media,
) -> Result<(PageAsked, Fresh), ApiError> {
    let table = table(state, cut, &table_name(uri)?)?;
    let now_ms = state.now_ms();
    let asked = Params::read(uri.query()).and_then(|params| {
        check_names(&params, table)?;
        let wanted = wanted(&params, media)?;
        let asked = params.pairs().filter(|(name, _)| !OWN.contains(name));
        let query = url::read(asked).map_err(|refused| error::bad_syntax(&refused))?;
        PageAsked::new(state, cut, table, &query, &wanted)
    });
    let asked = asked.map_err(|refused| refused.at(fresh::of_table(cut, table, now_ms)))?;
    let touched = asked.query.tables();
    let fresh = fresh::of_tables(cut, touched.iter().map(|table| &**table), now_ms);
    Ok((asked, fresh))
}

fn wanted<'a>(params: &'a Params<'_>, media: Media) -> Result<Wanted<'a>, ApiError> {
    if media == Media::Csv
        && let Some(name) = NOT_IN_CSV.iter().find(|name| params.get(name).is_some())
    {
        return Err(error::not_in_csv(name));
    }
    Ok(Wanted {
        limit: params.limit(list::LIMIT_DEFAULT, list::LIMIT_MAX)?,
        cursor: params.get("cursor"),
        counted: params.word("count", &["exact"])?.is_some(),
        explained: params.word("explain", &["true", "false"])? == Some(0),
        int64_as_text: params.word("int64", &["string", "number"])? == Some(0),
        format: match (media, params.word("format", &["objects", "arrays"])?) {
            (Media::Csv, _) => Format::Csv,
            (_, Some(1)) => Format::Arrays,
            _ => Format::Objects,
        },
    })
}

/// Refuses every name that is neither a parameter of lists nor of a column or a relation.
pub(super) fn check_names(params: &Params<'_>, table: &TableCut) -> Result<(), ApiError> {
    params.once(OWN)?;
    params.once(url::ONCE)?;
    let supported: Vec<&str> = [OWN, url::PARAMETERS].concat();
    for (name, _) in params.pairs().filter(|(name, _)| !supported.contains(name)) {
        if params::RESERVED.contains(&name) {
            return Err(error::unsupported_parameter(name, &supported));
        }
        let about = url::about(name).map_err(|refused| error::bad_syntax(&refused))?;
        // What relations there are is known when the query is bound.
        let Some(About::Column(column)) = about else {
            continue;
        };
        if bind::knows_column(table, &column) {
            continue;
        }
        let schema = table.schema.and_then(|id| table.table.schemas().get(id));
        let columns = schema.iter().flat_map(|schema| &schema.columns);
        let columns: Vec<&str> = columns.map(|column| &*column.name).collect();
        return Err(match name.strip_prefix("f.") {
            Some(_) => error::unknown_column(&table.table.identity().name, &column, &columns),
            None if name == "offset" => error::no_offset(),
            None => error::unknown_filter(table, name, &columns),
        });
    }
    Ok(())
}
