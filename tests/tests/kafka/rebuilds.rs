//! Tables are rebuilt while their topics are written to, and are then what their topics say.

use anyhow::{Context, ensure};
use black_box::broker::Log;
use black_box::trial::Trial;

use crate::{caught_up, check_exact, site_of};

/// Keys that change, values that are not sent, several partitions.
const RECORDINGS: [&str; 3] = ["A_basics_full", "C_toast_default", "N_keys_4partitions"];

#[test]
fn tables_are_rebuilt_while_records_flow() -> anyhow::Result<()> {
    for name in RECORDINGS {
        let trial = Trial::all(name)?.into_iter().next();
        let trial = trial.context("no recording")?;
        let (before, meanwhile) = trial.records.split_at(trial.records.len() / 2);
        let mut log = Log::start()?;
        log.create_topics(&trial.records)?;
        log.write(before)?;
        let site = site_of(&trial, &log)?;
        let mut server = site.start()?;
        server.ready()?;
        let config = site.path("rowtide.toml");
        let config = config.to_string_lossy();
        let (code, said) = std::thread::scope(|scope| {
            let rebuilding = scope.spawn(|| site.run(&["rebuild", "--config", &config]));
            log.write(meanwhile)?;
            rebuilding
                .join()
                .ok()
                .context("the command's thread failed")?
        })?;
        ensure!(code == 0, "{name}: exit code {code}: {said}");
        ensure!(said.contains(": rebuilt, "), "{name}: {said}");
        caught_up(&mut server, &log)?;
        check_exact(&trial, &server)?;
        ensure!(server.stop()? == 0, "exit code after SIGTERM");
        let (code, said) = site.run(&["verify", "--config", &config])?;
        ensure!(code == 0, "{name}: exit code {code}: {said}");
    }
    Ok(())
}
