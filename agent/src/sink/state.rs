//! What a sink says of itself: its metrics, its health, its lines in the agent's own log.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::transport::Outcome;
use crate::telemetry::{Health, SinkMetrics};

/// Refusals are logged at most so often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The state of one sink.
pub(super) struct State {
    name: String,
    component: String,
    what: String,
    metrics: SinkMetrics,
    health: Arc<Health>,
    /// When the first of the failures was that have not ended yet.
    failing_since: Option<Instant>,
    said_fine: bool,
    rejected: u64,
    refusal: String,
    told: Option<Instant>,
    /// The body before this one, for its memory.
    pub(super) body: Vec<u8>,
}

impl State {
    /// `what` says where the sink delivers to.
    pub(super) fn new(name: &str, what: String, metrics: SinkMetrics, health: Arc<Health>) -> Self {
        let state = Self {
            name: name.to_owned(),
            component: format!("sink {name}"),
            what,
            metrics,
            health,
            failing_since: None,
            said_fine: false,
            rejected: 0,
            refusal: String::new(),
            told: None,
            body: Vec::new(),
        };
        state.health.fine(
            state.component.clone(),
            format!("{}; nothing was sent yet", state.what),
        );
        state
    }

    /// A request came to this end.
    pub(super) fn outcome(&mut self, outcome: &Outcome) {
        self.metrics.request(match outcome {
            Outcome::Done => "done",
            Outcome::Partial { .. } => "partial",
            Outcome::Rejected { .. } => "rejected",
            Outcome::TooLarge { .. } => "too_large",
            Outcome::Retry { .. } => "retry",
            Outcome::Ended(_) => "ended",
        });
        if matches!(outcome, Outcome::Done | Outcome::Partial { .. }) {
            self.works();
        }
    }

    fn works(&mut self) {
        if let Some(since) = self.failing_since.take() {
            info!(sink = self.name, after = ?since.elapsed(), "delivers again");
            self.said_fine = false;
        }
        if self.said_fine {
            return;
        }
        self.said_fine = true;
        let detail = if self.rejected > 0 {
            format!(
                "{}; {} events were refused since the start, the last ones because it {}",
                self.what, self.rejected, self.refusal
            )
        } else {
            self.what.clone()
        };
        self.health.fine(self.component.clone(), detail);
    }

    /// A request has to be sent again after `wait`.
    pub(super) fn retry(&mut self, reason: &'static str, wait: Duration, why: &str) {
        self.metrics.retry(reason);
        self.metrics.waiting(true);
        match self.failing_since {
            None => {
                self.failing_since = Some(Instant::now());
                warn!(
                    sink = self.name,
                    reason, why, "cannot deliver; what comes is kept and tried again"
                );
            }
            Some(_) => debug!(sink = self.name, reason, why, ?wait, "cannot deliver"),
        }
        let detail = format!(
            "{}: {why}; what comes is kept, the next attempt is in {:.1} s",
            self.what,
            wait.as_secs_f64()
        );
        self.health.broken(self.component.clone(), detail);
    }

    /// The wait before the next attempt is over.
    pub(super) fn waited(&self) {
        self.metrics.waiting(false);
    }

    /// Events were refused for good.
    pub(super) fn rejected(&mut self, reason: &str, events: u64, why: &str) {
        self.metrics.rejected(reason, events);
        self.rejected += events;
        why.clone_into(&mut self.refusal);
        self.said_fine = false;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            warn!(
                sink = self.name,
                reason, why, events, "events were refused for good"
            );
        }
        self.health.broken(
            self.component.clone(),
            format!(
                "{}: it {why}; {} events were refused for good since the start",
                self.what, self.rejected
            ),
        );
    }

    /// A body was larger than the other side takes.
    pub(super) fn too_large(&self, bytes: usize, limit: usize, why: &str) {
        info!(
            sink = self.name,
            why,
            bytes,
            limit,
            "a batch is too large for the other side; batches are smaller from now on (batch.max_bytes)"
        );
    }

    /// Refused events could not be written to the dead letters.
    pub(super) fn not_buried(&self, error: &io::Error) {
        warn!(sink = self.name, %error, "refused events cannot be written to `dead_letter`; they are counted all the same");
    }

    /// The sink's own cursor passes over events that are gone.
    pub(super) fn expired(&self, events: u64, reason: &str) {
        warn!(
            sink = self.name,
            events, reason, "events went away before they could be delivered"
        );
    }

    /// Everything up to here is settled.
    pub(super) fn settled(
        &self,
        delivered: u64,
        bytes: u64,
        filtered: u64,
        sampled: u64,
        summaries: u64,
    ) {
        self.metrics.delivered(delivered, bytes);
        self.metrics.left_out(filtered, sampled, summaries);
    }

    /// Secrets were masked.
    pub(super) fn redacted(&self, detector: &str, times: u64) {
        self.metrics.redacted(detector, times);
    }

    /// So many events are to be delivered, the oldest of those in hand since `began`.
    pub(super) fn pending(&self, events: u64, began: Option<Instant>) {
        self.metrics.pending(events);
        self.metrics
            .oldest(began.map_or(0.0, |began| began.elapsed().as_secs_f64()));
    }

    /// The output has ended for good.
    pub(super) fn ended(&self, error: &io::Error) {
        self.health
            .broken(self.component.clone(), format!("{}: {error}", self.what));
    }
}
