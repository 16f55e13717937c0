//! `since` on a list or in a query: the rows that changed after an earlier answer, and the keys of those that are gone.

use std::sync::Arc;

use axum::response::Response;
use http::Uri;
use query::as_of::AsOf;
use query::dsl::Question;
use query::follow::{self, Follower, Told};
use query::reach::{Reach, reach};
use query::resume::{Resume, resume};
use query::tree::Query;
use query::url;
use table_store::{Commit, Cut, News, RowChange, TableCut, merged};

use super::{DataState, list, page, table, table_name};
use crate::floor::{Asking, Floor};
use crate::limits::BATCH_BYTES_MAX;
use crate::params::Params;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::{ApiState, error, fresh};

/// What goes with `since` beside filters and `select`.
const OWN: &[&str] = &["since", "at_least", "max_lag", "wait", "on_miss"];

pub(super) async fn changed(
    state: &DataState,
    asking: &Asking,
    uri: &Uri,
) -> Result<Response, ApiError> {
    let mut timing = Timing::start();
    let params = Params::read(uri.query())?;
    let floor = asking.floor_of(&params)?;
    let name = table_name(uri)?;
    let asked = {
        let cut = state.api.store().published();
        vec![table(&state.api, &cut, &name)?.clone()]
    };
    state
        .wait(&floor, &asked, &asking.patience, &mut timing)
        .await?;
    let cut = state.api.store().pin();
    let table = table(&state.api, &cut, &name)?;
    let fresh = fresh::of_table(&cut, table, state.api.now_ms());
    let since = params.get("since").unwrap_or_default();
    read(table, &params)
        .and_then(|query| answered(&state.api, &cut, table, &query, since, &floor, timing))
        .map_err(|refused| refused.or_at(fresh))
}

/// The same for a query that was written as JSON; `cut` meets its floor.
pub(super) fn asked(
    api: &ApiState,
    cut: &Cut,
    question: &Question,
    since: &str,
    floor: &Floor,
    timing: Timing,
) -> Result<Response, ApiError> {
    let table = table(api, cut, &question.from)?;
    let others = [
        ("limit", question.limit.is_some()),
        ("cursor", question.cursor.is_some()),
        ("count", question.counted),
        ("explain", question.explained),
        ("format", question.as_arrays == Some(true)),
        ("int64", question.int64_as_text),
    ];
    let other = others.into_iter().find(|(_, is_asked)| *is_asked);
    let answer = match other {
        Some((name, _)) => Err(error::not_with_since(name)),
        None => answered(api, cut, table, &question.query, since, floor, timing),
    };
    answer.map_err(|refused| refused.or_at(fresh::of_table(cut, table, api.now_ms())))
}

/// What a list asks for beside its own parameters.
fn read(table: &TableCut, params: &Params<'_>) -> Result<Query, ApiError> {
    list::check_names(params, table)?;
    let others = list::OWN.iter().filter(|name| !OWN.contains(name));
    if let Some(name) = others.into_iter().find(|name| params.get(name).is_some()) {
        return Err(error::not_with_since(name));
    }
    let asked = params.pairs().filter(|(name, _)| !OWN.contains(name));
    url::read(asked).map_err(|refused| error::bad_syntax(&refused))
}

fn answered(
    api: &ApiState,
    cut: &Cut,
    table: &Arc<TableCut>,
    query: &Query,
    since: &str,
    floor: &Floor,
    mut timing: Timing,
) -> Result<Response, ApiError> {
    if !follow::is_plain(query) {
        return Err(error::not_followable());
    }
    let query = page::bound(api, cut, table, query)?;
    if !follow::is_of_one_table(&query) {
        return Err(error::not_followable());
    }
    let fresh = fresh::of_table(cut, table, api.now_ms());
    let fresh = floor.judged(cut, [&**table], fresh)?;
    let since = AsOf::decode(since).map_err(|_| error::bad_since())?;
    let (is_ahead, changes) = changes(api, cut, table, &since)?;
    timing.found();
    let (mut body, mut deleted) = (b"{\"changed\":[".to_vec(), Vec::new());
    let start = body.len();
    let mut follower = Follower::new(&query, api.shapes()).ahead(is_ahead);
    for change in &changes {
        match follower.told(change) {
            Some(Told::Upsert { .. }) => {
                if body.len() > start {
                    body.push(b',');
                }
                follower.write_row(&change.after, &mut body);
            }
            Some(Told::Delete { row, .. }) => {
                if !deleted.is_empty() {
                    deleted.push(b',');
                }
                follower.write_key(row, &mut deleted);
            }
            None => {}
        }
        if body.len() + deleted.len() > BATCH_BYTES_MAX {
            return Err(error::since_expired());
        }
    }
    body.extend_from_slice(b"],\"deleted\":[");
    body.append(&mut deleted);
    body.extend_from_slice(b"],\"fresh\":");
    respond::write_json(&fresh::to_wire(&fresh), &mut body);
    body.push(b'}');
    Ok(respond::json(body, &fresh, &timing))
}

/// What changed of a table between a token and a cut, or from before the token on: then who has it may be ahead of that.
fn changes(
    api: &ApiState,
    cut: &Cut,
    table: &TableCut,
    since: &AsOf,
) -> Result<(bool, Vec<RowChange>), ApiError> {
    let newest = api.store().name_of(cut.id);
    let (is_ahead, after) = match resume(&api.store().changes(), &[&table.table], newest, since) {
        Resume::After(after) => (false, after),
        Resume::Over(after) => match reach([table], since) {
            Reach::Reached => (true, after),
            Reach::NotYet(_) => return Err(error::since_ahead()),
            Reach::OtherLog(_) => return Err(error::since_expired()),
        },
        Resume::Lost => return Err(error::since_expired()),
    };
    let id = table.table.identity().id;
    let commits = api.store().changes_after(after, &[id], usize::MAX);
    let commits = commits.ok_or_else(error::since_expired)?;
    let is_shown = |commit: &&Arc<Commit>| commit.cut <= cut.id;
    let mut rows: Vec<&RowChange> = Vec::new();
    for commit in commits.iter().filter(is_shown) {
        match commit.of(id).map(|news| &news.news) {
            Some(News::Rows(changes)) => rows.extend(changes.iter()),
            Some(News::Anew(_)) => return Err(error::since_expired()),
            None => {}
        }
    }
    Ok((is_ahead, merged(rows)))
}
