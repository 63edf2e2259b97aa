//! The Fluent forward protocol: Fluent Bit, Fluentd, Vector's `fluent` source.
//!
//! | file | what |
//! |---|---|
//! | [`tag`] | the tag of an event |
//! | [`encode`] | events as messages, one per tag |
//! | [`frames`] | the messages of a batch told apart again |
//! | [`handshake`] | shared key, user and password |
//! | [`connection`] | TCP, TLS, deadlines |
//! | [`transport`](mod@transport) | sending, acknowledgements, repeating what was not acknowledged |

mod connection;
mod encode;
mod frames;
pub mod handshake;
mod tag;
mod transport;

use crate::config::sinks::Forward;
use crate::sink::encode::Outgoing;
use crate::sink::transport::{Body, Transport};
use crate::telemetry::clock;

impl Body for encode::Messages {
    fn add(&mut self, event: &Outgoing<'_>) {
        self.push(event, clock::now());
    }

    fn bytes(&self) -> usize {
        self.len()
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.finish(out);
    }
}

/// Makes the messages of batches from this host. The entries are compressed inside of the messages: the engine leaves the body as it is.
pub(super) fn body(config: &Forward, host: &str) -> impl Body + use<> {
    encode::Messages::new(host.to_owned(), config.tag.clone(), config.gzip, config.ack)
}

/// Sends them.
///
/// # Errors
/// In words, where a certificate or key cannot be used.
pub(super) fn transport(config: &Forward, host: &str) -> Result<impl Transport + use<>, String> {
    transport::Sender::new(config.clone(), host.to_owned())
}
