//! The newest events as they are published, for whoever watches: nothing is owed to a watcher, and nobody waits for one.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::feed::Portion;
use super::reader::Reader;
use super::state::Shared;

/// What a watcher sees next.
#[derive(Clone, Debug)]
pub enum News {
    /// The events of this portion after so many of its first.
    Portion(Arc<Portion>, usize),
    /// So many events went by unseen: the watcher was too slow for the window.
    Missed(u64),
    /// Nothing came within the time that was allowed.
    Idle,
    /// The sequence numbers have begun anew: those from before mean nothing any more.
    Anew,
    /// There will be no more events.
    Ended,
}

/// The newest events, from the moment on at which this was made. Reads the window in memory alone, never the file.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    at: u64,
    epoch: u64,
}

impl Reader {
    /// What is published from now on.
    #[must_use]
    pub fn live(&self) -> Live {
        let state = self.shared.lock();
        Live {
            at: state.next,
            epoch: state.epoch,
            shared: Arc::clone(&self.shared),
        }
    }

    /// The sequence number of the oldest event that can be read, and that of the next one to come.
    #[must_use]
    pub fn bounds(&self) -> (u64, u64) {
        let state = self.shared.lock();
        (state.oldest, state.next)
    }
}

impl Live {
    /// The sequence number of the event that is seen next.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What comes next, after waiting for it for at most `wait`.
    pub fn next(&mut self, wait: Duration) -> News {
        let deadline = Instant::now() + wait;
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            if state.epoch != self.epoch {
                self.epoch = state.epoch;
                self.at = state.next;
                return News::Anew;
            }
            if self.at < state.next {
                if let Some(portion) = state.in_window(self.at) {
                    let portion = Arc::clone(portion);
                    let skip = usize::try_from(self.at - portion.first).unwrap_or(usize::MAX);
                    self.at = portion.end();
                    return News::Portion(portion, skip);
                }
                let to = state.window_from(self.at).unwrap_or(state.next);
                let missed = to - self.at;
                self.at = to;
                return News::Missed(missed);
            }
            if state.complete || state.ended {
                return News::Ended;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return News::Idle;
            }
            state = shared
                .published
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
