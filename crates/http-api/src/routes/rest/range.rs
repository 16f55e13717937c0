//! Which rows of all are sent: the header `Range`, the parameters, and what an answer says of it.

use http::{HeaderMap, StatusCode, header};

/// Some rows in a row, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub offset: usize,
    /// `None` for as many as there are.
    pub limit: Option<usize>,
}

/// No rows could ever be in both of what the header and the parameters say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// The header's first row comes after its last.
    Header,
    /// They have nothing in common.
    Both,
}

impl Window {
    /// The rows that the parameters say and the header `Range: 0-14`, if there is one.
    pub fn of(headers: &HeaderMap, parameters: Self) -> Result<Self, Empty> {
        let text = headers
            .get(header::RANGE)
            .and_then(|value| value.to_str().ok());
        let Some((first, last)) = text.and_then(read) else {
            return Ok(parameters);
        };
        if parameters.limit == Some(0) {
            return Ok(parameters);
        }
        if last.is_some_and(|last| last < first) {
            return Err(Empty::Header);
        }
        let end = |window: Self| {
            window
                .limit
                .map(|limit| window.offset.saturating_add(limit))
        };
        let last = last.map(|last| last.saturating_add(1));
        let ends = [end(parameters), last].into_iter().flatten();
        let offset = first.max(parameters.offset);
        match ends.min() {
            None => Ok(Self {
                offset,
                limit: None,
            }),
            Some(end) if end > offset => Ok(Self {
                offset,
                limit: Some(end - offset),
            }),
            Some(_) => Err(Empty::Both),
        }
    }
}

/// `0-14` or `15-`. What is written otherwise is a range of something else, and says nothing.
fn read(text: &str) -> Option<(usize, Option<usize>)> {
    let (first, last) = text.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let last = match last {
        "" => None,
        last => Some(number(last)?),
    };
    Some((number(first)?, last))
}

/// What is said of the rows that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub offset: usize,
    pub count: usize,
    /// All that meet the filter, if they were counted.
    pub total: Option<u64>,
}

impl Sent {
    pub fn status(self) -> StatusCode {
        match self.total {
            Some(total) if self.offset as u64 > total => StatusCode::RANGE_NOT_SATISFIABLE,
            Some(total) if (self.count as u64) < total => StatusCode::PARTIAL_CONTENT,
            _ => StatusCode::OK,
        }
    }

    /// The header `Content-Range`: `0-14/3573458`, `0-14/*`, `*/0`.
    pub fn content_range(self) -> String {
        let total = self
            .total
            .map_or_else(|| "*".to_owned(), |total| total.to_string());
        if self.count == 0 {
            return format!("*/{total}");
        }
        format!("{}-{}/{total}", self.offset, self.offset + self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn window(
        range: &'static str,
        offset: usize,
        limit: Option<usize>,
    ) -> Result<(usize, Option<usize>), Empty> {
        let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
        let found = Window::of(&headers, Window { offset, limit })?;
        Ok((found.offset, found.limit))
    }

    #[test]
    fn header_and_parameters_narrow_each_other() {
        assert_eq!(window("0-14", 0, None), Ok((0, Some(15))));
        assert_eq!(window("15-", 0, None), Ok((15, None)));
        assert_eq!(window("0-1", 0, Some(3)), Ok((0, Some(2))));
        assert_eq!(window("2-9", 1, Some(4)), Ok((2, Some(3))));
        assert_eq!(window("5-9", 0, Some(3)), Err(Empty::Both));
        assert_eq!(window("1-0", 0, None), Err(Empty::Header));
        assert_eq!(window("1-0", 0, Some(0)), Ok((0, Some(0))));
        assert_eq!(
            window("99999999999999999999-", 0, None),
            Ok((usize::MAX, None))
        );
        for other in ["bytes=0-1", "", "-5", "a-b", "0"] {
            assert_eq!(window(other, 7, Some(3)), Ok((7, Some(3))), "{other}");
        }
    }

    #[test]
    fn an_answer_says_what_it_is_of_all() {
        let said = |offset, count, total| {
            let sent = Sent {
                offset,
                count,
                total,
            };
            (sent.status().as_u16(), sent.content_range())
        };
        assert_eq!(said(0, 15, None), (200, "0-14/*".to_owned()));
        assert_eq!(said(0, 0, None), (200, "*/*".to_owned()));
        assert_eq!(said(0, 15, Some(15)), (200, "0-14/15".to_owned()));
        assert_eq!(said(3, 2, Some(15)), (206, "3-4/15".to_owned()));
        assert_eq!(said(0, 0, Some(0)), (200, "*/0".to_owned()));
        assert_eq!(said(15, 0, Some(15)), (206, "*/15".to_owned()));
        assert_eq!(said(16, 0, Some(15)), (416, "*/15".to_owned()));
    }
}
