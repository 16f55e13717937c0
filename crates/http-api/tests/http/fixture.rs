//! A shop of a few tables at a fixed time, and how its answers are shown.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use expect_test::Expect;
use http::{Request, Response};
use http_api::{Api, ApiState, Hosts, Limits};
use query::relation::{Endpoint, Relation, Relations};
use row_model::{
    Column, ColumnType, Decimal, RowBuilder, Schema, SchemaHistory, SchemaId, SourcePosition,
    Stamp, TableId, Value, encode_key,
};
use table_store::{
    Keeping, Names, ProcessId, Publisher, ReadState, SourceCut, TableCut, TableFacts,
    TableIdentity, TableStore, TableWriter, Transactions,
};

use crate::doubles::Status;

/// 2023-11-14T22:13:20Z.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// Tables, written and published as a pipeline would.
pub struct Shop {
    publisher: Publisher,
    /// When its next cut is published, if earlier ones can be asked for again.
    keeps_ms: Option<i64>,
    pub keeps_bytes_max: u64,
    tables: Vec<ShopTable>,
    relations: Vec<Relation>,
}

struct ShopTable {
    writer: TableWriter,
    schema: SchemaId,
    key: Vec<usize>,
    facts: Arc<TableFacts>,
}

impl Shop {
    pub fn empty() -> Self {
        Self {
            publisher: Publisher::default(),
            keeps_ms: None,
            keeps_bytes_max: u64::MAX,
            tables: Vec::new(),
            relations: Vec::new(),
        }
    }

    /// Orders by number, items by order and article, notes by text, events without types, a log without key.
    pub fn open() -> Self {
        Self::empty().filled()
    }

    /// The same, where whoever was told of a cut can ask for it again.
    pub fn keeping() -> Self {
        let shop = Self {
            publisher: Publisher::of_process(ProcessId(7)),
            keeps_ms: Some(NOW_MS),
            ..Self::empty()
        };
        shop.filled()
    }

    /// The same, but one table is still being loaded.
    pub fn keeping_but(loading: &str) -> Self {
        let mut shop = Self {
            publisher: Publisher::of_process(ProcessId(7)),
            ..Self::empty()
        };
        shop = shop.filled();
        shop.set_facts(loading, |facts| facts.state = ReadState::Loading);
        shop.keeps_ms = Some(NOW_MS);
        shop.publish();
        shop
    }

    /// Lets time pass for what is kept.
    pub fn pass(&mut self, ms: i64) {
        self.keeps_ms = self.keeps_ms.map(|at| at + ms);
    }

    fn filled(mut self) -> Self {
        use ColumnType::{Any, Int64, Text};
        let shop = &mut self;
        let orders = [
            ("id", Int64),
            ("status", Text),
            ("total", ColumnType::Decimal),
            ("doc", ColumnType::Json),
        ];
        shop.add("shop.public.orders", &orders, Some(&["id"]));
        shop.add(
            "shop.public.items",
            &[
                ("order_id", Int64),
                ("sku", Text),
                ("qty", ColumnType::Int32),
            ],
            Some(&["order_id", "sku"]),
        );
        shop.add(
            "shop.public.notes",
            &[("title", Text), ("body", Text)],
            Some(&["title"]),
        );
        shop.add(
            "shop.public.events",
            &[("id", Any), ("kind", Any)],
            Some(&["id"]),
        );
        shop.add("shop.public.log", &[("line", Text)], None);
        for (id, status) in [(7, "paid"), (9, "shipped"), (-1, "it's \"new\"")] {
            let total = Value::Decimal(Decimal::new(2, &[0x07, 0xc6]));
            shop.put(
                "orders",
                &[
                    Value::Int(id),
                    Value::Text(status),
                    total,
                    Value::Unavailable,
                ],
            );
        }
        shop.put(
            "items",
            &[Value::Int(7), Value::Text("A,1/🦀"), Value::Int(3)],
        );
        for title in ["", "a/b", "50% \"off\"", "a,b"] {
            shop.put("notes", &[Value::Text(title), Value::Null]);
        }
        shop.put("events", &[Value::Int(7), Value::Text("number")]);
        shop.put("events", &[Value::Text("8"), Value::Text("text")]);
        shop.publish();
        self
    }

    /// A table that is called by the last part of its topic.
    pub fn add(&mut self, topic: &str, columns: &[(&str, ColumnType)], key: Option<&[&str]>) {
        self.add_named(topic.rsplit('.').next().unwrap(), topic, columns, key);
    }

    pub fn add_named(
        &mut self,
        name: &str,
        topic: &str,
        columns: &[(&str, ColumnType)],
        key: Option<&[&str]>,
    ) {
        let id = TableId(self.tables.len() as u32);
        let name = name.to_owned();
        let identity = TableIdentity {
            id,
            name,
            topic: topic.to_owned(),
            source: "shop".to_owned(),
        };
        let schemas = Arc::new(SchemaHistory::default());
        let column = |(name, kind): &(&str, ColumnType)| Column {
            name: (*name).to_owned(),
            kind: *kind,
            nullable: *name != "id",
        };
        let schema = schemas.intern(&Schema {
            columns: columns.iter().map(column).collect(),
            key: key.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        });
        let at = |name: &&str| columns.iter().position(|(known, _)| known == name).unwrap();
        self.tables.push(ShopTable {
            writer: TableWriter::new(identity, schemas),
            schema: schema.unwrap(),
            key: key.map_or_else(|| vec![0], |names| names.iter().map(at).collect()),
            facts: Arc::new(live_facts()),
        });
    }

    /// Rows of a table name, in a column, the `id` of another's.
    pub fn relate(&mut self, name: &str, (table, column): (&str, &str), to: &str) {
        let endpoint = |table: &str, column: &str| Endpoint {
            table: table.to_owned(),
            columns: vec![column.to_owned()],
        };
        self.relations.push(Relation {
            name: name.to_owned(),
            from: endpoint(table, column),
            to: endpoint(to, "id"),
            inverse: None,
            constraint: Some(format!("{table}_{column}_fkey")),
            is_unique: false,
        });
    }

    pub fn put(&mut self, table: &str, values: &[Value<'_>]) {
        let cut = self.publisher.next_cut();
        let table = self.table(table);
        let mut builder = RowBuilder::default();
        for value in values {
            builder.push(*value);
        }
        let (mut row, mut key) = (Vec::new(), Vec::new());
        builder.finish(&mut row);
        encode_key(table.key.iter().map(|at| values[*at]), &mut key).unwrap();
        table
            .writer
            .write(cut, &key, table.schema, Some(&row), |_| {
                Some(Stamp::default())
            });
    }

    /// Takes away the row of a table that has this key.
    pub fn delete(&mut self, table: &str, key: Value<'_>) {
        let cut = self.publisher.next_cut();
        let table = self.table(table);
        let mut encoded = Vec::new();
        encode_key([key], &mut encoded).unwrap();
        let stamp = |_: Option<&row_model::Version>| Some(Stamp::default());
        table.writer.write(cut, &encoded, table.schema, None, stamp);
    }

    /// Empties a table, as a truncate does.
    pub fn truncate(&mut self, table: &str) {
        let cut = self.publisher.next_cut();
        self.table(table)
            .writer
            .delete_where(cut, |_| Some(Stamp::default()));
    }

    /// What is written to a table next is a transaction's.
    pub fn in_transaction(&mut self, table: &str, number: u64) {
        let transaction = Some(row_model::Transaction(number));
        let table = self.table(table);
        table.writer.recording().of_transaction(transaction);
    }

    /// Changes what is known of a table's freshness.
    pub fn set_facts(&mut self, table: &str, set: impl FnOnce(&mut TableFacts)) {
        let mut facts = live_facts();
        set(&mut facts);
        self.table(table).facts = Arc::new(facts);
    }

    pub fn publish(&mut self) {
        self.publish_news(|_| true);
    }

    /// Publishes a cut that says something new of one table only.
    pub fn publish_only(&mut self, table: &str) {
        self.publish_news(|name| name == table);
    }

    fn publish_news(&mut self, is_news: impl Fn(&str) -> bool) {
        let mut names = Names::default();
        for table in &mut self.tables {
            let shared = table.writer.table();
            let identity = shared.identity();
            names.give(&identity.name, &identity.topic, identity.id);
            if !is_news(&identity.name) {
                continue;
            }
            self.publisher.set(TableCut {
                table: Arc::clone(shared),
                rows: table.writer.rows(),
                // Not what it takes: what it takes depends on the machine.
                memory_bytes: table.writer.rows() * 100,
                schema: Some(table.schema).filter(|_| table.writer.rows() > 0),
                schema_epoch: 1,
                facts: Arc::clone(&table.facts),
            });
        }
        self.publisher.set_names(names);
        if let Some(now_ms) = self.keeps_ms {
            let next = self.publisher.next_cut();
            let live = self.tables.iter_mut();
            live.filter(|table| table.facts.state == ReadState::Live)
                .for_each(|table| table.writer.keep_versions(next));
            let set_aside = self.tables.iter().map(|it| it.writer.set_aside_bytes());
            self.publisher.keep(Keeping {
                now_ms,
                set_aside_bytes: set_aside.sum(),
                bytes_max: self.keeps_bytes_max,
            });
            let live = self.tables.iter_mut();
            for table in live.filter(|table| table.facts.state == ReadState::Live) {
                let recording = table.writer.recording();
                recording.begin();
                if let Some(news) = recording.take() {
                    let id = table.writer.table().identity().id;
                    self.publisher.record(id, news);
                }
            }
        }
        let oldest_needed = self.publisher.publish();
        self.tables
            .iter_mut()
            .for_each(|table| table.writer.collect_garbage(oldest_needed));
    }

    /// Says what the next cut is to tell of a source.
    pub fn set_source(&mut self, source: SourceCut) {
        self.publisher.set_source(source);
    }

    /// Publishes what was said of sources, and nothing of tables.
    pub fn publish_sources(&mut self) {
        self.publisher.publish();
    }

    /// The source was in contact with its log.
    pub fn contact(&self, source: &str) {
        self.publisher.contact(source);
    }

    pub fn id_of(&mut self, table: &str) -> TableId {
        self.table(table).writer.table().identity().id
    }

    pub fn store(&self) -> &Arc<TableStore> {
        self.publisher.store()
    }

    pub fn state(&self, status: Status) -> ApiState {
        let relations = Relations::from(self.relations.clone());
        self.related(status, relations)
    }

    /// The state of a shop whose tables are related.
    pub fn state_with(&self, relations: Relations) -> ApiState {
        self.related(Status::default(), relations)
    }

    fn related(&self, status: Status, relations: Relations) -> ApiState {
        ApiState::new(
            Arc::clone(self.store()),
            || NOW_MS,
            Arc::new(status),
            relations,
        )
    }

    pub fn api(&self) -> Api {
        self.api_with(Limits::default())
    }

    pub fn api_with(&self, limits: Limits) -> Api {
        Api::data(self.state(Status::default()), Hosts::loopback(&[]), limits)
    }

    fn table(&mut self, name: &str) -> &mut ShopTable {
        let named = |table: &&mut ShopTable| table.writer.table().identity().name == name;
        self.tables.iter_mut().find(named).unwrap()
    }
}

fn live_facts() -> TableFacts {
    let facts = TableFacts {
        state: ReadState::Live,
        transactions: Transactions::None,
        position: SourcePosition::from_numbers(0, &[0x16B_3F70]),
        commit_ms: Some(NOW_MS - 1_588),
        ..TableFacts::default()
    };
    facts.told_at_end(NOW_MS - 38);
    facts
}

/// A request line and headers, one a line.
pub fn request(lines: &str) -> Request<Body> {
    let mut lines = lines.lines().map(str::trim);
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("x-request-id", "r1");
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(Body::empty()).unwrap()
}

/// Status, the headers that say something, and the body.
pub async fn shown(response: Response<Body>) -> String {
    let (head, body) = response.into_parts();
    let mut text = format!("{}\n", head.status.as_u16());
    for name in [
        "allow",
        "content-length",
        "content-type",
        "link",
        "retry-after",
        "rowtide-as-of",
        "rowtide-freshness",
    ] {
        if let Some(value) = head.headers.get(name) {
            let value = value.to_str().unwrap();
            // Who waits is told for how long that was.
            let value = value.split(", waited=").next().unwrap();
            writeln!(text, "{name}: {value}").unwrap();
        }
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    text + "\n" + std::str::from_utf8(&body).unwrap() + "\n"
}

/// Compares whole answers.
pub async fn check(api: &Api, lines: &str, expected: Expect) {
    expected.assert_eq(&shown(api.answer(request(lines)).await).await);
}

/// Status and body of an answer.
pub async fn get(api: &Api, uri: &str) -> (u16, serde_json::Value) {
    let response = api.answer(request(&format!("GET {uri}"))).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    if body.is_empty() {
        return (status, serde_json::Value::Null);
    }
    (status, serde_json::from_slice(&body).unwrap())
}

/// Orders of customers of regions, with their items: three tables deep either way.
pub fn sales() -> Shop {
    use ColumnType::{Int64, Text};
    let mut shop = Shop::empty();
    let id = ("id", Int64);
    let tables: [(&str, &[(&str, ColumnType)]); 4] = [
        ("regions", &[id, ("name", Text)]),
        (
            "customers",
            &[id, ("name", Text), ("tier", Text), ("region_id", Int64)],
        ),
        (
            "orders",
            &[
                id,
                ("status", Text),
                ("total", ColumnType::Decimal),
                ("customer_id", Int64),
            ],
        ),
        (
            "items",
            &[id, ("order_id", Int64), ("sku", Text), ("qty", Int64)],
        ),
    ];
    for (name, columns) in tables {
        shop.add(&format!("shop.public.{name}"), columns, Some(&["id"]));
    }
    shop.relate("region", ("customers", "region_id"), "regions");
    shop.relate("customer", ("orders", "customer_id"), "customers");
    shop.relate("order", ("items", "order_id"), "orders");
    let (int, text) = (Value::Int, Value::Text);
    shop.put("regions", &[int(1), text("EU")]);
    shop.put("regions", &[int(2), text("US")]);
    let customers = [(3, "Ada", "gold", 1), (4, "Bob", "silver", 2)];
    for (id, name, tier, region) in customers {
        shop.put("customers", &[int(id), text(name), text(tier), int(region)]);
    }
    let orders = [
        (7, "paid", &[0x07, 0xc6], int(3)),
        (8, "paid", &[0x27, 0x10], int(4)),
        (9, "shipped", &[0x5d, 0xc0], int(3)),
        (10, "open", &[0x00, 0x64], Value::Null),
    ];
    for (id, status, cents, customer) in orders {
        let total = Value::Decimal(Decimal::new(2, cents));
        shop.put("orders", &[int(id), text(status), total, customer]);
    }
    let items = [
        (1, 7, "A1", 3),
        (2, 7, "B2", 1),
        (3, 9, "A1", 5),
        (4, 8, "C3", 1),
    ];
    for (id, order, sku, qty) in items {
        shop.put("items", &[int(id), int(order), text(sku), int(qty)]);
    }
    shop.publish();
    shop
}

/// Status and body of the answer to a body.
pub async fn post(api: &Api, path: &str, body: &str) -> (u16, serde_json::Value) {
    let mut request = request(&format!("POST {path}"));
    *request.body_mut() = Body::from(body.to_owned());
    let response = api.answer(request).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// What an answer says, without what says how fresh it is.
pub fn said(status: u16, mut body: serde_json::Value) -> String {
    let object = body.as_object_mut().unwrap();
    assert!(status == 400 || object.contains_key("fresh"), "{object:?}");
    for field in [
        "fresh",
        "type",
        "title",
        "status",
        "retryable",
        "request_id",
    ] {
        object.remove(field);
    }
    format!("{status} {body}")
}
