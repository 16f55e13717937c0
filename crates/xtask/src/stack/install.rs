//! Downloads what the parts are made of, where it is not there yet: system packages, jars from Maven, a MySQL and a
//! registry that come as archives, a proxy that Go builds.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::part::Part;
use super::place::Place;
use super::process::run;

const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const REGISTRY: &str = "io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all";
/// The last one that the Go of Debian 12 builds.
const TOXIPROXY: &str = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.7.0";

/// What a part needs of the system, by something that is there when the package is.
const SYSTEM: &[(&[Part], Witness, &str)] = &[
    (
        &[Part::Postgres],
        Witness::Folder("/usr/lib/postgresql"),
        "postgresql",
    ),
    (
        &[Part::Mariadb],
        Witness::Program("mariadbd"),
        "mariadb-server",
    ),
    (
        &[Part::Mysql],
        Witness::Program("mariadb"),
        "mariadb-client",
    ),
    (&[Part::Mysql], Witness::Library("libaio.so.1"), "libaio1"),
    (&[Part::Mysql], Witness::Library("libnuma.so.1"), "libnuma1"),
    (JAVA, Witness::Program("jar"), "default-jdk-headless"),
    (JAVA, Witness::Program("mvn"), "maven"),
    (&[Part::Kafka], Witness::Program("openssl"), "openssl"),
    // What is tested reaches the broker with TLS.
    (
        &[Part::Kafka],
        Witness::Folder("/usr/include/openssl"),
        "libssl-dev",
    ),
    (&[Part::Kafka], Witness::Program("pkg-config"), "pkg-config"),
    (&[Part::Toxiproxy], Witness::Program("go"), "golang-go"),
];

const JAVA: &[Part] = &[Part::Kafka, Part::Connect, Part::Registry, Part::Mysql];

#[derive(Clone, Copy)]
enum Witness {
    Program(&'static str),
    Library(&'static str),
    Folder(&'static str),
}

pub fn install(place: &Place, parts: &[Part]) -> anyhow::Result<()> {
    system_packages(parts)?;
    for part in parts {
        let installed = match part {
            Part::Postgres | Part::Mariadb => Ok(()),
            Part::Kafka => jars(place, "kafka"),
            Part::Connect => connect(place),
            Part::Mysql => mysql(place),
            Part::Registry => registry(place),
            Part::Toxiproxy => toxiproxy(place),
        };
        installed.with_context(|| format!("cannot install {part}"))?;
    }
    Ok(())
}

fn system_packages(parts: &[Part]) -> anyhow::Result<()> {
    let needed = SYSTEM
        .iter()
        .filter(|(by, ..)| by.iter().any(|part| parts.contains(part)));
    let missing: Vec<&str> = needed
        .filter(|(_, witness, _)| !is_there(*witness))
        .map(|(.., package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !rustix::process::geteuid().is_root() {
        bail!("the system lacks packages: sudo apt-get install {packages}");
    }
    eprintln!("stack: apt-get install {packages}");
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

fn is_there(witness: Witness) -> bool {
    match witness {
        Witness::Folder(path) => Path::new(path).is_dir(),
        Witness::Library(name) => {
            run(Command::new("/sbin/ldconfig").arg("-p")).is_ok_and(|known| known.contains(name))
        }
        Witness::Program(name) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path)
                .chain(["/usr/sbin".into()])
                .any(|folder| folder.join(name).is_file())
        }
    }
}

/// The jars that a recipe names and all they need, until the recipe changes.
fn jars(place: &Place, name: &str) -> anyhow::Result<()> {
    let recipe = place.recipe(&format!("jars/{name}.xml"));
    let folder = place.path(&format!("jars/{name}"));
    let done = folder.join(".done");
    let wanted = fs::read(&recipe).with_context(|| format!("cannot read {}", recipe.display()))?;
    if fs::read(&done).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    eprintln!("stack: the jars of {name}");
    run(Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&recipe)
        .args([COPY_JARS, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", folder.display())))?;
    fs::write(done, wanted)?;
    Ok(())
}

/// Connect's own jars are the broker's; each plugin has a folder of its own, so their versions may differ.
fn connect(place: &Place) -> anyhow::Result<()> {
    for name in [
        "kafka",
        "debezium-postgres",
        "debezium-mysql",
        "debezium-mariadb",
        "avro-converter",
    ] {
        jars(place, name)?;
    }
    Ok(())
}

fn mysql(place: &Place) -> anyhow::Result<()> {
    jars(place, "mysql-server")?;
    let archive = "mysql-Linux-amd64.tar.gz";
    unpacked(place, "mysql-server", |folder| {
        let jars = place.path("jars/mysql-server");
        let jar = only_file(&jars, ".jar")?;
        run(Command::new("jar")
            .arg("xf")
            .arg(jar)
            .arg(archive)
            .current_dir(folder))?;
        run(Command::new("tar")
            .args(["xzf", archive])
            .current_dir(folder))?;
        fs::remove_file(folder.join(archive))?;
        Ok(())
    })
}

fn registry(place: &Place) -> anyhow::Result<()> {
    unpacked(place, "registry", |folder| {
        eprintln!("stack: the registry");
        let downloads = folder.join("downloads");
        run(Command::new("mvn")
            .args(["-q", "-B", "dependency:get", "-Dtransitive=false"])
            .arg(format!("-Dartifact={REGISTRY}"))
            .arg(format!("-Dmaven.repo.local={}", downloads.display())))?;
        let version = REGISTRY.split(':').nth(2).unwrap_or_default();
        let archive = only_file(
            &downloads.join(format!("io/apicurio/apicurio-registry-app/{version}")),
            "-all.tar.gz",
        )?;
        run(Command::new("tar")
            .arg("xzf")
            .arg(archive)
            .current_dir(folder))?;
        fs::remove_dir_all(downloads)?;
        Ok(())
    })
}

fn toxiproxy(place: &Place) -> anyhow::Result<()> {
    unpacked(place, "toxiproxy", |folder| {
        eprintln!("stack: toxiproxy");
        run(Command::new("go")
            .args(["install", TOXIPROXY])
            .env("GOBIN", folder))?;
        Ok(())
    })
}

/// Fills a folder, and calls it by its name only when it is whole.
fn unpacked(
    place: &Place,
    name: &str,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (done, doing) = (place.path(name), place.path(&format!("{name}.part")));
    if done.is_dir() {
        return Ok(());
    }
    if doing.exists() {
        fs::remove_dir_all(&doing)?;
    }
    fs::create_dir_all(&doing)?;
    fill(&doing)?;
    fs::rename(doing, done)?;
    Ok(())
}

/// The one file of the folder with that ending.
pub fn only_file(folder: &Path, ending: &str) -> anyhow::Result<std::path::PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    let mut found = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(ending));
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        (None, _) => bail!("nothing in {} ends with {ending}", folder.display()),
        (Some(_), Some(_)) => bail!("more than one in {} ends with {ending}", folder.display()),
    }
}
