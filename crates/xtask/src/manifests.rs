//! `cargo xtask manifests`: what is deployed, read by those it is written for, without any of their servers.
//!
//! Compose files, the Dockerfile, charts, Kubernetes and Strimzi manifests, alerts and scripts. Whatever is not there of the tools is
//! put into `target/tools`, in the versions named in `tools`. Apart from the other tests because it needs the network for that.

mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

use tools::{Tools, ends_well};

/// The oldest Kubernetes that has native sidecars, and one of today.
const KUBERNETES: [&str; 2] = ["1.29.0", "1.34.0"];

/// A proxy before the API, as somebody would put it into the chart's values.
const PROXY: &str =
    r#"proxy={"name":"proxy","image":"proxy:1.0","ports":[{"name":"api","containerPort":8443}]}"#;

/// Each chart, what it is rendered as, and with which values.
const RENDERED: &[(&str, &str, &[&str])] = &[
    ("rowtide", "server", &[]),
    (
        "rowtide",
        "replicas",
        &[
            "--set=replicas=3,serviceMonitor.enabled=true,persistence.storageClass=fast",
            "--set-json",
            PROXY,
        ],
    ),
    (
        "rowtide",
        "without-disk",
        &["--set=persistence.enabled=false"],
    ),
    ("agent", "sidecar", &[]),
];

/// Values that the chart's schema must refuse.
const REFUSED: &[&str] = &[
    "--set=replicas=many",
    "--set=replica=2",
    "--set=config.listen.data=0.0.0.0:8080",
    "--set=config.memory.max=plenty",
    "--set-json=config.sources=[]",
    r#"--set-json=proxy={"name":"proxy","image":"proxy:1.0","ports":[]}"#,
];

pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let root = root.canonicalize()?;
    let tools = Tools::install(&root)?;
    let checks = Checks { root, tools };
    let all: [(&str, Check); 7] = [
        ("compose files", Checks::compose),
        ("the agent's script", Checks::script),
        ("the Dockerfile", Checks::dockerfile),
        ("charts", Checks::charts),
        ("Kubernetes manifests", Checks::kubernetes),
        ("Strimzi's resources", Checks::strimzi),
        ("alerts", Checks::alerts),
    ];
    let mut failed = false;
    for (what, check) in all {
        match check(&checks) {
            Ok(()) => println!("{what}: sound"),
            Err(error) => {
                println!("{what}: {error:#}");
                failed = true;
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

type Check = fn(&Checks) -> anyhow::Result<()>;

struct Checks {
    root: PathBuf,
    tools: Tools,
}

impl Checks {
    fn compose(&self) -> anyhow::Result<()> {
        let files = self.files("compose", "yaml")?;
        ends_well(self.command(self.tools.check()).arg("compose").args(files))
    }

    fn script(&self) -> anyhow::Result<()> {
        let files = self.files("compose", "sh")?;
        ends_well(self.command(self.tools.python("shellcheck")).args(files))
    }

    fn dockerfile(&self) -> anyhow::Result<()> {
        ends_well(
            self.command(self.tools.python("hadolint"))
                .arg("deploy/Dockerfile"),
        )
    }

    /// Charts are rendered from a copy: a dependency is packed into the folder of the chart that has it.
    fn charts(&self) -> anyhow::Result<()> {
        let charts = self.charts_copied()?;
        let helm = || {
            let mut command = self.command(self.tools.helm());
            command.current_dir(&charts);
            command
        };
        ends_well(helm().args(["dependency", "build", "agent"]))?;
        for (chart, name, values) in RENDERED {
            let version = ["--kube-version", KUBERNETES[0]];
            ends_well(
                helm()
                    .args(["lint", "--strict", chart])
                    .args(version)
                    .args(*values),
            )?;
            let rendered = helm()
                .args(["template", "it", chart])
                .args(version)
                .args(*values)
                .output()?;
            ensure!(
                rendered.status.success(),
                "{chart} as {name}: {}",
                String::from_utf8_lossy(&rendered.stderr)
            );
            fs::write(
                self.rendered().join(format!("{name}.yaml")),
                rendered.stdout,
            )?;
        }
        for value in REFUSED {
            let refused = helm().args(["lint", "rowtide", value]).output()?;
            ensure!(
                !refused.status.success(),
                "the schema of its values lets {value} pass"
            );
        }
        Ok(())
    }

    /// What charts were rendered to, and what is written by hand.
    fn kubernetes(&self) -> anyhow::Result<()> {
        let mut files = self.files("deploy/kubernetes", "yaml")?;
        for (_, name, _) in RENDERED {
            files.push(self.rendered().join(format!("{name}.yaml")));
        }
        for version in KUBERNETES {
            // Of the kinds that others define it has no schema, and says so: that is no fault.
            ends_well(
                self.command(self.tools.python("kubernetes-validate"))
                    .args(["--strict", "--quiet", "--no-warn", "-k", version])
                    .args(&files),
            )?;
        }
        Ok(())
    }

    fn strimzi(&self) -> anyhow::Result<()> {
        ends_well(self.command(self.tools.check()).args([
            "strimzi",
            "deploy/strimzi",
            "compose/connectors/postgres.json",
        ]))
    }

    fn alerts(&self) -> anyhow::Result<()> {
        let promtool = || self.command(self.tools.promtool());
        ends_well(promtool().args(["check", "rules", "deploy/prometheus/alerts.yaml"]))?;
        ends_well(promtool().args(["test", "rules", "deploy/prometheus/alerts_test.yaml"]))?;
        ends_well(promtool().args([
            "check",
            "config",
            "--syntax-only",
            "compose/prometheus/prometheus.yaml",
        ]))
    }

    fn charts_copied(&self) -> anyhow::Result<PathBuf> {
        let folder = self.rendered();
        let charts = folder.join("charts");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        ends_well(
            Command::new("cp")
                .arg("-r")
                .arg(self.root.join("deploy/helm"))
                .arg(&charts),
        )?;
        Ok(charts)
    }

    fn rendered(&self) -> PathBuf {
        self.tools.folder().join("rendered")
    }

    /// The files of a folder that end like this; there must be some.
    fn files(&self, folder: &str, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.root.join(folder)).with_context(|| folder.to_owned())?;
        let mut files = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        files.retain(|file| file.extension().is_some_and(|found| found == ending));
        files.sort();
        ensure!(!files.is_empty(), "nothing in {folder} ends in .{ending}");
        Ok(files)
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }
}
