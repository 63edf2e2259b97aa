//! OTLP over HTTP, as Protocol Buffers: the OpenTelemetry Collector, Alloy, Vector, Fluent Bit, Loki, VictoriaLogs.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.
//!
//! | file | what |
//! |---|---|
//! | [`wire`] | Protocol Buffers as bytes |
//! | [`encode`] | events as a request, a resource per stream |
//! | [`answer`] | partial successes and failures |

pub mod answer;
mod encode;
mod wire;

use crate::client::{Answer, Client};
use crate::config::sinks::Otlp;
use crate::sink::encode::Outgoing;
use crate::sink::transport::{Body, Outcome, Prepared, Transport};
use crate::telemetry::clock;

/// The specification does not let a request be repeated after a 500, but Vector answers one where its own sinks failed for a while, as
/// much as where they refused for good: so often it is tried, with the engine's waits in between.
const ATTEMPTS_AT_500: u32 = 8;

impl Body for encode::Request {
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
struct Sender {
    client: Client,
    /// The request in hand by its sequence numbers, and how often it was answered with a 500.
    failed: ((u64, u64), u32),
}

impl Transport for Sender {
    fn send(&mut self, request: &Prepared<'_>) -> Outcome {
        let answer = match self.client.post(request, "application/x-protobuf") {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let batch = (request.first, request.last);
        if answer.status == 500 {
            let before = if self.failed.0 == batch {
                self.failed.1
            } else {
                0
            };
            self.failed = (batch, before + 1);
        }
        outcome(answer, self.failed.1)
    }
}

/// What an answer means, the last of `failures` with status 500 for this request if it is one.
fn outcome(mut answer: Answer, failures: u32) -> Outcome {
    if (200..300).contains(&answer.status) {
        let Some((rejected, message)) = answer::partial_success(&answer.body) else {
            return Outcome::Done;
        };
        answer.body = message.into_bytes();
        let why = answer.told();
        if rejected == 0 {
            tracing::warn!(why, "the receiver took all records and warns");
            return Outcome::Done;
        }
        return Outcome::Partial {
            rejected,
            reason: "partial_success",
            why,
        };
    }
    answer.body = answer::failure(&answer.body).into_bytes();
    let rejected = |reason| Outcome::Rejected {
        reason,
        why: answer.told(),
    };
    match answer.status {
        500 if failures >= ATTEMPTS_AT_500 => rejected("http_500"),
        501 | 505..=599 => rejected("http_5xx"),
        _ => answer.outcome(),
    }
}

/// Makes the bodies of requests from this host.
pub(super) fn body(host: &str) -> impl Body + use<> {
    encode::Request::new(host.to_owned())
}

/// Sends them.
///
/// # Errors
/// In words, where the settings cannot be used.
pub(super) fn transport(config: &Otlp) -> Result<impl Transport + use<>, String> {
    Ok(Sender {
        client: Client::new(&config.client)?,
        failed: ((0, 0), 0),
    })
}
