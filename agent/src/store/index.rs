//! Which segments the file holds, kept in memory: a few dozen bytes for some MiB of text.

use std::collections::{BTreeMap, HashMap};

use super::segment::bulk;
use super::tables::{BlockHead, SegmentHead};

/// What a page costs beside what it holds: what points to it, and the blocks' heads.
const OVERHEAD_PERCENT: u64 = 4;
/// A block's head and what points to it.
const HEAD_BYTES: u64 = 200;

/// The segments of the file, by their first sequence number.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: BTreeMap<u64, SegmentHead>,
    /// Bytes of the file that they take, nearly.
    bytes: u64,
    /// How much is in those that are not sealed.
    fresh_bulk: u64,
    fresh: u32,
    /// By stream number: the last event that is or was in the file.
    last_of: HashMap<u32, u64>,
}

impl Index {
    /// A segment was written.
    pub(super) fn insert<'a>(
        &mut self,
        first: u64,
        head: SegmentHead,
        blocks: impl IntoIterator<Item = &'a BlockHead>,
    ) {
        self.remove(first);
        self.bytes += cost(&head);
        if !head.sealed {
            self.fresh_bulk += bulk(head.raw, head.events.into());
            self.fresh += 1;
        }
        self.segments.insert(first, head);
        for block in blocks {
            let last = self.last_of.entry(block.stream).or_default();
            *last = (*last).max(block.last);
        }
    }

    /// A segment is gone.
    pub(super) fn remove(&mut self, first: u64) {
        if let Some(head) = self.segments.remove(&first) {
            self.bytes -= cost(&head);
            if !head.sealed {
                self.fresh_bulk -= bulk(head.raw, head.events.into());
                self.fresh -= 1;
            }
        }
    }

    /// The oldest segment.
    pub(super) fn oldest(&self) -> Option<(u64, &SegmentHead)> {
        let (first, head) = self.segments.first_key_value()?;
        Some((*first, head))
    }

    /// Whether the segment at `first` is sealed, where there is one.
    pub(super) fn sealed(&self, first: u64) -> Option<bool> {
        self.segments.get(&first).map(|head| head.sealed)
    }

    /// All segments, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &SegmentHead)> {
        self.segments.iter().map(|(first, head)| (*first, head))
    }

    /// Bytes of the file that the segments take, nearly.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the file that the segment at `first` takes, nearly.
    pub(super) fn cost_of(&self, first: u64) -> u64 {
        self.segments.get(&first).map_or(0, cost)
    }

    /// Events in the segment at `first`.
    pub(super) fn events_of(&self, first: u64) -> u64 {
        self.segments
            .get(&first)
            .map_or(0, |head| head.events.into())
    }

    /// How much is in segments that are not sealed, and how many those are.
    pub(super) fn fresh(&self) -> (u64, u32) {
        (self.fresh_bulk, self.fresh)
    }

    /// The last event of a stream that is or was in the file.
    pub(super) fn last_of(&self, stream: u32) -> Option<u64> {
        self.last_of.get(&stream).copied()
    }

    /// The stream is no longer known.
    pub(super) fn forget(&mut self, stream: u32) {
        self.last_of.remove(&stream);
    }
}

/// What a segment takes of the file, nearly.
fn cost(head: &SegmentHead) -> u64 {
    head.stored * (100 + OVERHEAD_PERCENT) / 100 + (u64::from(head.blocks) + 1) * HEAD_BYTES
}
