//! How a store is set up.

use std::path::PathBuf;
use std::time::Duration;

use super::backend::MakeBackend;

/// What is done when the store is full and the oldest events are still owed to a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest events go; for that sink they are counted as expired.
    #[default]
    DropOldest,
    /// No more events are taken until the sink has caught up; the sources wait.
    Block,
}

impl WhenFull {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::Block => "block",
        }
    }
}

/// How a store is set up. All sizes in bytes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its file lies; made if it is missing. None: nothing is kept on disk, events go on to the sinks alone.
    pub directory: Option<PathBuf>,
    /// The file may take so much of the disk.
    pub max_bytes: u64,
    /// Events older than this go.
    pub max_age: Duration,
    /// What to do when it is full of events that a sink is owed.
    pub when_full: WhenFull,
    /// Events wait at most so long for their commit...
    pub commit_every: Duration,
    /// ...or until there is so much text of them, which is also about the most that one [`Portion`](super::Portion) holds.
    pub commit_bytes: usize,
    /// Small commits are merged into blocks that compress well once there is so much text in them...
    pub seal_bytes: u64,
    /// ...or once the oldest is so old.
    pub seal_after: Duration,
    /// Text of the newest events that is kept in memory for sinks that keep up.
    pub window_bytes: usize,
    /// Memory for pages of the file.
    pub cache_bytes: usize,
    /// The sinks that are owed events, by name. A name that was not there before is owed events from now on.
    pub sinks: Vec<String>,
    /// After the last event the sinks get so long to take what they are owed.
    pub drain: Duration,
    /// A store that cannot write is tried again after so long, then less and less often up to 30 times as long.
    pub retry_after: Duration,
    /// A file that another process has open is waited for so long at the start.
    pub wait_for_lock: Duration,
    /// What the file is read and written through; other than the default only where faults are to be seen.
    pub backend: MakeBackend,
}

impl Options {
    /// The defaults, in `directory`.
    #[must_use]
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            max_bytes: 2 << 30,
            max_age: Duration::from_hours(7 * 24),
            when_full: WhenFull::default(),
            commit_every: Duration::from_millis(200),
            commit_bytes: 2 << 20,
            seal_bytes: 2 << 20,
            seal_after: Duration::from_mins(5),
            window_bytes: 4 << 20,
            cache_bytes: 4 << 20,
            sinks: Vec::new(),
            drain: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
            wait_for_lock: Duration::from_secs(5),
            backend: MakeBackend::default(),
        }
    }
}
