//! A page of rows as part of an answer: what was asked of it, how it is found within its budget, and how it is
//! written in the form that was asked for. What spelling the question had is not known here.

use std::sync::Arc;

use api_types::{ListPlan, ListTail};
use query::bind::{self, BoundQuery};
use query::follow;
use query::format::{Format, RowWriter};
use query::fresh::Fresh;
use query::list::{self, Budget, Page, PageRequest, Rendered};
use query::tree::Query;
use table_store::{Cut, PinnedCut, TableCut};
use telemetry::Event;

use super::scan::Threads;
use crate::etag::Tag;
use crate::feed::asked::Followed;
use crate::media::Media;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::{ApiState, Limits, error};

const TRUNCATED_HINT: &str = "The answer stopped at 1 MiB. Pass next as cursor for the rest, or ask for fewer rows at a time.";

/// Which page of a query is asked for, and how its rows are to be written.
pub(super) struct Wanted<'a> {
    pub limit: usize,
    pub cursor: Option<&'a str>,
    pub counted: bool,
    pub explained: bool,
    pub format: Format,
    pub int64_as_text: bool,
}

/// A page that can be looked for.
pub(super) struct PageAsked {
    pub query: BoundQuery,
    pub page: PageRequest,
    format: Format,
    int64_as_text: bool,
    explained: bool,
}

/// A page that was appended to a body.
pub(super) struct Written {
    pub rendered: Rendered,
    /// Of the whole body, if it ends with this page.
    pub tag: Option<Tag>,
}

impl PageAsked {
    /// Fits a question to its table.
    pub fn new(
        state: &ApiState,
        cut: &Cut,
        table: &Arc<TableCut>,
        query: &Query,
        wanted: &Wanted<'_>,
    ) -> Result<Self, ApiError> {
        let query = bound(state, cut, table, query)?;
        let read = |cursor| query.binding().read(cursor).map_err(error::bad_cursor);
        let after = wanted.cursor.map(read).transpose()?;
        Ok(Self {
            query,
            page: PageRequest {
                after,
                limit: wanted.limit,
                counted: wanted.counted,
            },
            format: wanted.format,
            int64_as_text: wanted.int64_as_text,
            explained: wanted.explained,
        })
    }

    /// The rows that the page rests on, if it rests on nothing else.
    pub fn alone(self) -> Option<Followed> {
        // How many rows are looked at depends on others too.
        let is_alone = follow::is_of_own_rows(&self.query) && !self.explained;
        is_alone.then(|| Followed::bell(self.query, None)).flatten()
    }

    /// Looks for it, on the thread of the caller.
    pub fn find(
        &self,
        cut: &PinnedCut,
        limits: &Limits,
        timing: &Timing,
    ) -> Result<Page, ApiError> {
        let page = within_budget(limits, timing, |budget| {
            list::page(cut, &self.query, &self.page, budget)
        });
        page.map_err(|refused| error::too_costly(&self.query, &refused))
    }

    /// Appends it, at most about so many bytes of rows. Without `fresh` it is part of a larger answer, which has the tag.
    pub fn write(
        &self,
        state: &ApiState,
        page: &Page,
        media: Media,
        bytes_max: usize,
        fresh: Option<&Fresh>,
        body: &mut Vec<u8>,
    ) -> Result<Written, ApiError> {
        let shapes = state.shapes();
        let mut writer = RowWriter::new(&self.query, self.format, self.int64_as_text, shapes);
        let names_columns = media == Media::NdJson || self.format == Format::Arrays;
        if names_columns {
            body.extend_from_slice(b"{\"columns\":");
        }
        if names_columns || media == Media::Csv {
            writer.write_header(body);
        }
        let (before, separator): (&[u8], &[u8]) = match media {
            Media::Json if names_columns => (b",\"rows\":[", b","),
            Media::Json => (b"{\"rows\":[", b","),
            Media::NdJson => (b"}\n", b"\n"),
            Media::Csv => (b"", b""),
        };
        body.extend_from_slice(before);
        let rendered = page
            .render(&mut writer, separator, bytes_max, body)
            .map_err(|refused| error::too_costly(&self.query, &refused))?;
        if rendered.truncated {
            Event::AnswerTruncated {
                table: &self.query.table().table.identity().name,
            }
            .emit();
        }
        match media {
            Media::Csv => {
                // It has no other place to say that there is more than a header.
                let next = rendered.next.as_deref().unwrap_or_default();
                let tag = fresh.map(|_| Tag::of(&[b"csv", body, next.as_bytes()]));
                return Ok(Written { rendered, tag });
            }
            Media::Json => body.push(b']'),
            Media::NdJson if rendered.count > 0 => body.push(b'\n'),
            Media::NdJson => {}
        }
        let tail = body.len();
        if let Some(unavailable) = writer.take_unavailable() {
            body.extend_from_slice(b",\"unavailable\":");
            body.extend_from_slice(&unavailable);
        }
        self.write_tail(&rendered, page, body);
        if media == Media::NdJson {
            // The last line is an object of its own: its first comma gives its place to the brace.
            body[tail] = b'{';
        }
        let tag = fresh.map(|fresh| {
            // Opened once more for what comes last.
            body.pop();
            respond::end_with_fresh(body, fresh)
        });
        if media == Media::NdJson {
            body.push(b'\n');
        }
        Ok(Written { rendered, tag })
    }

    /// Appends what stands after the rows, beginning with a comma.
    fn write_tail(&self, rendered: &Rendered, page: &Page, body: &mut Vec<u8>) {
        let tail = ListTail {
            count: rendered.count as u64,
            total: page.total,
            next: rendered.next.clone(),
            truncated: rendered.truncated,
            hint: rendered.truncated.then(|| TRUNCATED_HINT.to_owned()),
            plan: self.explained.then(|| ListPlan {
                access: page.plan.access.to_string(),
                rows_examined: page.plan.rows_examined,
            }),
        };
        let brace = body.len();
        respond::write_json(&tail, body);
        // The tail is an object of its own; its opening brace gives its place to the comma.
        body[brace] = b',';
    }
}

/// Fits a query to a table.
pub(crate) fn bound(
    state: &ApiState,
    cut: &Cut,
    table: &Arc<TableCut>,
    query: &Query,
) -> Result<BoundQuery, ApiError> {
    bind::bind(query, table, &state.world(cut)).map_err(|refused| {
        let loading = refused.missing_table();
        match loading.and_then(|name| Some((name, state.starting(name)?))) {
            Some((name, progress)) => error::starting(name, progress),
            None => error::unfit(&table.table.identity().name, &refused),
        }
    })
}

/// Does what may look at many rows, with what it may cost.
pub(super) fn within_budget<T>(
    limits: &Limits,
    timing: &Timing,
    work: impl FnOnce(Budget<'_>) -> T,
) -> T {
    work(Budget {
        rows_max: limits.scan_rows_max,
        workers: &Threads(limits.scans_max),
        is_late: &|| timing.is_beyond(limits.scan_timeout()),
    })
}
