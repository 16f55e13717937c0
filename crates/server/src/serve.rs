//! `rowtide serve`: joins sources, tables, checkpoint and API, and runs them until a signal.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use change_feed::{Decoder, SchemaShelf};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore, SledStore};
use debezium_decoder::{ColumnRules, DebeziumDecoder};
use http_api::{Api, ApiState, Hosts, Limits, Listener};
use ingest::{
    Control, GivenTable, Pipeline, RegistryPatience, RegistrySetup, Settings, SourceSetup,
};
use query::relation::Relations;
use registry_client::HttpRegistry;
use row_model::SchemaCatalog;
use telemetry::{MetricsPage, clock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::{
    self, Config, Listen, ListenAddress, Reads, SourceConfig, Storage, TableConfig,
};
use crate::data_dir;
use crate::failure::Failure;
use crate::preparation;
use crate::reload::Reload;
use crate::source;
use crate::status_provider::BoardStatus;

/// The checkpoint's place in the data directory.
const CHECKPOINT_DIR: &str = "checkpoint";

/// Serves until SIGTERM or SIGINT; on SIGHUP reloads what there is to reload. `started` is called once, when both listeners are bound, with
/// the addresses they have.
pub fn run(
    config: Config,
    reload: Option<Reload>,
    started: impl FnOnce(&Listen),
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(http_threads())
        .thread_name("rowtide-http")
        .build()
        .context("cannot start the HTTP runtime")?;
    // Listeners first: a taken port is found out before anything is opened or read.
    let (data, admin) = runtime.block_on(async {
        let data = bind(&config.listen.data, "listen.data").await?;
        let admin = bind(&config.listen.admin, "listen.admin").await?;
        Ok::<_, anyhow::Error>((data, admin))
    })?;
    let bound = Listen {
        data: address_of(&data, &config.listen.data),
        admin: address_of(&admin, &config.listen.admin),
    };
    let metrics =
        MetricsPage::install(env!("CARGO_PKG_VERSION")).context("cannot collect metrics")?;
    let relations = Relations::from(config.relations.clone());
    let pipeline = start_pipeline(config)?;
    started(&bound);
    tracing::info!(data = %bound.data, admin = %bound.admin, "listening");

    let status = Arc::new(BoardStatus(Arc::clone(pipeline.board())));
    let state = ApiState::new(
        Arc::clone(pipeline.store()),
        clock::now_ms,
        status,
        relations,
    );
    let hosts = if data.is_unix() {
        Hosts::any()
    } else {
        Hosts::loopback(&[])
    };
    let data_api = Api::data(state.clone(), hosts, Limits::default());
    let admin_api = Api::admin(state, metrics, Limits::default());
    let failed = runtime.block_on(async {
        let (stop, stopped) = watch::channel(());
        let until = |mut stopped: watch::Receiver<()>| async move {
            let _ = stopped.changed().await;
        };
        let data = tokio::spawn(http_api::serve(data, data_api, until(stopped.clone())));
        let admin = tokio::spawn(http_api::serve(admin, admin_api, until(stopped)));
        let failed = until_signal_or_failure(&pipeline, reload).await;
        let _ = stop.send(());
        let _ = tokio::join!(data, admin);
        failed
    });
    pipeline.stop();
    failed.map_err(Failure::Failed)
}

/// Half of the cores: the rest decode, and run whoever asks, which is mostly on the same machine. Threads
/// beyond that take turns in waking each other: on two cores two of them answer less than one does, for a
/// tenth more CPU. What takes long does so on threads of its own.
fn http_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

async fn bind(address: &ListenAddress, key: &str) -> anyhow::Result<Listener> {
    Listener::bind(&address.to_string())
        .await
        .with_context(|| format!("cannot listen on {address} ({key})"))
}

/// The address a listener has, with the port the system chose where none was named.
fn address_of(listener: &Listener, wanted: &ListenAddress) -> ListenAddress {
    ListenAddress::parse(&listener.to_string()).unwrap_or_else(|_| wanted.clone())
}

async fn until_signal_or_failure(
    pipeline: &Pipeline,
    reload: Option<Reload>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    if let Some(reload) = reload {
        tokio::spawn(reload_at_signals(reload, pipeline.control().clone())?);
    }
    let failed = pipeline.failed().clone();
    // A thread of its own, because a channel of the pipeline cannot be awaited.
    let failure = tokio::task::spawn_blocking(move || failed.recv());
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        failure = failure => match failure {
            Ok(Ok(error)) => Err(anyhow!(error)),
            Ok(Err(_)) | Err(_) => Err(anyhow!("the pipeline has ended unexpectedly: see the log above")),
        },
    }
}

/// Without it SIGHUP would end the process, as it does a program of a terminal that goes.
fn reload_at_signals(
    mut reload: Reload,
    control: Control,
) -> anyhow::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            let control = control.clone();
            // It reads a file and waits for the pipeline.
            let reloading = tokio::task::spawn_blocking(move || {
                reload.now(&control);
                reload
            });
            match reloading.await {
                Ok(done) => reload = done,
                Err(_) => return,
            }
        }
    })
}

fn start_pipeline(config: Config) -> Result<Pipeline, Failure> {
    let catalog = Arc::new(SchemaCatalog::default());
    let (checkpoints, volatile) = open_checkpoints(&config.storage)?;
    let mut setups = Vec::new();
    let rules = preparation::rules(&config);
    for source in &config.sources {
        setups.push(set_up(source, &config.tables, &rules, &catalog)?);
    }
    let preparations = preparation::preparations(&config);
    let unserved = config.sources.iter().flat_map(|source| {
        let topics = source.unserved_topics.iter().cloned();
        topics.map(|topic| (source.name.clone(), topic))
    });
    let keep = config.tables.iter();
    let keep = keep.filter_map(|table| Some((table.topic.clone(), table.keep?)));
    let (unserved, keep) = (unserved.collect(), keep.collect());
    let indexes = config.tables.iter();
    let indexes = indexes.map(|table| (table.topic.clone(), table.indexes.clone()));
    let indexes = indexes.filter(|(_, indexes)| !indexes.is_empty()).collect();
    let named = |table: TableConfig| {
        Some(GivenTable {
            name: table.name?,
            topic: table.topic,
        })
    };
    let settings = Settings {
        tables: config.tables.into_iter().filter_map(named).collect(),
        checkpoint_interval: config.checkpoint_interval,
        volatile,
        memory_bytes_max: config.memory_max_bytes.unwrap_or(u64::MAX),
        quarantine_bytes_max: config.quarantine_max_bytes,
        preparations,
        unserved,
        keep,
        indexes,
    };
    Ok(Pipeline::start(settings, catalog, setups, checkpoints)
        .context("cannot start the pipeline")?)
}

fn open_checkpoints(storage: &Storage) -> Result<(Box<dyn CheckpointStore>, bool), Failure> {
    match storage {
        Storage::Directory(dir) => {
            data_dir::prepare(dir)?;
            let store = SledStore::open(&dir.join(CHECKPOINT_DIR)).map_err(anyhow::Error::new)?;
            Ok((Box::new(store), false))
        }
        Storage::Memory => {
            let store =
                MemoryStore::open_memory(&MemoryDisk::default()).map_err(anyhow::Error::new)?;
            Ok((Box::new(store), true))
        }
    }
}

fn set_up(
    config: &SourceConfig,
    tables: &[TableConfig],
    rules: &[(String, Arc<ColumnRules>)],
    catalog: &Arc<SchemaCatalog>,
) -> Result<SourceSetup, Failure> {
    let (kind, ends) = match &config.reads {
        Reads::Kafka { .. } => ("kafka", false),
        Reads::File { follow, .. } => ("file", !follow),
    };
    let declared: Vec<(String, Vec<String>)> = tables
        .iter()
        .filter(|table| !table.key.is_empty())
        .map(|table| (table.topic.clone(), table.key.clone()))
        .collect();
    let (catalog, placeholder) = (Arc::clone(catalog), config.unavailable_value.clone());
    let shelf = Arc::new(SchemaShelf::default());
    let registry = open_registry(config, &shelf)?;
    let schemas = registry.is_some().then_some(shelf);
    let (rules, formats) = (rules.to_vec(), config.formats.clone());
    let decoder = move || -> Box<dyn Decoder> {
        let mut decoder = DebeziumDecoder::new(Arc::clone(&catalog), placeholder.clone())
            .with_formats(formats.clone());
        if let Some(schemas) = &schemas {
            decoder = decoder.with_schemas(Arc::clone(schemas));
        }
        let rule = |decoder: DebeziumDecoder, (topic, rules): &(String, Arc<ColumnRules>)| {
            decoder.with_columns(topic, Arc::clone(rules))
        };
        let decoder = rules.iter().fold(decoder, rule);
        let declare = |decoder: DebeziumDecoder, (topic, key): &(String, Vec<String>)| {
            decoder.with_declared_key(topic, key)
        };
        Box::new(declared.iter().fold(decoder, declare))
    };
    Ok(SourceSetup {
        name: config.name.clone(),
        kind,
        source: source::open(config)?,
        decoder: Box::new(decoder),
        registry,
        on_bad_record: match config.on_bad_record {
            config::OnBadRecord::Quarantine => ingest::OnBadRecord::Quarantine,
            config::OnBadRecord::Halt => ingest::OnBadRecord::Halt,
        },
        ends,
    })
}

/// Whoever is to blame for options that cannot be used wrote them.
fn open_registry(
    config: &SourceConfig,
    shelf: &Arc<SchemaShelf>,
) -> Result<Option<RegistrySetup>, Failure> {
    let Some(options) = &config.registry else {
        return Ok(None);
    };
    let registry = HttpRegistry::new(options).map_err(|error| {
        Failure::Usage(format!(
            "schema registry of source {}: {error}",
            config.name
        ))
    })?;
    Ok(Some(RegistrySetup {
        registry: Box::new(registry),
        shelf: Arc::clone(shelf),
        patience: RegistryPatience::default(),
    }))
}
