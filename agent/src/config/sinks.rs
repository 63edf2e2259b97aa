//! The sinks as the engine takes them: every value in its own type, every default filled in.

mod protocols;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use globset::{Glob, GlobSet, GlobSetBuilder};
use logline::level::Level;
use logline::redact::{Detector, Detectors, OwnPattern, RedactOptions, Redactor};
use logline::rules::did_you_mean;

use super::error::ConfigError;
use super::raw;
use super::raw::sinks::{CompressionName, Format, LevelName, SinkType};

pub use protocols::{Forward, Label, Loki, Otlp, Tag, TagField, TagPart};

/// One sink.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its name in metrics, health and the store, where its cursor is kept under it.
    pub name: String,
    /// What it is.
    pub to: To,
    /// How many events go together.
    pub batch: Batch,
    /// How bodies are compressed.
    pub compression: Compression,
    /// Which events go out.
    pub filter: Filter,
    /// The first so many of a template go out, per stream and minute.
    pub sample: Option<u32>,
    /// What is masked.
    pub redact: Redact,
    /// What is done after a failure.
    pub retry: Retry,
    /// Where events are written that the other side refuses.
    pub dead_letter: Option<PathBuf>,
}

/// What a sink is.
#[derive(Clone, Debug)]
pub enum To {
    /// Standard output.
    Stdout(StdoutFormat),
    /// A file.
    File(File),
    /// HTTP requests with JSON.
    Http(Http),
    /// The Fluent forward protocol.
    Forward(Forward),
    /// OTLP over HTTP.
    Otlp(Otlp),
    /// Loki's push API.
    Loki(Loki),
    /// Nowhere.
    Blackhole,
}

/// How an event is written to standard output or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
    /// Tab-separated.
    Tsv,
}

/// How many events go together: whichever bound is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Events.
    pub max_events: usize,
    /// Bytes before compression.
    pub max_bytes: usize,
    /// Since the first of them.
    pub max_wait: Duration,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not.
    None,
    /// With gzip at this level (1 to 9).
    Gzip(u32),
    /// With zstd at this level (-7 to 19).
    Zstd(i32),
}

/// Which events go out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At least so severe.
    pub min_level: Option<Level>,
    /// Wanted and not wanted categories.
    pub categories: Names,
    /// Wanted and not wanted Kubernetes namespaces.
    pub namespaces: Names,
    /// Wanted and not wanted containers.
    pub containers: Names,
}

/// Names that are wanted and names that are not, as globs.
#[derive(Clone, Debug, Default)]
pub struct Names {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl Names {
    /// Whether a name is let through.
    #[must_use]
    pub fn admit(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|set| set.is_match(name))
            && !self.exclude.as_ref().is_some_and(|set| set.is_match(name))
    }

    /// Whether every name is let through.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }
}

/// What is masked before anything leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redact {
    /// Nothing.
    Off,
    /// What these find.
    On(RedactOptions),
}

/// What is done after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Upper bound of the first wait.
    pub initial: Duration,
    /// Upper bound of all waits.
    pub max: Duration,
    /// A batch is given up after so long.
    pub max_elapsed: Option<Duration>,
}

/// A file that is put aside when it is large or old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: PathBuf,
    /// How an event is written.
    pub format: StdoutFormat,
    /// It is put aside at so many bytes...
    pub max_bytes: Option<u64>,
    /// ...or after so long.
    pub max_age: Option<Duration>,
    /// So many are kept that were put aside.
    pub keep: Option<usize>,
    /// They are compressed.
    pub gzip: bool,
    /// What was written is on the disk before it counts as delivered.
    pub sync: bool,
}

/// HTTP requests with JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// How they are made.
    pub client: Client,
    /// One array instead of one object a line.
    pub array: bool,
}

/// How HTTP requests are made; the same for every protocol over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `http://` or `https://`.
    pub url: String,
    /// From the first byte sent to the last one received.
    pub timeout: Duration,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// Who asks.
    pub auth: Auth,
    /// How the connection is protected.
    pub tls: Tls,
    /// Which way the request goes.
    pub proxy: Proxy,
}

/// A value that is read when it is needed, so that a new one is found.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Known.
    Text(String),
    /// The text of a file, without white space around it.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nobody in particular.
    None,
    /// Whoever has this token.
    Bearer(Secret),
    /// A user with a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// How a connection is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the authorities that are believed; none: the public ones.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client's certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must hold; none: the URL's.
    pub server_name: Option<String>,
    /// The server's certificate is not looked at.
    pub insecure: bool,
}

/// Which way a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    /// Straight.
    None,
    /// Through this one.
    Url(String),
}

/// Keys that every sink may have.
const COMMON: &[&str] = &[
    "type", "enabled", "batch", "filter", "sample", "redact", "retry",
];
/// Keys of those that other sides may refuse.
const REFUSABLE: &[&str] = &["dead_letter", "compression", "compression_level"];
/// Keys of those that make HTTP requests.
const CLIENT: &[&str] = &["url", "timeout_ms", "headers", "auth", "tls", "proxy"];

/// The keys that a sink of this type may have, beside [`COMMON`].
fn keys(kind: SinkType) -> Vec<&'static str> {
    let own: &[&[&str]] = match kind {
        SinkType::Stdout => &[&["format"]],
        SinkType::File => &[&["path", "format", "rotate", "sync"]],
        SinkType::Http => &[&["format"], CLIENT, REFUSABLE],
        SinkType::Forward => &[
            &[
                "url",
                "tag",
                "ack",
                "shared_key",
                "auth",
                "tls",
                "timeout_ms",
            ],
            &["compression", "compression_level"],
        ],
        SinkType::Otlp => &[CLIENT, REFUSABLE],
        SinkType::Loki => &[&["labels", "fixed_labels", "tenant"], CLIENT, REFUSABLE],
        SinkType::Blackhole => &[&["format", "compression", "compression_level"]],
    };
    own.concat()
}

/// Checks all sinks that are not switched off, in the order of their names.
pub(super) fn check(file: &str, raw: raw::Sinks) -> Result<Vec<Sink>, ConfigError> {
    let mut sinks = Vec::new();
    for (name, sink) in raw.0 {
        let checked = Place {
            file,
            path: format!("sinks.{name}"),
        }
        .sink(&name, &sink)?;
        if sink.enabled.unwrap_or(true) {
            sinks.push(checked);
        }
    }
    Ok(sinks)
}

/// Where in the configuration a value stands, for the errors.
struct Place<'a> {
    file: &'a str,
    path: String,
}

impl Place<'_> {
    fn wrong(&self, key: &str, problem: &str, remedy: &str) -> ConfigError {
        ConfigError::value(self.file, &format!("{}.{key}", self.path), problem, remedy)
    }

    fn sink(&self, name: &str, raw: &raw::Sink) -> Result<Sink, ConfigError> {
        let sound = !name.is_empty()
            && name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !sound {
            return Err(ConfigError::value(
                self.file,
                "sinks",
                &format!("`{}` cannot be a sink's name", name.escape_debug()),
                "use at most 64 letters, digits, `-`, `_` and `.`",
            ));
        }
        let kind = match (raw.r#type, name) {
            (Some(kind), _) => kind,
            (None, "stdout") => SinkType::Stdout,
            (None, _) => {
                return Err(self.wrong(
                    "type",
                    "is missing",
                    "say what the sink is: stdout, file, http, forward, otlp, loki, blackhole",
                ));
            }
        };
        let allowed = keys(kind);
        let foreign = raw
            .given()
            .into_iter()
            .find(|key| !COMMON.contains(key) && !allowed.contains(key));
        if let Some(key) = foreign {
            return Err(self.wrong(
                key,
                &format!("a sink of type {} has no such key", kind.as_str()),
                &format!("it may have {}, {}", allowed.join(", "), COMMON.join(", ")),
            ));
        }
        let to = self.to(kind, raw)?;
        Ok(Sink {
            name: name.to_owned(),
            batch: self.batch(kind, &to, raw.batch.as_ref())?,
            compression: self.body_compression(&to, raw)?,
            to,
            filter: self.filter(raw.filter.as_ref())?,
            sample: raw
                .sample
                .as_ref()
                .and_then(|sample| sample.first_per_minute)
                .filter(|first| *first > 0),
            redact: self.redact(raw.redact.as_ref())?,
            retry: self.retry(raw.retry.as_ref())?,
            dead_letter: path(raw.dead_letter.as_ref()),
        })
    }

    fn to(&self, kind: SinkType, raw: &raw::Sink) -> Result<To, ConfigError> {
        Ok(match kind {
            SinkType::Stdout => To::Stdout(self.lines(raw, StdoutFormat::Auto)?),
            SinkType::File => To::File(self.rotated(raw)?),
            SinkType::Http => To::Http(Http {
                client: self.client(raw)?,
                array: match raw.format {
                    None | Some(Format::Ndjson | Format::Json) => false,
                    Some(Format::Array) => true,
                    Some(other) => return Err(self.format(other, "ndjson or array")),
                },
            }),
            SinkType::Forward => To::Forward(self.forward(raw)?),
            SinkType::Otlp => To::Otlp(self.otlp(raw)?),
            SinkType::Loki => To::Loki(self.loki(raw)?),
            SinkType::Blackhole => {
                self.lines(raw, StdoutFormat::Json)?;
                To::Blackhole
            }
        })
    }

    fn format(&self, format: Format, allowed: &str) -> ConfigError {
        self.wrong(
            "format",
            &format!("`{}` is not allowed here", format.as_str()),
            &format!("use {allowed}"),
        )
    }

    fn lines(&self, raw: &raw::Sink, default: StdoutFormat) -> Result<StdoutFormat, ConfigError> {
        Ok(match raw.format {
            None => default,
            Some(Format::Auto) if default == StdoutFormat::Auto => StdoutFormat::Auto,
            Some(Format::Json | Format::Ndjson) => StdoutFormat::Json,
            Some(Format::Pretty) => StdoutFormat::Pretty,
            Some(Format::Tsv) => StdoutFormat::Tsv,
            Some(other) => return Err(self.format(other, "json, pretty or tsv")),
        })
    }

    fn rotated(&self, raw: &raw::Sink) -> Result<File, ConfigError> {
        let Some(path) = path(raw.path.as_ref()) else {
            return Err(self.wrong("path", "is missing", "say which file is written"));
        };
        let rotate = raw.rotate.clone().unwrap_or_default();
        let positive = |value: u64| Some(value).filter(|value| *value > 0);
        let max_bytes = positive(rotate.max_bytes.unwrap_or(100 << 20));
        if max_bytes.is_some_and(|bytes| bytes < 4096) {
            return Err(self.wrong(
                "rotate.max_bytes",
                "is too small",
                "use 4096 or more, or 0 for no bound",
            ));
        }
        Ok(File {
            path,
            format: self.lines(raw, StdoutFormat::Json)?,
            max_bytes,
            max_age: positive(rotate.max_age_seconds.unwrap_or(86_400)).map(Duration::from_secs),
            keep: Some(rotate.keep.unwrap_or(5)).filter(|keep| *keep > 0),
            gzip: rotate.gzip.unwrap_or(true),
            sync: raw.sync.unwrap_or(true),
        })
    }

    fn batch(
        &self,
        kind: SinkType,
        to: &To,
        raw: Option<&raw::sinks::Batch>,
    ) -> Result<Batch, ConfigError> {
        let raw = raw.cloned().unwrap_or_default();
        let wait = match kind {
            SinkType::Stdout => 0,
            SinkType::File => 200,
            SinkType::Http
            | SinkType::Forward
            | SinkType::Otlp
            | SinkType::Loki
            | SinkType::Blackhole => 1_000,
        };
        let mut batch = Batch {
            max_events: raw.max_events.unwrap_or(10_000),
            max_bytes: raw.max_bytes.unwrap_or(1 << 20),
            max_wait: Duration::from_millis(raw.max_wait_ms.unwrap_or(wait)),
        };
        if batch.max_events == 0 {
            return Err(self.wrong("batch.max_events", "0 is too small", "use 1 or more"));
        }
        if !(1024..=256 << 20).contains(&batch.max_bytes) {
            return Err(self.wrong(
                "batch.max_bytes",
                &format!("{} cannot be", batch.max_bytes),
                "use 1024 to 268435456",
            ));
        }
        // What is written together is not parted: a file is put aside before it is too large.
        if let To::File(File {
            max_bytes: Some(max),
            ..
        }) = to
        {
            let most = usize::try_from(max / 4).unwrap_or(usize::MAX);
            batch.max_bytes = batch.max_bytes.min(most);
        }
        Ok(batch)
    }

    /// How the bodies of a sink are compressed.
    fn body_compression(&self, to: &To, raw: &raw::Sink) -> Result<Compression, ConfigError> {
        let name = raw.compression.unwrap_or(CompressionName::Auto);
        let name = match to {
            // What is in its messages is compressed, not they.
            To::Forward(_) => return Ok(Compression::None),
            To::Loki(loki) => self.only_gzip(raw, &loki.client.url)?,
            To::Http(Http { client, .. }) | To::Otlp(Otlp { client })
                if name == CompressionName::Auto && !on_loopback(&client.url) =>
            {
                CompressionName::Gzip
            }
            _ => name,
        };
        self.compression(name, raw)
    }

    fn compression(
        &self,
        name: CompressionName,
        raw: &raw::Sink,
    ) -> Result<Compression, ConfigError> {
        let level = |allowed: std::ops::RangeInclusive<i32>| {
            let level = raw.compression_level.unwrap_or(1);
            if allowed.contains(&level) {
                return Ok(level);
            }
            Err(self.wrong(
                "compression_level",
                &format!("{level} cannot be"),
                &format!("use {} to {}", allowed.start(), allowed.end()),
            ))
        };
        Ok(match name {
            CompressionName::None | CompressionName::Auto => Compression::None,
            CompressionName::Gzip => Compression::Gzip(level(1..=9)?.unsigned_abs()),
            CompressionName::Zstd => Compression::Zstd(level(-7..=19)?),
        })
    }

    fn filter(&self, raw: Option<&raw::sinks::Filter>) -> Result<Filter, ConfigError> {
        let raw = raw.cloned().unwrap_or_default();
        let exclude = raw.exclude.unwrap_or_default();
        let names = |key: &str, include: Option<Vec<String>>, exclude: Option<Vec<String>>| {
            Ok(Names {
                include: self.globs(&format!("filter.{key}"), include.as_deref())?,
                exclude: self.globs(&format!("filter.exclude.{key}"), exclude.as_deref())?,
            })
        };
        Ok(Filter {
            min_level: raw
                .min_level
                .map(level)
                .filter(|least| *least > Level::Trace),
            categories: names("categories", raw.categories, exclude.categories)?,
            namespaces: names("namespaces", raw.namespaces, exclude.namespaces)?,
            containers: names("containers", raw.containers, exclude.containers)?,
        })
    }

    fn globs(&self, key: &str, globs: Option<&[String]>) -> Result<Option<GlobSet>, ConfigError> {
        let Some(globs) = globs.filter(|globs| !globs.is_empty()) else {
            return Ok(None);
        };
        let wrong = |error: globset::Error| {
            self.wrong(
                key,
                &format!("no glob: {error}"),
                "write names, with * and ? for any",
            )
        };
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(Glob::new(glob).map_err(wrong)?);
        }
        set.build().map(Some).map_err(wrong)
    }

    fn redact(&self, raw: Option<&raw::sinks::Redact>) -> Result<Redact, ConfigError> {
        let mut options = RedactOptions::default();
        match raw {
            Some(raw::sinks::Redact::Switch(false)) => return Ok(Redact::Off),
            None | Some(raw::sinks::Redact::Switch(true)) => {}
            Some(raw::sinks::Redact::Detail(detail)) => {
                if let Some(names) = &detail.detectors {
                    let known: Vec<&'static str> =
                        Detector::ALL.iter().map(|it| it.as_str()).collect();
                    options.detectors = Detectors::NONE.with(Detector::Own);
                    for name in names {
                        let detector = Detector::from_name(name).ok_or_else(|| {
                            self.wrong(
                                "redact.detectors",
                                &format!("there is no detector `{}`", name.escape_debug()),
                                &did_you_mean(name, &known),
                            )
                        })?;
                        options.detectors = options.detectors.with(detector);
                    }
                }
                let own = detail.patterns.iter().flatten();
                options.own = own
                    .map(|(name, regex)| OwnPattern {
                        name: name.clone(),
                        regex: regex.clone(),
                    })
                    .collect();
                if let Err(error) = Redactor::new(&options) {
                    return Err(self.wrong(
                        &format!("redact.patterns.{}", error.name),
                        &error.why.to_string(),
                        "write NAME: REGEX; only its group `secret` is masked, if it has one",
                    ));
                }
            }
        }
        Ok(Redact::On(options))
    }

    fn retry(&self, raw: Option<&raw::sinks::Retry>) -> Result<Retry, ConfigError> {
        let raw = raw.cloned().unwrap_or_default();
        let retry = Retry {
            initial: Duration::from_millis(raw.initial_ms.unwrap_or(250)),
            max: Duration::from_millis(raw.max_ms.unwrap_or(30_000)),
            max_elapsed: Some(raw.max_elapsed_seconds.unwrap_or(0))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
        };
        if retry.initial.is_zero() || retry.max < retry.initial {
            return Err(self.wrong(
                "retry",
                "initial_ms is 0 or larger than max_ms",
                "use 1 or more, and max_ms at least as large",
            ));
        }
        Ok(retry)
    }

    fn client(&self, raw: &raw::Sink) -> Result<Client, ConfigError> {
        let Some(url) = raw.url.clone() else {
            return Err(self.wrong("url", "is missing", "write it like http://127.0.0.1:8080/"));
        };
        let host = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if host.is_none() || url.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
            return Err(self.wrong(
                "url",
                &format!("`{}` is not an address", url.escape_debug()),
                "write it like http://127.0.0.1:8080/ or https://logs.example.com/in",
            ));
        }
        Ok(Client {
            timeout: self.timeout(raw)?,
            headers: self.headers(raw)?,
            auth: self.auth(raw.auth.as_ref())?,
            tls: self.tls(&url, raw.tls.as_ref())?,
            proxy: match raw.proxy.as_deref() {
                // What is on this host is not asked for through another one.
                None | Some("environment") if on_loopback(&url) => Proxy::None,
                None | Some("environment") => Proxy::Environment,
                Some("none" | "") => Proxy::None,
                Some(url) => Proxy::Url(url.to_owned()),
            },
            url,
        })
    }

    fn headers(&self, raw: &raw::Sink) -> Result<Vec<(String, Secret)>, ConfigError> {
        let mut headers = Vec::new();
        for (name, value) in raw.headers.iter().flatten() {
            let key = format!("headers.{name}");
            let token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                return Err(self.wrong(&key, "is no header's name", "use letters, digits and `-`"));
            }
            headers.push((name.clone(), self.secret(&key, value)?));
        }
        Ok(headers)
    }

    /// A secret that stands somewhere else.
    fn hidden(&self, key: &str, secret: &raw::sinks::Secret) -> Result<Secret, ConfigError> {
        if matches!(secret, raw::sinks::Secret::Text(_)) {
            return Err(self.wrong(
                key,
                "a secret does not stand in the configuration",
                "write {file: PATH} or {env: NAME}",
            ));
        }
        self.secret(key, secret)
    }

    fn auth(&self, raw: Option<&raw::sinks::Auth>) -> Result<Auth, ConfigError> {
        let Some(raw) = raw else {
            return Ok(Auth::None);
        };
        match (&raw.bearer, &raw.user, &raw.password) {
            (None, None, None) => Ok(Auth::None),
            (Some(bearer), None, None) => Ok(Auth::Bearer(self.hidden("auth.bearer", bearer)?)),
            (None, Some(user), Some(password)) => Ok(Auth::Basic {
                user: user.clone(),
                password: self.hidden("auth.password", password)?,
            }),
            _ => Err(self.wrong(
                "auth",
                "cannot be understood",
                "give either bearer, or user and password",
            )),
        }
    }

    fn timeout(&self, raw: &raw::Sink) -> Result<Duration, ConfigError> {
        match raw.timeout_ms.unwrap_or(30_000) {
            0 => Err(self.wrong("timeout_ms", "0 is too small", "use 1 or more")),
            timeout => Ok(Duration::from_millis(timeout)),
        }
    }

    /// Where a secret is read from; that there is one is seen now.
    fn secret(&self, key: &str, raw: &raw::sinks::Secret) -> Result<Secret, ConfigError> {
        let secret = match raw {
            raw::sinks::Secret::Text(text) => Secret::Text(text.clone()),
            raw::sinks::Secret::File(path) => Secret::File(PathBuf::from(path)),
            raw::sinks::Secret::Env(name) => match std::env::var(name) {
                Ok(value) => Secret::Text(value.trim().to_owned()),
                Err(_) => {
                    return Err(self.wrong(
                        key,
                        &format!("the environment has no `{name}`"),
                        "set it where the agent is started, or use {file: PATH}",
                    ));
                }
            },
        };
        let value = secret.read().map_err(|error| {
            self.wrong(
                key,
                &format!("cannot be read: {error}"),
                "give the agent a file that it may read",
            )
        })?;
        if value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(self.wrong(
                key,
                "holds line breaks or control characters",
                "a header's value is one line",
            ));
        }
        Ok(secret)
    }

    fn tls(&self, url: &str, raw: Option<&raw::sinks::Tls>) -> Result<Tls, ConfigError> {
        let Some(raw) = raw else {
            return Ok(Tls::default());
        };
        let client = match (path(raw.cert_file.as_ref()), path(raw.key_file.as_ref())) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            _ => {
                return Err(self.wrong(
                    "tls",
                    "cert_file and key_file go together",
                    "give both, or neither",
                ));
            }
        };
        let tls = Tls {
            ca_file: path(raw.ca_file.as_ref()),
            client,
            server_name: raw.server_name.clone().filter(|name| !name.is_empty()),
            insecure: raw.insecure.unwrap_or(false),
        };
        let secured = url.starts_with("https://") || url.starts_with("tls://");
        if !secured && tls != Tls::default() {
            return Err(self.wrong(
                "tls",
                "the url is not https (for forward: tls)",
                "write https:// or tls:// in the url, or leave tls out",
            ));
        }
        Ok(tls)
    }
}

impl Secret {
    /// The value as it is now.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self) -> std::io::Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
                })?;
                Ok(text.trim().to_owned())
            }
        }
    }
}

fn path(text: Option<&String>) -> Option<PathBuf> {
    text.filter(|text| !text.is_empty()).map(PathBuf::from)
}

fn level(name: LevelName) -> Level {
    match name {
        LevelName::Trace => Level::Trace,
        LevelName::Debug => Level::Debug,
        LevelName::Info => Level::Info,
        LevelName::Notice => Level::Notice,
        LevelName::Warn => Level::Warn,
        LevelName::Error => Level::Error,
        LevelName::Fatal => Level::Fatal,
    }
}

/// Whether a URL leads to this host, so far as its text tells.
fn on_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
