//! One request after another, where speed does not matter: before anything is measured.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::load::Protocol;

/// Longer than any answer here may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a usual client sends.
pub fn request(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n\r\n").into()
}

/// A whole answer, its head included.
pub fn get(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request(address, path))?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while Protocol::Http.answer_len(&answer) != Some(answer.len()) {
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "the connection ended within an answer");
        answer.extend_from_slice(&piece[..read]);
    }
    Ok(answer)
}

pub fn body(answer: &[u8]) -> Option<&[u8]> {
    let head = memchr::memmem::find(answer, b"\r\n\r\n")?;
    Some(&answer[head + 4..])
}

pub fn redis_get(id: u64) -> Vec<u8> {
    let key = id.to_string();
    format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into()
}

/// Gives every key from 1 on the same value.
pub fn fill_redis(address: SocketAddr, keys: u64, value: &[u8]) -> anyhow::Result<()> {
    const BATCH: u64 = 1_000;
    const DONE: &[u8] = b"+OK\r\n";
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for first in (1..=keys).step_by(BATCH as usize) {
        let mut commands = Vec::new();
        let last = keys.min(first + BATCH - 1);
        for id in first..=last {
            let key = id.to_string();
            write!(commands, "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n", key.len())?;
            write!(commands, "${}\r\n", value.len())?;
            commands.extend_from_slice(value);
            commands.extend_from_slice(b"\r\n");
        }
        stream.write_all(&commands)?;
        let mut answer = vec![0; DONE.len() * (last - first + 1) as usize];
        answers
            .read_exact(&mut answer)
            .context("Redis took no value")?;
        ensure!(
            answer.chunks(DONE.len()).all(|answer| answer == DONE),
            "Redis refused a value"
        );
    }
    Ok(())
}
