//! What the rooms take: every value in its own type, nothing left to check.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logline::assemble;

use super::error::ConfigError;
use super::raw::{LogFormat, LogLevel, Raw, Sources, Store};
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
    /// Bounds of the joins.
    pub assemble: assemble::Limits,
    /// Seconds east of UTC for times without a zone.
    pub utc_offset_s: i32,
    /// Which pack decides.
    pub pack: PackChoice,
    /// Bound of the template table.
    pub max_templates: usize,
    /// What is kept on this host.
    pub store: Store,
    /// Where labelled events go.
    pub sinks: Vec<Sink>,
    /// The listener that answers about the logs, if there is one.
    pub api: Option<Listener>,
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
    at_least("events.max_bytes", raw.events.max_bytes as u64, 256)?;
    at_least("events.max_lines", u64::from(raw.events.max_lines), 1)?;
    at_least("store.max_mib", raw.store.max_mib, 16)?;
    at_least("store.max_age_hours", raw.store.max_age_hours, 1)?;
    at_least("store.commit_ms", raw.store.commit_ms, 10)?;
    at_least(
        "classify.max_templates",
        raw.classify.max_templates as u64,
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
        utc_offset_s: minutes * 60,
        pack: PackChoice::parse(&raw.classify.pack),
        max_templates: raw.classify.max_templates,
        store: raw.store,
        sinks: sinks::check(name, raw.sinks)?,
        api: listener(name, "api", &raw.api.listen, &raw.api.token_file)?,
        telemetry: listener(
            name,
            "telemetry",
            &raw.telemetry.listen,
            &raw.telemetry.token_file,
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

/// The listener of `section`, if one is wanted.
fn listener(
    name: &str,
    section: &str,
    listen: &str,
    token_file: &str,
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
    let token = match token_file {
        "" => None,
        file => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| ConfigError::unreadable(file, &error))?;
            Some(text.trim().to_owned()).filter(|token| !token.is_empty())
        }
    };
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
