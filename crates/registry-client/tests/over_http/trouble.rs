//! Whatever is not an answer is trouble that may pass, and says what it is.

use std::net::TcpListener;
use std::time::Duration;

use change_feed::{RegistryId, SchemaRegistry};
use registry_client::{HttpRegistry, Login, limits};

use crate::server::{Reply, Server, not_found, ok, schema};
use crate::{client, options, refused};

#[test]
fn everything_that_may_pass_is_called_unavailable() {
    let large = "x".repeat(limits::ANSWER_BYTES_MAX as usize + 1);
    let raw = |text: &str| Reply::Raw(text.as_bytes().to_vec());
    let server = Server::start(move |request| match request.path.as_str() {
        "/schemas/ids/1" => Reply::Json(
            503,
            r#"{"error_code":50003,"message":"no leader"}"#.to_owned(),
        ),
        "/schemas/ids/2" => {
            raw("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"schema\":\"\\\"int\\\"\"}")
        }
        "/schemas/ids/3" => schema(&large),
        "/schemas/ids/4" => ok("<html>Welcome</html>"),
        "/schemas/ids/5" => Reply::Header(302, "location: /login".to_owned()),
        "/schemas/ids/6" => Reply::Json(429, String::new()),
        "/schemas/ids/7" => raw("what?\r\n\r\n"),
        "/schemas/ids/8" => not_found(404, "HTTP 404 Not Found"),
        "/schemas/ids/9" => raw(""),
        other => panic!("{other}"),
    });
    let mut registry = client(&server);
    for (id, reason) in [
        (1, "it answers 503, \"no leader\": it is in trouble itself"),
        (2, "disconnected"),
        (3, "its answer is larger than 4194304 bytes"),
        (4, "its answer is no schema (expected value"),
        (5, "it answers 302 and points to /login: set url"),
        (6, "it answers 429: it is asked too often"),
        (7, "http"),
        (8, "check the path of url"),
        (9, "disconnected"),
    ] {
        let told = refused(&mut registry, id).to_lowercase();
        assert!(
            told.starts_with("unavailable: ") && told.contains(reason),
            "{id}: {told}"
        );
    }
    assert_eq!(server.paths().len(), 9, "a redirect was followed");
}

/// A port at which nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn nobody_there_and_no_answer_are_told_apart() {
    let url = format!("http://127.0.0.1:{}", closed_port());
    let mut registry = HttpRegistry::new(&options(&[&url])).unwrap();
    assert_eq!(refused(&mut registry, 1), "unavailable: connection refused");
    let server = Server::start(|_| Reply::Silence);
    let mut options = options(&[&server.url()]);
    options.timeout = Duration::from_millis(100);
    let mut registry = HttpRegistry::new(&options).unwrap();
    assert_eq!(
        refused(&mut registry, 1),
        "unavailable: it does not answer within 100ms"
    );
}

#[test]
fn a_login_is_shown_to_the_registry_and_to_nobody_else() {
    let with_login = |server: &Server, login| {
        let mut options = options(&[&server.url()]);
        options.login = Some(login);
        assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");
        HttpRegistry::new(&options).unwrap()
    };
    let accepts = |accepted: &'static str| {
        Server::start(move |request| {
            if request.authorization.as_deref() == Some(accepted) {
                return schema("x");
            }
            let words = r#"{"error_code":401,"message":"Unauthorized"}"#;
            Reply::Json(401, words.to_owned())
        })
    };
    let basic = |password: &str| Login::Basic {
        username: "me".to_owned(),
        password: password.to_owned(),
    };
    let server = accepts("Basic bWU6aHVudGVyMg==");
    let told = refused(&mut with_login(&server, basic("hunter22")), 1);
    let expected = "unavailable: it answers 401, \"Unauthorized\": check auth (username and password, or token)";
    assert_eq!(told, expected);
    assert!(
        with_login(&server, basic("hunter2"))
            .fetch(RegistryId(1))
            .is_ok()
    );
    // The login of an address is for that address, and does not show in errors.
    let url = server.url().replace("http://", "http://me:hunter2@");
    assert!(
        HttpRegistry::new(&options(&[&url]))
            .unwrap()
            .fetch(RegistryId(1))
            .is_ok()
    );
    let url = url.replace("hunter2", "hunter22");
    let error = HttpRegistry::new(&options(&[&url]))
        .unwrap()
        .fetch(RegistryId(1));
    assert!(!error.unwrap_err().to_string().contains("hunter"));

    let server = accepts("Bearer hunter2");
    assert!(
        with_login(&server, Login::Bearer("hunter2".to_owned()))
            .fetch(RegistryId(1))
            .is_ok()
    );
    let mut wrong = options(&[&server.url()]);
    wrong.login = Some(Login::Bearer("hunter2\n".to_owned()));
    let error = HttpRegistry::new(&wrong).err().unwrap().to_string();
    assert!(
        error.contains("no HTTP header") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn the_next_address_is_asked_where_one_does_not_answer() {
    let server = Server::start(|request| match request.path.as_str() {
        "/schemas/ids/1" => schema("x"),
        "/schemas/ids/2" => not_found(40_403, "gone"),
        _ => Reply::Json(500, String::new()),
    });
    let closed = format!("http://127.0.0.1:{}", closed_port());
    let mut registry = HttpRegistry::new(&options(&[&closed, &server.url()])).unwrap();
    assert!(registry.fetch(RegistryId(1)).is_ok());
    assert_eq!(refused(&mut registry, 2), "unknown: gone");
    let told = refused(&mut registry, 3);
    let expected = format!(
        "unavailable: {}: it answers 500: it is in trouble itself; {closed}: connection refused",
        server.url()
    );
    assert_eq!(told, expected);
}
