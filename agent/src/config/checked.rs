//! What the rooms take: every value in its own type, nothing left to check.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logline::assemble;

use super::error::ConfigError;
use super::llm::{self, Llm};
use super::raw::{self, LogFormat, LogLevel, Model, Raw, Sources, Store, Switch};
use super::receivers::{self, Receivers};
use super::sinks::{self, Sink};

/// Which pack decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackChoice {
    /// One that is compiled in, by name.
    Builtin(String),
    /// A file of the user's.
    File(PathBuf),
}

impl PackChoice {
    /// A value with a `/` or a YAML ending is a path; anything else names a built-in pack.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let is_path = value.contains('/') || value.ends_with(".yaml") || value.ends_with(".yml");
        if is_path {
            Self::File(PathBuf::from(value))
        } else {
            Self::Builtin(value.to_owned())
        }
    }
}

/// Where requests are taken, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The bearer token that it asks for.
    pub token: Option<String>,
}

/// The listener that answers about the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Where and for whom.
    pub listener: Listener,
    /// Secrets are masked in the lines that it shows.
    pub redact: bool,
    /// Further names under which it may be asked, in lower case.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask it from a browser; `*` is any.
    pub cors_origins: Vec<String>,
    /// The most that a request's body may hold.
    pub max_body_bytes: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// Requests that one address may send in a second.
    pub requests_per_second: u32,
    /// Connections at a time.
    pub max_connections: usize,
    /// Live streams at a time.
    pub max_streams: usize,
}

/// The metrics and health listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where and for whom.
    pub listener: Listener,
    /// Streams with metrics of their own.
    pub max_streams: usize,
}

/// A configuration that can be run.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Where lines come from.
    pub sources: Sources,
    /// What other pipelines may send.
    pub receivers: Receivers,
    /// Bounds of the joins.
    pub assemble: assemble::Limits,
    /// Seconds east of UTC for times without a zone.
    pub utc_offset_s: i32,
    /// Which pack decides.
    pub pack: PackChoice,
    /// Further packs, by the names that containers ask for.
    pub packs: BTreeMap<String, PackChoice>,
    /// Bound of the template table.
    pub max_templates: usize,
    /// How long a line waits for its template's verdict.
    pub verdict_wait: Duration,
    /// The BERT.
    pub model: Model,
    /// What a language model is asked about.
    pub llm: Llm,
    /// What is kept on this host.
    pub store: Store,
    /// Where labelled events go.
    pub sinks: Vec<Sink>,
    /// The listener that answers about the logs, if there is one.
    pub api: Option<Api>,
    /// The metrics and health listener, if there is one.
    pub telemetry: Option<Telemetry>,
    /// Least severe level of the agent's own log.
    pub log_level: LogLevel,
    /// How the agent's own log is written.
    pub log_format: LogFormat,
    /// How long a stop may take.
    pub drain_timeout: Duration,
}

impl Checked {
    /// Reads and checks a configuration file; without one, the defaults.
    ///
    /// # Errors
    /// A [`ConfigError`] with the place and the remedy.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = file else {
            return Self::parse("built-in defaults", "");
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::unreadable(&name, &error))?;
        Self::parse(&name, &text)
    }

    /// Checks the text of a configuration; `name` stands in the errors.
    ///
    /// # Errors
    /// A [`ConfigError`] with the place and the remedy.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let raw = Raw::parse(text).map_err(|error| ConfigError::yaml(name, &error))?;
        check(name, raw)
    }
}

fn check(name: &str, raw: Raw) -> Result<Checked, ConfigError> {
    let at_least = |key: &str, value: u64, least: u64| {
        if value >= least {
            return Ok(());
        }
        Err(ConfigError::value(
            name,
            key,
            &format!("{value} is too small"),
            &format!("use {least} or more"),
        ))
    };
    at_least(
        "sources.files.rescan_seconds",
        raw.sources.files.rescan_seconds,
        1,
    )?;
    at_least(
        "sources.files.max_open",
        raw.sources.files.max_open as u64,
        1,
    )?;
    at_least(
        "sources.kubernetes.max_pods",
        raw.sources.kubernetes.max_pods as u64,
        1,
    )?;
    at_least("events.max_bytes", raw.events.max_bytes as u64, 256)?;
    at_least("events.max_lines", u64::from(raw.events.max_lines), 1)?;
    at_least("store.max_mib", raw.store.max_mib, 16)?;
    at_least("store.max_age_hours", raw.store.max_age_hours, 1)?;
    at_least("store.commit_ms", raw.store.commit_ms, 10)?;
    at_least("api.max_body_bytes", raw.api.max_body_bytes as u64, 1024)?;
    at_least("api.timeout_ms", raw.api.timeout_ms, 100)?;
    at_least(
        "api.requests_per_second",
        u64::from(raw.api.requests_per_second),
        1,
    )?;
    at_least("api.max_connections", raw.api.max_connections as u64, 1)?;
    at_least(
        "classify.max_templates",
        raw.classify.max_templates as u64,
        1,
    )?;
    at_least(
        "classify.model.threads",
        raw.classify.model.threads as u64,
        1,
    )?;
    let minutes = raw.events.utc_offset_minutes;
    if minutes.abs() > 18 * 60 {
        return Err(ConfigError::value(
            name,
            "events.utc_offset_minutes",
            &format!("{minutes} is no zone of this world"),
            "use -1080 to 1080",
        ));
    }
    Ok(Checked {
        assemble: assemble::Limits {
            max_bytes: raw.events.max_bytes,
            max_lines: raw.events.max_lines,
            max_wait_ms: raw.events.max_wait_ms,
            multiline: raw.events.multiline,
        },
        receivers: receivers::check(name, &raw)?,
        utc_offset_s: minutes * 60,
        pack: PackChoice::parse(&raw.classify.pack),
        packs: raw
            .classify
            .packs
            .iter()
            .map(|(name, value)| (name.clone(), PackChoice::parse(value)))
            .collect(),
        max_templates: raw.classify.max_templates,
        verdict_wait: Duration::from_millis(raw.classify.wait_ms),
        model: raw.classify.model,
        llm: llm::check(name, &raw.llm, &|variable| std::env::var(variable).ok())?,
        store: raw.store,
        sinks: sinks::check(name, raw.sinks)?,
        api: api(name, &raw.api)?,
        telemetry: listener(
            name,
            "telemetry",
            &raw.telemetry.listen,
            token_of(&raw.telemetry.token_file, "")?,
        )?
        .map(|listener| Telemetry {
            listener,
            max_streams: raw.telemetry.max_streams,
        }),
        log_level: raw.log.level,
        log_format: raw.log.format,
        drain_timeout: Duration::from_secs(raw.drain_timeout_seconds),
        sources: raw.sources,
    })
}

/// The listener that answers about the logs, if one is wanted.
fn api(name: &str, raw: &raw::Api) -> Result<Option<Api>, ConfigError> {
    let token = token_of(&raw.token_file, &raw.token_env)?;
    let Some(listener) = listener(name, "api", &raw.listen, token)? else {
        return Ok(None);
    };
    for origin in &raw.cors_origins {
        let sound = origin == "*"
            || origin.split_once("://").is_some_and(|(scheme, host)| {
                !scheme.is_empty() && !host.is_empty() && !host.contains('/')
            });
        if !sound {
            return Err(ConfigError::value(
                name,
                "api.cors_origins",
                &format!("`{origin}` is no origin"),
                "write it like https://logs.example.org, without a path",
            ));
        }
    }
    Ok(Some(Api {
        redact: match raw.redact {
            Switch::On => true,
            Switch::Off => false,
            // What stays on this host may be read as it is.
            Switch::Auto => !listener.listen.ip().is_loopback(),
        },
        listener,
        hosts: raw
            .hosts
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
        cors_origins: raw.cors_origins.clone(),
        max_body_bytes: raw.max_body_bytes,
        timeout: Duration::from_millis(raw.timeout_ms),
        requests_per_second: raw.requests_per_second,
        max_connections: raw.max_connections,
        max_streams: raw.max_streams,
    }))
}

/// The token that `file` holds, else that of the environment variable `variable`; both may be empty for none.
pub(super) fn token_of(file: &str, variable: &str) -> Result<Option<String>, ConfigError> {
    let text = match (file, variable) {
        ("", "") => return Ok(None),
        ("", variable) => std::env::var(variable).unwrap_or_default(),
        (file, _) => {
            std::fs::read_to_string(file).map_err(|error| ConfigError::unreadable(file, &error))?
        }
    };
    Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// The listener of `section`, if one is wanted.
fn listener(
    name: &str,
    section: &str,
    listen: &str,
    token: Option<String>,
) -> Result<Option<Listener>, ConfigError> {
    if listen.is_empty() {
        return Ok(None);
    }
    let key = format!("{section}.listen");
    let listen: SocketAddr = listen.parse().map_err(|_| {
        let problem = format!("`{listen}` is not an address with a port");
        ConfigError::value(
            name,
            &key,
            &problem,
            "write it like 127.0.0.1:7334, or leave it empty for none",
        )
    })?;
    if !listen.ip().is_loopback() && token.is_none() {
        let problem = format!("{listen} can be reached from other hosts and no token protects it");
        return Err(ConfigError::value(
            name,
            &key,
            &problem,
            &format!("set {section}.token_file, or listen on 127.0.0.1"),
        ));
    }
    Ok(Some(Listener { listen, token }))
}
