//! What a follower asks for: which tables, which of their rows, from where on, and in which form.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri, header};
use query::as_of::AsOf;
use query::audience::Address;
use query::bind::BoundQuery;
use query::cursor::Binding;
use query::follow;
use query::key::RowKey;
use query::tree::Query;
use query::url;
use row_model::TableId;
use table_store::{Cut, ReadState};

use crate::floor;
use crate::params::Params;
use crate::problem::ApiError;
use crate::routes::{page, table};
use crate::{ApiState, error};

const SUPPORTED: &[&str] = &[
    "tables", "filter", "select", "since", "initial", "debounce", "format", "wait",
];
const LAST_EVENT_ID: &str = "last-event-id";
const DEBOUNCE_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// Server-sent events.
    Events,
    /// An object a line.
    Lines,
    /// One object with what there is.
    Batch,
    /// Nothing but that there is something.
    Bell,
}

/// What is followed, fitted to its tables.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Each bound at the cut at which it was asked for: what would make that wrong ends the feed.
    pub tables: Vec<Arc<BoundQuery>>,
    pub form: Form,
    /// What its rows have in common, if it is of one table.
    pub address: Address,
    pub name: Name,
}

/// The same for all who follow the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    form: Form,
    /// With what there may be another of by the same number, and how often its shape had changed.
    tables: Vec<(TableId, usize, u64)>,
    filter: Option<String>,
    select: Option<String>,
    /// Of a question that was not written as a feed: its rows.
    rows: Option<(Binding, Vec<Vec<u8>>)>,
}

/// A request to follow tables.
#[derive(Debug)]
pub(crate) struct FeedAsked {
    pub followed: Arc<Followed>,
    pub since: Option<AsOf>,
    pub initial: bool,
    pub debounce: Duration,
    /// How long one batch is waited for.
    pub wait: Duration,
}

impl FeedAsked {
    pub fn read(
        api: &ApiState,
        cut: &Cut,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let params = Params::read(uri.query())?;
        params.only(SUPPORTED)?;
        let wait = params.get("wait").map(floor::wait).transpose()?;
        let form = match (wait, params.word("format", &["sse", "ndjson", "json"])?) {
            (Some(_), None | Some(2)) | (None, Some(2)) => Form::Batch,
            (Some(_), _) => return Err(error::wait_is_for_batches()),
            (None, Some(0)) => Form::Events,
            (None, Some(_)) => Form::Lines,
            (None, None) if wants_lines(headers) => Form::Lines,
            (None, None) => Form::Events,
        };
        let since = match params.get("since") {
            Some(since) => Some(since.to_owned()),
            None => floor::text_of(headers, LAST_EVENT_ID)?.filter(|id| !id.is_empty()),
        };
        let since = since.map(|text| AsOf::decode(&text).map_err(|_| error::bad_since()));
        let since = since.transpose()?;
        let initial = params.flag("initial")?;
        if initial && (since.is_some() || form == Form::Batch) {
            return Err(error::misplaced_initial());
        }
        let debounce = params.get("debounce").map_or(Ok(Duration::ZERO), |text| {
            let debounce = floor::wait(text).ok().filter(|it| *it <= DEBOUNCE_MAX);
            debounce.ok_or_else(|| error::bad_debounce(DEBOUNCE_MAX))
        })?;
        Ok(Self {
            followed: Arc::new(Followed::read(api, cut, &params, form)?),
            since,
            initial,
            debounce,
            wait: wait.unwrap_or_default(),
        })
    }
}

impl Followed {
    fn read(api: &ApiState, cut: &Cut, params: &Params<'_>, form: Form) -> Result<Self, ApiError> {
        let tables = tables(api, cut, params)?;
        let name = Name {
            form,
            tables: tables.iter().map(|query| named(query)).collect(),
            filter: params.get("filter").map(str::to_owned),
            select: params.get("select").map(str::to_owned),
            rows: None,
        };
        let address = match &tables[..] {
            [query] => Address::of(query),
            _ => Address::Any,
        };
        Ok(Self {
            tables,
            form,
            address,
            name,
        })
    }

    /// Rings when anything changes of the rows that a query asks for, or that have this key; `None` if the changes of
    /// its table are not recorded for sure.
    pub fn bell(query: BoundQuery, key: Option<&RowKey>) -> Option<Self> {
        let state = query.table().facts.state;
        if !matches!(state, ReadState::Live | ReadState::CatchingUp) {
            return None;
        }
        let keys = key.map(RowKey::keys);
        let name = Name {
            form: Form::Bell,
            tables: vec![named(&query)],
            filter: None,
            select: None,
            rows: Some((*query.binding(), keys.clone().unwrap_or_default())),
        };
        Some(Self {
            form: Form::Bell,
            address: keys.map_or_else(|| Address::of(&query), Address::Keys),
            tables: vec![Arc::new(query)],
            name,
        })
    }

    pub fn ids(&self) -> Vec<TableId> {
        let tables = self.tables.iter();
        tables
            .map(|query| query.table().table.identity().id)
            .collect()
    }
}

fn named(query: &BoundQuery) -> (TableId, usize, u64) {
    let table = query.table();
    (
        table.table.identity().id,
        Arc::as_ptr(&table.table).addr(),
        table.schema_epoch,
    )
}

/// What is followed of each table that is named, or of all of them.
fn tables(
    api: &ApiState,
    cut: &Cut,
    params: &Params<'_>,
) -> Result<Vec<Arc<BoundQuery>>, ApiError> {
    let tables = match params.get("tables") {
        None => cut.tables().to_vec(),
        Some(names) => {
            let mut named = Vec::new();
            for name in names.split(',').map(str::trim) {
                let table = table(api, cut, name)?;
                if named.iter().all(|known| !Arc::ptr_eq(known, table)) {
                    named.push(Arc::clone(table));
                }
            }
            named
        }
    };
    let query = query(params)?;
    if query != Query::default() && tables.len() != 1 {
        return Err(error::filter_of_several());
    }
    tables
        .iter()
        .map(|table| {
            let bound = page::bound(api, cut, table, &query)?;
            if !follow::is_of_one_table(&bound) {
                return Err(error::not_followable());
            }
            Ok(Arc::new(bound))
        })
        .collect()
}

fn query(params: &Params<'_>) -> Result<Query, ApiError> {
    let filter = params.get("filter").map(|filter| format!("({filter})"));
    let filter = filter.iter().map(|filter| ("and", &**filter));
    let select = params.get("select").map(|select| ("select", select));
    let query = url::read(filter.chain(select)).map_err(|refused| error::bad_syntax(&refused))?;
    if follow::is_plain(&query) {
        Ok(query)
    } else {
        Err(error::not_followable())
    }
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut texts = accepted.filter_map(|value| value.to_str().ok());
    texts.any(|text| text.contains("application/x-ndjson"))
}
