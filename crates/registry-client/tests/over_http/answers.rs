//! What a registry has is brought whole, with all it refers to.

use change_feed::{RegisteredSchema, RegistryId, SchemaLanguage, SchemaRegistry};
use registry_client::limits;

use crate::server::{Reply, Server, not_found, ok, schema};
use crate::{client, refused};

/// What `name` refers to, as a registry lists it.
fn refers_to(names: &[&str]) -> String {
    let one = |name: &&str| format!(r#"{{"name":"{name}","subject":"{name}","version":1}}"#);
    names.iter().map(one).collect::<Vec<_>>().join(",")
}

fn with_references(text: &str, names: &[&str]) -> Reply {
    let references = refers_to(names);
    ok(&format!(
        r#"{{"schema":"{text}","references":[{references}]}}"#
    ))
}

#[test]
fn a_schema_comes_with_all_it_refers_to_in_the_order_they_need_each_other() {
    let server = Server::start(|request| match request.path.as_str() {
        "/schemas/ids/7" => ok(
            r#"{"schemaType":"PROTOBUF","schema":"main","references":[{"name":"a.proto","subject":"dir/a value","version":4},{"name":"c","subject":"c","version":1}]}"#,
        ),
        // Both refer to c, and c refers back: it is asked for once, and the circle ends.
        "/subjects/dir%2Fa%20value/versions/4" => with_references("A", &["b", "c"]),
        "/subjects/b/versions/1" => with_references("B", &["c"]),
        "/subjects/c/versions/1" => with_references("C", &["b"]),
        other => panic!("{other}"),
    });
    let brought = client(&server).fetch(RegistryId(7)).unwrap();
    let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        brought,
        RegisteredSchema {
            language: SchemaLanguage::Protobuf,
            text: "main".to_owned(),
            references: vec![text("c", "C"), text("b", "B"), text("a.proto", "A")],
        }
    );
    assert_eq!(
        server.paths(),
        [
            "/schemas/ids/7",
            "/subjects/dir%2Fa%20value/versions/4",
            "/subjects/b/versions/1",
            "/subjects/c/versions/1"
        ]
    );
}

#[test]
fn what_the_registry_does_not_have_is_unknown() {
    let server = Server::start(|request| match request.path.as_str() {
        "/schemas/ids/1" => not_found(40_403, "Schema 1 not found"),
        "/schemas/ids/2" => with_references("main", &["gone"]),
        "/subjects/gone/versions/1" => not_found(40_401, "Subject 'gone' not found."),
        "/schemas/ids/3" => ok(r#"{"schema":"x","schemaType":"XSD"}"#),
        other => panic!("{other}"),
    });
    let mut registry = client(&server);
    assert_eq!(refused(&mut registry, 1), "unknown: Schema 1 not found");
    assert_eq!(
        refused(&mut registry, 2),
        "unknown: gone that it refers to (version 1 of subject gone): Subject 'gone' not found."
    );
    assert_eq!(
        refused(&mut registry, 3),
        "unknown: it is written in \"XSD\", which rowtide cannot read"
    );
    let error = registry.fetch(RegistryId(1)).unwrap_err().to_string();
    let expected = format!(
        "the schema registry {} has no schema 1: Schema 1 not found",
        server.url()
    );
    assert_eq!(error, expected);
}

#[test]
fn references_without_end_have_one() {
    let server = Server::start(|request| {
        let number: u32 = request
            .path
            .split('/')
            .nth(2)
            .unwrap()
            .trim_start_matches('r')
            .parse()
            .unwrap_or(0);
        with_references("x", &[&format!("r{}", number + 1)])
    });
    let reason = refused(&mut client(&server), 7);
    assert!(
        reason.starts_with("unknown: it refers to more than"),
        "{reason}"
    );
    assert_eq!(server.paths().len(), limits::REFERENCE_DEPTH_MAX + 1);

    let server = Server::start(|request| {
        if request.path != "/schemas/ids/7" {
            return schema("x");
        }
        let names: Vec<String> = (0..=limits::REFERENCES_MAX)
            .map(|number| format!("r{number}"))
            .collect();
        with_references(
            "main",
            &names.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    });
    let reason = refused(&mut client(&server), 7);
    assert!(
        reason.starts_with("unknown: it refers to more than"),
        "{reason}"
    );
}
