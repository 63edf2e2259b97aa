//! Sends the messages of a batch over one connection and waits for their acknowledgements.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::connection::{Connection, Tls, Trouble};
use super::frames::{Frame, frames};
use super::handshake::Credentials;
use crate::config::sinks::{Forward, Secret};
use crate::sink::tls;
use crate::sink::transport::{Outcome, Prepared, Transport};
use crate::wire::msgpack::Value;

/// The sending side of the forward protocol.
pub(super) struct Sender {
    config: Forward,
    host: String,
    connection: Option<Connection>,
    /// Chunks of the batch in hand that were acknowledged in an earlier attempt: they are not sent again.
    acknowledged: HashSet<Vec<u8>>,
    /// The batch in hand, by its sequence numbers.
    batch: (u64, u64),
}

impl Sender {
    /// A sender that connects when there is something to send.
    ///
    /// # Errors
    /// In words, where a certificate or key cannot be used.
    pub(super) fn new(config: Forward, host: String) -> Result<Self, String> {
        let sender = Self {
            config,
            host,
            connection: None,
            acknowledged: HashSet::new(),
            batch: (0, 0),
        };
        sender.tls()?;
        Ok(sender)
    }

    /// TLS as it is configured. Its files are read for each connection, so that renewed ones are found.
    fn tls(&self) -> Result<Option<Tls>, String> {
        let Some(wanted) = &self.config.tls else {
            return Ok(None);
        };
        let name = wanted.server_name.clone().unwrap_or_default();
        Ok(Some(Tls {
            config: tls::client(wanted).map_err(|problem| format!("tls: {problem}"))?,
            server_name: name
                .try_into()
                .map_err(|problem| format!("tls.server_name: {problem}"))?,
        }))
    }

    fn connect(&self, deadline: Instant) -> Result<Connection, Trouble> {
        let config = &self.config;
        let tls = self.tls().map_err(Trouble::Tls)?;
        let unreadable = |error: std::io::Error| Trouble::Refused(error.to_string());
        let key = config.shared_key.as_ref().map(Secret::read);
        let key = key.transpose().map_err(unreadable)?;
        let (user, password) = match &config.user {
            Some((user, password)) => (user.as_str(), password.read().map_err(unreadable)?),
            None => ("", String::new()),
        };
        let who = key.as_deref().map(|shared_key| Credentials {
            host: &self.host,
            shared_key,
            user,
            password: &password,
        });
        Connection::open(&config.address, tls.as_ref(), who.as_ref(), deadline)
    }

    /// Sends what is not acknowledged yet. A connection that was kept may have died without a word: then once more over a new one.
    fn deliver(&mut self, body: &[u8], deadline: Instant) -> Result<(), Trouble> {
        if let Some(mut kept) = self.connection.take()
            && !kept.is_stale()
        {
            match exchange(
                &mut kept,
                &mut self.acknowledged,
                body,
                self.config.ack,
                deadline,
            ) {
                Ok(()) => {
                    self.connection = Some(kept).filter(|connection| connection.keepalive);
                    return Ok(());
                }
                Err(Trouble::Broken(_)) if self.config.ack => {}
                Err(trouble) => return Err(trouble),
            }
        }
        let mut fresh = self.connect(deadline)?;
        exchange(
            &mut fresh,
            &mut self.acknowledged,
            body,
            self.config.ack,
            deadline,
        )?;
        self.connection = Some(fresh).filter(|connection| connection.keepalive);
        Ok(())
    }
}

impl Transport for Sender {
    fn send(&mut self, request: &Prepared<'_>) -> Outcome {
        if self.batch != (request.first, request.last) {
            self.batch = (request.first, request.last);
            self.acknowledged.clear();
        }
        let patience = self.config.timeout.min(request.patience);
        match self.deliver(request.body, Instant::now() + patience) {
            Ok(()) => {
                self.acknowledged.clear();
                Outcome::Done
            }
            Err(trouble) => told(trouble, patience),
        }
    }
}

/// Writes all messages that are not acknowledged, one after another, then collects their acknowledgements, in whatever order they come.
fn exchange(
    connection: &mut Connection,
    acknowledged: &mut HashSet<Vec<u8>>,
    body: &[u8],
    ack: bool,
    deadline: Instant,
) -> Result<(), Trouble> {
    let open: Vec<Frame<'_>> = frames(body)
        .filter(|frame| !frame.chunk.is_some_and(|id| acknowledged.contains(id)))
        .collect();
    let mut wanted: HashSet<&[u8]> = open.iter().filter_map(|frame| frame.chunk).collect();
    for frame in &open {
        connection.write(frame.bytes, deadline)?;
    }
    while ack && !wanted.is_empty() {
        let answer = connection.read(deadline)?;
        match answer.get("ack").and_then(Value::text) {
            Some(id) if wanted.remove(id) => {
                acknowledged.insert(id.to_vec());
            }
            // One that came too late for an attempt before; this attempt's own may follow.
            Some(id) if acknowledged.contains(id) => {}
            _ => return Err(unexpected(&answer)),
        }
    }
    Ok(())
}

fn unexpected(answer: &Value) -> Trouble {
    let protocol = |why: &str| Trouble::Protocol(why.to_owned());
    match answer {
        Value::Array(items) if items.first().and_then(Value::text) == Some(b"HELO") => {
            Trouble::Refused("the receiver asks for a shared key: set shared_key".to_owned())
        }
        // What Vector says where its own sinks failed.
        Value::Map(pairs) if pairs.is_empty() => protocol("the receiver could not keep the batch"),
        Value::Map(_) => protocol("the receiver acknowledges another chunk than it was sent"),
        _ => protocol("the receiver answers something else than an acknowledgement"),
    }
}

fn told(trouble: Trouble, patience: Duration) -> Outcome {
    let (reason, slow, why) = match trouble {
        Trouble::Connect(error) => ("connect", false, error.to_string()),
        Trouble::Broken(error) => ("cut", false, error.to_string()),
        Trouble::Late => (
            "timeout",
            false,
            format!("no acknowledgement within {patience:?}"),
        ),
        Trouble::Protocol(why) => ("protocol", false, why),
        Trouble::Refused(why) => ("login", true, why),
        Trouble::Tls(why) => ("tls", true, why),
    };
    Outcome::Retry {
        reason,
        after: None,
        slow,
        why,
    }
}
