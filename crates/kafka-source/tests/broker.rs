//! What happens to a broker happens to the source: it says so, and goes on when it can.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::sync::mpsc;
use std::time::Duration;

use change_feed::{EndsQuestion, LogEnd, Source, SourceEvent, StartAt};
use kafka_source::mock::Broker;
use kafka_source::{KafkaOptions, KafkaSource};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use row_model::{NextOffset, PartitionId};

/// Each poll waits at most this long, and so many may pass before a wait has failed.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
const POLLS_MAX: u32 = 600;

fn source(broker: &Broker, topics: &[&str]) -> KafkaSource {
    let mut options = KafkaOptions::new("shop", &broker.bootstrap_servers(), topics);
    options.refresh_interval = Duration::from_millis(50);
    options.extra_topics = vec!["__debezium-heartbeat.shop".to_owned()];
    KafkaSource::connect(options).unwrap()
}

fn send(broker: &Broker, topic: &str, values: std::ops::Range<u32>) {
    for value in values {
        let value = value.to_string();
        broker
            .send((topic, 0), None, Some(value.as_bytes()), [], None)
            .unwrap();
    }
    broker.flush().unwrap();
}

fn told(event: &SourceEvent) -> String {
    match event {
        SourceEvent::Discovered(facts) => {
            format!("found {}={}-{}", facts.id.0, facts.topic, facts.partition)
        }
        SourceEvent::Records(batch) => {
            let offsets: Vec<_> = batch.iter().map(|record| record.offset).collect();
            format!("{}: {offsets:?}", batch.partition.0)
        }
        SourceEvent::End { partition, next } => format!("{} ends at {}", partition.0, next.0),
        SourceEvent::Unavailable(error) => format!("unavailable: {error}"),
        SourceEvent::PartitionLost { error, .. } => format!("lost: {error}"),
        other => format!("{other:?}"),
    }
}

/// Polls until an event begins like this. Returns everything told by then.
fn told_until(source: &mut KafkaSource, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..POLLS_MAX {
        let mut events = Vec::new();
        source.poll(POLL_TIMEOUT, &mut events);
        all.extend(events.iter().map(told));
        if all.iter().any(|event| event.starts_with(last)) {
            return all;
        }
    }
    panic!("waited in vain for \"{last}\": {all:?}");
}

fn start(source: &mut KafkaSource, partition: u32, offset: u64) {
    source
        .start(PartitionId(partition), StartAt::Offset(NextOffset(offset)))
        .unwrap();
}

#[test]
fn a_broker_that_is_away_at_the_start_is_told_and_awaited() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.orders", 1).unwrap();
    send(&broker, "shop.orders", 0..3);
    broker.go_away().unwrap();
    let mut source = source(&broker, &["shop.*"]);
    let events = told_until(&mut source, "unavailable");
    let expected = format!("unavailable: brokers {}: ", broker.bootstrap_servers());
    assert!(
        matches!(events.as_slice(), [only] if only.starts_with(&expected)),
        "{events:?}"
    );
    assert!(
        events[0].contains("Connection refused"),
        "the cause is named: {events:?}"
    );
    broker.come_back().unwrap();
    let events = told_until(&mut source, "Available");
    assert_eq!(
        events,
        ["found 0=shop.orders-0", "DiscoveryComplete", "Available"]
    );
    start(&mut source, 0, 0);
    told_until(&mut source, "0 ends at 3");
}

#[test]
fn the_end_of_a_log_that_is_always_written_to_is_known() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.orders", 1).unwrap();
    send(&broker, "shop.orders", 0..3);
    let mut options = KafkaOptions::new("shop", &broker.bootstrap_servers(), &["shop.orders"]);
    // As if somebody wrote before the broker gave an answer without a record: it gives none within the test.
    let for_long = ("fetch.wait.max.ms".to_owned(), "300000".to_owned());
    options.settings.extend([for_long]);
    let mut source = KafkaSource::connect(options).unwrap();
    told_until(&mut source, "DiscoveryComplete");
    start(&mut source, 0, 0);
    told_until(&mut source, "0 ends at 3");
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_no_record() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.orders", 1).unwrap();
    send(&broker, "shop.orders", 0..3);
    let mut source = source(&broker, &["shop.orders"]);
    told_until(&mut source, "DiscoveryComplete");
    start(&mut source, 0, 0);
    told_until(&mut source, "0 ends at 3");
    broker.go_away().unwrap();
    told_until(&mut source, "unavailable");
    broker.come_back().unwrap();
    let mut events = told_until(&mut source, "Available");
    send(&broker, "shop.orders", 3..5);
    events.extend(told_until(&mut source, "0 ends at 5"));
    let records: Vec<_> = events
        .iter()
        .filter(|event| event.starts_with("0: "))
        .collect();
    assert!(
        matches!(records.as_slice(), [all] if *all == "0: [3, 4]"),
        "{events:?}"
    );
    assert!(
        !events
            .iter()
            .any(|event| event.starts_with("lost") || event.starts_with("unavailable")),
        "{events:?}"
    );
}

#[test]
fn dropping_a_source_does_not_wait_for_a_broker_that_is_away() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.orders", 1).unwrap();
    let mut source = source(&broker, &["shop.*"]);
    told_until(&mut source, "DiscoveryComplete");
    start(&mut source, 0, 0);
    told_until(&mut source, "0 ends at 0");
    source.acknowledge(&[(PartitionId(0), NextOffset(0))]);
    broker.go_away().unwrap();
    let (done, ended) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        drop(source);
        done.send(()).unwrap();
    });
    ended
        .recv_timeout(Duration::from_secs(5))
        .expect("dropped in time");
}

#[test]
fn a_topic_that_does_not_exist_is_told_with_a_hint_and_read_once_it_does() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.public.orders", 1).unwrap();
    broker.create_topic("__debezium-heartbeat.shop", 1).unwrap();
    broker.create_topic("__internal", 1).unwrap();
    let mut source = source(&broker, &["orders", "*.heartbeat*"]);
    let mut events = told_until(&mut source, "unavailable");
    events.sort();
    let hint = "unavailable: topic orders does not exist (did you mean shop.public.orders?)";
    assert_eq!(
        events,
        [
            "DiscoveryComplete",
            "found 0=__debezium-heartbeat.shop-0",
            hint
        ]
    );
    broker.create_topic("orders", 2).unwrap();
    let events = told_until(&mut source, "Available");
    assert_eq!(
        events,
        ["found 1=orders-0", "found 2=orders-1", "Available"]
    );
}

#[test]
fn a_deleted_topic_is_lost_and_found_again_while_others_go_on() {
    let broker = Broker::start().unwrap();
    for topic in ["shop.a", "shop.b"] {
        broker.create_topic(topic, 1).unwrap();
        send(&broker, topic, 0..2);
    }
    let mut source = source(&broker, &["shop.*"]);
    told_until(&mut source, "DiscoveryComplete");
    start(&mut source, 0, 0);
    start(&mut source, 1, 0);
    told_until(&mut source, "0 ends at 2");
    broker.set_topic_denied("shop.a", true).unwrap();
    told_until(&mut source, "lost: shop.a-0 does not exist any more");
    let refused = source.start(PartitionId(0), StartAt::Earliest).unwrap_err();
    assert_eq!(refused.to_string(), "shop.a-0 does not exist any more");
    send(&broker, "shop.b", 2..4);
    told_until(&mut source, "1 ends at 4");
    broker.set_topic_denied("shop.a", false).unwrap();
    told_until(&mut source, "found 0=shop.a-0");
    start(&mut source, 0, 1);
    let events = told_until(&mut source, "0 ends at 2");
    assert!(events.contains(&"0: [1]".to_owned()), "{events:?}");
}

#[test]
fn retention_that_overtook_the_reader_is_told_and_the_earliest_is_the_way_out() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.big", 1).unwrap();
    let mut noise = fastrand_bytes(1 << 20);
    for _ in 0..12 {
        noise.rotate_left(7);
        broker
            .send(("shop.big", 0), None, Some(&noise), [], None)
            .unwrap();
        broker.flush().unwrap();
    }
    let mut source = source(&broker, &["shop.*"]);
    let mut events = Vec::new();
    while !events
        .iter()
        .any(|event| matches!(event, SourceEvent::DiscoveryComplete))
    {
        source.poll(POLL_TIMEOUT, &mut events);
    }
    let SourceEvent::Discovered(facts) = &events[0] else {
        panic!("{events:?}")
    };
    let (retained_from, end) = (facts.retained_from.0, facts.end.unwrap().0);
    assert!(
        facts.topic_uuid.is_some() && 0 < retained_from && retained_from < end && end == 12,
        "{facts:?}"
    );
    start(&mut source, 0, retained_from - 1);
    let told = told_until(&mut source, "lost");
    let expected = format!(
        "lost: offset {} of shop.big-0 is no longer retained (the log starts at {retained_from})",
        retained_from - 1
    );
    assert_eq!(told, [expected]);
    source.start(PartitionId(0), StartAt::Earliest).unwrap();
    let told = told_until(&mut source, "0 ends at 12");
    assert!(
        told[0].starts_with(&format!("0: [{retained_from}")),
        "{told:?}"
    );
}

/// Bytes that do not compress: the broker's retention counts what is stored.
fn fastrand_bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn acknowledged_offsets_are_there_for_lag_monitors() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.orders", 1).unwrap();
    send(&broker, "shop.orders", 0..5);
    let mut source = source(&broker, &["shop.*"]);
    told_until(&mut source, "DiscoveryComplete");
    start(&mut source, 0, 0);
    told_until(&mut source, "0 ends at 5");
    source.acknowledge(&[(PartitionId(0), NextOffset(4))]);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "rowtide-shop");
    let monitor: BaseConsumer = config.create().unwrap();
    for _ in 0..POLLS_MAX {
        source.poll(POLL_TIMEOUT, &mut Vec::new());
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition("shop.orders", 0);
        let committed = monitor.committed_offsets(wanted, POLL_TIMEOUT);
        let offset = committed
            .ok()
            .and_then(|list| Some(list.find_partition("shop.orders", 0)?.offset()));
        if offset == Some(Offset::Offset(4)) {
            return;
        }
    }
    panic!("the group's offset was never seen");
}

#[test]
fn every_compression_that_is_built_in_is_read() {
    let broker = Broker::start().unwrap();
    broker.create_topic("shop.packed", 1).unwrap();
    let mut compressions = vec!["none", "gzip", "snappy", "lz4"];
    compressions.extend(cfg!(feature = "zstd").then_some("zstd"));
    let value = "the same again and ".repeat(50);
    for compression in &compressions {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers());
        config.set("compression.type", *compression);
        let producer: BaseProducer = config.create().unwrap();
        let record = BaseRecord::<(), _>::to("shop.packed").partition(0);
        producer.send(record.payload(&value)).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
        assert_eq!(producer.in_flight_count(), 0, "{compression}");
    }
    let mut source = source(&broker, &["shop.*"]);
    told_until(&mut source, "DiscoveryComplete");
    start(&mut source, 0, 0);
    told_until(&mut source, &format!("0 ends at {}", compressions.len()));
}

#[test]
fn what_cannot_work_is_refused_at_once() {
    let refused = |topics: &[&str], setting: Option<(&str, &str)>| {
        let mut options = KafkaOptions::new("shop", "localhost:1", topics);
        options
            .settings
            .extend(setting.map(|(name, value)| (name.to_owned(), value.to_owned())));
        KafkaSource::connect(options)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(
        refused(&[], None).unwrap(),
        "no topics are named: name at least one topic or glob"
    );
    assert!(
        refused(&["a"], Some(("fetch.wait.max.ms", "soon")))
            .unwrap()
            .contains("fetch.wait.max.ms")
    );
    assert_eq!(refused(&["a"], Some(("fetch.wait.max.ms", "7"))), None);
}

/// Polls until a question is answered.
fn ends_of(source: &mut KafkaSource, topic: &str) -> Result<Vec<LogEnd>, String> {
    let (answer, answered) = mpsc::sync_channel(1);
    let of = vec![(topic.to_owned(), 0)];
    source.ask_ends(EndsQuestion::new(of, move |ends| {
        answer.send(ends).unwrap();
    }));
    for _ in 0..POLLS_MAX {
        source.poll(POLL_TIMEOUT, &mut Vec::new());
        if let Ok(ends) = answered.try_recv() {
            return ends;
        }
    }
    panic!("nobody answered where {topic} ends");
}

#[test]
fn a_broker_says_where_logs_end_and_one_that_is_away_is_named() {
    let broker = Broker::start().unwrap();
    broker.create_topic("orders", 1).unwrap();
    send(&broker, "orders", 0..3);
    let mut source = source(&broker, &["orders"]);
    told_until(&mut source, "DiscoveryComplete");
    let end = |next| LogEnd {
        topic: "orders".to_owned(),
        partition: 0,
        next,
    };
    assert_eq!(ends_of(&mut source, "orders"), Ok(vec![end(3)]));
    // Also what nobody has read yet.
    send(&broker, "orders", 3..5);
    assert_eq!(ends_of(&mut source, "orders"), Ok(vec![end(5)]));
    broker.go_away().unwrap();
    told_until(&mut source, "unavailable");
    let refused = ends_of(&mut source, "orders");
    assert!(refused.is_err(), "{refused:?}");
}
