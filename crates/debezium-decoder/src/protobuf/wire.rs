//! The bytes of Protobuf: tags, varints, lengths, groups.
//!
//! Refuses what no encoder writes (a length beyond the end, field number 0, an unknown wire type)
//! and never allocates. A token borrows the bytes it stands for.

/// Groups inside groups; nobody nests them, and each level is read again by the one around it.
const GROUPS_MAX: u32 = 16;
const GROUP_END: u32 = 4;

/// What a body is not, in words that follow "field x".
pub(super) type Fault = &'static str;

pub(super) const TRUNCATED: Fault = "ends in the middle of a value";
const LONG_VARINT: Fault = "has a number of more than ten bytes";
const NO_FIELD: Fault = "has a field number that cannot be";
const NO_WIRE_TYPE: Fault = "has a wire type that Protobuf does not know";
const OPEN_GROUP: Fault = "has a group that does not end as it began";
const DEEP_GROUP: Fault = "has groups nested too deeply";

/// One value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    /// What lies between the tags of a group.
    Group(&'a [u8]),
}

/// How the elements of a packed field lie on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Varint,
    Fixed64,
    Fixed32,
}

/// Reads tokens from the front of what is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, Token<'a>)>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        if wire_type == GROUP_END {
            return Err(OPEN_GROUP);
        }
        self.token(number, wire_type, GROUPS_MAX)
            .map(|token| Some((number, token)))
    }

    /// The next element of a packed field; `None` at the end.
    pub fn element(&mut self, packing: Packing) -> Result<Option<Token<'a>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let token = match packing {
            Packing::Varint => Token::Varint(self.varint()?),
            Packing::Fixed64 => Token::Fixed64(u64::from_le_bytes(self.array()?)),
            Packing::Fixed32 => Token::Fixed32(u32::from_le_bytes(self.array()?)),
        };
        Ok(Some(token))
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte holds the last bit; what is beyond it is cut off, as everywhere.
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            TRUNCATED
        } else {
            LONG_VARINT
        })
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u32), Fault> {
        let tag = u32::try_from(self.varint()?).map_err(|_| NO_FIELD)?;
        if tag >> 3 == 0 {
            return Err(NO_FIELD);
        }
        Ok((tag >> 3, tag & 7))
    }

    #[inline]
    fn token(&mut self, number: u32, wire_type: u32, groups: u32) -> Result<Token<'a>, Fault> {
        match wire_type {
            0 => self.varint().map(Token::Varint),
            1 => Ok(Token::Fixed64(u64::from_le_bytes(self.array()?))),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| TRUNCATED)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
                self.rest = rest;
                Ok(Token::Bytes(bytes))
            }
            3 => self.group(number, groups).map(Token::Group),
            5 => Ok(Token::Fixed32(u32::from_le_bytes(self.array()?))),
            _ => Err(NO_WIRE_TYPE),
        }
    }

    fn group(&mut self, number: u32, groups: u32) -> Result<&'a [u8], Fault> {
        let groups = groups.checked_sub(1).ok_or(DEEP_GROUP)?;
        let start = self.rest;
        loop {
            let length = start.len() - self.rest.len();
            let (inner, wire_type) = self.tag()?;
            if wire_type == GROUP_END {
                return if inner == number {
                    Ok(&start[..length])
                } else {
                    Err(OPEN_GROUP)
                };
            }
            self.token(inner, wire_type, groups)?;
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

/// Negative numbers as small ones: 0, -1, 1, -2 are 0, 1, 2, 3.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<(u32, Token<'_>)>, Fault> {
        let mut reader = Reader::new(bytes);
        std::iter::from_fn(|| reader.field().transpose()).collect()
    }

    #[test]
    fn tokens_of_every_wire_type() {
        let group = [0x0b, 0x13, 0x14, 0x10, 0x05, 0x0c];
        assert_eq!(
            fields(&group),
            Ok(vec![(1, Token::Group(&[0x13, 0x14, 0x10, 0x05]))])
        );
        assert_eq!(
            fields(&[0x08, 0x96, 0x01, 0x12, 1, b'x', 0x1d, 1, 0, 0, 0]),
            Ok(vec![
                (1, Token::Varint(150)),
                (2, Token::Bytes(b"x")),
                (3, Token::Fixed32(1))
            ])
        );
        let largest = [
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        assert_eq!(fields(&largest), Ok(vec![(1, Token::Varint(u64::MAX))]));
        assert_eq!([0, 1, 2, u64::MAX].map(unzigzag), [0, -1, 1, i64::MIN]);
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        assert_eq!(fields(&[0x08]), Err(TRUNCATED));
        assert_eq!(fields(&[0x12, 5, b'x']), Err(TRUNCATED));
        assert_eq!(
            fields(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            Err(TRUNCATED)
        );
        assert_eq!(fields(&[0x08, 0x80]), Err(TRUNCATED));
        let mut long = vec![0x08];
        long.extend([0xff; 10]);
        assert_eq!(fields(&long), Err(LONG_VARINT));
        assert_eq!(fields(&[0x00, 0x00]), Err(NO_FIELD));
        assert_eq!(fields(&[0x0e]), Err(NO_WIRE_TYPE));
        assert_eq!(fields(&[0x0c]), Err(OPEN_GROUP));
        assert_eq!(fields(&[0x0b, 0x14]), Err(OPEN_GROUP));
        assert_eq!(fields(&[0x0b]), Err(TRUNCATED));
        assert_eq!(fields(&[0x0b; 1_000]), Err(DEEP_GROUP));
    }
}
