//! Which sources a configuration means on this host, and their start.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use logline::rules::Pack;
use tracing::{info, warn};

use crate::config::Checked;
use crate::config::raw::{StartAt, Switch};
use crate::flow::{Cursor, Place};
use crate::kubernetes;
use crate::packs;
use crate::shutdown::Shutdown;
use crate::source::discover::{self, Places};
use crate::source::receive::{self, Intake};
use crate::source::{Counters, Sender, demo, docker, files, stdin, switches};
use crate::telemetry::{Health, Metrics};

/// Bytes that one file may give before it is the next one's turn.
const CHUNK_BYTES: usize = 64 * 1024;

/// While files give a little all the time, what they give is passed on so often.
const GATHER: Duration = Duration::from_millis(250);

/// Starts the sources that `config` names or, where it names none, those that this host has. They go on where `cursors`
/// say that an earlier run stood. Where a cluster tells of the pods whose logs are files, it is asked.
///
/// # Errors
/// Where a pattern cannot be used or a thread cannot be started.
pub fn spawn(
    config: &Checked,
    pack: &Pack,
    cursors: &[Cursor],
    sender: Sender,
    shutdown: &Shutdown,
    counters: &Arc<Counters>,
    health: &Arc<Health>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let chosen = choose(config, health);
    let switches = Arc::new(switches::Reader::new(packs::names(config)));
    let mut threads = Vec::new();
    if !chosen.files.is_empty() {
        let wanted = &config.sources.kubernetes;
        let pods = if chosen.pods_in_files || wanted.enabled == Switch::On {
            kubernetes::spawn(wanted, shutdown, counters, health).context("the watch of pods")?
        } else {
            None
        };
        let config = files::Config {
            pods,
            switches: Arc::clone(&switches),
            resume: cursors.iter().filter_map(file_position).collect(),
            ..files_config(config, &chosen.files)?
        };
        threads.push(
            files::spawn(
                config,
                sender.clone(),
                shutdown.clone(),
                Arc::clone(counters),
            )
            .context("source files")?,
        );
    }
    if chosen.docker {
        threads.push(
            docker::spawn(
                docker::Config {
                    skip_pods: chosen.pods_in_files,
                    switches,
                    resume: cursors.iter().filter_map(container_position).collect(),
                    ..docker_config(config)
                },
                sender.clone(),
                shutdown.clone(),
                Arc::clone(counters),
            )
            .context("source docker")?,
        );
    }
    let received = config.receivers.any();
    if config.sources.stdin {
        health.fine("stdin", "read to its end");
        let stdin = stdin::spawn(
            stdin::Config::default(),
            sender.clone(),
            shutdown.clone(),
            Arc::clone(counters),
        );
        threads.push(stdin.context("source stdin")?);
    }
    let demo = match config.sources.demo {
        Switch::On => true,
        Switch::Off => false,
        Switch::Auto => threads.is_empty() && !received,
    };
    if demo {
        health.fine("demo", "a demonstration stream is shown");
        threads.push(demo::spawn(pack, sender, shutdown.clone()).context("source demo")?);
    } else if threads.is_empty() && !received {
        health.broken(
            "sources",
            "nothing to read; name files in sources.files.include",
        );
        anyhow::bail!(
            "there is nothing to read: no sources are configured, none were found, and the demonstration is off"
        );
    }
    Ok(threads)
}

/// What takes what other pipelines send.
#[derive(Default)]
pub struct Received {
    /// Where requests by HTTP are handed over, if they are wanted.
    pub http: Option<Intake>,
    /// The threads.
    pub threads: Vec<JoinHandle<()>>,
}

/// Starts the receivers that `config` names. `forward` is the bound listener for Fluent forward, and `ready` tells whether the
/// store would keep what comes now.
///
/// # Errors
/// Where a thread cannot be started.
#[allow(clippy::too_many_arguments, reason = "the rooms' ends, each once")]
pub fn receive(
    config: &Checked,
    forward: Option<TcpListener>,
    host: String,
    ready: impl Fn() -> bool + Send + Sync + 'static,
    sender: &Sender,
    shutdown: &Shutdown,
    metrics: &Metrics,
    health: &Health,
) -> anyhow::Result<Received> {
    let wanted = &config.receivers;
    if !wanted.any() {
        return Ok(Received::default());
    }
    let options = receive::Options {
        max_bytes: wanted.max_body_bytes,
        max_pending_bytes: wanted.max_pending_bytes,
        labels: config.sources.docker.labels.clone(),
        pod_labels: config.sources.kubernetes.labels.clone(),
        host,
        ready: Box::new(ready),
        metrics: metrics.receive(),
    };
    let (intake, thread) =
        receive::spawn(options, sender.clone(), shutdown).context("the receivers")?;
    let mut threads = vec![thread];
    let mut ways = Vec::new();
    if wanted.http {
        ways.push("POST /ingest and POST /v1/logs".to_owned());
    }
    if let (Some(forward), Some(listener)) = (&wanted.forward, forward) {
        ways.push(format!("Fluent forward on {}", forward.listener.listen));
        let config = receive::forward::Config {
            shared_key: forward.listener.token.clone(),
            max_bytes: forward.max_chunk_bytes,
            max_connections: forward.max_connections,
        };
        let spawned = receive::forward::spawn(listener, config, intake.clone(), shutdown.clone());
        threads.push(spawned.context("source forward")?);
    }
    health.fine("receivers", format!("taking {}", ways.join(", ")));
    Ok(Received {
        http: wanted.http.then_some(intake),
        threads,
    })
}

struct Chosen {
    files: Vec<String>,
    docker: bool,
    /// Containers of pods are among the files.
    pods_in_files: bool,
}

fn choose(config: &Checked, health: &Health) -> Chosen {
    let include = &config.sources.files.include;
    if !include.is_empty() || config.sources.stdin || config.receivers.any() {
        let following = if include.is_empty() {
            "none".to_owned()
        } else {
            include.join(", ")
        };
        health.fine("files", format!("following {following}"));
        return Chosen {
            files: include.clone(),
            docker: config.sources.docker.enabled == Switch::On,
            pods_in_files: include
                .iter()
                .any(|path| path.contains("/pods/") || path.contains("/log/containers/")),
        };
    }
    let places = Places {
        docker: docker_host(config),
        ..Places::default()
    };
    let found = discover::discover(&places);
    for reason in &found.reasons {
        info!("{reason}");
    }
    let docker = match config.sources.docker.enabled {
        Switch::On => true,
        Switch::Off => false,
        Switch::Auto => found.follow_docker,
    };
    match &found.docker_api {
        Ok(version) => health.fine("docker", format!("engine {version}")),
        // A host without an engine is no fault, unless the configuration counts on one.
        Err(why) if config.sources.docker.enabled == Switch::On => {
            health.broken("docker", why.to_string());
        }
        Err(why) => health.fine("docker", format!("not followed: {why}")),
    }
    if found.files.is_empty() && !docker && config.sources.demo == Switch::Auto {
        warn!(
            "found no container logs on this host: showing a demonstration stream, marked `{}`",
            demo::NAME
        );
        warn!(
            "to label your own: logsieve classify FILE, or set sources.files.include (logsieve check prints all settings)"
        );
    }
    health.fine(
        "files",
        if found.files.is_empty() {
            "none found".to_owned()
        } else {
            format!("following {}", found.files.join(", "))
        },
    );
    Chosen {
        files: found.files,
        docker,
        pods_in_files: found.pods_in_files,
    }
}

/// Where a Docker engine may answer.
#[must_use]
pub fn docker_host(config: &Checked) -> docker::Host {
    docker::Host::Unix(PathBuf::from(&config.sources.docker.socket))
}

/// Whether the globs of a configuration can be used.
///
/// # Errors
/// A [`files::PatternError`] where one cannot.
pub fn check(config: &Checked) -> anyhow::Result<()> {
    patterns(config, &config.sources.files.include).map(drop)
}

fn patterns(config: &Checked, include: &[String]) -> anyhow::Result<files::Patterns> {
    files::Patterns::new(include, &config.sources.files.exclude).context("sources.files")
}

fn files_config(config: &Checked, include: &[String]) -> anyhow::Result<files::Config> {
    let wanted = &config.sources.files;
    let patterns = patterns(config, include)?;
    Ok(files::Config {
        start_at: match wanted.start_at {
            StartAt::Beginning => files::Start::Beginning,
            StartAt::End => files::Start::End,
            StartAt::Tail => files::Start::Tail(wanted.tail_bytes),
        },
        rescan: Duration::from_secs(wanted.rescan_seconds),
        max_backlog_bytes: (wanted.max_backlog_mib > 0).then_some(wanted.max_backlog_mib << 20),
        newest_first: wanted.newest_first,
        max_open_files: wanted.max_open,
        chunk_bytes: CHUNK_BYTES,
        gather: GATHER,
        docker_labels: config.sources.docker.labels.clone(),
        ..files::Config::new(patterns)
    })
}

/// Where a file is read on from, if the cursor is one of a file.
fn file_position(cursor: &Cursor) -> Option<files::Resume> {
    let Place::File { file, offset, seam } = cursor.place else {
        return None;
    };
    let kept_at = cursor.kept_at.and_then(|ns| u64::try_from(ns).ok());
    Some(files::Resume {
        finished: cursor.ended.is_some(),
        seam,
        name: cursor.stream.origin.name.clone(),
        at: kept_at.map(|ns| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)),
        ..files::Resume::new(file, offset)
    })
}

/// Where a container is read on from, if the cursor is one of a container.
fn container_position(cursor: &Cursor) -> Option<(String, docker::Position)> {
    match cursor.place {
        Place::Docker(position) => Some((cursor.stream.id.clone(), position)),
        _ => None,
    }
}

fn docker_config(config: &Checked) -> docker::Config {
    let wanted = &config.sources.docker;
    docker::Config {
        host: docker_host(config),
        start_at: docker::Start::Tail(wanted.tail_lines),
        labels: wanted.labels.clone(),
        ..docker::Config::default()
    }
}
