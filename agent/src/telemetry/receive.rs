//! What is counted of what other programs send.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::register::register;

/// The metrics of the receivers.
#[derive(Clone, Debug)]
pub struct ReceiveMetrics {
    /// Events taken, by receiver.
    pub events: IntCounterVec,
    /// Bytes that came, before decompression, by receiver.
    pub bytes: IntCounterVec,
    /// Single records that were not taken, by receiver and reason.
    pub rejected: IntCounterVec,
    /// Whole requests or connections that were not taken, by receiver and reason.
    pub refused: IntCounterVec,
    /// Times that a stream was one too many to be told apart.
    pub crowded: IntCounter,
    /// Connections that are open, by receiver.
    pub connections: IntGaugeVec,
}

impl ReceiveMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let vector = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        Ok(Self {
            events: vector(
                "received_events_total",
                "Events taken from other programs, by receiver.",
                &["receiver"],
            )?,
            bytes: vector(
                "received_bytes_total",
                "Bytes that other programs have sent, before decompression, by receiver.",
                &["receiver"],
            )?,
            rejected: vector(
                "received_rejected_total",
                "Single records that were not taken, by receiver and reason.",
                &["receiver", "reason"],
            )?,
            refused: vector(
                "received_refused_total",
                "Requests, chunks or connections that were not taken, by receiver and reason.",
                &["receiver", "reason"],
            )?,
            crowded: register(
                registry,
                IntCounter::new(
                    "received_crowded_total",
                    "Times that a stream was one too many to be told apart: its events go under `other`.",
                )?,
            )?,
            connections: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "received_connections",
                        "Connections that are open, by receiver.",
                    ),
                    &["receiver"],
                )?,
            )?,
        })
    }
}
