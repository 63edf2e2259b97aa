//! Segments: how a run of events is cut into blocks and put into the file, and how it is read back.

use redb::WriteTransaction;
use xxhash_rust::xxh3::xxh3_64;

use super::block;
use super::error::Fault;
use super::names::Names;
use super::tables::{BODIES, BlockHead, HEADS, PIECE, SegmentHead, to_bytes};
use crate::flow::Batch;

/// What an event takes of memory beside its text, nearly.
const EVENT_BYTES: u64 = 128;

/// How much so many events with so much text are: their text, or where the events are tiny what they take beside it.
pub(super) fn bulk(text: u64, events: u64) -> u64 {
    text.max(events * EVENT_BYTES)
}

/// How much is in a batch.
pub(super) fn bulk_of(batch: &Batch) -> u64 {
    bulk(batch.bytes_len() as u64, batch.events.len() as u64)
}

/// A segment on its way into the file.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) head: SegmentHead,
    pub(super) blocks: Vec<BlockHead>,
    pub(super) body: Vec<u8>,
    pub(super) plans: block::Plans,
}

impl Segment {
    /// Encodes the events of `batch`, whose sequence numbers are `seqs`, as a segment for the `span` numbers from `first` on:
    /// a block per stream.
    #[expect(clippy::too_many_arguments, reason = "they are all different things")]
    pub(super) fn encode(
        &mut self,
        batch: &Batch,
        seqs: &[u64],
        first: u64,
        span: u32,
        sealed: bool,
        written: i64,
        names: &mut Names,
    ) {
        self.first = first;
        self.blocks.clear();
        self.body.clear();
        let mut raw = 0;
        for picked in by_stream(batch) {
            let Some(stream) = picked
                .first()
                .and_then(|index| batch.events.get(*index as usize))
                .and_then(|event| batch.streams().get(event.stream_index as usize))
            else {
                continue;
            };
            let stream = names.stream_number(stream);
            let seqs: Vec<u64> = picked
                .iter()
                .filter_map(|index| seqs.get(*index as usize).copied())
                .collect();
            let starts = picked
                .iter()
                .filter_map(|index| Some(batch.events.get(*index as usize)?.start));
            let starts = (
                starts.clone().min().unwrap_or_default(),
                starts.max().unwrap_or_default(),
            );
            let offset = self.body.len();
            let summary = block::encode(
                batch,
                &picked,
                &seqs,
                names,
                &mut self.plans,
                sealed,
                &mut self.body,
            );
            let bytes = self.body.get(offset..).unwrap_or_default();
            raw += summary.raw_bytes;
            self.blocks.push(BlockHead {
                stream,
                first: summary.first_seq,
                last: summary.last_seq,
                count: summary.count,
                times: summary.times,
                untimed: summary.untimed,
                levels: summary.levels,
                unclassified: summary.unclassified,
                categories: summary.categories,
                templates: summary.templates,
                starts,
                raw: summary.raw_bytes,
                offset: offset as u64,
                len: clamp(bytes.len()),
                checksum: xxh3_64(bytes),
                damaged: false,
            });
        }
        self.head = SegmentHead {
            count: span,
            events: clamp(batch.events.len()),
            blocks: clamp(self.blocks.len()),
            sealed,
            written,
            raw,
            stored: self.body.len() as u64,
        };
    }

    /// Puts it into the file.
    pub(super) fn insert(&self, transaction: &WriteTransaction) -> Result<(), Fault> {
        let mut heads = transaction.open_table(HEADS)?;
        heads.insert((self.first, 0), to_bytes(&self.head).as_slice())?;
        for (block, number) in self.blocks.iter().zip(1_u32..) {
            heads.insert((self.first, number), to_bytes(block).as_slice())?;
        }
        let mut bodies = transaction.open_table(BODIES)?;
        for (piece, number) in self.body.chunks(PIECE).zip(0_u32..) {
            bodies.insert((self.first, number), piece)?;
        }
        Ok(())
    }

    /// Takes the segments that begin at `first` to `last` out of the file.
    pub(super) fn remove(
        transaction: &WriteTransaction,
        first: u64,
        last: u64,
    ) -> Result<(), Fault> {
        for table in [HEADS, BODIES] {
            transaction
                .open_table(table)?
                .retain_in((first, 0)..=(last, u32::MAX), |_, _| false)?;
        }
        Ok(())
    }
}

/// The indices of the events of each stream, ascending.
fn by_stream(batch: &Batch) -> Vec<Vec<u32>> {
    let mut picked = vec![Vec::new(); batch.streams().len()];
    for (event, index) in batch.events.iter().zip(0_u32..) {
        if let Some(of_stream) = picked.get_mut(event.stream_index as usize) {
            of_stream.push(index);
        }
    }
    picked.retain(|indices| !indices.is_empty());
    picked
}

fn clamp(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
