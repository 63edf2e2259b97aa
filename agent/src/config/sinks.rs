//! The sinks as the engine takes them: every value in its own type, every default filled in.

mod choice;
mod client;
mod protocols;

use std::path::PathBuf;
use std::time::Duration;

pub(super) use client::on_loopback;

use super::error::ConfigError;
use super::raw;
use super::raw::sinks::{CompressionName, Format, SinkType};

pub use choice::{Filter, Names, Redact};
pub use client::{Auth, Client, Proxy, Secret, Tls};
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
        // The larger, the cheaper: each request is followed by a commit. Receivers of HTTP take 4 MiB and more by default.
        let most_bytes = match kind {
            SinkType::Http => 2 << 20,
            _ => 1 << 20,
        };
        let mut batch = Batch {
            max_events: raw.max_events.unwrap_or(10_000),
            max_bytes: raw.max_bytes.unwrap_or(most_bytes),
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
}

fn path(text: Option<&String>) -> Option<PathBuf> {
    text.filter(|text| !text.is_empty()).map(PathBuf::from)
}
