//! Servers as processes: started in sessions of their own with a log, waited for, found again by later commands,
//! and stopped.
//!
//! A note beside the log names a process by its number and the moment at which it began, so that a number that the
//! system has given to somebody else since is never signalled.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::part::Part;
use super::place::{Listener, Place};

const STEP: Duration = Duration::from_millis(50);
const PATIENCE_TO_START: Duration = Duration::from_mins(5);
const PATIENCE_TO_STOP: Duration = Duration::from_secs(30);
const LOG_LINES_SHOWN: usize = 40;

/// How long something took.
pub struct Watch(Instant);

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a chore's own clock, outside the product"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Starts the part's server. It may not answer yet.
pub fn launch(
    place: &Place,
    part: Part,
    listeners: &[Listener],
    command: &mut Command,
) -> anyhow::Result<()> {
    for listener in listeners {
        let port = place.port(*listener);
        let watch = Watch::start();
        // One that was killed may hold it for a moment longer than it is listed.
        while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(
                watch.0.elapsed() < PATIENCE_TO_STOP,
                "port {port} is taken by another process: stop it, or set STACK_PORT to the first of 12 free ports"
            );
            pass();
        }
    }
    let log = File::options()
        .create(true)
        .append(true)
        .open(place.log(part))?;
    // `setsid` becomes the server, so the number is the server's.
    let mut own_session = Command::new("setsid");
    own_session
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    if let Some(folder) = command.get_current_dir() {
        own_session.current_dir(folder);
    }
    let mut process = own_session
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let noted = remember(place, part, process.id());
    // Whoever looks for one that was killed, such as its successor, finds it until its end was taken notice of.
    std::thread::spawn(move || process.wait());
    noted
}

/// Takes note of a process that was started.
pub fn remember(place: &Place, part: Part, id: u32) -> anyhow::Result<()> {
    let began = began(id).context("the server ended as soon as it was started")?;
    fs::write(note(place, part), format!("{id} {began}"))?;
    Ok(())
}

/// Waits until the check succeeds; tells the end of the part's log if that does not happen.
pub fn await_answer(
    place: &Place,
    part: Part,
    mut answers: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let watch = Watch::start();
    loop {
        if answers() {
            return Ok(());
        }
        if !runs(place, part) {
            bail!("its process ended:\n{}", log_end(&place.log(part)));
        }
        if watch.0.elapsed() > PATIENCE_TO_START {
            bail!(
                "no answer after {} s:\n{}",
                PATIENCE_TO_START.as_secs(),
                log_end(&place.log(part))
            );
        }
        pass();
    }
}

/// True if somebody listens there.
pub fn is_open(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// True if there is an answer that is no error to this request.
pub fn answers_http(port: u16, path: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(String::from_utf8_lossy(&status).into_owned())
    };
    ask().is_ok_and(|status| status.ends_with(" 200"))
}

/// Runs a command to its end; tells what it wrote if it fails.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{name} failed, {}:\n{out}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(out)
}

pub fn runs(place: &Place, part: Part) -> bool {
    id(place, part).is_some()
}

/// The number of the part's process while it runs.
pub fn id(place: &Place, part: Part) -> Option<u32> {
    let note = fs::read_to_string(note(place, part)).ok()?;
    let (id, noted) = note.split_once(' ')?;
    let id = id.parse().ok()?;
    (began(id)? == noted).then_some(id)
}

/// Asks the parts to end, all at once, and insists where that does not help.
pub fn stop(place: &Place, parts: &[Part], kill: bool) -> anyhow::Result<()> {
    let stopped: Vec<u32> = parts.iter().filter_map(|part| id(place, *part)).collect();
    for part in parts {
        let signal = match part {
            _ if kill => Signal::KILL,
            // With TERM it waits until every client has gone.
            Part::Postgres => Signal::INT,
            _ => Signal::TERM,
        };
        send(place, *part, signal)?;
    }
    let watch = Watch::start();
    while parts.iter().any(|part| runs(place, *part)) {
        if watch.0.elapsed() > PATIENCE_TO_STOP {
            for part in parts.iter().filter(|part| runs(place, **part)) {
                eprintln!(
                    "stack: {part} did not end in {} s and is killed",
                    PATIENCE_TO_STOP.as_secs()
                );
                send(place, *part, Signal::KILL)?;
            }
        }
        pass();
    }
    for part in parts {
        let _ = fs::remove_file(note(place, *part));
    }
    // Who started them may be gone, and the system takes its time with orphans. Their successors would take one that
    // is still listed for one that still runs.
    let watch = Watch::start();
    while stopped.iter().any(|id| is_listed(*id)) && watch.0.elapsed() < PATIENCE_TO_STOP {
        pass();
    }
    Ok(())
}

fn is_listed(id: u32) -> bool {
    PathBuf::from(format!("/proc/{id}")).exists()
}

fn send(place: &Place, part: Part, signal: Signal) -> anyhow::Result<()> {
    let process = id(place, part).and_then(|id| Pid::from_raw(id as i32));
    match process.map(|process| kill_process(process, signal)) {
        // It may have ended in between.
        Some(Err(error)) if error != rustix::io::Errno::SRCH => {
            Err(error).with_context(|| format!("cannot signal {part}"))
        }
        _ => Ok(()),
    }
}

/// When a process that still runs began, in the system's ticks since it was booted.
fn began(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold blanks; the state comes right behind it, the beginning 19 words later.
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut words = behind_name.split(' ');
    let ended = matches!(words.next()?, "Z" | "X");
    (!ended).then(|| words.nth(18).map(str::to_owned))?
}

fn note(place: &Place, part: Part) -> PathBuf {
    place.path(&format!("{part}.process"))
}

fn log_end(log: &std::path::Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
    format!("{}\n(from {})", end.join("\n"), log.display())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the condition is another process's; it can only be asked again"
)]
fn pass() {
    std::thread::sleep(STEP);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part::Registry;

    fn place(folder: &tempfile::TempDir) -> Place {
        Place::at(PathBuf::new(), folder.path().to_owned(), 1)
    }

    #[test]
    fn what_was_started_is_found_again_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        launch(&place, PART, &[], Command::new("sleep").arg("1000")).unwrap();
        let id = id(&place, PART).unwrap();
        stop(&place, &[PART], false).unwrap();
        assert!(!runs(&place, PART));
        assert!(!is_listed(id));
        // Nothing is left to stop, and that is no error.
        stop(&place, &[PART], true).unwrap();
    }

    #[test]
    fn a_number_that_somebody_else_has_by_now_is_not_signalled() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
        let began_before = began(stranger.id()).unwrap().parse::<u64>().unwrap() - 1;
        fs::write(
            note(&place, PART),
            format!("{} {began_before}", stranger.id()),
        )
        .unwrap();
        assert_eq!(id(&place, PART), None);
        stop(&place, &[PART], true).unwrap();
        assert_eq!(stranger.try_wait().unwrap(), None);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn a_server_that_ends_at_once_is_told_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        let mut command = Command::new("sh");
        // Long enough to be found, and gone while it is waited for.
        command.args(["-c", "echo no such thing >&2; sleep 0.3; exit 1"]);
        launch(&place, PART, &[], &mut command).unwrap();
        let error = await_answer(&place, PART, || false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no such thing"), "{error}");
    }
}
