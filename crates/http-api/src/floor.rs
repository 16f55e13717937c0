//! The floor of a request: how far tables must have come for an answer, how long that is waited for, and what
//! if they have not.
//!
//! It is judged by the very cut that an answer is made of. That somebody waited makes it likely that the
//! judgement is a good one, and nothing else rests on it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use query::as_of::AsOf;
use query::dsl::FloorAsked;
use query::fresh::Fresh;
use query::reach::{Reach, reach};
use table_store::{PinnedCut, TableCut};

use crate::exact::{AT_EXACT, Exact};
use crate::limits::{WAIT_DEFAULT, WAIT_MAX};
use crate::params::Params;
use crate::patience::Patience;
use crate::problem::ApiError;
use crate::{ApiState, error};

pub(crate) const AT_LEAST: &str = "rowtide-at-least";
pub(crate) const ON_MISS: &str = "rowtide-on-miss";

/// Floors of later versions, as they begin.
const LATER: &[&str] = &["tx:", "lsn:", "gtid:", "ts:", "log_end", "source_now"];

/// A floor as it was spelled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelled {
    pub at_least: Option<String>,
    pub at_exact: Option<String>,
    pub wait: Option<String>,
    pub on_miss: Option<String>,
}

impl From<FloorAsked> for Spelled {
    fn from(asked: FloorAsked) -> Self {
        Self {
            at_least: asked.at_least,
            at_exact: asked.at_exact,
            wait: asked.wait,
            on_miss: asked.on_miss,
        }
    }
}

/// What a request's head says of its floor, and how to have patience with it.
pub(crate) struct Asking {
    in_headers: Spelled,
    /// A preference (RFC 7240), unlike `wait`: it is fitted to the bounds, and means nothing without a floor.
    preferred: Option<Duration>,
    pub patience: Patience,
}

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self {
            in_headers: Spelled {
                at_least: text_of(&parts.headers, AT_LEAST)?,
                at_exact: text_of(&parts.headers, AT_EXACT)?,
                wait: None,
                on_miss: text_of(&parts.headers, ON_MISS)?,
            },
            preferred: preferred_wait(&parts.headers),
            patience: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

impl Asking {
    /// The floor of a request that has no other place to spell it.
    pub fn floor(&self) -> Result<Floor, ApiError> {
        self.floor_with(&Spelled::default())
    }

    /// The floor of a request that may spell it as parameters. They count more than headers.
    pub fn floor_of(&self, params: &Params<'_>) -> Result<Floor, ApiError> {
        let own = |name| params.get(name).map(str::to_owned);
        self.floor_with(&Spelled {
            at_least: own("at_least"),
            at_exact: own("at_exact"),
            wait: own("wait"),
            on_miss: own("on_miss"),
        })
    }

    /// The same of one that may spell it in its body.
    pub fn floor_with(&self, own: &Spelled) -> Result<Floor, ApiError> {
        let wait = own.wait.as_deref().map(wait).transpose()?;
        let on_miss = own.on_miss.as_ref().or(self.in_headers.on_miss.as_ref());
        let serves = on_miss.map(|word| serves(word)).transpose()?;
        let exact = own.at_exact.as_ref().or(self.in_headers.at_exact.as_ref());
        let exact = Exact::read(exact.map(String::as_str))?;
        let Some(at_least) = own.at_least.as_ref().or(self.in_headers.at_least.as_ref()) else {
            return match (wait, serves) {
                (Some(_), _) => Err(error::needs_floor("wait")),
                (_, Some(_)) => Err(error::needs_floor("on_miss")),
                _ => Ok(Floor {
                    insisted: None,
                    exact,
                }),
            };
        };
        if exact.is_wanted() {
            return Err(error::exact_and_floor());
        }
        if let Some(later) = LATER.iter().find(|later| at_least.starts_with(**later)) {
            return Err(error::unsupported_floor(later));
        }
        let as_of = AsOf::decode(at_least).map_err(|_| error::bad_floor())?;
        let insisted = Insisted {
            as_of,
            wait: wait.or(self.preferred).unwrap_or(WAIT_DEFAULT),
            serves: serves.unwrap_or(false),
        };
        Ok(Floor {
            insisted: Some(Arc::new(insisted)),
            exact,
        })
    }
}

/// A floor, or none; or the very cut that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    insisted: Option<Arc<Insisted>>,
    exact: Exact,
}

/// What is insisted on.
#[derive(Debug)]
pub(crate) struct Insisted {
    pub as_of: AsOf,
    pub wait: Duration,
    /// What is below the floor is answered nevertheless, and says so.
    serves: bool,
}

impl Floor {
    pub fn insisted(&self) -> Option<&Arc<Insisted>> {
        self.insisted.as_ref()
    }

    /// The cut that the request reads.
    pub fn pin(&self, state: &ApiState) -> Result<PinnedCut, ApiError> {
        self.exact.pin(state)
    }

    /// How fresh an answer of these tables is, if it may be given.
    pub fn judged<'a>(
        &self,
        tables: impl IntoIterator<Item = &'a TableCut> + Clone,
        mut fresh: Fresh,
    ) -> Result<Fresh, ApiError> {
        if let Err(refused) = self.exact.check(tables.clone()) {
            return Err(refused.at(fresh));
        }
        let Some(insisted) = &self.insisted else {
            return Ok(fresh);
        };
        let reach = reach(tables, &insisted.as_of);
        fresh.satisfied = Some(reach == Reach::Reached);
        match reach {
            Reach::NotYet(behind) if !insisted.serves => {
                Err(error::not_yet_applied(&behind, insisted.wait, fresh))
            }
            Reach::OtherLog(table) => Err(error::other_log(&table).at(fresh)),
            Reach::Reached | Reach::NotYet(_) => Ok(fresh),
        }
    }
}

/// The cut that a request is checked against, also where its floor cannot be read.
pub(crate) fn cut_of(
    state: &ApiState,
    floor: &Result<Floor, ApiError>,
) -> Result<PinnedCut, ApiError> {
    match floor {
        Ok(floor) => floor.pin(state),
        Err(_) => Ok(state.store().pin()),
    }
}

fn serves(word: &str) -> Result<bool, ApiError> {
    match word {
        "serve" => Ok(true),
        "fail" => Ok(false),
        _ => Err(error::bad_word("on_miss", &["fail", "serve"])),
    }
}

/// `2s`, `500ms`, or a number of seconds.
pub(crate) fn wait(text: &str) -> Result<Duration, ApiError> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1_000),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let ms = number.parse::<u64>().ok().filter(|_| is_number);
    ms.and_then(|number| number.checked_mul(unit))
        .map(Duration::from_millis)
        .filter(|wait| *wait <= WAIT_MAX)
        .ok_or_else(|| error::bad_wait(WAIT_MAX))
}

/// `Prefer: wait=2`, in seconds.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut preferences = texts.flat_map(|text| text.split(',')).map(str::trim);
    let seconds = preferences.find_map(|preference| preference.strip_prefix("wait="))?;
    let wait = Duration::from_secs(seconds.parse().ok()?);
    Some(wait.min(WAIT_MAX))
}

pub(crate) fn text_of(headers: &HeaderMap, name: &str) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), more) = (values.next(), values.next()) else {
        return Ok(None);
    };
    match (value.to_str(), more) {
        (Ok(text), None) => Ok(Some(text.to_owned())),
        _ => Err(error::bad_header(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_a_unit_and_a_bound() {
        let ms = |text| wait(text).ok().map(|wait| wait.as_millis());
        assert_eq!(
            (ms("2s"), ms("2"), ms("250ms")),
            (Some(2_000), Some(2_000), Some(250))
        );
        assert_eq!(
            (ms("0"), ms("60s"), ms("60000ms")),
            (Some(0), Some(60_000), Some(60_000))
        );
        for text in [
            "",
            "s",
            "ms",
            "-1s",
            "+1",
            "1.5s",
            "61s",
            "60001ms",
            "1m",
            "18446744073709551615s",
        ] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_preference_is_taken_as_far_as_it_goes() {
        let wait = |text: &'static str| {
            let prefer = http::HeaderName::from_static("prefer");
            let headers = [(prefer, http::HeaderValue::from_static(text))];
            preferred_wait(&headers.into_iter().collect()).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("respond-async, wait=10"), Some(10));
        assert_eq!(wait("wait=100"), Some(60));
        assert_eq!((wait("count=exact"), wait("wait=soon")), (None, None));
    }
}
