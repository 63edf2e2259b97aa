//! The ledger as it is shown, and the proof of every block.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::PoisonError;

use redb::{ReadTransaction, ReadableTable as _};
use serde::Serialize;

use super::error::Fault;
use super::fetch::{Damage, Fetch};
use super::ledger::{SinkRecord, StreamLedger};
use super::reader::Reader;
use super::retention::{gone, number};
use super::tables::{
    LAYOUT, LEDGER, META, META_DELETED, META_NEXT, SINKS, SegmentHead, from_bytes,
};
use crate::flow::Batch;

/// What became of every line and event, from one state of the file. As JSON it is what `/api/audit` answers.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Every sum is right: read = stored + dropped + open for every stream, and every sink's events are accounted for.
    pub balances: bool,
    /// Why the file cannot be written at this time; what is below is as of before then.
    pub unavailable: Option<String>,
    /// The file.
    pub file: FileAudit,
    /// All streams together, those that are no longer known one by one included.
    pub total: StreamLedger,
    /// Stream by stream.
    pub streams: Vec<StreamAudit>,
    /// Sink by sink.
    pub sinks: Vec<SinkAudit>,
}

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileAudit {
    /// Where it lies.
    pub path: PathBuf,
    /// The version of its layout.
    pub layout: u32,
    /// Bytes of the disk that it takes.
    pub disk_bytes: u64,
    /// Runs of events.
    pub segments: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
    /// Bytes that their blocks take.
    pub block_bytes: u64,
    /// Events that went away for age or room.
    pub deleted: u64,
    /// The sequence number of the oldest event.
    pub oldest: u64,
    /// The sequence number of the next event.
    pub next: u64,
}

/// A stream's ledger.
#[derive(Clone, Debug, Serialize)]
pub struct StreamAudit {
    /// The stream's id: the first part of its events' ids.
    pub id: String,
    /// Its path or container.
    pub name: String,
    /// The sum is right.
    pub balances: bool,
    /// What became of its lines.
    #[serde(flatten)]
    pub ledger: StreamLedger,
}

/// A sink's ledger.
#[derive(Clone, Debug, Serialize)]
pub struct SinkAudit {
    /// Its name.
    pub name: String,
    /// The sum is right.
    pub balances: bool,
    /// Events that it is still owed.
    pub pending: u64,
    /// What became of the events before.
    #[serde(flatten)]
    pub record: SinkRecord,
}

/// What reading every block has shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Every block is what was written, and there are as many events as the ledger says.
    pub sound: bool,
    /// Blocks read.
    pub blocks: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
    /// Blocks that are damaged, those that were known to be included.
    pub damaged_blocks: u64,
    /// Events in them, as far as their heads tell.
    pub damaged_events: u64,
    /// Events that the ledger says were stored and have not gone away.
    pub expected: u64,
    /// What is wrong, in words; at most 100 lines.
    pub problems: Vec<String>,
}

impl Reader {
    /// What became of every line and event. Everything in it is of one moment.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn audit(&self) -> Result<Audit, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        let mut audit = disk.read(|transaction| {
            let names = self
                .shared
                .names
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let file = file_audit(transaction)?;
            let mut total = gone(transaction)?;
            let mut streams = Vec::new();
            for entry in transaction.open_table(LEDGER)?.iter()? {
                let (stream, record) = entry?;
                let Some(ledger) = from_bytes::<StreamLedger>(record.value()) else {
                    continue;
                };
                total.add(&ledger);
                let info = names.stream(stream.value());
                streams.push(StreamAudit {
                    id: info.map_or_else(String::new, |info| info.id.clone()),
                    name: info.map_or_else(String::new, |info| info.origin.name.clone()),
                    balances: ledger.balances(),
                    ledger,
                });
            }
            let mut sinks = Vec::new();
            for entry in transaction.open_table(SINKS)?.iter()? {
                let (name, record) = entry?;
                if let Some(record) = from_bytes::<SinkRecord>(record.value()) {
                    sinks.push(SinkAudit {
                        name: name.value().to_owned(),
                        balances: record.balances(),
                        pending: record.pending(file.next),
                        record,
                    });
                }
            }
            Ok(Audit {
                balances: total.balances() && sinks.iter().all(|sink| sink.balances),
                unavailable: None,
                file,
                total,
                streams,
                sinks,
            })
        })?;
        audit.unavailable = self.shared.lock().unavailable.clone();
        audit.file.path = disk.path().to_owned();
        audit.file.disk_bytes =
            std::fs::metadata(disk.path()).map_or(0, |file| file.blocks() * 512);
        Ok(audit)
    }

    /// Reads every block, checks its checksum, opens it and counts its events. Takes as long as it takes to read the file.
    ///
    /// # Errors
    /// Where the file cannot be read at all.
    pub fn verify(&self) -> Result<Verification, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        let mut found = Verification::default();
        let mut damage = Vec::new();
        disk.read(|transaction| {
            let fetch = Fetch::new(transaction)?;
            let deleted = number(&transaction.open_table(META)?, META_DELETED)?;
            let mut stored = gone(transaction)?.stored;
            for entry in transaction.open_table(LEDGER)?.iter()? {
                let ledger = from_bytes::<StreamLedger>(entry?.1.value());
                stored += ledger.map_or(0, |ledger| ledger.stored);
            }
            found.expected = stored.saturating_sub(deleted);
            let mut next = fetch.locate(0)?;
            while let Some((first, head)) = next {
                match head {
                    Some(head) => {
                        self.verify_segment(&fetch, first, head, &mut found, &mut damage)?;
                    }
                    None => {
                        found.problem(format!("the head of segment {first} is damaged"));
                        damage.push(Damage::Segment(first));
                    }
                }
                next = match fetch.after(first)? {
                    Some(after) => fetch.locate(after)?,
                    None => None,
                };
            }
            Ok(())
        })?;
        self.shared.damaged(damage);
        if found.events + found.damaged_events != found.expected {
            found.problem(format!(
                "{} events are there and {} are damaged, {} were stored and have not gone away",
                found.events, found.damaged_events, found.expected
            ));
        }
        found.sound = found.problems.is_empty();
        Ok(found)
    }

    fn verify_segment(
        &self,
        fetch: &Fetch,
        first: u64,
        head: SegmentHead,
        found: &mut Verification,
        damage: &mut Vec<Damage>,
    ) -> Result<(), Fault> {
        let heads = fetch.blocks(first, head)?;
        let mut events = 0_u64;
        let mut damaged = 0_u64;
        for (number, block) in &heads.blocks {
            found.blocks += 1;
            events += u64::from(block.count);
            let names = self
                .shared
                .names
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let mut batch = Batch::new(names.labels());
            let mut seqs = Vec::new();
            let whole = !block.damaged
                && fetch.decode(first, block, &names, &mut batch, &mut seqs)?
                && seqs.len() == block.count as usize
                && seqs.first() == Some(&block.first)
                && seqs.last() == Some(&block.last);
            if whole {
                found.events += seqs.len() as u64;
                let text: usize = batch.events.iter().map(|event| event.text.len()).sum();
                found.text_bytes += text as u64;
            } else {
                found.damaged_blocks += 1;
                found.damaged_events += u64::from(block.count);
                if !block.damaged {
                    damage.push(Damage::Block(first, *number));
                }
                damaged += 1;
            }
        }
        // Blocks whose heads cannot be read are known by what is missing.
        let missing = u64::from(head.events).saturating_sub(events);
        found.damaged_events += missing;
        let unread = head.blocks as usize - heads.blocks.len().min(head.blocks as usize);
        found.damaged_blocks += unread as u64;
        let damaged = damaged + unread as u64;
        if damaged > 0 {
            found.problem(format!("segment {first}: {damaged} blocks are damaged"));
        }
        Ok(())
    }
}

impl Verification {
    fn problem(&mut self, words: String) {
        if self.problems.len() < 100 {
            self.problems.push(words);
        }
    }
}

fn file_audit(transaction: &ReadTransaction) -> Result<FileAudit, Fault> {
    let meta = transaction.open_table(META)?;
    let fetch = Fetch::new(transaction)?;
    let mut file = FileAudit {
        layout: LAYOUT,
        deleted: number(&meta, META_DELETED)?,
        next: number(&meta, META_NEXT)?,
        ..FileAudit::default()
    };
    let mut oldest = None;
    let mut next = fetch.locate(0)?;
    while let Some((first, head)) = next {
        let head = head.unwrap_or_default();
        oldest.get_or_insert(first);
        file.segments += 1;
        file.events += u64::from(head.events);
        file.text_bytes += head.raw;
        file.block_bytes += head.stored;
        file.next = file.next.max(first + u64::from(head.count));
        next = match fetch.after(first)? {
            Some(after) => fetch.locate(after)?,
            None => None,
        };
    }
    file.oldest = oldest.unwrap_or(file.next);
    Ok(file)
}
