//! A directory, a running source, and what it has told so far.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use logline::decode::Wrapper;

use crate::shutdown::Shutdown;
use crate::source::files::{Config, Identity, Marker, Patterns, Resume, spawn};
use crate::source::{Closed, Counters, Message, Origin, SourceId};

/// Far beyond what any of this takes, also on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// What was told of one stream.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) origin: Arc<Origin>,
    pub(super) wrapper: Wrapper,
    pub(super) file: Identity,
    pub(super) resumed: Option<Identity>,
    pub(super) follows: Option<SourceId>,
    pub(super) start: Option<u64>,
    pub(super) bytes: Vec<u8>,
    pub(super) closed: Option<Closed>,
}

pub(super) struct Rig {
    pub(super) dir: PathBuf,
    pub(super) counters: Arc<Counters>,
    pub(super) streams: BTreeMap<SourceId, Told>,
    total: usize,
    receiver: Option<Receiver<Message>>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    _temp: Option<tempfile::TempDir>,
}

pub(super) fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The defaults for `*.log` in `dir`, with a rescan far away so that a test which passes did so by events, and no linger.
pub(super) fn config(dir: &Path) -> Config {
    patterns(&[format!("{}/*.log", dir.display())])
}

pub(super) fn patterns(include: &[String]) -> Config {
    let mut config = Config::new(Patterns::new(include, &[]).unwrap());
    config.rescan = Duration::from_secs(3600);
    config.linger = Duration::ZERO;
    config
}

impl Rig {
    /// A source on an empty directory.
    pub(super) fn new() -> Self {
        let temp = temp();
        let config = config(temp.path());
        let mut rig = Self::start(temp.path(), config);
        rig._temp = Some(temp);
        rig
    }

    pub(super) fn start(dir: &Path, config: Config) -> Self {
        Self::start_with(dir, config, 64)
    }

    pub(super) fn start_with(dir: &Path, config: Config, channel: usize) -> Self {
        let (sender, receiver) = sync_channel(channel);
        let (shutdown, counters) = (Shutdown::new(), Arc::new(Counters::default()));
        let thread = spawn(config, sender, shutdown.clone(), Arc::clone(&counters)).unwrap();
        let rig = Self {
            dir: dir.to_owned(),
            counters,
            streams: BTreeMap::new(),
            total: 0,
            receiver: Some(receiver),
            shutdown,
            thread: Some(thread),
            _temp: None,
        };
        // The first walk is behind: what happens from now on, happens to a running source.
        rig.until_counted("a walk", |counters| counters.rescans.get() > 0);
        rig
    }

    /// Waits for a counter, receiving nothing.
    pub(super) fn until_counted(&self, what: &str, done: impl Fn(&Counters) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(&self.counters) {
            assert!(
                Instant::now() < deadline,
                "waited for {what} in vain: {:#?}",
                self.counters
            );
            std::thread::yield_now();
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        append(&self.path(name), bytes);
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Receives until the streams are as wanted.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited for {what} in vain: {:#?}\n{:#?}",
                self.streams,
                self.counters
            );
            // Counters move without messages, too: look again now and then.
            match self
                .receiver
                .as_ref()
                .unwrap()
                .recv_timeout(left.min(Duration::from_millis(20)))
            {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the source has ended: {:#?}", self.streams)
                }
            }
        }
    }

    /// Holds that nothing has been sent that was not received.
    #[track_caller]
    pub(super) fn assert_nothing_sent(&self) {
        assert!(self.receiver.as_ref().unwrap().try_recv().is_err());
    }

    /// Receives until so many bytes have come in all.
    #[track_caller]
    pub(super) fn until_bytes(&mut self, total: usize) {
        self.until(&format!("{total} bytes"), |rig| rig.total() >= total);
        assert_eq!(self.total(), total, "{:#?}", self.streams);
    }

    /// Receives until the stream with this text has been closed.
    #[track_caller]
    pub(super) fn until_closed(&mut self, text: &str, reason: Closed) {
        self.until(&format!("{text:?} closed as {reason:?}"), |rig| {
            rig.streams
                .values()
                .any(|told| told.bytes == text.as_bytes() && told.closed == Some(reason))
        });
    }

    /// How many bytes have come in all.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The texts of all streams in the order of their opening.
    pub(super) fn texts(&self) -> Vec<String> {
        self.streams
            .values()
            .map(|told| String::from_utf8_lossy(&told.bytes).into_owned())
            .collect()
    }

    /// The stream with this text.
    #[track_caller]
    pub(super) fn stream(&self, text: &str) -> (SourceId, &Told) {
        self.streams
            .iter()
            .find(|(_, told)| told.bytes == text.as_bytes())
            .map_or_else(
                || panic!("no stream holds {text:?}: {:#?}", self.streams),
                |(id, told)| (*id, told),
            )
    }

    /// The positions of all streams as a keeper would have them now, and the end of the source.
    pub(super) fn restart(self) -> Vec<Resume> {
        let positions = self.streams.values().map(|told| Resume {
            file: told.file,
            offset: told.start.unwrap_or(0) + told.bytes.len() as u64,
            finished: told.closed.is_some(),
            seam: Some(Marker::before(&told.bytes)),
            name: told.origin.name.clone(),
            at: Some(SystemTime::now()),
        });
        positions.collect()
    }

    /// Triggers the shutdown and receives what still comes.
    pub(super) fn shut_down(&mut self) {
        self.shutdown.trigger();
        let receiver = self.receiver.take().unwrap();
        for message in &receiver {
            self.take(message);
        }
    }

    /// Triggers the shutdown and waits for the source to end.
    pub(super) fn end_without_receiving(mut self) {
        self.shutdown.trigger();
        self.thread.take().unwrap().join().unwrap();
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Opened {
                id,
                origin,
                wrapper,
                file,
                resumed,
                follows,
            } => {
                let told = Told {
                    origin,
                    wrapper,
                    file: file.unwrap(),
                    resumed,
                    follows,
                    start: None,
                    bytes: Vec::new(),
                    closed: None,
                };
                assert!(self.streams.insert(id, told).is_none(), "{id} opened twice");
            }
            Message::Described { id, origin } => self.living(id).origin = origin,
            Message::Identified { id, file } => self.living(id).file = file,
            Message::Bytes { id, offset, bytes } => {
                assert!(!bytes.is_empty());
                self.total += bytes.len();
                let told = self.living(id);
                let start = *told.start.get_or_insert(offset);
                assert_eq!(
                    offset,
                    start + told.bytes.len() as u64,
                    "bytes that do not follow each other"
                );
                told.bytes.extend(bytes);
            }
            Message::Closed { id, reason } => self.living(id).closed = Some(reason),
            Message::Record { .. } | Message::Delivered(_) => panic!("not from a file"),
        }
    }

    fn living(&mut self, id: SourceId) -> &mut Told {
        let told = self
            .streams
            .get_mut(&id)
            .expect("an id that was never opened");
        assert_eq!(told.closed, None, "a message after the end");
        told
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.trigger();
        self.receiver.take();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

pub(super) fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap()
        .write_all(bytes.as_ref())
        .unwrap();
}
