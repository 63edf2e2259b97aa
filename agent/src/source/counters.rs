//! What the sources count. Telemetry reads these; nothing in here decides anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is what it is now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Words about what is wrong now; empty while nothing is.
#[derive(Debug, Default)]
pub struct Words(Mutex<String>);

impl Words {
    /// Replaces the words.
    pub fn set(&self, words: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// The present words.
    #[must_use]
    pub fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// All counters of all sources; shared by an `Arc`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bytes sent to the flow from files.
    pub file_bytes: Counter,
    /// Bytes of files that were there before a first start and are not read: what lies before the tail or the backlog's bound.
    pub file_bytes_skipped: Counter,
    /// Rotated files that were found again after a restart and read from where they were left.
    pub files_remainders: Counter,
    /// Bytes sent to the flow that were decompressed from files.
    pub file_bytes_decompressed: Counter,
    /// Files that match, are regular and may be read: the streams that are followed now.
    pub files_known: Gauge,
    /// Descriptors of followed files that are open now.
    pub files_open: Gauge,
    /// Files that match but cannot be read now (permission, I/O error); retried at each rescan.
    pub files_unreadable: Gauge,
    /// Which files cannot be read now and why: the first of them and how many more; empty when all can be.
    pub file_trouble: Words,
    /// Matches that were skipped as compressed (`.gz` and the like).
    pub files_compressed: Counter,
    /// Matches that are no regular file (directory, FIFO, socket, device).
    pub files_not_regular: Counter,
    /// Reads or opens of files that failed.
    pub file_errors: Counter,
    /// Files that were renamed away, or whose name or symlink came to mean another file.
    pub rotated_renamed: Counter,
    /// Files that were emptied or written anew in place.
    pub rotated_truncated: Counter,
    /// Files that were deleted.
    pub rotated_deleted: Counter,
    /// Files that were gone when their closed descriptor was to be opened again: what was appended last may be lost.
    pub files_vanished: Counter,
    /// Times the kernel's queue of file events overflowed, each answered by a rescan of everything.
    pub inotify_overflows: Counter,
    /// Watches that the kernel refused (`fs.inotify.max_user_watches`); the rescan stands in for them.
    pub inotify_refused: Counter,
    /// Rescans of all globs.
    pub rescans: Counter,
    /// Bytes sent to the flow from the Docker API.
    pub docker_bytes: Counter,
    /// Frames sent to the flow from the Docker API.
    pub docker_records: Counter,
    /// 1 while the Docker engine answers, else 0.
    pub docker_up: Gauge,
    /// Containers that are followed through the API now.
    pub docker_containers: Gauge,
    /// Times the connection to the Docker engine was lost and taken up again.
    pub docker_reconnects: Counter,
    /// Frames that came again after a reconnect and were skipped because they had been sent before.
    pub docker_repeats_skipped: Counter,
    /// Containers whose log driver the API cannot read.
    pub docker_unreadable_driver: Counter,
    /// 1 while the cluster tells of this node's pods, else 0.
    pub kubernetes_up: Gauge,
    /// Pods of this node that are known, those that have just gone included.
    pub kubernetes_pods: Gauge,
    /// Changes of pods that the cluster has told, bookmarks included.
    pub kubernetes_events: Counter,
    /// Lists of all pods of this node that were asked for.
    pub kubernetes_lists: Counter,
    /// Lists and watches that failed.
    pub kubernetes_failures: Counter,
    /// Pods for which there was no room.
    pub kubernetes_left_out: Counter,
    /// Switches of containers whose value is not understood.
    pub switches_refused: Counter,
    /// Bytes sent to the flow from standard input.
    pub stdin_bytes: Counter,
}
