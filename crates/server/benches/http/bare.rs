//! The peer: a hyper server that answers everything with the same bytes, made as small as it can be.
//!
//! One header makes up for all that Rowtide sends, so that answers are as long and building them is
//! as cheap as it can be.

use std::convert::Infallible;
use std::path::Path;

use anyhow::Context;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What makes this program that server.
pub const VERB: &str = "bare";

const PADDING: HeaderName = HeaderName::from_static("padding");

/// Serves answers of the length of the one in this file, until it is killed.
pub fn serve(port: u16, answer: &Path) -> anyhow::Result<()> {
    let answer = std::fs::read(answer).context("no answer to imitate")?;
    let body = crate::client::body(&answer).context("an answer without a body")?;
    let padding = padding(answer.len() - body.len(), body.len())?;
    let body = Bytes::copy_from_slice(body);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (body, padding) = (body.clone(), padding.clone());
            let service = service_fn(move |_| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().insert(PADDING, padding.clone());
                std::future::ready(Ok::<_, Infallible>(response))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

/// Fills a head of what hyper writes by itself up to this length.
fn padding(head_bytes: usize, body_bytes: usize) -> anyhow::Result<HeaderValue> {
    let own = format!(
        "HTTP/1.1 200 OK\r\npadding: \r\ncontent-length: {body_bytes}\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n"
    );
    let missing = head_bytes
        .checked_sub(own.len())
        .context("the answer's head is shorter than hyper's own")?;
    Ok(HeaderValue::try_from("x".repeat(missing))?)
}
