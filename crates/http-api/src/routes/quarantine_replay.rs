//! `POST /v1/quarantine/replay`, on the admin listener: tries records of the quarantine once more.

use std::str::FromStr;
use std::sync::Arc;

use api_types::{QuarantineOutcome, QuarantineReplayResponse};
use axum::body::Body;
use axum::response::Response;
use http::Request;

use super::indexes::refuse_pages;
use super::rebuild::ask;
use crate::operator::{ChosenRecords, Operator};
use crate::params::Params;
use crate::problem::ApiError;
use crate::respond::{self, Timing};
use crate::{ApiState, error, fresh};

pub(crate) async fn replay(
    state: &ApiState,
    operator: &Arc<dyn Operator>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let timing = Timing::start();
    refuse_pages(request.headers())?;
    let cut = state.store().published();
    let refused = |error: ApiError| error.at(fresh::of_all(state, &cut));
    let params = Params::read(request.uri().query()).map_err(refused)?;
    let chosen = chosen(state, &params).map_err(refused)?;
    let operator = Arc::clone(operator);
    let records = ask(move || operator.replay_quarantine(chosen)).await;
    let records = records.map_err(refused)?;
    let count = |outcome| {
        let fitting = records.iter().filter(|record| record.outcome == outcome);
        fitting.count() as u64
    };
    // A newer cut, which shows what was applied.
    let fresh = fresh::of_all(state, &state.store().published());
    let response = QuarantineReplayResponse {
        applied: count(QuarantineOutcome::Applied),
        settled: count(QuarantineOutcome::Settled),
        kept: count(QuarantineOutcome::Kept),
        records,
        fresh: fresh::to_wire(&fresh),
    };
    Ok(respond::value(&response, &fresh, timing))
}

fn chosen(state: &ApiState, params: &Params<'_>) -> Result<ChosenRecords, ApiError> {
    params.only(&["table", "topic", "partition", "offset", "all"])?;
    let all = params.flag("all")?;
    let (table, topic) = (params.get("table"), params.get("topic"));
    if usize::from(table.is_some()) + usize::from(topic.is_some()) + usize::from(all) != 1 {
        return Err(error::no_records(
            "Which records are to be replayed? One of table, topic and all says it.",
        ));
    }
    let (partition, offset) = (number(params, "partition")?, number(params, "offset")?);
    if (partition.is_some() && topic.is_none()) || (offset.is_some() && partition.is_none()) {
        return Err(error::no_records(
            "A partition is one of a topic, and an offset one of a partition.",
        ));
    }
    let topic = match table {
        // A topic of which nothing could be applied has no table, and is named as it is.
        Some(name) => {
            let cut = state.store().published();
            let found = cut.table(name).ok();
            let topic = found.map(|table| table.table.identity().topic.clone());
            Some(topic.unwrap_or_else(|| name.to_owned()))
        }
        None => topic.map(str::to_owned),
    };
    Ok(ChosenRecords {
        topic,
        partition,
        offset,
    })
}

fn number<T: FromStr>(params: &Params<'_>, name: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let number = text.parse().map_err(|_| {
        error::no_records(&format!("{name}={text}: that is no number of a {name}."))
    })?;
    Ok(Some(number))
}
