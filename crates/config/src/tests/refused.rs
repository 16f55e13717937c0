//! Whole configurations that are refused, and every word that is said about it.

use expect_test::{Expect, expect};

use super::*;

fn check_wrong(text: &str, flags: &[&str], environment: &[(&str, &str)], expected: &Expect) {
    expected.assert_eq(&try_load(text, flags, environment).expect_err("it was accepted"));
}

#[test]
fn nothing_to_follow() {
    check_wrong(
        "",
        &[],
        &[],
        &expect![
            "nothing says what to follow: give --brokers and --topics, or --replay PATH, or a --config file with a [[sources]] section (`rowtide init` writes one; `rowtide demo` needs none of it)"
        ],
    );
    check_wrong(
        "",
        &["--brokers", "b:1"],
        &[],
        &expect![[
            r#"--brokers: `sources[0]` has no topics: add topics = ["shop.public.*"], or give --topics"#
        ]],
    );
    check_wrong(
        "",
        &["--topics", "t"],
        &[],
        &expect![[
            r#"--topics: `sources[0]` has no brokers: add brokers = "host:9092", or give --brokers"#
        ]],
    );
    check_wrong(
        "[[sources]]\n",
        &[],
        &[],
        &expect![[r#"
        rowtide.toml:1: `sources[0]` has no kind: add kind = "kafka" or kind = "file"
        rowtide.toml:1: `sources[0]` has no name: add name = "…": the status calls it so"#]],
    );
}

#[test]
fn an_address_that_everyone_could_reach_is_refused() {
    check_wrong(
        "",
        &["--replay", "r", "--listen", "0.0.0.0:8080"],
        &[],
        &expect![[
            r#"--listen: `listen.data`: 0.0.0.0:8080 would show every table to whoever can reach this machine, because there is no authentication yet: listen on "127.0.0.1:8080" or "unix:/path", and let others in through a proxy that authenticates"#
        ]],
    );
    check_wrong(
        "",
        &["--replay", "r", "--listen", "127.0.0.1:9090"],
        &[],
        &expect![
            "--listen: `listen.data` and `listen.admin` are both 127.0.0.1:9090: give each its own port or path"
        ],
    );
}

#[test]
fn values_that_mean_nothing_are_all_named_with_their_lines() {
    let text = r#"
[memory]
max = "4 gigs"
[quarantine]
max = "1"
[checkpoint]
interval = "soon"
[[sources]]
name = "a/b"
kind = "kafka"
brokers = "http://kafka:9092"
topics = ["^shop.*", "a,b", ""]
path = "x"
[[sources]]
name = "a"
kind = "file"
topics = ["t"]
[[sources]]
name = "a"
kind = "file"
path = "p"
[[tables]]
name = "x/y"
[[tables]]
topic = "t"
key = ["id", "id"]
[[tables]]
topic = "t"
"#;
    check_wrong(
        text,
        &[],
        &[],
        &expect![[r#"
        rowtide.toml:3: `memory.max`: "4 gigs" is no size: write a number and a unit, such as "512MiB" or "4GiB"
        rowtide.toml:5: `quarantine.max`: "1" is only 1 bytes: write at least "1MiB"
        rowtide.toml:7: `checkpoint.interval`: "soon" is no duration: write a number and a unit, such as "500ms", "1s" or "2m"
        rowtide.toml:9: "a/b" cannot name a source: write letters, digits, `.`, `_` and `-`
        rowtide.toml:11: `sources[0].brokers`: "http://kafka:9092" is no broker: write "host:port", comma-separated, without a scheme
        rowtide.toml:12: `sources[0].topics[0]`: "^shop.*" is no topic: write a glob instead of a regular expression: `*` is any text
        rowtide.toml:12: `sources[0].topics[1]`: "a,b" is no topic: write a topic's name or a glob, in which `*` is any text, one list item each
        rowtide.toml:12: `sources[0].topics[2]`: "" is no topic: write a topic's name or a glob, in which `*` is any text, one list item each
        rowtide.toml:13: `sources[0].path` does nothing for a source of kind "kafka": remove it, or write kind = "file"
        rowtide.toml:14: `sources[1]` has no path: add path = "…": a record file, or a directory of them
        rowtide.toml:17: `sources[1].topics` does nothing for a source of kind "file": remove it, or write kind = "kafka"
        rowtide.toml:19: two sources are called a: give each its own name
        rowtide.toml:22: `tables[0]` has no topic: add topic = "…": the topic that this table is made from
        rowtide.toml:26: `tables[1].key` names a column twice or not at all: name each column of the key once, in order
        rowtide.toml:28: two tables are made from the topic t: join the two sections"#]],
    );
}

#[test]
fn what_cannot_be_read_is_said_before_what_it_means() {
    check_wrong(
        "[listen\n",
        &[],
        &[],
        &expect![
            "rowtide.toml:1: this is not TOML (unclosed table, expected `]`): mend the line `[listen`"
        ],
    );
    check_wrong(
        "data_dir = \"${env:NO_SUCH}\"",
        &["--replay", "r"],
        &[],
        &expect![
            "rowtide.toml:1: `data_dir` needs the environment variable NO_SUCH, which is not set: set NO_SUCH, or write the value itself"
        ],
    );
    check_wrong(
        "",
        &["--replay", "r"],
        &[("ROWTIDE__MEMORY__MAXX", "1")],
        &expect![
            "environment variable ROWTIDE__MEMORY__MAXX: unknown key `memory.maxx`: did you mean `max`?"
        ],
    );
    let missing = Flags::try_parse_from(["serve", "--config", "/no/such.toml"])
        .unwrap()
        .config;
    let error = load(&missing, &BTreeMap::new()).unwrap_err().to_string();
    expect!["--config: /no/such.toml cannot be read (No such file or directory (os error 2)): check the path; `rowtide init FILE` writes a new one"].assert_eq(&error);
}

#[test]
fn flags_that_could_be_about_several_sources_are_refused() {
    let two = "[[sources]]\nname = 'a'\nkind = 'kafka'\n[[sources]]\nname = 'b'\nkind = 'kafka'\n";
    check_wrong(
        two,
        &["--brokers", "b"],
        &[],
        &expect![
            "--brokers: it is not clear which source this is about: the configuration has several sources; set it there"
        ],
    );
    check_wrong(
        two,
        &["--replay", "r"],
        &[],
        &expect![
            "--replay: it is not clear which source this is about: leave the flag or the [[sources]] of the configuration out"
        ],
    );
    let file = "[[sources]]\nname = 'a'\nkind = 'file'\n";
    check_wrong(
        file,
        &["--brokers", "b"],
        &[],
        &expect![
            "--brokers: it is not clear which source this is about: the source in the configuration does not read Kafka; leave the flag or the source out"
        ],
    );
}

#[test]
fn a_registry_that_cannot_be_asked_is_refused_without_telling_secrets() {
    let text = r#"
[[sources]]
name = "a"
kind = "file"
path = "p"
[sources.schema_registry]
url = ["me:hunter2@registry", "http://:hunter2@"]
username = "me"
token = "Bearer hunter2"
client_key_file = "k"
timeout = "0s"
[[sources]]
name = "b"
kind = "file"
path = "p"
[sources.schema_registry]
token = "x"
[[sources]]
name = "c"
kind = "file"
path = "p"
[sources.schema_registry]
url = "http://me:hunter2@registry:8081"
username = "me"
password = "hunter2"
token = "x"
ca_file = "ca.pem"
"#;
    check_wrong(
        text,
        &[],
        &[],
        &expect![[r#"
        rowtide.toml:7: `sources[0].schema_registry.url[0]` begins with neither http:// nor https://: write "http://registry:8081", or with https:// and a path as your registry has it
        rowtide.toml:7: `sources[0].schema_registry.url[1]` has no usable host and port: write "http://registry:8081", or with https:// and a path as your registry has it
        rowtide.toml:8: `sources[0].schema_registry.username` does nothing without `password`: add password = "…", or remove `username`
        rowtide.toml:9: `sources[0].schema_registry.token` is empty, or has characters that no token has: write the token alone, without "Bearer "
        rowtide.toml:10: `sources[0].schema_registry.client_key_file` does nothing without `client_cert_file`: add client_cert_file = "…", or remove `client_key_file`
        rowtide.toml:11: `sources[0].schema_registry.timeout`: "0s" is out of bounds: write at least "100ms" and at most "5m"
        rowtide.toml:16: `sources[1].schema_registry` has 0 addresses: add url = "http://registry:8081", or a list of at most 16
        rowtide.toml:23: `sources[2].schema_registry` has a login, and so has one of its addresses: keep one of them; `username` and `password` are for all addresses
        rowtide.toml:26: `sources[2].schema_registry` has both `username` and `token`: keep the one that the registry asks for
        rowtide.toml:27: `sources[2].schema_registry.ca_file` does nothing for an address that begins with http://: write https:// in `url`, or remove the key"#]],
    );
}

#[test]
fn what_is_left_out_cannot_be_a_table_and_what_is_kept_has_a_unit() {
    check_wrong(
        "[[sources]]\nname = 's'\nkind = 'file'\npath = 'r'\nsignal_table = 'a.signals'\ntransaction_topic = 'a *'\ntransaction_wait = '1h'\n",
        &[],
        &[],
        &expect![[r#"
            rowtide.toml:6: `sources[0].transaction_topic`: "a *" is no topic: write a topic's name
            rowtide.toml:7: `sources[0].transaction_wait`: "1h" is out of bounds: write at least "100ms" and at most "1m""#]],
    );
    check_wrong(
        "[[sources]]\nname = 's'\nkind = 'file'\npath = 'r'\nsignal_table = 'a.signals'\ntransaction_topic = 'a *'\n[[tables]]\ntopic = 'a.signals'\nkeep = '1000'\n",
        &[],
        &[],
        &expect![[r#"
            rowtide.toml:6: `sources[0].transaction_topic`: "a *" is no topic: write a topic's name
            rowtide.toml:8: the topic a.signals makes no table, because it is the signal table or the transaction topic of source s: remove one of the two
            rowtide.toml:9: `tables[0].keep`: "1000" has no unit: write an age such as "24h", or a number such as "100000 rows""#]],
    );
}

#[test]
fn relations_that_relate_nothing_are_all_named_with_their_lines() {
    let text = r#"
[[sources]]
name = "s"
kind = "file"
path = "r"
[[tables]]
name = "orders"
topic = "shop.public.orders"
columns = { drop = ["customer_id"] }
[[relations]]
name = "customer"
[[relations]]
name = "a.b"
from = "orders"
to = "customers.()"
[[relations]]
name = "buyer"
from = "orders.customer_id"
to = "customers.(tenant, id)"
inverse = ""
[[relations]]
name = "buyer"
from = "orders.seller_id"
to = "customers.(id, id)"
inverse = "sales"
[[relations]]
name = "seller"
from = "orders.seller_id"
to = "customers.id"
inverse = "sales"
inversed = "x"
"#;
    check_wrong(
        text,
        &[],
        &[],
        &expect!["rowtide.toml:31: unknown key `relations[4].inversed`: did you mean `inverse`?"],
    );
    let text = text.replace("inversed = \"x\"\n", "");
    check_wrong(
        &text,
        &[],
        &[],
        &expect![[r#"
        rowtide.toml:10: `relations[0]` has no from: add from = "orders.customer_id"
        rowtide.toml:10: `relations[0]` has no to: add to = "customers.id"
        rowtide.toml:13: "a.b" cannot name a relation: write a name without `. , : ! ( )` and quotes
        rowtide.toml:14: `relations[1].from`: "orders" names no column: write TABLE.COLUMN, or TABLE.(COLUMN, COLUMN)
        rowtide.toml:15: `relations[1].to`: "customers.()" names no column: write TABLE.COLUMN, or TABLE.(COLUMN, COLUMN)
        rowtide.toml:18: `relations[2].from` uses customer_id, which is dropped from orders: hash the column instead: equal values stay equal
        rowtide.toml:19: `relations[2]` has 1 columns in `from` and 2 in `to`: name as many columns on both sides, in the same order
        rowtide.toml:20: "" cannot name a relation: write a name without `. , : ! ( )` and quotes
        rowtide.toml:22: two relations of orders are called buyer: give each its own name
        rowtide.toml:24: `relations[3].to` names a column twice: write TABLE.COLUMN, or TABLE.(COLUMN, COLUMN)
        rowtide.toml:24: `relations[3]` has 1 columns in `from` and 2 in `to`: name as many columns on both sides, in the same order
        rowtide.toml:30: two relations of customers are called sales: give each its own name"#]],
    );
}

#[test]
fn indexes_that_cannot_be() {
    check_wrong(
        "[[sources]]\nname = 's'\nkind = 'file'\npath = 'r'\n[[tables]]\ntopic = 'a'\nindexes = [\n['x'],\n[],\n['y', 'y'],\n['z', ''],\n{ columns = ['x'], kind = 'hash' },\n{ kind = 'hash' },\n['secret', 'x'],\n['1', '2', '3', '4', '5', '6', '7', '8', '9'],\n]\n[tables.columns]\ndrop = ['secret']\n",
        &[],
        &[],
        &expect![[r#"
            rowtide.toml:9: `tables[0].indexes[1]`: an index needs a column: write the columns of an index as ["status", "created_at"], each once
            rowtide.toml:10: `tables[0].indexes[2]`: `y` is twice in one index: write the columns of an index as ["status", "created_at"], each once
            rowtide.toml:11: `tables[0].indexes[3]`: a column of an index has an empty name: write the columns of an index as ["status", "created_at"], each once
            rowtide.toml:12: `tables[0].indexes[4]` has the columns of another index: remove one of them: an ordered index finds equal values too
            rowtide.toml:13: `tables[0].indexes[5]`: an index needs a column: write the columns of an index as ["status", "created_at"], each once
            rowtide.toml:14: `tables[0].indexes[6]` is of secret, a column that is dropped: leave it out of one of them
            rowtide.toml:15: `tables[0].indexes[7]`: an index of 9 columns; 8 are the most: write the columns of an index as ["status", "created_at"], each once"#]],
    );
    check_wrong(
        "[[sources]]\nname = 's'\nkind = 'file'\npath = 'r'\n[[tables]]\ntopic = 'a'\nindexes = ['x', ['y'], { columns = ['z'], kind = 'btree', colums = 1 }]\n",
        &[],
        &[],
        &expect![[r#"
            rowtide.toml:7: `tables[0].indexes[0]` is text, not a list: write it in brackets: ["x"]
            rowtide.toml:7: `tables[0].indexes[2].kind` cannot be "btree": write one of "ordered", "hash"
            rowtide.toml:7: unknown key `tables[0].indexes[2].colums`: did you mean `columns`?"#]],
    );
}
