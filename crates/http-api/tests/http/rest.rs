//! `/rest/v1`: what a client of `PostgREST` sees, by the examples of its specifications.

mod answers;
mod office;
mod queries;
mod refusals;

use std::fmt::Write;

use axum::body::{Body, to_bytes};
use expect_test::Expect;
use http::Response;
use http_api::Api;

use crate::fixture::request;

/// Status, the headers that `PostgREST` sends or that say something, and the body.
async fn shown(response: Response<Body>) -> String {
    let (head, body) = response.into_parts();
    let mut text = format!("{}\n", head.status.as_u16());
    for name in [
        "allow",
        "content-length",
        "content-type",
        "content-range",
        "content-location",
        "content-profile",
        "preference-applied",
        "proxy-status",
        "rowtide-freshness",
        "rowtide-position",
        "rowtide-truncated",
        "rowtide-unavailable",
    ] {
        if let Some(value) = head.headers.get(name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    text + "\n" + std::str::from_utf8(&body).unwrap() + "\n"
}

/// Whole answers.
async fn check(lines: &str, expected: Expect) {
    check_with(&office::open(), lines, expected).await;
}

async fn check_with(api: &Api, lines: &str, expected: Expect) {
    expected.assert_eq(&shown(api.answer(request(lines)).await).await);
}

/// Statuses and bodies of answers to some `GET`s, with `Content-Range` where there is one.
async fn check_bodies(queries: &[&str], expected: Expect) {
    let api = office::open();
    let mut text = String::new();
    for query in queries {
        let encoded = query
            .replace(' ', "%20")
            .replace('"', "%22")
            .replace('{', "%7B");
        let encoded = encoded
            .replace('}', "%7D")
            .replace('>', "%3E")
            .replace('\\', "%5C");
        let response = api
            .answer(request(&format!("GET /rest/v1/{encoded}")))
            .await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        writeln!(
            text,
            "{query}\n    {status} {}",
            String::from_utf8_lossy(&body)
        )
        .unwrap();
    }
    expected.assert_eq(&text);
}
