//! One connection that is kept, and one request after another on it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::consumer::number_behind;

/// Longer than any answer here may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    answer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub fn open(host: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            host,
            answer: vec![0; 1 << 16],
            filled: 0,
        })
    }

    /// Status and body.
    pub fn get(&mut self, path: &str) -> anyhow::Result<(u64, &[u8])> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes())?;
        self.filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[self.filled..])?;
            ensure!(read > 0, "the connection ended within an answer");
            self.filled += read;
            let answer = &self.answer[..self.filled];
            let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n").map(|end| end + 4) else {
                continue;
            };
            let length = number_behind(&answer[..head], b"content-length: ").unwrap_or(0);
            if self.filled == head + length as usize {
                let status = number_behind(answer, b"HTTP/1.1 ").context("no status")?;
                return Ok((status, &self.answer[head..self.filled]));
            }
        }
    }
}
