//! What the stored events are judged to be and when they were, without their texts: for counting.

use std::sync::Arc;
use std::time::Instant;

use logline::template::TemplateId;

use super::block::{self, EventLabels};
use super::error::Fault;
use super::fetch::{Damage, Fetch};
use super::reader::Reader;
use super::tables::{BlockHead, SegmentHead};
use crate::flow::StreamInfo;

/// Which blocks are shown, by what their heads say: events that are not wanted may be among theirs.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// Not before this time, in nanoseconds since 1970.
    pub from: Option<i64>,
    /// Before this time.
    pub to: Option<i64>,
    /// With events of this template, or of one that became part of it.
    pub template: Option<TemplateId>,
    /// What is not read by then is left out.
    pub until: Option<Instant>,
}

/// One block's events.
#[derive(Debug)]
pub struct Shown<'a> {
    /// Who wrote them.
    pub stream: &'a Arc<StreamInfo>,
    /// When they were stored, in nanoseconds since 1970: the best guess for those that have no time.
    pub written: i64,
    /// What they are judged to be.
    pub labels: &'a EventLabels,
}

impl Reader {
    /// The earliest and the latest time of an event that is stored, in nanoseconds since 1970. An event without one counts with
    /// the time when it was stored. With `template`, of the blocks alone that hold it.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn times(&self, template: Option<TemplateId>) -> Result<Option<(i64, i64)>, Fault> {
        let templates = template.map(|id| self.names().templates_within(&[id]));
        let mut span: Option<(i64, i64)> = None;
        self.each_block(None, |_, _, segment, (_, block)| {
            if !has_one(block, templates.as_deref()) {
                return Ok(());
            }
            let (first, last) = times_of(segment, block);
            span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
            Ok(())
        })?;
        Ok(span)
    }

    /// Shows `each` the blocks that `stretch` asks for, the newest first. False where there was not time for all.
    ///
    /// # Errors
    /// Where the file cannot be read. Damaged blocks are left out and reported.
    pub fn tally(&self, stretch: &Stretch, mut each: impl FnMut(Shown<'_>)) -> Result<bool, Fault> {
        let templates = stretch
            .template
            .map(|id| self.names().templates_within(&[id]));
        let mut damaged = Vec::new();
        let complete =
            self.each_block(stretch.until, |fetch, first, segment, (number, block)| {
                let (earliest, latest) = times_of(segment, block);
                let in_time = stretch.from.is_none_or(|from| latest >= from)
                    && stretch.to.is_none_or(|to| earliest < to);
                if !in_time || !has_one(block, templates.as_deref()) {
                    return Ok(());
                }
                let Some(stream) = self.names().stream(block.stream).cloned() else {
                    return Ok(());
                };
                let bytes = fetch.body(first, block)?;
                match bytes.map(|bytes| block::decode_labels(&bytes)) {
                    Some(Ok(labels)) => each(Shown {
                        stream: &stream,
                        written: segment.written,
                        labels: &labels,
                    }),
                    _ => damaged.push(Damage::Block(first, *number)),
                }
                Ok(())
            })?;
        self.shared.damaged(damaged);
        Ok(complete)
    }

    /// Shows `each` every block that is not known to be damaged, by segments from the newest to the oldest, until `until`. False
    /// where that came first.
    fn each_block(
        &self,
        until: Option<Instant>,
        mut each: impl FnMut(&Fetch, u64, &SegmentHead, &(u32, BlockHead)) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        let mut at = u64::MAX;
        loop {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(false);
            }
            // One transaction for each segment: what is counted for long holds no old state of the file.
            let found = disk.read(|transaction| {
                let fetch = Fetch::new(transaction)?;
                let Some((first, head)) = fetch.last_before(at)? else {
                    return Ok(None);
                };
                if let Some(head) = head {
                    for block in &fetch.blocks(first, head)?.blocks {
                        if !block.1.damaged {
                            each(&fetch, first, &head, block)?;
                        }
                    }
                }
                Ok(Some(first))
            })?;
            match found.and_then(|first| first.checked_sub(1)) {
                Some(before) => at = before,
                None => return Ok(true),
            }
        }
    }
}

fn times_of(segment: &SegmentHead, block: &BlockHead) -> (i64, i64) {
    match (block.times, block.untimed) {
        (Some(times), false) => times,
        (Some((first, last)), true) => (first.min(segment.written), last.max(segment.written)),
        (None, _) => (segment.written, segment.written),
    }
}

/// Whether there are events of one of these templates in it; without templates, always.
fn has_one(block: &BlockHead, templates: Option<&[u32]>) -> bool {
    templates.is_none_or(|wanted| {
        wanted
            .iter()
            .any(|one| block.templates.binary_search(one).is_ok())
    })
}
