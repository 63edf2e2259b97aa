//! Whether the endpoint may be asked now: after failures it is left alone for a while, and after several in a row one
//! request alone tries whether it works again ("circuit breaker", Nygard, Release It!, 2007).

use std::time::{Duration, Instant};

use crate::client::Backoff;

/// So many failures in a row open the circuit.
const FAILURES: u32 = 3;
/// The waits after failures grow from here...
const INITIAL: Duration = Duration::from_millis(500);
/// ...to here.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether a request may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Go,
    /// It may, as the only one: it shows whether the endpoint works again.
    Probe,
    /// Not before so long.
    Wait(Duration),
}

/// How bad a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The endpoint works, but wants to be asked less often.
    Throttled,
    /// It may pass by itself.
    Passing,
    /// Somebody has to do something.
    Lasting,
}

/// The state of one endpoint.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    /// Replies in a row that were good for nothing.
    nonsense: u32,
    until: Option<Instant>,
    probing: bool,
    backoff: Backoff,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            failures: 0,
            nonsense: 0,
            until: None,
            probing: false,
            backoff: Backoff::new(INITIAL, LONGEST),
        }
    }

    /// Whether so many requests have failed that only single ones are tried.
    pub(super) fn is_open(&self) -> bool {
        self.failures >= FAILURES || self.nonsense >= FAILURES
    }

    /// How long the endpoint is left alone, so far as is known now. Asking changes nothing.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Whether a request may go out now. Whoever is admitted must tell the end.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        if let Some(left) = self.wait(now) {
            return Admission::Wait(left);
        }
        if !self.is_open() {
            return Admission::Go;
        }
        if self.probing {
            return Admission::Wait(INITIAL);
        }
        self.probing = true;
        Admission::Probe
    }

    /// A request was answered.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.probing = false;
        self.until = None;
        if self.nonsense == 0 {
            self.backoff.reset();
        }
    }

    /// What it has answered could be used.
    pub(super) fn made_sense(&mut self) {
        self.nonsense = 0;
        self.backoff.reset();
    }

    /// What it has answered could not be used: it is left alone for a while. Gives the wait.
    pub(super) fn talked_nonsense(&mut self, now: Instant) -> Duration {
        self.nonsense = self.nonsense.saturating_add(1);
        let wait = self.backoff.next(false, None);
        self.until = Some(now + wait);
        wait
    }

    /// A request that was admitted was not sent after all.
    pub(super) fn withdrawn(&mut self) {
        self.probing = false;
    }

    /// A request failed; `after` is what the endpoint asked for. Gives the wait.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        severity: Severity,
        after: Option<Duration>,
    ) -> Duration {
        self.probing = false;
        match severity {
            Severity::Throttled => {}
            Severity::Passing => self.failures = self.failures.saturating_add(1),
            Severity::Lasting => self.failures = self.failures.saturating_add(FAILURES),
        }
        let wait = self.backoff.next(severity == Severity::Lasting, after);
        self.until = Some(now + wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_open_it_one_probe_closes_it() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        for failures in 1..=FAILURES {
            assert_eq!(breaker.admit(now), Admission::Go);
            let wait = breaker.failed(now, Severity::Passing, None);
            assert_eq!(breaker.is_open(), failures == FAILURES);
            now += wait;
        }
        assert_eq!(breaker.admit(now), Admission::Probe);
        assert!(
            matches!(breaker.admit(now), Admission::Wait(_)),
            "one alone"
        );
        now += breaker.failed(now, Severity::Passing, None);
        assert_eq!(breaker.admit(now), Admission::Probe);
        breaker.succeeded();
        assert_eq!(breaker.admit(now), Admission::Go);
        assert!(!breaker.is_open());
    }

    #[test]
    fn who_asks_for_patience_gets_it_and_is_no_failure() {
        let mut breaker = Breaker::new();
        let now = Instant::now();
        for _ in 0..10 {
            let wait = breaker.failed(now, Severity::Throttled, Some(Duration::from_secs(7)));
            assert!(wait >= Duration::from_secs(7) && wait < Duration::from_secs(9));
        }
        assert!(!breaker.is_open());
        let Admission::Wait(left) = breaker.admit(now + Duration::from_secs(6)) else {
            panic!("too early")
        };
        assert!(left >= Duration::from_secs(1));
    }

    #[test]
    fn who_answers_and_says_nothing_of_use_is_asked_less_and_less() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(now), Admission::Go);
            breaker.succeeded();
            now += breaker.talked_nonsense(now);
        }
        assert_eq!(breaker.admit(now), Admission::Probe);
        breaker.succeeded();
        assert!(breaker.is_open(), "an answer alone is not enough");
        breaker.made_sense();
        assert_eq!(breaker.admit(now), Admission::Go);
    }

    #[test]
    fn a_wrong_key_is_not_tried_again_and_again() {
        let mut breaker = Breaker::new();
        let now = Instant::now();
        let wait = breaker.failed(now, Severity::Lasting, None);
        assert!(breaker.is_open() && wait >= LONGEST / 2, "{wait:?}");
    }
}
