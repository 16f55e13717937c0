//! Sizes, durations and addresses: text that a person writes, with an answer when it does not fit.
//!
//! Every error here is the rest of a sentence that begins with the key.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use debezium_decoder::Placeholder;
use ingest::VersionsMax;

/// What is wrong with a value, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    pub what: String,
    pub help: String,
}

impl Unusable {
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: help.into(),
        }
    }
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Longer paths do not fit the system's socket address (`sun_path`, less the zero at its end).
const UNIX_PATH_BYTES_MAX: usize = 107;

impl ListenAddress {
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err(Unusable::new(
                    "has no path after `unix:`",
                    "write \"unix:/run/rowtide.sock\"",
                )),
                1..=UNIX_PATH_BYTES_MAX => Ok(Self::Unix(path.into())),
                len => Err(Unusable::new(
                    format!("has a path of {len} bytes; the system takes {UNIX_PATH_BYTES_MAX}"),
                    "choose a shorter path",
                )),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        match text
            .rsplit_once(':')
            .map(|(host, port)| (host, port.parse()))
        {
            Some(("localhost", Ok(port))) => Ok(Self::Tcp(SocketAddr::new(
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                port,
            ))),
            Some(("", Ok(port))) => Err(Unusable::new(
                format!("{text:?} has no host"),
                format!("write \"127.0.0.1:{port}\""),
            )),
            _ => Err(Unusable::new(
                format!("{text:?} is no address to listen on"),
                "write an IP address and a port, such as \"127.0.0.1:8080\", or \"unix:/path\"",
            )),
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// Bytes, at least `min`: too small a limit is nearly always a forgotten unit.
pub fn parse_size(text: &str, min: ByteSize) -> Result<u64, Unusable> {
    let Ok(size) = text.trim().parse::<ByteSize>() else {
        return Err(Unusable::new(
            format!("{text:?} is no size"),
            "write a number and a unit, such as \"512MiB\" or \"4GiB\"",
        ));
    };
    if size < min {
        return Err(Unusable::new(
            format!("{text:?} is only {} bytes", size.as_u64()),
            format!(
                "write at least \"{}\"",
                min.display().iec().to_string().replace(".0 ", "")
            ),
        ));
    }
    Ok(size.as_u64())
}

/// A share of the memory that tables may take, or bytes.
pub fn parse_share(text: &str) -> Result<VersionsMax, Unusable> {
    let Some(number) = text.trim().strip_suffix('%') else {
        return parse_size(text, ByteSize::b(0)).map(VersionsMax::Bytes);
    };
    let percent = number.trim().parse().ok().filter(|percent| *percent <= 50);
    percent.map(VersionsMax::Percent).ok_or_else(|| {
        Unusable::new(
            format!("{text:?} is no share that can be kept"),
            "write \"0%\" to \"50%\", or a size such as \"64MiB\"",
        )
    })
}

pub fn parse_duration(text: &str, min: Duration, max: Duration) -> Result<Duration, Unusable> {
    let Ok(duration) = humantime::parse_duration(text.trim()) else {
        return Err(Unusable::new(
            format!("{text:?} is no duration"),
            "write a number and a unit, such as \"500ms\", \"1s\" or \"2m\"",
        ));
    };
    if !(min..=max).contains(&duration) {
        let [min, max] = [min, max].map(humantime::format_duration);
        return Err(Unusable::new(
            format!("{text:?} is out of bounds"),
            format!("write at least \"{min}\" and at most \"{max}\""),
        ));
    }
    Ok(duration)
}

/// The connector's `unavailable.value.placeholder`. An empty one would take every empty text for a
/// value that was not sent.
pub fn parse_placeholder(text: &str) -> Result<Placeholder, Unusable> {
    match Placeholder::parse(text) {
        Ok(placeholder) if !["", "hex:"].contains(&text) => Ok(placeholder),
        _ => Err(Unusable::new(
            format!("{text:?} is no placeholder"),
            "write what unavailable.value.placeholder of the connector says: text, or `hex:` and two hex digits for each byte",
        )),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check<T: fmt::Debug>(result: Result<T, Unusable>, expected: &Expect) {
        expected.assert_eq(&match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("… {}: {}", error.what, error.help),
        });
    }

    #[test]
    fn addresses() {
        let parse = ListenAddress::parse;
        check(parse("127.0.0.1:8080"), &expect!["Tcp(127.0.0.1:8080)"]);
        check(parse("localhost:0"), &expect!["Tcp(127.0.0.1:0)"]);
        check(parse("[::1]:8080"), &expect!["Tcp([::1]:8080)"]);
        check(
            parse("unix:/run/r.sock"),
            &expect![[r#"Unix("/run/r.sock")"#]],
        );
        check(
            parse(":8080"),
            &expect![[r#"… ":8080" has no host: write "127.0.0.1:8080""#]],
        );
        check(
            parse("8080"),
            &expect![[
                r#"… "8080" is no address to listen on: write an IP address and a port, such as "127.0.0.1:8080", or "unix:/path""#
            ]],
        );
        check(
            parse("unix:"),
            &expect![[r#"… has no path after `unix:`: write "unix:/run/rowtide.sock""#]],
        );
        check(
            parse(&format!("unix:/{}", "x".repeat(107))),
            &expect!["… has a path of 108 bytes; the system takes 107: choose a shorter path"],
        );
        let local = |text| parse(text).is_ok_and(|address| address.is_local());
        assert!(
            local("127.0.0.9:1")
                && local("[::1]:1")
                && local("[::ffff:127.0.0.1]:1")
                && local("unix:x")
        );
        assert!(!local("0.0.0.0:1") && !local("[::]:1") && !local("10.0.0.1:1"));
    }

    #[test]
    fn sizes() {
        let parse = |text| parse_size(text, ByteSize::mib(1));
        check(parse("4GiB"), &expect!["4294967296"]);
        check(parse("1.5 MiB"), &expect!["1572864"]);
        check(parse("1048576"), &expect!["1048576"]);
        check(
            parse("4"),
            &expect![[r#"… "4" is only 4 bytes: write at least "1MiB""#]],
        );
        check(
            parse("4 gigs"),
            &expect![[
                r#"… "4 gigs" is no size: write a number and a unit, such as "512MiB" or "4GiB""#
            ]],
        );
        check(
            parse("-1GiB"),
            &expect![[
                r#"… "-1GiB" is no size: write a number and a unit, such as "512MiB" or "4GiB""#
            ]],
        );
    }

    #[test]
    fn durations() {
        let parse = |text| parse_duration(text, Duration::from_millis(10), Duration::from_hours(1));
        check(parse("250ms"), &expect!["250ms"]);
        check(parse("1m 30s"), &expect!["90s"]);
        check(
            parse("5"),
            &expect![[
                r#"… "5" is no duration: write a number and a unit, such as "500ms", "1s" or "2m""#
            ]],
        );
        check(
            parse("1ms"),
            &expect![[r#"… "1ms" is out of bounds: write at least "10ms" and at most "1h""#]],
        );
    }

    #[test]
    fn placeholders() {
        assert_eq!(parse_placeholder("~~"), parse_placeholder("hex:7e7E"));
        for wrong in ["", "hex:", "hex:0", "hex:+1"] {
            let error = parse_placeholder(wrong).expect_err(wrong);
            assert_eq!(error.what, format!("{wrong:?} is no placeholder"));
        }
    }
}
