//! Builds every room and the channels between them, and owns the order of start and of drain. The only file that sees
//! all rooms.
//!
//! Start: listener, sink, flow, sources: whoever receives stands before whoever sends. Drain: the sources stop and let
//! go of their channel, the flow passes on what it holds and lets go of its own, the sink writes the rest; all of it
//! within a deadline.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use logline::rules::Pack;
use logline::template;
use logline::time::TimeContext;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::config::{Checked, PackChoice};
use crate::flow::{Control, Ends, Flow, Settings, Worker};
use crate::packs;
use crate::shutdown::Shutdown;
use crate::sink;
use crate::source::{self, Counters};
use crate::sources;
use crate::telemetry::{Health, Metrics, clock, listener};

/// Messages between the sources and the flow; their chunks are bounded, and so is this channel's memory.
const MESSAGES: usize = 32;
/// Batches between the flow and the sink.
const BATCHES: usize = 4;
/// How often the main thread looks whether the rooms have ended.
const POLL: Duration = Duration::from_millis(20);

/// Runs the agent until a signal, the end of standard output, or the end of all sources.
///
/// # Errors
/// Where a room cannot be set up, the output fails, or the drain takes longer than allowed.
pub fn run(config: &Checked) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let health = Arc::new(Health::default());
    let counters = Arc::new(Counters::default());
    let named = config
        .telemetry
        .as_ref()
        .map_or(0, |telemetry| telemetry.max_streams);
    let metrics = Arc::new(Metrics::new(named, source::readings(&counters))?);
    let pack = packs::read(&config.pack)?;
    let rules = packs::compile(&pack)?;
    health.fine("pack", loaded(&pack));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let listener = bind(config)?;
    let (batches, to_write) = sync_channel(BATCHES);
    let (emptied, used) = channel();
    let sink = sink::spawn(config.stdout(), to_write, emptied, &metrics)
        .context("the sink cannot be started")?;
    let (control, controls) = channel();
    let (messages, received) = sync_channel(MESSAGES);
    let ends = Ends {
        messages: received,
        controls,
        batches,
        used,
    };
    let worker = Worker::new(
        Flow::new(settings(config), Arc::new(rules)),
        ends,
        Arc::clone(&metrics),
        config.utc_offset_s,
    );
    let flow = std::thread::Builder::new()
        .name("flow".to_owned())
        .spawn(move || worker.run())
        .context("the flow cannot be started")?;
    let sources = sources::spawn(config, &pack, messages, &shutdown, &counters, &health)?;

    let rooms = Rooms {
        sources,
        flow,
        sink,
    };
    let reload = Reload {
        choice: &config.pack,
        control,
        health: &health,
        metrics: &metrics,
    };
    runtime.block_on(async {
        if let Some(listener) = listener {
            let token = config
                .telemetry
                .as_ref()
                .and_then(|telemetry| telemetry.listener.token.as_deref());
            let telemetry = listener::Telemetry {
                health: Arc::clone(&health),
                metrics: Arc::clone(&metrics),
            };
            let pages = listener::router(telemetry, token);
            tokio::spawn(serve(tokio::net::TcpListener::from_std(listener)?, pages));
        }
        watch(&shutdown, &rooms, &reload, config.drain_timeout).await
    })?;
    rooms.join()
}

fn settings(config: &Checked) -> Settings {
    Settings {
        assemble: config.assemble,
        join: true,
        keep_open: false,
        templates: template::Limits {
            max_templates: config.max_templates,
            ..template::Limits::default()
        },
        time: TimeContext {
            reference: Some(clock::now()),
            utc_offset_s: config.utc_offset_s,
        },
    }
}

fn loaded(pack: &Pack) -> String {
    format!("{}: {} rules", pack.name, pack.rules().len())
}

fn bind(config: &Checked) -> anyhow::Result<Option<TcpListener>> {
    let Some(telemetry) = &config.telemetry else {
        return Ok(None);
    };
    let listener = TcpListener::bind(telemetry.listener.listen).with_context(|| {
        format!(
            "telemetry.listen: {} cannot be bound; choose another port, or leave it empty for none",
            telemetry.listener.listen
        )
    })?;
    listener.set_nonblocking(true)?;
    info!(listen = %listener.local_addr()?, "metrics and health");
    Ok(Some(listener))
}

async fn serve(listener: tokio::net::TcpListener, pages: axum::Router) {
    if let Err(problem) = axum::serve(listener, pages).await {
        error!(%problem, "the metrics and health listener has ended; the flow goes on");
    }
}

/// What a SIGHUP does: the pack is read again, and where it is not sound the old one goes on.
struct Reload<'a> {
    choice: &'a PackChoice,
    control: Sender<Control>,
    health: &'a Health,
    metrics: &'a Metrics,
}

impl Reload<'_> {
    fn reload(&self) {
        let pack = packs::read(self.choice)
            .and_then(|pack| packs::compile(&pack).map(|rules| (pack, rules)));
        self.metrics.reloaded(pack.is_ok());
        match pack {
            Ok((pack, rules)) => {
                info!(pack = %pack.name, rules = rules.len(), "pack reloaded");
                self.health.fine("pack", loaded(&pack));
                // A flow that has ended needs no rules.
                let _ = self.control.send(Control::Rules(Arc::new(rules)));
            }
            Err(problem) => {
                warn!(%problem, "the pack is not sound; the one loaded before goes on");
                self.health.broken(
                    "pack",
                    format!("reload refused, the pack loaded before goes on: {problem}"),
                );
            }
        }
    }
}

/// Waits for signals and for the end of the rooms; returns when the rooms have ended.
async fn watch(
    shutdown: &Shutdown,
    rooms: &Rooms,
    reload: &Reload<'_>,
    drain_timeout: Duration,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut poll = tokio::time::interval(POLL);
    let mut deadline: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = terminate.recv() => stop(shutdown, &mut deadline, drain_timeout)?,
            _ = interrupt.recv() => stop(shutdown, &mut deadline, drain_timeout)?,
            _ = hang_up.recv() => reload.reload(),
            _ = poll.tick() => {}
        }
        if rooms.have_ended() {
            shutdown.trigger();
            return Ok(());
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            anyhow::bail!(
                "not everything that was read could be passed on within {drain_timeout:?} (drain_timeout_seconds)"
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
    *deadline = Some(Instant::now() + drain_timeout);
    shutdown.trigger();
    Ok(())
}

/// The threads of the rooms.
struct Rooms {
    sources: Vec<JoinHandle<()>>,
    flow: JoinHandle<()>,
    sink: JoinHandle<std::io::Result<()>>,
}

impl Rooms {
    /// The sink is the last to end: after the flow, which ends after the sources, or before both where its output fails.
    fn have_ended(&self) -> bool {
        self.sink.is_finished()
    }

    /// Waits for the threads and gives the error of the output, if there was one.
    fn join(self) -> anyhow::Result<()> {
        let panicked = |_| anyhow::anyhow!("a room has panicked; this is a bug");
        self.sink
            .join()
            .map_err(panicked)?
            .context("standard output")?;
        self.flow.join().map_err(panicked)?;
        for source in self.sources {
            source.join().map_err(panicked)?;
        }
        Ok(())
    }
}
