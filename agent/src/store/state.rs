//! What the writer, the feeds and the readers share: the newest events, who has acknowledged what, and the file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use super::disk::Disk;
use super::feed::Portion;
use super::fetch::Damage;
use super::ledger::{Delivered, SinkRecord};
use super::names::Names;
use super::options::Options;
use super::segment::bulk_of;
use crate::flow::Batch;

/// What the handles of one store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    state: Mutex<State>,
    /// Events were published, or nothing more will be.
    pub(super) published: Condvar,
    /// There is something for the writer to do.
    pub(super) wake: Condvar,
    /// Something became durable, or it became clear that it will not.
    pub(super) durable: Condvar,
    /// Room in the intake.
    pub(super) room: Condvar,
    pub(super) names: RwLock<Names>,
    disk: RwLock<Option<Arc<Disk>>>,
    /// Grows with every template, verdict and vector that becomes durable.
    pub(super) names_version: AtomicU64,
    /// What was found damaged by whoever read it, for the writer to mark.
    damage: Mutex<BTreeSet<Damage>>,
}

/// The part under one lock; nobody holds it while reading or writing the file.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The newest events, in order and without a gap.
    pub(super) window: VecDeque<Arc<Portion>>,
    window_bytes: u64,
    /// The sequence number of the next event.
    pub(super) next: u64,
    /// The first event that can still be read, from the file or the window.
    pub(super) oldest: u64,
    pub(super) sinks: BTreeMap<String, Sink>,
    /// Batches that the writer has not taken yet.
    pub(super) intake: VecDeque<Batch>,
    /// The writer has something to put in order.
    pub(super) tidy: bool,
    /// There will be no more batches.
    pub(super) intake_closed: bool,
    /// All batches have been published.
    pub(super) complete: bool,
    /// The writer has ended.
    pub(super) ended: bool,
    /// First and end of stretches of events that went by without being stored.
    not_stored: Vec<(u64, u64)>,
    /// Counts how often the sequence numbers began anew, because the file was opened only after the first events.
    pub(super) epoch: u64,
    /// What the file knows has been taken up.
    pub(super) loaded: bool,
    /// Why nothing can be written at this time.
    pub(super) unavailable: Option<String>,
}

/// A sink as the store knows it.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) record: SinkRecord,
    /// The next event to hand out; those from the cursor to here are on their way.
    pub(super) at: u64,
    /// Events that cannot be handed out any more, in order: from, to, why, whether the sink was told.
    skips: VecDeque<Skip>,
    /// The cursor that is in the file.
    pub(super) durable: u64,
    /// The record has changed since it was written.
    pub(super) dirty: bool,
    /// Events are owed to it in this run.
    pub(super) owed: bool,
    /// A feed exists that has not ended.
    pub(super) fed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Skip {
    from: u64,
    to: u64,
    reason: &'static str,
    told: bool,
}

impl Sink {
    /// A sink with what is known of it.
    pub(super) fn new(record: SinkRecord, durable: bool) -> Self {
        Self {
            at: record.cursor,
            durable: if durable { record.cursor } else { 0 },
            dirty: !durable,
            record,
            ..Self::default()
        }
    }

    /// What has not been handed out before `to` never will be.
    pub(super) fn skip_to(&mut self, to: u64, reason: &'static str) {
        let from = self
            .skips
            .back()
            .map_or(self.at, |last| last.to.max(self.at));
        if from < to {
            match self.skips.back_mut() {
                Some(last) if last.to == from && last.reason == reason && !last.told => {
                    last.to = to;
                }
                _ => self.skips.push_back(Skip {
                    from,
                    to,
                    reason,
                    told: false,
                }),
            }
            self.settle_skips();
        }
    }

    /// Whether [`pass_skip`](Self::pass_skip) has something to say.
    pub(super) fn must_skip(&self) -> bool {
        self.skips
            .iter()
            .find(|skip| !skip.told)
            .is_some_and(|skip| skip.from <= self.at)
    }

    /// Steps over events that are gone, once; says how many, and why.
    pub(super) fn pass_skip(&mut self) -> Option<(u64, &'static str)> {
        let skip = self.skips.iter_mut().find(|skip| !skip.told)?;
        if skip.from > self.at {
            return None;
        }
        skip.told = true;
        self.at = self.at.max(skip.to);
        let told = (skip.to - skip.from, skip.reason);
        self.settle_skips();
        Some(told)
    }

    /// Counts what became of the events before `upto`.
    pub(super) fn acknowledge(&mut self, upto: u64, delivered: &Delivered) {
        if upto <= self.record.cursor {
            // Of numbers that do not count any more.
            return self.acknowledge_apart(delivered);
        }
        self.record.acknowledge(upto, delivered);
        self.at = self.at.max(self.record.cursor);
        self.dirty = true;
        self.settle_skips();
    }

    /// Counts what became of events that were handed out before the sequence numbers began anew.
    pub(super) fn acknowledge_apart(&mut self, delivered: &Delivered) {
        self.record.acknowledge_apart(delivered);
        self.dirty = true;
    }

    /// Nothing is on its way: hands out again what was not acknowledged.
    pub(super) fn rewind(&mut self) {
        self.at = self.record.cursor;
        self.settle_skips();
    }

    /// Counts skips that the cursor has come to.
    fn settle_skips(&mut self) {
        while let Some(skip) = self.skips.front()
            && skip.from <= self.record.cursor
            && skip.told
        {
            self.record.expire(skip.to, skip.reason);
            self.at = self.at.max(self.record.cursor);
            self.dirty = true;
            self.skips.pop_front();
        }
    }
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            state: Mutex::default(),
            published: Condvar::new(),
            wake: Condvar::new(),
            durable: Condvar::new(),
            room: Condvar::new(),
            names: RwLock::default(),
            disk: RwLock::default(),
            names_version: AtomicU64::default(),
            damage: Mutex::default(),
        }
    }

    /// Something cannot be read; the writer marks it.
    pub(super) fn damaged(&self, damage: impl IntoIterator<Item = Damage>) {
        let mut known = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.len();
        known.extend(damage);
        if known.len() > before {
            drop(known);
            self.lock().tidy = true;
            self.wake.notify_all();
        }
    }

    /// What was found damaged since the last time this was asked.
    pub(super) fn take_damage(&self) -> BTreeSet<Damage> {
        std::mem::take(&mut *self.damage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, where it can be used.
    pub(super) fn disk(&self) -> Option<Arc<Disk>> {
        self.disk
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_disk(&self, disk: Option<Arc<Disk>>) {
        *self.disk.write().unwrap_or_else(PoisonError::into_inner) = disk;
    }
}

impl State {
    /// Appends a portion to the window and takes out what has no place any more.
    pub(super) fn publish(
        &mut self,
        portion: Arc<Portion>,
        window_bytes: usize,
    ) -> Vec<Arc<Portion>> {
        self.next = portion.end();
        self.window_bytes += bulk_of(&portion.batch);
        self.window.push_back(portion);
        let mut out = Vec::new();
        while self.window_bytes > window_bytes as u64 && self.window.len() > 1 {
            let Some(gone) = self.window.pop_front() else {
                break;
            };
            self.window_bytes -= bulk_of(&gone.batch);
            if !gone.stored {
                self.lose(gone.first, gone.end());
            }
            out.push(gone);
        }
        out
    }

    /// Whether a sink that has kept up would have to read from the file if so many bytes more were published.
    pub(super) fn outruns_a_sink(&self, more_bytes: usize, window_bytes: usize) -> bool {
        let Some(oldest) = self.window.front() else {
            return false;
        };
        let waits_for_it =
            |sink: &Sink| sink.fed && (oldest.first..oldest.end()).contains(&sink.at);
        self.window_bytes + more_bytes as u64 > window_bytes as u64
            && self.sinks.values().any(waits_for_it)
    }

    /// The portion of the window that holds the event `seq`.
    pub(super) fn in_window(&self, seq: u64) -> Option<&Arc<Portion>> {
        let after = self.window.partition_point(|portion| portion.first <= seq);
        let portion = self.window.get(after.checked_sub(1)?)?;
        (seq < portion.end()).then_some(portion)
    }

    /// The file could be opened only now: its sequence numbers are the ones that count. What the sinks were not handed yet
    /// is lost to them.
    pub(super) fn begin_anew(
        &mut self,
        next: u64,
        oldest: u64,
        mut records: BTreeMap<String, SinkRecord>,
    ) {
        let names: BTreeSet<String> = self.sinks.keys().chain(records.keys()).cloned().collect();
        for name in names {
            let mut record = records
                .remove(&name)
                .unwrap_or_else(|| SinkRecord::new(next));
            if let Some(sink) = self.sinks.get_mut(&name) {
                record.add_apart(&sink.record, self.next.saturating_sub(sink.at));
                let (owed, fed) = (sink.owed, sink.fed);
                *sink = Sink::new(record, false);
                (sink.owed, sink.fed) = (owed, fed);
            } else {
                self.sinks.insert(name, Sink::new(record, true));
            }
        }
        self.window.clear();
        self.window_bytes = 0;
        self.not_stored.clear();
        (self.next, self.oldest) = (next, oldest);
        self.epoch += 1;
    }

    /// The sink of this name, made where it is new: it is owed events from `next` on.
    pub(super) fn sink(&mut self, name: &str, next: u64) -> &mut Sink {
        if !self.sinks.contains_key(name) {
            let sink = Sink::new(SinkRecord::new(next), false);
            self.sinks.insert(name.to_owned(), sink);
        }
        self.sinks.entry(name.to_owned()).or_default()
    }

    /// The first event that a sink of this run is still owed.
    pub(super) fn owed_from(&self) -> u64 {
        self.sinks
            .values()
            .filter(|sink| sink.owed)
            .map(|sink| sink.record.cursor)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Events before `upto` are gone for all sinks.
    pub(super) fn expire(&mut self, upto: u64, reason: &'static str) {
        for sink in self.sinks.values_mut() {
            sink.skip_to(upto, reason);
        }
        self.oldest = self.oldest.max(upto);
        self.not_stored.retain(|(_, end)| *end > upto);
    }

    /// Notes events that went by without being stored.
    fn lose(&mut self, first: u64, end: u64) {
        match self.not_stored.last_mut() {
            Some(last) if last.1 == first => last.1 = end,
            _ => self.not_stored.push((first, end)),
        }
        if self.not_stored.len() > MAX_GAPS {
            self.not_stored.remove(0);
        }
    }

    /// The end of the stretch without stored events that `at` lies in.
    pub(super) fn not_stored(&self, at: u64) -> Option<u64> {
        let gap = self
            .not_stored
            .iter()
            .find(|(first, end)| (*first..*end).contains(&at))?;
        Some(gap.1)
    }

    /// Where the window goes on at or after `at`.
    pub(super) fn window_from(&self, at: u64) -> Option<u64> {
        let portion = self.window.iter().find(|portion| portion.first >= at)?;
        Some(portion.first)
    }
}

/// Stretches of events not stored that are told apart; older ones are found to be missing all the same.
const MAX_GAPS: usize = 64;
