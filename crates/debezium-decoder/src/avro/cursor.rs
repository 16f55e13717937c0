//! The primitives of Avro's binary encoding, taken off the front of a body.

/// Why a body is not what its schema says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadBody(pub &'static str);

/// Values nest no deeper than this.
pub(super) const DEPTH_MAX: usize = 64;

pub(super) const NO_BRANCH: BadBody = BadBody("a union has no such branch");
pub(super) const NO_SYMBOL: BadBody = BadBody("an enum has no such symbol");
pub(super) const TOO_DEEP: BadBody = BadBody("it is nested too deep");
const ENDS_EARLY: BadBody = BadBody("it ends in the middle of a value");

/// What is left of a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// That nothing is left.
    pub fn ends(self) -> Result<(), BadBody> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(BadBody("it goes on after its end"))
        }
    }

    pub fn sized(&mut self) -> Result<&'a [u8], BadBody> {
        let len = usize::try_from(self.long()?).map_err(|_| BadBody("a length is negative"))?;
        self.take(len)
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], BadBody> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], BadBody> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Variable length, seven bits a byte, least first, zigzag.
    pub fn long(&mut self) -> Result<i64, BadBody> {
        let mut number = 0_u64;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(if self.rest.len() < 10 {
            ENDS_EARLY
        } else {
            BadBody("a number is too long")
        })
    }

    pub fn boolean(&mut self) -> Result<bool, BadBody> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(BadBody("a boolean is neither 0 nor 1")),
        }
    }

    pub fn text(&mut self) -> Result<&'a str, BadBody> {
        std::str::from_utf8(self.sized()?).map_err(|_| BadBody("a string is not UTF-8"))
    }

    /// Of a union of null and one other type: whether it is the other one.
    pub fn is_there(&mut self, null: i64) -> Result<bool, BadBody> {
        match self.long()? {
            branch if branch == null => Ok(false),
            0 | 1 => Ok(true),
            _ => Err(NO_BRANCH),
        }
    }

    /// One of `choices`, by its number.
    pub fn choice<'t, T>(&mut self, choices: &'t [T], missing: BadBody) -> Result<&'t T, BadBody> {
        let number = usize::try_from(self.long()?).ok();
        number.and_then(|number| choices.get(number)).ok_or(missing)
    }
}
