//! What `compose/` starts, on real servers: the schemas, the connectors' registrations, Rowtide's configurations and the agent's
//! loop, as they are in the files but for names and addresses. Nothing needs a container engine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::site::Site;
use black_box::wait;
use postgres::{Client, NoTls};
use real_stack::{Part, Registration, Stack};

/// What the files call the shop, and everything that is named after it: databases, logins, topics.
const NAME: &str = "shop";

#[test]
fn the_quickstart_shows_an_agent_what_changes() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    // Dropped after the database in which they own something.
    let mut roles = Roles::of(&stack)?;
    let mut shop = stack.postgres(NAME)?;
    roles.named_after(shop.name());
    shop.run(&text("postgres/schema.sql", shop.name())?)?;

    let registration = registration("postgres.json", shop.name())?
        .with("database.hostname", "127.0.0.1")
        .with("database.port", &stack.port(Part::Postgres)?.to_string());
    let mistyped = registration.clone().with("heartbeat.action.qeury", "x");
    let faults = stack.connect()?.faults(&registration)?;
    ensure!(faults.is_empty(), "{faults:#?}");
    let faults = stack.connect()?.faults(&mistyped)?;
    ensure!(faults.len() == 1, "a mistyped setting is found: {faults:?}");
    let _connector = stack.register(&registration)?;

    let site = site(&stack, "postgres.toml", shop.name())?;
    let mut server = site.start()?;
    // A table is found, and live, before all is read that its transactions may have written elsewhere.
    wait::until("what the quickstart sets up is in use", || {
        let Ok(told) = server.found("/v1/tables/orders/rows", &[("max_lag", "60s")]) else {
            return Ok(None);
        };
        Ok(check_fresh(&told).is_ok().then_some(()))
    })?;
    let mut agent = Agent::start(&site)?;
    let told = agent.told(|told| rows_of(told) == 3)?;
    check_fresh(&told)?;
    shop.run("UPDATE orders SET status = 'paid' WHERE id = 2")?;
    let told = agent.told(|told| told.to_string().contains("paid"))?;
    check_fresh(&told)?;
    ensure!(
        told.to_string().contains("Ada Lovelace"),
        "customers stand beside their orders: {told}"
    );
    server.still_runs()?;

    let refused = shop.run("TRUNCATE orders");
    let refused = format!("{:#}", refused.err().context("a truncate was let pass")?);
    ensure!(refused.contains("use DELETE"), "{refused}");
    let published = shop.texts("SELECT tablename FROM pg_publication_tables ORDER BY 1")?;
    ensure!(
        published
            == [
                "customers",
                "debezium_signal",
                "orders",
                "rowtide_heartbeat"
            ],
        "{published:?}"
    );
    // A signal has a table read once more beside the stream, and its rows are no table.
    shop.run(
        r#"INSERT INTO debezium_signal VALUES ('again', 'execute-snapshot', '{"data-collections": ["public.orders"]}')"#,
    )?;
    shop.run("DELETE FROM orders WHERE id = 3")?;
    agent.told(|told| rows_of(told) == 2)?;
    let tables = server.found("/v1/tables", &[])?;
    ensure!(
        tables.get("tables").as_list().map(<[_]>::len) == Some(2),
        "{tables}"
    );
    Ok(())
}

#[test]
fn mysql_in_avro_is_read_through_the_registry() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let shop = Mysql::create(&stack)?;
    let registration = registration("mysql-avro.json", &shop.name)?
        .with("database.hostname", "127.0.0.1")
        .with("database.port", &shop.port.to_string())
        .with("database.server.id", &fastrand::u32(1_000..9_000_000).to_string())
        // This server has no certificates.
        .with("database.ssl.mode", "disabled")
        .with("driver.allowPublicKeyRetrieval", "true");
    let faults = stack.connect()?.faults(&registration)?;
    ensure!(faults.is_empty(), "{faults:#?}");
    let _connector = stack.register(&registration)?;

    let site = site(&stack, "mysql-avro.toml", &shop.name)?;
    let mut server = site.start()?;
    let mut agent = Agent::start(&site)?;
    check_fresh(&agent.told(|told| rows_of(told) == 3)?)?;
    shop.run("UPDATE orders SET status = 'paid' WHERE id = 2")?;
    let told = agent.told(|told| told.to_string().contains("paid"))?;
    check_fresh(&told)?;
    ensure!(
        told.to_string().contains("240.00"),
        "decimals keep their digits: {told}"
    );
    server.still_runs()
}

/// A file of `compose/`, with another name for the shop.
fn text(file: &str, name: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(compose(file)).with_context(|| file.to_owned())?;
    Ok(text.replace(NAME, name))
}

fn compose(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../compose")
        .join(file)
}

/// A registration with this stack's broker and registry, and the password that the schema gives.
fn registration(file: &str, name: &str) -> anyhow::Result<Registration> {
    let stack = Stack::from_env()?;
    let text = text(&format!("connectors/{file}"), name)?
        .replace(
            "${env:SHOP_CONNECTOR_PASSWORD}",
            &format!("{name}_connector"),
        )
        .replace("kafka:9092", &stack.brokers()?)
        .replace("http://registry:8080", &registry(&stack)?);
    Ok(Registration::new(name, serde_json::from_str(&text)?))
}

fn registry(stack: &Stack) -> anyhow::Result<String> {
    Ok(format!("http://127.0.0.1:{}", stack.port(Part::Registry)?))
}

/// A folder for Rowtide with the configuration of a scenario.
fn site(stack: &Stack, file: &str, name: &str) -> anyhow::Result<Site> {
    let site = Site::on_kafka(&stack.brokers()?, &[], 1_000)?;
    let config = text(&format!("rowtide/{file}"), name)?
        .replace("/var/lib/rowtide", &site.path("data").to_string_lossy())
        .replace("127.0.0.1:8080", &site.data_address())
        .replace("0.0.0.0:9090", &site.admin_address())
        .replace("kafka:9092", &stack.brokers()?);
    let config = if config.contains("registry:8080") {
        config.replace("http://registry:8080", &registry(stack)?)
    } else {
        config
    };
    site.configure(&config)?;
    Ok(site)
}

fn rows_of(told: &Exact) -> usize {
    told.get("rows").as_list().map_or(0, <[_]>::len)
}

/// The heartbeat table and the boundaries of transactions do what they are there for.
fn check_fresh(told: &Exact) -> anyhow::Result<()> {
    let fresh = told.get("fresh");
    ensure!(
        fresh.get("source_lag_ms").as_integer().is_some()
            && fresh.get("bound").as_text() == Some("source")
            && fresh.get("transactions").as_text() == Some("whole"),
        "{fresh}"
    );
    Ok(())
}

/// The loop of `compose/agent.sh`.
struct Agent {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Agent {
    fn start(site: &Site) -> anyhow::Result<Self> {
        let mut process = Command::new("sh")
            .arg(compose("agent.sh"))
            .env("ROWTIDE_URL", format!("http://{}", site.data_address()))
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the agent")?;
        let output = process.stdout.take().context("no output")?;
        Ok(Self {
            process,
            lines: BufReader::new(output).lines(),
        })
    }

    /// Reads what it prints until an answer is as it is awaited. The loop itself ends its waits.
    fn told(&mut self, awaited: impl Fn(&Exact) -> bool) -> anyhow::Result<Exact> {
        let mut last = String::new();
        wait::until("the agent is told so", || {
            let line = self.lines.next().context("the agent ended")??;
            last.clone_from(&line);
            let answer = line
                .starts_with('{')
                .then(|| Exact::parse(&line))
                .transpose()?;
            Ok(answer.filter(&awaited))
        })
        .with_context(|| format!("it printed last: {last}"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The logins of a test, which are the server's and not a database's.
struct Roles {
    client: Client,
    names: Vec<String>,
}

impl Roles {
    fn of(stack: &Stack) -> anyhow::Result<Self> {
        let url = format!(
            "postgresql://postgres@127.0.0.1:{}/postgres",
            stack.port(Part::Postgres)?
        );
        Ok(Self {
            client: Client::connect(&url, NoTls)?,
            names: Vec::new(),
        })
    }

    fn named_after(&mut self, name: &str) {
        self.names = vec![format!("{name}_connector"), format!("{name}_owner")];
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = self
                .client
                .batch_execute(&format!("DROP ROLE IF EXISTS {name}"));
        }
    }
}

/// A database and a login of MySQL, made as the scenario makes them.
struct Mysql {
    name: String,
    port: u16,
}

impl Mysql {
    fn create(stack: &Stack) -> anyhow::Result<Self> {
        let letters = std::iter::repeat_with(fastrand::lowercase).take(7);
        let database = Self {
            name: format!("{NAME}_{}", letters.collect::<String>()),
            port: stack.port(Part::Mysql)?,
        };
        database.ask("", &text("mysql/schema.sql", &database.name)?)?;
        Ok(database)
    }

    fn run(&self, sql: &str) -> anyhow::Result<()> {
        self.ask(&self.name, sql)
    }

    fn ask(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        let mut session = Command::new("mariadb")
            .args(["--no-defaults", "--host=127.0.0.1", "--user=root"])
            .arg(format!("--port={}", self.port))
            .arg(database)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run mariadb")?;
        session
            .stdin
            .take()
            .context("no stdin")?
            .write_all(sql.as_bytes())?;
        let output = session.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{said}: {sql}");
        Ok(())
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        let name = &self.name;
        let _ = self.ask(
            "",
            &format!("DROP DATABASE {name}; DROP USER {name}_connector"),
        );
    }
}
