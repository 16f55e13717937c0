//! Connections that only look rows up are answered before hyper: alike, and only they.

use std::time::Duration;

use http_api::{Limits, Listener, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::fixture::Shop;

/// A header that nothing here knows, so that hyper answers.
const ASIDE: &str = "x-aside: 1\r\n";
const NEW: &str = "GET /v1/tables/orders/rows/7 HTTP/1.1\r\nHost: localhost\r\n\r\n";
const MISSING: &str = "GET /v1/tables/orders/rows/8 HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server, until this is dropped.
struct Serving {
    address: String,
    _stop: oneshot::Sender<()>,
}

impl Serving {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener, Shop::open().api_with(limits), async {
            drop(stopped.await);
        }));
        Self {
            address,
            _stop: stop,
        }
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        Client {
            stream,
            heard: Vec::new(),
        }
    }
}

struct Client {
    stream: TcpStream,
    /// Read and not yet taken.
    heard: Vec<u8>,
}

impl Client {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn more(&mut self) {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece).await.unwrap();
        let heard = String::from_utf8_lossy(&self.heard);
        assert!(read > 0, "closed after {heard:?}");
        self.heard.extend_from_slice(&piece[..read]);
    }

    /// The next answer: its lines, sorted and without what no two answers share, and its body.
    async fn answer(&mut self) -> (Vec<String>, String) {
        let head = loop {
            let text = String::from_utf8_lossy(&self.heard);
            if let Some(end) = text.find("\r\n\r\n") {
                break text[..end].to_owned();
            }
            self.more().await;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let end = head.len() + 4 + length;
        while self.heard.len() < end {
            self.more().await;
        }
        let body = String::from_utf8_lossy(&self.heard[head.len() + 4..end]).into_owned();
        self.heard.drain(..end);
        let mut lines: Vec<String> = head.lines().map(masked).collect();
        lines.sort_unstable();
        (lines, body)
    }

    async fn ask(&mut self, text: &str) -> (Vec<String>, String) {
        self.say(text).await;
        self.answer().await
    }

    async fn status(&mut self, text: &str) -> String {
        let (lines, _) = self.ask(text).await;
        let status = lines.into_iter().find(|line| line.starts_with("HTTP"));
        status.unwrap().split(' ').nth(1).unwrap().to_owned()
    }
}

/// Digits of an id that was made, of times and of durations.
fn masked(line: &str) -> String {
    let own_id = |id: &str| id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    match line.split_once(": ") {
        Some((name @ ("date" | "server-timing"), value)) => {
            let value = value.replace(|c: char| c.is_ascii_digit(), "");
            let words = value.split(", ").map(|word| word.trim_matches('.'));
            format!("{name}: {}", words.count())
        }
        Some(("x-request-id", id)) if own_id(id) => "x-request-id: made".to_owned(),
        _ => line.to_owned(),
    }
}

#[tokio::test]
async fn both_ways_answer_alike() {
    let serving = Serving::start().await;
    for path in [
        "orders/rows/7",
        "shop.public.orders/rows/7",
        "%6frders/rows/%37",
        "orders/rows/8",
        "orders/rows/x",
        "notes/rows/",
        "order/rows/7",
    ] {
        for headers in [
            "",
            "Accept: */*\r\nUser-Agent: an agent\r\nConnection: Keep-Alive\r\n",
            "X-Request-Id: 01J-a.b\r\n",
            "X-Request-Id: <script>\r\n",
        ] {
            let request = |more| {
                format!(
                    "GET /v1/tables/{path} HTTP/1.1\r\nhost: localhost:8080\r\n{headers}{more}\r\n"
                )
            };
            let quick = serving.connect().await.ask(&request("")).await;
            let other = serving.connect().await.ask(&request(ASIDE)).await;
            assert_eq!(without_id(quick), without_id(other), "{path} {headers}");
        }
    }
}

/// A problem names its request too.
fn without_id((lines, body): (Vec<String>, String)) -> (Vec<String>, String) {
    let body = match body.split_once("\"request_id\":\"") {
        Some((before, id))
            if id.starts_with(|c: char| c.is_ascii_hexdigit()) && !id.starts_with("01J") =>
        {
            format!("{before}{}", &id[16..])
        }
        _ => body,
    };
    (lines, body)
}

#[tokio::test]
async fn a_connection_may_go_on_with_anything() {
    go_on_with_anything().await;
}

/// On a thread of its own connections take turns; on several they do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_may_on_several_threads() {
    go_on_with_anything().await;
}

async fn go_on_with_anything() {
    let serving = Serving::start().await;
    let mut client = serving.connect().await;
    assert_eq!(client.status(NEW).await, "200");
    assert_eq!(client.status(MISSING).await, "404");
    assert_eq!(client.status(NEW).await, "200");
    let list = "GET /v1/tables/orders/rows?limit=1 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(client.status(list).await, "200");
    let body = r#"{"from":"orders"}"#;
    let length = body.len();
    let query = format!(
        "POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut client = serving.connect().await;
    assert_eq!(client.status(NEW).await, "200");
    assert_eq!(client.status(&query).await, "200");
    assert_eq!(client.status(NEW).await, "200");
}

#[tokio::test]
async fn requests_that_come_together_or_in_pieces_are_answered_in_order() {
    let serving = Serving::start().await;
    let mut client = serving.connect().await;
    client.say(&[NEW, NEW, MISSING, NEW].concat()).await;
    for found in [true, true, false, true] {
        let (_, body) = client.answer().await;
        assert_eq!(body.starts_with("{\"row\":{\"id\":7"), found, "{body}");
    }
    // A thousand at once: more than is read or written at a time.
    let mut client = serving.connect().await;
    let (mut reader, mut writer) = client.stream.split();
    let many = NEW.repeat(1_000);
    let (mut heard, said) = (Vec::new(), writer.write_all(many.as_bytes()));
    let hear = async {
        while heard
            .windows(9)
            .filter(|bytes| bytes == b"{\"row\":{\"")
            .count()
            < 1_000
        {
            reader.read_buf(&mut heard).await.unwrap();
        }
    };
    let (said, ()) = tokio::join!(said, hear);
    said.unwrap();
    for at in 1..NEW.len() {
        let mut client = serving.connect().await;
        client.stream.set_nodelay(true).unwrap();
        client.say(&NEW[..at]).await;
        client.say(&NEW[at..]).await;
        let (_, body) = client.answer().await;
        assert!(body.starts_with("{\"row\":{\"id\":7"), "{at}: {body}");
    }
}

/// What has come of several connections is read before any of it is answered.
#[tokio::test]
async fn each_of_those_who_ask_together_gets_its_own_answer() {
    let serving = Serving::start().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(serving.connect().await);
    }
    let paths = [
        ("orders/rows/7", r#"{"row":{"id":7"#),
        ("orders/rows/9", r#"{"row":{"id":9"#),
        ("notes/rows/a%2Cb", r#"{"row":{"title":"a,b""#),
        ("orders/rows/8", r#"{"type""#),
        ("order/rows/7", r#"{"type""#),
        ("orders/rows/x", r#"{"type""#),
    ];
    for round in 0..40 {
        // Whoever asks for what is not there is hyper's from then on.
        let asked = |at: usize| {
            let paths = &paths[..if at.is_multiple_of(5) { paths.len() } else { 3 }];
            paths[(at + round / 4 * (at % 7)) % paths.len()]
        };
        for (at, client) in clients.iter_mut().enumerate() {
            let (path, _) = asked(at);
            let times = 1 + (at + round) % 2;
            let request = format!("GET /v1/tables/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client.say(&request.repeat(times)).await;
        }
        // Who goes leaves a question behind.
        for at in [round % clients.len(), 3] {
            clients[at] = serving.connect().await;
        }
        for (at, client) in clients.iter_mut().enumerate() {
            if [round % 50, 3].contains(&at) {
                continue;
            }
            let (_, wanted) = asked(at);
            for _ in 0..=(at + round) % 2 {
                let (_, body) = client.answer().await;
                assert!(body.starts_with(wanted), "{at} in {round}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn what_could_mean_something_is_not_passed_over() {
    let serving = Serving::start().await;
    for (headers, status) in [
        ("Host: evil.example", "403"),
        ("Host: localhost\r\nOrigin: https://evil.example", "403"),
        ("Host: localhost\r\nRowtide-Max-Lag: soon", "400"),
        ("Host: localhost\r\nContent-Length: 9999999", "413"),
        ("Host: localhost\r\nno colon", "400"),
    ] {
        let request = format!("GET /v1/tables/orders/rows/7 HTTP/1.1\r\n{headers}\r\n\r\n");
        let answered = serving.connect().await.status(&request).await;
        assert_eq!(answered, status, "{headers}");
    }
    let mut client = serving.connect().await;
    let last = NEW.replace("Host", "Connection: close\r\nHost");
    assert_eq!(client.status(&last).await, "200");
    assert_eq!(client.stream.read(&mut [0; 1]).await.unwrap(), 0);
    let mut client = serving.connect().await;
    assert_eq!(client.status(&NEW.replace("/1.1", "/1.0")).await, "200");
    assert_eq!(client.stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_that_says_nothing_more_is_closed() {
    let limits = Limits {
        head_timeout: Duration::from_millis(20),
        ..Limits::default()
    };
    let serving = Serving::start_with(limits).await;
    for lookups in 0..3 {
        let mut client = serving.connect().await;
        for _ in 0..lookups {
            client.say(NEW).await;
        }
        // Closed by then, or as soon as nothing has come for so long.
        let mut heard = Vec::new();
        client.stream.read_to_end(&mut heard).await.unwrap();
        let answers = heard
            .windows(15)
            .filter(|bytes| bytes == b"HTTP/1.1 200 OK");
        assert_eq!(answers.count(), lookups);
    }
}
