//! As much of a Confluent-compatible schema registry as a consumer asks for, over the schemas that a
//! recording was made with.
//!
//! Answers `GET /schemas/ids/{id}` and, for references, `GET /subjects/{subject}/versions/{version}`
//! (`latest` too); anything else is a 404 as a registry words it. Knows no writes and no
//! authentication.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

/// A client that sends nothing for so long is let go.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// One registered schema, as the recordings keep it.
#[derive(Clone, Debug, Deserialize)]
pub struct Schema {
    pub id: u32,
    pub subject: String,
    pub version: u32,
    #[serde(rename = "schemaType", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub references: Vec<Value>,
    /// The schema's own text.
    pub schema: String,
}

/// The file that a recording's schemas are kept in.
#[derive(Clone, Debug, Deserialize)]
pub struct Schemas {
    pub schemas: Vec<Schema>,
}

/// A running registry. Ends when it is dropped.
pub struct Registry {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Registry {
    pub fn start(schemas: Schemas) -> anyhow::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), schemas)
    }

    pub fn start_at(address: SocketAddr, schemas: Schemas) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(address).context("cannot start the registry")?;
        let address = socket.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let listener = thread::spawn(move || {
            for client in socket.incoming() {
                if seen.load(Ordering::Relaxed) {
                    break;
                }
                // A client that goes away in the middle is its own affair.
                let _ = client.and_then(|client| serve(&client, &schemas));
            }
        });
        Ok(Self {
            address,
            ended,
            listener: Some(listener),
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends; where it cannot be reached it has ended already.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// One request, one answer, then the connection ends.
fn serve(client: &TcpStream, schemas: &Schemas) -> std::io::Result<()> {
    client.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut lines = BufReader::new(client).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = answer(&request, schemas);
    let body = body.to_string();
    let mut client = client;
    write!(
        client,
        "HTTP/1.1 {status}\r\ncontent-type: application/vnd.schemaregistry.v1+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn answer(request: &str, schemas: &Schemas) -> (&'static str, Value) {
    let path = request
        .strip_prefix("GET ")
        .and_then(|rest| rest.split([' ', '?']).next())
        .unwrap_or_default();
    let segments: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match segments.as_slice() {
        ["schemas", "ids", id] => schemas
            .schemas
            .iter()
            .find(|schema| schema.id.to_string() == **id)
            .map(by_id),
        ["subjects", subject, "versions", version] => schemas
            .schemas
            .iter()
            .filter(|schema| schema.subject == **subject)
            .rfind(|schema| *version == "latest" || schema.version.to_string() == **version)
            .map(by_subject),
        _ => None,
    };
    match found {
        Some(found) => ("200 OK", found),
        None => (
            "404 Not Found",
            json!({"error_code": 40403, "message": "Schema not found"}),
        ),
    }
}

/// Avro, the first kind there was, goes without saying.
fn by_id(schema: &Schema) -> Value {
    let mut answer = json!({"schema": schema.schema});
    if let Some(kind) = schema.kind.as_deref().filter(|kind| *kind != "AVRO") {
        answer["schemaType"] = kind.into();
    }
    if !schema.references.is_empty() {
        answer["references"] = schema.references.clone().into();
    }
    answer
}

fn by_subject(schema: &Schema) -> Value {
    let mut answer = by_id(schema);
    answer["subject"] = schema.subject.clone().into();
    answer["version"] = schema.version.into();
    answer["id"] = schema.id.into();
    answer
}

fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16));
        bytes.push(match byte {
            b'%' => hex(rest.next())
                .zip(hex(rest.next()))
                .map_or(b'%', |(high, low)| (high * 16 + low) as u8),
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> (u16, String) {
        let schemas = r#"{"schemas":[
            {"id":1,"subject":"t-key","version":1,"schemaType":"AVRO","references":[],"schema":"\"int\""},
            {"id":7,"subject":"a/b-value","version":2,"schemaType":"PROTOBUF","references":[{"name":"x"}],"schema":"syntax"}]}"#;
        let registry = Registry::start(serde_json::from_str(schemas).unwrap()).unwrap();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut response = agent
            .get(format!("{}{path}", registry.url()))
            .call()
            .unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    }

    #[test]
    fn schemas_are_found_by_id_and_by_subject() {
        assert_eq!(
            asked("/schemas/ids/1"),
            (200, r#"{"schema":"\"int\""}"#.to_owned())
        );
        let by_subject = r#"{"id":7,"references":[{"name":"x"}],"schema":"syntax","schemaType":"PROTOBUF","subject":"a/b-value","version":2}"#;
        assert_eq!(
            asked("/subjects/a%2Fb-value/versions/2?normalize=false"),
            (200, by_subject.to_owned())
        );
        assert_eq!(
            asked("/subjects/a%2Fb-value/versions/latest"),
            (200, by_subject.to_owned())
        );
    }

    #[test]
    fn what_is_not_there_is_told_as_a_registry_tells_it() {
        for path in ["/schemas/ids/2", "/subjects/t-key/versions/2", "/config"] {
            let (status, body) = asked(path);
            assert_eq!(status, 404, "{path}");
            assert!(body.contains("40403"), "{path}: {body}");
        }
    }
}
