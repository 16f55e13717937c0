//! Avro records, whose schemas are in a registry that is not always well.

use std::time::Duration;

use anyhow::ensure;
use real_stack::{Follower, Gate, Manner, Stack};

/// Longer than the follower waits for an answer.
const TOO_LATE: Duration = Duration::from_secs(3);

#[test]
fn a_registry_that_is_away_is_waited_for_and_nothing_is_lost() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("avro")?;
    shop.run(
        "create table customers (id bigint primary key, name text not null, credit numeric(12, 2), since timestamptz, doc jsonb);
         insert into customers select n, 'customer ' || n, n * 1.5, '2026-01-01Z'::timestamptz + n * interval '1 hour', '{\"a\": 1}' from generate_series(1, 300) n",
    )?;
    let _connector = stack.register(&shop.connector().in_avro(&stack.registry()?))?;
    let gate = Gate::before(&stack.registry_url()?, Manner::Down)?;
    let follower = stack.follow_with(
        shop.name(),
        &format!(
            "[sources.schema_registry]\nurl = \"{}\"\ntimeout = \"1s\"",
            gate.url()
        ),
    )?;
    until_it_says(&follower, "waits for schema")?;
    gate.set(Manner::Unauthorised);
    until_it_says(&follower, "check auth")?;
    gate.set(Manner::Slow(TOO_LATE));
    gate.until_refused()?;
    until_it_says(&follower, "waits for schema")?;
    gate.set(Manner::Open);
    follower.until_equal(&mut shop, &["customers"])?;
    nothing_is_wrong(&follower)?;

    // Another schema, while nobody can be asked: what is known is served meanwhile.
    let before = follower.server().rows("customers")?.len();
    gate.set(Manner::Unauthorised);
    shop.run("alter table customers add column tier text default 'basic'; update customers set name = name || '.'")?;
    gate.until_refused()?;
    until_it_says(&follower, "check auth")?;
    ensure!(follower.server().rows("customers")?.len() == before);
    gate.set(Manner::Open);
    follower.until_equal(&mut shop, &["customers"])?;
    nothing_is_wrong(&follower)
}

fn until_it_says(follower: &Follower, words: &str) -> anyhow::Result<()> {
    follower.until(
        &format!("the status says {words}"),
        "/v1/status",
        |status| status.to_string().contains(words).then_some(()),
    )
}

fn nothing_is_wrong(follower: &Follower) -> anyhow::Result<()> {
    let status = follower.server().get("/v1/status", &[])?.text;
    ensure!(!status.contains("waits for schema"), "{status}");
    let quarantine = follower.server().get("/v1/quarantine", &[])?.text;
    ensure!(
        quarantine.contains("\"records\":[]") || !quarantine.contains("\"reason\""),
        "{quarantine}"
    );
    Ok(())
}
