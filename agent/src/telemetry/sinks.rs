//! What is counted of each sink.

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::register::register;

/// The metrics of all sinks; sinks come from the configuration, and so do the values of their label.
pub(super) struct SinkVectors {
    events: IntCounterVec,
    bytes: IntCounterVec,
    requests: IntCounterVec,
    retries: IntCounterVec,
    rejected: IntCounterVec,
    filtered: IntCounterVec,
    sampled: IntCounterVec,
    summaries: IntCounterVec,
    redacted: IntCounterVec,
    pending: IntGaugeVec,
    oldest: GaugeVec,
    waiting: IntGaugeVec,
}

impl SinkVectors {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, more: &[&str]| {
            let labels = [&["sink"], more].concat();
            register(
                registry,
                IntCounterVec::new(Opts::new(name, help), &labels)?,
            )
        };
        let gauge = |name: &str, help: &str| {
            register(
                registry,
                IntGaugeVec::new(Opts::new(name, help), &["sink"])?,
            )
        };
        Ok(Self {
            events: counter(
                "sink_events_total",
                "Events that a sink has delivered: the other side has taken them.",
                &[],
            )?,
            bytes: counter(
                "sink_bytes_total",
                "Bytes that a sink has delivered, compressed where it compresses.",
                &[],
            )?,
            requests: counter(
                "sink_requests_total",
                "Requests of a sink by what became of them.",
                &["outcome"],
            )?,
            retries: counter(
                "sink_retries_total",
                "Requests that have to be sent again, by reason.",
                &["reason"],
            )?,
            rejected: counter(
                "sink_rejected_events_total",
                "Events that the other side refused for good, by reason.",
                &["reason"],
            )?,
            filtered: counter(
                "sink_filtered_events_total",
                "Events that a sink's filter kept back.",
                &[],
            )?,
            sampled: counter(
                "sink_sampled_events_total",
                "Events that a sink left out as repeats.",
                &[],
            )?,
            summaries: counter(
                "sink_repeat_notes_total",
                "Events made by a sink to say how many repeats it left out.",
                &[],
            )?,
            redacted: counter(
                "sink_redacted_total",
                "Secrets that were masked on their way out, by detector.",
                &["detector"],
            )?,
            pending: gauge(
                "sink_pending_events",
                "Events that a sink has not delivered yet.",
            )?,
            oldest: register(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "sink_oldest_pending_seconds",
                        "How long the oldest event in a sink's hands has waited there to be delivered.",
                    ),
                    &["sink"],
                )?,
            )?,
            waiting: gauge(
                "sink_backoff",
                "1 while a sink waits after a failure before it tries again.",
            )?,
        })
    }

    pub(super) fn of(&self, sink: &str) -> SinkMetrics {
        let one = [sink];
        SinkMetrics {
            sink: sink.to_owned(),
            events: self.events.with_label_values(&one),
            bytes: self.bytes.with_label_values(&one),
            requests: self.requests.clone(),
            retries: self.retries.clone(),
            rejected: self.rejected.clone(),
            filtered: self.filtered.with_label_values(&one),
            sampled: self.sampled.with_label_values(&one),
            summaries: self.summaries.with_label_values(&one),
            redacted: self.redacted.clone(),
            pending: self.pending.with_label_values(&one),
            oldest: self.oldest.with_label_values(&one),
            waiting: self.waiting.with_label_values(&one),
        }
    }
}

/// The numbers of one sink.
pub struct SinkMetrics {
    sink: String,
    events: IntCounter,
    bytes: IntCounter,
    requests: IntCounterVec,
    retries: IntCounterVec,
    rejected: IntCounterVec,
    filtered: IntCounter,
    sampled: IntCounter,
    summaries: IntCounter,
    redacted: IntCounterVec,
    pending: IntGauge,
    oldest: prometheus::Gauge,
    waiting: IntGauge,
}

impl SinkMetrics {
    /// Events were taken by the other side, in so many bytes.
    pub fn delivered(&self, events: u64, bytes: u64) {
        self.events.inc_by(events);
        self.bytes.inc_by(bytes);
    }

    /// A request came to this end.
    pub fn request(&self, outcome: &str) {
        self.requests
            .with_label_values(&[self.sink.as_str(), outcome])
            .inc();
    }

    /// A request has to be sent again.
    pub fn retry(&self, reason: &str) {
        self.retries
            .with_label_values(&[self.sink.as_str(), reason])
            .inc();
    }

    /// Events were refused for good.
    pub fn rejected(&self, reason: &str, events: u64) {
        self.rejected
            .with_label_values(&[self.sink.as_str(), reason])
            .inc_by(events);
    }

    /// Events were kept back by the filter, left out as repeats, and made to say how many.
    pub fn left_out(&self, filtered: u64, sampled: u64, summaries: u64) {
        self.filtered.inc_by(filtered);
        self.sampled.inc_by(sampled);
        self.summaries.inc_by(summaries);
    }

    /// Secrets were masked.
    pub fn redacted(&self, detector: &str, times: u64) {
        self.redacted
            .with_label_values(&[self.sink.as_str(), detector])
            .inc_by(times);
    }

    /// So many events are still to be delivered.
    pub fn pending(&self, events: u64) {
        self.pending.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// The oldest event in hand has waited for so many seconds.
    pub fn oldest(&self, seconds: f64) {
        self.oldest.set(seconds);
    }

    /// Whether the sink waits before it tries again.
    pub fn waiting(&self, waiting: bool) {
        self.waiting.set(i64::from(waiting));
    }
}
