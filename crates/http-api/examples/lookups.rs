//! Temporary: a server to measure lookups against.
use std::convert::Infallible;
use std::sync::Arc;
use api_types::*;
use http_api::*;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use row_model::*;
use table_store::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct S;
impl StatusProvider for S {
    fn sources(&self) -> Vec<SourceStatus> { vec![] }
    fn quarantine_notes(&self, _: usize) -> Vec<QuarantineNote> { vec![] }
    fn quarantine(&self, _: Option<&str>, _: usize) -> Vec<QuarantineRecord> { vec![] }
    fn checkpoint(&self) -> CheckpointStatus { CheckpointStatus { state: CheckpointState::Ok, last_ms: None, detail: None } }
    fn health(&self) -> Health { Health::default() }
    fn starting(&self, _: &str) -> Option<f64> { None }
}

fn main() {
    let rows: i64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut publisher = Publisher::default();
    let identity = TableIdentity { id: TableId(0), name: "orders".into(), topic: "shop.public.orders".into(), source: "shop".into() };
    let schemas = Arc::new(SchemaHistory::default());
    let names = ["id", "customer_id", "status", "total", "currency", "created_at", "updated_at", "note", "priority", "paid", "sku", "ref"];
    use ColumnType::*;
    let kinds = [Int64, Int64, Text, ColumnType::Decimal, Text, TimestampTz, TimestampTz, Text, Int32, Bool, Text, Uuid];
    let schema = schemas.intern(&Schema { columns: names.iter().zip(kinds).map(|(n, kind)| Column { name: (*n).into(), kind, nullable: true }).collect(), key: Some(vec!["id".into()]) }).unwrap();
    let mut writer = TableWriter::new(identity, schemas);
    let mut builder = RowBuilder::default();
    let (mut row, mut key) = (Vec::new(), Vec::new());
    for id in 0..rows {
        row.clear(); key.clear();
        for value in [Value::Int(id), Value::Int(id % 1000), Value::Text("shipped"), Value::Decimal(row_model::Decimal::new(2, &[0x07, 0xc6])), Value::Text("EUR"),
            Value::Instant(Moment::from_units(1_700_000_000_123_456 + id, 1_000_000)), Value::Instant(Moment::from_units(1_700_000_000_123_456 + id, 1_000_000)),
            Value::Text("leave at the door"), Value::Int(3), Value::Bool(true), Value::Text("SKU-0012345"), Value::Uuid([7; 16])] { builder.push(value); }
        builder.finish(&mut row);
        encode_key([Value::Int(id)], &mut key).unwrap();
        writer.write(publisher.next_cut(), &key, schema, Some(&row), |_| Some(Stamp::default()));
    }
    let mut n = Names::default();
    n.give("orders", "shop.public.orders", TableId(0));
    publisher.set_names(n);
    let facts = TableFacts { state: ReadState::Live, position: SourcePosition::from_numbers(0, &[0x16B_3F70]), commit_ms: Some(telemetry::clock::now_ms()), ..TableFacts::default() };
    facts.told_at_end(i64::MAX);
    publisher.set(TableCut { table: Arc::clone(writer.table()), rows: writer.rows(), memory_bytes: 1, schema: Some(schema), facts: Arc::new(facts) });
    publisher.publish();
    let metrics = telemetry::MetricsPage::install("bench").unwrap();
    let state = ApiState::new(Arc::clone(publisher.store()), telemetry::clock::now_ms, Arc::new(S));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let data = Api::data(state.clone(), Hosts::loopback(&[]), Limits::default());
        let admin = Api::admin(state, metrics, Limits::default());
        let body = axum::body::to_bytes(data.answer(http::Request::get("/v1/tables/orders/rows/7").body(axum::body::Body::empty()).unwrap()).await.into_body(), usize::MAX).await.unwrap();
        println!("{}", String::from_utf8_lossy(&body));
        tokio::spawn(serve(Listener::bind("127.0.0.1:18080").await.unwrap(), data, std::future::pending()));
        tokio::spawn(serve(Listener::bind("127.0.0.1:18090").await.unwrap(), admin, std::future::pending()));
        let bare = tokio::net::TcpListener::bind("127.0.0.1:18081").await.unwrap();
        loop {
            let (stream, _) = bare.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let body = body.clone();
            tokio::spawn(async move {
                let service = service_fn(move |_| { let body = body.clone(); async move { Ok::<_, Infallible>(http::Response::new(http_body_util::Full::new(body))) } });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}
