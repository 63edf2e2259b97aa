//! Merging small commits: what was written soon is written again well, a few MiB of text at a time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::disk::Disk;
use super::error::Fault;
use super::fetch::Fetch;
use super::segment::{Segment, bulk};
use super::writer::Writer;
use crate::flow::Batch;

/// So many small segments are merged, however little there is in them.
const MAX_FRESH: u32 = 1024;

/// Segments to be merged, next to each other.
struct Run {
    first: u64,
    /// The first sequence number of the last one.
    last: u64,
    end: u64,
    members: Vec<u64>,
}

impl Writer {
    /// Merges small segments where there is enough in them, or where they are old.
    pub(super) fn seal(&mut self, disk: &Disk, now: i64) -> Result<(), Fault> {
        while self.seal_due(now) {
            let Some(run) = self.small() else {
                return Ok(());
            };
            self.merge(disk, &run, now)?;
        }
        Ok(())
    }

    fn seal_due(&self, now: i64) -> bool {
        let (much, count) = self.index.fresh();
        let old = || {
            let age = nanos(self.shared.options.seal_after);
            self.index
                .iter()
                .find(|(_, head)| !head.sealed)
                .is_some_and(|(_, head)| now.saturating_sub(head.written) > age)
        };
        much >= self.shared.options.seal_bytes || count >= MAX_FRESH || (count > 0 && old())
    }

    /// The oldest small segments that lie side by side, of together about as much text as wanted.
    fn small(&self) -> Option<Run> {
        let mut run: Option<Run> = None;
        let mut much = 0;
        for (first, head) in self.index.iter() {
            let end = first + u64::from(head.count);
            let joins = run.as_ref().is_none_or(|run| run.end == first);
            if head.sealed || !joins {
                if run.is_some() {
                    break;
                }
                continue;
            }
            let more = bulk(head.raw, head.events.into());
            if run.is_some() && much + more > self.shared.options.seal_bytes * 5 / 4 {
                break;
            }
            much += more;
            let run = run.get_or_insert(Run {
                first,
                last: first,
                end,
                members: Vec::new(),
            });
            (run.last, run.end) = (first, end);
            run.members.push(first);
        }
        run
    }

    fn merge(&mut self, disk: &Disk, run: &Run, now: i64) -> Result<(), Fault> {
        let Some((batch, seqs)) = self.events_of(disk, run)? else {
            return Ok(());
        };
        let mut segment = std::mem::take(&mut self.segment);
        let span = u32::try_from(run.end - run.first).unwrap_or(u32::MAX);
        let written = self
            .index
            .iter()
            .find(|(first, _)| *first == run.first)
            .map_or(now, |(_, head)| head.written);
        {
            let mut names = self
                .shared
                .names
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            segment.encode(&batch, &seqs, run.first, span, true, written, &mut names);
        }
        let result = disk.write(|transaction| {
            Segment::remove(transaction, run.first, run.last)?;
            segment.insert(transaction)
        });
        if result.is_ok() {
            for member in &run.members {
                self.index.remove(*member);
            }
            self.index.insert(run.first, segment.head, &segment.blocks);
            self.fresh.retain(|portion| portion.first >= run.end);
        }
        self.segment = segment;
        result
    }

    /// The events of a run: those of this run of the agent are still in memory.
    fn events_of(&self, disk: &Disk, run: &Run) -> Result<Option<(Batch, Vec<u64>)>, Fault> {
        let portions: Vec<_> = self
            .fresh
            .iter()
            .filter(|portion| portion.first >= run.first && portion.first < run.end)
            .collect();
        let here = portions.len() == run.members.len()
            && portions
                .windows(2)
                .all(|pair| Arc::ptr_eq(&pair[0].batch.labels, &pair[1].batch.labels));
        if let (true, Some(portion)) = (here, portions.first()) {
            let mut batch = Batch::new(Arc::clone(&portion.batch.labels));
            for portion in &portions {
                batch.append(&portion.batch);
            }
            return Ok(Some((batch, (run.first..run.end).collect())));
        }
        let names = &self.shared.names;
        let (mut batch, mut seqs) = (Batch::new(Arc::default()), Vec::new());
        disk.read(|transaction| {
            let fetch = Fetch::new(transaction)?;
            for (first, head) in self.index.iter() {
                if run.members.binary_search(&first).is_ok() {
                    let heads = fetch.blocks(first, *head)?;
                    let (events, numbers, _) = fetch.events(&heads, names)?;
                    // Numbers of names are only added to: the last names know all.
                    batch.labels = Arc::clone(&events.labels);
                    batch.append(&events);
                    seqs.extend(numbers);
                }
            }
            Ok(())
        })?;
        Ok(Some((batch, seqs)))
    }
}

/// In nanoseconds, as the times of the file are.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
