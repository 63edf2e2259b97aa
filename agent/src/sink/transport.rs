//! The contract between the engine and a protocol: a [`Body`] makes one request's bytes of events, a [`Transport`] sends
//! them and says what became of them. Everything else (filters, redaction, batches, compression, waiting, repeating,
//! counting, acknowledging) is the engine's.

use std::io;
use std::time::Duration;

use super::encode::Outgoing;
use crate::config::sinks::Compression;

/// Makes the body of a request, event after event.
pub trait Body: Send {
    /// Adds one event.
    fn add(&mut self, event: &Outgoing<'_>);

    /// About how many bytes [`finish`](Self::finish) will give for what was added; what `batch.max_bytes` bounds.
    fn bytes(&self) -> usize;

    /// Appends the body of all that was added to `out`, and forgets it: the next event begins a new body.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// A body ready to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<'a> {
    /// Its bytes, compressed as `compression` says.
    pub body: &'a [u8],
    /// How it is compressed.
    pub compression: Compression,
    /// How many bytes it was before that.
    pub plain_bytes: usize,
    /// How many events are in it; at least one.
    pub events: usize,
    /// Sequence number of the first event. The same two numbers come with the same body in every attempt, also after a
    /// restart where nothing was acknowledged in between and the batch was cut at the same place.
    pub first: u64,
    /// Sequence number of the last event.
    pub last: u64,
    /// The answer must be there after so long: the rest of the drain, where the agent is stopping.
    pub patience: Duration,
}

/// The reason of an [`Outcome::Retry`] for a connection that was closed before there was an answer.
pub use crate::client::CUT;

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// All events were taken.
    Done,
    /// The request is settled, but so many of its events were refused for good.
    Partial {
        /// How many; what is more than the request had counts as all.
        rejected: u64,
        /// A word for metrics, of a closed set.
        reason: &'static str,
        /// The other side's words.
        why: String,
    },
    /// All events were refused for good.
    Rejected {
        /// A word for metrics, of a closed set.
        reason: &'static str,
        /// The other side's words.
        why: String,
    },
    /// The body is larger than the other side takes: it is sent again in halves.
    TooLarge {
        /// The other side's words.
        why: String,
    },
    /// Nothing is known to have been taken: the same body is sent again later.
    Retry {
        /// A word for metrics, of a closed set.
        reason: &'static str,
        /// When the other side asks to be left alone until then.
        after: Option<Duration>,
        /// Waiting alone will hardly help (a wrong token, a wrong path): it is tried again rarely.
        slow: bool,
        /// What happened, for health and log.
        why: String,
    },
    /// The output has ended for good, and with it the sink: the reader of standard output is gone.
    Ended(io::Error),
}

/// Sends bodies, one after another.
pub trait Transport: Send {
    /// Sends one body and waits for what becomes of it, no longer than `request.patience` and the transport's own bound.
    fn send(&mut self, request: &Prepared<'_>) -> Outcome;
}
