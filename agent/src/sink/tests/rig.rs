//! A flow, a store and the sinks of a configuration.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logline::decode::Wrapper;
use logline::rules::{Pack, RuleSet};
use serde_json::Value;

use crate::config::Checked;
use crate::flow::{Batch, Flow, Opening, Place, Settings, StreamInfo};
use crate::shutdown::Shutdown;
use crate::sink;
use crate::source::{K8s, Kind, Origin, SourceId};
use crate::store::{self, Options, SinkRecord, Store};
use crate::telemetry::{Health, Metrics};

const PACK: &str = include_str!("../../flow/two_rules.yaml");

/// Everything that stands before a sink, and the sinks.
pub(super) struct Rig {
    flow: Flow,
    streams: Vec<(SourceId, u64)>,
    pub(super) store: Store,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shutdown: Shutdown,
    batches: Option<SyncSender<Batch>>,
    _used: Receiver<Batch>,
    writer: Option<JoinHandle<()>>,
    sinks: Vec<JoinHandle<std::io::Result<()>>>,
    _directory: tempfile::TempDir,
}

/// The sinks of `yaml` (the value of `sinks`), without standard output.
pub(super) fn sinks(yaml: &str) -> Vec<crate::config::sinks::Sink> {
    let text = format!("sinks: {{stdout: {{enabled: false}}, {yaml}}}");
    Checked::parse("test", &text).expect("sound").sinks
}

impl Rig {
    /// Sinks that have five seconds to drain.
    pub(super) fn start(yaml: &str) -> Self {
        Self::draining(yaml, Duration::from_secs(30))
    }

    pub(super) fn draining(yaml: &str, drain: Duration) -> Self {
        let sinks = sinks(yaml);
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            commit_every: Duration::from_millis(5),
            sinks: sinks.iter().map(|sink| sink.name.clone()).collect(),
            drain: drain + Duration::from_secs(1),
            ..Options::new(Some(directory.path().to_owned()))
        };
        let (store, _) = Store::open(options);
        let (batches, to_store) = sync_channel(2);
        let (emptied, used) = channel();
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::new(4, Vec::new()).unwrap());
        let writer =
            store::spawn(&store, to_store, emptied, &metrics, Arc::clone(&health)).unwrap();
        let shutdown = Shutdown::new();
        let sinks = sink::spawn_all(&sinks, &store, &shutdown, drain, &metrics, &health).unwrap();
        let pack = Pack::parse(PACK.as_bytes()).unwrap();
        let mut flow = Flow::new(
            Settings {
                join: false,
                ..Settings::default()
            },
            Arc::new(RuleSet::compile(&pack).unwrap()),
        );
        let streams = ["shop", "kube-system"]
            .into_iter()
            .map(|namespace| {
                let id = SourceId::next();
                let mut origin = Origin::plain(Kind::File, format!("/log/{namespace}"));
                origin.k8s = Some(K8s {
                    namespace: namespace.to_owned(),
                    pod: "pod-1".to_owned(),
                    container: "web".to_owned(),
                    ..K8s::default()
                });
                let info = StreamInfo {
                    id: namespace.to_owned(),
                    origin: Arc::new(origin),
                };
                flow.open(id, Opening::new(info, Place::Passing, Wrapper::Plain), 0);
                (id, 0)
            })
            .collect();
        Self {
            flow,
            streams,
            store,
            health,
            metrics,
            shutdown,
            batches: Some(batches),
            _used: used,
            writer: Some(writer),
            sinks,
            _directory: directory,
        }
    }

    /// One batch of these lines of the stream with this index (0: namespace shop, 1: kube-system).
    pub(super) fn lines<'a>(&mut self, stream: usize, lines: impl IntoIterator<Item = &'a str>) {
        let mut batch = Batch::new(self.flow.labels());
        let (id, offset) = &mut self.streams[stream];
        for line in lines {
            let bytes = format!("{line}\n");
            self.flow
                .bytes(*id, *offset, bytes.as_bytes(), 0, &mut batch);
            *offset += bytes.len() as u64;
        }
        self.flow.mark(&mut batch);
        self.flow.settle(&mut batch);
        self.batches.as_ref().unwrap().send(batch).unwrap();
    }

    /// One batch of `count` lines that hold their numbers from `first` on.
    pub(super) fn numbered(&mut self, first: u64, count: u64) {
        let lines: Vec<String> = (first..first + count)
            .map(|n| format!("2026-11-20T17:00:00Z INFO web: request number={n} done"))
            .collect();
        self.lines(0, lines.iter().map(String::as_str));
    }

    /// No more lines come; waits for the sinks and the writer, and gives what became of the events of each sink named.
    pub(super) fn finish<const N: usize>(mut self, names: [&str; N]) -> [SinkRecord; N] {
        self.batches = None;
        for sink in std::mem::take(&mut self.sinks) {
            sink.join().unwrap().unwrap();
        }
        let records = names.map(|name| self.store.feed(name).record());
        self.writer.take().unwrap().join().unwrap();
        for record in &records {
            assert!(record.balances(), "{record:?}");
        }
        records
    }

    /// Whether the component is fine, and what it says.
    pub(super) fn says(&self, component: &str) -> (bool, String) {
        let report = self.health.report();
        let found = &report.components[component];
        (found.ok, found.detail.clone())
    }

    /// Waits until the component's state is as wanted.
    pub(super) fn wait_for(&self, component: &str, wanted: impl Fn(bool, &str) -> bool) -> String {
        until(component, || {
            let (ok, detail) = self.says(component);
            wanted(ok, &detail).then_some(detail)
        })
    }

    /// The value of a metric with this label text; 0 where it is not there.
    pub(super) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = String::from_utf8(self.metrics.render().unwrap()).unwrap();
        text.lines()
            .filter(|line| line.starts_with(&format!("logsieve_{name}{{")) && line.contains(labels))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}

/// What `look` gives once it gives something, within 30 seconds.
pub(super) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The objects of NDJSON.
pub(super) fn objects(ndjson: &[u8]) -> Vec<Value> {
    ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The numbers in the lines of these bodies, in order.
pub(super) fn numbers(bodies: &[Vec<u8>]) -> Vec<u64> {
    bodies
        .iter()
        .flat_map(|body| objects(body))
        .map(|object| {
            let line = object["line"].as_str().unwrap();
            let digits = line.split("number=").nth(1).unwrap();
            digits.split(' ').next().unwrap().parse().unwrap()
        })
        .collect()
}
