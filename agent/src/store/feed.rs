//! What a sink takes its events from: the newest ones from memory, older ones from the file, in order and without a gap
//! that it is not told of.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::error::Fault;
use super::fetch::{Damage, Fetch, Found};
use super::ledger::{DAMAGED, Delivered, STORE_UNAVAILABLE, SinkRecord};
use super::state::Shared;
use crate::flow::Batch;

/// Events with contiguous sequence numbers.
#[derive(Debug)]
pub struct Portion {
    /// The sequence number of the first; the ith has this plus i.
    pub first: u64,
    /// The events, at most about 4 MiB of text.
    pub batch: Batch,
    /// They are in the store's file.
    pub stored: bool,
}

impl Portion {
    /// The sequence number after the last event.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.batch.events.len() as u64
    }
}

/// What comes next for a sink.
#[derive(Clone, Debug)]
pub enum Next {
    /// The events of this portion after so many of its first.
    Portion(Arc<Portion>, usize),
    /// Nothing came within the time that was allowed.
    Idle,
    /// Events that the sink was owed are gone. It is counted already; the sink need not acknowledge it.
    Expired {
        /// How many.
        events: u64,
        /// Why: a word for metrics.
        reason: &'static str,
    },
    /// There will be no more events.
    Ended,
}

/// The events for one sink, from its cursor on.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    name: String,
    epoch: u64,
    /// Read from the file and not handed out yet.
    ready: VecDeque<Portion>,
    trouble: Option<Trouble>,
}

/// What cannot be read is tried again after so long.
const AGAIN: Duration = Duration::from_millis(100);
/// Events that cannot be read are given up after so many tries...
const TRIES: u32 = 5;
/// ...and so long.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Where the file cannot be read.
#[derive(Debug)]
struct Trouble {
    at: u64,
    since: Instant,
    tries: u32,
}

/// What the file has for a sink.
enum Stored {
    Portion(Portion),
    /// Nothing before this sequence number, and why.
    Gap(u64, &'static str),
}

impl Feed {
    /// The feed of the sink `name`, beginning with the first event that it has not acknowledged.
    pub(super) fn new(shared: Arc<Shared>, name: &str) -> Self {
        let mut state = shared.lock();
        let next = state.next;
        let sink = state.sink(name, next);
        sink.owed = true;
        sink.fed = true;
        sink.rewind();
        let epoch = state.epoch;
        drop(state);
        Self {
            shared,
            name: name.to_owned(),
            epoch,
            ready: VecDeque::new(),
            trouble: None,
        }
    }

    /// What comes next, after waiting for it for at most `wait`. Portions may be taken ahead of being acknowledged.
    pub fn next(&mut self, wait: Duration) -> Next {
        let deadline = Instant::now() + wait;
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            if state.ended {
                return Next::Ended;
            }
            if state.epoch != self.epoch {
                self.epoch = state.epoch;
                self.ready.clear();
            }
            let mut blocked = false;
            let next = state.next;
            let sink = state.sink(&self.name, next);
            let at = sink.at;
            if let Some((events, reason)) = sink.pass_skip() {
                return Next::Expired { events, reason };
            }
            if at >= next {
                if state.complete {
                    return Next::Ended;
                }
            } else if let Some(portion) = state.in_window(at) {
                let portion = Arc::clone(portion);
                let skip = usize::try_from(at - portion.first).unwrap_or(usize::MAX);
                state.sink(&self.name, next).at = portion.end();
                // The writer may have waited for it.
                shared.wake.notify_all();
                return Next::Portion(portion, skip);
            } else if let Some(upto) = state.not_stored(at) {
                state
                    .sink(&self.name, next)
                    .skip_to(upto, STORE_UNAVAILABLE);
                continue;
            } else {
                drop(state);
                let found = self.stored_at(at);
                state = shared.lock();
                // What was read may have been counted as expired meanwhile.
                if state.epoch != self.epoch || state.sink(&self.name, next).must_skip() {
                    continue;
                }
                match found {
                    Some(Stored::Portion(portion)) => {
                        let skip = usize::try_from(at - portion.first).unwrap_or(usize::MAX);
                        state.sink(&self.name, next).at = portion.end();
                        return Next::Portion(Arc::new(portion), skip);
                    }
                    Some(Stored::Gap(upto, reason)) => {
                        // What the window begins with need not be in the file.
                        let upto = state
                            .window_from(at)
                            .unwrap_or(state.next)
                            .min(upto)
                            .max(at + 1);
                        state.sink(&self.name, next).skip_to(upto, reason);
                        continue;
                    }
                    // It cannot be read now; nobody says when it can.
                    None => blocked = true,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Idle;
            }
            state = shared
                .published
                .wait_timeout(state, if blocked { left.min(AGAIN) } else { left })
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// What became of the sink's events so far.
    #[must_use]
    pub fn record(&self) -> SinkRecord {
        let mut state = self.shared.lock();
        let next = state.next;
        state.sink(&self.name, next).record.clone()
    }

    /// Whether the sources and the flow have ended: what is pending now is all that will be in this run.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let state = self.shared.lock();
        state.complete || state.ended
    }

    /// How many events the sink is still owed.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let mut state = self.shared.lock();
        let next = state.next;
        state.sink(&self.name, next).record.pending(next)
    }

    /// What the file has at `at`; none where it cannot be read now.
    fn stored_at(&mut self, at: u64) -> Option<Stored> {
        self.ready.retain(|portion| portion.end() > at);
        if self.ready.is_empty() {
            let disk = self.shared.disk()?;
            let found =
                disk.read(|transaction| Fetch::new(transaction)?.portions(at, &self.shared.names));
            match found {
                Ok(Found::Portions(portions, damaged)) => {
                    self.shared.damaged(damaged);
                    self.ready = portions;
                }
                Ok(Found::Gap(upto, reason, damaged)) => {
                    self.shared.damaged(damaged);
                    return Some(Stored::Gap(upto, reason));
                }
                Err(fault) => return self.unreadable(&disk, at, &fault),
            }
        }
        match self.ready.front() {
            Some(portion) if portion.first > at => Some(Stored::Gap(portion.first, DAMAGED)),
            _ => self.ready.pop_front().map(Stored::Portion),
        }
    }

    /// The file cannot be read at `at`: said once, tried again, and given up where it stays so.
    fn unreadable(&mut self, disk: &Disk, at: u64, fault: &Fault) -> Option<Stored> {
        let now = Instant::now();
        let trouble = match &mut self.trouble {
            Some(trouble) if trouble.at == at => trouble,
            trouble => {
                tracing::warn!(%fault, sink = self.name, "stored events cannot be read at this time");
                if matches!(fault, Fault::Damaged(_)) {
                    self.shared.damaged([Damage::File]);
                }
                trouble.insert(Trouble {
                    at,
                    since: now,
                    tries: 0,
                })
            }
        };
        trouble.tries += 1;
        if trouble.tries < TRIES || now - trouble.since < GIVE_UP {
            return None;
        }
        self.trouble = None;
        tracing::error!(%fault, sink = self.name, "stored events cannot be read; the sink goes on after them");
        let next = disk.read(|transaction| Fetch::new(transaction)?.after(at));
        Some(Stored::Gap(
            next.ok().flatten().unwrap_or(u64::MAX),
            DAMAGED,
        ))
    }

    /// The other side has acknowledged all events before `upto`, or will never take them; `delivered` says what became
    /// of those since the last call. Returns true when that is durable, or false at once where the store cannot write.
    pub fn acknowledge(&mut self, upto: u64, delivered: &Delivered) -> bool {
        let mut state = self.shared.lock();
        let next = state.next;
        let anew = state.epoch != self.epoch;
        let sink = state.sink(&self.name, next);
        if anew {
            // These events had other numbers.
            sink.acknowledge_apart(delivered);
            return false;
        }
        sink.acknowledge(upto.min(next), delivered);
        let wanted = sink.record.cursor;
        self.shared.wake.notify_all();
        loop {
            if state.sink(&self.name, next).durable >= wanted {
                return true;
            }
            if state.ended || state.unavailable.is_some() || state.epoch != self.epoch {
                return false;
            }
            state = self
                .shared
                .durable
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let next = state.next;
        state.sink(&self.name, next).fed = false;
        drop(state);
        self.shared.wake.notify_all();
    }
}
