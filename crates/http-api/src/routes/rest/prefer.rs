//! Preferences (RFC 7240): what `PostgREST` knows, and what becomes of it where nothing is ever written.

use http::HeaderMap;
use query::zone::Zone;

/// What is known, though it is about writes and changes nothing here.
const OF_WRITES: &[&str] = &[
    "resolution=merge-duplicates",
    "resolution=ignore-duplicates",
    "return=representation",
    "return=minimal",
    "return=headers-only",
    "missing=default",
    "missing=null",
    "tx=commit",
    "tx=rollback",
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// `exact`, `planned` or `estimated`: all rows are counted, exactly.
    pub count: Option<String>,
    handling: Option<String>,
    timezone: Option<String>,
    /// In which instants are written, and read where they say none.
    pub zone: Zone,
    /// What is not known.
    invalid: Vec<String>,
}

impl Preferences {
    /// Of equal preferences the first counts.
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all("prefer").iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        let mut all = Self::default();
        for preference in texts.flat_map(|text| text.split(',')).map(str::trim) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let place = match (name, value) {
                ("count", "exact" | "planned" | "estimated") => &mut all.count,
                ("handling", "strict" | "lenient") => &mut all.handling,
                ("timezone", name) if let Some(zone) = Zone::from_name(name) => {
                    if all.timezone.is_none() {
                        all.zone = zone;
                    }
                    &mut all.timezone
                }
                // How long is waited is read where waiting is done.
                ("max-affected" | "wait", _) => continue,
                _ if preference.is_empty() || OF_WRITES.contains(&preference) => continue,
                _ => {
                    all.invalid.push(preference.to_owned());
                    continue;
                }
            };
            place.get_or_insert_with(|| value.to_owned());
        }
        all
    }

    /// What is not known, if that is an error.
    pub fn refused(&self) -> Option<&[String]> {
        let strict = self.handling.as_deref() == Some("strict");
        (strict && !self.invalid.is_empty()).then_some(&self.invalid)
    }

    /// The header `Preference-Applied`, if anything was.
    pub fn applied(&self) -> Option<String> {
        let all = [
            ("count", &self.count),
            ("handling", &self.handling),
            ("timezone", &self.timezone),
        ];
        let applied = all.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name}={value}"))
        });
        let applied: Vec<String> = applied.collect();
        (!applied.is_empty()).then(|| applied.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_is_known_is_applied_and_what_is_not_may_be_an_error() {
        let of = |text: &'static str| {
            let name = HeaderName::from_static("prefer");
            let value = HeaderValue::from_static(text);
            Preferences::of(&HeaderMap::from_iter([(name, value)]))
        };
        let all = of("timezone=UTC,  count=exact, count=planned, tx=commit,handling=lenient, x");
        assert_eq!(
            all.applied().as_deref(),
            Some("count=exact, handling=lenient, timezone=UTC")
        );
        assert_eq!(all.refused(), None);
        let strict = of("handling=strict, timezone=Nowhere, anything, max-affected=5");
        assert_eq!(strict.applied().as_deref(), Some("handling=strict"));
        assert_eq!(strict.refused().unwrap(), ["timezone=Nowhere", "anything"]);
        assert_eq!(of("return=minimal").applied(), None);
    }
}
