//! Pages of the plain list.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use row_model::{ColumnType, Value};
use table_store::{IndexDefinition, IndexKind};

use super::*;
use crate::fixture::{Shop, UNBOUND, bound, column};
use crate::tree::Query;
use crate::url;

/// Renders the page after a cursor; its ids, and the cursor of the next one.
fn ids(shop: &Shop, cursor: Option<&str>, limit: usize, bytes_max: usize) -> (Vec<i64>, Rendered) {
    let cut = shop.store().pin();
    let query = bound(&Query::default(), &cut);
    let request = PageRequest {
        after: cursor.map(|cursor| query.binding().read(cursor).unwrap()),
        limit,
        counted: false,
    };
    let page = page(&cut, &query, &request, UNBOUND).unwrap();
    let mut writer = RowWriter::new(&query, Format::Objects, false, shop.shapes());
    let mut out = b"[".to_vec();
    let rendered = page.render(&mut writer, b",", bytes_max, &mut out).unwrap();
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

/// The ids of a page, the way to them, and the cursor of the next one.
fn asked(
    shop: &Shop,
    cut: &PinnedCut,
    parameters: &[(&str, &str)],
    cursor: Option<&str>,
    limit: usize,
) -> (Vec<i64>, String, Option<String>) {
    let query = bound(&url::read(parameters.iter().copied()).unwrap(), cut);
    let request = PageRequest {
        after: cursor.map(|cursor| query.binding().read(cursor).unwrap()),
        limit,
        counted: false,
    };
    let page = page(cut, &query, &request, UNBOUND).unwrap();
    let ids = page.rows.iter().map(|node| {
        let id = node.version().row().and_then(|row| row.get(0));
        match id {
            Some(Value::Int(id)) => id,
            other => panic!("{other:?} is no id"),
        }
    });
    let ids = ids.collect();
    let access = page.plan.access.to_string();
    let mut writer = RowWriter::new(&query, Format::Objects, false, shop.shapes());
    let rendered = page
        .render(&mut writer, b",", PAGE_BYTES_MAX, &mut Vec::new())
        .unwrap();
    (ids, access, rendered.next)
}

fn index(cut: &PinnedCut, columns: &[&str], kind: IndexKind) {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let table = &cut.table("orders").unwrap().table;
    let index = table.add_index(IndexDefinition::new(columns, kind).unwrap());
    assert!(table.build_index(&index.unwrap()));
}

#[test]
fn a_row_that_two_entries_lead_to_comes_once() {
    let mut shop = shop_of(0..200);
    let mut moved_to = |status: &str| {
        shop.put(7, status);
        shop.put(8, status);
        shop.publish();
        shop.store().pin()
    };
    let (before, after) = (moved_to("old"), moved_to("new"));
    for (columns, kind) in [
        (["status"], IndexKind::Hash),
        (["status"], IndexKind::Ordered),
    ] {
        index(&before, &columns, kind);
        for (cut, listed, expected) in [
            (&before, "in.(new,old)", vec![7, 8]),
            (&before, "eq.new", vec![]),
            (&before, "eq.old", vec![7, 8]),
            (&after, "in.(new,old)", vec![7, 8]),
            (&after, "eq.old", vec![]),
        ] {
            let (ids, access, _) = asked(&shop, cut, &[("status", listed)], None, 10);
            assert_eq!((ids, &*access), (expected, "index(status)"), "{listed}");
        }
        let table = &before.table("orders").unwrap().table;
        assert!(table.remove_index(&columns.map(str::to_owned)));
    }
}

#[test]
fn pages_go_on_behind_a_value_that_all_rows_have() {
    let mut shop = Shop::new();
    for id in 0..300_i64 {
        let columns = vec![
            column("id", ColumnType::Int64),
            column("status", ColumnType::Text),
            column("created", ColumnType::Int64),
        ];
        let status = Value::Text(["paid", "new", "returned"][id as usize % 3]);
        shop.put_row(columns, &[Value::Int(id), status, Value::Int(-id / 2)]);
    }
    shop.publish();
    let cut = shop.store().pin();
    index(&cut, &["status", "created"], IndexKind::Ordered);
    for (order, descending) in [("created", false), ("created.desc", true)] {
        let query = [("status", "eq.paid"), ("order", order)];
        let mut expected: Vec<i64> = (0..300).step_by(3).collect();
        expected.sort_by_key(|id| (if descending { id / 2 } else { -id / 2 }, *id));
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let (ids, access, next) = asked(&shop, &cut, &query, cursor.as_deref(), 7);
            assert_eq!(access, "index(status,created)");
            all.extend(ids);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(all, expected, "{order}");
    }
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

#[test]
fn a_query_past_its_budget_has_no_page() {
    let shop = shop_of(0..3_000);
    let cut = shop.store().pin();
    let asked = |parameters: &[(&str, &str)], budget: Budget<'_>| {
        let query = url::read(parameters.iter().copied()).unwrap();
        let query = bound(&query, &cut);
        let request = PageRequest {
            after: None,
            limit: 5,
            counted: false,
        };
        page(&cut, &query, &request, budget).map(|page| page.plan.rows_examined)
    };
    let late = Budget {
        is_late: &|| true,
        ..UNBOUND
    };
    let first_look = |rows| {
        Err(ListError::TooLate {
            table: "orders".to_owned(),
            examined: rows,
        })
    };
    assert_eq!(asked(&[], late), first_look(1_024));
    // What takes long is looked at more often.
    let costly = [("status", "like.*a*")];
    assert_eq!(asked(&costly, late), first_look(0));
    let looks = AtomicUsize::new(0);
    let third = Budget {
        is_late: &|| looks.fetch_add(1, Ordering::Relaxed) == 2,
        ..UNBOUND
    };
    assert_eq!(asked(&costly, third), first_look(128));
    let few = Budget {
        rows_max: 2_999,
        ..UNBOUND
    };
    let too_many = ListError::TooManyRows {
        table: "orders".to_owned(),
        rows: 3_000,
        max: 2_999,
    };
    assert_eq!(asked(&[], few), Err(too_many));
    // Keys are looked up however large the table is, and however late it is.
    let least = Budget {
        rows_max: 0,
        workers: &Alone,
        is_late: &|| true,
    };
    assert_eq!(asked(&[("id", "in.(1,2,-5)")], least), Ok(2));
    assert_eq!(asked(&costly, UNBOUND), Ok(3_000));
}

#[test]
fn rows_under_a_former_key_are_found_too() {
    use row_model::{ColumnType, Value};

    use crate::fixture::column;
    let columns = |names: [&str; 2]| names.map(|name| column(name, ColumnType::Int64)).to_vec();
    let mut shop = Shop::new();
    shop.put_row(columns(["id", "code"]), &[Value::Int(1), Value::Int(7)]);
    shop.put_row(columns(["code", "id"]), &[Value::Int(7), Value::Int(2)]);
    shop.publish();
    let cut = shop.store().pin();
    let query = url::read([("code", "eq.7")]).unwrap();
    let query = bound(&query, &cut);
    let request = PageRequest {
        after: None,
        limit: 5,
        counted: true,
    };
    let page = page(&cut, &query, &request, UNBOUND).unwrap();
    assert_eq!(
        (page.total, &*page.plan.access.to_string()),
        (Some(2), "scan")
    );
}
