//! Which process has a checkpoint open, where the system tells.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

/// A process that holds the lock.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub pid: u32,
    /// Its command line, as far as this user may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        let command = self.command.as_deref();
        command.map_or(Ok(()), |command| write!(f, ": {command}"))
    }
}

/// Who holds the lock of the checkpoint in `dir`. `None` where nobody does, in another container, or on a
/// system that does not say.
pub fn of(dir: &Path) -> Option<Holder> {
    let lock = fs::metadata(dir.join("lock")).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid = locks
        .lines()
        .find_map(|line| holder_of(line, lock.dev(), lock.ino()))?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok();
    let command = command.map(|bytes| {
        let words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    });
    Some(Holder {
        pid,
        command: command.filter(|command| !command.is_empty()),
    })
}

/// The process of a line of `/proc/locks`, if it locks this file as a whole:
/// `1: FLOCK  ADVISORY  WRITE 4242 fe:00:1234 0 EOF`.
fn holder_of(line: &str, device: u64, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let is_whole_file = words.next()? == "FLOCK";
    let (pid, file) = (words.nth(2)?, words.next()?);
    let mut parts = file.split(':');
    let mut hexadecimal = || u64::from_str_radix(parts.next()?, 16).ok();
    let (major, minor) = (hexadecimal()?, hexadecimal()?);
    let is_it = parts.next()?.parse() == Ok(inode) && (major, minor) == numbers_of(device);
    pid.parse().ok().filter(|_| is_whole_file && is_it)
}

/// Major and minor number of a device, as Linux packs them.
fn numbers_of(device: u64) -> (u64, u64) {
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & !0xff);
    (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_lock_names_its_holder() {
        let line = "1: FLOCK  ADVISORY  WRITE 4242 fe:01:1234 0 EOF";
        assert_eq!(holder_of(line, 0xfe01, 1234), Some(4242));
        assert_eq!(holder_of(line, 0xfe01, 1235), None);
        assert_eq!(holder_of(line, 0xfe02, 1234), None);
        assert_eq!(
            holder_of(&line.replace("FLOCK", "POSIX"), 0xfe01, 1234),
            None
        );
        assert_eq!(holder_of("1: -> FLOCK", 0, 0), None);
    }
}
