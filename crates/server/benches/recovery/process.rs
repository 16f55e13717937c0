//! The kernel's account of a process, and of a directory.

use std::path::Path;

use anyhow::Context;

/// Ticks of the kernel's account of CPU time, a second.
const TICKS_PER_S: f64 = 100.0;

/// User and system time so far.
pub fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Counted from behind the command's name, which may contain anything.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut ticks = fields.split_whitespace().skip(11);
    let mut next = || ticks.next()?.parse::<f64>().ok();
    let (user, system) = next().zip(next()).context("an account without CPU time")?;
    Ok((user + system) / TICKS_PER_S)
}

/// The most memory it ever had.
pub fn peak_bytes(process: u32) -> anyhow::Result<u64> {
    number_after(&format!("/proc/{process}/status"), "VmHWM:").map(|kilobytes| kilobytes * 1024)
}

/// What it has handed to disks so far.
pub fn written_bytes(process: u32) -> anyhow::Result<u64> {
    number_after(&format!("/proc/{process}/io"), "\nwrite_bytes:")
}

fn number_after(file: &str, name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let number = text
        .split_once(name)
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let number = number.with_context(|| format!("{file} has no {}", name.trim()))?;
    Ok(number.parse()?)
}

/// What the files below a directory take of the disk.
pub fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    const BLOCK: u64 = 512;
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    // What is removed meanwhile takes nothing.
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * BLOCK,
        Err(_) => 0,
    });
    bytes.sum()
}
