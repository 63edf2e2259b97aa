//! What is counted of the stages after the rules.

use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::register::register;

/// The metrics of the BERT stage.
#[derive(Clone, Debug)]
pub struct ClassifyMetrics {
    /// Templates that wait for the model.
    pub queue: IntGauge,
    /// Seconds of the model's work.
    pub seconds: Counter,
    /// Runs of the model that failed.
    pub failures: IntCounter,
    /// Events that waited for their template's verdict and went on without it.
    pub late: IntCounter,
    templates: IntCounterVec,
}

impl ClassifyMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            queue: register(
                registry,
                IntGauge::new(
                    "model_queue_templates",
                    "Templates that wait for the model.",
                )?,
            )?,
            seconds: register(
                registry,
                Counter::new("model_seconds_total", "Seconds that the model has worked.")?,
            )?,
            failures: register(
                registry,
                IntCounter::new("model_failures_total", "Runs of the model that failed.")?,
            )?,
            late: register(
                registry,
                IntCounter::new(
                    "pending_events_total",
                    "Events that went on before their template's verdict came.",
                )?,
            )?,
            templates: register(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "model_templates_total",
                        "Templates that the model has seen, by whether it was sure or abstained.",
                    ),
                    &["outcome"],
                )?,
            )?,
        })
    }

    /// The model has judged a template.
    pub fn judged(&self, sure: bool) {
        let outcome = if sure { "sure" } else { "abstained" };
        self.templates.with_label_values(&[outcome]).inc();
    }
}
