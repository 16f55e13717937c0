//! The body of an answer, and what is said of it in headers.

use query::bind::BoundQuery;
use query::format::postgres::{Form, Writer};
use query::list::{ANSWER_BYTES_MAX, Page};
use query::zone::Zone;

use super::accept::Accepted;
use super::range::{Sent, Window};
use super::refusal::Refusal;
use super::unfit;

pub(super) struct Written {
    pub bytes: Vec<u8>,
    pub sent: Sent,
    /// Why there are fewer rows than were asked for.
    pub truncated: Option<&'static str>,
    /// Columns of which some value was never sent.
    pub unavailable: Option<String>,
}

impl Written {
    /// # Errors
    /// If there are no rows so far behind, or not the one that was asked for.
    pub fn new(
        query: &BoundQuery,
        page: &Page,
        accepted: Accepted,
        window: Window,
        zone: &Zone,
    ) -> Result<Self, Refusal> {
        let form = match accepted {
            Accepted::Csv => Form::Csv,
            Accepted::Array { without_nulls } | Accepted::Object { without_nulls } => {
                if without_nulls {
                    Form::WithoutNulls
                } else {
                    Form::Objects
                }
            }
        };
        let mut writer = Writer::new(query, form, zone);
        let mut bytes = Vec::new();
        if let Accepted::Array { .. } = accepted {
            bytes.push(b'[');
        }
        let count = writer
            .write(page, ANSWER_BYTES_MAX, &mut bytes)
            .map_err(|refused| unfit::too_costly(&refused))?;
        match accepted {
            Accepted::Array { .. } => bytes.push(b']'),
            // The line's end stands before each row.
            Accepted::Csv if count == 0 => bytes.push(b'\n'),
            Accepted::Csv | Accepted::Object { .. } => {}
        }
        let sent = Sent {
            offset: window.offset,
            count,
            total: page.total,
        };
        if let Some(total) = page.total.filter(|total| window.offset as u64 > *total) {
            let details = format!(
                "An offset of {} was requested, but there are only {total} rows.",
                window.offset
            );
            return Err(unfit::unsatisfiable(details).content_range(sent.content_range()));
        }
        if matches!(accepted, Accepted::Object { .. }) && count != 1 {
            return Err(Refusal::new(
                406,
                "PGRST116",
                "Cannot coerce the result to a single JSON object",
            )
            .details(format!("The result contains {count} rows"))
            .tagged());
        }
        let asked_for_more = window.limit.is_none_or(|limit| limit > page.len());
        let truncated = if count < page.len() {
            Some("bytes")
        } else if page.more && asked_for_more {
            Some("rows")
        } else {
            None
        };
        let unavailable: Vec<&str> = writer.unavailable().collect();
        Ok(Self {
            truncated,
            unavailable: (!unavailable.is_empty()).then(|| unavailable.join(",")),
            bytes,
            sent,
        })
    }
}
