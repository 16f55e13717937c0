//! `GET /v1/tables/{t}/rows`: a page of the rows that meet a filter, in an order and a form.

use std::sync::Arc;

use api_types::{ListPlan, ListTail};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Uri, header};
use query::bind::{self, BoundQuery};
use query::format::{Format, RowWriter};
use query::fresh::Fresh;
use query::list::{self, Budget, PAGE_BYTES_MAX, Page, PageRequest, Rendered};
use query::relation::World;
use query::url;
use table_store::{Cut, TableCut};
use telemetry::Event;

use super::{DataState, answer, table, table_name};
use crate::media::Media;
use crate::params::{self, Params};
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::route::Route;
use crate::{ApiState, Limits, error, fresh};

/// What is read here. The rest is filters, or is not supported.
const OWN: &[&str] = &["limit", "cursor", "count", "format", "explain", "int64"];
/// What a CSV has no place for.
const NOT_IN_CSV: &[&str] = &["count", "explain", "format", "int64"];

const TRUNCATED_HINT: &str = "The answer stopped at 1 MiB. Pass next as cursor for the rest, or ask for fewer rows at a time.";

pub(super) async fn rows(State(state): State<DataState>, uri: Uri, headers: HeaderMap) -> Response {
    answer(
        Route::Rows,
        page(&state, uri, Media::wanted(&headers)).await,
    )
}

/// Scans on a thread of its own, so that lookups are not kept waiting.
async fn page(state: &DataState, uri: Uri, media: Media) -> Result<Response, ApiError> {
    let timing = Timing::start();
    ListRequest::read(&state.api, &state.api.store().published(), &uri, media)?;
    let Ok(permit) = Arc::clone(&state.scans).acquire_owned().await else {
        return Err(error::overloaded());
    };
    let (state, limits) = (state.api.clone(), state.limits);
    let scan = move || {
        // Held to the end of the scan, though the request may have been given up by then.
        let _permit = permit;
        scan(&state, &uri, media, &limits, timing)
    };
    match tokio::task::spawn_blocking(scan).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(error::internal()),
        },
    }
}

fn scan(
    state: &ApiState,
    uri: &Uri,
    media: Media,
    limits: &Limits,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    let cut = state.store().pin();
    // Read again: this cut is newer than the one it was checked against.
    let request = ListRequest::read(state, &cut, uri, media)?;
    let table = request.table;
    let budget = Budget {
        rows_max: limits.scan_rows_max,
        threads: limits.scans_max,
        is_late: &|| timing.is_beyond(limits.scan_timeout()),
    };
    let page = list::page(&cut, &request.query, &request.page, budget)
        .map_err(|refused| error::too_costly(table, &refused).at(request.fresh.clone()))?;
    timing.found();
    let (body, rendered) = render(state, &request, &page);
    // What is rendered needs neither the cut's versions nor the rows any more.
    drop(page);
    if rendered.truncated {
        Event::AnswerTruncated {
            table: &table.table.identity().name,
        }
        .emit();
    }
    let mut response = respond::of_type(media.content_type(), body, &request.fresh, &timing);
    if let Some(next) = &rendered.next {
        let link = link(uri, request.page.limit, next);
        let headers = response.headers_mut();
        match (media, HeaderValue::try_from(&link)) {
            // CSV says nowhere else that there is more: a long header is better than a lost page.
            (Media::Csv, Ok(link)) => drop(headers.insert(header::LINK, link)),
            _ => respond::insert(headers, header::LINK, link),
        }
    }
    Ok(response)
}

/// The body of an answer, and what became of its rows.
fn render(state: &ApiState, request: &ListRequest<'_>, page: &Page) -> (Vec<u8>, Rendered) {
    let mut writer = RowWriter::new(
        &request.query,
        request.format,
        request.int64_as_text,
        state.shapes(),
    );
    let mut body = Vec::new();
    let names_columns = request.media == Media::NdJson || request.format == Format::Arrays;
    if names_columns {
        body.extend_from_slice(b"{\"columns\":");
    }
    if names_columns || request.media == Media::Csv {
        writer.write_header(&mut body);
    }
    let (before, separator): (&[u8], &[u8]) = match request.media {
        Media::Json if names_columns => (b",\"rows\":[", b","),
        Media::Json => (b"{\"rows\":[", b","),
        Media::NdJson => (b"}\n", b"\n"),
        Media::Csv => (b"", b""),
    };
    body.extend_from_slice(before);
    let rendered = page.render(&mut writer, separator, PAGE_BYTES_MAX, &mut body);
    match request.media {
        Media::Csv => return (body, rendered),
        Media::Json => body.push(b']'),
        Media::NdJson if rendered.count > 0 => body.push(b'\n'),
        Media::NdJson => {}
    }
    let tail = body.len();
    if let Some(unavailable) = writer.take_unavailable() {
        body.extend_from_slice(b",\"unavailable\":");
        body.extend_from_slice(&unavailable);
    }
    write_tail(&rendered, page, request, &mut body);
    if request.media == Media::NdJson {
        // The last line is an object of its own: its first comma gives its place to the brace.
        body[tail] = b'{';
        body.push(b'\n');
    }
    (body, rendered)
}

/// Appends what stands after the rows, beginning with a comma.
fn write_tail(rendered: &Rendered, page: &Page, request: &ListRequest<'_>, body: &mut Vec<u8>) {
    let tail = ListTail {
        count: rendered.count as u64,
        total: page.total,
        next: rendered.next.clone(),
        truncated: rendered.truncated,
        hint: rendered.truncated.then(|| TRUNCATED_HINT.to_owned()),
        plan: request.explained.then(|| ListPlan {
            access: page.plan.access.clone(),
            rows_examined: page.plan.rows_examined,
        }),
        fresh: fresh::to_wire(&request.fresh),
    };
    let brace = body.len();
    respond::write_json(&tail, body);
    // The tail is an object of its own; its opening brace gives its place to the comma.
    body[brace] = b',';
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

/// What is asked of a list.
struct ListRequest<'a> {
    table: &'a Arc<TableCut>,
    fresh: Fresh,
    query: BoundQuery,
    page: PageRequest,
    media: Media,
    format: Format,
    int64_as_text: bool,
    explained: bool,
}

impl<'a> ListRequest<'a> {
    fn read(state: &ApiState, cut: &'a Cut, uri: &Uri, media: Media) -> Result<Self, ApiError> {
        let table = table(state, cut, &table_name(uri)?)?;
        let fresh = fresh::of_table(table, state.now_ms());
        Self::parameters(table, &state.world(cut), uri, media, &fresh)
            .map_err(|refused| refused.at(fresh))
    }

    fn parameters(
        table: &'a Arc<TableCut>,
        world: &World<'_>,
        uri: &Uri,
        media: Media,
        fresh: &Fresh,
    ) -> Result<Self, ApiError> {
        let params = Params::read(uri.query())?;
        check_names(&params, table)?;
        if media == Media::Csv
            && let Some(name) = NOT_IN_CSV.iter().find(|name| params.get(name).is_some())
        {
            return Err(error::not_in_csv(name));
        }
        let limit = params.limit(list::LIMIT_DEFAULT, list::LIMIT_MAX)?;
        let counted = params.word("count", &["exact"])?.is_some();
        let explained = params.word("explain", &["true", "false"])? == Some(0);
        let int64_as_text = params.word("int64", &["string", "number"])? == Some(0);
        let format = match (media, params.word("format", &["objects", "arrays"])?) {
            (Media::Csv, _) => Format::Csv,
            (_, Some(1)) => Format::Arrays,
            _ => Format::Objects,
        };
        let asked = params.pairs().filter(|(name, _)| !OWN.contains(name));
        let query = url::read(asked).map_err(|refused| error::bad_syntax(&refused))?;
        let name = &table.table.identity().name;
        let query =
            bind::bind(&query, table, world).map_err(|refused| error::unfit(name, &refused))?;
        let read = |cursor| query.binding().read(cursor).map_err(error::bad_cursor);
        let after = params.get("cursor").map(read).transpose()?;
        Ok(Self {
            table,
            fresh: fresh.clone(),
            query,
            page: PageRequest {
                after,
                limit,
                counted,
            },
            media,
            format,
            int64_as_text,
            explained,
        })
    }
}

/// Refuses every name that is neither a parameter of lists nor a column.
fn check_names(params: &Params<'_>, table: &TableCut) -> Result<(), ApiError> {
    params.once(OWN)?;
    params.once(&["select", "order"])?;
    let supported: Vec<&str> = [OWN, url::PARAMETERS].concat();
    for (name, _) in params.pairs().filter(|(name, _)| !supported.contains(name)) {
        if params::RESERVED.contains(&name) {
            return Err(error::unsupported_parameter(name, &supported));
        }
        let column = url::column_of(name).map_err(|refused| error::bad_syntax(&refused))?;
        if bind::knows_column(table, &column) {
            continue;
        }
        let schema = table.schema.and_then(|id| table.table.schemas().get(id));
        let columns = schema.iter().flat_map(|schema| &schema.columns);
        let columns: Vec<&str> = columns.map(|column| &*column.name).collect();
        return Err(match name.strip_prefix("f.") {
            Some(_) => error::unknown_column(&table.table.identity().name, &column, &columns),
            None if column.contains('.') => error::unsupported_relation(table, name),
            None => error::unknown_filter(table, name, &columns),
        });
    }
    Ok(())
}
