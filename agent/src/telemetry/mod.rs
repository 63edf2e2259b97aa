//! What the agent says of itself: its log, its metrics, its health.

pub mod clock;
pub mod health;
pub mod listener;
pub mod log;
pub mod metrics;
mod sinks;
mod store;

pub use health::Health;
pub use metrics::Metrics;
pub use sinks::SinkMetrics;
pub use store::StoreMetrics;
