//! Kafka Connect, asked over HTTP.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use black_box::wait;
use serde_json::{Value, json};
use ureq::Agent;

use crate::registration::Registration;

/// Longer than a rebalance of a loaded worker takes.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// How much of a failed task's trace an error shows.
const TRACE_SHOWN: usize = 2_000;

/// What settings begin with that are not the connector's, and of which Connect therefore knows no names.
const PASSED_ON: &[&str] = &[
    "driver.",
    "key.converter.apicurio.",
    "value.converter.apicurio.",
    "schema.history.internal.kafka.",
    "topic.creation.",
];

#[derive(Clone, Debug)]
pub struct Connect {
    url: String,
    agent: Agent,
}

impl Connect {
    pub(crate) fn at(port: u16) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT))
            .build()
            .into();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            agent,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Registers a connector. It may not run yet.
    pub fn register(&self, registration: &Registration) -> anyhow::Result<Connector> {
        let connector = Connector {
            connect: self.clone(),
            name: registration.name.clone(),
        };
        connector.configure(registration)?;
        Ok(connector)
    }

    /// What is wrong with a registration: what Connect and the connector say against it, which look at the database for that, and
    /// settings that neither of them knows. Nothing is registered.
    pub fn faults(&self, registration: &Registration) -> anyhow::Result<Vec<String>> {
        let class = registration
            .setting("connector.class")
            .context("no connector.class")?;
        let path = format!("/connector-plugins/{class}/config/validate");
        let named = registration.clone().with("name", &registration.name);
        let answer = self.demand("PUT", &path, Some(&json!(named.settings)))?;
        let configs = answer["configs"].as_array().context("no configs")?;
        let mut faults = Vec::new();
        for config in configs {
            for error in config["value"]["errors"].as_array().into_iter().flatten() {
                faults.push(format!("{}: {error}", config["definition"]["name"]));
            }
        }
        for setting in registration.settings.keys() {
            let known = configs
                .iter()
                .any(|config| config["definition"]["name"] == **setting);
            if !known && !PASSED_ON.iter().any(|start| setting.starts_with(start)) {
                faults.push(format!("{setting} is no setting of {class}"));
            }
        }
        Ok(faults)
    }

    /// Sends a request until the worker is not busy with a rebalance; the status and the body of its answer.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, Value)> {
        let url = format!("{}{path}", self.url);
        wait::until("Connect is done with a rebalance", || {
            let response = match (method, body) {
                ("GET", _) => self.agent.get(&url).call(),
                ("DELETE", _) => self.agent.delete(&url).call(),
                ("PUT", Some(body)) => self.agent.put(&url).send_json(body),
                ("PUT", None) => self.agent.put(&url).send_empty(),
                _ => self.agent.post(&url).send_empty(),
            };
            let mut response = response.with_context(|| format!("{method} {path}"))?;
            let status = response.status().as_u16();
            let text = response.body_mut().read_to_string()?;
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Ok((status != 409).then_some((status, body)))
        })
    }

    fn demand(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.ask(method, path, body)?;
        ensure!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        Ok(answer)
    }
}

/// A registered connector. Deleted when it is dropped.
#[derive(Debug)]
pub struct Connector {
    connect: Connect,
    name: String,
}

impl Connector {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it other settings, with which it restarts.
    pub fn configure(&self, registration: &Registration) -> anyhow::Result<()> {
        let settings = json!(registration.settings);
        self.connect
            .demand("PUT", &self.path("config"), Some(&settings))
            .map(drop)
    }

    /// Waits until its task runs. A task that failed is an error with the trace.
    pub fn until_running(&self) -> anyhow::Result<()> {
        self.until_state("RUNNING")
    }

    pub fn pause(&self) -> anyhow::Result<()> {
        self.connect.demand("PUT", &self.path("pause"), None)?;
        self.until_state("PAUSED")
    }

    pub fn resume(&self) -> anyhow::Result<()> {
        self.connect.demand("PUT", &self.path("resume"), None)?;
        self.until_running()
    }

    /// Ends its task but keeps its offsets and settings; `resume` starts it again.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.connect.demand("PUT", &self.path("stop"), None)?;
        wait::until("the connector has no task", || {
            let status = self.status()?;
            let tasks = status["tasks"].as_array().map_or(0, Vec::len);
            Ok((status["connector"]["state"] == "STOPPED" && tasks == 0).then_some(()))
        })
    }

    /// Starts it and its task anew, failed or not.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.connect
            .demand("POST", &self.path("restart?includeTasks=true"), None)?;
        self.until_running()
    }

    /// Lets a stopped connector forget how far it had read.
    pub fn forget_offsets(&self) -> anyhow::Result<()> {
        self.connect
            .demand("DELETE", &self.path("offsets"), None)
            .map(drop)
    }

    pub fn status(&self) -> anyhow::Result<Value> {
        let (status, answer) = self.connect.ask("GET", &self.path("status"), None)?;
        match status {
            200 => Ok(answer),
            // Not known yet to the worker that answers.
            404 => Ok(Value::Null),
            _ => bail!("the status of {}: {status} {answer}", self.name),
        }
    }

    pub fn delete(self) -> anyhow::Result<()> {
        self.deleted()
    }

    fn until_state(&self, wanted: &str) -> anyhow::Result<()> {
        wait::until(&format!("connector {} is {wanted}", self.name), || {
            let status = self.status()?;
            let state = |of: &Value| of["state"].as_str().unwrap_or("UNKNOWN").to_owned();
            for of in [&status["connector"], &status["tasks"][0]] {
                if state(of) == "FAILED" {
                    let trace = of["trace"].as_str().unwrap_or_default();
                    let shown: String = trace.chars().take(TRACE_SHOWN).collect();
                    bail!("connector {} failed: {shown}", self.name);
                }
            }
            let there =
                state(&status["connector"]) == wanted && state(&status["tasks"][0]) == wanted;
            Ok(there.then_some(()))
        })
    }

    fn deleted(&self) -> anyhow::Result<()> {
        let path = format!("/connectors/{}", self.name);
        let (status, answer) = self.connect.ask("DELETE", &path, None)?;
        ensure!(
            matches!(status, 200..300 | 404),
            "DELETE {path}: {status} {answer}"
        );
        Ok(())
    }

    fn path(&self, of: &str) -> String {
        format!("/connectors/{}/{of}", self.name)
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // Connect may be down, or it was deleted already: nothing can be done about either here.
        let _ = self.deleted();
    }
}
