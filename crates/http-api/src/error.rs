//! Every error of the API, from what went wrong to code, detail, hint and candidates. One place, so
//! that equal failures read alike on every route.
//!
//! What the client sent may be repeated to it; what a row holds never is.

mod exact;
mod feed;
mod floor;
mod missed;
mod unfit;

use api_types::ErrorCode;
use http::Method;
use query::cursor::CursorError;
use query::fresh::{Fresh, State};
use query::key::KeyError;
use query::percent::PercentError;
use query::tree::Place;
use query::url::{Problem, SyntaxError};
use table_store::{AddIndexError, DefinitionError, NameError, TableCut};

pub(crate) use exact::{
    bad_exact, cut_without_name, exact_and_floor, never_kept, snapshot_expired, wait_and_exact,
};
pub(crate) use feed::{
    bad_debounce, bad_since, filter_of_several, misplaced_initial, not_followable, not_with_since,
    since_ahead, since_expired, since_of_several, too_many_feeds, wait_is_for_batches,
};
pub(crate) use floor::{
    bad_floor, bad_lag, bad_wait, foreign_floor, needs_floor, nothing_to_wait_for,
    nothing_waited_for, starting_tables, too_many_waits,
};
pub(crate) use missed::{Missed, not_yet_applied, too_stale, unfit_floor};
pub(crate) use unfit::{FEWER_RELATED_HINT, too_costly, unfit, unknown_column, unknown_filter};

use crate::candidates;
use crate::operator::OperatorError;
use crate::problem::ApiError;

const TABLES_HINT: &str = "GET /v1/tables lists all tables.";

/// No endpoint has this path.
pub(crate) fn unknown_path(path: &str) -> ApiError {
    let error = ApiError::new(
        ErrorCode::UnknownPath,
        format!("No endpoint has the path '{path}'."),
    );
    error.with_hint(match path.split_once("/rows/") {
        Some((_, key)) if key.contains('/') => "A '/' inside a key is written %2F.",
        _ => TABLES_HINT,
    })
}

/// The admin listener has no such path.
pub(crate) fn unknown_admin_path(path: &str) -> ApiError {
    ApiError::new(
        ErrorCode::UnknownPath,
        format!("The admin listener has no path '{path}'."),
    )
    .with_hint("It has /livez, /readyz, /startupz, /metrics, /v1/tables/{table}/indexes and /v1/tables/{table}/rebuild. Tables are on the data listener.")
}

/// The path takes other methods; the `Allow` header names them.
pub(crate) fn method_not_allowed(method: &Method) -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        format!("This path does not take {method}."),
    )
    .with_hint("The header Allow names the methods it takes.")
}

/// A path segment that is no text.
pub(crate) fn bad_path(error: PercentError) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The path is not percent-encoded text: {error}."),
    )
}

/// The name of a table finds none, or several.
pub(crate) fn no_table(name: &str, error: &NameError) -> ApiError {
    match error {
        NameError::Unknown { known } => {
            let error = ApiError::new(
                ErrorCode::UnknownTable,
                format!("There is no table '{name}'."),
            );
            error
                .with_candidates(candidates::of(name, known.iter().map(String::as_str)))
                .with_hint(TABLES_HINT)
        }
        NameError::Ambiguous { candidates } => ApiError::new(
            ErrorCode::AmbiguousTable,
            format!("Several tables can be meant by '{name}'."),
        )
        .with_candidates(candidates.clone())
        .with_hint("Use one of the candidates, or the whole topic."),
    }
}

/// The table is still being loaded from the checkpoint.
pub(crate) fn starting(name: &str, progress: f64) -> ApiError {
    let percent = (progress.clamp(0.0, 1.0) * 100.0).floor();
    ApiError::new(
        ErrorCode::Starting,
        format!("Table '{name}' is being loaded from the checkpoint ({percent} %)."),
    )
    .with_hint("It answers as soon as all of it is loaded. Try again in a moment.")
}

/// The text of a path is no key of the table.
pub(crate) fn bad_key(table: &str, error: &KeyError) -> ApiError {
    let detail = format!("Table '{table}': {error}.");
    match error {
        KeyError::Keyless => ApiError::new(ErrorCode::BadRequest, detail)
            .with_hint(format!("List its rows with GET /v1/tables/{table}/rows, or declare a key in the configuration.")),
        KeyError::WrongCount { .. } => ApiError::new(ErrorCode::BadRequest, detail)
            .with_hint("The values stand in key order with a comma between; a comma inside a value is written %2C."),
        KeyError::Literal { .. } => ApiError::new(ErrorCode::TypeMismatch, detail)
            .with_hint(format!("Write the value as answers do. GET /v1/tables/{table} lists the key and its types.")),
        KeyError::OtherColumns { .. }
        | KeyError::Percent(_)
        | KeyError::TooLong | KeyError::TooManyReadings => {
            ApiError::new(ErrorCode::BadRequest, detail)
        }
    }
}

/// No row has this key. Says which questions that does *not* answer.
pub(crate) fn row_not_found(table: &TableCut, fresh: Fresh) -> ApiError {
    let name = &table.table.identity().name;
    let error = ApiError::new(
        ErrorCode::RowNotFound,
        format!("Table '{name}' has no row with this key."),
    );
    let because = table
        .facts
        .incomplete_because
        .as_deref()
        .unwrap_or("the log had been shortened before it was read");
    let hint = match fresh.state {
        State::Loading => Some("The table is still being read for the first time: the row may not have been reached yet.".to_owned()),
        State::CatchingUp => Some("The table is catching up with its log: the row may be there in a moment.".to_owned()),
        State::Stale => Some("There was no contact with the log for a while: the row may have been written since.".to_owned()),
        State::Stalled if !fresh.complete => Some(format!("The table takes no changes at the moment, and is not complete ({because}): the row may exist in the source. GET /v1/status says why.")),
        State::Stalled => Some("The table takes no changes at the moment: the row may have been written since. GET /v1/status says why.".to_owned()),
        State::Live if !fresh.complete => Some(format!("The table is not complete ({because}): the row may exist in the source.")),
        State::Live if fresh.quarantined > 0 => Some("Some records of this table could not be applied: the row may be among them. GET /v1/quarantine lists them.".to_owned()),
        State::Live => None,
    };
    let error = hint.into_iter().fold(error, ApiError::with_hint);
    error.at(fresh)
}

/// The cursor leads nowhere.
pub(crate) fn bad_cursor(error: CursorError) -> ApiError {
    let detail = format!("The cursor cannot be used: {error}.");
    match error {
        CursorError::OtherSchema => ApiError::new(ErrorCode::CursorExpired, detail)
            .with_hint("Leave the cursor out to begin anew."),
        CursorError::OtherQuery => ApiError::new(ErrorCode::BadCursor, detail)
            .with_hint("Repeat the filter and the order of the page it came with (the Link header has them), or leave the cursor out to begin anew."),
        CursorError::NotOurs | CursorError::OtherTable => ApiError::new(ErrorCode::BadCursor, detail)
            .with_hint("Pass next of the previous page unchanged, with the same table, or leave the cursor out to begin anew."),
    }
}

/// A filter, a select or an order that cannot be read.
pub(crate) fn bad_syntax(error: &SyntaxError) -> ApiError {
    let code = match error.problem {
        Problem::Unsupported(_) => ErrorCode::UnknownParameter,
        _ => ErrorCode::BadRequest,
    };
    let mut refused = ApiError::new(code, format!("The query cannot be read: {error}."));
    if let Some((written, known)) = error.candidates() {
        refused = refused.with_candidates(candidates::of(written, known));
    }
    match &error.problem {
        Problem::UnknownOperator(_) => {
            refused.with_hint("A filter is column=operator.value, as in status=eq.paid.")
        }
        Problem::NotShown { .. } => {
            refused.with_hint("Name the relation in select or include, as in select=id,items(sku).")
        }
        Problem::Expected(_) | Problem::Trailing(_) => refused.with_hint(
            "In groups and lists a value that has a comma, a parenthesis or a quote stands in double quotes; inside them a backslash goes before a quote or a backslash.",
        ),
        _ => refused,
    }
}

/// A body that is no query.
pub(crate) fn bad_query(error: &SyntaxError) -> ApiError {
    bad_body(
        error,
        "A query is an object, as in {\"from\":\"orders\",\"where\":[{\"column\":\"status\",\"op\":\"eq\",\"value\":\"paid\"}],\"order\":[\"-id\"],\"limit\":20}.",
    )
}

/// A body that is no batch of keys.
pub(crate) fn bad_batch(error: &SyntaxError) -> ApiError {
    bad_body(
        error,
        "A batch is an object, as in {\"get\":[{\"table\":\"orders\",\"keys\":[[7],[9]]}]}.",
    )
}

fn bad_body(error: &SyntaxError, example: &str) -> ApiError {
    let code = match error.problem {
        Problem::Unsupported(_) | Problem::UnknownField { .. } => ErrorCode::UnknownParameter,
        _ => ErrorCode::BadRequest,
    };
    let refused = ApiError::new(code, format!("The body cannot be read: {error}."));
    let refused = match error.candidates() {
        Some((written, known)) => refused.with_candidates(candidates::of(written, known)),
        None => refused,
    };
    match &error.problem {
        Problem::UnknownField { name, .. } if name == "offset" => refused.with_hint(
            "Rows that come and go would be shown twice or not at all: pass next of the previous page as cursor.",
        ),
        Problem::UnknownField { known, .. } => {
            refused.with_hint(format!("The fields here are {}.", known.join(", ")))
        }
        Problem::Unsupported(_) => {
            refused.with_hint("Leave it out; fresh in every answer says how fresh it is.")
        }
        Problem::Clash(_)
        | Problem::TooMuch { .. }
        | Problem::Instead(_)
        | Problem::UnknownWord { .. } => refused,
        _ => refused.with_hint(example),
    }
}

/// A body that did not come whole.
pub(crate) fn unreadable_body() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "The request's body broke off before its end.",
    )
}

/// A key in a batch that is none of its table.
pub(crate) fn bad_batch_key(table: &str, error: &KeyError, at: &Place) -> ApiError {
    let code = match error {
        KeyError::Literal { .. } => ErrorCode::TypeMismatch,
        _ => ErrorCode::BadRequest,
    };
    ApiError::new(code, format!("Table '{table}': {error}, {at}.")).with_hint(format!(
        "A key is a list of its values in key order. GET /v1/tables/{table} lists the key and its types."
    ))
}

/// Rows that have no pages and are too many bytes for one answer.
pub(crate) fn batch_too_large(max: usize) -> ApiError {
    let max = max >> 20;
    ApiError::new(
        ErrorCode::ScanTooLarge,
        format!("The rows of these keys are more than {max} MiB."),
    )
    .with_hint("Ask for fewer keys at a time, or select fewer columns.")
}

/// A row that was looked up is no group of rows.
pub(crate) fn aggregated_lookup(table: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "A row that is looked up by its key cannot be aggregated.",
    )
    .with_hint(format!("Aggregate rows with GET /v1/tables/{table}/rows?aggregate=n:count(). Related rows are aggregated within their own brackets: select=*,items(qty.sum())."))
}

/// A parameter that takes a few words only.
pub(crate) fn bad_word(name: &str, words: &[&str]) -> ApiError {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    ApiError::new(
        ErrorCode::BadRequest,
        format!("{name} is {}.", words.join(" or ")),
    )
    .with_candidates(words)
}

/// A parameter that the form of the answer has no place for.
pub(crate) fn not_in_csv(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The parameter '{name}' does not go with text/csv."),
    )
    .with_hint("CSV has rows only. Leave the parameter out, or accept application/json.")
}

/// Rows are never counted off: they may have changed places since.
pub(crate) fn no_offset() -> ApiError {
    ApiError::new(
        ErrorCode::UnknownParameter,
        "There is no parameter 'offset': rows that come and go would be shown twice or not at all.",
    )
    .with_hint("Pass next of the previous page as cursor.")
}

/// A limit that is none.
pub(crate) fn bad_limit(max: usize) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("limit is a whole number from 1 to {max}."),
    )
    .with_hint("For more rows than that, follow next.")
}

/// The query string is no query string.
pub(crate) fn bad_query_string(error: PercentError) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The query string is not percent-encoded text: {error}."),
    )
}

/// A parameter that takes one value was sent several times.
pub(crate) fn repeated_parameter(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The parameter '{name}' was sent more than once."),
    )
}

/// A parameter that this path does not take.
pub(crate) fn unknown_parameter(name: &str, supported: &[&str]) -> ApiError {
    let error = ApiError::new(
        ErrorCode::UnknownParameter,
        format!("There is no parameter '{name}' here."),
    );
    error
        .with_candidates(candidates::of(name, supported.iter().copied()))
        .with_hint(takes(supported))
}

/// A parameter of the API that this version does not have yet.
pub(crate) fn unsupported_parameter(name: &str, supported: &[&str]) -> ApiError {
    ApiError::new(
        ErrorCode::UnknownParameter,
        format!("The parameter '{name}' is not supported by this version."),
    )
    .with_hint(takes(supported))
}

fn takes(supported: &[&str]) -> String {
    match supported {
        [] => "This path takes no parameters.".to_owned(),
        [one] => format!("This path takes the parameter {one}."),
        several => format!("This path takes the parameters {}.", several.join(", ")),
    }
}

/// A header that asks for what this version does not do. Ignored, it would make a promise of the answer.
pub(crate) fn unsupported_header(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::UnknownParameter,
        format!("The header '{name}' is not supported by this version."),
    )
    .with_hint("Leave it out; fresh in every answer says how fresh it is.")
}

/// A header that goes with rows, where there are none.
pub(crate) fn misplaced_header(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::UnknownParameter,
        format!("This path does not take the header '{name}'."),
    )
    .with_hint("Rows do: lookups, lists, queries, and GET /v1/wait for nothing but that.")
}

/// A header of ours that is there twice, or that is no text.
pub(crate) fn bad_header(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The header '{name}' is one text of ASCII characters."),
    )
}

/// `If-None-Match` that is no list of tags.
pub(crate) fn bad_condition() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "If-None-Match is a list of tags in double quotes, or *.",
    )
    .with_hint("Send the header ETag of an earlier answer unchanged, quotes and all, as in If-None-Match: W/\"0123abcd\".")
}

/// The request was meant for somebody else, or comes from a foreign web page.
pub(crate) fn foreign_host() -> ApiError {
    ApiError::new(
        ErrorCode::InsufficientScope,
        "This listener does not answer to this Host or Origin.",
    )
    .with_hint("Use localhost, 127.0.0.1 or [::1], or name the host in the configuration.")
}

pub(crate) fn body_too_large(max: u64) -> ApiError {
    ApiError::new(
        ErrorCode::BodyTooLarge,
        format!("A request's body has at most {max} bytes."),
    )
}

/// The body did not come whole.
pub(crate) fn body_cut_off() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "The body did not come whole.")
}

/// The body names no index.
pub(crate) fn no_index_request(error: &serde_json::Error) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The body names no index: {error}."),
    )
    .with_hint(r#"Send JSON such as {"columns":["status","created_at"],"kind":"ordered"}; kind is ordered or hash."#)
}

/// These columns make no index.
pub(crate) fn bad_index(table: &str, error: &DefinitionError) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("Table '{table}': {error}."))
        .with_hint("Name each column once, the one that counts most first.")
}

/// There is one already.
pub(crate) fn index_exists(table: &str, columns: &[String]) -> ApiError {
    ApiError::new(
        ErrorCode::IndexExists,
        format!("Table '{table}' has an index of ({}).", columns.join(", ")),
    )
    .with_hint("To change its kind, DELETE it first.")
}

pub(crate) fn too_many_indexes(table: &str, error: AddIndexError) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("Table '{table}': {error}."))
        .with_hint("DELETE one that is not needed.")
}

/// There is no index to be removed.
pub(crate) fn no_index(table: &str, columns: &[String], known: &[String]) -> ApiError {
    let error = ApiError::new(
        ErrorCode::UnknownIndex,
        format!("Table '{table}' has no index of ({}).", columns.join(", ")),
    );
    let near = candidates::of(&columns.join(","), known.iter().map(String::as_str));
    error
        .with_candidates(near)
        .with_hint(format!("GET /v1/tables/{table} lists its indexes."))
}

/// What an operator asked for is not done.
pub(crate) fn not_operated(error: OperatorError) -> ApiError {
    match error {
        OperatorError::Refused { reason, hint } => {
            ApiError::new(ErrorCode::OperationRefused, reason).with_hint(hint)
        }
        OperatorError::Busy => ApiError::new(
            ErrorCode::Overloaded,
            "Too much is asked of the pipeline already.",
        ),
        OperatorError::Ending => ApiError::new(ErrorCode::Draining, "The process is ending."),
    }
}

/// Nothing says which records of the quarantine are meant, or something says it wrongly.
pub(crate) fn no_records(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, detail).with_hint(
        "Name them by table=…, or by topic=…&partition=…&offset=…, or say all=true. GET /v1/quarantine on the data listener lists them.",
    )
}

pub(crate) fn overloaded() -> ApiError {
    ApiError::new(
        ErrorCode::Overloaded,
        "Too many requests are being answered already.",
    )
}

pub(crate) fn too_many_exports() -> ApiError {
    ApiError::new(
        ErrorCode::Overloaded,
        "So many whole tables are being sent already as may be at once: each keeps what its rows were.",
    )
    .with_hint("Try again when one of them is done.")
}

pub(crate) fn timed_out(after: std::time::Duration) -> ApiError {
    ApiError::new(
        ErrorCode::QueryTimeout,
        format!("No answer was found within {} ms.", after.as_millis()),
    )
    .with_hint("Ask for less at a time.")
}

/// The process is about to end, and what was waited for will not come in it.
pub(crate) fn draining() -> ApiError {
    ApiError::new(ErrorCode::Draining, "This server is shutting down.")
        .with_hint("Ask another replica, or again in a moment.")
}

/// Our own fault. The log has the rest.
pub(crate) fn internal() -> ApiError {
    ApiError::new(
        ErrorCode::Internal,
        "The request failed in the server, and only this request.",
    )
    .with_hint("The log has the rest under request_id.")
}
