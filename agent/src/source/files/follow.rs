//! The loop of the thread that follows files: events and rescans say which files to look at, turns read them.
//!
//! A full channel holds back the reading only: names are still watched and new files still opened meanwhile, so that
//! a file that is rotated away and deleted while the receiver is busy is read all the same.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::book::Book;
use super::life::{Life, Node, Turn};
use super::packed::is_no_gzip;
use super::pods::Asked;
use super::watch::Watch;
use super::{Closed, Config, Counters, Message, Sender, SourceId};
use crate::shutdown::Shutdown;

/// What has been read is sent once it is so many bytes...
const GATHER_BYTES: usize = 64 * 1024;
/// ...or so many messages, whatever [`Config::gather`] says.
const GATHER_MESSAGES: usize = 16;

/// The thread's state.
pub(super) struct Follower {
    pub(super) config: Config,
    pub(super) counters: Arc<Counters>,
    pub(super) watch: Watch,
    pub(super) lives: HashMap<SourceId, Life>,
    pub(super) by_node: HashMap<Node, SourceId>,
    /// Files that wait for their turn.
    pub(super) ready: VecDeque<SourceId>,
    /// Files with an open descriptor, the one opened first in front; entries may be stale.
    pub(super) open: VecDeque<SourceId>,
    pub(super) open_files: usize,
    /// What is still to be sent; once it is much, or [due](Self::due), nothing is read before this is empty.
    pub(super) outbox: VecDeque<Message>,
    /// Bytes of lines in it.
    gathered: usize,
    /// When it was emptied last.
    sent_at: Option<Instant>,
    /// Positions from before, and those of files that have ended.
    pub(super) book: Book,
    /// No positions were given.
    pub(super) is_first_start: bool,
    /// At a first start with the newest first: files that wait for the one in front, and how far that has to be read.
    pub(super) backlog: VecDeque<(SourceId, u64)>,
    /// Compressed files that were looked into, and what they looked like.
    pub(super) packed_seen: HashMap<PathBuf, (Node, u64)>,
    /// What was known from before has been found, or is nowhere: the start is over.
    pub(super) settled: bool,
    /// How many walks were made.
    pub(super) walks: u64,
    /// Paths about which something was told, so that it is told once.
    pub(super) told: HashSet<PathBuf>,
    /// Files that match but are not to be read: the agent's own, and those that ask for it.
    pub(super) left_out: HashMap<PathBuf, Node>,
    /// Those that ask for it.
    pub(super) asked: Asked,
    /// What came to lie beside a log during the start, by the log and the time of its last write: it is read by itself, also
    /// where the log was opened before it was copied and emptied.
    pub(super) copies_read: Vec<(PathBuf, SystemTime)>,
    /// What was a copy of a log as the start found it, told in the same way: it is read where the log is emptied before that.
    pub(super) copies_left: Vec<(PathBuf, SystemTime)>,
    /// The patterns are to be walked again soon.
    pub(super) names_changed: bool,
    walk_took: Duration,
    walked_at: Instant,
    /// When to look at the files on their way out.
    pub(super) next_leaving_check: Option<Instant>,
    /// When to stop for good, after a shutdown.
    stop_at: Option<Instant>,
    sender: Sender,
    shutdown: Shutdown,
    wake: Arc<OwnedFd>,
}

/// The loop is over.
pub(super) struct Stop;

impl Follower {
    pub(super) fn new(
        mut config: Config,
        sender: Sender,
        shutdown: Shutdown,
        wake: Arc<OwnedFd>,
        counters: Arc<Counters>,
    ) -> Self {
        let resume = std::mem::take(&mut config.resume);
        Self {
            config,
            counters,
            watch: Watch::new(),
            lives: HashMap::new(),
            by_node: HashMap::new(),
            ready: VecDeque::new(),
            open: VecDeque::new(),
            open_files: 0,
            outbox: VecDeque::new(),
            gathered: 0,
            sent_at: None,
            is_first_start: resume.is_empty(),
            book: Book::new(resume),
            backlog: VecDeque::new(),
            packed_seen: HashMap::new(),
            settled: false,
            walks: 0,
            told: HashSet::new(),
            left_out: HashMap::new(),
            asked: Asked::default(),
            copies_read: Vec::new(),
            copies_left: Vec::new(),
            names_changed: true,
            walk_took: Duration::ZERO,
            walked_at: Instant::now(),
            next_leaving_check: None,
            stop_at: None,
            sender,
            shutdown,
            wake,
        }
    }

    /// Follows until a shutdown, or until the receiver is gone.
    pub(super) fn run(mut self) {
        self.await_pods();
        while self.step().is_ok() {}
    }

    /// One round of the loop: events, a rescan where one is due, one message's worth of reading, or a sleep.
    pub(super) fn step(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        self.take_events();
        self.look_at_pods();
        let idle = self.ready.is_empty() && self.outbox.is_empty();
        if self.is_over(now) || (self.stop_at.is_some() && idle) {
            return Err(Stop);
        }
        if now >= self.next_walk() {
            self.names_changed = false;
            self.rescan();
            self.walked_at = Instant::now();
            self.walk_took = self.walked_at - now;
        }
        if self.next_leaving_check.is_some_and(|at| now >= at) {
            self.check_leaving(now);
        }
        let sent = !self.outbox.is_empty() && self.due().is_none_or(|due| now >= due);
        if sent {
            self.flush()?;
        }
        if let Some(id) = self.ready.pop_front() {
            self.turn(id);
            self.release_backlog();
        } else if !sent {
            let due = self.due().filter(|_| !self.outbox.is_empty());
            let until = [self.next_leaving_check, due]
                .into_iter()
                .flatten()
                .fold(self.next_walk(), Instant::min);
            self.sleep(until.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    /// When what is to be sent goes; none: at once. After a silence nothing waits; while a little comes all the time it is
    /// gathered, because to wake whoever receives it takes more than its few lines do.
    fn due(&self) -> Option<Instant> {
        let much = self.gathered >= GATHER_BYTES || self.outbox.len() >= GATHER_MESSAGES;
        let sent_at = self.sent_at.filter(|_| !much && self.stop_at.is_none())?;
        Some(sent_at + self.config.gather)
    }

    /// Puts lines into the outbox, behind those that they go on from.
    fn post(&mut self, id: SourceId, offset: u64, mut bytes: Vec<u8>) {
        self.gathered += bytes.len();
        if let Some(Message::Bytes {
            id: last,
            offset: from,
            bytes: before,
        }) = self.outbox.back_mut()
            && *last == id
            && *from + before.len() as u64 == offset
        {
            before.append(&mut bytes);
        } else {
            self.outbox.push_back(Message::Bytes { id, offset, bytes });
        }
    }

    /// Whether a shutdown was so long ago that nothing more is read.
    fn is_over(&mut self, now: Instant) -> bool {
        if self.shutdown.is_triggered() {
            self.stop_at.get_or_insert(now + self.config.grace);
        }
        self.stop_at.is_some_and(|until| now >= until)
    }

    /// Changed names are looked at as soon as the walks still take less than a tenth of the time.
    fn next_walk(&self) -> Instant {
        if self.walks == 0 {
            self.walked_at
        } else if self.names_changed {
            self.walked_at + (self.walk_took * 10).min(self.config.rescan)
        } else {
            self.walked_at + self.config.rescan
        }
    }

    fn take_events(&mut self) {
        let seen = self.watch.take();
        self.names_changed |= seen.names_changed;
        if seen.overflow {
            self.counters.inotify_overflows.inc();
            tracing::warn!(
                "the kernel's queue of file events overflowed (fs.inotify.max_queued_events): all files are looked at again"
            );
            self.names_changed = true;
        }
        for renamed in &seen.renamed {
            self.rotated_unseen(renamed);
        }
        for id in seen.written {
            self.enqueue(id);
            // Opened at once: by the time of its turn it may have been renamed or deleted.
            if self.lives.get(&id).is_some_and(|life| life.file.is_none()) {
                self.ensure_open(id);
            }
        }
    }

    /// Sends what is to be sent. While the channel is full, names are still watched.
    fn flush(&mut self) -> Result<(), Stop> {
        let mut pause = Duration::from_micros(50);
        while let Some(message) = self.outbox.pop_front() {
            match self.sender.try_send(message) {
                Ok(()) => pause = Duration::from_micros(50),
                Err(TrySendError::Disconnected(_)) => return Err(Stop),
                Err(TrySendError::Full(message)) => {
                    self.outbox.push_front(message);
                    if self.is_over(Instant::now()) {
                        return Err(Stop);
                    }
                    // The standard channel cannot be waited for together with descriptors.
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(5));
                    if pause >= Duration::from_millis(1) {
                        self.take_events();
                        let now = Instant::now();
                        if self.names_changed && now >= self.next_walk() {
                            self.names_changed = false;
                            self.rescan();
                            self.walked_at = Instant::now();
                            self.walk_took = self.walked_at - now;
                        }
                    }
                }
            }
        }
        self.gathered = 0;
        self.sent_at = Some(Instant::now());
        Ok(())
    }

    fn sleep(&self, timeout: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut fds = vec![PollFd::new(&*self.wake, PollFlags::IN)];
        if let Some(inotify) = self.watch.descriptor() {
            fds.push(PollFd::from_borrowed_fd(inotify, PollFlags::IN));
        }
        if let Some(pods) = &self.config.pods {
            fds.push(PollFd::from_borrowed_fd(pods.bell(), PollFlags::IN));
        }
        // Woken for nothing or by a signal, the loop just looks again.
        let _ = poll(&mut fds, Some(&timeout));
    }

    /// Gives a file a turn, unless it already waits for one.
    pub(super) fn enqueue(&mut self, id: SourceId) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.at_end = false;
            if !life.queued && !life.held {
                life.queued = true;
                self.ready.push_back(id);
            }
        }
    }

    fn turn(&mut self, id: SourceId) {
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        if let Some(before) = life.follows {
            let waits = self
                .lives
                .get(&before)
                .is_some_and(|before| (before.queued || before.held) && !before.at_end);
            if waits {
                self.ready.push_back(id);
                return;
            }
        }
        if let Some(life) = self.lives.get_mut(&id) {
            life.queued = false;
        }
        if !self.ensure_open(id) {
            return;
        }
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        let marker = life.identity.marker;
        let (before, in_line) = (life.offset, life.skip_line);
        match life.turn(self.config.chunk_bytes.max(1)) {
            Ok(Turn::Bytes {
                offset,
                bytes,
                more,
            }) => {
                if let Some(leaving) = &mut life.leaving {
                    leaving.quiet_since = Instant::now();
                }
                if std::mem::take(&mut life.failing) {
                    tracing::info!(path = %life.path.display(), "the file can be read again");
                }
                if in_line {
                    self.counters.file_bytes_skipped.add(offset - before);
                }
                let (file, is_packed) = (life.identity, life.packed.is_some());
                if !bytes.is_empty() {
                    if life.unannounced.is_some() {
                        self.announce(id);
                    } else if file.marker != marker {
                        self.outbox.push_back(Message::Identified { id, file });
                    }
                    self.counters.file_bytes.add(bytes.len() as u64);
                    if is_packed {
                        self.counters
                            .file_bytes_decompressed
                            .add(bytes.len() as u64);
                    }
                    self.post(id, offset, bytes);
                }
                if more {
                    self.enqueue(id);
                }
            }
            Ok(Turn::End) => {}
            Ok(Turn::Truncated) => self.begin_anew(id),
            Ok(Turn::Ended) => self.finish(id, Closed::Rotated),
            // No other reading makes text of it.
            Err(error) if life.packed.is_some() && is_no_gzip(&error) => {
                self.counters.file_errors.inc();
                tracing::warn!(path = %life.path.display(), %error, "a compressed file is damaged: what follows in it is not read");
                self.finish(id, Closed::Failed);
            }
            Err(error) => self.read_failed(id, &error),
        }
    }

    /// Tells the flow of a stream.
    pub(super) fn announce(&mut self, id: SourceId) {
        let follows = self.announced_predecessor(id);
        if let Some(life) = self.lives.get_mut(&id)
            && let Some(wrapper) = life.unannounced.take()
        {
            self.outbox.push_back(Message::Opened {
                id,
                origin: Arc::clone(&life.origin),
                wrapper,
                file: Some(life.identity),
                resumed: life.resumed.take(),
                follows,
            });
        }
    }

    /// Lets the next file of the backlog be read once the one before it was.
    pub(super) fn release_backlog(&mut self) {
        while let Some((id, until)) = self.backlog.front().copied() {
            match self.lives.get_mut(&id) {
                Some(life) if life.held => {
                    life.held = false;
                    self.enqueue(id);
                    return;
                }
                Some(life) if life.offset < until && !life.at_end && !life.failing => return,
                _ => self.backlog.pop_front(),
            };
        }
    }

    /// The stream that the flow has heard of and that this one goes on from.
    fn announced_predecessor(&self, id: SourceId) -> Option<SourceId> {
        let mut before = self.lives.get(&id)?.follows?;
        while let Some(life) = self
            .lives
            .get(&before)
            .filter(|life| life.unannounced.is_some())
        {
            before = life.follows?;
        }
        Some(before)
    }

    /// The descriptor is given back; the next rescan tries again.
    pub(super) fn read_failed(&mut self, id: SourceId, error: &io::Error) {
        self.counters.file_errors.inc();
        if let Some(life) = self.lives.get_mut(&id) {
            if !std::mem::replace(&mut life.failing, true) {
                tracing::warn!(path = %life.path.display(), %error, "a file cannot be read now; it is tried again in each rescan");
                self.counters.files_unreadable.add(1);
                self.counters
                    .file_trouble
                    .set(format!("{}: {error}", life.path.display()));
            }
            life.at_end = true;
            if life.file.take().is_some() {
                self.open_files -= 1;
            }
        }
    }

    /// Ends a life.
    pub(super) fn finish(&mut self, id: SourceId, reason: Closed) {
        let Some(life) = self.lives.remove(&id) else {
            return;
        };
        if life.file.is_some() {
            self.open_files -= 1;
        }
        let counter = match reason {
            Closed::Truncated => Some(&self.counters.rotated_truncated),
            Closed::Deleted => Some(&self.counters.rotated_deleted),
            Closed::Vanished => Some(&self.counters.files_vanished),
            Closed::ContainerGone => None,
            _ => Some(&self.counters.rotated_renamed),
        };
        if let Some(counter) = counter {
            counter.inc();
        }
        if self.by_node.get(&life.node) == Some(&id) {
            self.by_node.remove(&life.node);
        }
        if !matches!(reason, Closed::Vanished | Closed::Failed) {
            self.book.ended(life.position(true));
        }
        if let (Some(wd), Some(name)) = (life.watch, life.path.file_name()) {
            self.watch.forget(wd, name, id);
        }
        self.counters.files_known.set(self.lives.len() as u64);
        self.counters.files_open.set(self.open_files as u64);
        if life.unannounced.is_some() {
            // Nobody has heard of it: whatever follows it, follows what it followed.
            for other in self.lives.values_mut() {
                if other.follows == Some(id) {
                    other.follows = life.follows;
                }
            }
        } else {
            self.outbox.push_back(Message::Closed { id, reason });
        }
    }
}
