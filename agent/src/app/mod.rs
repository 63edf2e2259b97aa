//! Builds every room and the channels between them, and owns the order of start and of drain. The only file that sees
//! all rooms.
//!
//! Start: listeners, store, sinks, flow, sources: whoever receives stands before whoever sends. Drain: the sources stop and
//! let go of their channel, the flow passes on what it holds and lets go of its own, the store keeps the rest and the sinks
//! deliver it as far as they can; all of it within a deadline. What is not delivered by then is delivered by the next run.

mod reload;
mod watch;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};

use anyhow::Context as _;
use logline::rules::Pack;
use logline::template;
use logline::time::TimeContext;
use tracing::{error, info, warn};

use self::reload::{Reload, places, remembered};
use self::watch::{Rooms, Trouble, watch};

use crate::answers;
use crate::ask::Engine;
use crate::classify::llm::{self, Llm};
use crate::classify::{self, Answer, Judgement, Said};
use crate::config::{self, Checked, Listener};
use crate::flow::{Ends, Flow, LateSieve, Settings, Worker};
use crate::http;
use crate::models;
use crate::packs;
use crate::shutdown::Shutdown;
use crate::sink;
use crate::source::{self, Counters};
use crate::sources;
use crate::store::{self, Recovered, Store};
use crate::stores;
use crate::telemetry::{Health, Metrics, clock, listener};
use crate::writing::Desk;

/// Messages between the sources and the flow; their chunks are bounded, and so is this channel's memory.
const MESSAGES: usize = 32;
/// Batches between the flow and the store.
const BATCHES: usize = 4;

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
    sink::check(&config.sinks)?;
    health.fine("pack", loaded(&pack));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let telemetry = config
        .telemetry
        .as_ref()
        .map(|telemetry| &telemetry.listener);
    let telemetry_listener = bind(telemetry, "telemetry", "metrics and health")?;
    let api = config.api.as_ref().map(|api| &api.listener);
    let api_listener = bind(api, "api", "answers about the logs")?;
    let forward = config.receivers.forward.as_ref();
    let forward_listener = bind(
        forward.map(|forward| &forward.listener),
        "sources.forward",
        "Fluent forward",
    )?;
    let (store, recovered) = open_store(config);
    let (batches, to_keep) = sync_channel(BATCHES);
    let (emptied, used) = channel();
    let keeper = store::spawn(&store, to_keep, emptied, &metrics, Arc::clone(&health))
        .context("the store cannot be started")?;
    let sinks = sink::spawn_all(
        &config.sinks,
        &store,
        &shutdown,
        config.drain_timeout,
        &metrics,
        &health,
    )?;
    let (control, controls) = channel();
    let (messages, received) = sync_channel(MESSAGES);
    let ends = Ends {
        messages: received,
        controls,
        batches,
        used,
    };
    let rules = Arc::new(rules);
    let mut flow = Flow::new(settings(config), Arc::clone(&rules));
    flow.set_library(packs::library(&config.packs)?);
    let placed = places(&store);
    stores::take_up(&mut flow, &recovered, |id| placed.contains_key(&id));
    let (answered, answers) = channel();
    let llm = spawn_llm(config, &pack, &answered, &metrics, &health, &shutdown)?;
    let (handle, bert) = classify::spawn(
        classify::Options {
            llm: llm.clone(),
            ..models::options(config)
        },
        Arc::new(pack.clone()),
        remembered(&recovered.templates, placed),
        answered,
        &metrics,
        Arc::clone(&health),
    )
    .context("the BERT's stage cannot be started")?;
    let sieve = LateSieve {
        handle: handle.clone(),
        answers,
        wait: config.verdict_wait,
    };
    let worker = Worker::new(
        flow,
        ends,
        Some(sieve),
        Arc::clone(&metrics),
        config.utc_offset_s,
    );
    let flow = std::thread::Builder::new()
        .name("flow".to_owned())
        .spawn(move || worker.run())
        .context("the flow cannot be started")?;
    let store_state = store.reader();
    let received = sources::receive(
        config,
        forward_listener,
        sink::host_name(),
        move || store_state.is_kept(),
        &messages,
        &shutdown,
        &metrics,
        &health,
    )?;
    let mut sources = sources::spawn(
        config,
        &pack,
        &recovered.cursors,
        messages,
        &shutdown,
        &counters,
        &health,
    )?;
    drop(recovered);
    sources.extend(received.threads);

    let classifier = Arc::new(http::Classifier::new(
        rules,
        handle.clone(),
        store.reader(),
        config.utc_offset_s,
    ));
    let http = match (&config.api, api_listener) {
        (Some(options), Some(listener)) => {
            let engine = if config.store.enabled {
                let engine = Engine::new(store.reader(), Some(Arc::new(handle.clone())));
                Some(answers::ready(engine).context("the room that answers cannot be started")?)
            } else {
                None
            };
            let api = http::Api::new(http::Parts {
                reader: store.reader(),
                health: Arc::clone(&health),
                docker: sources::docker_host(config),
                host: sink::host_name(),
                classifier: Arc::clone(&classifier),
                engine,
                intake: received.http,
                writer: Some(Arc::new(Desk::new(
                    llm.clone(),
                    store.reader(),
                    &pack,
                    handle.clone(),
                ))),
                llm,
                options: options.clone(),
                shutdown: shutdown.clone(),
            })
            .context("the live streams cannot be started")?;
            let pages = http::router(&api);
            Some(http::serve(listener, api, pages).context("the API cannot be started")?)
        }
        _ => None,
    };
    let rooms = Rooms {
        sources,
        flow,
        keeper,
        sinks,
        bert,
        handle: handle.clone(),
        http,
    };
    let reload = Reload {
        choice: &config.pack,
        control,
        handle: &handle,
        classifier: &classifier,
        store: &store,
        health: &health,
        metrics: &metrics,
    };
    runtime.block_on(async {
        if let Some(listener) = telemetry_listener {
            let pages = listener::router(
                listener::Telemetry {
                    health: Arc::clone(&health),
                    metrics: Arc::clone(&metrics),
                },
                telemetry.and_then(|listener| listener.token.as_deref()),
            );
            tokio::spawn(serve(listener, pages));
        }
        let trouble = Trouble::new(&counters, &health);
        watch(&shutdown, &rooms, &reload, trouble, config.drain_timeout).await
    })?;
    rooms.join()
}

/// The language model, if one is configured; its verdicts go the way of the BERT's.
fn spawn_llm(
    config: &Checked,
    pack: &Pack,
    answered: &Sender<Said>,
    metrics: &Metrics,
    health: &Arc<Health>,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Llm>> {
    let settings = match &config.llm {
        config::llm::Llm::Off(why) => {
            llm::off(health, why);
            return Ok(None);
        }
        config::llm::Llm::On(settings) => (**settings).clone(),
    };
    let directory = stores::options(config).directory;
    let options = llm::Options {
        settings,
        spent: directory.map(|directory| directory.join("llm-spent.json")),
    };
    let answered = answered.clone();
    let deliver = move |answer: llm::Answer| {
        let said = Said::Answer(Answer {
            id: answer.id,
            judgement: Some(Judgement::from(answer)),
            ..Answer::default()
        });
        answered.send(said).is_ok()
    };
    let llm = llm::spawn(
        options,
        llm::Taxonomy::of(pack),
        Box::new(deliver),
        metrics,
        Arc::clone(health),
        shutdown,
    )?;
    Ok(Some(llm))
}

fn settings(config: &Checked) -> Settings {
    Settings {
        assemble: config.assemble,
        join: true,
        keep_open: config.store.enabled,
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

/// Opens the store, whatever state its file is in.
fn open_store(config: &Checked) -> (Store, Recovered) {
    let options = stores::options(config);
    let place = options.directory.clone();
    let (store, recovered) = Store::open(options);
    if let Some(place) = place {
        info!(
            directory = %place.display(),
            streams = recovered.cursors.len(),
            templates = recovered.templates.len(),
            "store"
        );
    }
    for note in &recovered.notes {
        warn!("store: {note}");
    }
    (store, recovered)
}

/// Binds the listener of `section`, if it is wanted.
fn bind(
    wanted: Option<&Listener>,
    section: &str,
    what: &str,
) -> anyhow::Result<Option<TcpListener>> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let listener = TcpListener::bind(wanted.listen).with_context(|| {
        format!(
            "{section}.listen: {} cannot be bound; choose another port, or leave it empty for none",
            wanted.listen
        )
    })?;
    listener.set_nonblocking(true)?;
    info!(listen = %listener.local_addr()?, "{what}");
    Ok(Some(listener))
}

async fn serve(listener: TcpListener, pages: axum::Router) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, pages).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = served {
        error!(%problem, "a listener has ended; the flow goes on");
    }
}
