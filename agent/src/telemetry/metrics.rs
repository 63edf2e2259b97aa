//! Every metric of the agent. Names and labels are a contract with dashboards and alerts; label values come from closed
//! sets, except the names of containers, which are bounded.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{
    Encoder as _, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::classify::ClassifyMetrics;
use super::llm::LlmMetrics;
use super::receive::ReceiveMetrics;
use super::register::register;
use super::sinks::{SinkMetrics, SinkVectors};
use super::store::StoreMetrics;

/// Outcomes of a reload of the pack.
const RELOADED: &str = "ok";
const REFUSED: &str = "refused";

/// How a [`Reading`] moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
}

/// A number that another room keeps and that is read whenever the metrics are asked for.
pub struct Reading {
    /// Its name without the `logsieve_` in front.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Its value now.
    pub read: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// The numbers; the rooms add to them once per batch.
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
    new_templates: IntCounterVec,
    template_overflow: IntCounter,
    sinks: SinkVectors,
    store: StoreMetrics,
    classify: ClassifyMetrics,
    llm: LlmMetrics,
    receive: ReceiveMetrics,
    pack_reloads: IntCounterVec,
    containers: Mutex<Containers>,
    counters: Mutex<Vec<(Reading, IntCounter)>>,
    gauges: Vec<(Reading, IntGauge)>,
}

/// The containers that have metrics of their own.
struct Containers {
    max: usize,
    known: HashSet<(String, String)>,
}

impl Metrics {
    /// The metrics of one agent, with at most `max_containers` containers named, and with `readings` among them.
    ///
    /// # Errors
    /// Where a metric is declared twice, which is a bug.
    pub fn new(max_containers: usize, readings: Vec<Reading>) -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("logsieve".to_owned()), None)?;
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help)?);
        let vector = |name: &str, help: &str, labels: &[&str]| {
            register(
                &registry,
                IntCounterVec::new(Opts::new(name, help), labels)?,
            )
        };
        // A gauge, as Prometheus has it for what is only there to carry labels.
        let build = Opts::new("build_info", "Always 1; the version is the label.");
        register(&registry, IntGaugeVec::new(build, &["version"])?)?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let (mut counters, mut gauges) = (Vec::new(), Vec::new());
        for reading in readings {
            match reading.kind {
                Kind::Counter => {
                    let metric = counter(reading.name, reading.help)?;
                    counters.push((reading, metric));
                }
                Kind::Gauge => {
                    let metric = register(&registry, IntGauge::new(reading.name, reading.help)?)?;
                    gauges.push((reading, metric));
                }
            }
        }
        let pack_reloads = vector(
            "pack_reloads_total",
            "Reloads of the pack by outcome.",
            &["outcome"],
        )?;
        // An alert on the first refusal needs the zero before it.
        for outcome in [RELOADED, REFUSED] {
            pack_reloads.with_label_values(&[outcome]);
        }
        Ok(Self {
            bytes: counter("bytes_read_total", "Bytes taken from the sources.")?,
            lines: counter("lines_read_total", "Physical lines read.")?,
            events: vector(
                "events_total",
                "Events by what they are about and how bad they are.",
                &["category", "level"],
            )?,
            verdicts: vector(
                "verdicts_total",
                "Events by the stage that judged them.",
                &["stage"],
            )?,
            malformed: vector(
                "malformed_lines_total",
                "Lines not wrapped as their source says; they went on as plain text.",
                &["reason"],
            )?,
            cut_events: counter(
                "cut_events_total",
                "Events of which a part was cut off at a bound.",
            )?,
            cut_bytes: counter("cut_bytes_total", "Bytes cut off at a bound.")?,
            container_events: vector(
                "container_events_total",
                "Events by container and level; beyond the bound the container is `other`.",
                &["namespace", "container", "level"],
            )?,
            templates: register(
                &registry,
                IntGauge::new("templates", "Templates in the table.")?,
            )?,
            new_templates: vector(
                "new_templates_total",
                "Templates that the store has never seen before, by what their first event was.",
                &["category", "level"],
            )?,
            template_overflow: counter(
                "template_overflow_total",
                "Events that shared the overflow template because the table was full.",
            )?,
            sinks: SinkVectors::new(&registry)?,
            store: StoreMetrics::new(&registry)?,
            classify: ClassifyMetrics::new(&registry)?,
            llm: LlmMetrics::new(&registry)?,
            receive: ReceiveMetrics::new(&registry)?,
            pack_reloads,
            containers: Mutex::new(Containers {
                max: max_containers,
                known: HashSet::new(),
            }),
            counters: Mutex::new(counters),
            gauges,
            registry,
        })
    }

    /// So much was taken from the sources.
    pub fn read(&self, bytes: u64, lines: u64) {
        self.bytes.inc_by(bytes);
        self.lines.inc_by(lines);
    }

    /// So many events were cut, by so many bytes in all.
    pub fn cut(&self, events: u64, bytes: u64) {
        self.cut_events.inc_by(events);
        self.cut_bytes.inc_by(bytes);
    }

    /// Lines were not wrapped as their source says.
    pub fn malformed(&self, reason: &str, lines: u64) {
        self.malformed.with_label_values(&[reason]).inc_by(lines);
    }

    /// Events were judged by a stage.
    pub fn verdicts(&self, stage: &str, events: u64) {
        self.verdicts.with_label_values(&[stage]).inc_by(events);
    }

    /// Events of a category and level.
    pub fn events(&self, category: &str, level: &str, events: u64) {
        self.events
            .with_label_values(&[category, level])
            .inc_by(events);
    }

    /// Events of a container and level.
    pub fn container_events(&self, namespace: &str, container: &str, level: &str, events: u64) {
        let named = self
            .containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(namespace, container);
        let (namespace, container) = if named {
            (namespace, container)
        } else {
            ("", "other")
        };
        self.container_events
            .with_label_values(&[namespace, container, level])
            .inc_by(events);
    }

    /// The table holds `count` templates, and `overflow` events more could not have one of their own.
    pub fn templates(&self, count: usize, overflow: u64) {
        self.templates.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.template_overflow.inc_by(overflow);
    }

    /// Templates of a category and level were never seen before.
    pub fn new_templates(&self, category: &str, level: &str, count: u64) {
        self.new_templates
            .with_label_values(&[category, level])
            .inc_by(count);
    }

    /// What is counted of the store.
    #[must_use]
    pub fn store(&self) -> StoreMetrics {
        self.store.clone()
    }

    /// What is counted of the stages after the rules.
    #[must_use]
    pub fn classify(&self) -> ClassifyMetrics {
        self.classify.clone()
    }

    /// What is counted of the language model.
    #[must_use]
    pub fn llm(&self) -> LlmMetrics {
        self.llm.clone()
    }

    /// What is counted of what other programs send.
    #[must_use]
    pub fn receive(&self) -> ReceiveMetrics {
        self.receive.clone()
    }

    /// The numbers of the sink of this name.
    #[must_use]
    pub fn sink(&self, name: &str) -> SinkMetrics {
        self.sinks.of(name)
    }

    /// A reload of the pack was tried.
    pub fn reloaded(&self, succeeded: bool) {
        self.pack_reloads
            .with_label_values(&[if succeeded { RELOADED } else { REFUSED }])
            .inc();
    }

    /// All metrics in Prometheus's text format.
    ///
    /// # Errors
    /// Where a metric cannot be written, which is a bug.
    pub fn render(&self) -> prometheus::Result<Vec<u8>> {
        self.refresh();
        let mut text = Vec::new();
        let encoder = TextEncoder::new();
        encoder.encode(&self.registry.gather(), &mut text)?;
        encoder.encode(&prometheus::gather(), &mut text)?;
        Ok(text)
    }

    /// Brings the readings up to date. The lock keeps two scrapes from adding the same growth twice.
    fn refresh(&self) {
        for (reading, counter) in self
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            counter.inc_by((reading.read)().saturating_sub(counter.get()));
        }
        for (reading, gauge) in &self.gauges {
            gauge.set(i64::try_from((reading.read)()).unwrap_or(i64::MAX));
        }
    }
}

impl Containers {
    /// Whether this container has metrics of its own; the first ones that come do.
    fn admit(&mut self, namespace: &str, container: &str) -> bool {
        let key = (namespace.to_owned(), container.to_owned());
        self.known.contains(&key) || (self.known.len() < self.max && self.known.insert(key))
    }
}
