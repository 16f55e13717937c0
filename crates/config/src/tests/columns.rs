//! What is said of columns and formats, and every word about what is wrong with it.

use debezium_decoder::{FormatOverride, HashKey, PartFormat};
use expect_test::{Expect, expect};

use super::*;

const SOURCE: &str =
    "[[sources]]\nname = 's'\nkind = 'kafka'\nbrokers = 'b'\ntopics = ['shop.*']\n";

fn check_wrong(text: &str, expected: &Expect) {
    let text = format!("{SOURCE}{text}");
    expected.assert_eq(&try_load(&text, &[], &[]).expect_err("it was accepted"));
}

#[test]
fn columns_are_dropped_hashed_and_typed() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef\n").unwrap();
    let text = format!(
        "{SOURCE}formats = [{{ topic = 'legacy.*', key = 'json', value = 'avro' }}]\n[[tables]]\ntopic = 'shop.a'\n[tables.columns]\ndrop = ['card']\nhash = ['email', 'id']\ntypes = {{ created_at = 'micro_timestamp', total = 'decimal(2)' }}\n[secrets]\nhash_key = '${{file:{}}}'\n",
        secret.display()
    );
    let config = try_load(&text, &[], &[]).unwrap();
    // The line end of the file is none of the secret.
    assert_eq!(config.hash_key, HashKey::new("0123456789abcdef").ok());
    let columns = &config.tables[0].columns;
    assert_eq!((columns.drop.len(), columns.hash.len()), (1, 2));
    assert_eq!(columns.types["total"].to_string(), "decimal(2)");
    let formats = config.sources[0].formats.of("legacy.x");
    let expected = FormatOverride {
        key: Some(PartFormat::Json),
        value: Some(PartFormat::Avro),
    };
    assert_eq!(formats, expected);
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn a_variable_names_a_column_as_it_is() {
    let variables = [
        ("ROWTIDE__TABLES__0__TOPIC", "shop.a"),
        ("ROWTIDE__TABLES__0__COLUMNS__TYPES__CREATED_AT", "date"),
        ("ROWTIDE__TABLES__0__COLUMNS__DROP", "card"),
    ];
    let config = try_load(SOURCE, &[], &variables).unwrap();
    assert!(config.tables[0].columns.types.contains_key("created_at"));
    assert_eq!(config.tables[0].columns.drop, ["card"]);
}

#[test]
fn what_would_hide_nothing_is_refused() {
    check_wrong(
        "[[tables]]\ntopic = 'shop.a'\nkey = ['id']\n[tables.columns]\ndrop = ['id', 'x', 'x']\nhash = ['x', '']\ntypes = { id = 'date' }\n",
        &expect![[r#"
            rowtide.toml:10: `tables[0].columns.drop` names a column twice or not at all: name each column once
            rowtide.toml:10: `tables[0].columns.drop` names id, a column of the key: name it in `hash` instead: without it rows could not be told apart
            rowtide.toml:11: `tables[0].columns.hash` names a column twice or not at all: name each column once
            rowtide.toml:11: `tables[0].columns.hash` needs `secrets.hash_key`: add [secrets] with hash_key = "${file:/run/secrets/rowtide-hash}"
            rowtide.toml:11: x is in both `tables[0].columns.drop` and `tables[0].columns.hash`: leave it in one of them
            rowtide.toml:12: `tables[0].columns.types.id` does nothing: the column is dropped: remove it"#]],
    );
    check_wrong(
        "[secrets]\nhash_key = 'short'\n",
        &expect![
            "rowtide.toml:7: `secrets.hash_key`: a hash key has at least 16 bytes, this one has 5: write at least 16 characters that nobody can guess, such as those of `openssl rand -hex 32`"
        ],
    );
    // A secret is not repeated where somebody could read it.
    check_wrong(
        "[secrets]\nhash_key = 12345678901234567\n",
        &expect!["rowtide.toml:7: `secrets.hash_key` is a number, not text: write it in quotes"],
    );
}

#[test]
fn a_type_that_is_none_is_answered_with_those_there_are() {
    check_wrong(
        "[[tables]]\ntopic = 'shop.a'\n[tables.columns.types]\na = 'microtimestamp'\nb = 'Decimal(3)'\nc = 'money'\nd = 'decimal(-1)'\n",
        &expect![[r#"
            rowtide.toml:9: `tables[0].columns.types.a`: "microtimestamp" is no type: did you mean "micro_timestamp"?
            rowtide.toml:10: `tables[0].columns.types.b`: "Decimal(3)" is no type: did you mean "decimal"?
            rowtide.toml:11: `tables[0].columns.types.c`: "money" is no type: write one of "bool", "int16", "int32", "int64", "uint64", "float32", "float64", "decimal", "decimal(2)", "text", "uuid", "json", "xml", "enum", "enum_set", "bytes", "bytes_hex", "bytes_base64url", "bits(8)", "date", "time", "micro_time", "nano_time", "zoned_time", "timestamp", "micro_timestamp", "nano_timestamp", "zoned_timestamp", "iso_date", "iso_time", "iso_timestamp", "year", "micro_duration", "interval", "array(int32)", "map(text)", "struct"
            rowtide.toml:12: `tables[0].columns.types.d`: "decimal(-1)" is no type: did you mean "decimal"?"#]],
    );
}

#[test]
fn a_format_that_says_nothing_is_refused() {
    check_wrong(
        "formats = [{ key = 'json' }, { topic = 'a b', key = 'json' }, { topic = 'a' }, { topic = 'a', value = 'avro' }]\n",
        &expect![[r#"
            rowtide.toml:6: `sources[0].formats[0]` has no topic: add topic = "…": a topic's name or a glob, in which `*` is any text
            rowtide.toml:6: `sources[0].formats[1].topic`: "a b" is no topic: write a topic's name or a glob, in which `*` is any text, one list item each
            rowtide.toml:6: `sources[0].formats[2]` says nothing of its topics: add key = "…" or value = "…", or remove it
            rowtide.toml:6: two formats are for a: join the two: the first would count"#]],
    );
    check_wrong(
        "formats = [{ topic = 'a', key = 'jsn' }]\n",
        &expect![[
            r#"rowtide.toml:6: `sources[0].formats[0].key` cannot be "jsn": did you mean "json"?"#
        ]],
    );
}
