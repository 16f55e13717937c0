//! A request for rows: read, run on one cut, and answered with the headers that `PostgREST` sends.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use query::bind::{self, BoundQuery};
use query::fresh::Fresh;
use query::list::{self, PageRequest};
use query::postgrest;
use query::relation::World;
use query::tree::Query;
use table_store::{Cut, PinnedCut, TableCut};
use telemetry::Event;

use super::accept::Accepted;
use super::prefer::Preferences;
use super::range::{Empty, Window};
use super::refusal::Refusal;
use super::table::{Profile, starting};
use super::unfit;
use super::written::Written;
use crate::etag::Tag;
use crate::floor::Floor;
use crate::params::Params;
use crate::respond::{self, Timing};
use crate::routes::page::within_budget;
use crate::{ApiState, Limits, fresh};

/// Rows of one answer, whatever its limit.
const ROWS_MAX: usize = 10_000;

/// What shapes an answer beside its path.
const VARY: HeaderValue = HeaderValue::from_static("accept, accept-profile, prefer, range");
const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Columns of which some value was never sent.
const UNAVAILABLE: HeaderName = HeaderName::from_static("rowtide-unavailable");
/// Why there are fewer rows than were asked for: `rows` or `bytes`.
const TRUNCATED: HeaderName = HeaderName::from_static("rowtide-truncated");

/// What is asked, before any table is looked at.
pub(super) struct Request {
    table: String,
    query: Query,
    window: Window,
    accepted: Accepted,
    preferences: Preferences,
    profile: Profile,
    /// The parameters in the order of their names.
    canonical: String,
}

impl Request {
    pub fn read(table: String, uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let params = Params::decoded(uri.query()).map_err(|refused| {
            Refusal::new(400, "PGRST100", "failed to decode the query string")
                .details(refused.to_string())
        })?;
        let mut query =
            postgrest::read(params.pairs()).map_err(|refused| unfit::unreadable(&refused))?;
        let asked = Window {
            offset: query.offset,
            limit: query.limit,
        };
        let window = Window::of(headers, asked).map_err(|empty| {
            unfit::unsatisfiable(match empty {
                Empty::Header => "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
                Empty::Both => "Limit should be greater than or equal to zero.",
            })
        })?;
        (query.offset, query.limit) = (window.offset, window.limit);
        let accepted = Accepted::of(headers).map_err(|types| {
            let message = format!(
                "None of these media types are available: {}",
                types.join(", ")
            );
            Refusal::new(406, "PGRST107", message)
        })?;
        let preferences = Preferences::of(headers);
        if let Some(invalid) = preferences.refused() {
            return Err(Refusal::new(
                400,
                "PGRST122",
                "Invalid preferences given with handling=strict",
            )
            .details(format!("Invalid preferences: {}", invalid.join(", "))));
        }
        Ok(Self {
            table,
            query,
            window,
            accepted,
            preferences,
            profile: Profile::of(headers),
            canonical: canonical(params.pairs()),
        })
    }

    /// The tables that the answer rests on.
    pub fn tables(&self, state: &ApiState) -> Result<Vec<Arc<TableCut>>, Refusal> {
        let cut = state.store().published();
        let table = self.profile.table(state, &cut, &self.table)?;
        let schema = self.profile.schema_of(table);
        let query = self.bound(state, &cut, table, &schema).map_err(|refused| {
            refused.at_least_at(|| fresh::of_table(&cut, table, state.now_ms()))
        })?;
        Ok(query.tables())
    }

    pub fn run(
        self,
        state: &ApiState,
        floor: &Floor,
        limits: &Limits,
        timing: Timing,
    ) -> Result<Response, Refusal> {
        let cut = match floor.pin(state) {
            Ok(cut) => cut,
            Err(refused) => return Ok(refused.into_response()),
        };
        let table = self.profile.table(state, &cut, &self.table)?;
        let fresh = fresh::of_table(&cut, table, state.now_ms());
        self.rows(state, &cut, table, floor, limits, timing)
            .map_err(|refused| refused.at_least_at(|| fresh))
    }

    fn rows(
        &self,
        state: &ApiState,
        cut: &PinnedCut,
        table: &Arc<TableCut>,
        floor: &Floor,
        limits: &Limits,
        mut timing: Timing,
    ) -> Result<Response, Refusal> {
        let schema = self.profile.schema_of(table);
        let query = self.bound(state, cut, table, &schema)?;
        let tables = query.tables();
        let fresh = query::fresh::of(cut, tables.iter().map(|table| &**table), state.now_ms())
            .unwrap_or_else(|| fresh::of_table(cut, table, state.now_ms()));
        let fresh = match floor.judged(cut, tables.iter().map(|table| &**table), fresh) {
            Ok(fresh) => fresh,
            Err(refused) => return Ok(refused.into_response()),
        };
        let request = PageRequest {
            after: None,
            limit: ROWS_MAX,
            counted: self.preferences.count.is_some(),
        };
        let page = within_budget(limits, &timing, |budget| {
            list::page(cut, &query, &request, budget)
        });
        let page = page.map_err(|refused| unfit::too_costly(&refused).at(fresh.clone()))?;
        timing.found();
        let body = Written::new(
            &query,
            &page,
            self.accepted,
            self.window,
            &self.preferences.zone,
        )
        .map_err(|refused| refused.at(fresh.clone()))?;
        if body.truncated.is_some() {
            Event::AnswerTruncated {
                table: &table.table.identity().name,
            }
            .emit();
        }
        Ok(self.response(body, &schema, &fresh, &timing))
    }

    fn bound(
        &self,
        state: &ApiState,
        cut: &Cut,
        table: &Arc<TableCut>,
        schema: &str,
    ) -> Result<BoundQuery, Refusal> {
        let (name, world) = (&table.table.identity().name, state.world(cut));
        let world = World {
            tables_first: true,
            zone: &self.preferences.zone,
            ..world
        };
        let mut query = self.query.clone();
        let respelled = postgrest::respell(&mut query, table, &world, state.now_ms());
        let bound = respelled.and_then(|()| bind::bind(&query, table, &world));
        bound.map_err(|refused| {
            let missing = refused.missing_table();
            match missing.and_then(|name| Some((name, state.starting(name)?))) {
                Some((missing, progress)) => starting(missing, progress),
                None => unfit::unfit(&refused, &self.query, name, schema),
            }
        })
    }

    fn response(&self, body: Written, schema: &str, fresh: &Fresh, timing: &Timing) -> Response {
        let content_type = self.accepted.content_type();
        let content_range = body.sent.content_range();
        let unavailable = body.unavailable.as_deref().unwrap_or_default();
        let tag = Tag::of(&[
            content_type.as_bytes(),
            content_range.as_bytes(),
            unavailable.as_bytes(),
            &body.bytes,
        ]);
        let content_type = HeaderValue::from_static(content_type);
        let response = respond::of_type(content_type, body.bytes, fresh, timing);
        let mut response = respond::tagged(response, tag);
        *response.status_mut() = body.sent.status();
        let headers = response.headers_mut();
        headers.insert(header::VARY, VARY);
        let location = match &*self.canonical {
            "" => format!("/{}", encode(&self.table)),
            canonical => format!("/{}?{canonical}", encode(&self.table)),
        };
        let all = [
            (header::CONTENT_RANGE, Some(content_range)),
            (header::CONTENT_LOCATION, Some(location)),
            (
                CONTENT_PROFILE,
                self.profile.is_asked().then(|| schema.to_owned()),
            ),
            (PREFERENCE_APPLIED, self.preferences.applied()),
            (UNAVAILABLE, body.unavailable),
            (TRUNCATED, body.truncated.map(str::to_owned)),
        ];
        for (name, text) in all {
            if let Some(text) = text {
                respond::insert(headers, name, text);
            }
        }
        response
    }
}

/// The parameters sorted by name, encoded.
fn canonical<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<(&str, &str)> = pairs.collect();
    pairs.sort_by_key(|(name, _)| *name);
    let parts = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    parts.collect::<Vec<_>>().join("&")
}

/// Everything but letters, digits and `-_.~` as percent and two digits.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                let digit = char::from_digit(nibble.into(), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
    out
}
