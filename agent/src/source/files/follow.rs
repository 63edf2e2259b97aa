//! The loop of the thread that follows files: events and rescans say which files to look at, turns read them.
//!
//! A full channel holds back the reading only: names are still watched and new files still opened meanwhile, so that
//! a file that is rotated away and deleted while the receiver is busy is read all the same.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::life::{Leaving, Life, Node, Turn};
use super::watch::{Seen, Watch};
use super::{Closed, Config, Counters, Message, Resume, Sender, SourceId};
use crate::shutdown::Shutdown;

/// A file that was renamed and has no successor is kept so long without a new byte.
const KEEP_WITHOUT_SUCCESSOR: Duration = Duration::from_secs(3600);

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
    /// What is still to be sent; nothing is read before this is empty.
    pub(super) outbox: VecDeque<Message>,
    /// Positions from before that no file has taken up yet.
    pub(super) resume: HashMap<Node, Resume>,
    /// How many walks were made.
    pub(super) walks: u64,
    /// Paths about which something was told, so that it is told once.
    pub(super) told: HashSet<PathBuf>,
    /// Files that match but are not to be read: the agent's own, and those that ask for it.
    pub(super) left_out: HashMap<PathBuf, Node>,
    /// The patterns are to be walked again soon.
    pub(super) names_changed: bool,
    walk_took: Duration,
    walked_at: Instant,
    /// When to look at the files on their way out.
    next_leaving_check: Option<Instant>,
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
        config: Config,
        sender: Sender,
        shutdown: Shutdown,
        wake: Arc<OwnedFd>,
        counters: Arc<Counters>,
    ) -> Self {
        let resume = config
            .resume
            .iter()
            .map(|resume| ((resume.file.device, resume.file.inode), resume.clone()))
            .collect();
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
            resume,
            walks: 0,
            told: HashSet::new(),
            left_out: HashMap::new(),
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
        while self.step().is_ok() {}
    }

    /// One round of the loop: events, a rescan where one is due, one message's worth of reading, or a sleep.
    pub(super) fn step(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        self.take_events();
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
        let sent = !self.outbox.is_empty();
        self.flush()?;
        if let Some(id) = self.ready.pop_front() {
            self.turn(id);
        } else if !sent {
            let until = self
                .next_leaving_check
                .map_or(self.next_walk(), |at| at.min(self.next_walk()));
            self.sleep(until.saturating_duration_since(Instant::now()));
        }
        Ok(())
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
        let mut seen = Seen::default();
        self.watch.take(&mut seen);
        self.names_changed |= seen.names_changed;
        if seen.overflow {
            self.counters.inotify_overflows.inc();
            tracing::warn!(
                "the kernel's queue of file events overflowed (fs.inotify.max_queued_events): all files are looked at again"
            );
            self.names_changed = true;
        }
        for (from, to) in &seen.renamed {
            self.rotated_unseen(from, to);
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
        // Woken for nothing or by a signal, the loop just looks again.
        let _ = poll(&mut fds, Some(&timeout));
    }

    /// Gives a file a turn, unless it already waits for one.
    pub(super) fn enqueue(&mut self, id: SourceId) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.at_end = false;
            if !life.queued {
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
                .is_some_and(|before| before.queued && !before.at_end);
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
        let follows = self.announced_predecessor(id);
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        let marker = life.identity.marker;
        match life.turn(self.config.chunk_bytes.max(1)) {
            Ok(Turn::Bytes {
                offset,
                bytes,
                more,
            }) => {
                if let Some(leaving) = &mut life.leaving {
                    leaving.quiet_since = Instant::now();
                }
                let file = life.identity;
                if !bytes.is_empty() {
                    if let Some((origin, wrapper)) = life.unannounced.take() {
                        self.outbox.push_back(Message::Opened {
                            id,
                            origin: Arc::new(origin),
                            wrapper,
                            file: Some(file),
                            resumed: life.resumed.take(),
                            follows,
                        });
                    } else if file.marker != marker {
                        self.outbox.push_back(Message::Identified { id, file });
                    }
                    self.counters.file_bytes.add(bytes.len() as u64);
                    self.outbox.push_back(Message::Bytes { id, offset, bytes });
                }
                if more {
                    self.enqueue(id);
                }
            }
            Ok(Turn::End) => {}
            Ok(Turn::Truncated) => self.begin_anew(id),
            Err(error) => self.read_failed(id, &error),
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
            tracing::warn!(path = %life.path.display(), %error, "a file cannot be read now; it is tried again");
            life.at_end = true;
            if life.file.take().is_some() {
                self.open_files -= 1;
            }
        }
    }

    /// A file was emptied or written anew: its life ends, and another one begins in the same descriptor.
    fn begin_anew(&mut self, id: SourceId) {
        let Some(old) = self.lives.get_mut(&id) else {
            return;
        };
        let (found, path, walk) = (old.found.clone(), old.path.clone(), old.walk);
        let leaving = old.leaving.take();
        let Some(file) = old.file.take() else { return };
        self.open_files -= 1;
        self.finish(id, Closed::Truncated);
        let begun = file
            .metadata()
            .and_then(|metadata| Life::begin(file, &metadata, found, path));
        match begun {
            Ok(mut life) => {
                life.walk = walk;
                life.leaving = leaving;
                life.skip_hole();
                self.enter(life);
            }
            Err(error) => {
                // The next rescan finds it as a new file.
                self.counters.file_errors.inc();
                tracing::warn!(%error, "a truncated file cannot be read from its start now; it is tried again");
                self.names_changed = true;
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
            Closed::Truncated => &self.counters.rotated_truncated,
            Closed::Deleted => &self.counters.rotated_deleted,
            Closed::Vanished => &self.counters.files_vanished,
            _ => &self.counters.rotated_renamed,
        };
        counter.inc();
        if self.by_node.get(&life.node()) == Some(&id) {
            self.by_node.remove(&life.node());
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

    /// Looks at the files on their way out: those that have grown get a turn, those that are done are closed.
    pub(super) fn check_leaving(&mut self, now: Instant) {
        let linger = self.config.linger;
        let mut grown = Vec::new();
        let mut done = Vec::new();
        let mut look_again = false;
        for (id, life) in &mut self.lives {
            let Some(Leaving {
                reason,
                quiet_since,
                replaced,
            }) = &mut life.leaving
            else {
                continue;
            };
            let Some(Ok(metadata)) = life.file.as_ref().map(std::fs::File::metadata) else {
                grown.push(*id);
                continue;
            };
            if metadata.nlink() == 0 {
                *reason = Closed::Deleted;
                *replaced = true;
            }
            let quiet = now.saturating_duration_since(*quiet_since);
            if metadata.len() != life.offset || !life.at_end {
                *quiet_since = now;
                grown.push(*id);
                look_again = true;
            } else if quiet
                >= if *replaced {
                    linger
                } else {
                    KEEP_WITHOUT_SUCCESSOR
                }
            {
                done.push((*id, *reason));
            } else {
                look_again |= *replaced || quiet < linger;
            }
        }
        for id in grown {
            self.enqueue(id);
        }
        for (id, reason) in done {
            self.finish(id, reason);
        }
        let pause = (linger / 4).clamp(Duration::from_millis(5), Duration::from_millis(250));
        self.next_leaving_check = look_again.then(|| now + pause);
    }

    /// A file is no longer found by the walk.
    pub(super) fn leave(&mut self, id: SourceId, replaced: bool) {
        let now = Instant::now();
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        match &mut life.leaving {
            Some(leaving) => leaving.replaced |= replaced,
            none => {
                *none = Some(Leaving {
                    reason: Closed::Rotated,
                    quiet_since: now,
                    replaced,
                });
                // What it holds now is read before its successor.
                self.enqueue(id);
            }
        }
        self.next_leaving_check.get_or_insert(now);
    }
}
