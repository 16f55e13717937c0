//! Rebuilds by a running server: asked for at its admin listener, followed at its data listener.

use std::time::Duration;

use api_types::{CheckpointState, RebuildResponse, StatusResponse};
use config::{Config, ConfigArgs, ListenAddress};
use serde::de::DeserializeOwned;

use super::{Asked, Look, RebuildArgs, follow};
use crate::failure::Failure;
use crate::output;
use crate::remote::{Answer, Endpoint, encoded, refused};

/// How often a server is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Where a server listens.
pub struct Server {
    data: Endpoint,
    admin: Endpoint,
}

impl Server {
    /// The one that the flags name.
    pub fn named(flags: &ConfigArgs) -> Result<Self, Failure> {
        let endpoint = |flag: &str, text: &Option<String>| match text {
            Some(text) => text
                .parse()
                .map_err(|error| Failure::Usage(format!("{flag} {text:?}: {error}"))),
            None => Ok(Endpoint::default()),
        };
        Ok(Self {
            data: endpoint("--listen", &flags.listen)?,
            admin: endpoint("--admin", &flags.admin)?,
        })
    }

    /// The one that has this configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            data: reached(&config.listen.data),
            admin: reached(&config.listen.admin),
        }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.admin.fmt(f)
    }
}

/// Who listens on every address is reached on this machine's own.
fn reached(address: &ListenAddress) -> Endpoint {
    let text = address.to_string();
    let text = text
        .replace("0.0.0.0:", "127.0.0.1:")
        .replace("[::]:", "[::1]:");
    text.parse().unwrap_or_default()
}

pub fn run(args: &RebuildArgs, server: &Server) -> Result<(), Failure> {
    let mut tables = args.tables.clone();
    if tables.is_empty() {
        let status: StatusResponse = answered(&server.data.get("/v1/status")?)?;
        tables.extend(status.tables.into_iter().map(|table| table.name));
    }
    let (mut asked, mut failures) = (Vec::new(), Vec::new());
    for table in &tables {
        match ask(server, table, args.accept_incomplete) {
            Ok(rebuild) => asked.push(rebuild),
            Err(failure) => failures.push(format!("{table}: {failure}")),
        }
    }
    let followed = if args.no_wait {
        for Asked { table, number } in &asked {
            output::print(&format!(
                "{table}: rebuild {number} is under way; rowtide status shows how far it is"
            ))?;
        }
        Ok(())
    } else {
        follow(&asked, || {
            pause();
            look(server)
        })
    };
    match followed {
        Err(Failure::Failed(error)) => failures.push(format!("{error:#}")),
        Err(failure) => return Err(failure),
        Ok(()) => {}
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::Error::msg(failures.join("\n"))))
}

fn ask(server: &Server, table: &str, accept_incomplete: bool) -> Result<Asked, Failure> {
    let accept = if accept_incomplete {
        "?accept_incomplete=true"
    } else {
        ""
    };
    let path = format!("/v1/tables/{}/rebuild{accept}", encoded(table));
    let response: RebuildResponse = answered(&server.admin.post(&path)?)?;
    Ok(Asked {
        table: response.table,
        number: response.rebuild.number,
    })
}

fn look(server: &Server) -> Result<Look, Failure> {
    let status: StatusResponse = answered(&server.data.get("/v1/status")?)?;
    let tables = status.tables.into_iter();
    Ok(Look {
        rebuilds: tables
            .filter_map(|table| Some((table.name, table.rebuild?)))
            .collect(),
        no_checkpoint: (status.checkpoint.state == CheckpointState::Failing)
            .then(|| status.checkpoint.detail.unwrap_or_default()),
    })
}

fn answered<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    if !answer.is_success() {
        return Err(refused(answer));
    }
    Ok(serde_json::from_str(&answer.body).map_err(anyhow::Error::from)?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is nothing to wait on: a server tells nobody of its progress unasked"
)]
fn pause() {
    std::thread::sleep(ASK_EVERY);
}
