//! Where labelled events go.
//!
//! Enters: what the store hands out to a sink by name. Leaves: requests, lines and files, and what was acknowledged.
//! Every sink runs on a thread of its own behind one engine; a protocol is a [`Body`] and a [`Transport`] and knows
//! nothing of cursors, repeats or counts.
//!
//! | file | what |
//! |---|---|
//! | `deliver` | the engine: take, select, mask, encode, compress, send, repeat, acknowledge |
//! | [`transport`] | the contract between the engine and a protocol |
//! | [`encode`] | one event as JSON, for people, in columns |
//! | `select`, `sample` | which events go out, and how many of the same |
//! | `mask` | secrets are masked |
//! | `http`, `file`, `lines` | JSON over HTTP; rotating files; standard output and nowhere |
//! | [`forward`], `otlp`, `loki` | protocols of their own |
//! | `service`, `tls` | what protocols share: a stream's service, TLS without HTTP |
//! | `compress`, `dead`, `drain`, `state` | the engine's parts |

mod compress;
mod dead;
mod deliver;
mod drain;
pub mod encode;
mod file;
pub mod forward;
mod http;
mod identity;
mod lines;
pub mod loki;
pub(crate) mod mask;
pub mod otlp;
mod sample;
mod select;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod tls;
pub mod transport;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;

use compress::Compressor;
use dead::DeadLetters;
use deliver::{Engine, Limit, Load};
use drain::Drain;
use encode::{Encode, Json, Pretty, Tsv};
use mask::Mask;
use sample::Sampler;
use select::Select;
use state::State;
use transport::{Body, Transport};

use crate::client::Backoff;
use crate::config::sinks::{Sink, StdoutFormat, To};
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::telemetry::{Health, Metrics};

/// Settings of a sink that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("sinks.{name}: {why}")]
pub struct SetupError {
    name: String,
    why: String,
}

/// What a protocol gives the engine.
struct Protocol {
    body: Box<dyn Body>,
    transport: Box<dyn Transport>,
    /// Where it delivers to, for people.
    what: String,
}

impl Protocol {
    fn new(body: impl Body + 'static, transport: impl Transport + 'static, what: String) -> Self {
        Self {
            body: Box::new(body),
            transport: Box::new(transport),
            what,
        }
    }

    /// The protocol of a sink; nothing is connected or opened yet.
    ///
    /// # Errors
    /// In words, where its settings cannot be used.
    fn of(sink: &Sink, host: &str) -> Result<Self, String> {
        Ok(match &sink.to {
            To::Stdout(format) => {
                let out = io::stdout();
                let encoder = encoder(*format, out.is_terminal(), host);
                Self::new(
                    lines::Lines::new(encoder),
                    lines::Stdout(out),
                    "writes to standard output".to_owned(),
                )
            }
            To::File(file) => Self::new(
                lines::Lines::new(encoder(file.format, false, host)),
                file::Rotating::new(file),
                format!("writes to {}", file.path.display()),
            ),
            To::Http(http) => Self::new(
                http::JsonBody::new(host, http.array),
                http::Http::new(http)?,
                format!("sends to {}", without_secrets(&http.client.url)),
            ),
            To::Forward(config) => Self::new(
                forward::body(config, host),
                forward::transport(config, host)?,
                format!("forwards to {}", config.address),
            ),
            To::Otlp(config) => Self::new(
                otlp::body(host),
                otlp::transport(config)?,
                format!("sends to {}", without_secrets(&config.client.url)),
            ),
            To::Loki(config) => Self::new(
                loki::body(config, host),
                loki::transport(config)?,
                format!("sends to {}", without_secrets(&config.client.url)),
            ),
            To::Blackhole => Self::new(
                http::JsonBody::new(host, false),
                lines::Blackhole,
                "throws everything away".to_owned(),
            ),
        })
    }
}

/// A URL without what may be secret in it: its user, its password, its query.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Starts every sink of `sinks` on a thread of its own, fed by `store`. A thread ends when there is nothing more to come,
/// or `drain` after `shutdown` is triggered; what it has not delivered by then stays in the store. It gives an error
/// where its output has ended for good (the reader of standard output is gone), which is the end of the agent too.
///
/// # Errors
/// Where the settings of a sink cannot be used, with their key, or a thread cannot be started.
pub fn spawn_all(
    sinks: &[Sink],
    store: &Store,
    shutdown: &Shutdown,
    drain: Duration,
    metrics: &Metrics,
    health: &Arc<Health>,
) -> anyhow::Result<Vec<JoinHandle<io::Result<()>>>> {
    let host = host_name();
    let drain = Drain::new(shutdown, drain);
    // All are set up before any is started: a start that fails has sent nothing.
    let engines: Vec<_> = sinks
        .iter()
        .map(|sink| engine(sink, store, &drain, metrics, health, &host))
        .collect::<anyhow::Result<_>>()?;
    engines
        .into_iter()
        .zip(sinks)
        .map(|(engine, sink)| {
            std::thread::Builder::new()
                .name(format!("sink-{}", sink.name))
                .spawn(move || engine.run())
                .with_context(|| format!("sinks.{}", sink.name))
        })
        .collect()
}

/// Whether the settings of all sinks can be used: certificates, keys, secrets and proxies are looked at, nothing is sent.
///
/// # Errors
/// What cannot be used, with its key.
pub fn check(sinks: &[Sink]) -> Result<(), SetupError> {
    for sink in sinks {
        protocol(sink, "")?;
    }
    Ok(())
}

fn protocol(sink: &Sink, host: &str) -> Result<Protocol, SetupError> {
    Protocol::of(sink, host).map_err(|why| SetupError {
        name: sink.name.clone(),
        why,
    })
}

fn engine(
    sink: &Sink,
    store: &Store,
    drain: &Drain,
    metrics: &Metrics,
    health: &Arc<Health>,
    host: &str,
) -> anyhow::Result<Engine> {
    let place = || format!("sinks.{}", sink.name);
    let protocol = protocol(sink, host)?;
    Ok(Engine {
        feed: store.feed(&sink.name),
        body: protocol.body,
        transport: protocol.transport,
        batch: sink.batch,
        retry: sink.retry,
        select: Select::new(sink.filter.clone()),
        sampler: sink.sample.map(Sampler::new),
        mask: Mask::new(&sink.redact).with_context(place)?,
        compressor: Compressor::new(sink.compression).with_context(place)?,
        backoff: Backoff::new(sink.retry.initial, sink.retry.max),
        dead: sink
            .dead_letter
            .as_ref()
            .map(|path| DeadLetters::new(&sink.name, host, path)),
        state: State::new(
            &sink.name,
            protocol.what,
            metrics.sink(&sink.name),
            Arc::clone(health),
        ),
        drain: drain.clone(),
        limit: Limit::new(sink.batch.max_bytes),
        load: Load::default(),
    })
}

fn encoder(format: StdoutFormat, terminal: bool, host: &str) -> Box<dyn Encode + Send> {
    match format {
        StdoutFormat::Pretty => Box::new(pretty(terminal)),
        StdoutFormat::Auto if terminal => Box::new(pretty(true)),
        StdoutFormat::Json | StdoutFormat::Auto => Box::new(Json::with_origin(host)),
        StdoutFormat::Tsv => Box::new(Tsv),
    }
}

fn pretty(terminal: bool) -> Pretty {
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Pretty {
        colour,
        origin: true,
    }
}

/// What stands in every event as its host: `LOGSIEVE_HOST` or `NODE_NAME`, which a pod sets because the kernel tells it the pod's
/// own name; else the kernel's node name.
pub(crate) fn host_name() -> String {
    for name in ["LOGSIEVE_HOST", "NODE_NAME"] {
        if let Ok(given) = std::env::var(name)
            && !given.is_empty()
        {
            return given;
        }
    }
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
