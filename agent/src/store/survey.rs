//! What the blocks hold, block by block, for those who keep a summary of the store in memory: a block never changes, so what
//! was learned of it once stays true until it is gone.

use std::sync::Arc;

use super::block::{self, EventLabels};
use super::error::Fault;
use super::fetch::{Damage, Fetch};
use super::reader::Reader;
use super::tables::BlockHead;
use crate::flow::{Batch, Labels, StreamInfo};

/// A block, and what is known of it without opening it.
#[derive(Clone, Debug)]
pub struct BlockPlace {
    /// The first sequence number of its segment.
    pub segment: u64,
    /// Its number in the segment.
    pub number: u32,
    /// Hash of its bytes: what tells it from every other block, whatever segment it is moved to.
    pub checksum: u64,
    /// The stream that its events come from.
    pub stream: Arc<StreamInfo>,
    /// Sequence number of its first event.
    pub first: u64,
    /// Sequence number of its last event.
    pub last: u64,
    /// Its events.
    pub count: u32,
    /// Bytes of their texts.
    pub raw: u64,
    /// Their earliest and latest time, in nanoseconds since 1970; none where no event has one.
    pub times: Option<(i64, i64)>,
    /// The numbers of their templates, ascending.
    pub templates: Vec<u32>,
}

impl Reader {
    /// The number that the next event will get: while it stays the same, no event has come.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.shared.lock().next
    }

    /// The names behind the numbers of categories and rules in [`EventLabels`].
    #[must_use]
    pub fn labels(&self) -> Arc<Labels> {
        self.names().labels()
    }

    /// All blocks that can be read, the oldest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn blocks(&self) -> Result<Vec<BlockPlace>, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        disk.read(|transaction| {
            let fetch = Fetch::new(transaction)?;
            let names = self.names();
            let mut places = Vec::new();
            let mut at = 0;
            while let Some((first, head)) = fetch.locate(at)? {
                let Some(head) = head else {
                    match fetch.after(first)? {
                        Some(next) => at = next,
                        None => break,
                    }
                    continue;
                };
                for (number, block) in fetch.blocks(first, head)?.blocks {
                    let Some(stream) = names.stream(block.stream).filter(|_| !block.damaged) else {
                        continue;
                    };
                    places.push(BlockPlace {
                        segment: first,
                        number,
                        checksum: block.checksum,
                        stream: Arc::clone(stream),
                        first: block.first,
                        last: block.last,
                        count: block.count,
                        raw: block.raw,
                        times: block.times,
                        templates: block.templates,
                    });
                }
                at = first + u64::from(head.count).max(1);
            }
            Ok(places)
        })
    }

    /// What the events of a block are judged to be and when they were, without their texts. None where the block is gone,
    /// was merged into another one, or is damaged.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn block_labels(&self, place: &BlockPlace) -> Result<Option<EventLabels>, Fault> {
        self.with_block(place, |fetch, block| {
            let Some(bytes) = fetch.body(place.segment, block)? else {
                return Ok(None);
            };
            Ok(block::decode_labels(&bytes).ok())
        })
    }

    /// The events of a block with their sequence numbers, in order. None where the block is gone, was merged into another
    /// one, or is damaged.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn block_events(&self, place: &BlockPlace) -> Result<Option<(Batch, Vec<u64>)>, Fault> {
        self.with_block(place, |fetch, block| {
            let names = self.names();
            let mut batch = Batch::new(names.labels());
            let mut seqs = Vec::new();
            let read = fetch.decode(place.segment, block, &names, &mut batch, &mut seqs)?;
            Ok(read.then_some((batch, seqs)))
        })
    }

    fn with_block<T>(
        &self,
        place: &BlockPlace,
        read: impl FnOnce(&Fetch, &BlockHead) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        let mut damaged = None;
        let found = disk.read(|transaction| {
            let fetch = Fetch::new(transaction)?;
            let Some(block) = fetch.block(place.segment, place.number)? else {
                return Ok(None);
            };
            if block.checksum != place.checksum || block.damaged {
                return Ok(None);
            }
            let found = read(&fetch, &block)?;
            if found.is_none() {
                damaged = Some(Damage::Block(place.segment, place.number));
            }
            Ok(found)
        });
        self.shared.damaged(damaged);
        found
    }
}
