//! Serves one listener until it is told to stop, and then drains: no new connection, the requests in
//! flight finish, and whatever outlasts the bound is cut off.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use telemetry::Event;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::debug;

use crate::head_timer::HeadTimer;
use crate::listener::Accepted;
use crate::quick::{self, Rewound};
use crate::{Api, Listener};

/// After a failed accept. It fails again at once while file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is over and the drain after it.
pub async fn serve(listener: Listener, api: Api, shutdown: impl Future<Output = ()>) {
    let name = listener.to_string();
    let limits = *api.limits();
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        // Finished connections are let go of here, and a full house waits here, too.
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((Accepted::Tcp(stream), slot)) => {
                connections.spawn(converse(stream, api.clone(), stopped.clone(), slot));
            }
            Ok((Accepted::Unix(stream), slot)) => {
                connections.spawn(converse(stream, api.clone(), stopped.clone(), slot));
            }
            Err(error) => {
                Event::AcceptFailed {
                    listener: &name,
                    error: &error,
                }
                .emit();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    api.end_waits();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_timeout, drained)
        .await
        .is_err()
    {
        Event::DrainTimedOut {
            listener: &name,
            connections: connections.len(),
        }
        .emit();
        connections.shutdown().await;
    }
}

async fn accept(
    listener: &Listener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(Accepted, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    Ok((listener.accept().await?, slot))
}

/// One connection, to its end.
async fn converse<S>(
    stream: S,
    api: Api,
    mut stopped: watch::Receiver<bool>,
    _slot: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let head_timeout = api.limits().head_timeout;
    let stream = if api.answers_lookups() {
        match quick::converse(stream, &api, &stopped).await {
            Ok(Some(rest)) => rest,
            Ok(None) => return,
            Err(error) => return debug!(%error, "connection ended early"),
        }
    } else {
        Rewound::new(stream)
    };
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::new(head_timeout))
        .header_read_timeout(head_timeout);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The other side went away or spoke no HTTP: nobody is left to tell.
        debug!(%error, "connection ended early");
    }
}
