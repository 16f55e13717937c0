//! What is kept reads back.
use super::*;

fn read_back(note: &Note) -> Saved {
    read(&note.name, note.value.as_ref().unwrap())
        .unwrap()
        .unwrap()
}

#[test]
fn notes_read_back() {
    let saved = SavedPartition {
        next: NextOffset(7),
        applied: NextOffset(8),
        topic_uuid: Some(TopicUuid([3; 16])),
    };
    let Saved::Partition {
        source,
        topic,
        partition: 2,
        saved: read,
        unserved: true,
    } = read_back(&partition(("s", "a.b"), 2, &saved, true))
    else {
        panic!()
    };
    assert_eq!((source.as_str(), topic.as_str(), read), ("s", "a.b", saved));

    let schema = Schema {
        columns: vec![Column {
            name: "id".to_owned(),
            kind: ColumnType::Decimal,
            nullable: false,
        }],
        key: Some(vec!["id".to_owned()]),
    };
    let Saved::Shape {
        number: 4,
        schema: read,
        ..
    } = read_back(&shape("a.b", 4, &schema))
    else {
        panic!()
    };
    assert_eq!(read, schema);
}

#[test]
fn a_note_that_is_no_json_names_itself() {
    let error = read(b"partition\0s\0t\x000", b"{").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the checkpoint's note `partition/s/t/0` cannot be read"),
        "{error}"
    );
    assert!(read(b"from/the/future", b"").unwrap().is_none());
}
