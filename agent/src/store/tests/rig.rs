//! Batches made by a real flow, and a store in a directory of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use logline::decode::Wrapper;
use logline::rules::{Pack, RuleSet};

use crate::flow::{Batch, Flow, Opening, Place, Settings, StreamInfo};
use crate::source::files::{Identity, Marker};
use crate::source::{Kind, Origin, SourceId};
use crate::store::{self, Delivered, Feed, Next, Options, Portion, Recovered, Store};
use crate::telemetry::{Health, Metrics};

/// Long enough for anything that does come.
pub(super) const LONG: Duration = Duration::from_secs(20);

const PACK: &str = include_str!("../../flow/two_rules.yaml");

/// A flow with a few files, which makes batches of the lines that it is given.
pub(super) struct Lines {
    flow: Flow,
    streams: Vec<(SourceId, u64)>,
}

impl Lines {
    pub(super) fn new(streams: usize) -> Self {
        let pack = Pack::parse(PACK.as_bytes()).unwrap();
        let rules = Arc::new(RuleSet::compile(&pack).unwrap());
        let settings = Settings {
            join: false,
            ..Settings::default()
        };
        let mut lines = Self {
            flow: Flow::new(settings, rules),
            streams: Vec::new(),
        };
        for index in 0..streams {
            let id = lines.open(&format!("stream-{index}"), index as u64, 0);
            lines.streams.push((id, 0));
        }
        lines
    }

    fn open(&mut self, name: &str, inode: u64, offset: u64) -> SourceId {
        let id = SourceId::next();
        let place = Place::File {
            file: Identity {
                device: 1,
                inode,
                marker: Marker::default(),
            },
            offset,
            seam: None,
        };
        let info = StreamInfo {
            id: name.to_owned(),
            origin: Arc::new(Origin::plain(Kind::File, name)),
        };
        let opening = Opening::new(info, place, Wrapper::Plain);
        self.flow.open(id, opening, 0);
        id
    }

    /// Lines that go on at these positions in their streams.
    pub(super) fn from(offsets: &[u64]) -> Self {
        let mut lines = Self::new(0);
        for (index, offset) in offsets.iter().enumerate() {
            let id = lines.open(&format!("stream-{index}"), index as u64, *offset);
            lines.streams.push((id, *offset));
        }
        lines
    }

    /// The ids of the templates that are part of no other one.
    pub(super) fn live_templates(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self
            .flow
            .templates()
            .iter()
            .map(|(_, template)| template.id.0)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// How far each stream is.
    pub(super) fn offsets(&self) -> Vec<u64> {
        self.streams.iter().map(|(_, offset)| *offset).collect()
    }

    /// A batch of the next lines, each for one stream.
    pub(super) fn batch<'a>(&mut self, lines: impl IntoIterator<Item = (usize, &'a str)>) -> Batch {
        let mut batch = Batch::new(self.flow.labels());
        for (stream, line) in lines {
            let (id, offset) = &mut self.streams[stream];
            let bytes = format!("{line}\n");
            self.flow
                .bytes(*id, *offset, bytes.as_bytes(), 0, &mut batch);
            *offset += bytes.len() as u64;
        }
        self.flow.mark(&mut batch);
        self.flow.settle(&mut batch);
        batch
    }

    /// A batch of `count` lines numbered from `first` on, over all streams.
    pub(super) fn numbered(&mut self, first: u64, count: u64) -> Batch {
        let streams = self.streams.len();
        let lines: Vec<(usize, String)> = (first..first + count)
            .map(|n| {
                (
                    n as usize % streams,
                    format!(
                        "2026-11-20T17:00:{:02}Z INFO web: request number={n} done",
                        n % 60
                    ),
                )
            })
            .collect();
        self.batch(lines.iter().map(|(stream, line)| (*stream, line.as_str())))
    }
}

/// A store with its writer.
pub(super) struct Running {
    pub(super) store: Store,
    pub(super) recovered: Recovered,
    pub(super) health: Arc<Health>,
    batches: Option<SyncSender<Batch>>,
    used: Receiver<Batch>,
    writer: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(options: Options) -> Self {
        let (store, recovered) = Store::open(options);
        let (batches, to_store) = sync_channel(2);
        let (emptied, used) = channel();
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::new(4, Vec::new()).unwrap());
        let writer =
            store::spawn(&store, to_store, emptied, &metrics, Arc::clone(&health)).unwrap();
        Self {
            store,
            recovered,
            health,
            batches: Some(batches),
            used,
            writer,
        }
    }

    pub(super) fn send(&self, batch: Batch) {
        self.batches.as_ref().unwrap().send(batch).unwrap();
        while self.used.try_recv().is_ok() {}
    }

    /// No more batches come.
    pub(super) fn close(&mut self) {
        self.batches = None;
    }

    /// Waits for the writer; all feeds must have been dropped.
    pub(super) fn stop(mut self) {
        self.close();
        self.writer.join().unwrap();
    }
}

/// Options for a test: everything is committed soon.
pub(super) fn options(directory: &std::path::Path, sinks: &[&str]) -> Options {
    Options {
        commit_every: Duration::from_millis(5),
        sinks: sinks.iter().map(|name| (*name).to_owned()).collect(),
        ..Options::new(Some(directory.to_owned()))
    }
}

/// The texts of the next `count` events, each acknowledged.
pub(super) fn take(feed: &mut Feed, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        match feed.next(LONG) {
            Next::Portion(portion, skip) => {
                let new = texts_of(&portion, skip);
                let delivered = Delivered {
                    events: new.len() as u64,
                    ..Delivered::default()
                };
                texts.extend(new);
                feed.acknowledge(portion.end(), &delivered);
            }
            other => panic!("{other:?} after {} of {count} events", texts.len()),
        }
    }
    texts
}

/// The number in each text of [`Lines::numbered`].
pub(super) fn numbers(texts: &[String]) -> Vec<u64> {
    texts
        .iter()
        .map(|text| {
            let after = text.split("number=").nth(1).unwrap();
            after.split(' ').next().unwrap().parse().unwrap()
        })
        .collect()
}

/// The texts of a portion after its first `skip` events.
pub(super) fn texts_of(portion: &Portion, skip: usize) -> Vec<String> {
    portion.batch.events[skip..]
        .iter()
        .map(|event| String::from_utf8_lossy(portion.batch.get(event.text)).into_owned())
        .collect()
}

impl Running {
    /// What the health says of the store.
    pub(super) fn detail(&self) -> Option<(bool, String)> {
        let report = self.health.report();
        let store = report.components.get("store")?;
        Some((store.ok, store.detail.clone()))
    }

    /// Waits until the health says what is wanted.
    pub(super) fn wait_until(&self, wanted: impl Fn(bool, &str) -> bool) {
        let deadline = std::time::Instant::now() + LONG;
        while !self
            .detail()
            .is_some_and(|(ok, detail)| wanted(ok, &detail))
        {
            assert!(std::time::Instant::now() < deadline, "{:?}", self.detail());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
