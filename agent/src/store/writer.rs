//! The writer: the one thread that changes the file. Batches and acknowledgements in, portions out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use logline::template::TemplateId;

use super::account::ByTemplate;
use super::changes::Changes;
use super::disk::Disk;
use super::error::Fault;
use super::feed::Portion;
use super::index::Index;
use super::ledger::StreamLedger;
use super::names::Names;
use super::records::cursor_record;
use super::recover::Retry;
use super::segment::{Segment, bulk_of};
use super::state::Shared;
use super::tables::{VectorRecord, to_bytes};
use super::waiting::Work;
use crate::flow::{Batch, Cursor, Judged};
use crate::source::Ticket;
use crate::telemetry::{Health, Metrics, StoreMetrics, clock};

/// Batches that wait for the writer.
const INTAKE: usize = 2;
/// Emptied batches that are kept for the next commits.
const SPARE: usize = 1;

/// The state of the thread.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    used: Sender<Batch>,
    pub(super) metrics: StoreMetrics,
    pub(super) health: Arc<Health>,
    /// Events of the next commit.
    pub(super) pending: Batch,
    /// When the first of them came.
    pub(super) since: Option<Instant>,
    /// Cursors of the next commit, by stream id.
    pub(super) cursors: HashMap<String, Cursor>,
    /// Templates that became part of another one, which the store may not have met yet.
    pub(super) renamed: Vec<(TemplateId, TemplateId)>,
    /// Templates that were judged or placed since the last commit.
    pub(super) judged: Vec<Judged>,
    /// Of those who wait until the events of the next commit are durable.
    pub(super) tickets: Vec<Ticket>,
    pub(super) ledger: BTreeMap<u32, StreamLedger>,
    /// Of them, those that are not in the file as they are here.
    pub(super) touched: BTreeSet<u32>,
    pub(super) gone: StreamLedger,
    pub(super) index: Index,
    pub(super) ended: BTreeMap<u32, i64>,
    /// Stored events that are not in a sealed segment yet, those of this run.
    pub(super) fresh: VecDeque<Arc<Portion>>,
    /// What was found damaged when the file was opened, in words.
    pub(super) notes: Vec<String>,
    /// Blocks found damaged in this run.
    pub(super) damaged: u64,
    /// Of the commit that is being counted; its memory is used again.
    pub(super) by_template: ByTemplate,
    /// There is no room, and nothing may go.
    pub(super) stuck: bool,
    /// Since when no batches are taken for the sake of a sink.
    pub(super) waiting_since: Cell<Option<Instant>>,
    spare: Vec<Batch>,
    pub(super) segment: Segment,
    pub(super) retry: Retry,
    /// The last commit, reported as failed: the file may hold it all the same.
    pub(super) doubt: Option<(u64, Vec<Counted>)>,
    /// The file is to be set aside, and why.
    pub(super) damaged_file: Option<String>,
    /// When the last commit was, and how long it took.
    pub(super) committed: Instant,
    pub(super) took: Duration,
}

/// What the file holds, as the writer knows it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What became of every stream's lines, by its number.
    pub(super) ledger: BTreeMap<u32, StreamLedger>,
    /// The sum over streams that are no longer known one by one.
    pub(super) gone: StreamLedger,
    pub(super) index: Index,
    /// When the cursors of streams that have ended were written, by stream number.
    pub(super) ended: BTreeMap<u32, i64>,
    /// What was damaged when it was opened.
    pub(super) notes: Vec<String>,
}

/// What a batch holds of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) stream: u32,
    pub(super) events: u64,
    pub(super) lines: u64,
}

/// Moves batches from the flow's channel to the writer, which also waits for acknowledgements.
pub(super) fn take_in(shared: &Shared, batches: &Receiver<Batch>) {
    for batch in batches {
        let mut state = shared.lock();
        while state.intake.len() >= INTAKE && !state.ended {
            state = shared
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            return;
        }
        state.intake.push_back(batch);
        shared.wake.notify_all();
    }
    shared.lock().intake_closed = true;
    shared.wake.notify_all();
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        used: Sender<Batch>,
        metrics: &Metrics,
        health: Arc<Health>,
        kept: Kept,
    ) -> Self {
        let first = shared.options.retry_after;
        Self {
            pending: Batch::new(Arc::default()),
            shared,
            used,
            metrics: metrics.store(),
            health,
            since: None,
            cursors: HashMap::new(),
            renamed: Vec::new(),
            judged: Vec::new(),
            tickets: Vec::new(),
            ledger: kept.ledger,
            touched: BTreeSet::new(),
            gone: kept.gone,
            index: kept.index,
            ended: kept.ended,
            fresh: VecDeque::new(),
            notes: kept.notes,
            damaged: 0,
            by_template: ByTemplate::default(),
            stuck: false,
            waiting_since: Cell::new(None),
            spare: Vec::new(),
            segment: Segment::default(),
            retry: Retry::new(first),
            doubt: None,
            damaged_file: None,
            committed: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// Works until all batches are stored and the sinks have taken them, or their time is over.
    pub(super) fn run(mut self) {
        self.say_health();
        if self.shared.disk().is_none() && self.shared.options.directory.is_some() {
            self.retry.failed();
        }
        loop {
            match self.wait() {
                Work::Batch(batch) => self.take(*batch),
                Work::Commit => self.commit(),
                Work::Acknowledge => self.commit_acknowledgements(),
                Work::Closed => break,
            }
        }
        self.commit();
        self.drain();
        let mut state = self.shared.lock();
        state.ended = true;
        drop(state);
        self.shared.published.notify_all();
        self.shared.durable.notify_all();
        self.shared.room.notify_all();
    }

    /// Adds a batch to the next commit.
    fn take(&mut self, mut batch: Batch) {
        let most = self.shared.options.commit_bytes as u64;
        let full = bulk_of(&self.pending) + bulk_of(&batch) > most;
        let other = !Arc::ptr_eq(&self.pending.labels, &batch.labels);
        if !self.pending.events.is_empty() && (full || other) {
            self.commit();
        }
        self.since.get_or_insert_with(Instant::now);
        self.pending.labels = Arc::clone(&batch.labels);
        self.pending.append(&batch);
        for cursor in batch.cursors.drain(..) {
            match self.cursors.get_mut(&cursor.stream.id) {
                Some(known) => {
                    let before = known.tally;
                    *known = cursor;
                    known.tally.bytes += before.bytes;
                    known.tally.lines += before.lines;
                    known.tally.events += before.events;
                    known.tally.malformed += before.malformed;
                    known.tally.cut_bytes += before.cut_bytes;
                }
                None => {
                    self.cursors.insert(cursor.stream.id.clone(), cursor);
                }
            }
        }
        self.tickets.append(&mut batch.tickets);
        self.renamed.append(&mut batch.renamed);
        if self.shared.options.directory.is_some() {
            self.judged.append(&mut batch.judged);
        }
        batch.clear();
        // A flow that has ended needs no batches.
        let _ = self.used.send(batch);
        if bulk_of(&self.pending) >= most {
            self.commit();
        }
    }

    /// Writes what the sinks have acknowledged; the events that wait for their commit go on waiting, because small commits
    /// are dear.
    fn commit_acknowledgements(&mut self) {
        let pending = std::mem::replace(&mut self.pending, Batch::new(Arc::default()));
        let cursors = std::mem::take(&mut self.cursors);
        let since = self.since.take();
        let tickets = std::mem::take(&mut self.tickets);
        self.commit();
        self.tickets = tickets;
        self.pending = pending;
        self.cursors = cursors;
        self.since = since;
    }

    /// Stores what is pending, then shows it to the sinks; where it cannot be stored they get it all the same.
    fn commit(&mut self) {
        let began = Instant::now();
        self.since = None;
        let now = clock::now().0;
        self.try_again();
        let first = self.shared.lock().next;
        let counted = self.count();
        let stored = self.store_or_reopen(first, now);
        self.tell_senders(stored);
        if !stored {
            self.not_stored(&counted);
            if !self.pending.events.is_empty() && self.doubt.is_none() {
                self.doubt = Some((first, counted));
            }
        }
        self.publish(first, stored);
        self.committed = Instant::now();
        self.took = self.committed.duration_since(began);
        if let Some(disk) = self.shared.disk()
            && let Err(fault) = self.tidy(&disk, now)
        {
            drop(disk);
            self.close_file(&fault);
            if let Err(fault) = self.reopen() {
                self.unavailable(&fault);
            }
        }
    }

    /// Stores what is pending; where that fails once the file is opened anew, because a fault may have passed, and because a
    /// commit that failed may be in the file all the same.
    fn store_or_reopen(&mut self, first: u64, now: i64) -> bool {
        let Some(disk) = self.shared.disk() else {
            return false;
        };
        let Err(fault) = self.store(&disk, first, now) else {
            return true;
        };
        drop(disk);
        tracing::warn!(%fault, "a commit has failed; the store's file is opened again");
        self.close_file(&fault);
        let again = self.reopen().and_then(|()| {
            if !self.pending.events.is_empty() && self.index.sealed(first).is_some() {
                // The failed commit is there, with its cursors.
                self.cursors.clear();
                return Ok(());
            }
            match self.shared.disk() {
                Some(disk) => self.store(&disk, first, now),
                None => Err(Fault::Off),
            }
        });
        match again {
            Ok(()) => true,
            Err(fault) => {
                self.close_file(&fault);
                self.unavailable(&fault);
                false
            }
        }
    }

    /// Lets go of the file after a fault.
    fn close_file(&mut self, fault: &Fault) {
        self.shared.set_disk(None);
        if let Fault::Damaged(why) = fault {
            self.damaged_file = Some(why.clone());
        }
    }

    /// After a commit: small segments are merged, old ones go, damage is marked.
    fn tidy(&mut self, disk: &Disk, now: i64) -> Result<(), Fault> {
        self.shared.lock().tidy = false;
        self.mark_damage(disk)?;
        self.seal(disk, now)?;
        let stuck = !self.retain(disk, now)?;
        if stuck != self.stuck {
            self.stuck = stuck;
            self.say_health();
        }
        Ok(())
    }

    /// One transaction: events, names, cursors, ledger, acknowledgements.
    fn store(&mut self, disk: &Disk, first: u64, now: i64) -> Result<(), Fault> {
        let sealed = bulk_of(&self.pending) >= self.shared.options.seal_bytes / 4;
        let (dirty, mut changes) = {
            let mut names = self
                .shared
                .names
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if !self.pending.events.is_empty() {
                let span = self.pending.events.len();
                let seqs: Vec<u64> = (first..).take(span).collect();
                let span = u32::try_from(span).unwrap_or(u32::MAX);
                self.segment
                    .encode(&self.pending, &seqs, first, span, sealed, now, &mut names);
            }
            let cursors = self.cursor_records(&mut names, now);
            let vectors = self.vector_records(&mut names);
            let dirty = names.take_dirty();
            let mut changes = Changes::of_names(&dirty, &names);
            changes.cursors = cursors;
            changes.vectors = vectors;
            (dirty, changes)
        };
        changes.ledger = self
            .touched
            .iter()
            .filter_map(|number| Some((*number, to_bytes(self.ledger.get(number)?))))
            .collect();
        let acknowledged = self.acknowledged();
        changes.sinks = acknowledged
            .iter()
            .map(|(name, _, record)| (name.clone(), record.clone()))
            .collect();
        if changes.is_empty() && self.pending.events.is_empty() {
            return Ok(());
        }
        let written = disk.write(|transaction| {
            if !self.pending.events.is_empty() {
                self.segment.insert(transaction)?;
            }
            changes.apply(transaction)
        });
        let mut state = self.shared.lock();
        for (name, cursor, _) in acknowledged {
            if let Some(sink) = state.sinks.get_mut(&name) {
                match written {
                    Ok(()) => sink.durable = sink.durable.max(cursor),
                    Err(_) => sink.dirty = true,
                }
            }
        }
        drop(state);
        match written {
            Ok(()) => {
                if changes.renames() {
                    self.shared.names_version.fetch_add(1, Ordering::AcqRel);
                }
                self.judged.clear();
                self.metrics.commits.inc();
                self.metrics.stored.inc_by(self.pending.events.len() as u64);
                self.touched.clear();
                if !self.pending.events.is_empty() {
                    self.index
                        .insert(first, self.segment.head, &self.segment.blocks);
                }
                self.note_ends(now);
                self.cursors.clear();
                self.shared.durable.notify_all();
                Ok(())
            }
            Err(fault) => {
                self.shared
                    .names
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .give_back(dirty);
                Err(fault)
            }
        }
    }

    /// Takes up the verdicts that have come, and gives the vectors to be written.
    fn vector_records(&self, names: &mut Names) -> Vec<(u32, Vec<u8>)> {
        let mut vectors = Vec::new();
        for judged in &self.judged {
            let number = names.template_number(&judged.template);
            if let Some(verdict) = &judged.template.judged {
                names.judge(number, Arc::clone(verdict));
            }
            if let Some(embedding) = &judged.embedding {
                vectors.push((number, to_bytes(&VectorRecord::from(embedding))));
            }
        }
        vectors
    }

    fn cursor_records(&self, names: &mut Names, now: i64) -> Vec<(u32, Vec<u8>)> {
        self.cursors
            .values()
            .map(|cursor| {
                let number = names.stream_number(&cursor.stream);
                (number, to_bytes(&cursor_record(cursor, now)))
            })
            .collect()
    }

    /// The records of the sinks that have moved: name, cursor, record.
    fn acknowledged(&self) -> Vec<(String, u64, Vec<u8>)> {
        let mut state = self.shared.lock();
        state
            .sinks
            .iter_mut()
            .filter(|(_, sink)| sink.dirty)
            .map(|(name, sink)| {
                sink.dirty = false;
                (name.clone(), sink.record.cursor, to_bytes(&sink.record))
            })
            .collect()
    }

    /// Shows the pending events to the sinks.
    fn publish(&mut self, first: u64, stored: bool) {
        if self.pending.events.is_empty() {
            return;
        }
        let next = self
            .spare
            .pop()
            .unwrap_or_else(|| Batch::new(Arc::default()));
        let batch = std::mem::replace(&mut self.pending, next);
        let portion = Arc::new(Portion {
            first,
            batch,
            stored,
        });
        let sealed = self.index.sealed(first);
        if stored && sealed == Some(false) {
            self.fresh.push_back(Arc::clone(&portion));
        }
        let out = self
            .shared
            .lock()
            .publish(portion, self.shared.options.window_bytes);
        self.shared.published.notify_all();
        for portion in out {
            if let Ok(mut portion) = Arc::try_unwrap(portion)
                && self.spare.len() < SPARE
            {
                portion.batch.clear();
                self.spare.push(portion.batch);
            }
        }
    }

    /// After the last event: the sinks get their time to take what they are owed.
    fn drain(&mut self) {
        let mut state = self.shared.lock();
        state.complete = true;
        self.shared.published.notify_all();
        let deadline = Instant::now() + self.shared.options.drain;
        loop {
            let dirty = state.sinks.values().any(|sink| sink.dirty);
            if dirty && state.unavailable.is_none() {
                drop(state);
                self.commit();
                state = self.shared.lock();
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !state.sinks.values().any(|sink| sink.fed) {
                return;
            }
            state = self
                .shared
                .wake
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
