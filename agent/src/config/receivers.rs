//! What other pipelines may send: the sections `sources.http` and `sources.forward`, checked.

use std::net::SocketAddr;

use super::checked::{Listener, token_of};
use super::error::ConfigError;
use super::raw::Raw;

/// A body may be allowed to hold at least so much...
const LEAST_BYTES: usize = 4096;
/// ...and at most so much.
const MOST_BYTES: usize = 256 << 20;
/// So many bodies of the largest size may be on their way to the store.
const PENDING: usize = 4;

/// What is received, and within which bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receivers {
    /// Requests are taken by the API's listener.
    pub http: bool,
    /// The listener for Fluent forward, if there is one.
    pub forward: Option<Forward>,
    /// The most that a request's body may hold.
    pub max_body_bytes: usize,
    /// The most that all that is on its way to the store may hold.
    pub max_pending_bytes: usize,
}

/// The listener for Fluent forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Where it listens; the token is the key that senders must know.
    pub listener: Listener,
    /// The most that a message may hold.
    pub max_chunk_bytes: usize,
    /// Connections at a time.
    pub max_connections: usize,
}

impl Receivers {
    /// Whether anything is received.
    #[must_use]
    pub fn any(&self) -> bool {
        self.http || self.forward.is_some()
    }
}

/// Checks both sections.
pub(super) fn check(name: &str, raw: &Raw) -> Result<Receivers, ConfigError> {
    let (http, forward) = (&raw.sources.http, &raw.sources.forward);
    let bounds = [
        ("sources.http.max_body_bytes", http.max_body_bytes),
        ("sources.forward.max_chunk_bytes", forward.max_chunk_bytes),
    ];
    for (key, bytes) in bounds {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&bytes) {
            return Err(ConfigError::value(
                name,
                key,
                &format!("{bytes} is not within the bounds"),
                &format!("use {LEAST_BYTES} to {MOST_BYTES}"),
            ));
        }
    }
    let receivers = Receivers {
        http: http.enabled,
        forward: listener(name, raw)?,
        max_body_bytes: http.max_body_bytes,
        max_pending_bytes: PENDING * http.max_body_bytes.max(forward.max_chunk_bytes),
    };
    if receivers.http && raw.api.listen.is_empty() {
        return Err(ConfigError::value(
            name,
            "sources.http.enabled",
            "the requests come to the API's listener, and there is none",
            "set api.listen",
        ));
    }
    if receivers.any() && !raw.store.enabled {
        let key = if receivers.http {
            "sources.http.enabled"
        } else {
            "sources.forward.listen"
        };
        return Err(ConfigError::value(
            name,
            key,
            "what is received is acknowledged once it is stored, and there is no store",
            "set store.enabled",
        ));
    }
    Ok(receivers)
}

fn listener(name: &str, raw: &Raw) -> Result<Option<Forward>, ConfigError> {
    let forward = &raw.sources.forward;
    if forward.listen.is_empty() {
        return Ok(None);
    }
    let wrong = |problem: &str, remedy: &str| {
        ConfigError::value(name, "sources.forward.listen", problem, remedy)
    };
    let listen: SocketAddr = forward.listen.parse().map_err(|_| {
        wrong(
            &format!("`{}` is not an address with a port", forward.listen),
            "write it like 127.0.0.1:24224, or leave it empty for none",
        )
    })?;
    let shared_key = token_of(&forward.shared_key_file, &forward.shared_key_env)?;
    if !listen.ip().is_loopback() && shared_key.is_none() {
        return Err(wrong(
            &format!("{listen} can be reached from other hosts and no key protects it"),
            "set sources.forward.shared_key_file, or listen on 127.0.0.1",
        ));
    }
    if forward.max_connections == 0 {
        return Err(ConfigError::value(
            name,
            "sources.forward.max_connections",
            "0 is too small",
            "use 1 or more",
        ));
    }
    Ok(Some(Forward {
        listener: Listener {
            listen,
            token: shared_key,
        },
        max_chunk_bytes: forward.max_chunk_bytes,
        max_connections: forward.max_connections,
    }))
}

#[cfg(test)]
mod tests {
    use crate::config::Checked;

    fn problem(yaml: &str) -> String {
        Checked::parse("test", yaml).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_received_unless_it_is_said() {
        let checked = Checked::parse("test", "").unwrap();
        assert!(!checked.receivers.any());
        let both = "sources: {http: {enabled: true}, forward: {listen: \"127.0.0.1:24224\"}}";
        let checked = Checked::parse("test", both).unwrap();
        assert!(checked.receivers.http);
        let listener = checked.receivers.forward.unwrap().listener;
        assert_eq!((listener.listen.port(), listener.token), (24224, None));
    }

    #[test]
    fn what_cannot_be_run_is_told_with_its_remedy() {
        for (yaml, words) in [
            (
                "sources: {forward: {listen: \"0.0.0.0:24224\"}}",
                "sources.forward.shared_key_file",
            ),
            ("sources: {forward: {listen: here}}", "127.0.0.1:24224"),
            (
                "sources: {forward: {listen: \"127.0.0.1:1\", max_connections: 0}}",
                "max_connections",
            ),
            (
                "sources: {http: {enabled: true}}\napi: {listen: \"\"}",
                "api.listen",
            ),
            (
                "sources: {http: {enabled: true}}\nstore: {enabled: false}",
                "store.enabled",
            ),
            ("sources: {http: {max_body_bytes: 1}}", "4096 to"),
        ] {
            let problem = problem(yaml);
            assert!(problem.contains(words), "{yaml}: {problem}");
        }
    }
}
