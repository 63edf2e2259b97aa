//! What goes away, and when: events by age and by room, oldest first, and what was only needed for them.

use std::os::unix::fs::MetadataExt as _;
use std::sync::PoisonError;

use redb::{ReadableTable, WriteTransaction};

use super::disk::Disk;
use super::error::Fault;
use super::ledger::{RETENTION, StreamLedger};
use super::options::WhenFull;
use super::seal::nanos;
use super::segment::Segment;
use super::tables::{
    CURSORS, LEDGER, META, META_DELETED, META_GONE, META_NEXT, STREAMS, from_bytes, to_bytes,
};
use super::writer::Writer;

/// At most so many segments go in one transaction.
const AT_ONCE: usize = 64;
/// Ends of streams that are remembered: a file that was read to its end and is still there is not read again.
const MAX_ENDED: usize = 20_000;

impl Writer {
    /// Deletes what is too old and what there is no room for. False where there is no room left and nothing may go: the
    /// oldest events are owed to a sink, and they are not to be dropped.
    pub(super) fn retain(&mut self, disk: &Disk, now: i64) -> Result<bool, Fault> {
        loop {
            let (going, stuck) = self.going(disk, now);
            if going.is_empty() {
                return Ok(!stuck);
            }
            self.delete(disk, &going)?;
            if going.len() < AT_ONCE {
                return Ok(!stuck);
            }
        }
    }

    /// The segments that are to go now, and whether more would have to but may not.
    fn going(&self, disk: &Disk, now: i64) -> (Vec<u64>, bool) {
        let options = &self.shared.options;
        let oldest_allowed = now.saturating_sub(nanos(options.max_age));
        let room = self.room(disk);
        let owed_from = match options.when_full {
            WhenFull::DropOldest => u64::MAX,
            WhenFull::Block => self.shared.lock().owed_from(),
        };
        let mut bytes = self.index.bytes();
        let mut going = Vec::new();
        for (first, head) in self.index.iter() {
            let full = bytes > room;
            if !(full || head.written < oldest_allowed) || going.len() == AT_ONCE {
                break;
            }
            if first + u64::from(head.count) > owed_from {
                return (going, full);
            }
            bytes -= self.index.cost_of(first);
            going.push(first);
        }
        (going, false)
    }

    /// How many bytes segments may take now. What is free in the file is used again, but redb needs some room to work in,
    /// and a file that has become too large all the same has to hold less.
    fn room(&self, disk: &Disk) -> u64 {
        let max = self.shared.options.max_bytes;
        let used = std::fs::metadata(disk.path()).map_or(0, |file| file.blocks() * 512);
        self.metrics
            .bytes
            .set(i64::try_from(used).unwrap_or(i64::MAX));
        let reserve = (max / 16).max(512 << 10) + used.saturating_sub(max);
        max.saturating_sub(reserve).max(max / 4)
    }

    /// Takes segments out of the file, the oldest of all.
    fn delete(&mut self, disk: &Disk, going: &[u64]) -> Result<(), Fault> {
        let (Some(first), Some(last)) = (going.first(), going.last()) else {
            return Ok(());
        };
        let next = self.shared.lock().next;
        let oldest = self
            .index
            .iter()
            .map(|(first, _)| first)
            .find(|first| first > last)
            .unwrap_or(next);
        let events: u64 = going.iter().map(|first| self.index.events_of(*first)).sum();
        let gone = self.streams_gone(oldest);
        disk.write(|transaction| {
            Segment::remove(transaction, *first, *last)?;
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_NEXT, next.to_le_bytes().as_slice())?;
            let deleted = number(&meta, META_DELETED)? + events;
            meta.insert(META_DELETED, deleted.to_le_bytes().as_slice())?;
            drop(meta);
            self.forget_in(transaction, &gone)
        })?;
        self.metrics.deleted.inc_by(events);
        for first in going {
            self.index.remove(*first);
        }
        let mut names = self
            .shared
            .names
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for stream in gone {
            self.ended.remove(&stream);
            if let Some(ledger) = self.ledger.remove(&stream) {
                self.gone.add(&ledger);
            }
            self.touched.remove(&stream);
            self.index.forget(stream);
            names.forget_stream(stream);
        }
        drop(names);
        self.shared.lock().expire(oldest, RETENTION);
        self.shared.published.notify_all();
        Ok(())
    }

    /// The streams that have ended, of which no event is left, and whose end need not be remembered.
    fn streams_gone(&self, oldest: u64) -> Vec<u32> {
        let clock = crate::telemetry::clock::now().0;
        let old = clock.saturating_sub(nanos(self.shared.options.max_age));
        let mut ended: Vec<(i64, u32)> = self
            .ended
            .iter()
            .map(|(stream, written)| (*written, *stream))
            .collect();
        ended.sort_unstable();
        let too_many = ended.len().saturating_sub(MAX_ENDED);
        ended
            .iter()
            .enumerate()
            .filter(|(place, (written, stream))| {
                (*place < too_many || *written < old)
                    && self.index.last_of(*stream).is_none_or(|last| last < oldest)
            })
            .map(|(_, (_, stream))| *stream)
            .collect()
    }

    /// Takes streams out of the file; what became of their lines is added to the sum over all that are gone.
    fn forget_in(&self, transaction: &WriteTransaction, gone: &[u32]) -> Result<(), Fault> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut sum = self.gone.clone();
        for table in [STREAMS, CURSORS, LEDGER] {
            let mut table = transaction.open_table(table)?;
            for stream in gone {
                table.remove(stream)?;
            }
        }
        for ledger in gone.iter().filter_map(|stream| self.ledger.get(stream)) {
            sum.add(ledger);
        }
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_GONE, to_bytes(&sum).as_slice())?;
        Ok(())
    }
}

/// A number of the meta table; 0 where it is not there.
pub(super) fn number(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<u64, Fault> {
    let record = meta.get(key)?;
    let bytes = record.and_then(|bytes| bytes.value().try_into().ok());
    Ok(bytes.map_or(0, u64::from_le_bytes))
}

/// The sum over streams that are no longer known one by one.
pub(super) fn gone(transaction: &redb::ReadTransaction) -> Result<StreamLedger, Fault> {
    let meta = transaction.open_table(META)?;
    let record = meta.get(META_GONE)?;
    Ok(record
        .and_then(|bytes| from_bytes(bytes.value()))
        .unwrap_or_default())
}
