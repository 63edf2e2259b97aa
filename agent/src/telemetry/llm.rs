//! What is counted of the language model.

use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::register::register;

/// The metrics of the language model.
#[derive(Clone, Debug)]
pub struct LlmMetrics {
    /// Requests, by purpose and by what became of them.
    pub requests: IntCounterVec,
    /// Templates, by what became of them.
    pub templates: IntCounterVec,
    /// What was wrong with replies.
    pub faults: IntCounterVec,
    /// Tokens, by direction.
    pub tokens: IntCounterVec,
    /// Money, in the currency of the configured prices.
    pub cost: Counter,
    /// Texts of which secrets were masked before they were sent.
    pub redacted: IntCounter,
    /// Templates that wait.
    pub waiting: IntGauge,
    /// Lines that wait behind them.
    pub waiting_lines: IntGauge,
    /// 1 while only single requests are tried after failures.
    pub open: IntGauge,
    /// 1 while a bound of the budget is reached.
    pub spent: IntGauge,
}

impl LlmMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let vector = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            requests: vector(
                "llm_requests_total",
                "Requests to the language model, by purpose and by what became of them.",
                &["purpose", "outcome"],
            )?,
            templates: vector(
                "llm_templates_total",
                "Templates for the language model, by what became of them.",
                &["outcome"],
            )?,
            faults: vector(
                "llm_reply_faults_total",
                "What was wrong with replies of the language model.",
                &["reason"],
            )?,
            tokens: vector(
                "llm_tokens_total",
                "Tokens sent to and answered by the language model.",
                &["direction"],
            )?,
            cost: register(
                registry,
                Counter::new(
                    "llm_cost_total",
                    "What the language model has cost, in the currency of the configured prices.",
                )?,
            )?,
            redacted: register(
                registry,
                IntCounter::new(
                    "llm_redacted_texts_total",
                    "Texts of which secrets were masked before they were sent to the language model.",
                )?,
            )?,
            waiting: gauge(
                "llm_waiting_templates",
                "Templates that wait for the language model.",
            )?,
            waiting_lines: gauge(
                "llm_waiting_lines",
                "Lines behind the templates that wait for the language model.",
            )?,
            open: gauge(
                "llm_circuit_open",
                "1 while only single requests are tried after failures of the language model.",
            )?,
            spent: gauge(
                "llm_budget_spent",
                "1 while a bound of the language model's budget is reached.",
            )?,
        })
    }
}
