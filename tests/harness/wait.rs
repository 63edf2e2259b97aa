//! Waiting for something to become true, with a deadline; nothing in the tests sleeps and hopes.

use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Far beyond what it takes, so that a busy machine is no failure.
const PATIENCE: Duration = Duration::from_secs(40);

/// Asks `probe` until it has an answer. Panics with `what` and what `otherwise` can tell when the deadline passes.
#[track_caller]
pub(crate) fn until<T>(
    what: &str,
    probe: impl FnMut() -> Option<T>,
    otherwise: impl FnOnce() -> String,
) -> T {
    until_within(PATIENCE, what, probe, otherwise)
}

/// The same with another deadline, for what takes long in itself.
#[track_caller]
pub(crate) fn until_within<T>(
    patience: Duration,
    what: &str,
    mut probe: impl FnMut() -> Option<T>,
    otherwise: impl FnOnce() -> String,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {patience:?} for {what}\n{}",
            otherwise()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
