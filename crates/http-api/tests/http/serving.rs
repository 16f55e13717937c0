//! Real sockets: keep-alive, unix sockets, and the drain.

use std::path::Path;
use std::time::Duration;

use http_api::{Limits, Listener, serve};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use crate::fixture::Shop;

/// Nothing here takes longer unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// Sends one lookup and reads its answer, as far as it is known to go.
async fn lookup(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream
        .write_all(b"GET /v1/tables/orders/rows/7 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\"quarantined\":0}}") {
        let mut byte = [0; 4096];
        let count = stream.read(&mut byte).await.unwrap();
        assert!(
            count > 0,
            "closed after {:?}",
            String::from_utf8_lossy(&answer)
        );
        answer.extend_from_slice(&byte[..count]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_connection_is_kept_and_the_drain_ends_it() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    assert!(listener.is_local() && !listener.is_unix());
    let address = listener.to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let api = Shop::open().api();
    let serving = tokio::spawn(serve(listener, api, async {
        drop(stopped.await);
    }));
    let mut stream = TcpStream::connect(&address).await.unwrap();
    assert!(lookup(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(lookup(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, serving)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_outlasts_the_drain_is_cut_off() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let limits = Limits {
        request_timeout: Duration::from_millis(10),
        drain_timeout: Duration::from_millis(20),
        ..Limits::default()
    };
    let serving = tokio::spawn(serve(listener, Shop::open().api_with(limits), async {
        drop(stopped.await);
    }));
    let mut stream = TcpStream::connect(&address).await.unwrap();
    // A request whose head never ends.
    stream
        .write_all(b"GET /v1/status HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    let mut other = TcpStream::connect(&address).await.unwrap();
    assert!(lookup(&mut other).await.starts_with("HTTP/1.1 200 OK\r\n"));
    stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, serving)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_unix_socket_is_bound_over_a_dead_one_and_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rowtide.sock");
    let address = format!("unix:{}", path.display());
    // As a killed process leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = Listener::bind(&address).await.unwrap();
    assert!(listener.is_local() && listener.is_unix());
    assert_eq!(listener.to_string(), address);
    assert!(
        Listener::bind(&address).await.is_err(),
        "a living one is not replaced"
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, Shop::open().api(), async {
        drop(stopped.await);
    }));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    assert!(lookup(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, serving)
        .await
        .unwrap()
        .unwrap();
    assert!(!Path::new(&path).exists());
}
