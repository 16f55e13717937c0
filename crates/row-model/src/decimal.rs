//! Exact decimals: an unscaled integer of any size and a scale, as Debezium and the databases have them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `unscaled * 10^-scale`, the unscaled number in big-endian two's complement, shortest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    pub scale: i32,
    pub unscaled: &'a [u8],
}

/// The text is no decimal number, or its exponent is beyond [`EXPONENT_MAX`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct DecimalError;

/// More digits than this are no number of any database (`PostgreSQL` holds 131,072 before the point).
const DIGITS_MAX: usize = 200_000;
const EXPONENT_MAX: u32 = 200_000;

impl<'a> Decimal<'a> {
    /// Drops sign bytes that say nothing, so that equal numbers of one scale have equal bytes.
    #[must_use]
    pub fn new(scale: i32, unscaled: &'a [u8]) -> Self {
        let mut rest = unscaled;
        while let [first, second, ..] = rest {
            let redundant =
                (*first == 0 && second & 0x80 == 0) || (*first == 0xff && second & 0x80 != 0);
            if !redundant {
                break;
            }
            rest = &rest[1..];
        }
        Self {
            scale,
            unscaled: rest,
        }
    }

    /// Sign and decimal digits of the unscaled number, without leading zeros (`"0"` for zero).
    #[must_use]
    pub fn digits(&self) -> (bool, String) {
        match self.small() {
            Some(number) => (number < 0, number.unsigned_abs().to_string()),
            None => big_digits(self.unscaled),
        }
    }

    /// The unscaled number, if a machine holds it.
    #[must_use]
    pub fn small(&self) -> Option<i128> {
        if self.unscaled.len() > 16 {
            return None;
        }
        let negative = self.unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
        let seed = if negative { -1_i128 } else { 0 };
        let bytes = self.unscaled.iter();
        Some(bytes.fold(seed, |number, byte| number << 8 | i128::from(*byte)))
    }

    /// Plain notation with every digit of the scale: `"-0.050"`, `"1200"`.
    #[must_use]
    pub fn to_plain(&self) -> String {
        let (negative, digits) = self.digits();
        let mut out = String::with_capacity(digits.len() + 3);
        if negative {
            out.push('-');
        }
        match usize::try_from(self.scale) {
            Ok(0) => out.push_str(&digits),
            Ok(scale) if scale >= digits.len() => {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', scale - digits.len()));
                out.push_str(&digits);
            }
            Ok(scale) => {
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                out.push_str(whole);
                out.push('.');
                out.push_str(fraction);
            }
            Err(_) => {
                out.push_str(&digits);
                if digits != "0" {
                    out.extend(std::iter::repeat_n('0', self.scale.unsigned_abs() as usize));
                }
            }
        }
        out
    }

    /// Reads plain or scientific notation into a scale and the bytes of the unscaled number.
    ///
    /// An exponent is kept as a negative scale: written out, a few characters would become 200,000 digits.
    ///
    /// # Errors
    /// If `text` is no finite decimal number, or an absurdly long one.
    pub fn parse(text: &str) -> Result<(i32, Vec<u8>), DecimalError> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| DecimalError)?)
            }
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Cow<'_, str> = if fraction.is_empty() {
            whole.into()
        } else {
            format!("{whole}{fraction}").into()
        };
        if digits.is_empty() || digits.len() > DIGITS_MAX || exponent.unsigned_abs() > EXPONENT_MAX
        {
            return Err(DecimalError);
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DecimalError);
        }
        let scale = fraction.len() as i32 - exponent;
        Ok((scale, digits_to_bytes(&digits, negative)))
    }
}

/// Digits of a number of more than 16 bytes, by repeated division by 10^18.
fn big_digits(unscaled: &[u8]) -> (bool, String) {
    const BASE: u64 = 1_000_000_000_000_000_000;
    let negative = unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = unscaled.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    let mut words = magnitude_words(&magnitude);
    let mut groups = Vec::new();
    while !words.is_empty() {
        let mut remainder = 0_u128;
        for word in words.iter_mut().rev() {
            let value = remainder << 32 | u128::from(*word);
            // Fits: the remainder is below BASE, so the quotient is below 2^32.
            *word = (value / u128::from(BASE)) as u32;
            remainder = value % u128::from(BASE);
        }
        groups.push(remainder as u64);
        while words.last() == Some(&0) {
            words.pop();
        }
    }
    let mut digits = groups.last().map_or_else(|| "0".to_owned(), u64::to_string);
    for group in groups.iter().rev().skip(1) {
        let _ = write!(digits, "{group:018}"); // Writing to a string cannot fail.
    }
    (negative, digits)
}

/// Little-endian 32-bit words of a big-endian magnitude, without leading zero words.
fn magnitude_words(magnitude: &[u8]) -> Vec<u32> {
    let mut words: Vec<u32> = magnitude
        .rchunks(4)
        .map(|chunk| chunk.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
        .collect();
    while words.last() == Some(&0) {
        words.pop();
    }
    words
}

fn digits_to_bytes(digits: &str, negative: bool) -> Vec<u8> {
    let mut bytes = if let Ok(number) = digits.parse::<u64>() {
        number.to_be_bytes().to_vec()
    } else {
        big_bytes(digits)
    };
    bytes.insert(0, 0);
    if negative {
        negate(&mut bytes);
    }
    Decimal::new(0, &bytes).unscaled.to_vec()
}

/// Big-endian magnitude of a decimal digit string, as many digits at a time as a word holds.
fn big_bytes(digits: &str) -> Vec<u8> {
    const DIGITS: usize = 19;
    let mut words: Vec<u64> = Vec::with_capacity(digits.len() / DIGITS + 1);
    for group in digits.as_bytes().chunks(DIGITS) {
        let value = group
            .iter()
            .fold(0_u64, |n, digit| n * 10 + u64::from(digit - b'0'));
        let mut carry = value;
        let factor = 10_u64.pow(group.len() as u32);
        for word in &mut words {
            // Fits: a word times a factor below 2^64, and a carry below that factor.
            let product = u128::from(*word) * u128::from(factor) + u128::from(carry);
            *word = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            words.push(carry);
        }
    }
    words
        .iter()
        .rev()
        .flat_map(|word| word.to_be_bytes())
        .collect()
}

/// Two's complement negation in place.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
        *byte = sum;
        carry = over;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(scale: i32, unscaled: &[u8]) -> String {
        Decimal::new(scale, unscaled).to_plain()
    }

    #[test]
    fn every_digit_of_the_scale_is_shown() {
        assert_eq!(plain(2, &[0x0f, 0x9e]), "39.98");
        assert_eq!(plain(3, &[0xff, 0xce]), "-0.050");
        assert_eq!(plain(-2, &[12]), "1200");
        assert_eq!(plain(2, &[0]), "0.00");
        assert_eq!(plain(0, &[]), "0");
    }

    #[test]
    fn an_exponent_takes_no_digits_before_it_is_shown() {
        let (scale, unscaled) = Decimal::parse("-12e199999").unwrap();
        assert_eq!((scale, &unscaled[..]), (-199_999, &[0xf4][..]));
        let read = |text| {
            let (scale, unscaled) = Decimal::parse(text).unwrap();
            plain(scale, &unscaled)
        };
        assert_eq!(read("1.5e3"), "1500");
        assert_eq!(read("0e3"), "0");
        assert_eq!(read("-1e-2"), "-0.01");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "1.2.3",
            "0x1",
            "1e",
            "NaN",
            "1e999999",
            "1e-2147483648",
            "１",
        ] {
            assert_eq!(Decimal::parse(text), Err(DecimalError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_survives(negative: bool, whole in "(0|[1-9][0-9]{0,60})", fraction in "[0-9]{0,40}") {
            let zero = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
            let sign = if negative && !zero { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            let text = format!("{sign}{whole}{point}{fraction}");
            let (scale, bytes) = Decimal::parse(&text).unwrap();
            prop_assert_eq!(plain(scale, &bytes), text);
        }
    }
}
