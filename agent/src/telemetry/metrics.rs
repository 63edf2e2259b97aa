//! Every metric of the agent. Names and labels are a contract with dashboards and alerts; label values come from closed
//! sets, except the names of containers, which are bounded.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use logline::level::Level;
use prometheus::core::Collector;
use prometheus::{Encoder as _, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use crate::flow::{Batch, Labels, Stage, Stats};
use super::source_metrics::SourceMetrics;
use crate::source;

/// The numbers, updated once per batch.
pub struct Metrics {
    registry: Registry,
    bytes: IntCounter,
    lines: IntCounter,
    events: IntCounterVec,
    verdicts: IntCounterVec,
    malformed: IntCounterVec,
    cut_events: IntCounter,
    cut_bytes: IntCounter,
    container_events: IntCounterVec,
    templates: IntGauge,
    template_overflow: IntCounter,
    sink_events: IntCounterVec,
    sink_bytes: IntCounterVec,
    pack_reloads: IntCounterVec,
    containers: Mutex<Containers>,
    sources: SourceMetrics,
}

/// The containers that have metrics of their own.
struct Containers {
    max: usize,
    known: HashSet<(String, String)>,
}

impl Metrics {
    /// The metrics of one agent, with at most `max_streams` containers named.
    ///
    /// # Errors
    /// Where a metric is declared twice, which is a bug.
    pub fn new(sources: Arc<source::Counters>, max_streams: usize) -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("logsieve".to_owned()), None)?;
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help)?);
        let vector = |name: &str, help: &str, labels: &[&str]| register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?);
        let build = register(&registry, IntCounterVec::new(Opts::new("build_info", "Always 1; the version is the label."), &["version"])?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        Ok(Self {
            bytes: counter("bytes_read_total", "Bytes taken from the sources.")?,
            lines: counter("lines_read_total", "Physical lines read.")?,
            events: vector("events_total", "Events by what they are about and how bad they are.", &["category", "level"])?,
            verdicts: vector("verdicts_total", "Events by the stage that judged them.", &["stage"])?,
            malformed: vector("malformed_lines_total", "Lines not wrapped as their source says; they went on as plain text.", &["reason"])?,
            cut_events: counter("cut_events_total", "Events of which a part was cut off at a bound.")?,
            cut_bytes: counter("cut_bytes_total", "Bytes cut off at a bound.")?,
            container_events: vector("container_events_total", "Events by container and level; beyond the bound the container is `other`.", &["namespace", "container", "level"])?,
            templates: register(&registry, IntGauge::new("templates", "Templates in the table.")?)?,
            template_overflow: counter("template_overflow_total", "Events that shared the overflow template because the table was full.")?,
            sink_events: vector("sink_events_total", "Events that a sink has delivered.", &["sink"])?,
            sink_bytes: vector("sink_bytes_total", "Bytes that a sink has delivered.", &["sink"])?,
            pack_reloads: vector("pack_reloads_total", "Reloads of the pack by outcome.", &["outcome"])?,
            containers: Mutex::new(Containers { max: max_streams, known: HashSet::new() }),
            sources: SourceMetrics::register(&registry, sources)?,
            registry,
        })
    }

    /// Adds what the flow has counted.
    pub fn add(&self, stats: &Stats, labels: &Labels) {
        self.bytes.inc_by(stats.bytes);
        self.lines.inc_by(stats.lines);
        self.cut_events.inc_by(stats.cut_events);
        self.cut_bytes.inc_by(stats.cut_bytes);
        for stage in Stage::ALL {
            self.verdicts.with_label_values(&[stage.as_str()]).inc_by(stats.by_stage(stage));
        }
        for (reason, count) in &stats.malformed {
            self.malformed.with_label_values(&[*reason]).inc_by(*count);
        }
        for (category, by_level) in stats.by_category() {
            let category = labels.category(category);
            for (level, count) in Level::ALL.into_iter().zip(by_level).filter(|(_, count)| **count > 0) {
                self.events.with_label_values(&[category, level.as_str()]).inc_by(*count);
            }
        }
    }

    /// Counts the events of a batch by container.
    pub fn add_containers(&self, batch: &Batch) {
        let mut counts: HashMap<(u32, Level), u64> = HashMap::new();
        for event in &batch.events {
            *counts.entry((event.stream_index, event.level)).or_default() += 1;
        }
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        for ((stream_index, level), count) in counts {
            let Some(stream) = batch.stream_at(stream_index) else { continue };
            let (namespace, container) = containers.name(&stream.origin);
            self.container_events.with_label_values(&[namespace, container, level.as_str()]).inc_by(count);
        }
    }

    /// The table holds `count` templates, and `overflow` events more could not have one of their own.
    pub fn set_templates(&self, count: usize, overflow: u64) {
        self.templates.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.template_overflow.inc_by(overflow);
    }

    /// `sink` has delivered.
    pub fn delivered(&self, sink: &str, events: u64, bytes: u64) {
        self.sink_events.with_label_values(&[sink]).inc_by(events);
        self.sink_bytes.with_label_values(&[sink]).inc_by(bytes);
    }

    /// A reload of the pack was tried.
    pub fn reloaded(&self, succeeded: bool) {
        self.pack_reloads.with_label_values(&[if succeeded { "ok" } else { "refused" }]).inc();
    }

    /// All metrics in Prometheus's text format.
    ///
    /// # Errors
    /// Where a metric cannot be written, which is a bug.
    pub fn render(&self) -> prometheus::Result<Vec<u8>> {
        self.sources.refresh();
        let mut text = Vec::new();
        let encoder = TextEncoder::new();
        encoder.encode(&self.registry.gather(), &mut text)?;
        encoder.encode(&prometheus::gather(), &mut text)?;
        Ok(text)
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

impl Containers {
    fn name<'a>(&mut self, origin: &'a source::Origin) -> (&'a str, &'a str) {
        let (namespace, container) = match (&origin.k8s, &origin.container) {
            (Some(k8s), _) => (k8s.namespace.as_str(), k8s.container.as_str()),
            (None, Some(container)) => ("", container.name.as_str()),
            (None, None) => ("", origin.kind.as_str()),
        };
        let key = (namespace.to_owned(), container.to_owned());
        if self.known.contains(&key) {
            return (namespace, container);
        }
        if self.known.len() >= self.max {
            return ("", "other");
        }
        self.known.insert(key);
        (namespace, container)
    }
}
