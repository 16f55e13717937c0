//! What config says of columns and formats, as the decoders and the pipeline want to hear it.

use std::sync::Arc;

use config::{Config, TableConfig};
use debezium_decoder::{ColumnRules, DECODER_VERSION, HashKey, TopicFormats};
use ingest::{Preparation, Preparations};

/// The rules of each topic that has some, to be shared by all decoders.
pub fn rules(config: &Config) -> Vec<(String, Arc<ColumnRules>)> {
    let tables = config.tables.iter().map(|table| {
        let columns = &table.columns;
        let rules = ColumnRules::new(
            columns.drop.iter().cloned(),
            columns.hash.iter().cloned(),
            config.hash_key.as_ref(),
            columns.types.clone(),
        );
        (table.topic.clone(), Arc::new(rules))
    });
    tables.filter(|(_, rules)| !rules.is_empty()).collect()
}

/// What a checkpoint remembers of how rows were made.
pub fn preparations(config: &Config) -> Preparations {
    let tables = config.tables.clone();
    let fingerprint = config.hash_key.as_ref().map(HashKey::fingerprint);
    let sources = config.sources.iter();
    let formats: Vec<(String, TopicFormats)> = sources
        .map(|source| (source.name.clone(), source.formats.clone()))
        .collect();
    Preparations::new(move |source, topic| {
        let table = tables.iter().find(|table| table.topic == topic);
        let mut preparation = table.map_or_else(Preparation::default, |table| {
            of_table(table, fingerprint.as_ref())
        });
        let formats = formats.iter().find(|(name, _)| name == source);
        let formats = formats.map(|(_, formats)| formats.of(topic));
        preparation.formats = formats
            .filter(|formats| *formats != debezium_decoder::FormatOverride::default())
            .map(|formats| format!("{formats:?}"));
        preparation.decoder = DECODER_VERSION;
        preparation
    })
}

fn of_table(table: &TableConfig, fingerprint: Option<&String>) -> Preparation {
    let columns = &table.columns;
    let types = columns.types.iter();
    Preparation {
        key: table.key.clone(),
        drop: columns.drop.iter().cloned().collect(),
        hash: columns.hash.iter().cloned().collect(),
        hash_key: fingerprint.filter(|_| !columns.hash.is_empty()).cloned(),
        types: types
            .map(|(column, hint)| (column.clone(), hint.to_string()))
            .collect(),
        ..Preparation::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use config::ConfigArgs;

    use super::*;

    /// What is remembered of the orders under this hash key.
    fn prepared(hash_key: &str) -> Preparation {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rowtide.toml");
        let text = format!(
            "[[sources]]\nname = 's'\nkind = 'kafka'\nbrokers = 'b'\ntopics = ['*']\nformats = [{{ topic = 'shop.*', key = 'string' }}]\n[[tables]]\ntopic = 'shop.orders'\nkey = ['id']\n[tables.columns]\ndrop = ['card']\nhash = ['email']\ntypes = {{ at = 'date' }}\n[secrets]\nhash_key = '{hash_key}'\n"
        );
        std::fs::write(&path, text).unwrap();
        let flags = ConfigArgs {
            config: Some(path),
            ..ConfigArgs::default()
        };
        let config = config::load(&flags, &BTreeMap::new()).unwrap();
        let rules = rules(&config);
        assert_eq!(rules.len(), 1);
        assert!(rules[0].1.hides());
        let preparations = preparations(&config);
        assert_eq!(preparations.of("s", "other").key, Vec::<String>::new());
        preparations.of("s", "shop.orders")
    }

    #[test]
    fn everything_that_makes_other_rows_is_remembered_and_no_secret() {
        let (one, other) = (prepared("0123456789abcdef"), prepared("0123456789abcdeg"));
        assert_eq!((one.key.len(), one.drop.len(), one.types.len()), (1, 1, 1));
        assert!(one.formats.is_some() && one.decoder > 0);
        assert_ne!(one.hash_key, other.hash_key);
        assert!(!format!("{one:?}").contains("0123456789"));
    }
}
