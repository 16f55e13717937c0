//! What happens to files: cut short, flipped, overwritten, lost, exchanged, put back as they once were.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// Does something to some file of a folder; says what. `older` is the folder as it was some time before.
pub fn harm(folder: &Path, older: &Path, rng: &mut Rng) -> anyhow::Result<String> {
    let files = files_in(folder)?;
    // Most of what is kept is in one file: it is meant most often.
    let largest = files
        .iter()
        .max_by_key(|file| fs::metadata(file).map_or(0, |it| it.len()));
    let any = &files[rng.usize(..files.len())];
    let file = largest.filter(|_| rng.u8(0..4) > 0).unwrap_or(any);
    let name = file.strip_prefix(folder)?.display().to_string();
    let mut bytes = fs::read(file)?;
    let at = rng.usize(..=bytes.len());
    let end = (at + rng.usize(1..5_000)).min(bytes.len());
    let done = match rng.u8(0..10) {
        0 | 1 => {
            bytes.truncate(at);
            fs::write(file, bytes)?;
            format!("cut to {at} bytes")
        }
        2..=4 => {
            let flips = if rng.u8(0..4) > 0 { 1 } else { 40 };
            for _ in 0..flips {
                if let Some(byte) = rng.choice(&mut bytes) {
                    *byte ^= 1 << rng.u8(0..8);
                }
            }
            fs::write(file, bytes)?;
            format!("{flips} bits flipped")
        }
        5 => {
            bytes[at..end].fill(0);
            fs::write(file, bytes)?;
            format!("zeros from {at} to {end}")
        }
        6 => {
            bytes[at..end].fill_with(|| rng.u8(..));
            fs::write(file, bytes)?;
            format!("rubbish from {at} to {end}")
        }
        7 => {
            fs::remove_file(file)?;
            "removed".to_owned()
        }
        8 => {
            let other = &files[rng.usize(..files.len())];
            let others = fs::read(other)?;
            fs::write(other, bytes)?;
            fs::write(file, others)?;
            format!("exchanged with {}", other.strip_prefix(folder)?.display())
        }
        _ => {
            let before = older.join(file.strip_prefix(folder)?);
            match fs::read(before) {
                Ok(before) => fs::write(file, before)?,
                Err(_) => fs::write(file, "")?,
            }
            "as it was before".to_owned()
        }
    };
    Ok(format!("{name}: {done}"))
}

pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_in(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
