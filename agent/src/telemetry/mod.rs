//! What the agent says of itself: its log, its metrics, its health.

mod classify;
pub mod clock;
pub mod health;
pub mod listener;
mod llm;
pub mod log;
pub mod metrics;
mod receive;
mod register;
mod sinks;
mod store;

pub use classify::ClassifyMetrics;
pub use health::Health;
pub use llm::LlmMetrics;
pub use metrics::Metrics;
pub use receive::ReceiveMetrics;
pub use sinks::SinkMetrics;
pub use store::StoreMetrics;
