//! The events of one request, collected and handed on in portions: however long it is, only a piece of it is held twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::place::{self, About, Record};
use super::{Intake, Refused, Summary};
use crate::source::{Entry, Kind, Origin, SourceId, Ticket};
use crate::telemetry::clock;

/// A portion is handed on when its texts have so many bytes...
const PARCEL_BYTES: usize = 512 * 1024;
/// ...or when it has so many events.
const PARCEL_EVENTS: usize = 2_048;

/// A portion: its entries do not know their streams yet.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Who writes.
    pub(super) origins: Vec<Arc<Origin>>,
    /// For each entry the place of its origin.
    pub(super) of: Vec<usize>,
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: Vec<u8>,
    pub(super) ticket: Ticket,
}

/// Takes the records of one request.
pub(super) struct Pour<'a> {
    intake: &'a Intake,
    kind: Kind,
    /// Where the positions of events begin that would be the same if they came again.
    lasting: u64,
    /// Where those of the others begin.
    passing: u64,
    /// All events would be the same.
    named: bool,
    /// Bytes of text so far.
    offset: u64,
    parcel: Parcel,
    known: HashMap<u64, usize>,
    summary: Summary,
}

impl<'a> Pour<'a> {
    /// For a request with this hash. `named`: the sender has given it a name, which is part of the hash, so that a request with
    /// the same one is the same.
    pub(super) fn new(
        intake: &'a Intake,
        kind: Kind,
        hash: u64,
        named: bool,
        tell: impl FnOnce(bool) + Send + 'static,
    ) -> Self {
        // A request that is not named is itself and no other, however often the same text comes.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = [clock::now().0.to_le_bytes(), number.to_le_bytes()].concat();
        Self {
            intake,
            kind,
            // Room to count up from there.
            lasting: hash >> 1,
            passing: xxhash_rust::xxh3::xxh3_64(&unique) >> 1,
            named,
            offset: 0,
            parcel: empty(Ticket::new(tell)),
            known: HashMap::new(),
            summary: Summary::default(),
        }
    }

    /// Takes one record, of which the sender says `tag`.
    ///
    /// # Errors
    /// Where nothing more can be taken.
    pub(super) fn push(&mut self, record: Record, tag: &str) -> Result<(), Refused> {
        let options = &self.intake.inner.options;
        let about = About {
            kind: self.kind,
            tag,
            host: &options.host,
            labels: &options.labels,
            pod_labels: &options.pod_labels,
        };
        match place::place(record, &about) {
            Ok(placed) => self.add(placed),
            Err(reason) => {
                self.reject(reason);
                Ok(())
            }
        }
    }

    /// Counts a record that cannot be taken.
    pub(super) fn reject(&mut self, reason: &'static str) {
        *self.summary.rejected.entry(reason).or_default() += 1;
    }

    fn add(&mut self, placed: place::Placed) -> Result<(), Refused> {
        let length = placed.text.len();
        let held = &self.parcel;
        if held.entries.len() >= PARCEL_EVENTS || held.bytes.len() + length > PARCEL_BYTES {
            self.hand_on()?;
        }
        let fingerprint = placed.origin.fingerprint();
        let of = match self.known.get(&fingerprint) {
            Some(of) => *of,
            None => {
                let of = self.parcel.origins.len();
                self.parcel.origins.push(Arc::new(placed.origin));
                self.known.insert(fingerprint, of);
                of
            }
        };
        let same_again = self.named || placed.timestamp.is_some();
        let from = if same_again {
            self.lasting
        } else {
            self.passing
        };
        let start = self.parcel.bytes.len();
        self.parcel.bytes.extend_from_slice(&placed.text);
        self.parcel.of.push(of);
        self.parcel.entries.push(Entry {
            id: SourceId(0),
            text: start..start + length,
            timestamp: placed.timestamp,
            stream: placed.stream,
            level: placed.level,
            start: from + self.offset,
        });
        self.offset += length as u64 + 1;
        self.summary.taken += 1;
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Refused> {
        if self.parcel.entries.is_empty() {
            return Ok(());
        }
        let next = empty(self.parcel.ticket.clone());
        let parcel = std::mem::replace(&mut self.parcel, next);
        self.known.clear();
        self.intake.hand_on(parcel)
    }

    /// Hands on the rest; what came of the records.
    ///
    /// # Errors
    /// Where it could not be handed on.
    pub(super) fn finish(mut self) -> Result<Summary, Refused> {
        self.hand_on()?;
        // What is left of the ticket has no events.
        self.parcel.ticket.kept();
        let metrics = &self.intake.inner.options.metrics;
        let receiver = self.kind.as_str();
        metrics
            .events
            .with_label_values(&[receiver])
            .inc_by(self.summary.taken);
        for (reason, records) in &self.summary.rejected {
            metrics
                .rejected
                .with_label_values(&[receiver, reason])
                .inc_by(*records);
        }
        Ok(self.summary)
    }
}

fn empty(ticket: Ticket) -> Parcel {
    Parcel {
        origins: Vec::new(),
        of: Vec::new(),
        entries: Vec::new(),
        bytes: Vec::new(),
        ticket,
    }
}
