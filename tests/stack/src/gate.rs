//! A schema registry that has its bad days: stands before the real one and lets requests through, or not.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use black_box::wait;
use parking_lot::Mutex;

/// What becomes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// They reach the registry.
    Open,
    /// Connections are closed without an answer, as if nobody listened.
    Down,
    /// Answers come, but later than anybody waits.
    Slow(Duration),
    /// Nobody may ask.
    Unauthorised,
}

/// The gate. Its thread ends with the test's process.
pub struct Gate {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    refused: Arc<AtomicUsize>,
}

impl Gate {
    /// Stands before what answers at this URL.
    pub fn before(url: &str, manner: Manner) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port for the gate")?;
        let gate = Self {
            address: listener.local_addr()?,
            manner: Arc::new(Mutex::new(manner)),
            refused: Arc::default(),
        };
        let (manner, refused) = (Arc::clone(&gate.manner), Arc::clone(&gate.refused));
        let url = url.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (url, manner, refused) =
                    (url.clone(), Arc::clone(&manner), Arc::clone(&refused));
                // A client that goes away in the middle is its own affair.
                thread::spawn(move || serve(client, &url, &manner, &refused));
            }
        });
        Ok(gate)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, manner: Manner) {
        *self.manner.lock() = manner;
        self.refused.store(0, Ordering::Relaxed);
    }

    /// Waits until a request came that was not let through as the manner is now.
    pub fn until_refused(&self) -> anyhow::Result<()> {
        wait::until("the registry is asked in vain", || {
            Ok((self.refused.load(Ordering::Relaxed) > 0).then_some(()))
        })
    }
}

fn serve(
    mut client: TcpStream,
    url: &str,
    manner: &Mutex<Manner>,
    refused: &AtomicUsize,
) -> anyhow::Result<()> {
    let manner = *manner.lock();
    let mut reader = BufReader::new(client.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    if manner != Manner::Open {
        refused.fetch_add(1, Ordering::Relaxed);
    }
    match manner {
        Manner::Open => {}
        Manner::Down => return Ok(()),
        Manner::Slow(time) => wait::pass(time),
        Manner::Unauthorised => {
            return answer(
                &mut client,
                401,
                r#"{"error_code":401,"message":"Unauthorized"}"#,
            );
        }
    }
    let path = request.split(' ').nth(1).context("no path")?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut response = agent.get(format!("{url}{path}")).call()?;
    let body = response.body_mut().read_to_string()?;
    answer(&mut client, response.status().as_u16(), &body)
}

fn answer(client: &mut TcpStream, status: u16, body: &str) -> anyhow::Result<()> {
    write!(
        client,
        "HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}
