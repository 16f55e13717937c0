//! The client against registries that answer well, badly, or not at all.

#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

mod answers;
mod encrypted;
mod server;
mod trouble;

use change_feed::{RegistryError, RegistryId, SchemaRegistry};
use registry_client::{HttpRegistry, RegistryAddress, RegistryOptions};

use self::server::Server;

fn options(urls: &[&str]) -> RegistryOptions {
    let addresses = urls.iter().map(|url| RegistryAddress::parse(url).unwrap());
    RegistryOptions::new(addresses.collect())
}

fn client(server: &Server) -> HttpRegistry {
    HttpRegistry::new(&options(&[&server.url()])).unwrap()
}

/// `unknown: …` or `unavailable: …`.
fn refused(registry: &mut HttpRegistry, id: u32) -> String {
    match registry.fetch(RegistryId(id)) {
        Ok(schema) => panic!("it was brought: {schema:?}"),
        Err(RegistryError::Unknown { reason, .. }) => format!("unknown: {reason}"),
        Err(RegistryError::Unavailable { reason, .. }) => format!("unavailable: {reason}"),
    }
}
