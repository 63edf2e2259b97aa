//! Reading segments back: heads, the bytes of a block, and whole segments as portions.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use redb::{ReadOnlyTable, ReadTransaction};
use xxhash_rust::xxh3::xxh3_64;

use super::block;
use super::error::Fault;
use super::feed::Portion;
use super::ledger::{DAMAGED, RETENTION};
use super::names::Names;
use super::tables::{BODIES, BlockHead, HEADS, PIECE, SegmentHead, from_bytes};
use crate::flow::{Batch, Labelled};

/// What the file has at a sequence number.
#[derive(Debug)]
pub(super) enum Found {
    /// Events from there on, in runs without a gap, and what was found to be damaged on the way.
    Portions(VecDeque<Portion>, Vec<Damage>),
    /// None before this one, because those there were have gone away, or because they are damaged.
    Gap(u64, &'static str, Vec<Damage>),
}

/// A part of the file that cannot be read, to be marked so that nobody reads it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Damage {
    /// A block: the segment's first sequence number, the block's number in it.
    Block(u64, u32),
    /// The head of a segment, with all that it leads to.
    Segment(u64),
    /// The trees themselves.
    File,
}

/// A segment's blocks, without their bytes.
#[derive(Debug)]
pub(super) struct Heads {
    pub(super) first: u64,
    /// Number and head of every block that can be read.
    pub(super) blocks: Vec<(u32, BlockHead)>,
    /// The numbers of those that cannot.
    pub(super) damaged: Vec<u32>,
}

/// The tables that events are read from, in one state of the file.
pub(super) struct Fetch {
    heads: ReadOnlyTable<(u64, u32), &'static [u8]>,
    bodies: ReadOnlyTable<(u64, u32), &'static [u8]>,
}

impl Fetch {
    pub(super) fn new(transaction: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            heads: transaction.open_table(HEADS)?,
            bodies: transaction.open_table(BODIES)?,
        })
    }

    /// The first sequence number of the segment that `at` lies in or before which it lies, with its head, where that can
    /// be read.
    pub(super) fn locate(&self, at: u64) -> Result<Option<(u64, Option<SegmentHead>)>, Fault> {
        if let Some(entry) = self.heads.range(..=(at, u32::MAX))?.next_back() {
            let first = entry?.0.value().0;
            match self.head(first)? {
                Some(head) if at >= first + u64::from(head.count) => {}
                head => return Ok(Some((first, head))),
            }
        }
        match self.heads.range((at.saturating_add(1), 0)..)?.next() {
            Some(entry) => {
                let first = entry?.0.value().0;
                Ok(Some((first, self.head(first)?)))
            }
            None => Ok(None),
        }
    }

    /// The last segment that begins at or before `at`.
    pub(super) fn last_before(&self, at: u64) -> Result<Option<(u64, Option<SegmentHead>)>, Fault> {
        match self.heads.range(..=(at, u32::MAX))?.next_back() {
            Some(entry) => {
                let first = entry?.0.value().0;
                Ok(Some((first, self.head(first)?)))
            }
            None => Ok(None),
        }
    }

    /// The first sequence number of the segment after the one that begins at `first`.
    pub(super) fn after(&self, first: u64) -> Result<Option<u64>, Fault> {
        match self.heads.range((first.saturating_add(1), 0)..)?.next() {
            Some(entry) => Ok(Some(entry?.0.value().0)),
            None => Ok(None),
        }
    }

    /// Why there is nothing at `at`: the oldest events go away first.
    fn why(&self, at: u64) -> Result<&'static str, Fault> {
        let before = self.heads.range(..=(at, u32::MAX))?.next_back();
        Ok(if before.is_none() { RETENTION } else { DAMAGED })
    }

    fn head(&self, first: u64) -> Result<Option<SegmentHead>, Fault> {
        let bytes = self.heads.get((first, 0))?;
        Ok(bytes.and_then(|bytes| from_bytes(bytes.value())))
    }

    /// The heads of a segment's blocks.
    pub(super) fn blocks(&self, first: u64, head: SegmentHead) -> Result<Heads, Fault> {
        let mut heads = Heads {
            first,
            blocks: Vec::new(),
            damaged: Vec::new(),
        };
        for entry in self.heads.range((first, 1)..=(first, u32::MAX))? {
            let (key, bytes) = entry?;
            let number = key.value().1;
            match from_bytes::<BlockHead>(bytes.value()) {
                Some(block) if block.fits(first, &head) => heads.blocks.push((number, block)),
                _ => heads.damaged.push(number),
            }
        }
        Ok(heads)
    }

    /// The head of one block of a segment.
    pub(super) fn block(&self, first: u64, number: u32) -> Result<Option<BlockHead>, Fault> {
        let bytes = self.heads.get((first, number))?;
        Ok(bytes.and_then(|bytes| from_bytes(bytes.value())))
    }

    /// The bytes of a block; none where they are not what was written.
    pub(super) fn body(&self, first: u64, block: &BlockHead) -> Result<Option<Vec<u8>>, Fault> {
        let len = block.len as usize;
        let begin = block.offset / PIECE as u64;
        let skip = (block.offset % PIECE as u64) as usize;
        let Ok(begin) = u32::try_from(begin) else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(len + 2 * PIECE);
        for entry in self.bodies.range((first, begin)..=(first, u32::MAX))? {
            if bytes.len() >= skip + len {
                break;
            }
            bytes.extend_from_slice(entry?.1.value());
        }
        bytes.truncate(skip + len);
        bytes.drain(..skip.min(bytes.len()));
        Ok((bytes.len() == len && xxh3_64(&bytes) == block.checksum).then_some(bytes))
    }

    /// Appends the events of a block to `batch` and their numbers to `seqs`. False where it is damaged.
    pub(super) fn decode(
        &self,
        first: u64,
        block: &BlockHead,
        names: &Names,
        batch: &mut Batch,
        seqs: &mut Vec<u64>,
    ) -> Result<bool, Fault> {
        let Some(stream) = names.stream(block.stream) else {
            return Ok(false);
        };
        let Some(bytes) = self.body(first, block)? else {
            return Ok(false);
        };
        let before = batch.events.len();
        let sound = block::decode(&bytes, names, batch, stream, seqs).is_ok();
        names.catch_up(batch.events.get_mut(before..).unwrap_or_default());
        Ok(sound)
    }

    /// What there is at `at`.
    pub(super) fn portions(&self, at: u64, names: &RwLock<Names>) -> Result<Found, Fault> {
        let Some((first, head)) = self.locate(at)? else {
            return Ok(Found::Gap(u64::MAX, self.why(at)?, Vec::new()));
        };
        let Some(head) = head else {
            let upto = self.after(first)?.unwrap_or(u64::MAX);
            return Ok(Found::Gap(upto, DAMAGED, vec![Damage::Segment(first)]));
        };
        if at < first {
            return Ok(Found::Gap(first, self.why(at)?, Vec::new()));
        }
        let heads = self.blocks(first, head)?;
        let (batch, seqs, damaged) = self.events(&heads, names)?;
        let mut portions = runs(batch, &seqs, first, first + u64::from(head.count));
        while portions.front().is_some_and(|portion| portion.end() <= at) {
            portions.pop_front();
        }
        Ok(if portions.is_empty() {
            Found::Gap(first + u64::from(head.count), DAMAGED, damaged)
        } else {
            Found::Portions(portions, damaged)
        })
    }

    /// All events of a segment in their order, and what of it is damaged.
    pub(super) fn events(
        &self,
        heads: &Heads,
        names: &RwLock<Names>,
    ) -> Result<(Batch, Vec<u64>, Vec<Damage>), Fault> {
        let names = names.read().unwrap_or_else(PoisonError::into_inner);
        let mut damaged: Vec<Damage> = heads
            .damaged
            .iter()
            .map(|number| Damage::Block(heads.first, *number))
            .collect();
        let mut batch = Batch::new(names.labels());
        let mut seqs = Vec::new();
        for (number, block) in &heads.blocks {
            if !block.damaged && !self.decode(heads.first, block, &names, &mut batch, &mut seqs)? {
                damaged.push(Damage::Block(heads.first, *number));
            }
        }
        in_order(&mut batch, &mut seqs);
        Ok((batch, seqs, damaged))
    }
}

impl BlockHead {
    /// Whether it can be a block of this segment.
    fn fits(&self, first: u64, segment: &SegmentHead) -> bool {
        self.first >= first
            && self.last < first.saturating_add(segment.count.into())
            && self.first <= self.last
            && self.offset.saturating_add(self.len.into()) <= segment.stored
    }
}

/// Sorts events by their sequence numbers.
pub(super) fn in_order(batch: &mut Batch, seqs: &mut [u64]) {
    if seqs.is_sorted() {
        return;
    }
    let events = std::mem::take(&mut batch.events);
    let mut both: Vec<(u64, Labelled)> = seqs.iter().copied().zip(events).collect();
    both.sort_unstable_by_key(|(seq, _)| *seq);
    for (place, (seq, _)) in seqs.iter_mut().zip(&both) {
        *place = *seq;
    }
    batch
        .events
        .extend(both.into_iter().map(|(_, event)| event));
}

/// Cuts ordered events where their numbers have a gap; numbers outside of `from..to` or given twice are left out.
fn runs(batch: Batch, seqs: &[u64], from: u64, to: u64) -> VecDeque<Portion> {
    let whole = seqs.first().is_some_and(|first| *first >= from)
        && seqs.last().is_some_and(|last| *last < to)
        && seqs.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if whole {
        let first = seqs.first().copied().unwrap_or(from);
        return VecDeque::from([Portion {
            first,
            batch,
            stored: true,
        }]);
    }
    let mut portions: VecDeque<Portion> = VecDeque::new();
    for (seq, event) in seqs.iter().zip(&batch.events) {
        if !(from..to).contains(seq) {
            continue;
        }
        match portions.back_mut() {
            Some(last) if last.end() == *seq => last.batch.append_event(&batch, event),
            Some(last) if last.end() > *seq => {}
            _ => {
                let mut run = Batch::new(Arc::clone(&batch.labels));
                run.append_event(&batch, event);
                portions.push_back(Portion {
                    first: *seq,
                    batch: run,
                    stored: true,
                });
            }
        }
    }
    portions
}
