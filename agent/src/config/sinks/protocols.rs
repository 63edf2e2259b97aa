//! The sinks that speak a protocol of their own: Fluent forward, OTLP, Loki.

use std::fmt;
use std::time::Duration;

use super::{Auth, Client, Compression, CompressionName, Place, Secret, Tls, on_loopback};
use crate::config::error::ConfigError;
use crate::config::raw;

/// Where Fluent's receivers listen.
const FORWARD_PORT: u16 = 24_224;

/// The Fluent forward protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// `HOST:PORT`.
    pub address: String,
    /// TLS, where the URL asks for it; the name in it is always given.
    pub tls: Option<Tls>,
    /// The key that both sides know.
    pub shared_key: Option<Secret>,
    /// A user's name and password, where the receiver asks for them after the shared key.
    pub user: Option<(String, Secret)>,
    /// The tag of an event.
    pub tag: Tag,
    /// How the entries inside of the messages are compressed with gzip: 1 to 9, or not at all.
    pub gzip: Option<u32>,
    /// A batch counts as delivered when the receiver has acknowledged it, else when it was sent.
    pub ack: bool,
    /// How long the receiver may take.
    pub timeout: Duration,
}

/// OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// How requests are made; its URL is that of the logs.
    pub client: Client,
}

/// Loki's push API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loki {
    /// How requests are made; its URL is that of the push API.
    pub client: Client,
    /// What becomes a label.
    pub labels: Vec<Label>,
    /// Labels that are the same for all events.
    pub fixed_labels: Vec<(String, String)>,
}

/// What may become a label in Loki: only what has few values.
pub use raw::sinks::LokiLabel as Label;

impl Label {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ServiceName,
        Self::Host,
        Self::Namespace,
        Self::Container,
        Self::Stream,
        Self::Level,
        Self::Category,
        Self::Stage,
        Self::Owner,
    ];

    /// Its name in Loki and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceName => "service_name",
            Self::Host => "host",
            Self::Namespace => "namespace",
            Self::Container => "container",
            Self::Stream => "stream",
            Self::Level => "level",
            Self::Category => "category",
            Self::Stage => "stage",
            Self::Owner => "owner",
        }
    }
}

/// What a tag's template may name in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagField {
    /// The Kubernetes namespace.
    Namespace,
    /// The pod.
    Pod,
    /// The container; where there is none, the service.
    Container,
    /// The service.
    Service,
    /// This host.
    Host,
    /// What it is read from: file, docker, stdin.
    Source,
    /// Standard output or error.
    Stream,
    /// The level.
    Level,
    /// The category.
    Category,
}

impl TagField {
    /// All of them with their names.
    const ALL: [(&'static str, Self); 9] = [
        ("namespace", Self::Namespace),
        ("pod", Self::Pod),
        ("container", Self::Container),
        ("service", Self::Service),
        ("host", Self::Host),
        ("source", Self::Source),
        ("stream", Self::Stream),
        ("level", Self::Level),
        ("category", Self::Category),
    ];
}

/// A piece of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagPart {
    /// As it is.
    Text(String),
    /// What is known of the event.
    Field(TagField),
}

/// A tag with places for what is known of an event, like `logsieve.{namespace}.{container}`. At least one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub Vec<TagPart>);

/// What is wrong with a tag's template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TagError {
    Empty,
    Brace,
    Unknown(String),
}

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Brace => f.write_str("has a brace without a partner"),
            Self::Unknown(name) => write!(f, "`{}` is not known", name.escape_debug()),
        }
    }
}

impl Tag {
    /// Reads a template.
    fn parse(template: &str) -> Result<Self, TagError> {
        let mut parts = Vec::new();
        let mut rest = template;
        while !rest.is_empty() {
            let at = rest.find(['{', '}']).unwrap_or(rest.len());
            let (text, braced) = rest.split_at(at);
            if !text.is_empty() {
                parts.push(TagPart::Text(text.to_owned()));
            }
            rest = match braced.strip_prefix('{') {
                None if braced.is_empty() => "",
                None => return Err(TagError::Brace),
                Some(inner) => {
                    let (name, after) = inner.split_once('}').ok_or(TagError::Brace)?;
                    let field = TagField::ALL
                        .iter()
                        .find(|(known, _)| *known == name)
                        .ok_or_else(|| TagError::Unknown(name.to_owned()))?;
                    parts.push(TagPart::Field(field.1));
                    after
                }
            };
        }
        if parts.is_empty() {
            return Err(TagError::Empty);
        }
        Ok(Self(parts))
    }
}

impl Place<'_> {
    pub(super) fn forward(&self, raw: &raw::Sink) -> Result<Forward, ConfigError> {
        let url = raw.url.as_deref().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let address = address(rest).filter(|_| matches!(scheme, "tcp" | "tls"));
        let Some((host, port)) = address else {
            return Err(self.wrong(
                "url",
                &format!(
                    "`{}` is not an address of this protocol",
                    url.escape_debug()
                ),
                "write it like tcp://127.0.0.1:24224 or tls://logs.example.com:24224",
            ));
        };
        let mut tls = self.tls(url, raw.tls.as_ref())?;
        tls.server_name.get_or_insert(host.to_owned());
        let user = match self.auth(raw.auth.as_ref())? {
            Auth::None => None,
            Auth::Basic { user, password } => Some((user, password)),
            Auth::Bearer(_) => {
                return Err(self.wrong(
                    "auth.bearer",
                    "is not known to this protocol",
                    "use shared_key, and user with password where the receiver asks for them",
                ));
            }
        };
        let shared_key = match &raw.shared_key {
            Some(key) => Some(self.hidden("shared_key", key)?),
            None => None,
        };
        if user.is_some() && shared_key.is_none() {
            return Err(self.wrong(
                "auth",
                "a user is named, but no shared_key",
                "the protocol asks for a user only after a shared key: set shared_key",
            ));
        }
        let template = raw.tag.as_deref();
        let tag = Tag::parse(template.unwrap_or("logsieve.{namespace}.{container}")).map_err(
            |problem| {
                let names: Vec<String> = TagField::ALL
                    .iter()
                    .map(|(name, _)| format!("{{{name}}}"))
                    .collect();
                self.wrong(
                    "tag",
                    &problem.to_string(),
                    &format!("use text and any of {}", names.join(", ")),
                )
            },
        )?;
        Ok(Forward {
            address: if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            },
            tls: (scheme == "tls").then_some(tls),
            shared_key,
            user,
            tag,
            gzip: match self.compression(self.only_gzip(raw, url)?, raw)? {
                Compression::Gzip(level) => Some(level),
                Compression::None | Compression::Zstd(_) => None,
            },
            ack: raw.ack.unwrap_or(true),
            timeout: self.timeout(raw)?,
        })
    }

    pub(super) fn otlp(&self, raw: &raw::Sink) -> Result<Otlp, ConfigError> {
        let mut client = self.client(raw)?;
        client.url = with_path(&client.url, "/v1/logs");
        Ok(Otlp { client })
    }

    pub(super) fn loki(&self, raw: &raw::Sink) -> Result<Loki, ConfigError> {
        let mut client = self.client(raw)?;
        client.url = with_path(&client.url, "/loki/api/v1/push");
        let mut labels = raw.labels.clone().unwrap_or_else(|| {
            vec![
                Label::ServiceName,
                Label::Namespace,
                Label::Level,
                Label::Category,
            ]
        });
        labels.sort_unstable_by_key(|label| label.as_str());
        labels.dedup();
        let fixed_labels: Vec<_> = raw
            .fixed_labels
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        for (name, value) in &fixed_labels {
            let mut bytes = name.bytes();
            let sound = bytes
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !sound || name.starts_with("__") || value.is_empty() {
                return Err(self.wrong(
                    "fixed_labels",
                    &format!("`{}` cannot be a label in Loki", name.escape_debug()),
                    "use letters, digits and `_`, a letter first, and a value that is not empty",
                ));
            }
            if labels.iter().any(|label| label.as_str() == name) {
                return Err(self.wrong(
                    "fixed_labels",
                    &format!("`{name}` is among `labels` already"),
                    "leave it out of one of them",
                ));
            }
        }
        if labels.is_empty() && fixed_labels.is_empty() {
            return Err(self.wrong(
                "labels",
                "is empty",
                "Loki takes no stream without a label: name one, or set fixed_labels",
            ));
        }
        let tenant = raw.tenant.clone().filter(|tenant| !tenant.is_empty());
        if tenant
            .as_ref()
            .is_some_and(|tenant| tenant.bytes().any(|byte| !byte.is_ascii_graphic()))
        {
            return Err(self.wrong(
                "tenant",
                "cannot be sent in a header",
                "use visible ASCII characters",
            ));
        }
        if let Some(tenant) = tenant {
            let header = "X-Scope-OrgID".to_owned();
            client.headers.push((header, Secret::Text(tenant)));
        }
        Ok(Loki {
            client,
            labels,
            fixed_labels,
        })
    }

    /// Compression of a protocol that knows gzip and none other; off by itself on this host.
    pub(super) fn only_gzip(
        &self,
        raw: &raw::Sink,
        url: &str,
    ) -> Result<CompressionName, ConfigError> {
        match raw.compression.unwrap_or(CompressionName::Auto) {
            CompressionName::Zstd => Err(self.wrong(
                "compression",
                "`zstd` is not known to this protocol",
                "use auto, gzip or none",
            )),
            CompressionName::Auto if on_loopback(url) => Ok(CompressionName::None),
            CompressionName::Auto => Ok(CompressionName::Gzip),
            other => Ok(other),
        }
    }
}

/// Host and port of `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`.
fn address(text: &str) -> Option<(&str, u16)> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (
                host,
                rest.strip_prefix(':').or(rest.is_empty().then_some(""))?,
            )
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => FORWARD_PORT,
        port => port.parse().ok()?,
    };
    let sound = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'@' | b'?' | b'#'));
    sound.then_some((host, port))
}

/// `url` with `path` at the end of its own path, unless it ends so already: what is given may be the receiver's root or the whole.
fn with_path(url: &str, path: &str) -> String {
    let at = url.find(['?', '#']).unwrap_or(url.len());
    let (base, query) = url.split_at(at);
    let base = base.trim_end_matches('/');
    if base.ends_with(path) {
        format!("{base}{query}")
    } else {
        format!("{base}{path}{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tags_template_is_text_and_known_names() {
        assert_eq!(
            Tag::parse("a.{namespace}{level}"),
            Ok(Tag(vec![
                TagPart::Text("a.".into()),
                TagPart::Field(TagField::Namespace),
                TagPart::Field(TagField::Level)
            ]))
        );
        assert_eq!(Tag::parse("x"), Ok(Tag(vec![TagPart::Text("x".into())])));
        assert_eq!(Tag::parse(""), Err(TagError::Empty));
        for wrong in ["{", "a}", "{container", "}{"] {
            assert_eq!(Tag::parse(wrong), Err(TagError::Brace), "{wrong}");
        }
        assert_eq!(Tag::parse("{app}"), Err(TagError::Unknown("app".into())));
    }

    #[test]
    fn an_address_may_leave_out_the_port() {
        assert_eq!(address("h:1"), Some(("h", 1)));
        assert_eq!(address("h/"), Some(("h", 24_224)));
        assert_eq!(address("[::1]:5"), Some(("::1", 5)));
        assert_eq!(address("[::1]"), Some(("::1", 24_224)));
        for wrong in [
            "", ":1", "h:x", "h:99999", "u@h:1", "h/path", "[::1]5", "[::1",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_receivers_root_and_its_whole_url_both_lead_to_the_logs() {
        for (given, whole) in [
            ("http://h:4318", "http://h:4318/v1/logs"),
            ("http://h:4318/", "http://h:4318/v1/logs"),
            ("http://h/otlp", "http://h/otlp/v1/logs"),
            ("http://h/otlp/v1/logs/", "http://h/otlp/v1/logs"),
            ("http://h/?a=b", "http://h/v1/logs?a=b"),
        ] {
            assert_eq!(with_path(given, "/v1/logs"), whole, "{given}");
        }
    }
}
