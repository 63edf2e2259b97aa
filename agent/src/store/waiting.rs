//! What the writer waits for, and what it does next.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::state::State;
use super::writer::Writer;
use crate::flow::Batch;

/// Where nothing comes, the store looks so often whether events are too old.
const IDLE: Duration = Duration::from_secs(60);
/// While events keep coming, a sink that is behind gets its acknowledgement committed after so long; one that has delivered
/// everything waits for the next commit.
const BEHIND: Duration = Duration::from_millis(25);
/// One that is behind by fewer events than this waits for the next commit, too.
const LITTLE_BEHIND: u64 = 1_000;
/// One that is behind by more events than this gets it as soon as the disk allows.
const FAR_BEHIND: u64 = 10_000;
/// Events whose sender waits for an answer are committed after so long.
const AWAITED: Duration = Duration::from_millis(25);
/// So long a sink that has kept up is waited for before events pass it by: it costs more to read them from the file.
const SINK_PATIENCE: Duration = Duration::from_millis(500);

/// What there is to do.
pub(super) enum Work {
    /// A batch has come.
    Batch(Box<Batch>),
    /// It is time to commit.
    Commit,
    /// A sink that is behind waits for its acknowledgement to be durable.
    Acknowledge,
    /// There will be no more batches.
    Closed,
}

impl Writer {
    /// Until when no more batches are taken, so that a sink that has kept up need not read from the file what it could have
    /// had from memory. One that is away does not keep anybody waiting again until it has caught up.
    fn patience(&self, state: &State, now: Instant) -> Option<Instant> {
        let options = &self.shared.options;
        if !state.outruns_a_sink(options.commit_bytes, options.window_bytes) {
            self.waiting_since.set(None);
            return None;
        }
        let since = self.waiting_since.get().unwrap_or(now);
        self.waiting_since.set(Some(since));
        Some(since + SINK_PATIENCE).filter(|until| *until > now)
    }

    /// Waits for something to do.
    pub(super) fn wait(&self) -> Work {
        let mut state = self.shared.lock();
        loop {
            let commit_every = self.shared.options.commit_every;
            let patience = if self.tickets.is_empty() {
                commit_every
            } else {
                commit_every.min(AWAITED)
            };
            let due = self.since.map(|since| since + patience);
            let now = Instant::now();
            let patience = self.patience(&state, now);
            let behind = state
                .sinks
                .values()
                .filter(|sink| sink.dirty && state.unavailable.is_none())
                .map(|sink| state.next.saturating_sub(sink.record.cursor))
                .max()
                .filter(|events| *events > LITTLE_BEHIND || patience.is_some());
            let behind = behind.map(|events| {
                let wait = if patience.is_some() {
                    // There is nothing else to do.
                    Duration::ZERO
                } else if events > FAR_BEHIND {
                    self.took.min(BEHIND)
                } else {
                    BEHIND
                };
                self.committed + wait
            });
            if due.is_some_and(|due| due <= now) {
                return Work::Commit;
            }
            if behind.is_some_and(|at| at <= now) {
                return Work::Acknowledge;
            }
            if !self.stuck && patience.is_none() {
                if let Some(batch) = state.intake.pop_front() {
                    self.shared.room.notify_all();
                    return Work::Batch(Box::new(batch));
                }
                if state.intake_closed {
                    return Work::Closed;
                }
            }
            if state.tidy && state.unavailable.is_none() {
                return Work::Commit;
            }
            let acknowledged = state.sinks.values().any(|sink| sink.dirty);
            if acknowledged && state.unavailable.is_none() && self.since.is_none() {
                return Work::Commit;
            }
            let until = [due, behind, patience, self.retry.at]
                .into_iter()
                .flatten()
                .min();
            let retry_due = self.retry.at.is_some_and(|at| at <= now);
            if retry_due {
                return Work::Commit;
            }
            let wait = until.map_or(IDLE, |at| at.saturating_duration_since(now));
            let (guard, waited) = self
                .shared
                .wake
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if until.is_none() && waited.timed_out() && state.unavailable.is_none() {
                return Work::Commit;
            }
        }
    }
}
