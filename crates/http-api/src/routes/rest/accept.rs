//! Which of `PostgREST`'s forms an answer is sent in.

use http::{HeaderMap, header};

/// A form of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    Array {
        without_nulls: bool,
    },
    /// One row, and not in an array.
    Object {
        without_nulls: bool,
    },
    Csv,
}

impl Accepted {
    /// The one that is wanted most of those there are.
    ///
    /// # Errors
    /// All that is accepted, if there is none of it.
    pub fn of(headers: &HeaderMap) -> Result<Self, Vec<String>> {
        let values = headers.get_all(header::ACCEPT).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        let mut ranges: Vec<(&str, f32)> = texts
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .filter(|range| !range.is_empty())
            .map(|range| (range, quality(range)))
            .collect();
        if ranges.is_empty() {
            return Ok(Self::Array {
                without_nulls: false,
            });
        }
        // Stable: of equals the first.
        ranges.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        let wanted = ranges.iter().filter(|(_, quality)| *quality > 0.0);
        wanted
            .clone()
            .find_map(|(range, _)| Self::named(range))
            .ok_or_else(|| {
                ranges
                    .iter()
                    .map(|(range, _)| essence(range).to_ascii_lowercase())
                    .collect()
            })
    }

    fn named(range: &str) -> Option<Self> {
        let without_nulls = parameters(range).any(|parameter| parameter == "nulls=stripped");
        match &*essence(range).to_ascii_lowercase() {
            "*/*" | "application/*" | "application/json" => Some(Self::Array {
                without_nulls: false,
            }),
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => {
                Some(Self::Array { without_nulls })
            }
            "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => {
                Some(Self::Object { without_nulls })
            }
            "text/csv" => Some(Self::Csv),
            _ => None,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Array {
                without_nulls: false,
            } => "application/json; charset=utf-8",
            Self::Array {
                without_nulls: true,
            } => "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
            Self::Object {
                without_nulls: false,
            } => "application/vnd.pgrst.object+json; charset=utf-8",
            Self::Object {
                without_nulls: true,
            } => "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

fn essence(range: &str) -> &str {
    range.split(';').next().unwrap_or_default().trim()
}

fn parameters(range: &str) -> impl Iterator<Item = &str> {
    range.split(';').skip(1).map(str::trim)
}

fn quality(range: &str) -> f32 {
    let given = parameters(range).find_map(|parameter| parameter.strip_prefix("q="));
    given.and_then(|text| text.parse().ok()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_wanted_most_is_sent() {
        let array = |without_nulls| Ok(Accepted::Array { without_nulls });
        let object = |without_nulls| Ok(Accepted::Object { without_nulls });
        let none = |types: &[&str]| Err(types.iter().map(|text| (*text).to_owned()).collect());
        for (accept, expected) in [
            ("", array(false)),
            ("*/*", array(false)),
            ("text/unknowntype, */*", array(false)),
            ("text/csv, */*", Ok(Accepted::Csv)),
            ("text/csv;q=0.1, application/json", array(false)),
            ("text/csv; version=1", Ok(Accepted::Csv)),
            ("application/vnd.pgrst.object+json", object(false)),
            (
                "application/vnd.pgrst.object+json;nulls=stripped",
                object(true),
            ),
            (
                "application/vnd.pgrst.array+json; nulls=stripped",
                array(true),
            ),
            ("text/unknowntype", none(&["text/unknowntype"])),
            (
                "text/plain, application/geo+json;q=0.5",
                none(&["text/plain", "application/geo+json"]),
            ),
            ("text/csv;q=0", none(&["text/csv"])),
        ] {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Accepted::of(&headers), expected, "{accept}");
        }
    }
}
