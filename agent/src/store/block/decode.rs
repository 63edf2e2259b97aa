//! The bytes of a block to labelled events. Whatever the bytes are, nothing here panics, and what is allocated is bounded by the
//! sizes that the block declares and by those that it may declare.

use std::sync::Arc;

use logline::time::Timestamp;

use super::body::{Body, Patterns, UNKNOWN_TEMPLATE};
use super::kinds::{self, Kind};
use super::numbers::{BitReader, Source};
use super::opened::{BITS, DIGITS, INDEX, Labels, Opened, PATTERNS, SHAPE, WIDE, count, number};
use super::texts::Writer;
use super::wire::{Damaged, Reader};
use super::{EventLabel, EventLabels, Names};
use crate::flow::{Batch, Labelled, StreamInfo, TemplateText, Verdict};

/// See [`super::decode_labels`].
pub(super) fn decode_labels(bytes: &[u8]) -> Result<EventLabels, Damaged> {
    let labels = Labels::read(&Opened::read(bytes)?)?;
    let mut times = labels.times.iter();
    let timestamps = labels.column.iter().map(|kind| {
        let timed = labels.kinds[*kind as usize].has(kinds::TIMED);
        let time = timed.then(|| times.next()).flatten();
        time.map(|time| Timestamp(*time as i64))
    });
    Ok(EventLabels {
        timestamps: timestamps.collect(),
        kinds: labels.kinds.iter().map(label).collect(),
        kind_of: labels.column,
        seqs: labels.seqs,
    })
}

fn label(kind: &Kind) -> EventLabel {
    EventLabel {
        template: number(kind.template),
        stream: kind.stream(),
        level: kind.level(),
        verdict: verdict(kind),
    }
}

fn verdict(kind: &Kind) -> Verdict {
    Verdict {
        category: kind.category.checked_sub(1).map(|number| number as u16),
        stage: kind.stage(),
        confidence: f32::from_bits(kind.confidence),
        rule: number(kind.rule),
    }
}

/// See [`super::decode()`].
pub(super) fn decode(
    bytes: &[u8],
    names: &dyn Names,
    into: &mut Batch,
    stream: &Arc<StreamInfo>,
    seqs: &mut Vec<u64>,
) -> Result<(), Damaged> {
    let block = Opened::read(bytes)?;
    let labels = Labels::read(&block)?;
    let before = into.bytes_len();
    if u32::try_from(before.saturating_add(block.written)).is_err() {
        return Err(Damaged {
            what: "more text than a batch can hold",
            at: 0,
        });
    }
    let shape = block.part(SHAPE)?;
    let index = block.part(INDEX)?;
    let patterns = block.part(PATTERNS)?;
    let bits = block.part(BITS)?;
    let mut from = Reader::new(&shape);
    let hash = from.take(4)?;
    let params = from.count(from.left())?;
    let params = from.take(params)?;
    let mut body = Body {
        source: Source {
            params: Reader::new(params),
            index: Reader::new(&index),
            bits: BitReader::new(&bits),
        },
        intros: from,
        patterns: Patterns::new(&patterns),
        columns: Vec::new(),
        stores: Vec::new(),
        around: Vec::new(),
    };
    let starts = body.source.take(block.events)?;
    let lines = body
        .source
        .take(count(&labels.kinds, &labels.column, kinds::JOINED))?;
    let cuts = body
        .source
        .take(count(&labels.kinds, &labels.column, kinds::CUT))?;
    let told = body.told(block.events)?;
    let groups = body.groups(&labels, names, &block, hash)?;
    body.columns_of(&groups)?;
    body.check(&block)?;
    let values = body.values(&block.part(DIGITS)?)?;
    let wide = block.part(WIDE)?;
    body.finish(&wide)?;

    let mut writer = Writer {
        body,
        values,
        wide,
        told: told.into_iter().peekable(),
        hints: Vec::new(),
    };
    let templates: Vec<Option<Arc<TemplateText>>> = labels
        .kinds
        .iter()
        .map(|kind| match number(kind.template) {
            None => Ok(None),
            Some(number) => names.template(number).map(Some).ok_or(UNKNOWN_TEMPLATE),
        })
        .collect::<Result<_, _>>()?;
    let events_before = into.events.len();
    let stream_index = into.keep_stream(stream);
    into.arena().reserve(block.written);
    into.events.reserve(block.events);
    let mut times = labels.times.into_iter();
    let (mut lines, mut cuts) = (lines.into_iter(), cuts.into_iter());
    let mut end = 0_u64;
    let mut sound = true;
    for (at, kind_number) in labels.column.iter().enumerate() {
        let kind = &labels.kinds[*kind_number as usize];
        let group = &groups.all[groups.of_kind[*kind_number as usize]];
        let timed = kind.has(kinds::TIMED);
        let time = timed.then(|| times.next()).flatten();
        let clock = time.unwrap_or_default();
        let Some(texts) = writer.event(at, kind, group, clock, into.arena()) else {
            sound = false;
            break;
        };
        if into.bytes_len() - before > block.written {
            sound = false;
            break;
        }
        let lines = if kind.has(kinds::JOINED) {
            lines.next().unwrap_or_default() as u32
        } else {
            1
        };
        let start = end.wrapping_add(starts[at]);
        end = start
            .wrapping_add(texts.text.len() as u64)
            .wrapping_add(u64::from(lines));
        into.events.push(Labelled {
            text: texts.text,
            message: texts.message,
            logger: texts.logger,
            timestamp: time.map(|time| Timestamp(time as i64)),
            stream: kind.stream(),
            level: kind.level(),
            verdict: verdict(kind),
            template: number(kind.template).map_or(usize::MAX, |number| number as usize),
            template_text: templates[*kind_number as usize].clone(),
            stream_index,
            lines,
            cut_bytes: if kind.has(kinds::CUT) {
                cuts.next().unwrap_or_default()
            } else {
                0
            },
            start,
        });
    }
    if sound && into.bytes_len() - before == block.written && writer.told.peek().is_none() {
        seqs.extend_from_slice(&labels.seqs);
        return Ok(());
    }
    into.arena().truncate(before);
    into.events.truncate(events_before);
    Err(Damaged {
        what: "its texts are not what it says",
        at: 0,
    })
}
