//! Who follows tables: asleep until there is something to tell.
//!
//! The writer rings a bell and goes on, however many there are; a task of the runtime goes [round](rounds) and finds out
//! which [questions](question) the changes may be news for, from the ring of changes. All who ask the same are one
//! question, so what they are told is found out and spelled once, and who is told nothing is not woken.

pub(crate) mod asked;
pub(crate) mod pieces;
mod place;
mod question;
pub(crate) mod reader;
mod rounds;
pub(crate) mod spelled;
pub(crate) mod step;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use row_model::TableId;
use table_store::{Cut, CutListener};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use self::asked::{Followed, Form, Name};
use self::question::Question;
use self::rounds::{Round, Rounds};
use crate::ApiState;

/// All that follow tables.
#[derive(Debug, Default)]
pub(crate) struct Feeds(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bell: Notify,
    /// The writer looks at nothing else while nobody follows anything.
    count: AtomicUsize,
    /// Of those, who are told the names of cuts.
    told: AtomicUsize,
    /// Locked for a few steps, however many follow.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    questions: HashMap<Name, Arc<Question>>,
    /// Those that came and left since the last round.
    came: Vec<Arc<Question>>,
    left: Vec<Arc<Question>>,
    /// Who waits for its tables to come as far as it has seen elsewhere, and looks at every cut.
    ahead: Vec<Arc<Follower>>,
    /// The cut up to which all rounds have gone; `None` while nobody goes round.
    gone_round: Option<Arc<Cut>>,
    /// Those to be looked at that ring a bell only; `None` while nobody does.
    bells: Option<Vec<Arc<Question>>>,
    ended: bool,
}

/// Who was woken beyond the first, and will look again, most likely in vain, has the others wait for so long; and they
/// wait four times as long as it took to find out whom to wake. So many that sleep take a part of the processor only,
/// however often what they asked for changes.
const QUIET_PER_WOKEN: Duration = Duration::from_micros(100);
const QUIET_PER_LOOK: u32 = 4;

#[derive(Debug, Default)]
pub(crate) struct Follower {
    woken: Notify,
}

impl Feeds {
    /// Has somebody be woken when there is something to tell of what it follows. Within a runtime.
    pub fn follow(&self, api: &ApiState, followed: &Arc<Followed>) -> Following {
        let follower = Arc::new(Follower::default());
        let mut inner = self.0.inner.lock();
        // Taken while no round can begin: the next one goes on from here or from before.
        let now = api.store().published();
        let known = inner.questions.get(&followed.name).map(Arc::clone);
        let question = known.unwrap_or_else(|| {
            let question = Arc::new(Question::new(Arc::clone(followed), &now));
            inner.came.push(Arc::clone(&question));
            let name = followed.name.clone();
            inner.questions.insert(name, Arc::clone(&question));
            question
        });
        question.followers.lock().push(Arc::clone(&follower));
        self.0.count.fetch_add(1, Ordering::AcqRel);
        if followed.form != Form::Bell {
            self.0.told.fetch_add(1, Ordering::AcqRel);
        }
        if inner.gone_round.is_none() {
            inner.gone_round = Some(Arc::clone(&now));
            let rounds = Rounds::after(now.id);
            tokio::spawn(go_round(Arc::clone(&self.0), api.clone(), rounds));
        }
        count(followed, 1.0);
        Following {
            shared: Arc::clone(&self.0),
            question,
            follower,
        }
    }

    /// The process is about to end: all are told so.
    pub fn end(&self) {
        let mut inner = self.0.inner.lock();
        inner.ended = true;
        for question in inner.questions.values() {
            let followers = question.followers.lock();
            followers.iter().for_each(|it| it.woken.notify_one());
        }
    }

    /// The cut up to which it is known whom changes may concern.
    fn gone_round(&self) -> Option<Arc<Cut>> {
        self.0.inner.lock().gone_round.clone()
    }
}

impl CutListener for Feeds {
    fn published(&self, cut: &Cut, _: &[TableId]) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if self.0.told.load(Ordering::Acquire) > 0 {
            // Ids of events name it, and can be asked for like what answers say.
            let _ = cut.tell();
        }
        self.0.bell.notify_one();
    }
}

/// Goes round whenever the bell rings, until nobody is left.
async fn go_round(shared: Arc<Shared>, api: ApiState, mut rounds: Rounds) {
    loop {
        shared.bell.notified().await;
        let (round, ahead) = {
            let mut inner = shared.inner.lock();
            if inner.questions.is_empty() {
                inner.gone_round = None;
                inner.came.clear();
                inner.left.clear();
                return;
            }
            let round = Round {
                to: api.store().published(),
                came: std::mem::take(&mut inner.came),
                left: std::mem::take(&mut inner.left),
            };
            (round, inner.ahead.clone())
        };
        let to = Arc::clone(&round.to);
        let due = rounds.go(&api, round).await;
        shared.inner.lock().gone_round = Some(to);
        let (bells, feeds): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|question| question.followed.form == Form::Bell);
        for question in feeds {
            question.look_soon(api.clone());
        }
        ring_soon(&shared, &api, bells);
        for follower in ahead {
            follower.woken.notify_one();
        }
    }
}

/// Has bells be rung, one after the other.
fn ring_soon(shared: &Arc<Shared>, api: &ApiState, bells: Vec<Arc<Question>>) {
    if bells.is_empty() {
        return;
    }
    match &mut shared.inner.lock().bells {
        Some(waiting) => waiting.extend(bells),
        none => {
            *none = Some(bells);
            tokio::spawn(ring(Arc::clone(shared), api.clone()));
        }
    }
}

async fn ring(shared: Arc<Shared>, api: ApiState) {
    loop {
        let bells = {
            let bells = &mut shared.inner.lock().bells;
            match bells.take().filter(|waiting| !waiting.is_empty()) {
                Some(waiting) => {
                    *bells = Some(Vec::new());
                    waiting
                }
                None => return,
            }
        };
        let (began, mut woken) = (Instant::now(), 0_usize);
        for question in bells {
            loop {
                let looked = question.look(&api);
                woken += looked.woken;
                yield_now().await;
                if !looked.has_more {
                    break;
                }
            }
        }
        let others = u32::try_from(woken.saturating_sub(1)).unwrap_or(u32::MAX);
        let quiet = QUIET_PER_WOKEN.saturating_mul(others);
        sleep(quiet.max(began.elapsed() * QUIET_PER_LOOK)).await;
    }
}

/// One more, or one less, as metrics know them.
fn count(followed: &Followed, change: f64) {
    match followed.form {
        Form::Bell => telemetry::count_waiter(change),
        _ => telemetry::count_subscriber(change),
    }
}

/// A place among those that follow tables, left when it is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    shared: Arc<Shared>,
    question: Arc<Question>,
    follower: Arc<Follower>,
}

impl Following {
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Comes back when there may be something to tell since this did so last, or when the process ends.
    pub async fn woken(&self) {
        self.follower.woken.notified().await;
    }

    /// From now on it is woken by every cut, or no longer.
    pub fn is_ahead(&self, is_ahead: bool) {
        let ahead = &mut self.shared.inner.lock().ahead;
        ahead.retain(|one| !Arc::ptr_eq(one, &self.follower));
        if is_ahead {
            ahead.push(Arc::clone(&self.follower));
        }
    }

    pub fn has_ended(&self) -> bool {
        self.shared.inner.lock().ended
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.is_ahead(false);
        let mut inner = self.shared.inner.lock();
        let mut followers = self.question.followers.lock();
        followers.retain(|follower| !Arc::ptr_eq(follower, &self.follower));
        if followers.is_empty() {
            inner.questions.remove(&self.question.followed.name);
            inner.left.push(Arc::clone(&self.question));
        }
        drop((followers, inner));
        self.shared.count.fetch_sub(1, Ordering::AcqRel);
        if self.question.followed.form != Form::Bell {
            self.shared.told.fetch_sub(1, Ordering::AcqRel);
        }
        // Whoever goes round for nobody any more may go.
        self.shared.bell.notify_one();
        count(&self.question.followed, -1.0);
    }
}
