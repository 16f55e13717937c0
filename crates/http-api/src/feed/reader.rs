//! One who follows: sends what there is, sleeps until there is more, and says from time to time that it is still there.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use query::follow::Follower;
use serde_json::json;
use table_store::PinnedCut;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Following;
use super::asked::{FeedAsked, Form};
use super::spelled::Spelling;
use super::step::{Standing, Step};
use crate::ApiState;

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Who takes nothing for so long is given up.
const STALL_MAX: Duration = Duration::from_mins(1);
/// Rows that are there to begin with are sent in pieces of about so many bytes.
const PIECE_BYTES: usize = 16 << 10;
/// How soon a client is to come back, in milliseconds.
const RETRY: &[u8] = b"retry: 1000\n\n";

/// Sends a feed to its end.
pub(crate) struct Reader {
    pub api: ApiState,
    pub asked: Arc<FeedAsked>,
    /// `None`: what it has seen is too long ago.
    pub standing: Option<Standing>,
    pub following: Following,
    pub pieces: mpsc::Sender<Bytes>,
    pub _slot: OwnedSemaphorePermit,
}

/// The feed is over: its reader has left, or has been told to begin anew.
struct Over;

impl Reader {
    /// The rows of the first cut, if they are wanted, and then what changes.
    pub async fn run(mut self, first: Option<PinnedCut>) {
        // Why it ended has been told, or there is nobody to tell.
        let _over = self.follow(first).await;
    }

    async fn follow(&mut self, first: Option<PinnedCut>) -> Result<(), Over> {
        if self.asked.followed.form == Form::Events {
            self.send(Bytes::from_static(RETRY)).await?;
        }
        if let Some(cut) = first {
            self.send_rows(cut).await?;
        }
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            if self.following.has_ended() {
                return self.anew("drain").await;
            }
            let Some(standing) = &mut self.standing else {
                return self.anew("retention").await;
            };
            let was_ahead = standing.is_ahead();
            let step = standing.step(&self.api, &self.asked, self.following.question());
            if was_ahead && !standing.is_ahead() {
                self.following.is_ahead(false);
            }
            match step {
                Step::Anew(reason) => return self.anew(reason).await,
                Step::Told(events) if events.is_empty() => {
                    yield_now().await;
                    continue;
                }
                Step::Told(events) => {
                    self.send(events).await?;
                    continue;
                }
                Step::Nothing => {}
            }
            let is_due = !standing.is_up_to_date() || heartbeat <= Instant::now();
            if is_due && !standing.is_ahead() {
                let name = if standing.is_up_to_date() {
                    heartbeat = Instant::now() + HEARTBEAT;
                    "heartbeat"
                } else {
                    "up_to_date"
                };
                let told = standing.alive(&self.api, &self.asked.followed, name);
                self.send(told.into()).await?;
                continue;
            }
            if heartbeat <= Instant::now() {
                heartbeat = Instant::now() + HEARTBEAT;
            }
            tokio::select! {
                () = self.following.woken() => sleep(self.asked.debounce).await,
                // It looks once more before it says that there is nothing.
                () = sleep_until(heartbeat) => {}
                () = self.pieces.closed() => return Err(Over),
            }
        }
    }

    async fn anew(&mut self, reason: &str) -> Result<(), Over> {
        let (mut out, form) = (Vec::new(), self.asked.followed.form);
        let data = json!({ "reason": reason });
        let mut spelling = Spelling {
            form,
            out: &mut out,
        };
        spelling.event("resync", None, &data);
        self.send(out.into()).await
    }

    async fn send(&self, piece: Bytes) -> Result<(), Over> {
        match timeout(STALL_MAX, self.pieces.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }

    /// The rows of a cut, on a thread of their own: there may be many.
    async fn send_rows(&self, cut: PinnedCut) -> Result<(), Over> {
        let (api, asked) = (self.api.clone(), Arc::clone(&self.asked));
        let (pieces, runtime) = (self.pieces.clone(), tokio::runtime::Handle::current());
        let sent = tokio::task::spawn_blocking(move || {
            let send = |piece: Vec<u8>| {
                let sent = timeout(STALL_MAX, pieces.send(piece.into()));
                match runtime.block_on(sent) {
                    Ok(Ok(())) => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            };
            write_rows(&api, &asked, &cut, send)
        });
        match sent.await {
            Ok(ControlFlow::Continue(())) => Ok(()),
            _ => Err(Over),
        }
    }
}

fn write_rows(
    api: &ApiState,
    asked: &FeedAsked,
    cut: &PinnedCut,
    mut send: impl FnMut(Vec<u8>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut piece = Vec::new();
    for query in &asked.followed.tables {
        let table = &query.table().table;
        let mut follower = Follower::new(query, api.shapes());
        let (mut chunk, mut versions) = (0, Vec::new());
        while table.visit_chunk(chunk, cut.id, |version| versions.push(version.clone())) {
            for version in versions.drain(..) {
                if follower.meets(&version) {
                    let form = asked.followed.form;
                    let mut spelling = Spelling {
                        form,
                        out: &mut piece,
                    };
                    spelling.row(&table.identity().name, &mut follower, &version);
                }
                if piece.len() >= PIECE_BYTES {
                    send(std::mem::take(&mut piece))?;
                }
            }
            chunk += 1;
        }
    }
    if piece.is_empty() {
        ControlFlow::Continue(())
    } else {
        send(piece)
    }
}
