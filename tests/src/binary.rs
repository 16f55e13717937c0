//! The binary that is tested.
//!
//! Built once per process, by the cargo and for the profile that built the test, unless
//! `BLACK_BOX_BINARY` names another one, such as that of an image about to be released.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, anyhow, ensure};

/// Where it is.
pub fn path() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| match std::env::var_os("BLACK_BOX_BINARY") {
        // It is started in other folders.
        Some(path) => std::path::absolute(path).map_err(|error| error.to_string()),
        None => build().map_err(|error| format!("{error:#}")),
    });
    built.as_deref().map_err(|error| anyhow!(error.clone()))
}

/// Builds `rowtide` beside what is running: `target/<profile>/deps/<test>`, or without `deps` if it is no test,
/// tells the target folder and the profile.
fn build() -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe()?;
    let folder = running.parent().context("the program lies nowhere")?;
    let profile_dir = match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().context("no profile")?,
        _ => folder,
    };
    let target_dir = profile_dir.parent().context("no target folder")?;
    let profile = match profile_dir
        .file_name()
        .and_then(|name| name.to_str())
        .context("no profile")?
    {
        "debug" => "dev",
        other => other,
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace")?;
    let mut cargo = Command::new(env!("CARGO"));
    // The whole workspace is named so that crates are built with the features that the tests' own
    // build gave them, and not again.
    cargo
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "rowtide",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target_dir);
    let status = cargo
        .current_dir(workspace)
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo could not build rowtide");
    Ok(profile_dir.join("rowtide"))
}
