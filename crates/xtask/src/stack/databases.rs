//! The source databases, set up as a production database must be for Debezium.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::part::Part;
use super::place::{Listener, Place};
use super::process::{await_answer, launch, run};

/// Who reads the binary log, in both databases that have one.
const READER: &str = "dbz";

pub fn start_postgres(place: &Place) -> anyhow::Result<()> {
    let programs = postgres_programs()?;
    let data = place.data(Part::Postgres);
    let port = place.port(Listener::Postgres).to_string();
    if !data.join("PG_VERSION").is_file() {
        fs::create_dir_all(&data)?;
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(&data))?;
        }
        run(as_user("postgres", &programs.join("initdb"))
            .current_dir(&data)
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "-A", "trust", "--no-sync"]))
        .with_context(|| {
            format!(
                "the user postgres must be able to enter {}: set STACK_DIR if it cannot",
                data.display()
            )
        })?;
        let settings = fs::read_to_string(place.configure("postgres.conf")?)?;
        let own = data.join("postgresql.conf");
        let before = fs::read_to_string(&own)?;
        fs::write(own, format!("{before}\n{settings}"))?;
    }
    launch(
        place,
        Part::Postgres,
        &[Listener::Postgres],
        as_user("postgres", &programs.join("postgres"))
            .current_dir(&data)
            .arg("-D")
            .arg(&data),
    )?;
    await_answer(place, Part::Postgres, || {
        run(Command::new(programs.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]))
            .is_ok()
    })
}

pub fn start_mariadb(place: &Place) -> anyhow::Result<()> {
    let data = place.data(Part::Mariadb);
    let user = run(Command::new("id").arg("-un"))?;
    let user = format!("--user={}", user.trim());
    let temporary = temporary(place, Part::Mariadb)?;
    if !data.is_dir() {
        let new = place.path("data-mariadb.part");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        run(Command::new("mariadb-install-db")
            .args(["--no-defaults", &user, "--skip-test-db", &temporary])
            .arg("--auth-root-authentication-method=normal")
            .arg(format!("--datadir={}", new.display())))?;
        fs::rename(new, &data)?;
    }
    let mut server = Command::new(if Path::new("/usr/sbin/mariadbd").is_file() {
        "/usr/sbin/mariadbd"
    } else {
        "mariadbd"
    });
    server.args(["--no-defaults", &user, &temporary, "--gtid-strict-mode=1"]);
    binary_log(&mut server, place, Part::Mariadb, Listener::Mariadb);
    launch(place, Part::Mariadb, &[Listener::Mariadb], &mut server)?;
    let sql = format!(
        "create user if not exists {READER}@'127.0.0.1' identified by '{READER}'; grant all on *.* to {READER}@'127.0.0.1'"
    );
    reader_exists(place, Part::Mariadb, Listener::Mariadb, &sql)
}

pub fn start_mysql(place: &Place) -> anyhow::Result<()> {
    let home = place.path("mysql-server");
    let data = place.data(Part::Mysql);
    let temporary = temporary(place, Part::Mysql)?;
    let server = |data: &Path| {
        let mut server = Command::new(home.join("bin/mysqld"));
        server
            .args(["--no-defaults", &temporary])
            .arg(format!("--basedir={}", home.display()))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--lc-messages-dir={}/share", home.display()));
        if rustix::process::geteuid().is_root() {
            server.arg("--user=root");
        }
        server
    };
    if !data.is_dir() {
        let new = place.path("data-mysql.part");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        run(server(&new).arg("--initialize-insecure"))?;
        fs::rename(new, &data)?;
    }
    let mut server = server(&data);
    server.args(["--mysqlx=OFF", "--gtid-mode=ON"]);
    server.arg("--enforce-gtid-consistency=ON");
    binary_log(&mut server, place, Part::Mysql, Listener::Mysql);
    launch(place, Part::Mysql, &[Listener::Mysql], &mut server)?;
    let sql = format!(
        "create user if not exists {READER}@'127.0.0.1' identified with mysql_native_password by '{READER}'; grant all on *.* to {READER}@'127.0.0.1'"
    );
    reader_exists(place, Part::Mysql, Listener::Mysql, &sql)
}

/// A folder for temporary tables alone: as they start, both families delete what looks like one of theirs, and in a folder
/// they share that is the other's, which may be in the middle of its installation.
fn temporary(place: &Place, part: Part) -> anyhow::Result<String> {
    let folder = place.temporary(part);
    fs::create_dir_all(&folder)?;
    Ok(format!("--tmpdir={}", folder.display()))
}

/// What both families need so that whole rows can be read from the log.
fn binary_log(server: &mut Command, place: &Place, part: Part, listener: Listener) {
    let data = place.data(part);
    server
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}/sock", data.display()))
        .arg(format!("--pid-file={}/pid", data.display()))
        .arg(format!("--port={}", place.port(listener)))
        .arg(format!("--server-id={}", place.port(listener)))
        .args(["--bind-address=127.0.0.1", "--log-bin=binlog"])
        .args(["--binlog-format=ROW", "--binlog-row-image=FULL"])
        .arg("--innodb-flush-log-at-trx-commit=0");
}

fn reader_exists(place: &Place, part: Part, listener: Listener, sql: &str) -> anyhow::Result<()> {
    let port = place.port(listener).to_string();
    let mariadb = |sql: &str| {
        run(Command::new("mariadb")
            .args(["--no-defaults", "-h127.0.0.1", "-uroot", "-P", &port])
            .args(["-e", sql]))
    };
    await_answer(place, part, || mariadb("select 1").is_ok())?;
    mariadb(sql)?;
    Ok(())
}

/// The newest that is installed.
fn postgres_programs() -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .context("no PostgreSQL in /usr/lib/postgresql")?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("postgres").is_file())
        .collect();
    found.sort();
    let (version, newest) = found.pop().context("no server in /usr/lib/postgresql")?;
    ensure!(
        version >= 14,
        "PostgreSQL {version} is too old for these tests: 14 or newer"
    );
    Ok(newest)
}

/// Some servers refuse to run as root; anybody else is who they are.
fn as_user(user: &str, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    // Becomes the program, so that its process is the one that was started.
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", user, "--regid", user, "--clear-groups", "--"])
        .arg(program);
    command
}
