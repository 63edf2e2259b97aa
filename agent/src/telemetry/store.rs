//! What is counted of the store.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::register::register;

/// The metrics of the store.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// Events in durable commits.
    pub stored: IntCounter,
    /// Events that went on to the sinks without being stored, by reason.
    pub dropped: IntCounterVec,
    /// Events that went away for age or room.
    pub deleted: IntCounter,
    /// Durable commits.
    pub commits: IntCounter,
    /// Commits that failed, by the kind of fault.
    pub failures: IntCounterVec,
    /// Blocks and segments found damaged.
    pub damaged: IntCounter,
    /// Bytes of the disk that the file takes.
    pub bytes: IntGauge,
    /// 1 where events are stored, 0 where they cannot be.
    pub up: IntGauge,
}

impl StoreMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let vector = |name: &str, help: &str| {
            register(
                registry,
                IntCounterVec::new(Opts::new(name, help), &["reason"])?,
            )
        };
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            stored: counter("store_events_total", "Events stored.")?,
            dropped: vector(
                "store_dropped_events_total",
                "Events that went on to the sinks without being stored, by reason.",
            )?,
            deleted: counter(
                "store_deleted_events_total",
                "Events that went away for age or room.",
            )?,
            commits: counter("store_commits_total", "Durable commits.")?,
            failures: vector(
                "store_failures_total",
                "Commits and openings of the store that failed, by the kind of fault.",
            )?,
            damaged: counter(
                "store_damaged_total",
                "Blocks found damaged; their events are left out.",
            )?,
            bytes: gauge("store_bytes", "Bytes of the disk that the store takes.")?,
            up: gauge(
                "store_up",
                "1 where events are stored, 0 where they cannot be.",
            )?,
        })
    }
}
