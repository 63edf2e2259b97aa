//! Where bytes come from: files, the Docker engine, standard input, other pipelines.
//!
//! Enters: a checked configuration of one source. Leaves: [`Message`]s on one bounded channel, which is the only
//! contract with the rest of the agent. Every source runs on a thread of its own, blocks while the channel is full,
//! never drops a byte, and ends when its [`Shutdown`](crate::shutdown::Shutdown) is triggered or the receiver is gone.
//! Who drains keeps receiving until all senders are gone.
//!
//! | file | what |
//! |---|---|
//! | [`origin`] | who writes a stream: the container and the pod, told from a path |
//! | [`pods`] | what else is known of this node's pods, filled by whoever watches the cluster |
//! | [`switches`] | how a container asks to be read |
//! | [`files`] | files by glob: rotation, truncation, inode reuse |
//! | [`docker`] | containers through the Docker API |
//! | [`stdin`] | standard input |
//! | [`receive`], [`delivery`] | what other pipelines send, and what they are told of it |
//! | [`discover`] | which of these exist on this host |
//! | [`demo`] | example lines, where there is nothing else |
//! | [`counters`] | what is counted on the way |

pub mod counters;
pub mod delivery;
pub mod demo;
pub mod discover;
pub mod docker;
pub mod files;
pub mod origin;
pub mod own;
pub mod pods;
mod readings;
pub mod receive;
pub mod stdin;
pub mod switches;
mod wake;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::SyncSender;

use logline::decode::Wrapper;
use logline::event::Stream;

pub use counters::Counters;
pub use delivery::{Delivery, Entry, Ticket};
pub use origin::{Container, K8s, Kind, Origin, Owner};
pub use own::Own;
pub use pods::Pods;
pub use readings::readings;
pub use switches::Switches;

/// The channel that every source sends to. Bounded: a full one holds the sources back.
pub type Sender = SyncSender<Message>;

/// Names one open stream: one life of a file, or one container followed through the API. Never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

impl SourceId {
    /// The next unused id of this process.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a source tells the flow. For one id, in this order: one `Opened`, any number of `Bytes`, `Record` or `Delivered` with
/// [`Described`](Self::Described) between them, at most one `Closed`.
#[derive(Clone, Debug)]
pub enum Message {
    /// A stream begins. Files that were not known are announced with their first bytes: an empty one has nothing to tell it from
    /// others by.
    Opened {
        /// The stream.
        id: SourceId,
        /// Who writes it.
        origin: Arc<Origin>,
        /// How its lines are wrapped. [`Wrapper::DockerApi`] stands for [`Message::Record`]s of either stream.
        wrapper: Wrapper,
        /// Which file it is, for files: what a position is kept under across restarts.
        file: Option<files::Identity>,
        /// The [`files::Resume`] whose position this stream goes on from, by its identity: it is the same stream as then, and
        /// what was open at that position is to be taken up. Its first `Bytes` begin at that position, which may
        /// be the end of the stream for good: unless the position is one of an ended file, the stream is announced at once,
        /// with or without bytes. A position whose file cannot be found is announced and closed as [`Closed::Vanished`].
        resumed: Option<files::Identity>,
        /// The stream that had this file's name before it was rotated away: a line that a runtime split at the rotation goes
        /// on here. Its last bytes come before the first ones of this stream, unless its writer is late.
        follows: Option<SourceId>,
    },
    /// A file has grown while it was shorter than its marker reaches: keep its position under this identity from now on.
    Identified {
        /// The stream.
        id: SourceId,
        /// Which file it is.
        file: files::Identity,
    },
    /// More is known of who writes a stream, or something else: from now on it is this. Its id stays.
    Described {
        /// The stream.
        id: SourceId,
        /// Who writes it.
        origin: Arc<Origin>,
    },
    /// The next bytes of a stream. They need not end at a line end.
    Bytes {
        /// The stream.
        id: SourceId,
        /// Position of the first byte in the stream. The first `Bytes` of a stream may begin beyond 0 (a tail, a resumed file);
        /// from then on each begins where the last one ended.
        offset: u64,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// One frame of the Docker API: `TIME TEXT\n`, or without the `\n` where the engine split a longer line (16 KiB pieces).
    Record {
        /// The stream.
        id: SourceId,
        /// Which of the container's streams; a container with a TTY has only standard output.
        stream: Stream,
        /// The frame's bytes as the engine sent them: its RFC 3339 time, a space, the text, mostly a final `\n`.
        bytes: Vec<u8>,
        /// Where following may be resumed after this frame.
        position: docker::Position,
    },
    /// Events that another program has handed over, of streams that were opened before.
    Delivered(Delivery),
    /// A stream has ended: nothing follows under this id. A half line that was sent last stays a line of its own.
    /// Not sent at a shutdown, because the stream goes on after it.
    Closed {
        /// The stream.
        id: SourceId,
        /// Why.
        reason: Closed,
    },
}

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// Standard input was read to its end.
    End,
    /// The file was renamed away or its name given to another one, and was read to its end.
    Rotated,
    /// The file was emptied or written anew in place; its new content comes under a new id.
    Truncated,
    /// The file was deleted and read to its end.
    Deleted,
    /// The file was found gone, or was another one, while it was closed for lack of descriptors: its end may be missing.
    Vanished,
    /// Reading failed for good.
    Failed,
    /// The container was renamed; it goes on under a new id.
    Renamed,
    /// The container was removed, or is no longer to be followed.
    ContainerGone,
}

impl Closed {
    /// A word for metrics and log lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Rotated => "rotated",
            Self::Truncated => "truncated",
            Self::Deleted => "deleted",
            Self::Vanished => "vanished",
            Self::Failed => "failed",
            Self::Renamed => "renamed",
            Self::ContainerGone => "container_gone",
        }
    }
}

/// The receiver is gone: the source ends, which is no error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disconnected;

/// Sends, waiting while the channel is full.
pub(crate) fn send(sender: &Sender, message: Message) -> Result<(), Disconnected> {
    sender.send(message).map_err(|_| Disconnected)
}
