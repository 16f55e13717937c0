//! `rowtide serve`: joins sources, tables, checkpoint and API, and runs them until a signal.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore, SledStore};
use config::{Config, Listen, ListenAddress, Storage, TableConfig};
use http_api::{Api, ApiState, Hosts, Limits, Listener};
use ingest::{Control, GivenTable, LoadError, Pipeline, PipelineError, Settings, TransactionSetup};
use query::relation::Relations;
use row_model::SchemaCatalog;
use telemetry::{MetricsPage, clock};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::data_dir;
use crate::failure::Failure;
use crate::huge_pages;
use crate::log_ends::PipelineEnds;
use crate::open_files;
use crate::operator::PipelineOperator;
use crate::preparation;
use crate::reload::Reload;
use crate::sources::Sources;
use crate::start_progress::{self, Show};
use crate::status_provider::BoardStatus;

/// Serves until SIGTERM or SIGINT; on SIGHUP reloads what there is to reload. `started` is called once,
/// when both listeners are bound, with
/// the addresses they have.
pub fn run(
    config: &Config,
    reload: Option<Reload>,
    progress: Show,
    started: impl FnOnce(&Listen),
) -> Result<(), Failure> {
    open_files::allow_all();
    huge_pages::refuse();
    let runtime = http_runtime(http_threads()).context("cannot start the HTTP runtime")?;
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
    let storage = config.storage.clone();
    let pipeline = start_pipeline(config)?;
    started(&bound);
    start_progress::follow(Arc::clone(pipeline.board()), progress)
        .context("cannot start a thread")?;
    tracing::info!(data = %bound.data, admin = %bound.admin, "listening");

    let status = Arc::new(BoardStatus(Arc::clone(pipeline.board())));
    let state = ApiState::new(
        Arc::clone(pipeline.store()),
        clock::now_ms,
        status,
        relations,
    )
    .with_log_ends(Arc::new(PipelineEnds(pipeline.log_ends().clone())));
    let hosts = if data.is_unix() {
        Hosts::any()
    } else {
        Hosts::loopback(&[])
    };
    let data_api = Api::data(state.clone(), hosts, Limits::default());
    let operator = Arc::new(PipelineOperator::new(pipeline.control().clone()));
    let admin_api = Api::admin(state, operator, metrics, Limits::default());
    let failed = runtime.block_on(async {
        let (stop, stopped) = watch::channel(());
        let until = |mut stopped: watch::Receiver<()>| async move {
            let _ = stopped.changed().await;
        };
        let data = tokio::spawn(http_api::serve(data, data_api, until(stopped.clone())));
        let admin = tokio::spawn(http_api::serve(admin, admin_api, until(stopped)));
        let failed = until_signal_or_failure(&pipeline, &storage, reload).await;
        let _ = stop.send(());
        let _ = tokio::join!(data, admin);
        failed
    });
    pipeline.stop();
    failed.map_err(Failure::Failed)
}

/// Of tasks, each a few microseconds.
const POLLS_BETWEEN_EVENTS: u32 = 256;

/// One thread needs nobody to share its tasks with, and is spared what that costs.
fn http_runtime(threads: usize) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads);
    if threads == 1 {
        builder = Builder::new_current_thread();
        // So that as many connections as are usual have all been read and answered before the system is asked for more.
        builder.event_interval(POLLS_BETWEEN_EVENTS);
    }
    builder.enable_all().thread_name("rowtide-http").build()
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
    storage: &Storage,
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
            Ok(Ok(error)) => Err(explained(storage, error)),
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

/// Why the pipeline gave up, and what helps.
fn explained(storage: &Storage, error: PipelineError) -> anyhow::Error {
    match (storage, error) {
        (Storage::Directory(dir), PipelineError::Load(LoadError::Store(error))) => {
            data_dir::refused(dir, &error)
        }
        (Storage::Directory(dir), PipelineError::Load(error)) => data_dir::damaged(dir, &error),
        (_, error) => anyhow!(error),
    }
}

/// Starts everything that follows the sources and keeps tables, without anybody who answers.
pub fn start_pipeline(config: &Config) -> Result<Pipeline, Failure> {
    let catalog = Arc::new(SchemaCatalog::default());
    let (checkpoints, volatile) = open_checkpoints(&config.storage)?;
    let sources = Sources::new(config, Arc::clone(&catalog));
    let setups = sources.open_all()?;
    let settings = settings(config, volatile);
    let reopen = Arc::new(move |source: &str, topic: &str| sources.open_one(source, topic));
    let pipeline = Pipeline::start_rebuildable(settings, catalog, setups, checkpoints, reopen);
    Ok(pipeline.context("cannot start the pipeline")?)
}

/// What config says, as the pipeline wants to hear it.
pub fn settings(config: &Config, volatile: bool) -> Settings {
    let unserved = config.sources.iter().flat_map(|source| {
        let topics = source.unserved_topics.iter().cloned();
        topics.map(|topic| (source.name.clone(), topic))
    });
    let transactions = config.sources.iter().map(|source| {
        let setup = TransactionSetup {
            topic: source.transaction_topic.clone(),
            wait: source.transaction_wait,
            ..TransactionSetup::default()
        };
        (source.name.clone(), setup)
    });
    let keep = config.tables.iter();
    let keep = keep.filter_map(|table| Some((table.topic.clone(), table.keep?)));
    let indexes = config.tables.iter();
    let indexes = indexes.map(|table| (table.topic.clone(), table.indexes.clone()));
    let named = |table: &TableConfig| {
        Some(GivenTable {
            name: table.name.clone()?,
            topic: table.topic.clone(),
        })
    };
    Settings {
        tables: config.tables.iter().filter_map(named).collect(),
        checkpoint_interval: config.checkpoint_interval,
        volatile,
        memory_bytes_max: config.memory_max_bytes.unwrap_or(u64::MAX),
        versions_max: config.versions_max,
        quarantine_bytes_max: config.quarantine_max_bytes,
        preparations: preparation::preparations(config),
        unserved: unserved.collect(),
        transactions: transactions.collect(),
        keep: keep.collect(),
        indexes: indexes.filter(|(_, indexes)| !indexes.is_empty()).collect(),
    }
}

/// Where checkpoints are kept, and whether that is in memory only.
pub fn open_checkpoints(storage: &Storage) -> Result<(Box<dyn CheckpointStore>, bool), Failure> {
    match storage {
        Storage::Directory(dir) => {
            data_dir::prepare(dir)?;
            let store = SledStore::open(&data_dir::checkpoint_path(dir))
                .map_err(|error| data_dir::refused(dir, &error))?;
            Ok((Box::new(store), false))
        }
        Storage::Memory => {
            let store =
                MemoryStore::open_memory(&MemoryDisk::default()).map_err(anyhow::Error::new)?;
            Ok((Box::new(store), true))
        }
    }
}
