//! Files by glob: every byte of every file life once and in order, whatever is done to the files meanwhile.

mod book;
mod candidate;
mod claims;
mod compressed;
mod descriptors;
mod ends;
mod follow;
mod life;
mod moment;
mod names;
mod packed;
mod pattern;
mod places;
mod pods;
mod remains;
mod scan;
mod siblings;
mod walk;
mod watch;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use logline::decode::Wrapper;

use super::own::Own;
use super::pods::Pods;
use super::switches;
use super::wake::wake_on;
use super::{Closed, Counters, Message, Origin, Sender, SourceId};
use crate::shutdown::Shutdown;

pub use pattern::{PatternError, Patterns};

/// Which files to follow and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which paths.
    pub patterns: Patterns,
    /// Where to begin in files that are there at the start; files that appear later are read from their first byte.
    pub start_at: Start,
    /// How far known files were read before; wins over `start_at`. Where there is any, this is no first start: files that
    /// are not among them are read from their first byte.
    pub resume: Vec<Resume>,
    /// At a first start, at most so many bytes before the end of each file are read (the tail of `start_at` may be less);
    /// what lies before them is counted in [`Counters::file_bytes_skipped`].
    pub max_backlog_bytes: Option<u64>,
    /// At a first start, files that were written to last are read first; within a file the order is always its own.
    pub newest_first: bool,
    /// How often all globs are walked and all files looked at, behind the kernel's events.
    pub rescan: Duration,
    /// How long a renamed or deleted file that gives nothing more is kept, because its writer may still have it open.
    pub linger: Duration,
    /// How long, after a shutdown, files that are known to hold more are still read.
    pub grace: Duration,
    /// How many descriptors may be open at once; more files than that take turns. Lowered to what the process is allowed.
    pub max_open_files: usize,
    /// How many bytes one file may give before it is the next file's turn; also the most in one message.
    pub chunk_bytes: usize,
    /// What was read may wait so long, since something was sent last, for more to be sent with it; zero: nothing waits.
    pub gather: Duration,
    /// How the lines are wrapped, where the path does not tell it (pods: CRI, `*-json.log` of Docker: json-file).
    pub wrapper: Wrapper,
    /// Which labels of Docker's containers to keep.
    pub docker_labels: Vec<String>,
    /// The agent's own container and pod, which are left out.
    pub own: Own,
    /// What else is known of the pods, where somebody watches them.
    pub pods: Option<Pods>,
    /// Reads how containers ask to be read.
    pub switches: Arc<switches::Reader>,
}

impl Config {
    /// The defaults, for these paths.
    #[must_use]
    pub fn new(patterns: Patterns) -> Self {
        Self {
            patterns,
            start_at: Start::Beginning,
            resume: Vec::new(),
            max_backlog_bytes: None,
            newest_first: false,
            rescan: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            grace: Duration::from_secs(2),
            max_open_files: 4096,
            chunk_bytes: 256 * 1024,
            gather: Duration::ZERO,
            wrapper: Wrapper::Auto,
            docker_labels: Vec::new(),
            own: Own::detect(),
            pods: None,
            switches: Arc::default(),
        }
    }
}

/// Where to begin in a file that is there at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At its first byte.
    #[default]
    Beginning,
    /// After the last line end: only what is written from now on.
    End,
    /// At the first line that begins within so many bytes before its end.
    Tail(u64),
}

/// Which file a file is: never its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device's number.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
    /// What the file begins with; inodes are used again.
    pub marker: Marker,
}

/// The hash of a file's first bytes: as many as it had when the marker was taken, at most [`Marker::MAX`].
///
/// A marker of `length` bytes says nothing about what follows them, so a file that has grown still answers to its old
/// marker: hash the first `length` bytes again and compare. While the file is shorter than [`Marker::MAX`] the marker is
/// renewed at each growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marker {
    /// How many bytes were hashed; 0 for a file that was still empty.
    pub length: u16,
    /// Their XXH3-64.
    pub hash: u64,
}

impl Marker {
    /// The most bytes that are hashed.
    pub const MAX: usize = 256;

    /// The marker of a file that begins with `head`, of which at most [`Marker::MAX`] bytes count.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(Self::MAX)];
        Self {
            length: u16::try_from(head.len()).unwrap_or(u16::MAX),
            hash: xxhash_rust::xxh3::xxh3_64(head),
        }
    }

    /// The most bytes before a position that are hashed.
    pub const SEAM: usize = 64;

    /// The marker of the bytes just before a position: `bytes` end there, and of them at most the last [`Marker::SEAM`]
    /// count.
    #[must_use]
    pub fn before(bytes: &[u8]) -> Self {
        Self::of(&bytes[bytes.len().saturating_sub(Self::SEAM)..])
    }

    /// Whether a file that begins with `head` can be the one that the marker was taken from.
    #[must_use]
    pub fn fits(&self, head: &[u8]) -> bool {
        head.get(..usize::from(self.length))
            .is_some_and(|head| Self::of(head) == *self)
    }
}

/// How far a file was read before.
///
/// All positions that are known belong in [`Config::resume`], those of files that have ended as well, up to a bound of the
/// keeper's choice (the oldest ended ones go first): they keep a rotated file that is met again, or its compressed copy, from
/// being read twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Which file: the identity of the last [`Message::Opened`] or [`Message::Identified`] of its stream.
    pub file: Identity,
    /// The first byte not yet taken.
    pub offset: u64,
    /// The stream was closed: the file was read to its end, at `offset`.
    pub finished: bool,
    /// [`Marker::before`] of the bytes just before `offset`, where they are known: it tells a file from another one that
    /// begins alike.
    pub seam: Option<Marker>,
    /// [`Origin::name`] of its stream, the path at which the file was; empty where unknown. What was rotated away from there
    /// is looked for in the same directory.
    pub name: String,
    /// When the position was kept, if known: a rotated file that was written to since then holds what has not been read.
    pub at: Option<SystemTime>,
}

impl Resume {
    /// A position in a file of which nothing else is known.
    #[must_use]
    pub fn new(file: Identity, offset: u64) -> Self {
        Self {
            file,
            offset,
            finished: false,
            seam: None,
            name: String::new(),
            at: None,
        }
    }
}

/// Follows files on a thread of its own until a shutdown, or until the receiver is gone.
///
/// # Errors
/// When the thread cannot be started or no descriptor is left.
pub fn spawn(
    config: Config,
    sender: Sender,
    shutdown: Shutdown,
    counters: Arc<Counters>,
) -> io::Result<JoinHandle<()>> {
    let wake = wake_on(&shutdown)?;
    let mut config = config;
    config.max_open_files = allowed_descriptors(config.max_open_files);
    let follower = follow::Follower::new(config, sender, shutdown, wake, counters);
    std::thread::Builder::new()
        .name("source-files".into())
        .spawn(move || follower.run())
}

/// Raises the process's limit of descriptors where it may be raised, and says how many of `wanted` there are to spend:
/// a quarter of the limit is left to everybody else.
fn allowed_descriptors(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = wanted.max(1);
    let needed = wanted as u64 / 3 * 4 + 64;
    let limit = getrlimit(Resource::Nofile);
    let mut current = limit.current.unwrap_or(u64::MAX);
    if current < needed {
        let raised = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
        let limit = Rlimit {
            current: Some(raised),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, limit).is_ok() {
            current = raised;
        }
    }
    usize::try_from(current / 4 * 3).map_or(wanted, |allowed| allowed.clamp(1, wanted))
}
