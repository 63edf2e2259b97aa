//! How long sinks go on after the agent was told to stop.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::shutdown::Shutdown;

/// The sinks end so much before the agent does, so that what they could not deliver is left in order.
const MARGIN: Duration = Duration::from_millis(500);

/// When a sink has to end.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    shutdown: Shutdown,
    told: Arc<OnceLock<Instant>>,
    timeout: Duration,
}

impl Drain {
    /// Sinks may go on for `timeout` after `shutdown` is triggered.
    pub(super) fn new(shutdown: &Shutdown, timeout: Duration) -> Self {
        let told = Arc::new(OnceLock::new());
        let cell = Arc::clone(&told);
        shutdown.on_trigger(move || {
            let _ = cell.set(Instant::now());
        });
        Self {
            shutdown: shutdown.clone(),
            told,
            timeout: timeout - MARGIN.min(timeout / 10),
        }
    }

    /// The agent ends for another reason than being told to: its input has ended.
    pub(super) fn begin(&self) {
        let _ = self.told.set(Instant::now());
    }

    /// How long the sink may go on; none: nobody has said that it should end.
    pub(super) fn left(&self) -> Option<Duration> {
        let told = *self.told.get()?;
        Some(self.timeout.saturating_sub(told.elapsed()))
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Sleeps for at most `wait`, and no longer than until the agent is told to stop or the time is over.
    pub(super) fn sleep(&self, wait: Duration) {
        match self.left() {
            None => {
                let _ = self.shutdown.wait_timeout(wait);
            }
            Some(left) => std::thread::sleep(wait.min(left)),
        }
    }
}
