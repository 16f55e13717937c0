//! The form that an answer's rows are sent in, from what the request accepts.
//!
//! Something that is not to be had gets JSON, as RFC 9110 allows: the answer says what it is.

use http::{HeaderMap, HeaderValue, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    /// A line of column names, a line a row, and a line with the rest.
    NdJson,
    Csv,
}

const ALL: [(Media, &str, &str); 3] = [
    (Media::Json, "application", "json"),
    (Media::NdJson, "application", "x-ndjson"),
    (Media::Csv, "text", "csv"),
];

impl Media {
    /// The one that is wanted most; of equals the first of [`ALL`].
    pub fn wanted(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT);
        let ranges: Vec<_> = accepted
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(read_range)
            .collect();
        let mut best = (Self::Json, 0.0);
        for (media, kind, subtype) in ALL {
            // The most exact range decides: `*/*;q=1, text/csv;q=0` is anything but CSV.
            let fitting = ranges.iter().filter_map(|range| range.fits(kind, subtype));
            let wanted = fitting.max_by_key(|(exactness, _)| *exactness);
            if let Some((_, quality)) = wanted.filter(|(_, quality)| *quality > best.1) {
                best = (media, quality);
            }
        }
        best.0
    }

    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        })
    }
}

/// One range of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f32,
}

fn read_range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
    Some(Range {
        kind,
        subtype,
        quality: quality.unwrap_or(1.0),
    })
}

impl Range<'_> {
    /// How exactly it names this type, and how much it is wanted.
    fn fits(&self, kind: &str, subtype: &str) -> Option<(u8, f32)> {
        let is = |text: &str, wanted: &str| text.eq_ignore_ascii_case(wanted);
        let exactness = match (self.kind, self.subtype) {
            ("*", "*") => 0,
            (range, "*") if is(range, kind) => 1,
            (range, sub) if is(range, kind) && is(sub, subtype) => 2,
            _ => return None,
        };
        Some((exactness, self.quality))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_most_is_sent() {
        for (accept, media) in [
            ("", Media::Json),
            ("*/*", Media::Json),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Media::Json),
            ("text/csv", Media::Csv),
            ("Text/CSV; charset=utf-8", Media::Csv),
            (
                "application/json;q=0.5, application/x-ndjson",
                Media::NdJson,
            ),
            ("text/*", Media::Csv),
            ("text/csv;q=0, */*;q=0.1", Media::Json),
            ("application/vnd.apache.arrow.stream", Media::Json),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(Media::wanted(&headers), media, "{accept}");
        }
        assert_eq!(Media::wanted(&HeaderMap::new()), Media::Json);
    }
}
