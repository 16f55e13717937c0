//! Where connections come from: a TCP port or a unix socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// What an address of a unix socket begins with.
const UNIX: &str = "unix:";

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        path: PathBuf,
    },
}

/// A connection that was accepted.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Binds `127.0.0.1:8080` or `unix:/run/rowtide.sock`. A socket that a dead process left behind is replaced.
    ///
    /// # Errors
    /// If it is taken, or may not be bound.
    pub async fn bind(address: &str) -> io::Result<Self> {
        let kind = match address.strip_prefix(UNIX) {
            Some(path) => bind_unix(Path::new(path))?,
            None => Kind::Tcp(TcpListener::bind(address).await?),
        };
        Ok(Self { kind })
    }

    /// Only processes on this machine reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.kind {
            Kind::Tcp(listener) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().is_loopback()),
            Kind::Unix { .. } => true,
        }
    }

    /// No browser reaches it, whatever page it shows.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        matches!(self.kind, Kind::Unix { .. })
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are written whole; waiting for more would only delay them.
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream))
            }
            Kind::Unix { listener, .. } => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// The address, as it was bound: with the port, if the system chose one.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(error) => write!(f, "{error}"),
            },
            Kind::Unix { path, .. } => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Unix { path, .. } = &self.kind {
            // Left behind it would only have to be replaced at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<Kind> {
    let bound = UnixListener::bind(path).or_else(|error| {
        // Nobody listens on it any more: its owner was killed.
        let orphaned = error.kind() == io::ErrorKind::AddrInUse
            && std::os::unix::net::UnixStream::connect(path)
                .is_err_and(|refused| refused.kind() == io::ErrorKind::ConnectionRefused);
        if !orphaned {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        UnixListener::bind(path)
    });
    Ok(Kind::Unix {
        listener: bound?,
        path: path.to_owned(),
    })
}
