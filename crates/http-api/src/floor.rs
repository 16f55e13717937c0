//! The floor of a request: how far tables must have come for an answer, how old it may be, how long that is waited
//! for, and what if it does not come true.
//!
//! It is judged by the very cut that an answer is made of. That somebody waited makes it likely that the
//! judgement is a good one, and nothing else rests on it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use query::as_of::AsOf;
use query::dsl::FloorAsked;
use query::floor::{self, Standing, stand};
use query::fresh::{Fresh, bounded_lag_ms};
use table_store::{Cut, PinnedCut, TableCut};

use crate::exact::{AT_EXACT, Exact};
use crate::limits::{MAX_LAG_MAX, WAIT_DEFAULT, WAIT_MAX};
use crate::params::Params;
use crate::patience::Patience;
use crate::problem::ApiError;
use crate::{ApiState, error};

pub(crate) const AT_LEAST: &str = "rowtide-at-least";
pub(crate) const MAX_LAG: &str = "rowtide-max-lag";
pub(crate) const ON_MISS: &str = "rowtide-on-miss";

/// A floor as it was spelled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelled {
    pub at_least: Option<String>,
    pub max_lag: Option<String>,
    pub at_exact: Option<String>,
    pub wait: Option<String>,
    pub on_miss: Option<String>,
}

impl From<FloorAsked> for Spelled {
    fn from(asked: FloorAsked) -> Self {
        Self {
            at_least: asked.at_least,
            max_lag: asked.max_lag,
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
                max_lag: text_of(&parts.headers, MAX_LAG)?,
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
            max_lag: own("max_lag"),
            at_exact: own("at_exact"),
            wait: own("wait"),
            on_miss: own("on_miss"),
        })
    }

    /// The same of one that may spell it in its body.
    pub fn floor_with(&self, own: &Spelled) -> Result<Floor, ApiError> {
        let wait = own.wait.as_deref().map(wait).transpose()?;
        if let Some(wait) = wait {
            self.patience.sleeps_at_most(wait);
        }
        let on_miss = own.on_miss.as_ref().or(self.in_headers.on_miss.as_ref());
        let serves = on_miss.map(|word| serves(word)).transpose()?;
        let at_least = own.at_least.as_ref().or(self.in_headers.at_least.as_ref());
        let max_lag = own.max_lag.as_ref().or(self.in_headers.max_lag.as_ref());
        let max_lag = max_lag.map(|text| lag(text)).transpose()?;
        let asked = at_least.map(|text| {
            let floor = floor::Floor::parse(text).map_err(error::bad_floor)?;
            Ok((floor, text.clone()))
        });
        let exact = own.at_exact.as_ref().or(self.in_headers.at_exact.as_ref());
        let exact = Exact::read(exact.map(String::as_str))?;
        if exact.is_wanted() && self.patience.is_conditional() {
            if wait.is_some() {
                return Err(error::wait_and_exact());
            }
            // A preference of the headers, which is not to be met.
            self.patience.sleeps_at_most(Duration::ZERO);
        }
        let Some(insists) = Insists::of(asked.transpose()?, max_lag) else {
            return match (wait, serves) {
                (Some(_), _) if !self.patience.is_conditional() => Err(error::nothing_waited_for()),
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
        // What is too old is refused at once, unless somebody says to wait.
        let usual = match &insists.at_least {
            Some(_) => WAIT_DEFAULT,
            None => Duration::ZERO,
        };
        let insisted = Insisted {
            insists,
            wait: wait.or(self.preferred).unwrap_or(usual),
            serves: serves.unwrap_or(false),
            log_end: OnceLock::new(),
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

/// What is insisted on: one of them at least.
#[derive(Debug)]
struct Insists {
    /// With the text that spells it.
    at_least: Option<(floor::Floor, String)>,
    max_lag: Option<Duration>,
}

impl Insists {
    fn of(at_least: Option<(floor::Floor, String)>, max_lag: Option<Duration>) -> Option<Self> {
        let insists = at_least.is_some() || max_lag.is_some();
        insists.then_some(Self { at_least, max_lag })
    }
}

/// What is insisted on, and how.
#[derive(Debug)]
pub(crate) struct Insisted {
    insists: Insists,
    pub wait: Duration,
    /// What is below the floor is answered nevertheless, and says so.
    serves: bool,
    /// Where the log ended when that was asked, or why nobody said; set once.
    log_end: OnceLock<Result<AsOf, String>>,
}

impl Insisted {
    /// How far tables must have come, if that is insisted on.
    pub fn at_least(&self) -> Option<&floor::Floor> {
        self.insists.at_least.as_ref().map(|(floor, _)| floor)
    }

    /// The log's end is insisted on, and has not been asked for.
    pub fn awaits_log_end(&self) -> bool {
        matches!(self.at_least(), Some(floor::Floor::LogEnd)) && self.log_end.get().is_none()
    }

    /// Notes where the log ended, or why nobody said. Answers whether that is known now.
    pub fn log_ends_at(&self, ends: Result<AsOf, String>) -> bool {
        // Asked once: the first answer stands.
        self.log_end.get_or_init(|| ends).is_ok()
    }

    /// Whether more than the rows of tables decides it: how far they came along with their source, or when they were
    /// in contact with it.
    pub fn follows_source(&self) -> bool {
        let is_place = matches!(self.at_least(), Some(floor::Floor::Source(_)));
        is_place || self.insists.max_lag.is_some()
    }

    /// Whether an answer of these tables may be given, or never may.
    pub fn is_settled<'a, T>(&self, cut: &Cut, tables: T, now_ms: i64) -> bool
    where
        T: IntoIterator<Item = &'a TableCut> + Clone,
    {
        let standing = self.standing(cut, tables.clone());
        match standing {
            Some(Standing::NotYet(_)) => return false,
            Some(Standing::Never(_)) => return true,
            Some(Standing::Met(_)) | None => {}
        }
        let lag = self
            .insists
            .max_lag
            .and_then(|_| bounded_lag_ms(tables, now_ms));
        lag.is_none_or(|(lag, _)| !self.is_too_stale(lag))
    }

    /// How tables stand to what they must have come to; `None` if that is nothing.
    fn standing<'a, T>(&self, cut: &Cut, tables: T) -> Option<Standing>
    where
        T: IntoIterator<Item = &'a TableCut> + Clone,
    {
        let (floor, _) = self.insists.at_least.as_ref()?;
        Some(match (floor, self.log_end.get()) {
            (floor::Floor::LogEnd, Some(Ok(ends))) => {
                stand(&floor::Floor::Tables(ends.clone()), cut, tables)
            }
            (floor, _) => stand(floor, cut, tables),
        })
    }

    fn is_too_stale(&self, lag: Option<u64>) -> bool {
        let max = self.insists.max_lag.map(|max| max.as_millis());
        max.is_some_and(|max| lag.is_none_or(|lag| u128::from(lag) > max))
    }
}

impl Floor {
    pub fn insisted(&self) -> Option<&Arc<Insisted>> {
        self.insisted.as_ref()
    }

    /// The cut that the request reads.
    pub fn pin(&self, state: &ApiState) -> Result<PinnedCut, ApiError> {
        self.exact.pin(state)
    }

    /// How fresh an answer of these tables of a cut is, if it may be given.
    pub fn judged<'a, T>(&self, cut: &Cut, tables: T, mut fresh: Fresh) -> Result<Fresh, ApiError>
    where
        T: IntoIterator<Item = &'a TableCut> + Clone,
    {
        if let Err(refused) = self.exact.check(tables.clone()) {
            return Err(refused.at(fresh));
        }
        let Some(insisted) = &self.insisted else {
            return Ok(fresh);
        };
        let (lag, bound) = fresh.bounded_lag_ms();
        let is_too_stale = insisted.is_too_stale(lag);
        fresh.bound = insisted.insists.max_lag.map(|_| bound);
        let standing = insisted.standing(cut, tables);
        let lacks = match standing {
            Some(Standing::NotYet(lack)) => Some(lack),
            Some(Standing::Never(unfit)) => return Err(error::unfit_floor(&unfit).at(fresh)),
            Some(Standing::Met(precision)) => {
                fresh.precision = precision;
                None
            }
            None => None,
        };
        fresh.satisfied = Some(lacks.is_none() && !is_too_stale);
        if insisted.serves {
            return Ok(fresh);
        }
        match (lacks, insisted.insists.max_lag.filter(|_| is_too_stale)) {
            (Some(lack), _) => {
                let text = insisted.insists.at_least.as_ref();
                let asked = error::Missed {
                    floor: text.map_or("", |(_, text)| text),
                    waited: insisted.wait,
                    log_end: insisted.log_end.get().and_then(|ends| ends.as_ref().err()),
                };
                Err(error::not_yet_applied(&lack, &asked, fresh))
            }
            (None, Some(max)) => Err(error::too_stale(max, insisted.wait, fresh)),
            (None, None) => Ok(fresh),
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

pub(crate) fn wait(text: &str) -> Result<Duration, ApiError> {
    let wait = duration(text).filter(|wait| *wait <= WAIT_MAX);
    wait.ok_or_else(|| error::bad_wait(WAIT_MAX))
}

fn lag(text: &str) -> Result<Duration, ApiError> {
    let lag = duration(text).filter(|lag| *lag <= MAX_LAG_MAX);
    lag.ok_or_else(|| error::bad_lag(MAX_LAG_MAX))
}

/// `2s`, `500ms`, or a number of seconds.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1_000),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|_| is_number)?;
    number.checked_mul(unit).map(Duration::from_millis)
}

/// `Prefer: wait=2`, in seconds.
pub(crate) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
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
