//! Which group a cell led to: found by its bytes, without reading it.
//!
//! Most groups are of few keys that come again and again. Each has one place here, and the newest has it; who is not
//! found is looked up by its value.

use row_model::RawCell;

use super::Group;
use super::table::UNDECIDED;

/// Cells that are longer are not kept.
const CELL_BYTES_MAX: usize = 26;
const PLACE_BITS: u32 = 8;

#[derive(Debug)]
pub struct Memo(Box<[Kept]>);

#[derive(Clone, Copy, Debug)]
struct Kept {
    group: u32,
    tag: u8,
    len: u8,
    bytes: [u8; CELL_BYTES_MAX],
}

impl Default for Memo {
    fn default() -> Self {
        let none = Kept {
            group: UNDECIDED,
            tag: 0,
            len: 0,
            bytes: [0; CELL_BYTES_MAX],
        };
        Self(vec![none; 1 << PLACE_BITS].into())
    }
}

impl Memo {
    pub fn group_of(&self, cell: RawCell<'_>) -> Option<Group> {
        let kept = &self.0[place(cell)];
        let is_it = kept.group != UNDECIDED
            && kept.tag == cell.tag
            && usize::from(kept.len) == cell.bytes.len()
            && kept.bytes[..cell.bytes.len()] == *cell.bytes;
        is_it.then_some(Group(kept.group))
    }

    pub fn keep(&mut self, cell: RawCell<'_>, group: Group) {
        let kept = &mut self.0[place(cell)];
        if let Some(bytes) = kept.bytes.get_mut(..cell.bytes.len()) {
            bytes.copy_from_slice(cell.bytes);
            kept.group = group.0;
            kept.tag = cell.tag;
            kept.len = cell.bytes.len() as u8;
        }
    }
}

/// Of its first eight bytes and its length: short cells of other bytes seldom share one.
fn place(cell: RawCell<'_>) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = match cell.bytes.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => cell
            .bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte)),
    };
    let mixed = mixed ^ (cell.bytes.len() as u64) << 56;
    (mixed.wrapping_mul(ODD) >> (u64::BITS - PLACE_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_by_its_tag_and_all_of_its_bytes() {
        let mut memo = Memo::default();
        let cell = |tag, bytes| RawCell { tag, bytes };
        assert_eq!(memo.group_of(cell(0, b"")), None);
        memo.keep(cell(0, b""), Group(3));
        memo.keep(cell(9, b"the same beginning"), Group(1));
        assert_eq!(memo.group_of(cell(0, b"")), Some(Group(3)));
        assert_eq!(
            memo.group_of(cell(9, b"the same beginning")),
            Some(Group(1))
        );
        // These have its place.
        assert_eq!(memo.group_of(cell(10, b"the same beginning")), None);
        assert_eq!(memo.group_of(cell(9, b"the same BEGINNING")), None);
        memo.keep(cell(9, b"the same BEGINNING"), Group(2));
        assert_eq!(memo.group_of(cell(9, b"the same beginning")), None);
        let long = [7; CELL_BYTES_MAX + 1];
        memo.keep(cell(11, &long), Group(4));
        assert_eq!(memo.group_of(cell(11, &long)), None);
    }
}
