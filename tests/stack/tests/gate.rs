//! The hard gate: a shop takes orders in PostgreSQL while Rowtide follows it. Whoever wrote sees what it wrote, every
//! answer balances, and when the shop closes, its tables and the answers to questions about it are PostgreSQL's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use black_box::exact::Exact;
use black_box::server::Server;
use black_box::wait;
use fastrand::Rng;
use postgres::Client;
use real_stack::orders::questions::QUESTIONS;
use real_stack::orders::schema::{self, TABLES};
use real_stack::orders::writers::Writers;
use real_stack::orders::{answers, balances, transactions};
use real_stack::{Follower, Postgres, Registration, Source as _, Stack};

/// The table without a key.
const PAYMENTS: &str = "payments";
const SEED: u64 = 20_261_122;
/// Those who write and do not ask.
const WRITERS: usize = 3;
const PAUSE: Duration = Duration::from_millis(20);
/// Those who write and ask for it.
const OWN_WRITERS: usize = 4;
const OWN_WRITES: usize = 1_000;
/// Longer than the way of a write takes on a loaded machine.
const OWN_WRITE_WAIT: &str = "60s";
const ACCOUNTANTS: usize = 2;
/// With fewer answers that are whole nothing was shown.
const BALANCED_ANSWERS_MIN: usize = 10;

#[test]
fn every_answer_of_a_shop_at_work_balances() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("orders")?;
    schema::open_shop(shop.client())?;
    // They write before anybody follows, so that the snapshot falls between their transactions.
    let writers = Writers::start(sessions(&shop, WRITERS)?, PAUSE, SEED);
    let _connector = stack.register(&registration(&shop))?;
    let follower = Follower::start(&stack.brokers()?, shop.name(), &settings(shop.name()))?;
    if let Err(error) = until_live(&follower, &writers) {
        writers.stop()?;
        return Err(error);
    }
    let seen = watch(&follower.server(), sessions(&shop, OWN_WRITERS)?)?;
    let committed = writers.stop()?;

    let tables = TABLES.map(|(name, _)| name);
    let keyed = tables.into_iter().filter(|table| *table != PAYMENTS);
    follower.until_equal(&mut shop, &keyed.collect::<Vec<_>>())?;
    let at_end = follower
        .server()
        .found("/v1/wait", &[("at_least", "log_end"), ("wait", "30s")])?;
    check_payments(&follower.server(), &mut shop)?;
    let cells = shop_cells(&mut shop)?;
    let wrong = balances::unbalanced(
        &follower
            .server()
            .ask_with("/v1/query", &balances::request())?
            .body()?,
    );
    ensure!(wrong.is_empty(), "at the end: {}", wrong.join("\n"));
    let mut session = shop.session()?;
    let mut different = Vec::new();
    for question in QUESTIONS {
        let difference = answers::difference(question, &mut session, &follower.server());
        if let Some(difference) = difference.unwrap_or_else(|error| Some(format!("{error:#}"))) {
            different.push(format!("{}: {difference}", question.name));
        }
    }
    ensure!(
        different.is_empty(),
        "other answers than PostgreSQL's:\n{}",
        different.join("\n")
    );
    println!(
        "{committed} transactions by {WRITERS} writers and {OWN_WRITES} by {OWN_WRITERS} who read their own; {} answers balanced, {} of them whole; \
         {cells} cells of {} tables and the answers to {} questions are PostgreSQL's; {}",
        seen.answers,
        seen.whole,
        tables.len(),
        QUESTIONS.len(),
        at_end.get("fresh"),
    );
    Ok(())
}

fn sessions(shop: &Postgres, count: usize) -> anyhow::Result<Vec<Client>> {
    (0..count).map(|_| shop.session()).collect()
}

/// As the documentation advises, with every table in three partitions but the boundaries of transactions in one.
fn registration(shop: &Postgres) -> Registration {
    shop.connector()
        .with("provide.transaction.metadata", "true")
        .with("poll.interval.ms", "1")
        .with("producer.override.linger.ms", "0")
        .with("heartbeat.interval.ms", "500")
        .with(
            "heartbeat.action.query",
            "INSERT INTO rowtide_heartbeat VALUES (1, now()) ON CONFLICT (id) DO UPDATE SET at = now()",
        )
        .with("value.converter.schemas.enable", "true")
        .with("key.converter.schemas.enable", "true")
        .with("topic.creation.default.partitions", "3")
        .with("topic.creation.groups", "boundaries")
        .with("topic.creation.boundaries.include", ".*\\.transaction")
        .with("topic.creation.boundaries.partitions", "1")
        .with("topic.creation.boundaries.replication.factor", "1")
}

/// Half a minute for a change to come after the end of its transaction: on two cores that seven writers, six servers and
/// two accountants want, one of them stands still for seconds, and a change that comes later than is waited for is one
/// that was filtered.
fn settings(prefix: &str) -> String {
    format!(
        "transaction_wait = \"30s\"\nheartbeat_table = \"{prefix}.public.rowtide_heartbeat\"\n{}",
        schema::configuration(prefix)
    )
}

/// Until every table is there, shows what is written now, and has been read past what was written while it was found.
fn until_live(follower: &Follower, writers: &Writers) -> anyhow::Result<()> {
    let tables = TABLES.map(|(name, _)| name).join(",");
    wait::until("all tables are live", || {
        writers.still_write()?;
        let path = format!("/v1/wait?at_least=log_end&wait=5s&tables={tables}");
        let Ok(answer) = follower.server().get(&path, &[]) else {
            return Ok(None);
        };
        let body = answer.body()?;
        let is = |member: &str, value: &str| body.get("fresh").get(member).as_text() == Some(value);
        Ok(
            (answer.status == 200 && is("state", "live") && is("transactions", "whole"))
                .then_some(()),
        )
    })
}

#[derive(Default)]
struct Seen {
    answers: usize,
    whole: usize,
}

/// Lets some write and ask for what they wrote, and others go through the books all the while.
fn watch(server: &Server, sessions: Vec<Client>) -> anyhow::Result<Seen> {
    let each = OWN_WRITES / sessions.len();
    let running = AtomicBool::new(true);
    thread::scope(|scope| {
        let accountants: Vec<_> = (0..ACCOUNTANTS)
            .map(|_| scope.spawn(|| account(server, &running)))
            .collect();
        let own: Vec<_> = (SEED + 100..)
            .zip(sessions)
            .map(|(seed, mut session)| {
                scope.spawn(move || read_own_writes(server, &mut session, seed, each))
            })
            .collect();
        let own: Vec<_> = own
            .into_iter()
            .map(|reader| reader.join().map_err(|_| anyhow!("a reader panicked")))
            .collect();
        running.store(false, Ordering::Relaxed);
        let mut all = Seen::default();
        for accountant in accountants {
            let seen = accountant
                .join()
                .map_err(|_| anyhow!("an accountant panicked"))??;
            all.answers += seen.answers;
            all.whole += seen.whole;
        }
        own.into_iter().try_for_each(|read| read?)?;
        ensure!(
            all.whole >= BALANCED_ANSWERS_MIN,
            "only {} answers were whole",
            all.whole
        );
        Ok(all)
    })
}

/// Asks for all balances of one moment, again and again.
fn account(server: &Server, running: &AtomicBool) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    while running.load(Ordering::Relaxed) {
        let answer = server.ask_with("/v1/query", &balances::request())?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
        let body = answer.body()?;
        let fresh = body.get("fresh");
        let is = |member: &str, value: &str| fresh.get(member).as_text() == Some(value);
        seen.answers += 1;
        if is("transactions", "whole") {
            seen.whole += 1;
            let wrong = balances::unbalanced(&body);
            ensure!(
                wrong.is_empty(),
                "an answer that does not balance, {fresh}:\n{}",
                wrong.join("\n")
            );
        } else {
            let status = server.get("/v1/status", &[])?.text;
            ensure!(
                !is("state", "live"),
                "an answer that is not whole while live: {fresh}, {status}"
            );
        }
    }
    Ok(seen)
}

/// Writes, and asks for what it wrote, in turns by the transaction and by the position after it.
fn read_own_writes(
    server: &Server,
    session: &mut Client,
    seed: u64,
    count: usize,
) -> anyhow::Result<()> {
    let mut random = Rng::with_seed(seed);
    let mut read = 0;
    while read < count {
        let Some(receipt) = transactions::any(session, &mut random)? else {
            continue;
        };
        let floor = if read % 2 == 0 {
            format!("tx:{}", receipt.transaction)
        } else {
            let position: String = session
                .query_one("SELECT pg_current_wal_lsn()::text", &[])?
                .get(0);
            format!("lsn:{position}")
        };
        let answer = server.get(
            &receipt.written.question(),
            &[("at_least", &floor), ("wait", OWN_WRITE_WAIT)],
        )?;
        let body = answer.body()?;
        if answer.status != 200 || !receipt.written.is_shown_by(body.get("row")) {
            bail!(
                "with {floor}, {:?} is not in {} {}",
                receipt.written,
                answer.status,
                answer.text
            );
        }
        let fresh = body.get("fresh");
        ensure!(
            fresh.get("satisfied") == &Exact::Bool(true),
            "{}",
            answer.text
        );
        let (told, met) = (fresh.get("transactions"), fresh.get("precision"));
        ensure!(
            told.as_text() != Some("whole") || met.as_text() == Some("exact"),
            "with {floor}: {}",
            answer.text
        );
        read += 1;
    }
    Ok(())
}

/// Rows without a key, of which there are many: compared in an order of their own.
fn check_payments(server: &Server, shop: &mut Postgres) -> anyhow::Result<()> {
    let sorted = |rows: Vec<Exact>| {
        let mut rows: Vec<Exact> = rows.iter().map(Exact::canonical).collect();
        rows.sort();
        rows
    };
    let (answered, wanted) = (sorted(server.rows(PAYMENTS)?), sorted(shop.rows(PAYMENTS)?));
    let mut pairs = answered.iter().zip(&wanted);
    if let Some((have, want)) = pairs.find(|(have, want)| have != want) {
        bail!("of payments there is {have}, and should be {want}");
    }
    ensure!(
        answered.len() == wanted.len(),
        "{} payments, should be {}",
        answered.len(),
        wanted.len()
    );
    Ok(())
}

fn shop_cells(shop: &mut Postgres) -> anyhow::Result<usize> {
    let mut cells = 0;
    for (table, _) in TABLES {
        let rows = shop.rows(table)?;
        cells += rows
            .iter()
            .filter_map(Exact::as_object)
            .map(std::collections::BTreeMap::len)
            .sum::<usize>();
    }
    Ok(cells)
}
