//! What other streams wrote at about the time of what was found.

use std::collections::HashSet;

use super::{AskError, Search};
use crate::ask::answer::{Line, Reference};
use crate::ask::facts::Choice;
use crate::ask::lines::line;
use crate::store::Reader;

/// How far before and after a line another one is told of, in nanoseconds.
const WITHIN: i64 = 5_000_000_000;
/// Blocks that are unpacked for it, those whose times are nearest first.
const MOST_BLOCKS: usize = 16;

impl Search<'_> {
    /// What other streams wrote within seconds of the first line of the best reference: of as many lines as are told around it,
    /// those that are nearest in time, in the order of their times.
    pub(super) fn add_elsewhere(&self, references: &mut [Reference]) -> Result<(), AskError> {
        let around = self.question.around;
        let Some(reference) = references.first_mut().filter(|_| around > 0) else {
            return Ok(());
        };
        let Some(first) = reference.lines.first() else {
            return Ok(());
        };
        let (Some(time), Some((stream, _))) = (first.time, first.event_id.rsplit_once(':')) else {
            return Ok(());
        };
        let choice = Choice {
            from: Some(time.saturating_sub(WITHIN)),
            to: Some(time.saturating_add(WITHIN + 1)),
            streams: Some(others(self.reader, stream)),
        };
        let mut blocks: Vec<_> = self
            .view
            .facts
            .blocks()
            .iter()
            .filter(|block| choice.may_be_in(&block.place))
            .collect();
        // A block that spans less time around the moment has more to say of it.
        blocks.sort_by_key(|block| block.place.times.map(|(from, to)| to.saturating_sub(from)));
        let mut found: Vec<(u64, i64, Line)> = Vec::new();
        for block in blocks.into_iter().take(MOST_BLOCKS) {
            let Some((batch, _)) = self.reader.block_events(&block.place)? else {
                continue;
            };
            for event in &batch.events {
                if let Some(at) = event.timestamp.map(|time| time.0)
                    && choice.has_time(Some(at))
                {
                    found.push((at.abs_diff(time), at, line(&batch, event)));
                }
            }
            found.sort_by_key(|(far, at, _)| (*far, *at));
            found.truncate(around);
        }
        found.sort_by_key(|(_, at, _)| *at);
        reference.elsewhere = found.into_iter().map(|(_, _, line)| line).collect();
        Ok(())
    }
}

/// The ids of all streams but one.
fn others(reader: &Reader, stream: &str) -> HashSet<String> {
    reader
        .streams()
        .iter()
        .map(|known| known.id.clone())
        .filter(|id| id != stream)
        .collect()
}
