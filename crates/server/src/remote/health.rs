//! `rowtide health`: the probes of the admin listener as an exit code, for containers without curl.

use clap::Args;

use super::Endpoint;
use crate::failure::Failure;
use crate::output::{self, harmless};

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Args, Clone, Debug)]
pub struct HealthArgs {
    /// Can it serve? (the default)
    #[arg(long, group = "probe")]
    pub ready: bool,

    /// Has it loaded everything and caught up once?
    #[arg(long, group = "probe")]
    pub startup: bool,

    /// Is it alive?
    #[arg(long, group = "probe")]
    pub live: bool,

    /// The admin listener: `http://host:port` or `unix:/path`
    #[arg(
        long,
        value_name = "URL",
        env = "ROWTIDE_ADMIN_URL",
        default_value = "http://127.0.0.1:9090",
        hide_env_values = true
    )]
    pub url: Endpoint,

    /// Print the request as a curl line instead of sending it
    #[arg(long)]
    pub curl: bool,
}

/// Succeeds if the probe does. A server that cannot be reached is one that is not ready.
pub fn run(args: &HealthArgs) -> Result<(), Failure> {
    let probe = match args {
        HealthArgs { startup: true, .. } => "startupz",
        HealthArgs { live: true, .. } => "livez",
        _ => "readyz",
    };
    let path = format!("/{probe}?verbose");
    if args.curl {
        return output::print(&args.url.curl(&path));
    }
    let answer = args
        .url
        .get(&path)
        .map_err(|error| Failure::NotReady(format!("{error:#}")))?;
    let body = harmless(answer.body.trim());
    if answer.is_success() {
        return output::print(&body);
    }
    Err(Failure::NotReady(format!(
        "{probe} says {}: {body}",
        answer.status
    )))
}
