//! Validation of `[sources.schema_registry]`.
//!
//! Refuses to repeat an address that cannot be read: it may hold a password.

use std::time::Duration;

use registry_client::{ClientCertificate, Login, RegistryAddress, RegistryOptions, limits};

use super::document::KeyPath;
use super::raw::{RawSchemaRegistry, RawUrls};
use super::units::parse_duration;
use super::validated::Findings;

/// A registry that needs longer is not one that records can wait for; one that may take no time never answers.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// `None` if there is no usable address; what else is wrong is found all the same.
pub fn validate(
    raw: RawSchemaRegistry,
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> Option<RegistryOptions> {
    let addresses = addresses(raw.url, at, findings);
    let mut options = RegistryOptions::new(addresses);
    if let Some(text) = &raw.timeout {
        match parse_duration(text, TIMEOUT_MIN, TIMEOUT_MAX) {
            Ok(timeout) => options.timeout = timeout,
            Err(error) => findings.unusable(&at.key("timeout"), error),
        }
    }
    let (username, password) = both(
        (raw.username, "username"),
        (raw.password, "password"),
        at,
        findings,
    )
    .unzip();
    options.login = login(username.zip(password), raw.token, at, findings);
    let named = options
        .addresses
        .iter()
        .any(|address| address.login().is_some());
    if named && options.login.is_some() {
        let what = format!("`{at}` has a login, and so has one of its addresses");
        let help = "keep one of them; `username` and `password` are for all addresses";
        findings.find(&at.key("url"), what, help);
    }
    let certificate = both(
        (raw.client_cert_file, "client_cert_file"),
        (raw.client_key_file, "client_key_file"),
        at,
        findings,
    );
    options.client_certificate = certificate.map(|(certificate, key)| ClientCertificate {
        certificate_file: certificate.into(),
        key_file: key.into(),
    });
    options.ca_file = raw.ca_file.map(Into::into);
    let plain =
        !options.addresses.is_empty() && !options.addresses.iter().any(RegistryAddress::is_https);
    for (key, given) in [
        ("ca_file", options.ca_file.is_some()),
        ("client_cert_file", options.client_certificate.is_some()),
    ] {
        if plain && given {
            let at = at.key(key);
            let what = format!("`{at}` does nothing for an address that begins with http://");
            findings.find(&at, what, "write https:// in `url`, or remove the key");
        }
    }
    (!options.addresses.is_empty()).then_some(options)
}

fn addresses(
    urls: Option<RawUrls>,
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> Vec<RegistryAddress> {
    let key = at.key("url");
    let written: Vec<(KeyPath, String)> = match urls {
        Some(RawUrls::Commas(text)) => text
            .split(',')
            .map(|url| (key.clone(), url.trim().to_owned()))
            .collect(),
        Some(RawUrls::List(list)) => list
            .into_iter()
            .enumerate()
            .map(|(index, url)| (key.index(index), url))
            .collect(),
        None => Vec::new(),
    };
    if written.is_empty() || written.len() > limits::ADDRESSES_MAX {
        let what = format!("`{at}` has {} addresses", written.len());
        let help = format!(
            "add url = \"http://registry:8081\", or a list of at most {}",
            limits::ADDRESSES_MAX
        );
        findings.find(&key, what, help);
    }
    let mut addresses = Vec::new();
    for (at, url) in written {
        match RegistryAddress::parse(&url) {
            Ok(address) => addresses.push(address),
            Err(error) => {
                let help = "write \"http://registry:8081\", or with https:// and a path as your registry has it";
                findings.find(&at, format!("`{at}` {error}"), help);
            }
        }
    }
    addresses
}

fn login(
    basic: Option<(String, String)>,
    token: Option<String>,
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> Option<Login> {
    if let (Some(_), Some(_)) = (&basic, &token) {
        let what = format!("`{at}` has both `username` and `token`");
        findings.find(
            &at.key("token"),
            what,
            "keep the one that the registry asks for",
        );
    }
    if let Some(token) = token {
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            let at = at.key("token");
            let what = format!("`{at}` is empty, or has characters that no token has");
            findings.find(&at, what, "write the token alone, without \"Bearer \"");
        }
        return Some(Login::Bearer(token));
    }
    basic.map(|(username, password)| Login::Basic { username, password })
}

/// Two keys of which neither means anything without the other.
fn both(
    (one, one_key): (Option<String>, &str),
    (other, other_key): (Option<String>, &str),
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> Option<(String, String)> {
    let (given, missing) = match (one, other) {
        (Some(one), Some(other)) => return Some((one, other)),
        (None, None) => return None,
        (Some(_), None) => (one_key, other_key),
        (None, Some(_)) => (other_key, one_key),
    };
    let what = format!("`{}` does nothing without `{missing}`", at.key(given));
    findings.find(
        &at.key(given),
        what,
        format!("add {missing} = \"…\", or remove `{given}`"),
    );
    None
}
