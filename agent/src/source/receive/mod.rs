//! What other pipelines send: Fluent forward, JSON and OTLP over HTTP.
//!
//! Enters: requests and chunks. Leaves: [`Delivered`](super::Message::Delivered) with a ticket that says when the store has the
//! events; only then is the sender told that they were taken. What is not taken is refused so that the sender repeats it, or, where
//! repeating cannot help, counted by its reason. An event that comes again has the same id again wherever that can be told: its
//! chunk has a name, or the event a time of its own.
//!
//! | file | what |
//! |---|---|
//! | [`budget`] | how much may be on its way |
//! | [`pour`] | events of one request, collected and sent on in portions |
//! | [`streams`](mod@streams) | the thread that knows the streams and sends to the flow |
//! | [`place`] | what a record says of its origin, its time, its level; what is left is the line |
//! | [`inflate`] | gzip and zstd, within bounds |
//! | [`json`], [`otlp`], [`otlp_json`], [`forward`] | the ways in |

mod budget;
pub mod forward;
mod inflate;
mod json;
mod names;
mod otlp;
mod otlp_json;
mod place;
mod pour;
mod streams;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use budget::Share;
pub use inflate::Encoding;
use pour::Parcel;

use super::{Kind, Sender};
use crate::shutdown::Shutdown;
use crate::telemetry::ReceiveMetrics;
use budget::Budget;

/// Portions that wait for the thread that sends to the flow.
const PARCELS: usize = 4;
/// How often is looked whether there is room for another one.
const LOOK: Duration = Duration::from_millis(2);
/// So long a portion waits for room before its sender is asked to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A JSON document that is read as a whole takes so many times more memory than one that is walked.
const DOCUMENT: usize = 4;
/// A record may be so long; a line is cut long before.
const MAX_RECORD: usize = 1 << 20;

/// How receiving is set up.
pub struct Options {
    /// A request may be so long, before and after decompression.
    pub max_bytes: usize,
    /// Bytes of all requests and chunks that may be on their way to the store.
    pub max_pending_bytes: usize,
    /// Labels of containers that are kept.
    pub labels: Vec<String>,
    /// Labels of pods that are kept.
    pub pod_labels: Vec<String>,
    /// This host's name.
    pub host: String,
    /// Whether the store would keep what comes now.
    pub ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// What is counted.
    pub metrics: ReceiveMetrics,
}

/// Where the receivers hand over what has come. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    parcels: SyncSender<Parcel>,
    shutdown: Shutdown,
    budget: Arc<Budget>,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

/// What became of the records of one request that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events on their way to the store.
    pub taken: u64,
    /// Records that were not taken, by reason: sending them again does not help.
    pub rejected: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// How many records were not taken.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The store cannot keep anything now: to be sent again.
    NotKept,
    /// Too much is on its way: to be sent again.
    Busy,
    /// The agent stops: to be sent again.
    Stopping,
    /// It is longer than allowed.
    TooLarge,
    /// It is not what it is said to be, and why.
    Malformed(&'static str),
}

impl Refused {
    /// A word for metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotKept => "store_unavailable",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// Starts the thread that hands on what is received. It ends with the shutdown, or when the flow has ended.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(
    options: Options,
    sender: Sender,
    shutdown: &Shutdown,
) -> std::io::Result<(Intake, JoinHandle<()>)> {
    let (parcels, received) = sync_channel(PARCELS);
    let crowded = options.metrics.crowded.clone();
    let ends = shutdown.clone();
    let thread = std::thread::Builder::new()
        .name("source-receive".to_owned())
        .spawn(move || streams::run(&received, &sender, &ends, &crowded))?;
    let budget = Budget::new(options.max_pending_bytes);
    let inner = Inner {
        budget: Arc::new(budget),
        parcels,
        shutdown: shutdown.clone(),
        options,
    };
    let intake = Intake {
        inner: Arc::new(inner),
    };
    Ok((intake, thread))
}

impl Intake {
    /// A request may be so long, before and after decompression.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.inner.options.max_bytes
    }

    /// A JSON document that is read as a whole may be so long.
    #[must_use]
    pub fn max_document(&self) -> usize {
        self.max_bytes() / DOCUMENT
    }

    /// Whether something that comes now could be taken.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Refused> {
        if self.inner.shutdown.is_triggered() {
            return Err(Refused::Stopping);
        }
        if !(self.inner.options.ready)() {
            return Err(Refused::NotKept);
        }
        Ok(())
    }

    /// Room for `bytes` that are about to come.
    ///
    /// # Errors
    /// [`Refused::Busy`] where there is none now.
    pub fn room(&self, bytes: usize) -> Result<Share, Refused> {
        Share::of(&self.inner.budget, bytes).ok_or(Refused::Busy)
    }

    /// Takes a body of JSON: an object a line, or an array of objects. `tell` is called once, with whether the events are kept.
    ///
    /// # Errors
    /// Where the body as a whole is not taken; then `tell` is called with false, or has been.
    pub fn json(
        &self,
        body: &[u8],
        encoding: Encoding,
        share: Share,
        tell: impl FnOnce(bool) + Send + 'static,
    ) -> Result<Summary, Refused> {
        let limit = self.max_bytes();
        self.take(Kind::Http, body, (encoding, limit), share, tell, json::read)
    }

    /// Takes an `ExportLogsServiceRequest` in protobuf. `tell` is called once, with whether the events are kept.
    ///
    /// # Errors
    /// As for [`json`](Self::json).
    pub fn otlp(
        &self,
        body: &[u8],
        encoding: Encoding,
        share: Share,
        tell: impl FnOnce(bool) + Send + 'static,
    ) -> Result<Summary, Refused> {
        let limit = self.max_bytes();
        self.take(Kind::Otlp, body, (encoding, limit), share, tell, otlp::read)
    }

    /// The same in JSON, of which [`max_document`](Self::max_document) bytes are taken.
    ///
    /// # Errors
    /// As for [`json`](Self::json).
    pub fn otlp_json(
        &self,
        body: &[u8],
        encoding: Encoding,
        share: Share,
        tell: impl FnOnce(bool) + Send + 'static,
    ) -> Result<Summary, Refused> {
        let limit = self.max_document();
        self.take(
            Kind::Otlp,
            body,
            (encoding, limit),
            share,
            tell,
            otlp_json::read,
        )
    }

    fn take(
        &self,
        kind: Kind,
        body: &[u8],
        (encoding, limit): (Encoding, usize),
        mut share: Share,
        tell: impl FnOnce(bool) + Send + 'static,
        read: fn(&[u8], &mut pour::Pour<'_>) -> Result<(), Refused>,
    ) -> Result<Summary, Refused> {
        let metrics = &self.inner.options.metrics;
        let receiver = kind.as_str();
        metrics
            .bytes
            .with_label_values(&[receiver])
            .inc_by(body.len() as u64);
        let inflated = inflate::whole(body, encoding, limit)?;
        if !share.grow(inflated.len().saturating_sub(body.len())) {
            return Err(Refused::Busy);
        }
        let hash = xxhash_rust::xxh3::xxh3_64(&inflated);
        let mut pour = pour::Pour::new(self, kind, hash, false, move |kept| {
            drop(share);
            tell(kept);
        });
        read(&inflated, &mut pour)?;
        pour.finish()
    }

    /// Counts a request that was not taken.
    pub fn count_refused(&self, receiver: &str, why: &Refused) {
        let refused = &self.inner.options.metrics.refused;
        refused.with_label_values(&[receiver, why.as_str()]).inc();
    }

    /// Hands on a portion, waiting a while for room.
    fn hand_on(&self, mut parcel: Parcel) -> Result<(), Refused> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.check()?;
            match self.inner.parcels.try_send(parcel) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Refused::Stopping),
                Err(TrySendError::Full(back)) if Instant::now() < deadline => parcel = back,
                Err(TrySendError::Full(_)) => return Err(Refused::Busy),
            }
            std::thread::sleep(LOOK);
        }
    }
}
