//! Containers through the Docker API: list, events and logs, nothing but GET requests.

mod engine;
mod follow;
mod frames;
mod list;
mod names;
mod reach;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::own::Own;
use super::{Counters, Sender, switches};
use crate::shutdown::Shutdown;

pub use list::{Listed, containers};
pub use names::Names;
pub use reach::Unreachable;

/// Which engine, which containers, and where to begin.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the engine listens.
    pub host: Host,
    /// Where to begin with containers that run at the start; those that are made later are read from their first line.
    pub start_at: Start,
    /// How far containers were read before, by full id: the position of the last [`Message::Record`](super::Message::Record)
    /// that was kept. Wins over `start_at`; where there is any, this is no first start, and containers that are not among
    /// them are read from the latest time in them on, also those that have ended since. Of a container that is no more,
    /// nothing is told.
    pub resume: HashMap<String, Position>,
    /// Which labels to keep in [`Container`](super::Container).
    pub labels: Vec<String>,
    /// Which names to follow.
    pub names: Names,
    /// Whether containers of Kubernetes pods are left to the files in `/var/log/pods`.
    pub skip_pods: bool,
    /// The agent's own container, which is left out.
    pub own: Own,
    /// Reads how containers ask to be read.
    pub switches: Arc<switches::Reader>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: Host::default(),
            start_at: Start::default(),
            resume: HashMap::new(),
            labels: Vec::new(),
            names: Names::default(),
            skip_pods: false,
            own: Own::detect(),
            switches: Arc::default(),
        }
    }
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

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
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
/// The engine can only be asked for logs since a time. Going on means asking from the full second of the last frame, and
/// skipping frames until that very frame has come again, or one that is later than any seen: frames of one container
/// always come back in the same order, even where the times of its two streams are slightly out of order. Where the log
/// driver has deleted that frame meanwhile, what is skipped was hardly unseen: it is not later than the latest time seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// The latest time seen, in nanoseconds since 1970.
    pub latest_ns: i64,
    /// The time of the last frame; a little before `latest_ns` where the two streams are out of order.
    pub last_ns: i64,
    /// The XXH3-64 of the last frame.
    pub last_hash: u64,
    /// How many frames shortly before the last one were equal to it, time included.
    pub repeats: u32,
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("source-docker".into())
        .spawn(move || {
            let engine = engine::Engine::new(config, sender, shutdown.clone(), counters);
            runtime.block_on(async {
                tokio::select! {
                    () = shutdown.triggered() => {}
                    () = engine.run() => {}
                }
            });
        })
}

/// Asks an engine for its version, on the calling thread.
///
/// # Errors
/// Why it cannot be asked.
pub fn probe(host: &Host) -> Result<String, Unreachable> {
    let not_docker =
        |error: &dyn fmt::Display| Unreachable::NotDocker(host.to_string(), error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| not_docker(&error))?;
    runtime.block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(5), reach::connect(host))
            .await
            .map_err(|_| not_docker(&"no answer within 5 s"))?
            .map(|(_, version)| version)
    })
}
