//! How requests over HTTP are made: address, secrets, protection.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Place, path};
use crate::config::error::ConfigError;
use crate::config::raw;

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

impl Place<'_> {
    pub(super) fn client(&self, raw: &raw::Sink) -> Result<Client, ConfigError> {
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

    pub(super) fn headers(&self, raw: &raw::Sink) -> Result<Vec<(String, Secret)>, ConfigError> {
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
    pub(super) fn hidden(
        &self,
        key: &str,
        secret: &raw::sinks::Secret,
    ) -> Result<Secret, ConfigError> {
        if matches!(secret, raw::sinks::Secret::Text(_)) {
            return Err(self.wrong(
                key,
                "a secret does not stand in the configuration",
                "write {file: PATH} or {env: NAME}",
            ));
        }
        self.secret(key, secret)
    }

    pub(super) fn auth(&self, raw: Option<&raw::sinks::Auth>) -> Result<Auth, ConfigError> {
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

    pub(super) fn timeout(&self, raw: &raw::Sink) -> Result<Duration, ConfigError> {
        match raw.timeout_ms.unwrap_or(30_000) {
            0 => Err(self.wrong("timeout_ms", "0 is too small", "use 1 or more")),
            timeout => Ok(Duration::from_millis(timeout)),
        }
    }

    /// Where a secret is read from; that there is one is seen now.
    pub(super) fn secret(
        &self,
        key: &str,
        raw: &raw::sinks::Secret,
    ) -> Result<Secret, ConfigError> {
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

    pub(super) fn tls(&self, url: &str, raw: Option<&raw::sinks::Tls>) -> Result<Tls, ConfigError> {
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

/// Whether a URL leads to this host, so far as its text tells.
pub(in crate::config) fn on_loopback(url: &str) -> bool {
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
