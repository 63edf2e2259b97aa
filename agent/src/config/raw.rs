//! The configuration as it is written: every key optional, unknown keys refused.

pub mod sinks;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use llm::Llm;
use llm::PartialLlm;
pub use sinks::{Sink, Sinks};

/// Declares a section twice: the full one that `default.yaml` fills, and the partial one that a user's file fills.
macro_rules! section {
    ($(#[$doc:meta])* $full:ident / $partial:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        section!($(#[$doc])* $full / $partial { $($(#[$field_doc])* $field: $type),+ } nested {});
    };
    ($(#[$doc:meta])* $full:ident / $partial:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }
     nested { $($(#[$sub_doc:meta])* $sub:ident: $sub_full:ident / $sub_partial:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $full {
            $($(#[$field_doc])* pub $field: $type,)*
            $($(#[$sub_doc])* pub $sub: $sub_full,)*
        }

        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(in crate::config) struct $partial {
            $($field: Option<$type>,)*
            $($sub: Option<$sub_partial>,)*
        }

        impl $full {
            /// The same with what `partial` names replaced.
            pub(in crate::config) fn with(self, partial: $partial) -> Self {
                Self {
                    $($field: partial.$field.unwrap_or(self.$field),)*
                    $($sub: match partial.$sub {
                        Some(sub) => self.$sub.with(sub),
                        None => self.$sub,
                    },)*
                }
            }
        }
    };
}

// Below the macro, which it uses.
pub mod llm;

section! {
    /// The whole file.
    Raw / PartialRaw {
        /// Seconds that a stop may take.
        drain_timeout_seconds: u64,
    } nested {
        /// Where lines come from.
        sources: Sources / PartialSources,
        /// How pieces and lines become events.
        events: Events / PartialEvents,
        /// What the lines are about.
        classify: Classify / PartialClassify,
        /// What a language model is asked about.
        llm: Llm / PartialLlm,
        /// What is kept on this host.
        store: Store / PartialStore,
        /// Where labelled events go.
        sinks: Sinks / Sinks,
        /// The answers to questions about the logs.
        api: Api / PartialApi,
        /// Metrics and health.
        telemetry: Telemetry / PartialTelemetry,
        /// The agent's own log.
        log: Log / PartialLog,
    }
}

section! {
    /// Where lines come from.
    Sources / PartialSources {
        /// Whether standard input is read.
        stdin: bool,
        /// The demonstration stream.
        demo: Switch,
    } nested {
        /// Log files.
        files: Files / PartialFiles,
        /// The Docker engine.
        docker: Docker / PartialDocker,
        /// The cluster that this host is a node of.
        kubernetes: Kubernetes / PartialKubernetes,
        /// What other pipelines send by HTTP.
        http: HttpIn / PartialHttpIn,
        /// What they send by Fluent forward.
        forward: ForwardIn / PartialForwardIn,
    }
}

section! {
    /// Log files.
    Files / PartialFiles {
        /// Globs of files to read.
        include: Vec<String>,
        /// Globs of files to leave alone.
        exclude: Vec<String>,
        /// Where reading begins in a file that was there before the agent.
        start_at: StartAt,
        /// Bytes before the end for [`StartAt::Tail`].
        tail_bytes: u64,
        /// Seconds between two looks through the globs.
        rescan_seconds: u64,
        /// Descriptors kept open.
        max_open: usize,
        /// MiB of each file that are read at the first start; 0 for all.
        max_backlog_mib: u64,
        /// At the first start, the files that were written to last are read first.
        newest_first: bool,
    }
}

section! {
    /// The Docker engine.
    Docker / PartialDocker {
        /// Whether its API is read.
        enabled: Switch,
        /// Its unix socket.
        socket: String,
        /// Lines of a container's past that are read at the first meeting.
        tail_lines: u32,
        /// Container labels that are kept.
        labels: Vec<String>,
    }
}

section! {
    /// The cluster that this host is a node of.
    Kubernetes / PartialKubernetes {
        /// Whether its API is asked about this node's pods.
        enabled: Switch,
        /// This node's name; empty for the environment's.
        node: String,
        /// Labels of pods that are kept.
        labels: Vec<String>,
        /// The API's address; empty for the one that a pod is told.
        server: String,
        /// The directory with `token` and `ca.crt`.
        service_account: String,
        /// Minutes for which a pod that is gone is remembered.
        keep_minutes: u64,
        /// Pods that are remembered.
        max_pods: usize,
    }
}

section! {
    /// What other pipelines send by HTTP, to the API's listener.
    HttpIn / PartialHttpIn {
        /// Whether it is taken.
        enabled: bool,
        /// The most that a request's body may hold, before and after decompression.
        max_body_bytes: usize,
    }
}

section! {
    /// What other pipelines send by Fluent forward.
    ForwardIn / PartialForwardIn {
        /// `ADDRESS:PORT`, or empty for none.
        listen: String,
        /// File with the key that senders must know, or empty for none.
        shared_key_file: String,
        /// Environment variable with that key, or empty for none.
        shared_key_env: String,
        /// The most that a message may hold, before and after decompression.
        max_chunk_bytes: usize,
        /// Connections at a time.
        max_connections: usize,
    }
}

section! {
    /// How pieces and lines become events.
    Events / PartialEvents {
        /// Join stack traces and continuations.
        multiline: bool,
        /// Bytes kept of an event.
        max_bytes: usize,
        /// Lines kept of an event.
        max_lines: u32,
        /// Milliseconds that an open event waits.
        max_wait_ms: u64,
        /// Minutes east of UTC for times without a zone.
        utc_offset_minutes: i32,
    }
}

section! {
    /// What the lines are about.
    Classify / PartialClassify {
        /// A built-in pack's name, or a file.
        pack: String,
        /// Further packs for containers that ask for them: files by name.
        packs: BTreeMap<String, String>,
        /// Bound of the template table.
        max_templates: usize,
        /// How long a line waits for its template's verdict.
        wait_ms: u64,
    } nested {
        /// The BERT.
        model: Model / PartialModel,
    }
}

section! {
    /// The BERT that judges the templates that no rule decides.
    Model / PartialModel {
        /// Whether there is one; `auto`: where one is found.
        enabled: Switch,
        /// Its directory; empty: the usual places.
        directory: String,
        /// ONNX Runtime's shared library; empty: the one beside the model, or the system's.
        runtime: String,
        /// Threads of one inference.
        threads: usize,
    }
}

section! {
    /// What is kept on this host.
    Store / PartialStore {
        /// Whether anything is.
        enabled: bool,
        /// Where; empty for what suits the host.
        directory: String,
        /// The most that the file may take, in MiB.
        max_mib: u64,
        /// How long events are kept, in hours.
        max_age_hours: u64,
        /// What happens to events that are due to go and that a sink has not delivered.
        when_full: WhenFull,
        /// Milliseconds between two commits.
        commit_ms: u64,
    }
}

section! {
    /// Metrics and health.
    Telemetry / PartialTelemetry {
        /// `ADDRESS:PORT`, or empty for none.
        listen: String,
        /// File with the bearer token that is asked for, or empty for none.
        token_file: String,
        /// Streams with metrics of their own.
        max_streams: usize,
    }
}

section! {
    /// The answers to questions about the logs.
    Api / PartialApi {
        /// `ADDRESS:PORT`, or empty for none.
        listen: String,
        /// File with the bearer token that is asked for, or empty for none.
        token_file: String,
        /// Environment variable with that token, or empty for none.
        token_env: String,
        /// Whether secrets are masked in the lines that it shows.
        redact: Switch,
        /// Further names under which it may be asked.
        hosts: Vec<String>,
        /// Origins whose pages may ask it from a browser.
        cors_origins: Vec<String>,
        /// The most that a request's body may hold.
        max_body_bytes: usize,
        /// Milliseconds that a request may take.
        timeout_ms: u64,
        /// Requests that one address may send in a second.
        requests_per_second: u32,
        /// Connections at a time.
        max_connections: usize,
        /// Live streams at a time.
        max_streams: usize,
    }
}

section! {
    /// The agent's own log.
    Log / PartialLog {
        /// Least severe level that is written.
        level: LogLevel,
        /// How it is written.
        format: LogFormat,
    }
}

/// On, off, or decided by what the host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Decided at the start.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Where reading begins in a file that was there before the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// At its first byte.
    Beginning,
    /// At its end: new lines only.
    End,
    /// A bounded stretch before its end.
    Tail,
}

/// What happens to events that are due to go and that a sink has not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// They go, and are counted.
    DropOldest,
    /// They stay, and nothing more is read until there is room.
    Block,
}

/// Levels of the agent's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Data lost or an operator needed.
    Error,
    /// Something is off, nothing lost.
    Warn,
    /// What the agent does.
    Info,
    /// For looking closer.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name that the log filter understands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How the agent's own log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commented defaults, compiled in.
pub const DEFAULT_YAML: &str = include_str!("default.yaml");

impl Raw {
    /// The defaults with what `yaml` names replaced.
    ///
    /// # Errors
    /// The parser's own error, with line and column, where `yaml` is not a configuration.
    pub(super) fn parse(yaml: &str) -> Result<Self, serde_saphyr::Error> {
        let defaults: Self = serde_saphyr::from_str(DEFAULT_YAML)?;
        if yaml.trim().is_empty() {
            return Ok(defaults);
        }
        let partial: Option<PartialRaw> = serde_saphyr::from_str(yaml)?;
        Ok(defaults.with(partial.unwrap_or_default()))
    }
}
