//! Rowtide's side: the tables, their indexes and relations, and one function for each question.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use query::bind;
use query::format::{Format, RowWriter};
use query::json::RowShapes;
use query::list::{self, Budget, PAGE_BYTES_MAX, Page, PageRequest, Workers};
use query::lookup;
use query::relation::{Endpoint, Relation, Relations, World};
use query::tree::{
    Aggregate, AggregateFunction, ColumnPath, Embed, Lift, Place, Query, RelationRef, Selected,
    SelectedWhat,
};
use query::url;
use row_model::{
    Column, ColumnType, Decimal, Moment, RowBuilder, Schema, SchemaHistory, Stamp, TableId, Value,
    encode_key,
};
use table_store::{
    IndexDefinition, IndexKind, MemoryUse, Names, Publisher, TableCut, TableFacts, TableIdentity,
    TableStore, TableWriter,
};

use crate::shop::{self, Picks};

/// Two threads for every visit, as the server has on two cores.
struct Two;

impl Workers for Two {
    fn for_rows(&self, _: u64) -> usize {
        2
    }

    fn all(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for number in 1..count {
                scope.spawn(move || work(number));
            }
            work(0);
        });
    }
}

pub struct Ours {
    /// Rows are written out as JSON, and not only found.
    pub writes: Cell<bool>,
    store: Arc<TableStore>,
    relations: Relations,
    shapes: RowShapes,
    /// Of the orders: without indexes, then with two.
    pub memory: [MemoryUse; 2],
    pub json_bytes: u64,
}

impl Ours {
    pub fn new() -> Self {
        let mut tables = Tables::default();
        let orders = tables.add("orders", &orders_columns(), shop::ORDERS, |number, row| {
            let order = shop::order(number);
            let at = |seconds| Value::Instant(Moment { seconds, nanos: 0 });
            let cents = order.cents.to_be_bytes();
            row(&[
                Value::Int(order.id),
                Value::Int(order.customer_id),
                Value::Text(order.status),
                Value::Decimal(Decimal::new(2, &cents)),
                Value::Text(shop::CURRENCY),
                Value::Int(order.lines),
                order.note.map_or(Value::Null, Value::Text),
                Value::Text(&order.address),
                Value::Text(&order.email),
                Value::Bool(order.is_paid),
                at(order.created_at_seconds),
                at(order.updated_at_seconds),
            ]);
        });
        let without_indexes = orders.memory();
        index(&orders, "customer_id", IndexKind::Hash);
        index(&orders, "created_at", IndexKind::Ordered);
        let memory = [without_indexes, orders.memory()];
        let columns = [
            ("id", ColumnType::Int64),
            ("name", ColumnType::Text),
            ("country", ColumnType::Text),
        ];
        tables.add("customers", &columns, shop::CUSTOMERS, |number, row| {
            let customer = shop::customer(number);
            row(&[
                Value::Int(customer.id),
                Value::Text(&customer.name),
                Value::Text(customer.country),
            ]);
        });
        let columns = [
            ("id", ColumnType::Int64),
            ("order_id", ColumnType::Int64),
            ("article", ColumnType::Text),
            ("quantity", ColumnType::Int64),
        ];
        let items = shop::ORDERS_WITH_ITEMS * shop::ITEMS_EACH;
        let items = tables.add("items", &columns, items, |number, row| {
            let item = shop::item(number);
            row(&[
                Value::Int(item.id),
                Value::Int(item.order_id),
                Value::Text(&item.article),
                Value::Int(item.quantity),
            ]);
        });
        index(&items, "order_id", IndexKind::Hash);
        let mut ours = Self {
            writes: Cell::new(true),
            store: tables.publish(),
            relations: relations(),
            shapes: RowShapes::default(),
            memory,
            json_bytes: 0,
        };
        ours.json_bytes = ours.json_bytes();
        ours
    }

    fn json_bytes(&self) -> u64 {
        let cut = self.store.pin();
        let orders = cut.table("orders").expect("the bench has made it");
        let shape = self.shapes.of(orders);
        let (mut row, mut bytes) = (Vec::new(), 0);
        orders.table.visit(cut.id, |version| {
            row.clear();
            shape.write_row(version, &mut row);
            bytes += row.len() as u64;
        });
        bytes
    }

    pub fn lookup(&self, picks: &mut Picks) -> u64 {
        let key = picks.order().to_string();
        let found = lookup::row(&self.store, "orders", &key).expect("it is a key");
        found
            .row
            .map_or(0, |version| black_box(version).key().len() as u64)
    }

    pub fn equality(&self, picks: &mut Picks) -> u64 {
        let customer = format!("eq.{}", picks.customer());
        self.ask(&read(&[("customer_id", &customer)]), false, |_| ())
    }

    pub fn ordered_range(&self, picks: &mut Picks) -> u64 {
        let moment = Value::Instant(Moment {
            seconds: picks.second(),
            nanos: 0,
        });
        let mut after = Vec::new();
        query::json::write_value(moment, &mut after);
        let after = String::from_utf8_lossy(&after).replace('"', "");
        let after = format!("gte.{after}");
        let query = read(&[("created_at", &after), ("order", "created_at")]);
        self.ask(&query, false, |_| ())
    }

    pub fn two_terms(&self, _: &mut Picks) -> u64 {
        let query = read(&[("status", "eq.paid"), ("total", "gte.900")]);
        let mut total = 0;
        self.ask_with(&list::Alone, &query, true, |page| {
            total = page.total.unwrap_or(0);
        });
        total
    }

    pub fn embed(&self, picks: &mut Picks) -> u64 {
        let ids = format!("in.({})", picks.fifty_orders());
        let mut query = read(&[("id", &ids)]);
        let items = Embed {
            relation: named("items"),
            query: Query::default(),
            required: false,
            lift: Lift::Nested,
            at: Place::default(),
        };
        query.select = Some(selected([SelectedWhat::Star, SelectedWhat::Embed(items)]));
        self.ask(&query, false, |_| ())
    }

    pub fn join(&self, _: &mut Picks) -> u64 {
        let country = ColumnPath {
            via: vec![named("customer")],
            ..path("country")
        };
        let query = Query {
            select: Some(selected([
                SelectedWhat::Path(country),
                aggregate(AggregateFunction::Count, None),
                aggregate(AggregateFunction::Sum, Some(path("total"))),
            ])),
            ..Query::default()
        };
        self.ask(&query, false, |_| ())
    }

    pub fn group(&self, _: &mut Picks) -> u64 {
        let query = Query {
            select: Some(selected([
                SelectedWhat::Path(path("status")),
                aggregate(AggregateFunction::Count, None),
            ])),
            ..Query::default()
        };
        self.ask(&query, false, |_| ())
    }

    fn ask(&self, query: &Query, counted: bool, look: impl FnOnce(&Page)) -> u64 {
        self.ask_with(&Two, query, counted, look)
    }

    /// Binds a query, finds its first page and writes it out; how many rows that has.
    fn ask_with(
        &self,
        workers: &dyn Workers,
        query: &Query,
        counted: bool,
        look: impl FnOnce(&Page),
    ) -> u64 {
        let cut = self.store.pin();
        let orders = cut.table("orders").expect("the bench has made it");
        let world = World::new(&cut, &self.relations);
        let query = bind::bind(query, orders, &world).expect("the bench asks what fits");
        let request = PageRequest {
            after: None,
            limit: 50,
            counted,
        };
        let budget = Budget {
            rows_max: u64::MAX,
            workers,
            is_late: &|| false,
        };
        let page = list::page(&cut, &query, &request, budget).expect("the bench has no budget");
        look(&page);
        if !self.writes.get() {
            return page.len() as u64;
        }
        let mut writer = RowWriter::new(&query, Format::Objects, false, &self.shapes);
        let mut out = Vec::new();
        let rendered = page.render(&mut writer, b",", PAGE_BYTES_MAX, &mut out);
        black_box(out);
        rendered.expect("the answer is small").count as u64
    }
}

fn orders_columns() -> [(&'static str, ColumnType); 12] {
    use ColumnType::{Bool, Decimal, Int64, Text, TimestampTz};
    [
        ("id", Int64),
        ("customer_id", Int64),
        ("status", Text),
        ("total", Decimal),
        ("currency", Text),
        ("lines", Int64),
        ("note", Text),
        ("address", Text),
        ("email", Text),
        ("paid", Bool),
        ("created_at", TimestampTz),
        ("updated_at", TimestampTz),
    ]
}

fn relations() -> Relations {
    let relation = |name: &str, from: (&str, &str), to: (&str, &str)| Relation {
        name: name.to_owned(),
        from: endpoint(from),
        to: endpoint(to),
        inverse: None,
        constraint: None,
        is_unique: false,
    };
    Relations::from(vec![
        relation("customer", ("orders", "customer_id"), ("customers", "id")),
        relation("order", ("items", "order_id"), ("orders", "id")),
    ])
}

fn endpoint((table, column): (&str, &str)) -> Endpoint {
    Endpoint {
        table: table.to_owned(),
        columns: vec![column.to_owned()],
    }
}

fn read(parameters: &[(&str, &str)]) -> Query {
    url::read(parameters.iter().copied()).expect("the bench asks what can be read")
}

fn named(name: &str) -> RelationRef {
    RelationRef {
        name: name.to_owned(),
        hint: None,
    }
}

fn path(column: &str) -> ColumnPath {
    ColumnPath {
        column: column.to_owned(),
        ..ColumnPath::default()
    }
}

fn aggregate(function: AggregateFunction, of: Option<ColumnPath>) -> SelectedWhat {
    SelectedWhat::Aggregate(Aggregate {
        function,
        of,
        cast: None,
        at: Place::default(),
    })
}

fn selected<const N: usize>(what: [SelectedWhat; N]) -> Vec<Selected> {
    let one = |what| Selected { what, alias: None };
    what.into_iter().map(one).collect()
}

fn index(table: &TableWriter, column: &str, kind: IndexKind) {
    let definition = IndexDefinition::new(vec![column.to_owned()], kind);
    let definition = definition.expect("one column makes an index");
    let table = table.table();
    let index = table.add_index(definition);
    let index = index.expect("a new table has room for an index");
    assert!(table.build_index(&index));
}

/// Tables while they are filled.
#[derive(Default)]
struct Tables {
    publisher: Publisher,
    names: Names,
    count: u32,
}

impl Tables {
    /// Adds a table whose first column is its key; `fill` hands over the values of the row of a number.
    fn add(
        &mut self,
        name: &str,
        columns: &[(&str, ColumnType)],
        rows: u64,
        fill: impl Fn(u64, &mut dyn FnMut(&[Value<'_>])),
    ) -> TableWriter {
        let topic = format!("shop.public.{name}");
        let identity = TableIdentity {
            id: TableId(self.count),
            name: name.to_owned(),
            topic: topic.clone(),
            source: "shop".to_owned(),
        };
        self.names.give(name, &topic, identity.id);
        self.count += 1;
        let mut writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
        let column = |(name, kind): &(&str, ColumnType)| Column {
            name: (*name).to_owned(),
            kind: *kind,
            nullable: true,
        };
        let schema = writer.table().schemas().intern(&Schema {
            columns: columns.iter().map(column).collect(),
            key: Some(vec![columns[0].0.to_owned()]),
        });
        let cut = self.publisher.next_cut();
        let (mut builder, mut row, mut key) = (RowBuilder::default(), Vec::new(), Vec::new());
        for number in 0..rows {
            fill(number, &mut |values| {
                row.clear();
                key.clear();
                for value in values {
                    builder.push(*value);
                }
                builder.finish(&mut row);
                encode_key([values[0]], &mut key).expect("a number is a short key");
                let schema = schema.expect("the first shape of a table has a number");
                writer.write(cut, &key, schema, Some(&row), |_| Some(Stamp::default()));
            });
        }
        self.publisher.set(TableCut {
            schema_epoch: 0,
            table: Arc::clone(writer.table()),
            rows: writer.rows(),
            memory_bytes: writer.memory().total() as u64,
            schema,
            facts: Arc::new(TableFacts::default()),
        });
        writer
    }

    fn publish(mut self) -> Arc<TableStore> {
        self.publisher.set_names(self.names);
        self.publisher.publish();
        Arc::clone(self.publisher.store())
    }
}
