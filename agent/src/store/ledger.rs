//! What became of every line and every event, per stream and per sink.
//!
//! Per stream: read = stored + dropped + open. Per sink: events since it began = delivered + filtered + sampled +
//! rejected + expired + pending.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The reason for events that went on to the sinks while the store could not write.
pub const STORE_UNAVAILABLE: &str = "store_unavailable";
/// The reason for events that a sink was still owed when they were deleted for room or for age.
pub const RETENTION: &str = "retention";
/// The reason for events that could not be read any more.
pub const DAMAGED: &str = "damaged";

/// What became of a stream's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamLedger {
    /// Bytes taken from the source.
    pub bytes: u64,
    /// Lines taken from the source, a line in pieces counted once. May be below 0 where a line of the file before was
    /// counted there and went on here.
    pub lines: i64,
    /// Events that they became.
    pub events: u64,
    /// Lines that were not wrapped as their source says.
    pub malformed: u64,
    /// Bytes cut off at a bound.
    pub cut_bytes: u64,
    /// Events stored.
    pub stored: u64,
    /// Lines in them.
    pub stored_lines: u64,
    /// Events not stored, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Lines in them.
    pub dropped_lines: u64,
    /// Whole lines of events that are not complete.
    pub open_lines: u64,
}

impl StreamLedger {
    /// Adds what another one counts.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.events += other.events;
        self.malformed += other.malformed;
        self.cut_bytes += other.cut_bytes;
        self.stored += other.stored;
        self.stored_lines += other.stored_lines;
        for (reason, events) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += events;
        }
        self.dropped_lines += other.dropped_lines;
        self.open_lines += other.open_lines;
    }

    /// Events dropped, for any reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether every line read is stored, dropped or open.
    #[must_use]
    pub fn balances(&self) -> bool {
        u64::try_from(self.lines)
            .is_ok_and(|lines| lines == self.stored_lines + self.dropped_lines + self.open_lines)
            && self.events == self.stored + self.dropped()
    }
}

/// What became of the events that a sink was handed at once; the sum is their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Acknowledged by the other side.
    pub events: u64,
    /// Bytes of them, as they were sent.
    pub bytes: u64,
    /// Not asked for.
    pub filtered: u64,
    /// Left out as repeats.
    pub sampled: u64,
    /// Refused for good, by reason.
    pub rejected: Vec<(&'static str, u64)>,
}

/// A sink's cursor, and what became of the events before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRecord {
    /// The first event that it was owed.
    pub since: u64,
    /// The next event that it has not acknowledged.
    pub cursor: u64,
    /// Events that it was handed beside the sequence, before the file could be opened.
    pub apart: u64,
    /// Events acknowledged by the other side.
    pub delivered: u64,
    /// Bytes of them, as they were sent.
    pub bytes: u64,
    /// Events not asked for.
    pub filtered: u64,
    /// Events left out as repeats.
    pub sampled: u64,
    /// Events refused for good, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Events that went away before they were delivered, by reason.
    pub expired: BTreeMap<String, u64>,
}

impl SinkRecord {
    /// A sink that is owed events from `next` on.
    #[must_use]
    pub fn new(next: u64) -> Self {
        Self {
            since: next,
            cursor: next,
            ..Self::default()
        }
    }

    /// Counts what became of the events before `upto`.
    pub(super) fn acknowledge(&mut self, upto: u64, delivered: &Delivered) {
        self.cursor = self.cursor.max(upto);
        self.count(delivered);
    }

    /// Counts what became of events beside the sequence.
    pub(super) fn acknowledge_apart(&mut self, delivered: &Delivered) {
        let rejected: u64 = delivered.rejected.iter().map(|(_, events)| events).sum();
        self.apart += delivered.events + delivered.filtered + delivered.sampled + rejected;
        self.count(delivered);
    }

    /// Takes over what was counted before the file could be opened; `lost` events were never handed out.
    pub(super) fn add_apart(&mut self, other: &Self, lost: u64) {
        self.apart += other.cursor - other.since + other.apart + lost;
        self.delivered += other.delivered;
        self.bytes += other.bytes;
        self.filtered += other.filtered;
        self.sampled += other.sampled;
        for (reason, events) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += events;
        }
        for (reason, events) in &other.expired {
            *self.expired.entry(reason.clone()).or_default() += events;
        }
        if lost > 0 {
            *self
                .expired
                .entry(STORE_UNAVAILABLE.to_owned())
                .or_default() += lost;
        }
    }

    fn count(&mut self, delivered: &Delivered) {
        self.delivered += delivered.events;
        self.bytes += delivered.bytes;
        self.filtered += delivered.filtered;
        self.sampled += delivered.sampled;
        for (reason, events) in &delivered.rejected {
            *self.rejected.entry((*reason).to_owned()).or_default() += events;
        }
    }

    /// Skips the events before `upto`, which cannot be delivered any more.
    pub(super) fn expire(&mut self, upto: u64, reason: &str) {
        if upto > self.cursor {
            *self.expired.entry(reason.to_owned()).or_default() += upto - self.cursor;
            self.cursor = upto;
        }
    }

    /// Events that it is still owed, where `next` is the sequence number of the next event.
    #[must_use]
    pub fn pending(&self, next: u64) -> u64 {
        next.saturating_sub(self.cursor)
    }

    /// Whether every event before the cursor is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        let rejected: u64 = self.rejected.values().sum();
        let expired: u64 = self.expired.values().sum();
        self.cursor - self.since + self.apart
            == self.delivered + self.filtered + self.sampled + rejected + expired
    }
}
