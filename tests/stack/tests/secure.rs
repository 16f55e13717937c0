//! The broker's listeners with TLS and with logins. The binary must be built with TLS; `cargo xtask stack test` does.

use anyhow::ensure;
use black_box::wait;
use real_stack::{Follower, Stack};

const USER: &str = "\"sasl.username\" = \"rowtide\"";

#[test]
fn the_broker_is_reached_with_tls_and_logins() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("secure")?;
    shop.run(
        "create table customers (id bigint primary key, name text not null);
         insert into customers select n, 'customer ' || n from generate_series(1, 300) n",
    )?;
    let _connector = stack.register(&shop.connector())?;
    let authority = stack.authority().display().to_string();
    let settings = |protocol: &str, login: &str| {
        format!(
            "[sources.kafka]\n\"security.protocol\" = \"{protocol}\"\n\"ssl.ca.location\" = \"{authority}\"\n{login}"
        )
    };
    let login = |mechanism: &str, password: &str| {
        format!("\"sasl.mechanism\" = \"{mechanism}\"\n{USER}\n\"sasl.password\" = \"{password}\"")
    };
    let (tls, logins) = (stack.tls_brokers(), stack.login_brokers());
    let plain = settings("SASL_SSL", &login("PLAIN", "rowtide-password"));
    let scram = settings("SASL_SSL", &login("SCRAM-SHA-512", "rowtide-password"));
    let followers = [
        Follower::start(&tls, shop.name(), &settings("SSL", ""))?,
        Follower::start(&logins, shop.name(), &plain)?,
        Follower::start(&logins, shop.name(), &scram)?,
    ];
    for follower in &followers {
        follower.until_equal(&mut shop, &["customers"])?;
    }
    shop.run("update customers set name = name || '!'; delete from customers where id % 3 = 0")?;
    for follower in &followers {
        follower.until_equal(&mut shop, &["customers"])?;
    }

    let wrong = settings("SASL_SSL", &login("PLAIN", "not the password"));
    let refused = Follower::start(&logins, shop.name(), &wrong)?;
    wait::until("the log says that the login failed", || {
        Ok(refused
            .server()
            .log()
            .to_lowercase()
            .contains("authentication failed")
            .then_some(()))
    })?;
    let rows = refused.server().get("/v1/tables/customers/rows", &[])?;
    ensure!(rows.status != 200, "rows without a login: {}", rows.text);
    Ok(())
}
