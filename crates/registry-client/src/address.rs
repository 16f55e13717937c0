//! The address of a registry, with the login that may stand in it kept apart.
//!
//! Invariant: what is displayed never contains the login.

use std::fmt;

use http::uri::Authority;
use percent_encoding::percent_decode_str;

use crate::Login;

/// Where a registry answers: `http://host:port/path`.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// Scheme, host, port and path, without a `/` at its end.
    url: String,
    login: Option<Login>,
}

/// Why a text is no address of a registry. The text itself is never repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not begin with `http://` or `https://`.
    #[error("begins with neither http:// nor https://")]
    Scheme,
    /// What stands between the scheme and the path is no host, or no host and port.
    #[error("has no usable host and port")]
    Host,
    /// It goes on with `?` or `#`, or with what no path may have.
    #[error("has more than scheme, host, port and path, or characters that no path has")]
    Path,
    /// What stands before the `@` is not `user:password`, percent-encoded.
    #[error("has something before its `@` that is not user:password")]
    Login,
}

impl RegistryAddress {
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (scheme, rest) = ["http://", "https://"]
            .into_iter()
            .find_map(|scheme| Some((scheme, text.strip_prefix(scheme)?)))
            .ok_or(AddressError::Scheme)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login_of(login)?), host),
            None => (None, authority),
        };
        let parsed: Authority = host.parse().map_err(|_| AddressError::Host)?;
        // The port is checked by number: `http` takes any digits.
        let has_port = parsed.as_str().len() > parsed.host().len();
        if parsed.host().is_empty() || (has_port && parsed.port_u16().is_none_or(|port| port == 0))
        {
            return Err(AddressError::Host);
        }
        let fits = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c);
        if !path.chars().all(fits) {
            return Err(AddressError::Path);
        }
        let path = path.trim_end_matches('/');
        Ok(Self {
            url: format!("{scheme}{host}{path}"),
            login,
        })
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// The login that stands in the address.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// The address of something the registry has; `path` begins with `/`.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn login_of(text: &str) -> Result<Login, AddressError> {
    let (user, password) = text.split_once(':').ok_or(AddressError::Login)?;
    let plain = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| AddressError::Login)
    };
    Ok(Login::Basic {
        username: plain(user)?,
        password: plain(password)?,
    })
}

impl fmt::Display for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Debug for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_out_of_the_address() {
        let address = RegistryAddress::parse("https://me:p%40ss@r.example:8085/apis/ccompat/v7/");
        let address = address.unwrap();
        assert_eq!(
            address.to_string(),
            "https://r.example:8085/apis/ccompat/v7"
        );
        assert!(!format!("{address:?}").contains("ss@"));
        let login = Login::Basic {
            username: "me".to_owned(),
            password: "p@ss".to_owned(),
        };
        assert_eq!(address.login(), Some(&login));
        assert_eq!(
            address.join("/schemas/ids/7"),
            "https://r.example:8085/apis/ccompat/v7/schemas/ids/7"
        );
    }

    #[test]
    fn what_is_no_address_is_told_apart() {
        let refused = |text| RegistryAddress::parse(text).unwrap_err();
        for text in ["registry:8081", "ftp://r", "", "HTTP"] {
            assert_eq!(refused(text), AddressError::Scheme, "{text}");
        }
        for text in [
            "http://",
            "http:///x",
            "http://r:port",
            "http://r:0",
            "http://r:99999",
            "http://a b",
        ] {
            assert_eq!(refused(text), AddressError::Host, "{text}");
        }
        for text in ["http://r/a b", "http://r/?x=1", "http://r/#x"] {
            assert_eq!(refused(text), AddressError::Path, "{text}");
        }
        assert_eq!(refused("http://secret@r"), AddressError::Login);
        for text in ["http://r", "http://10.0.0.1:8081", "http://[::1]:8081/x"] {
            assert_eq!(RegistryAddress::parse(text).unwrap().to_string(), text);
        }
    }
}
