//! What the client is told, and what is wrong with it.
//!
//! Refuses contradictions and files that cannot be used when the client is made, so that nothing of
//! the kind turns up when the first schema is needed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{RegistryAddress, limits};

/// How to reach a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryOptions {
    /// At least one; they are tried in turn.
    pub addresses: Vec<RegistryAddress>,
    /// For all addresses. One that stands in an address wins there.
    pub login: Option<Login>,
    /// The only certificates to trust (PEM), instead of those that everyone trusts.
    pub ca_file: Option<PathBuf>,
    /// What this side shows of itself.
    pub client_certificate: Option<ClientCertificate>,
    /// One request with its answer may take this long.
    pub timeout: Duration,
}

/// A certificate with its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    Basic { username: String, password: String },
    Bearer(String),
}

impl fmt::Debug for Login {
    /// Says of what kind it is, never what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

/// Why no client can be made of its options.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Not one address is given, or more than anyone has.
    #[error(
        "a schema registry has at least one address and at most {}",
        limits::ADDRESSES_MAX
    )]
    Addresses,
    /// A token or user name has characters that no header may have.
    #[error("the token for the schema registry has characters that no HTTP header can carry")]
    Login,
    /// https or certificates are asked for, and this binary cannot do it.
    #[error(
        "{what} needs the cargo feature `tls`, which this binary was built without: use the release image, or build with `--features tls`"
    )]
    NoTls { what: String },
    /// A file with certificates or a key cannot be read, or holds nothing of the kind.
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    /// The certificate and the key do not belong together, or are of a kind that is not understood.
    #[error("the client certificate for the schema registry cannot be used: {0}")]
    ClientCertificate(String),
}

impl RegistryOptions {
    #[must_use]
    pub fn new(addresses: Vec<RegistryAddress>) -> Self {
        Self {
            addresses,
            login: None,
            ca_file: None,
            client_certificate: None,
            timeout: limits::TIMEOUT,
        }
    }

    /// The first thing asked for that needs TLS.
    pub(crate) fn needs_tls(&self) -> Option<String> {
        let https = self.addresses.iter().find(|address| address.is_https());
        let https = https.map(ToString::to_string);
        let ca = self.ca_file.as_ref().map(|path| path.display().to_string());
        let client = self.client_certificate.as_ref();
        let client = client.map(|client| client.certificate_file.display().to_string());
        https.or(ca).or(client)
    }
}
