//! What the writer counts of a commit, and what it says of itself.

use std::sync::PoisonError;

use super::ledger::STORE_UNAVAILABLE;
use super::writer::{Counted, Writer};
use crate::flow::Tally;
use crate::telemetry::clock;

/// How often each template occurs in a commit, without any hashing: templates are indexes into the flow's table.
#[derive(Debug, Default)]
pub(super) struct ByTemplate {
    /// For each template its place in `counts`, counted from 1; 0: it has none.
    places: Vec<u32>,
    /// Template, its last event, how many it has.
    counts: Vec<(usize, usize, u64)>,
}

impl ByTemplate {
    fn clear(&mut self) {
        for (template, _, _) in self.counts.drain(..) {
            if let Some(place) = self.places.get_mut(template) {
                *place = 0;
            }
        }
    }

    /// The event at `index` is of `template`. The last one counts: a template may have merged while the batch was filled.
    fn add(&mut self, template: usize, index: usize) {
        if self.places.len() <= template {
            self.places.resize(template + 1, 0);
        }
        let place = &mut self.places[template];
        if *place == 0 {
            self.counts.push((template, index, 0));
            *place = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
        }
        if let Some((_, last, count)) = self.counts.get_mut(*place as usize - 1) {
            *last = index;
            *count += 1;
        }
    }

    fn counts(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.counts.iter().copied()
    }
}

impl Writer {
    /// Events and lines per stream of the batch, and what the cursors have counted.
    pub(super) fn count(&mut self) -> Vec<Counted> {
        let mut names = self
            .shared
            .names
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut by_stream = vec![(0_u64, 0_u64); self.pending.streams().len()];
        self.by_template.clear();
        for (index, event) in self.pending.events.iter().enumerate() {
            if let Some((events, lines)) = by_stream.get_mut(event.stream_index as usize) {
                *events += 1;
                *lines += u64::from(event.lines);
            }
            if event.template_text.is_some() {
                self.by_template.add(event.template, index);
            }
        }
        let now = clock::now().0;
        for (template, index, count) in self.by_template.counts() {
            let event = self.pending.events.get(index);
            if let Some(text) = event.and_then(|event| event.template_text.as_ref()) {
                names.saw(Some(template), text, count, now);
            }
        }
        names.renamed(&mut self.renamed);
        for cursor in self.cursors.values() {
            let number = names.stream_number(&cursor.stream);
            let ledger = self.ledger.entry(number).or_default();
            ledger.bytes += cursor.tally.bytes;
            ledger.lines += cursor.tally.lines;
            ledger.events += cursor.tally.events;
            ledger.malformed += cursor.tally.malformed;
            ledger.cut_bytes += cursor.tally.cut_bytes;
            ledger.open_lines = cursor.open_lines;
            self.touched.insert(number);
        }
        for cursor in self.cursors.values_mut() {
            cursor.tally = Tally::default();
        }
        let counted: Vec<Counted> = self
            .pending
            .streams()
            .iter()
            .zip(by_stream)
            .map(|(stream, (events, lines))| Counted {
                stream: names.stream_number(stream),
                events,
                lines,
            })
            .collect();
        for count in &counted {
            let ledger = self.ledger.entry(count.stream).or_default();
            ledger.stored += count.events;
            ledger.stored_lines += count.lines;
            self.touched.insert(count.stream);
        }
        counted
    }

    /// The events were counted as stored, and are not.
    pub(super) fn not_stored(&mut self, counted: &[Counted]) {
        let events = counted.iter().map(|count| count.events).sum();
        self.metrics
            .dropped
            .with_label_values(&[STORE_UNAVAILABLE])
            .inc_by(events);
        for count in counted {
            let ledger = self.ledger.entry(count.stream).or_default();
            ledger.stored -= count.events;
            ledger.stored_lines -= count.lines;
            *ledger
                .dropped
                .entry(STORE_UNAVAILABLE.to_owned())
                .or_default() += count.events;
            ledger.dropped_lines += count.lines;
            self.touched.insert(count.stream);
        }
    }

    /// Tells those who wait for it whether their events are kept; those that are not come again.
    pub(super) fn tell_senders(&mut self, stored: bool) {
        for ticket in self.tickets.drain(..) {
            if stored {
                ticket.kept();
            }
        }
    }

    /// Remembers which streams have ended, and which go on all the same.
    pub(super) fn note_ends(&mut self, now: i64) {
        let mut names = self
            .shared
            .names
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for cursor in self.cursors.values() {
            let number = names.stream_number(&cursor.stream);
            if cursor.ended.is_some() {
                self.ended.insert(number, now);
            } else {
                self.ended.remove(&number);
            }
        }
    }

    /// Says in the health how the store is.
    pub(super) fn say_health(&self) {
        let state = self.shared.lock();
        self.metrics.up.set(i64::from(state.unavailable.is_none()));
        match &state.unavailable {
            Some(_) if self.shared.options.directory.is_none() => self.health.fine(
                "store",
                "switched off: events go on to the sinks and are not kept",
            ),
            Some(why) => self.health.broken(
                "store",
                format!("{why}; events go on to the sinks and are not kept, and it is tried again"),
            ),
            None if self.stuck => self.health.broken(
                "store",
                "full of events that a sink has not taken yet; the sources wait (store.when_full)",
            ),
            None => self.health.fine("store", self.well()),
        }
    }

    /// What there is to say of a store that works.
    fn well(&self) -> String {
        let mut words = "events are stored before they are passed on".to_owned();
        if self.damaged > 0 {
            words.push_str(&format!("; {} damaged blocks are left out", self.damaged));
        }
        for note in &self.notes {
            words.push_str("; ");
            words.push_str(note);
        }
        words
    }
}
