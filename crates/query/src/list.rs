//! The plain list: rows in key order, a page at a time.
//!
//! A page is the least keys after the cursor, found by one visit of the whole table with a bounded
//! heap. It holds references only, one more than the page has rows. Pages of one walk may be of
//! different cuts: a row that was there all along is in exactly one of them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use row_model::Version;
use table_store::{PinnedCut, TableCut};

use crate::cursor;
use crate::json::RowShape;

pub const LIMIT_DEFAULT: usize = 100;
pub const LIMIT_MAX: usize = 10_000;

/// Rows stop here, whatever the limit. A single row that is larger is a page of its own.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// The rows of a page, before they are rendered.
#[derive(Clone, Debug)]
pub struct Page {
    /// In key order, at most as many as asked for.
    rows: Vec<Version>,
    /// There are rows after these.
    more: bool,
}

/// What became of a page when it was rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub count: usize,
    /// Cursor of the next page; `None` at the end.
    pub next: Option<String>,
    /// It stopped at the bound on its size.
    pub truncated: bool,
}

/// Finds the first `limit` rows after a key.
#[must_use]
pub fn page(cut: &PinnedCut, table: &TableCut, after: Option<&[u8]>, limit: usize) -> Page {
    let mut least: BinaryHeap<ByKey> = BinaryHeap::new();
    table.table.visit(cut.id, |version| {
        if after.is_some_and(|after| version.key() <= after) {
            return;
        }
        if least.len() <= limit {
            least.push(ByKey(version.clone()));
        } else if let Some(mut greatest) = least.peek_mut()
            && version.key() < greatest.0.key()
        {
            *greatest = ByKey(version.clone());
        }
    });
    let mut rows: Vec<Version> = least
        .into_sorted_vec()
        .into_iter()
        .map(|row| row.0)
        .collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    Page { rows, more }
}

impl Page {
    /// Appends the rows, comma-separated, as long as they stay below `bytes_max`.
    pub fn render(
        &self,
        table: &TableCut,
        shape: &RowShape,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Rendered {
        let start = out.len();
        let mut count = 0;
        for version in &self.rows {
            let before = out.len();
            if count > 0 {
                out.push(b',');
            }
            shape.write_row(version, out);
            if count > 0 && out.len() - start > bytes_max {
                out.truncate(before);
                break;
            }
            count += 1;
        }
        let truncated = count < self.rows.len();
        let last = self.rows[..count].last().filter(|_| truncated || self.more);
        let next = last.map(|version| cursor::after(table.table.identity(), version.key()));
        Rendered {
            count,
            next,
            truncated,
        }
    }
}

/// Ordered by key.
struct ByKey(Version);

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByKey {}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key().cmp(other.0.key())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::Shop;

    /// Renders the page after a cursor; its ids, and the cursor of the next one.
    fn ids(
        shop: &Shop,
        cursor: Option<&str>,
        limit: usize,
        bytes_max: usize,
    ) -> (Vec<i64>, Rendered) {
        let cut = shop.store().pin();
        let table = cut.table("orders").unwrap();
        let after = cursor.map(|cursor| cursor::read(table.table.identity(), cursor).unwrap());
        let page = page(&cut, table, after.as_deref(), limit);
        let mut out = b"[".to_vec();
        let rendered = page.render(table, &shop.shape(table), bytes_max, &mut out);
        out.push(b']');
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(rows.len(), rendered.count);
        (
            rows.iter().map(|row| row["id"].as_i64().unwrap()).collect(),
            rendered,
        )
    }

    fn shop_of(rows: impl IntoIterator<Item = i64>) -> Shop {
        let mut shop = Shop::new();
        for id in rows {
            shop.put(id, "paid");
        }
        shop.publish();
        shop
    }

    #[test]
    fn pages_follow_each_other_in_key_order() {
        let shop = shop_of([5, -1, 300, 2, 40]);
        let (first, rendered) = ids(&shop, None, 2, PAGE_BYTES_MAX);
        assert_eq!((first, rendered.truncated), (vec![-1, 2], false));
        let (second, rendered) = ids(&shop, rendered.next.as_deref(), 2, PAGE_BYTES_MAX);
        assert_eq!(second, [5, 40]);
        let (third, rendered) = ids(&shop, rendered.next.as_deref(), 2, PAGE_BYTES_MAX);
        assert_eq!(third, [300]);
        assert_eq!(
            rendered,
            Rendered {
                count: 1,
                next: None,
                truncated: false
            }
        );
        // A page that the rows just fill is the last.
        assert_eq!(ids(&shop, None, 5, PAGE_BYTES_MAX).1.next, None);
        assert_eq!(
            ids(&shop_of([]), None, 5, PAGE_BYTES_MAX).1,
            Rendered {
                count: 0,
                next: None,
                truncated: false
            }
        );
    }

    #[test]
    fn a_page_stops_at_its_size_but_never_before_its_first_row() {
        let shop = shop_of(0..10);
        let row = r#"{"id":0,"status":"paid"}"#.len();
        let (three, rendered) = ids(&shop, None, 10, 4 * row);
        assert_eq!((three, rendered.truncated), (vec![0, 1, 2], true));
        let (one, rendered) = ids(&shop, rendered.next.as_deref(), 10, 1);
        assert_eq!((one, rendered.truncated), (vec![3], true));
        let (rest, rendered) = ids(&shop, rendered.next.as_deref(), 10, PAGE_BYTES_MAX);
        assert_eq!(
            (rest, rendered.truncated, rendered.next),
            (vec![4, 5, 6, 7, 8, 9], false, None)
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(i64),
        Delete(i64),
        Publish,
        Page(usize, usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (-20..60_i64).prop_map(Step::Put),
            2 => (-20..60_i64).prop_map(Step::Delete),
            1 => Just(Step::Publish),
            3 => (1..9_usize, 1..300_usize).prop_map(|(limit, bytes)| Step::Page(limit, bytes)),
        ]
    }

    proptest! {
        /// Rows that are there during the whole walk appear exactly once, in order, whatever else changes meanwhile.
        #[test]
        fn a_walk_gives_each_lasting_row_once(
            first in proptest::collection::btree_set(-20..60_i64, 0..60),
            steps in proptest::collection::vec(any_step(), 0..80),
        ) {
            let mut shop = shop_of(first.iter().copied());
            let mut naive = first.clone();
            let (mut published, mut lasting, mut ever) = (naive.clone(), first.clone(), first.clone());
            let (mut walked, mut cursor, mut done) = (Vec::new(), None, false);
            let mut steps = steps.into_iter();
            while !done {
                match steps.next().unwrap_or(Step::Page(3, PAGE_BYTES_MAX)) {
                    Step::Put(id) => { shop.put(id, "new"); naive.insert(id); }
                    Step::Delete(id) => { shop.delete(id); naive.remove(&id); }
                    Step::Publish => {
                        shop.publish();
                        published = naive.clone();
                        lasting.retain(|id| published.contains(id));
                        ever.extend(&published);
                    }
                    Step::Page(limit, bytes) => {
                        let after = walked.last().copied().unwrap_or(i64::MIN);
                        let (page, rendered) = ids(&shop, cursor.as_deref(), limit, bytes);
                        let expected: Vec<i64> = published.range(after.saturating_add(1)..).copied().take(page.len()).collect();
                        prop_assert_eq!(&page, &expected);
                        prop_assert!(page.len() == limit || rendered.truncated || rendered.next.is_none());
                        walked.extend(page);
                        done = rendered.next.is_none();
                        cursor = rendered.next;
                    }
                }
            }
            let seen: BTreeSet<i64> = walked.iter().copied().collect();
            prop_assert!(walked.is_sorted() && seen.len() == walked.len());
            prop_assert!(seen.is_superset(&lasting));
            prop_assert!(ever.is_superset(&seen));
        }
    }
}
