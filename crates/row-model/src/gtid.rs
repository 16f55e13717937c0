//! Global transaction ids of `MySQL` and `MariaDB`: a number on a line of numbers.

/// A line on which transactions are numbered one after the other: a server's uuid (`MySQL`, with its tag if it
/// has one), or a replication domain (`MariaDB`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GtidLine(pub u64);

/// One transaction's place, or that of the last one of a set's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gtid {
    pub line: GtidLine,
    pub number: u64,
}

impl Gtid {
    /// Reads `3e11fa47-71ca-11e1-9e33-c80aa9429562:23`, `…:1-23`, `…:tag:1-5:7`, or `0-1-23`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.split_once(':') {
            Some((uuid, intervals)) => Self::of_uuid(uuid.trim(), intervals),
            None => Self::of_domain(text),
        }
    }

    fn of_uuid(uuid: &str, intervals: &str) -> Option<Self> {
        let is_uuid = uuid.len() == 36
            && uuid
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        if !is_uuid {
            return None;
        }
        let (mut tag, mut last) = ("", None);
        for part in intervals.split(':').map(str::trim) {
            let end = part.rsplit('-').next()?;
            match number(end) {
                Some(end) => last = last.max(Some(end)),
                None if last.is_none() && tag.is_empty() && !part.is_empty() => tag = part,
                None => return None,
            }
        }
        Some(Self {
            line: line_of(&[uuid, tag]),
            number: last?,
        })
    }

    /// The server is left out: a domain numbers the transactions of all its servers.
    fn of_domain(text: &str) -> Option<Self> {
        let mut parts = text.split('-').map(number);
        let (domain, _server, number) = (parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(Self {
            line: GtidLine(domain),
            number,
        })
    }
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// FNV-1a over names whose case means nothing. On disk, so the same in every process and version.
fn line_of(names: &[&str]) -> GtidLine {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0xff]));
    GtidLine(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn a_set_stands_for_its_last_number() {
        let of = |text: &str| Gtid::parse(text).map(|gtid| gtid.number);
        assert_eq!(of(&format!("{UUID}:23")), Some(23));
        assert_eq!(of(&format!("{UUID}:1-5:11-18:7")), Some(18));
        assert_eq!(of(&format!("{UUID}:nightly:1-9")), Some(9));
        assert_eq!(of("0-1-42"), Some(42));
        for text in ["", "7", "0-1", "0-1-2-3", "shop:7", "0-x-1", UUID] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(of(&format!("{UUID}:")), None);
        assert_eq!(of(&format!("{UUID}:1-x")), None);
    }

    #[test]
    fn lines_are_servers_tags_and_domains() {
        let line = |text: String| Gtid::parse(&text).map(|gtid| gtid.line);
        let plain = line(format!("{UUID}:23"));
        assert_eq!(plain, line(format!("{}:1-7", UUID.to_uppercase())));
        assert_ne!(plain, line(format!("{UUID}:nightly:23")));
        assert_eq!(line("3-1-42".to_owned()), line("3-2-43".to_owned()));
        assert_ne!(line("3-1-42".to_owned()), line("4-1-42".to_owned()));
    }
}
