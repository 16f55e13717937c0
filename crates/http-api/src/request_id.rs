//! The name of a request, in its answer, its errors and the log.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const GIVEN_BYTES_MAX: usize = 64;

/// The id the client gave, if it is harmless to repeat; else one of our own.
pub(crate) fn of(headers: &HeaderMap) -> HeaderValue {
    let given = headers
        .get(REQUEST_ID)
        .filter(|id| is_harmless(id.as_bytes()));
    given.cloned().unwrap_or_else(next)
}

/// Appends the same, given the bytes of the header if there is one.
pub(crate) fn write(given: Option<&[u8]>, out: &mut Vec<u8>) {
    match given.filter(|id| is_harmless(id)) {
        Some(id) => out.extend_from_slice(id),
        None => out.extend_from_slice(&next_digits()),
    }
}

pub(crate) fn as_str(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}

/// Unique within the process, and most likely among processes.
fn next() -> HeaderValue {
    HeaderValue::from_bytes(&next_digits()).unwrap_or(HeaderValue::from_static("0"))
}

fn next_digits() -> [u8; 16] {
    static BOOT: OnceLock<u32> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let boot = *BOOT.get_or_init(|| RandomState::new().hash_one(std::process::id()) as u32);
    let number = u64::from(boot) << 32 | u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
    std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - 4 * place) & 0xf) as usize])
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=GIVEN_BYTES_MAX).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_id_is_kept_and_any_other_replaced() {
        let of_given = |given: &'static str| {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(given))]);
            as_str(&of(&headers)).to_owned()
        };
        assert_eq!(of_given("01J-a.b"), "01J-a.b");
        assert_eq!(of_given("<script>").len(), 16);
        assert_eq!(of_given("").len(), 16);
        let (first, second) = (next(), next());
        assert_ne!(first, second);
    }
}
