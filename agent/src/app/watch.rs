//! The main thread while the rooms work: signals, trouble that is to be told of, and the order in which all ends.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::reload::Reload;
use crate::classify::Handle;
use crate::shutdown::Shutdown;
use crate::source::Counters;
use crate::telemetry::Health;

/// The part of the health that speaks of files.
const FILES: &str = "files";
/// How often the main thread looks whether the rooms have ended: at first, and while they are to end...
const POLL: Duration = Duration::from_millis(20);
/// ...and once the agent has run for a while.
const RARE_POLL: Duration = Duration::from_millis(200);
/// The rooms end by themselves when the drain's time is over; this much later something is wrong.
const MARGIN: Duration = Duration::from_secs(5);

/// Tells in the health what the sources cannot read.
pub(super) struct Trouble<'a> {
    counters: &'a Counters,
    health: &'a Health,
    usual: String,
    told: String,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(counters: &'a Counters, health: &'a Health) -> Self {
        Self {
            counters,
            health,
            usual: health.detail(FILES).unwrap_or_default(),
            told: String::new(),
        }
    }

    fn look(&mut self) {
        let now = self.counters.file_trouble.get();
        if now == self.told {
            return;
        }
        if now.is_empty() {
            self.health.fine(FILES, self.usual.clone());
        } else {
            self.health.broken(FILES, now.clone());
        }
        self.told = now;
    }
}

/// Waits for signals and for the end of the rooms; returns when the rooms have ended.
pub(super) async fn watch(
    shutdown: &Shutdown,
    rooms: &Rooms,
    reload: &Reload<'_>,
    mut trouble: Trouble<'_>,
    drain_timeout: Duration,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let began = Instant::now();
    let mut deadline: Option<Instant> = None;
    loop {
        // Whoever runs it for a moment does not wait for its end; one that runs for days sleeps.
        let poll = match deadline {
            None => (began.elapsed() / 10).clamp(POLL, RARE_POLL),
            Some(_) => POLL,
        };
        tokio::select! {
            _ = terminate.recv() => stop(shutdown, &mut deadline, drain_timeout)?,
            _ = interrupt.recv() => stop(shutdown, &mut deadline, drain_timeout)?,
            _ = hang_up.recv() => reload.reload(),
            () = tokio::time::sleep(poll) => {}
        }
        trouble.look();
        if rooms.have_ended() {
            shutdown.trigger();
            return Ok(());
        }
        // Whoever reads standard output has gone: the agent has nobody to work for.
        if deadline.is_none() && rooms.a_sink_has_ended() {
            deadline = Some(Instant::now() + drain_timeout + MARGIN);
            shutdown.trigger();
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            anyhow::bail!(
                "not everything that was read could be kept within {drain_timeout:?} (drain_timeout_seconds)"
            );
        }
    }
}

/// The first signal begins the drain, the second ends the agent at once.
fn stop(
    shutdown: &Shutdown,
    deadline: &mut Option<Instant>,
    drain_timeout: Duration,
) -> anyhow::Result<()> {
    if deadline.is_some() {
        anyhow::bail!("stopped before everything that was read was passed on");
    }
    info!("stopping: passing on what has been read");
    *deadline = Some(Instant::now() + drain_timeout + MARGIN);
    shutdown.trigger();
    Ok(())
}

/// The threads of the rooms.
pub(super) struct Rooms {
    pub(super) sources: Vec<JoinHandle<()>>,
    pub(super) flow: JoinHandle<()>,
    pub(super) keeper: JoinHandle<()>,
    pub(super) sinks: Vec<JoinHandle<std::io::Result<()>>>,
    pub(super) bert: JoinHandle<()>,
    pub(super) handle: Handle,
    pub(super) http: Option<JoinHandle<()>>,
}

impl Rooms {
    /// The store is the last to end: after the flow, which ends after the sources, and after the sinks.
    fn have_ended(&self) -> bool {
        self.keeper.is_finished() && self.sinks.iter().all(JoinHandle::is_finished)
    }

    fn a_sink_has_ended(&self) -> bool {
        self.sinks.iter().any(JoinHandle::is_finished) && !self.flow.is_finished()
    }

    /// Waits for the threads and gives the error of an output that has ended, if there was one.
    pub(super) fn join(self) -> anyhow::Result<()> {
        let panicked = |_| anyhow::anyhow!("a room has panicked; this is a bug");
        for sink in self.sinks {
            sink.join().map_err(panicked)?.context("standard output")?;
        }
        self.keeper.join().map_err(panicked)?;
        self.flow.join().map_err(panicked)?;
        self.handle.end();
        self.bert.join().map_err(panicked)?;
        for source in self.sources {
            source.join().map_err(panicked)?;
        }
        if let Some(http) = self.http {
            http.join().map_err(panicked)?;
        }
        Ok(())
    }
}
