//! The sinks as they are written: `stdout`, and any number of others under names of their own.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// All sinks by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Sinks(pub BTreeMap<String, Sink>);

impl Sinks {
    /// The same with what `other` names replaced or added.
    pub(super) fn with(mut self, other: Self) -> Self {
        for (name, sink) in other.0 {
            let known = self.0.remove(&name).unwrap_or_default();
            self.0.insert(name, known.with(sink));
        }
        self
    }
}

/// Declares a section whose keys are all optional: what is missing has a default that depends on the sink's type.
macro_rules! options {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>,)+
        }
    };
    (merged $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        options! { $(#[$doc])* $name { $($(#[$field_doc])* $field: $type),+ } }

        impl $name {
            /// The keys that are given.
            pub(in crate::config) fn given(&self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if self.$field.is_some() { keys.push(stringify!($field).trim_start_matches("r#")); })+
                keys
            }

            /// The same with what `other` gives replaced.
            #[must_use]
            pub(super) fn with(self, other: Self) -> Self {
                Self { $($field: other.$field.or(self.$field),)+ }
            }
        }
    };
}

options! { merged
    /// One sink. Which keys it may have depends on its type.
    Sink {
        /// What it is; `stdout` needs none.
        r#type: SinkType,
        /// Off: as if it were not written.
        enabled: bool,
        /// How an event is written.
        format: Format,
        /// Where a file is written.
        path: String,
        /// When a file is put aside.
        rotate: Rotate,
        /// Whether what a file was given is on the disk before it counts as delivered.
        sync: bool,
        /// Where requests go.
        url: String,
        /// How long a request may take.
        timeout_ms: u64,
        /// Further headers.
        headers: BTreeMap<String, Secret>,
        /// Who asks.
        auth: Auth,
        /// How the connection is protected.
        tls: Tls,
        /// Through which proxy: a URL, `environment`, or `none`.
        proxy: String,
        /// The tag of Fluent events.
        tag: String,
        /// Whether the receiver must acknowledge.
        ack: bool,
        /// The key that the receiver knows too.
        shared_key: Secret,
        /// What becomes a label in Loki.
        labels: Vec<LokiLabel>,
        /// Labels that are the same for all events.
        fixed_labels: BTreeMap<String, String>,
        /// The tenant of Loki.
        tenant: String,
        /// How bodies are compressed.
        compression: CompressionName,
        /// How hard.
        compression_level: i32,
        /// How many events go together.
        batch: Batch,
        /// Which events.
        filter: Filter,
        /// How many of the same.
        sample: Sample,
        /// What is masked.
        redact: Redact,
        /// What is done after a failure.
        retry: Retry,
        /// A file for what the other side refuses.
        dead_letter: String,
    }
}

options! {
    /// How many events go together.
    Batch {
        /// At most so many events...
        max_events: usize,
        /// ...or so many bytes before compression...
        max_bytes: usize,
        /// ...or as many as come in this time.
        max_wait_ms: u64,
    }
}

options! {
    /// When a file is put aside, and what becomes of it.
    Rotate {
        /// At so many bytes; 0: never.
        max_bytes: u64,
        /// After so many seconds; 0: never.
        max_age_seconds: u64,
        /// How many of them are kept; 0: all.
        keep: usize,
        /// Whether they are compressed.
        gzip: bool,
    }
}

options! {
    /// Who asks: `bearer`, or `user` with `password`.
    Auth {
        /// A bearer token.
        bearer: Secret,
        /// A user's name for basic authentication.
        user: String,
        /// The user's password.
        password: Secret,
    }
}

options! {
    /// How the connection is protected.
    Tls {
        /// PEM file with the authorities that are believed, instead of the public ones.
        ca_file: String,
        /// PEM file with the client's certificate and those above it.
        cert_file: String,
        /// PEM file with the client's key.
        key_file: String,
        /// The name that the server's certificate must hold, where it is not that of the URL.
        server_name: String,
        /// The server's certificate is not looked at.
        insecure: bool,
    }
}

options! {
    /// Which events go out. Lists hold globs; an empty list lets all through.
    Filter {
        /// Of these categories.
        categories: Vec<String>,
        /// At least so severe.
        min_level: LevelName,
        /// Of these Kubernetes namespaces.
        namespaces: Vec<String>,
        /// Of these containers, by name.
        containers: Vec<String>,
        /// And not these.
        exclude: Exclude,
    }
}

options! {
    /// Which events stay.
    Exclude {
        /// Of these categories.
        categories: Vec<String>,
        /// Of these Kubernetes namespaces.
        namespaces: Vec<String>,
        /// Of these containers, by name.
        containers: Vec<String>,
    }
}

options! {
    /// How many of the same go out.
    Sample {
        /// The first so many of a template, per stream and minute; 0: all.
        first_per_minute: u32,
    }
}

options! {
    /// What is done after a failure.
    Retry {
        /// The first wait is at most so long; each further one at most twice the one before...
        initial_ms: u64,
        /// ...and never longer than this.
        max_ms: u64,
        /// A batch is given up after so many seconds; 0: never.
        max_elapsed_seconds: u64,
    }
}

options! {
    /// What is masked, in detail.
    RedactDetail {
        /// The built-in detectors that are used.
        detectors: Vec<String>,
        /// Patterns of one's own, by name.
        patterns: BTreeMap<String, String>,
    }
}

/// What is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redact {
    /// What the built-in detectors find, or nothing.
    Switch(bool),
    /// Chosen detectors, and patterns.
    Detail(RedactDetail),
}

impl<'de> Deserialize<'de> for Redact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Redact;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or `detectors` and `patterns`")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Redact, E> {
                Ok(Redact::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Redact, A::Error> {
                RedactDetail::deserialize(MapAccessDeserializer::new(map)).map(Redact::Detail)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A value that may be secret: as it is, or where it is read from.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Written in the configuration.
    Text(String),
    /// In a file.
    File(String),
    /// In an environment variable of the agent.
    Env(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "lowercase")]
        enum PlaceName {
            File,
            Env,
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, `{file: PATH}`, or `{env: NAME}`")
            }

            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let secret = match map.next_key::<PlaceName>()? {
                    Some(PlaceName::File) => Secret::File(map.next_value()?),
                    Some(PlaceName::Env) => Secret::Env(map.next_value()?),
                    None => return Err(serde::de::Error::custom("`file` or `env` is missing")),
                };
                if map.next_key::<PlaceName>()?.is_some() {
                    return Err(serde::de::Error::custom(
                        "only one of `file` and `env` can be",
                    ));
                }
                Ok(secret)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// What a sink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkType {
    /// Standard output.
    Stdout,
    /// A file that is put aside when it is large or old.
    File,
    /// Requests with JSON.
    Http,
    /// The Fluent forward protocol: Fluent Bit, Fluentd, Vector.
    Forward,
    /// OTLP over HTTP: the Collector, Alloy, Vector, Fluent Bit, Loki, VictoriaLogs.
    Otlp,
    /// Loki's push API.
    Loki,
    /// Nowhere: for measuring.
    Blackhole,
}

impl SinkType {
    /// The name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File => "file",
            Self::Http => "http",
            Self::Forward => "forward",
            Self::Otlp => "otlp",
            Self::Loki => "loki",
            Self::Blackhole => "blackhole",
        }
    }
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// On standard output: pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
    /// Tab-separated.
    Tsv,
    /// In requests: one JSON object a line.
    Ndjson,
    /// In requests: one JSON array.
    Array,
}

impl Format {
    /// The name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Pretty => "pretty",
            Self::Tsv => "tsv",
            Self::Ndjson => "ndjson",
            Self::Array => "array",
        }
    }
}

/// What may become a label in Loki: only what has few values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LokiLabel {
    /// The same for all instances of a program.
    ServiceName,
    /// This host.
    Host,
    /// The Kubernetes namespace.
    Namespace,
    /// The container, by its short name.
    Container,
    /// Standard output or error.
    Stream,
    /// The level.
    Level,
    /// The category.
    Category,
    /// Who judged.
    Stage,
    /// What made the pod: its Deployment, DaemonSet, ...
    Owner,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompressionName {
    /// Not on this host, else with gzip.
    Auto,
    /// Not.
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

/// Levels of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LevelName {
    /// The least severe.
    Trace,
    /// For whoever wrote it.
    Debug,
    /// As it should be.
    Info,
    /// Worth a look.
    Notice,
    /// May become worse.
    Warn,
    /// Something failed.
    Error,
    /// The end of a program.
    Fatal,
}
