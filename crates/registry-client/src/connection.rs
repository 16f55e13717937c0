//! One registry at all its addresses: asks one after the other until one answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use ureq::Agent;

use crate::answer::{Refusal, refusal};
use crate::{Login, OptionsError, RegistryOptions, limits};

/// What registries answer in.
const MEDIA_TYPES: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// What an answer with this status, this place to look for it instead and this body means.
pub(crate) type Judge = fn(u16, Option<&str>, &[u8]) -> Refusal;

pub(crate) struct Connection {
    agent: Agent,
    /// Where to ask, and what to show there. Its `Debug` hides that.
    targets: Vec<(crate::RegistryAddress, Option<HeaderValue>)>,
    /// The one that answered last: it is asked first.
    current: usize,
    timeout: Duration,
}

impl Connection {
    pub fn new(options: &RegistryOptions) -> Result<Self, OptionsError> {
        if !(1..=limits::ADDRESSES_MAX).contains(&options.addresses.len()) {
            return Err(OptionsError::Addresses);
        }
        let config = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("rowtide/", env!("CARGO_PKG_VERSION")));
        #[cfg(feature = "tls")]
        let config = match options.needs_tls() {
            Some(_) => config.tls_config(crate::tls::config(options)?),
            None => config,
        };
        #[cfg(not(feature = "tls"))]
        if let Some(what) = options.needs_tls() {
            return Err(OptionsError::NoTls { what });
        }
        let targets = options.addresses.iter().map(|address| {
            let login = address.login().or(options.login.as_ref());
            Ok((address.clone(), login.map(authorization).transpose()?))
        });
        Ok(Self {
            agent: config.build().new_agent(),
            targets: targets.collect::<Result<_, OptionsError>>()?,
            current: 0,
            timeout: options.timeout,
        })
    }

    /// All addresses, without logins.
    pub fn name(&self) -> String {
        let names: Vec<String> = self
            .targets
            .iter()
            .map(|(address, _)| address.to_string())
            .collect();
        names.join(", ")
    }

    /// Gets what is at `path`, from the first address that answers.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, Refusal> {
        self.ask(path, None, refusal)
    }

    /// The same, with JSON to put there if there is any, and with what an answer that is no 200 means.
    pub fn ask(
        &mut self,
        path: &str,
        json: Option<&[u8]>,
        refusal: Judge,
    ) -> Result<Vec<u8>, Refusal> {
        let mut reasons = Vec::new();
        for turn in 0..self.targets.len() {
            let at = (self.current + turn) % self.targets.len();
            match self.ask_one(at, path, json, refusal) {
                Err(Refusal::Trouble(reason)) if self.targets.len() > 1 => {
                    reasons.push(format!("{}: {reason}", self.targets[at].0));
                }
                Err(Refusal::Trouble(reason)) => reasons.push(reason),
                answer => {
                    self.current = at;
                    return answer;
                }
            }
        }
        Err(Refusal::Trouble(reasons.join("; ")))
    }

    fn ask_one(
        &self,
        at: usize,
        path: &str,
        json: Option<&[u8]>,
        refusal: Judge,
    ) -> Result<Vec<u8>, Refusal> {
        let (address, authorization) = &self.targets[at];
        let request = http::Request::builder()
            .method(if json.is_some() { "PUT" } else { "GET" })
            .uri(address.join(path))
            .header(ACCEPT, MEDIA_TYPES);
        let request = match authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        };
        let trouble = |error| Refusal::Trouble(self.in_words(&error));
        let impossible = |error: http::Error| Refusal::Trouble(error.to_string());
        let response = match json {
            None => self.agent.run(request.body(()).map_err(impossible)?),
            Some(json) => {
                let request = request.header(CONTENT_TYPE, "application/json");
                self.agent.run(request.body(json).map_err(impossible)?)
            }
        };
        let mut response = response.map_err(trouble)?;
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).cloned();
        let body = response
            .body_mut()
            .with_config()
            .limit(limits::ANSWER_BYTES_MAX);
        let body = body.read_to_vec();
        if status == 200 {
            return body.map_err(trouble);
        }
        let location = location.as_ref().and_then(|place| place.to_str().ok());
        Err(refusal(status, location, &body.unwrap_or_default()))
    }

    /// Never contains what was sent.
    fn in_words(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => {
                format!("it does not answer within {:?}", self.timeout)
            }
            ureq::Error::HostNotFound => "its host is not found".to_owned(),
            ureq::Error::BodyExceedsLimit(max) => {
                format!("its answer is larger than {max} bytes")
            }
            ureq::Error::Io(error) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => error.to_string(),
            },
            error => error.to_string(),
        }
    }
}

fn authorization(login: &Login) -> Result<HeaderValue, OptionsError> {
    let text = match login {
        Login::Basic { username, password } => {
            format!(
                "Basic {}",
                STANDARD.encode(format!("{username}:{password}"))
            )
        }
        Login::Bearer(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| OptionsError::Login)?;
    value.set_sensitive(true);
    Ok(value)
}
