//! One way into the registry for every metric.

use prometheus::Registry;
use prometheus::core::Collector;

/// Adds a metric to `registry` and gives it back.
pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
