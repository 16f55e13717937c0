//! Another server that stands beside the brokers and answers in JSON, such as Kafka Connect: reached, logged into and
//! bounded in the same way as a registry.

use crate::answer::{Refusal, words};
use crate::connection::Connection;
use crate::{OptionsError, RegistryOptions};

/// One server at all its addresses. Never shows what it is logged into with.
pub struct RestServer(Connection);

impl RestServer {
    /// Reads certificates and keys; speaks to nobody yet.
    pub fn new(options: &RegistryOptions) -> Result<Self, OptionsError> {
        Connection::new(options).map(Self)
    }

    /// Its addresses, without logins.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// Gets what is at `path`, from the first address that answers; or says why there is nothing.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, String> {
        self.0.ask(path, None, judge).map_err(in_words)
    }

    /// Puts JSON there, and gets the answer.
    pub fn put(&mut self, path: &str, json: &[u8]) -> Result<Vec<u8>, String> {
        self.0.ask(path, Some(json), judge).map_err(in_words)
    }
}

fn in_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::NotThere(reason) | Refusal::Trouble(reason) => reason,
    }
}

/// Servers of this kind say what is wrong in `message`.
fn judge(status: u16, _: Option<&str>, body: &[u8]) -> Refusal {
    let said = serde_json::from_slice::<serde_json::Value>(body).ok();
    let said = said.as_ref().and_then(|said| said.get("message")?.as_str());
    let said = said.map_or_else(String::new, |said| format!(", \"{}\"", words(said)));
    let help = match status {
        300..=399 => ": it is somewhere else",
        401 | 403 => ": it wants a login, http://user:password@host",
        404 => ": nothing is there, so the address may be another server's",
        _ => "",
    };
    Refusal::Trouble(format!("it answers {status}{said}{help}"))
}
