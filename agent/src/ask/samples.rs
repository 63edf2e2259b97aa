//! Some lines of each template, remembered from when their blocks were unpacked anyway: to quote one line out of a block takes
//! unpacking all of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::answer::Line;
use super::facts::Choice;
use super::lines::line;
use crate::flow::Batch;

/// Lines that are remembered of a template, the newest.
const MOST: usize = 5;
/// Longer lines are not remembered, in bytes.
const LONGEST: usize = 512;
/// Bytes of text that are remembered in all.
const ROOM: usize = 6 << 20;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Samples {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the template's number, with the events' sequence numbers, the newest first.
    lines: HashMap<u32, Vec<(u64, Line)>>,
    bytes: usize,
}

impl Samples {
    /// Takes up the newest events of each template in a block.
    pub(super) fn learn(&self, batch: &Batch, seqs: &[u64]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { lines, bytes } = &mut *known;
        for (event, seq) in batch.events.iter().zip(seqs).rev() {
            let Ok(number) = u32::try_from(event.template) else {
                continue;
            };
            let own = lines.entry(number).or_default();
            let oldest = own.last().map_or(0, |(seq, _)| *seq);
            if own.len() >= MOST && *seq <= oldest {
                continue;
            }
            let text = batch.get(event.text);
            if text.len() > LONGEST || *bytes + text.len() > ROOM {
                continue;
            }
            let line = line(batch, event);
            let there = |(other, known): &(u64, Line)| {
                other == seq || (known.text == line.text && known.rest == line.rest)
            };
            if own.iter().any(there) {
                continue;
            }
            let at = own.partition_point(|(other, _)| other > seq);
            *bytes += line.text.len() + line.rest.len();
            own.insert(at, (*seq, line));
            if own.len() > MOST
                && let Some((_, old)) = own.pop()
            {
                *bytes -= old.text.len() + old.rest.len();
            }
        }
    }

    /// Up to `most` chosen lines of the templates in `numbers`, the newest first, none from before event `oldest`: it is gone.
    pub(super) fn of(
        &self,
        numbers: &HashSet<u32>,
        choice: &Choice,
        oldest: u64,
        most: usize,
    ) -> Vec<Line> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<&(u64, Line)> = numbers
            .iter()
            .filter_map(|number| known.lines.get(number))
            .flatten()
            .filter(|(seq, line)| {
                let stream = line.event_id.rsplit_once(':').map_or("", |(id, _)| id);
                *seq >= oldest && choice.has_time(line.time) && choice.has_stream(stream)
            })
            .collect();
        found.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        let mut lines: Vec<Line> = Vec::new();
        for (_, line) in found {
            if lines.len() < most && !lines.contains(line) {
                lines.push(line.clone());
            }
        }
        lines
    }

    /// Forgets the lines from before event `oldest`.
    pub(super) fn forget_before(&self, oldest: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { lines, bytes } = &mut *known;
        lines.retain(|_, own| {
            while let Some((_, old)) = own.pop_if(|(seq, _)| *seq < oldest) {
                *bytes -= old.text.len() + old.rest.len();
            }
            !own.is_empty()
        });
    }
}
