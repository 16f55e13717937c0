//! Tests of Rowtide on real servers: databases with Debezium's connectors, Kafka, a schema registry.
//!
//! The servers are those of `cargo xtask stack`, and are shared: each test has a database, a connector and topics of
//! its own, by a name that no other run has, and leaves none of them behind. So the tests run in any order, beside
//! each other, and again and again on servers that stay up.
//!
//! ```no_run
//! # fn test() -> anyhow::Result<()> {
//! use real_stack::Stack;
//!
//! let stack = Stack::from_env()?;
//! let mut shop = stack.postgres("shop")?;
//! shop.run("create table orders (id bigint primary key, total numeric(10, 2))")?;
//! let _connector = stack.register(&shop.connector())?;
//! let follower = stack.follow(shop.name())?;
//! shop.run("insert into orders values (1, 9.50)")?;
//! follower.until_equal(&mut shop, &["orders"])?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod connect;
mod follower;
mod gate;
mod mysql;
pub mod orders;
mod postgres;
mod registration;
mod source;
mod stack;
mod topics;
mod toxiproxy;

pub use crate::connect::{Connect, Connector};
pub use crate::follower::Follower;
pub use crate::gate::{Gate, Manner};
pub use crate::mysql::{Flavour, Mysql};
pub use crate::postgres::Postgres;
pub use crate::registration::Registration;
pub use crate::source::Source;
pub use crate::stack::{Part, Stack};
pub use crate::topics::Topics;
pub use crate::toxiproxy::{Broken, Fault, Network};
