//! Kafka Connect: its Debezium connectors, how they are set, and how they are.

use std::collections::BTreeMap;

use doctor::facts::{Asked, ConnectFacts, Connector, Task};
use registry_client::{RegistryOptions, RestServer};
use serde_json::{Value, json};

/// Where all connectors are told with their settings and their state, in one answer.
const EVERYTHING: &str = "/connectors?expand=status&expand=info";
const DEBEZIUM: &str = "io.debezium.connector.";
const LINGER: &str = "producer.override.linger.ms";

/// What the name of a setting that holds a secret has in it.
const SECRET_WORDS: [&str; 8] = [
    "password",
    "secret",
    "token",
    "jaas",
    "credential",
    "user.info",
    "passphrase",
    "private",
];
/// Shorter ones would be cut out of words that have nothing to do with them.
const SECRET_CHARS_MIN: usize = 3;

/// Asks once for everything, and once more for each kind of connector whether its producer may be set.
pub fn connect(options: &RegistryOptions) -> Asked<ConnectFacts> {
    let addresses: Vec<String> = options.addresses.iter().map(ToString::to_string).collect();
    let address = addresses.join(", ");
    let answer = RestServer::new(options)
        .map_err(|error| error.to_string())
        .and_then(|mut server| ask(&mut server));
    Asked { address, answer }
}

fn ask(server: &mut RestServer) -> Result<ConnectFacts, String> {
    let body = server.get(EVERYTHING)?;
    let answer: BTreeMap<String, Value> = serde_json::from_slice(&body)
        .map_err(|error| format!("its answer is not Kafka Connect's ({error})"))?;
    let mut connectors: Vec<Connector> = answer
        .into_iter()
        .map(|(name, told)| connector(name, &told))
        .filter(|connector| {
            let class = connector.setting("connector.class");
            class.is_some_and(|class| class.starts_with(DEBEZIUM))
        })
        .collect();
    let mut asked: BTreeMap<String, Option<String>> = BTreeMap::new();
    for connector in &mut connectors {
        let class = connector.setting("connector.class").unwrap_or_default();
        let class = class.to_owned();
        let refusal = asked
            .entry(class)
            .or_insert_with_key(|class| override_refusal(server, class));
        connector.overrides_refused.clone_from(refusal);
    }
    Ok(ConnectFacts { connectors })
}

fn connector(name: String, told: &Value) -> Connector {
    let config = told["info"]["config"].as_object();
    let written: BTreeMap<String, String> = config
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_WORDS.iter().any(|word| name.contains(word))
    };
    let (secrets, settings): (BTreeMap<_, _>, BTreeMap<_, _>) =
        written.into_iter().partition(|(name, _)| is_secret(name));
    let without_secrets = |text: &str| {
        let secrets = secrets.values();
        let secrets = secrets.filter(|secret| secret.chars().count() >= SECRET_CHARS_MIN);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    };
    let trace = |of: &Value| of["trace"].as_str().map(without_secrets);
    let state = |of: &Value| of["state"].as_str().unwrap_or("UNKNOWN").to_owned();
    let status = &told["status"];
    let tasks = status["tasks"].as_array().into_iter().flatten();
    Connector {
        name,
        settings,
        state: state(&status["connector"]),
        trace: trace(&status["connector"]),
        tasks: tasks
            .map(|task| Task {
                id: task["id"].as_i64().unwrap_or_default(),
                state: state(task),
                trace: trace(task),
            })
            .collect(),
        overrides_refused: None,
    }
}

/// What Connect says against the setting, if it would refuse a connector for it. With nothing else set, no connector looks
/// at its database for this.
fn override_refusal(server: &mut RestServer, class: &str) -> Option<String> {
    let name = class.rsplit('.').next()?;
    let wanted = json!({"connector.class": class, "name": "rowtide-doctor", LINGER: "0"});
    let path = format!("/connector-plugins/{name}/config/validate");
    let body = server.put(&path, wanted.to_string().as_bytes()).ok()?;
    let answer: Value = serde_json::from_slice(&body).ok()?;
    let told = answer["configs"].as_array()?.iter();
    let mut of_linger = told.filter(|config| config["value"]["name"] == LINGER);
    let errors = of_linger.next()?["value"]["errors"].as_array()?;
    errors.first()?.as_str().map(str::to_owned)
}

#[test]
fn secrets_stay_with_connect() {
    let told = json!({
        "info": {"config": {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.password": "hunter2", "topic.prefix": "shop"}},
        "status": {"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "FAILED", "trace": "no login with hunter2\n\tat x"}]},
    });
    let connector = connector("shop".to_owned(), &told);
    assert!(
        !format!("{connector:?}").contains("hunter2"),
        "{connector:?}"
    );
    assert_eq!(
        connector.tasks[0].trace.as_deref(),
        Some("no login with …\n\tat x")
    );
    assert_eq!(connector.prefix(), Some("shop"));
    assert_eq!(
        (connector.state.as_str(), connector.tasks[0].state.as_str()),
        ("RUNNING", "FAILED")
    );
}
