//! Loki's push API, as JSON.
//!
//! | file | what |
//! |---|---|
//! | [`encode`] | events as a push: few labels, the rest as structured metadata |
//! | [`answer`] | which entries a 400 speaks of |

pub mod answer;
mod encode;

use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::client::{Answer, Client};
use crate::config::sinks::{Compression, Loki};
use crate::sink::encode::Outgoing;
use crate::sink::transport::{Body, Outcome, Prepared, Transport};
use crate::telemetry::clock;

impl Body for encode::Push {
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

/// The sending side.
#[derive(Debug)]
struct Sender(Client);

impl Transport for Sender {
    fn send(&mut self, request: &Prepared<'_>) -> Outcome {
        match self.0.post(request, "application/json") {
            Ok(answer) if answer.status == 400 => refused(&answer, request),
            Ok(answer) => answer.outcome(),
            Err(outcome) => outcome,
        }
    }
}

/// Loki stores the good entries of a push and answers 400 for the bad ones: sent again they would be refused again.
fn refused(answer: &Answer, request: &Prepared<'_>) -> Outcome {
    let why = answer.told();
    match answer::refusal(&String::from_utf8_lossy(&answer.body), || plain(request)) {
        answer::Refusal::Some { rejected, reason } => Outcome::Partial {
            rejected,
            reason,
            why,
        },
        answer::Refusal::All => Outcome::Rejected {
            reason: "http_400",
            why,
        },
        answer::Refusal::NotAllowed => Outcome::Retry {
            reason: "http_400",
            after: None,
            slow: true,
            why: format!(
                "{why}; set allow_structured_metadata in Loki's limits_config; nothing is given up meanwhile"
            ),
        },
    }
}

/// The push as it was before its compression; what cannot be read is left out.
fn plain(request: &Prepared<'_>) -> Vec<u8> {
    let mut plain = Vec::with_capacity(request.plain_bytes);
    match request.compression {
        Compression::Gzip(_) => {
            let bound = request.plain_bytes as u64;
            // It was written by this process a moment ago; a fault here only makes the count less exact.
            let _ = GzDecoder::new(request.body)
                .take(bound)
                .read_to_end(&mut plain);
        }
        Compression::None | Compression::Zstd(_) => plain.extend_from_slice(request.body),
    }
    plain
}

/// Makes the bodies of pushes from this host.
pub(super) fn body(config: &Loki, host: &str) -> impl Body + use<> {
    let fixed = config.fixed_labels.clone();
    encode::Push::new(host.to_owned(), config.labels.clone(), fixed)
}

/// Sends them.
///
/// # Errors
/// In words, where the settings cannot be used.
pub(super) fn transport(config: &Loki) -> Result<impl Transport + use<>, String> {
    Ok(Sender(Client::new(&config.client)?))
}
