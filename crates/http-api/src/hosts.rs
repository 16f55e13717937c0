//! Which `Host` and `Origin` a listener answers to. A web page can make a browser reach a server on
//! the same machine under a name of its own (DNS rebinding); the name gives it away.

use http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};

/// The hosts a listener is reached under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// `None`: any.
    names: Option<Vec<String>>,
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Hosts {
    /// For a listener that no browser can be led to, or whose network is somebody else's care.
    #[must_use]
    pub fn any() -> Self {
        Self { names: None }
    }

    /// For a loopback listener: its own names, and those in `more`.
    #[must_use]
    pub fn loopback(more: &[String]) -> Self {
        let own = LOOPBACK.iter().map(|name| (*name).to_owned());
        Self {
            names: Some(own.chain(more.iter().cloned()).collect()),
        }
    }

    /// The same of a request that has nothing but a `Host`, if that.
    pub(crate) fn admit_host(&self, host: Option<&[u8]>) -> bool {
        let (Some(names), Some(host)) = (&self.names, host) else {
            return true;
        };
        is_authority(str::from_utf8(host).ok(), |host| {
            names.iter().any(|name| name.eq_ignore_ascii_case(host))
        })
    }

    /// Whether the request was meant for this listener. A request without any host is: browsers always send one.
    pub(crate) fn admit(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let named = |host: &str| names.iter().any(|name| name.eq_ignore_ascii_case(host));
        let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
        let origin = headers
            .get(header::ORIGIN)
            .map(|origin| is_origin(origin.to_str().ok(), named));
        self.admit_host(host) && origin.unwrap_or(true) && uri.host().is_none_or(named)
    }
}

/// `host` or `host:port`, an IPv6 address in brackets.
fn is_authority(value: Option<&str>, named: impl Fn(&str) -> bool) -> bool {
    let Some(value) = value else { return false };
    // Nearly every request's, told without taking it apart.
    if let Some((host, port)) = value.split_once(':')
        && LOOPBACK.contains(&host)
        && port.bytes().all(|digit| digit.is_ascii_digit())
    {
        return named(host);
    }
    value
        .parse::<Authority>()
        .is_ok_and(|authority| named(authority.host()))
}

/// `scheme://host:port`. A page without an origin of its own sends `null`.
fn is_origin(value: Option<&str>, named: impl Fn(&str) -> bool) -> bool {
    let origin = value.and_then(|value| value.parse::<Uri>().ok());
    origin.as_ref().and_then(Uri::host).is_some_and(named)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn admits(uri: &str, headers: &[(header::HeaderName, &str)]) -> bool {
        let hosts = Hosts::loopback(&["cache.local".to_owned()]);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        hosts.admit(&uri.parse().unwrap(), &headers.collect())
    }

    #[test]
    fn a_loopback_listener_answers_to_its_own_names_only() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "cache.local:1",
        ] {
            assert!(admits("/", &[(header::HOST, host)]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "::1",
            "é",
        ] {
            assert!(!admits("/", &[(header::HOST, host)]), "{host}");
        }
        assert!(admits("/", &[]));
        assert!(!admits(
            "http://evil.example/v1/tables",
            &[(header::HOST, "localhost")]
        ));
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let origin = |origin| {
            admits(
                "/",
                &[(header::HOST, "localhost"), (header::ORIGIN, origin)],
            )
        };
        assert!(origin("http://localhost:3000"));
        assert!(origin("http://[::1]:8080"));
        for foreign in [
            "https://evil.example",
            "null",
            "file://",
            "http://localhost.evil.example",
        ] {
            assert!(!origin(foreign), "{foreign}");
        }
    }
}
