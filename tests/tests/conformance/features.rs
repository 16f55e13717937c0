//! Which scenario is about what.

/// A connector, and how much of it was seen.
pub struct Connector {
    pub name: &'static str,
    pub known: &'static str,
    /// Whether a recording, by scenario and file, is of it.
    pub is: fn(&str, &str) -> bool,
}

const MEASURED: &str = "measured: records of the real connector";
const DOCUMENTED: &str =
    "**documented, not generated**: samples of the manual, and records written by hand from it";

fn documented(scenario: &str, stem: &str, name: &str) -> bool {
    scenario == "X_documented" && stem.trim_start_matches("handmade-") == name
}

pub const CONNECTORS: &[Connector] = &[
    Connector {
        name: "PostgreSQL 15 and 18",
        known: MEASURED,
        is: |scenario, _| !scenario.starts_with("K_") && !scenario.starts_with("X_"),
    },
    Connector {
        name: "MySQL 5.6",
        known: MEASURED,
        is: |scenario, _| scenario.starts_with("K_mysql"),
    },
    Connector {
        name: "MariaDB 10.11",
        known: MEASURED,
        is: |scenario, _| scenario.starts_with("K_mariadb"),
    },
    Connector {
        name: "MongoDB",
        known: "**built by the connector's own classes**, from change-stream documents, without a server",
        is: |scenario, _| scenario == "X_mongodb_classes",
    },
    Connector {
        name: "MongoDB, the manual",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "mongodb"),
    },
    Connector {
        name: "SQL Server",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "sqlserver"),
    },
    Connector {
        name: "Oracle",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "oracle"),
    },
    Connector {
        name: "Db2",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "db2"),
    },
    Connector {
        name: "Cassandra",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "cassandra"),
    },
    Connector {
        name: "Vitess",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "vitess"),
    },
    Connector {
        name: "Spanner",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "spanner"),
    },
    Connector {
        name: "Informix",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "informix"),
    },
    Connector {
        name: "CockroachDB",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "cockroachdb"),
    },
    Connector {
        name: "YashanDB",
        known: DOCUMENTED,
        is: |scenario, stem| documented(scenario, stem, "yashandb"),
    },
];

/// What Debezium can send, and the scenarios that send it. Each scenario stands somewhere.
pub const FEATURES: &[(&str, &[&str])] = &[
    (
        "Snapshot, insert, update, delete, tombstone; `REPLICA IDENTITY` `DEFAULT` and `FULL`",
        &["A_basics_default", "A_basics_full"],
    ),
    ("Deletes without tombstones", &["N_no_tombstones"]),
    (
        "Keys of every type, composite, unique indexes, `message.key.columns`; key changes",
        &["B_keys"],
    ),
    ("Key changes across partitions", &["N_keys_4partitions"]),
    (
        "Key shifts under deferrable constraints",
        &["B_deferrable_shift"],
    ),
    (
        "Headers with embedded schemas",
        &["B_keys", "B_deferrable_shift"],
    ),
    (
        "Names with spaces, dots, dashes and umlauts; adjusted names",
        &["B_names", "B_names_avro", "B_names_avro_unicode"],
    ),
    (
        "Values that were not sent (TOAST): default, custom placeholder, full identity",
        &["C_toast_default", "C_toast_custom", "C_toast_full"],
    ),
    (
        "PostgreSQL types in every mode of time, decimals and binaries",
        &[
            "D_types_default",
            "D_types_double_atm",
            "D_types_isostring",
            "D_types_microseconds",
            "D_types_string_connect",
        ],
    ),
    (
        "Infinities, NaN, years before Christ and far ahead",
        &[
            "D_special_default",
            "D_special_isostring",
            "D_special_nanoseconds",
            "D_special_string_connect",
        ],
    ),
    (
        "Vectors, virtual and stored generated columns, `uuidv7` (PostgreSQL 18)",
        &["D_pg18_vector", "D_pg18_vector_json"],
    ),
    (
        "MySQL and MariaDB: types, unsigned, enums and sets, zero dates, renamed tables, binlog rotation",
        &[
            "K_mysql",
            "K_mariadb",
            "K_mariadb_connect",
            "K_mariadb_rotate_restart",
        ],
    ),
    (
        "Truncate, also cascading and of tables without a key",
        &["E_truncate"],
    ),
    (
        "Truncates skipped by the connector (its default)",
        &["E_truncate_default"],
    ),
    (
        "Logical messages, raw and decoded",
        &["E_messages", "E_messages_decoded"],
    ),
    (
        "Transaction boundaries and heartbeats",
        &["E_txmeta_heartbeat"],
    ),
    (
        "Schema evolution: columns added, dropped, renamed, retyped; keys dropped and widened",
        &["F_evolution"],
    ),
    (
        "Incremental and blocking snapshots beside the stream",
        &[
            "G_incremental",
            "G_incremental_delete_strategy",
            "G_blocking",
        ],
    ),
    (
        "A snapshot repeated after offsets were lost (ghosts)",
        &["L_offsets_lost"],
    ),
    (
        "Stretches delivered again after a crash of the connector",
        &["L_restart_duplicates"],
    ),
    (
        "Flattened records in every mode of deletes",
        &[
            "H_unwrap_default",
            "H_unwrap_tombstone",
            "H_unwrap_drop",
            "H_unwrap_rewrite",
            "H_unwrap_delete_to_tombstone",
            "H_unwrap_truncate_message",
        ],
    ),
    (
        "Outbox: default, expanded, and as a plain table",
        &["H_outbox_default", "H_outbox_expand", "H_outbox_raw"],
    ),
    (
        "Routers: logical tables with and without unique keys, regular expressions",
        &[
            "H_logical_table_router",
            "H_logical_table_router_nouniq",
            "H_regex_router",
        ],
    ),
    (
        "Other transformations: changed fields, headers to values, inserted fields, time zones",
        &[
            "H_changed_fields",
            "H_header_to_value",
            "H_insertfield_filter",
            "H_timezone",
        ],
    ),
    (
        "CloudEvents: JSON with and without schemas and extensions, Avro data, Avro envelopes",
        &["I_cloudevents"],
    ),
    (
        "Avro and Protobuf with a registry: name strategies, without Connect's metadata, `optional`; the text of `StringConverter`",
        &["J_avro_protobuf"],
    ),
    (
        "A quarter of a million records over three partitions, JSON and Avro",
        &["M_volume", "M_volume_avro"],
    ),
    (
        "Columns excluded and truncated by the connector",
        &["N_columns_filtered"],
    ),
    (
        "Compacted topics",
        &[
            "N_compacted_A_basics_default",
            "N_compacted_C_toast_default",
        ],
    ),
    (
        "Partitioned tables, by partition and through the root",
        &["N_pg_partitions", "N_pg_partitions_via_root"],
    ),
    (
        "Operations skipped by the connector",
        &["N_skipped_updates"],
    ),
    ("Topic names without dots", &["N_topic_per_prefix"]),
    (
        "MongoDB: envelopes, change streams without full documents, flattened documents",
        &["X_mongodb_classes"],
    ),
    ("Other connectors, from their manual", &["X_documented"]),
];
