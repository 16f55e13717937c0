//! One message being written as JSON.
//!
//! A message is read to its end before anything is written, because fields may come in any order and
//! again: of a scalar the last occurrence counts, of a message all are parts, of a oneof the last member.
//! Occurrences are kept in one list for the whole record, so what is allocated is in proportion to what
//! was sent. Bounds: how deep messages nest, and how much JSON comes of it.

use std::collections::HashMap;

use super::known::{self, Parts};
use super::plan::{FieldPlan, MapPlan, MessagePlan, Program, Shape, ValuePlan};
use super::scalar::OTHER_TYPE;
use super::wire::{self, Packing, Reader, Token};

/// Messages inside messages. With an array around each this is the 128 levels of JSON that are read back.
const NESTING_MAX: usize = 60;
/// A few bytes can name a message of many absent fields; text grows sixfold at most.
const JSON_BYTES_MAX: usize = 64 << 20;
const NONE: u32 = u32::MAX;

const NESTED: wire::Fault = "is nested too deeply";
const TOO_LONG: wire::Fault = "makes more JSON than is accepted (64 MiB)";

/// What is wrong, and with which field.
#[derive(Debug)]
pub(super) struct Fault {
    reason: wire::Fault,
    path: Vec<String>,
}

impl From<wire::Fault> for Fault {
    fn from(reason: wire::Fault) -> Self {
        Self {
            reason,
            path: Vec::new(),
        }
    }
}

impl Fault {
    fn inside(mut self, field: &FieldPlan) -> Self {
        self.path.push(field.name.clone());
        self
    }

    /// `field after.id ends in the middle of a value`.
    pub fn text(&self) -> String {
        if self.path.is_empty() {
            return format!("it {}", self.reason);
        }
        let names: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        format!("field `{}` {}", names.join("."), self.reason)
    }
}

/// A value that was sent, and the next one of the same field.
#[derive(Clone, Copy, Debug)]
struct Occurrence<'a> {
    token: Token<'a>,
    next: u32,
}

/// The occurrences of one field. Of a oneof: `first` is the place of the member that was sent last.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
}

const EMPTY: Slot = Slot {
    first: NONE,
    last: NONE,
};

/// Where the lists ended before a message was read.
#[derive(Clone, Copy)]
struct Mark {
    slots: usize,
    occurrences: usize,
}

struct Writing<'p, 'a, 'o> {
    program: &'p Program,
    slots: Vec<Slot>,
    occurrences: Vec<Occurrence<'a>>,
    out: &'o mut String,
    start: usize,
}

/// Appends the JSON of message type `plan`.
pub(super) fn write_message(
    program: &Program,
    plan: usize,
    body: &[u8],
    out: &mut String,
) -> Result<(), Fault> {
    let start = out.len();
    let mut writing = Writing {
        program,
        slots: Vec::new(),
        occurrences: Vec::new(),
        out,
        start,
    };
    let root = writing.keep(Token::Bytes(body));
    writing.message(plan, false, root, NESTING_MAX)
}

impl<'a> Writing<'_, 'a, '_> {
    fn keep(&mut self, token: Token<'a>) -> u32 {
        // Records have far fewer bytes than that, and each occurrence has at least one.
        let place = self.occurrences.len() as u32;
        self.occurrences.push(Occurrence { token, next: NONE });
        place
    }

    fn message(
        &mut self,
        plan: usize,
        group: bool,
        first: u32,
        levels: usize,
    ) -> Result<(), Fault> {
        let levels = levels.checked_sub(1).ok_or(NESTED)?;
        let program = self.program;
        let plan = &program.messages[plan];
        let mark = self.read(plan, group, first)?;
        let mut before = '{';
        for (place, field) in plan.fields.iter().enumerate() {
            self.out.push(before);
            before = ',';
            self.out.push_str(&field.member);
            let first = self.slots[mark.slots + place].first;
            self.field(field, first, levels)
                .map_err(|fault| fault.inside(field))?;
            self.check_length()?;
        }
        if plan.fields.is_empty() {
            self.out.push('{');
        }
        self.out.push('}');
        self.forget(mark);
        Ok(())
    }

    /// Reads the parts of a message into slots for its fields and oneofs, which begin at the mark.
    fn read(&mut self, plan: &MessagePlan, group: bool, first: u32) -> Result<Mark, Fault> {
        let mark = Mark {
            slots: self.slots.len(),
            occurrences: self.occurrences.len(),
        };
        let fields = plan.fields.len();
        self.slots.resize(mark.slots + fields + plan.oneofs, EMPTY);
        let mut part = first;
        while part != NONE {
            let Occurrence { token, next } = self.occurrences[part as usize];
            let mut reader = Reader::new(body(token, group)?);
            let mut guess = 0;
            while let Some((number, token)) = reader.field()? {
                // Unknown fields are a newer schema's.
                let Some(place) = plan.place(number, guess) else {
                    continue;
                };
                guess = place + 1;
                let field = &plan.fields[place];
                if let Some(oneof) = field.oneof {
                    let chosen = &mut self.slots[mark.slots + fields + oneof].first;
                    let before = std::mem::replace(chosen, place as u32);
                    if before != NONE && before != place as u32 {
                        self.slots[mark.slots + before as usize] = EMPTY;
                    }
                }
                self.note(mark.slots + place, field, token);
            }
            part = next;
        }
        Ok(mark)
    }

    fn note(&mut self, slot: usize, field: &FieldPlan, token: Token<'a>) {
        let Slot { first, last } = self.slots[slot];
        if first == NONE {
            let place = self.keep(token);
            self.slots[slot] = Slot {
                first: place,
                last: place,
            };
        } else if field.shape == Shape::One && !field.value.is_message() {
            self.occurrences[first as usize].token = token;
        } else {
            let place = self.keep(token);
            self.occurrences[last as usize].next = place;
            self.slots[slot].last = place;
        }
    }

    fn forget(&mut self, mark: Mark) {
        self.slots.truncate(mark.slots);
        self.occurrences.truncate(mark.occurrences);
    }

    #[inline]
    fn field(&mut self, field: &FieldPlan, first: u32, levels: usize) -> Result<(), Fault> {
        if first == NONE {
            self.out.push_str(&field.absent);
            return Ok(());
        }
        match field.shape {
            Shape::One => self.value(&field.value, first, levels),
            Shape::List => self.list(&field.value, first, levels),
            Shape::Map(map) => self.map(map, first, levels),
        }
    }

    fn value(&mut self, value: &ValuePlan, first: u32, levels: usize) -> Result<(), Fault> {
        let token = self.occurrences[first as usize].token;
        match value {
            ValuePlan::Scalar(scalar) => scalar.write(token, self.out)?,
            ValuePlan::Enum(number) => {
                let Token::Varint(value) = token else {
                    return Err(OTHER_TYPE.into());
                };
                self.program.enums[*number].write(value as i32, self.out);
            }
            ValuePlan::Message { plan, group } => self.message(*plan, *group, first, levels)?,
            ValuePlan::Wrapper(scalar) => {
                known::write_wrapped(self.parts(first)?, *scalar, self.out)?;
            }
            ValuePlan::Decimal { scale, .. } => {
                known::write_decimal(self.parts(first)?, *scale, self.out)?;
            }
            ValuePlan::Timestamp => known::write_instant(self.parts(first)?, self.out)?,
            ValuePlan::Date => known::write_days(self.parts(first)?, self.out)?,
            ValuePlan::TimeOfDay => known::write_nanos_of_day(self.parts(first)?, self.out)?,
        }
        Ok(())
    }

    /// The fields of a small message, the last occurrence of each.
    fn parts(&self, first: u32) -> Result<Parts<'a>, Fault> {
        let mut parts: Parts<'a> = [None; 4];
        let mut part = first;
        while part != NONE {
            let Occurrence { token, next } = self.occurrences[part as usize];
            let mut reader = Reader::new(body(token, false)?);
            while let Some((number, token)) = reader.field()? {
                if let Some(place) = parts.get_mut(number as usize - 1) {
                    *place = Some(token);
                }
            }
            part = next;
        }
        Ok(parts)
    }

    /// Takes an occurrence out of its list, and answers the one after it.
    fn detach(&mut self, place: u32) -> u32 {
        std::mem::replace(&mut self.occurrences[place as usize].next, NONE)
    }

    fn list(&mut self, value: &ValuePlan, first: u32, levels: usize) -> Result<(), Fault> {
        let packing = match value {
            ValuePlan::Scalar(scalar) => scalar.packing(),
            ValuePlan::Enum(_) => Some(Packing::Varint),
            _ => None,
        };
        self.out.push('[');
        let start = self.out.len();
        let mut place = first;
        while place != NONE {
            let next = self.detach(place);
            let token = self.occurrences[place as usize].token;
            // Packed and unpacked occurrences may follow each other.
            if let (Some(packing), Token::Bytes(bytes)) = (packing, token) {
                let mut reader = Reader::new(bytes);
                while let Some(element) = reader.element(packing)? {
                    self.separate(start);
                    self.occurrences[place as usize].token = element;
                    self.value(value, place, levels)?;
                    self.check_length()?;
                }
            } else {
                self.separate(start);
                self.value(value, place, levels)?;
            }
            self.check_length()?;
            place = next;
        }
        self.out.push(']');
        Ok(())
    }

    fn separate(&mut self, start: usize) {
        if self.out.len() > start {
            self.out.push(',');
        }
    }

    /// Of entries with the same key the last counts.
    fn map(&mut self, map: MapPlan, first: u32, levels: usize) -> Result<(), Fault> {
        let levels = levels.checked_sub(1).ok_or(NESTED)?;
        let program = self.program;
        let entry = &program.messages[map.entry];
        let (key, value) = (&entry.fields[map.key], &entry.fields[map.value]);
        // The place of the last entry with each key, which is known by its JSON.
        let (mut latest, mut key_bytes) = (HashMap::new(), 0);
        let mut place = first;
        while place != NONE {
            let next = self.detach(place);
            let mark = self.read(entry, false, place)?;
            let start = self.out.len();
            self.field(key, self.slots[mark.slots + map.key].first, levels)
                .map_err(|fault| fault.inside(key))?;
            let json = self.out.split_off(start);
            self.forget(mark);
            if map.text_keys && json == "null" {
                return Err(Fault::from("has an entry without a key"));
            }
            key_bytes += json.len();
            if key_bytes > JSON_BYTES_MAX {
                return Err(TOO_LONG.into());
            }
            latest.insert(json, place);
            place = next;
        }
        let mut entries: Vec<(u32, String)> = latest
            .into_iter()
            .map(|(json, place)| (place, json))
            .collect();
        entries.sort_unstable();
        self.out.push(if map.text_keys { '{' } else { '[' });
        let start = self.out.len();
        for (place, json) in &entries {
            self.separate(start);
            self.out.push_str(if map.text_keys { "" } else { "[" });
            self.out.push_str(json);
            self.out.push(if map.text_keys { ':' } else { ',' });
            let mark = self.read(entry, false, *place)?;
            let mut sent = self.slots[mark.slots + map.value].first;
            if sent == NONE && map.own && value.value.is_message() {
                sent = self.keep(Token::Bytes(&[]));
            }
            self.field(value, sent, levels)
                .map_err(|fault| fault.inside(value))?;
            self.forget(mark);
            self.out.push_str(if map.text_keys { "" } else { "]" });
            self.check_length()?;
        }
        self.out.push(if map.text_keys { '}' } else { ']' });
        Ok(())
    }

    fn check_length(&self) -> Result<(), Fault> {
        if self.out.len() - self.start > JSON_BYTES_MAX {
            return Err(TOO_LONG.into());
        }
        Ok(())
    }
}

/// The bytes of a message.
fn body(token: Token<'_>, group: bool) -> Result<&[u8], wire::Fault> {
    match token {
        Token::Bytes(bytes) if !group => Ok(bytes),
        Token::Group(bytes) if group => Ok(bytes),
        _ => Err(OTHER_TYPE),
    }
}
