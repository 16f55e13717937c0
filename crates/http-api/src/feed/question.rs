//! What all are told who follow the same rows in the same form: found out once, by whoever comes to it first, and spelled
//! once.
//!
//! Where the rows are known by a key or a value, [rounds](super::rounds) mark the changes that may be news, and no
//! others are looked at. What is kept is short: who stands before it looks for itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use parking_lot::Mutex;
use query::audience::Address;
use row_model::CutId;
use table_store::{Commit, Cut, News};
use tokio::task::yield_now;

use super::Follower;
use super::asked::Followed;
use super::place::Place;
use super::step::{COMMITS_MAX, anew, followed_in};
use crate::ApiState;

/// Rows looked at in one go.
const ROWS_AT_ONCE: usize = 16_384;
/// Of what was told, beside the newest piece.
const TOLD_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Question {
    pub followed: Arc<Followed>,
    pub followers: Mutex<Vec<Arc<Follower>>>,
    log: Mutex<Log>,
    /// The round in which it became due last, by the cut that it goes to.
    due_in: AtomicU64,
}

/// What was told lately.
#[derive(Debug)]
struct Log {
    /// All from here to the place is known.
    from: CutId,
    place: Place,
    told: VecDeque<(CutId, Bytes)>,
    bytes: usize,
    /// Changes that are yet to be looked at, of a question with an address.
    marks: VecDeque<Mark>,
    /// There is something of which the followers have not been woken.
    is_unheard: bool,
}

/// A change that may be news.
#[derive(Clone, Copy, Debug)]
struct Mark {
    cut: CutId,
    /// Which of its rows; `None` if the table began anew.
    row: Option<u32>,
}

/// What was told after some place.
pub(crate) struct Since {
    pub pieces: Vec<Bytes>,
    /// That is all up to here.
    pub place: Place,
}

/// How a look went.
pub(crate) struct Looked {
    pub has_more: bool,
    /// So many followers were woken.
    pub woken: usize,
}

impl Question {
    pub fn new(followed: Arc<Followed>, now: &Cut) -> Self {
        let place = Place::of(now.id, &followed_in(now, &followed));
        Self {
            followed,
            followers: Mutex::default(),
            log: Mutex::new(Log {
                from: place.at,
                place,
                told: VecDeque::new(),
                bytes: 0,
                marks: VecDeque::new(),
                is_unheard: false,
            }),
            due_in: AtomicU64::new(u64::MAX),
        }
    }

    /// Notes a change that may be news, until somebody looks. Answers whether it is the first on this round.
    pub fn mark(&self, round: CutId, cut: CutId, row: Option<u32>) -> bool {
        if !matches!(self.followed.address, Address::Any) {
            self.log.lock().marks.push_back(Mark { cut, row });
        }
        self.becomes_due(round)
    }

    /// Once on each round, since who looked in the middle of one has not seen what it marked.
    pub fn becomes_due(&self, round: CutId) -> bool {
        self.due_in.swap(round.0, Ordering::AcqRel) != round.0
    }

    /// What came before a cut is not held any more: who stands there has to find that out.
    pub fn lose(&self, now: &Cut) {
        self.log.lock().begin_at(now, &self.followed);
    }

    /// Looks at what is due until there is no more, and wakes all followers if there is something to tell them.
    pub fn look_soon(self: Arc<Self>, api: ApiState) {
        tokio::spawn(async move {
            while self.look(&api).has_more {
                yield_now().await;
            }
        });
    }

    /// Looks at some of what is due.
    pub fn look(&self, api: &ApiState) -> Looked {
        let (has_more, is_unheard) = {
            let mut log = self.log.lock();
            let has_more = log.advance(api, self);
            (has_more, std::mem::take(&mut log.is_unheard))
        };
        let mut woken = 0;
        if is_unheard {
            let followers = self.followers.lock();
            for follower in &*followers {
                follower.woken.notify_one();
            }
            woken = followers.len();
        }
        Looked { has_more, woken }
    }

    /// What was told after a cut; `None` if that is not known here.
    pub fn since(&self, api: &ApiState, at: CutId) -> Option<Since> {
        let mut log = self.log.lock();
        log.advance(api, self);
        let after = log.told.iter().filter(|(cut, _)| *cut > at);
        (at >= log.from).then(|| Since {
            pieces: after.map(|(_, piece)| piece.clone()).collect(),
            place: log.place.clone(),
        })
    }
}

impl Log {
    /// Goes on; answers whether there may be more.
    fn advance(&mut self, api: &ApiState, question: &Question) -> bool {
        let (is_known, has_more) = match question.followed.address {
            Address::Any => self.look(api, &question.followed),
            _ => self.look_at_marks(api, &question.followed),
        };
        if !is_known {
            self.begin_at(&api.store().published(), &question.followed);
        }
        has_more
    }

    /// At all that changed.
    fn look(&mut self, api: &ApiState, followed: &Followed) -> (bool, bool) {
        let now = api.store().published();
        if now.id <= self.place.at {
            return (true, false);
        }
        let ids = followed.ids();
        let after = api.store().changes_after(self.place.at, &ids, COMMITS_MAX);
        let Some(commits) = after else {
            return (false, false);
        };
        let mut rows = 0;
        for commit in &commits {
            if anew(commit, &ids).is_some() {
                return (false, false);
            }
            self.tell(api, followed, commit, None);
            let news = commit.tables.iter();
            rows += news
                .map(|news| match &news.news {
                    News::Rows(rows) => rows.len(),
                    News::Anew(_) => 0,
                })
                .sum::<usize>();
            if rows > ROWS_AT_ONCE {
                return (true, true);
            }
        }
        if commits.len() == COMMITS_MAX {
            return (true, true);
        }
        if self.place.at < now.id {
            self.place.stand_at(now.id, &followed_in(&now, followed));
        }
        (true, false)
    }

    /// At what was marked in rounds that have ended.
    fn look_at_marks(&mut self, api: &ApiState, followed: &Followed) -> (bool, bool) {
        let Some(now) = api.feeds().gone_round() else {
            return (true, false);
        };
        let mut rows = Vec::new();
        let mut looked_at = 0;
        while let Some(first) = self
            .marks
            .front()
            .copied()
            .filter(|mark| mark.cut <= now.id)
        {
            rows.clear();
            while let Some(mark) = self.marks.front().filter(|mark| mark.cut == first.cut) {
                match mark.row {
                    Some(row) if rows.last() != Some(&row) => rows.push(row),
                    Some(_) => {}
                    None => return (false, false),
                }
                self.marks.pop_front();
            }
            if first.cut <= self.place.at {
                continue;
            }
            let Some(commit) = api.store().changes_of(first.cut) else {
                return (false, false);
            };
            self.tell(api, followed, &commit, Some(&rows));
            looked_at += rows.len();
            if looked_at > ROWS_AT_ONCE {
                return (true, true);
            }
        }
        if self.place.at < now.id {
            self.place.stand_at(now.id, &followed_in(&now, followed));
        }
        (true, false)
    }

    fn tell(
        &mut self,
        api: &ApiState,
        followed: &Followed,
        commit: &Arc<Commit>,
        only: Option<&[u32]>,
    ) {
        let (mut piece, one) = (Vec::new(), std::slice::from_ref(commit));
        self.is_unheard |= self.place.tell(api, followed, one, only, false, &mut piece);
        if piece.is_empty() {
            return;
        }
        self.bytes += piece.len();
        self.told.push_back((commit.cut, piece.into()));
        while self.bytes > TOLD_BYTES_MAX && self.told.len() > 1 {
            if let Some((cut, piece)) = self.told.pop_front() {
                self.bytes -= piece.len();
                self.from = cut;
            }
        }
    }

    /// Knows nothing of what was before.
    fn begin_at(&mut self, now: &Cut, followed: &Followed) {
        self.place.stand_at(now.id, &followed_in(now, followed));
        self.from = now.id;
        self.told.clear();
        self.bytes = 0;
        self.marks.retain(|mark| mark.cut > now.id);
        self.is_unheard = true;
    }
}
