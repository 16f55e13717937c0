//! How floors are spelled, and what each kind of them lets through.

use std::fmt::Write;
use std::sync::Arc;

use expect_test::expect;
use row_model::{GtidLine, SchemaHistory, TableId};
use table_store::{
    Cut, Heard, Publisher, Reached, SourceCut, TableCut, TableFacts, TableIdentity, TableReach,
    TableWriter, Transactions,
};

use super::*;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

const SPELLED: [&str; 30] = [
    "tx:753",
    "tx:shop/753",
    "tx:781:39950456",
    "lsn:0/16B3F70",
    "lsn:shop/eu/1/0",
    "gtid:0-1-42",
    "gtid:crm/0-1-42,1-7-3",
    "ts:1795219198412",
    "ts:shop/2026-11-20T23:59:58.412Z",
    "ts:2026-11-21T01:59:58.412+02:00",
    "log_end",
    "Ag",
    "source_now",
    "",
    "tx:",
    "tx:-1",
    "tx:18446744073709551616",
    "tx:abc",
    "lsn:16B3F70",
    "lsn:0/",
    "lsn:0/x",
    "lsn:0/123456789",
    "gtid:7",
    "gtid:",
    "ts:",
    "ts:yesterday",
    "ts:2026-11-20T23:59:58",
    "ts:infinity",
    "at:7",
    "753",
];

#[test]
fn floors_are_spelled_in_five_ways() {
    let mut out = String::new();
    for text in SPELLED {
        match Floor::parse(text) {
            Ok(Floor::Source(SourceFloor { source, at })) => {
                writeln!(out, "{text}: {source:?} {at:?}").unwrap();
            }
            Ok(floor) => writeln!(out, "{text}: {floor:?}").unwrap(),
            Err(error) => writeln!(out, "{text}: no: {error:?}").unwrap(),
        }
    }
    expect![[r#"
        tx:753: None Transaction(753)
        tx:shop/753: Some("shop") Transaction(753)
        tx:781:39950456: None Transaction(781)
        lsn:0/16B3F70: None Lsn(23805808)
        lsn:shop/eu/1/0: Some("shop/eu") Lsn(4294967296)
        gtid:0-1-42: None Gtids([Gtid { line: GtidLine(0), number: 42 }])
        gtid:crm/0-1-42,1-7-3: Some("crm") Gtids([Gtid { line: GtidLine(0), number: 42 }, Gtid { line: GtidLine(1), number: 3 }])
        ts:1795219198412: None Time(1795219198412)
        ts:shop/2026-11-20T23:59:58.412Z: Some("shop") Time(1795219198412)
        ts:2026-11-21T01:59:58.412+02:00: None Time(1795219198412)
        log_end: LogEnd
        Ag: Tables(AsOf { cut: None, tables: [] })
        source_now: no: SourceNow
        : no: Unknown
        tx:: no: Transaction
        tx:-1: no: Transaction
        tx:18446744073709551616: no: Transaction
        tx:abc: no: Transaction
        lsn:16B3F70: no: Lsn
        lsn:0/: no: Lsn
        lsn:0/x: no: Lsn
        lsn:0/123456789: no: Lsn
        gtid:7: no: Gtid
        gtid:: no: Gtid
        ts:: no: Time
        ts:yesterday: no: Time
        ts:2026-11-20T23:59:58: no: Time
        ts:infinity: no: Time
        at:7: no: Unknown
        753: no: Unknown
    "#]].assert_eq(&out);
}

/// A site of two sources: `shop`, from which orders and items come, and `crm`, from which people do.
struct Site {
    publisher: Publisher,
    shop: SourceCut,
}

const ORDERS: TableId = TableId(0);
const ITEMS: TableId = TableId(1);
const PEOPLE: TableId = TableId(2);

impl Site {
    fn new() -> Self {
        let mut publisher = Publisher::default();
        for (id, name, source) in [
            (ORDERS, "orders", "shop"),
            (ITEMS, "items", "shop"),
            (PEOPLE, "people", "crm"),
        ] {
            let identity = TableIdentity {
                id,
                name: name.to_owned(),
                topic: format!("{source}.public.{name}"),
                source: source.to_owned(),
            };
            let writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
            publisher.set(TableCut {
                table: Arc::clone(writer.table()),
                rows: 0,
                memory_bytes: 0,
                schema: None,
                schema_epoch: 0,
                facts: Arc::default(),
            });
        }
        let mut site = Self {
            publisher,
            shop: source("shop", "db", &[ORDERS, ITEMS]),
        };
        site.publisher
            .set_source(source("crm", "people", &[PEOPLE]));
        site.publish();
        site
    }

    /// Its rows are shown by whole transactions.
    fn says_whole(&mut self, table: TableId) {
        let cut = self.cut();
        let mut tables = cut.tables().iter();
        let known = tables.find(|it| it.table.identity().id == table).unwrap();
        let facts = TableFacts {
            transactions: Transactions::Whole,
            ..TableFacts::default()
        };
        self.publisher.set(TableCut {
            facts: Arc::new(facts),
            ..(**known).clone()
        });
        self.publish();
    }

    fn publish(&mut self) {
        self.publisher.set_source(self.shop.clone());
        self.publisher.publish();
    }

    fn along(&mut self, table: TableId, along: TableReach) {
        let mut tables = self.shop.tables.to_vec();
        tables.retain(|(known, _)| *known != table);
        tables.push((table, along));
        self.shop.tables = Arc::new(tables);
        self.publish();
    }

    fn cut(&self) -> Arc<Cut> {
        self.publisher.store().published()
    }

    fn stands(&self, floor: &str, tables: &[TableId]) -> String {
        let cut = self.cut();
        let all = cut.tables().iter().map(|table| &**table);
        let asked = all.filter(|table| tables.contains(&table.table.identity().id));
        match stand(&Floor::parse(floor).unwrap(), &cut, asked) {
            Standing::Met(precision) => format!("met {precision:?}"),
            Standing::NotYet(Lack::Place(lack)) => {
                let former = if lack.is_former { ", former" } else { "" };
                let seen = if lack.is_seen { "seen" } else { "not seen" };
                format!("not yet: {} ({seen}{former})", lack.table)
            }
            Standing::NotYet(lack) => format!("not yet: {lack:?}"),
            Standing::Never(unfit) => format!("never: {unfit:?}"),
        }
    }
}

fn source(name: &str, connector: &str, tables: &[TableId]) -> SourceCut {
    let whole = TableReach {
        is_whole: true,
        ..TableReach::default()
    };
    SourceCut {
        name: name.into(),
        connector: connector.into(),
        tables: Arc::new(tables.iter().map(|id| (*id, whole.clone())).collect()),
        ..SourceCut::default()
    }
}

fn read_at(heard: u64) -> TableReach {
    TableReach {
        heard: Some(Heard(heard)),
        is_whole: true,
        ..TableReach::default()
    }
}

fn read_up_to(reached: Reached) -> TableReach {
    TableReach {
        reached,
        ..read_at(1)
    }
}

#[test]
fn a_transaction_is_met_when_every_table_was_read_to_its_end_since_it_was_complete() {
    let mut site = Site::new();
    let both = [ORDERS, ITEMS];
    assert_eq!(site.stands("tx:753", &both), "not yet: orders (not seen)");
    site.shop.applied.see(753);
    site.along(ORDERS, read_at(9));
    site.along(ITEMS, read_at(9));
    // More of it may come.
    assert_eq!(site.stands("tx:753", &both), "not yet: orders (seen)");
    site.shop.applied.complete(753, Heard(10));
    site.along(ORDERS, read_at(10));
    assert_eq!(site.stands("tx:753", &[ORDERS]), "met Some(Weak)");
    assert_eq!(site.stands("tx:753", &both), "not yet: items (seen)");
    site.along(ITEMS, read_at(11));
    assert_eq!(site.stands("tx:753", &both), "met Some(Weak)");
    // With the epoch that the database counts in front.
    assert_eq!(site.stands("tx:4294968049", &both), "met Some(Weak)");
}

#[test]
fn a_closed_transaction_is_met_by_every_table_that_is_whole() {
    let mut site = Site::new();
    site.shop.applied.close(753);
    site.publish();
    assert_eq!(site.stands("tx:753", &[ORDERS, ITEMS]), "met Some(Exact)");
    site.along(ITEMS, TableReach::default());
    assert_eq!(site.stands("tx:753", &[ORDERS]), "met Some(Exact)");
    assert_eq!(
        site.stands("tx:753", &[ORDERS, ITEMS]),
        "not yet: items (seen)"
    );
}

#[test]
fn a_position_is_met_by_what_the_table_came_along_with_not_by_what_was_seen() {
    let mut site = Site::new();
    let at = |lsn| Reached {
        lsn: Some(lsn),
        ..Reached::default()
    };
    site.shop.newest = at(0x200);
    site.along(ORDERS, read_up_to(at(0x100)));
    assert_eq!(site.stands("lsn:0/100", &[ORDERS]), "met Some(Weak)");
    assert_eq!(
        site.stands("lsn:0/101", &[ORDERS]),
        "not yet: orders (seen)"
    );
    assert_eq!(
        site.stands("lsn:0/201", &[ORDERS]),
        "not yet: orders (not seen)"
    );
    site.shop.closed = at(0x80);
    site.publish();
    assert_eq!(site.stands("lsn:0/100", &[ORDERS]), "met Some(Weak)");
    site.says_whole(ORDERS);
    // Its own records may still be on their way, and are known to be told of.
    assert_eq!(
        site.stands("lsn:0/100", &[ORDERS]),
        "not yet: orders (seen)"
    );
    site.shop.closed = at(0x180);
    site.shop.former = at(0x900);
    site.publish();
    assert_eq!(site.stands("lsn:0/180", &[ORDERS]), "met Some(Exact)");
    assert_eq!(
        site.stands("lsn:0/900", &[ORDERS]),
        "not yet: orders (not seen, former)"
    );
}

#[test]
fn a_time_is_met_by_a_later_commit_only() {
    let mut site = Site::new();
    let reached = Reached {
        commit_ms: Some(1_000),
        ..Reached::default()
    };
    site.along(ORDERS, read_up_to(reached));
    assert_eq!(site.stands("ts:999", &[ORDERS]), "met Some(Weak)");
    // Others may have been committed in the same millisecond.
    assert_eq!(
        site.stands("ts:1000", &[ORDERS]),
        "not yet: orders (not seen)"
    );
}

#[test]
fn all_of_a_set_of_global_ids_must_be_reached() {
    let mut site = Site::new();
    let reached = Reached {
        gtids: Arc::new(vec![(GtidLine(0), 42), (GtidLine(1), 7)]),
        ..Reached::default()
    };
    site.shop.newest = reached.clone();
    site.along(ORDERS, read_up_to(reached));
    assert_eq!(site.stands("gtid:0-1-42", &[ORDERS]), "met Some(Weak)");
    assert_eq!(
        site.stands("gtid:0-1-42,1-1-7", &[ORDERS]),
        "met Some(Weak)"
    );
    assert_eq!(
        site.stands("gtid:0-1-42,1-1-8", &[ORDERS]),
        "not yet: orders (not seen)"
    );
    let other = format!("gtid:{UUID}:1");
    assert_eq!(site.stands(&other, &[ORDERS]), "not yet: orders (not seen)");
    expect![[
        r#"never: OtherKind { source: "shop", numbers_by: "global transaction ids (gtid:)" }"#
    ]]
    .assert_eq(&site.stands("tx:7", &[ORDERS]));
}

#[test]
fn a_position_is_of_one_source() {
    let mut site = Site::new();
    site.shop.applied.close(753);
    site.publish();
    let all = [ORDERS, ITEMS, PEOPLE];
    expect![[r#"never: Ambiguous(["crm", "shop"])"#]].assert_eq(&site.stands("tx:753", &all));
    // Tables of another source have no floor, as those have none that a token does not name.
    assert_eq!(site.stands("tx:shop/753", &all), "met Some(Exact)");
    assert_eq!(site.stands("tx:db/753", &all), "met Some(Exact)");
    expect![[r#"never: OtherSource { asked: "shop", known: ["crm"] }"#]]
        .assert_eq(&site.stands("tx:shop/753", &[PEOPLE]));
    expect![[r#"never: OtherSource { asked: "hr", known: ["shop"] }"#]]
        .assert_eq(&site.stands("tx:hr/753", &[ORDERS]));
    // Two databases whose topics are read as one source of config.
    site.publisher
        .set_source(source("shop", "archive", &[ITEMS]));
    site.publish();
    expect![[r#"never: Ambiguous(["db", "archive"])"#]]
        .assert_eq(&site.stands("tx:753", &[ORDERS, ITEMS]));
    assert_eq!(site.stands("tx:753", &[ORDERS]), "met Some(Exact)");
    assert_eq!(
        site.stands("tx:db/753", &[ORDERS, ITEMS]),
        "met Some(Exact)"
    );
    assert_eq!(
        site.stands("tx:archive/753", &[ORDERS, ITEMS]),
        "not yet: items (not seen)"
    );
}
