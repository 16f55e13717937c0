//! The network between Rowtide and the broker, made bad by Toxiproxy.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use ureq::Agent;

/// The proxy in front of the broker's listener, as the stack's configuration calls it.
const PROXY: &str = "kafka";

/// What goes wrong with what the broker sends.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing comes through, and no connection is closed.
    Silence,
    /// Everything takes so many milliseconds longer, give or take a tenth.
    Latency(u32),
    /// So many KB a second come through.
    Bandwidth(u32),
    /// Connections are reset so many milliseconds after they were made.
    Reset(u32),
}

impl Fault {
    fn toxic(self) -> (&'static str, Value) {
        match self {
            Self::Silence => ("timeout", json!({"timeout": 0})),
            Self::Latency(ms) => ("latency", json!({"latency": ms, "jitter": ms / 10})),
            Self::Bandwidth(rate) => ("bandwidth", json!({"rate": rate})),
            Self::Reset(ms) => ("reset_peer", json!({"timeout": ms})),
        }
    }
}

/// A client of Toxiproxy's API, for one proxy.
#[derive(Clone, Debug)]
pub struct Network {
    proxy: String,
    agent: Agent,
}

/// A fault that lasts until it is mended.
#[derive(Debug)]
pub struct Broken {
    network: Network,
    toxic: Option<String>,
}

impl Network {
    pub(crate) fn at(port: u16) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).build();
        Self {
            proxy: format!("http://127.0.0.1:{port}/proxies/{PROXY}"),
            agent: agent.into(),
        }
    }

    /// Breaks it until what is given back is mended or dropped.
    pub fn broken(&self, fault: Fault) -> anyhow::Result<Broken> {
        let (kind, attributes) = fault.toxic();
        let toxic =
            json!({"name": kind, "type": kind, "stream": "downstream", "attributes": attributes});
        self.post(&format!("{}/toxics", self.proxy), &toxic)?;
        let toxic = Some(format!("{}/toxics/{kind}", self.proxy));
        Ok(Broken {
            network: self.clone(),
            toxic,
        })
    }

    /// Closes every connection and refuses new ones, until what is given back is mended or dropped.
    pub fn refusing(&self) -> anyhow::Result<Broken> {
        self.post(&self.proxy, &json!({"enabled": false}))?;
        Ok(Broken {
            network: self.clone(),
            toxic: None,
        })
    }

    fn post(&self, url: &str, body: &Value) -> anyhow::Result<()> {
        let mut answer = self.agent.post(url).send_json(body).context("Toxiproxy")?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(answer.status().is_success(), "Toxiproxy: {text}");
        Ok(())
    }
}

impl Broken {
    pub fn mend(self) {
        drop(self);
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        // A proxy that is gone breaks nothing any more.
        let _ = if let Some(toxic) = &self.toxic {
            self.network.agent.delete(toxic).call()
        } else {
            let proxy = self.network.agent.post(&self.network.proxy);
            proxy.send_json(json!({"enabled": true}))
        };
    }
}
