//! A file that could not be written is opened again: what is in memory and what is in the file are brought together.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::error::Fault;
use super::ledger::STORE_UNAVAILABLE;
use super::open::{self, Loaded};
use super::writer::{Counted, Writer};

/// Whoever still reads through the file's old handle is done after so long.
const LET_GO: Duration = Duration::from_secs(2);

/// When a store that cannot write is tried again.
#[derive(Debug)]
pub(super) struct Retry {
    first: Duration,
    wait: Duration,
    pub(super) at: Option<Instant>,
}

impl Retry {
    pub(super) fn new(first: Duration) -> Self {
        Self {
            first,
            wait: first,
            at: None,
        }
    }

    pub(super) fn failed(&mut self) {
        self.at = Some(Instant::now() + self.wait);
        self.wait = (self.wait * 2).min(self.first * 30);
    }

    fn succeeded(&mut self) {
        self.wait = self.first;
        self.at = None;
    }

    fn due(&self) -> bool {
        self.at.is_none_or(|at| at <= Instant::now())
    }
}

impl Writer {
    /// The file cannot be written: said once, tried again later.
    pub(super) fn unavailable(&mut self, fault: &Fault) {
        self.retry.failed();
        self.metrics
            .failures
            .with_label_values(&[fault.as_str()])
            .inc();
        self.shared.set_disk(None);
        let words = fault.to_string();
        let said = self.shared.lock().unavailable.replace(words.clone());
        self.shared.durable.notify_all();
        if said.as_deref() != Some(&words) {
            if !matches!(fault, Fault::Off) {
                tracing::error!(%fault, "the store cannot be written; events go on to the sinks and are not kept");
            }
            self.say_health();
        }
    }

    /// Where the file could not be written: opens it anew once it is time.
    pub(super) fn try_again(&mut self) {
        let off = self.shared.options.directory.is_none();
        if off || self.shared.disk().is_some() || !self.retry.due() {
            return;
        }
        if let Err(fault) = self.reopen() {
            self.unavailable(&fault);
        }
    }

    /// Opens the file again.
    pub(super) fn reopen(&mut self) -> Result<(), Fault> {
        let damaged = self.damaged_file.take();
        let (disk, mut loaded) = open::open(&self.shared.options, damaged, LET_GO)?;
        for note in &loaded.notes {
            warn!("store: {note}");
        }
        self.notes.extend(loaded.notes.drain(..).take(3));
        let old = self.notes.len().saturating_sub(3);
        self.notes.drain(..old);
        let first_time = !self.shared.lock().loaded;
        if first_time {
            self.take_up(&mut loaded);
        }
        self.index = std::mem::take(&mut loaded.index);
        let mut names = self
            .shared
            .names
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // The file may be a new one, or lack what was to be written last.
        names.touch_all();
        drop(names);
        self.touched.extend(self.ledger.keys().copied());
        self.fresh
            .retain(|portion| self.index.sealed(portion.first) == Some(false));
        if let Some((first, counted)) = self.doubt.take()
            && self.index.sealed(first).is_some()
        {
            self.was_stored_after_all(&counted);
        }
        let mut state = self.shared.lock();
        state.loaded = true;
        let was = state.unavailable.take();
        for sink in state.sinks.values_mut() {
            sink.dirty = true;
            sink.durable = 0;
        }
        drop(state);
        self.shared.set_disk(Some(Arc::new(disk)));
        self.retry.succeeded();
        if was.is_some() {
            info!("the store can be written again");
        }
        self.say_health();
        Ok(())
    }

    /// The file could not be opened before: what it knows comes first, what happened meanwhile is added to it.
    fn take_up(&mut self, loaded: &mut Loaded) {
        let mut names = self
            .shared
            .names
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let ours = std::mem::replace(&mut *names, std::mem::take(&mut loaded.names));
        let mut ledger = std::mem::take(&mut loaded.ledger);
        for (number, counts) in std::mem::take(&mut self.ledger) {
            if let Some(stream) = ours.stream(number) {
                let number = names.stream_number(stream);
                let known = ledger.entry(number).or_default();
                let open_lines = counts.open_lines;
                known.open_lines = 0;
                known.add(&counts);
                known.open_lines = open_lines;
            }
        }
        for known in ours.known_templates() {
            if let Some(text) = ours.template_text(known.number) {
                names.saw(None, &text, known.count, known.last_seen);
            }
        }
        drop(names);
        self.ledger = ledger;
        self.gone = std::mem::take(&mut loaded.gone);
        self.ended = std::mem::take(&mut loaded.ended);
        self.doubt = None;
        self.fresh.clear();
        self.shared.lock().begin_anew(
            loaded.next,
            loaded.oldest,
            std::mem::take(&mut loaded.sinks),
        );
    }

    /// The last commit before the fault was reported as failed, and the file has it.
    fn was_stored_after_all(&mut self, counted: &[Counted]) {
        for count in counted {
            let ledger = self.ledger.entry(count.stream).or_default();
            ledger.stored += count.events;
            ledger.stored_lines += count.lines;
            if let Some(dropped) = ledger.dropped.get_mut(STORE_UNAVAILABLE) {
                *dropped = dropped.saturating_sub(count.events);
            }
            ledger.dropped_lines = ledger.dropped_lines.saturating_sub(count.lines);
            self.touched.insert(count.stream);
        }
    }
}
