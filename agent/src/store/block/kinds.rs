//! The kinds of events in a block: all that many events have in common, written once.

use logline::event::Stream;
use logline::level::Level;

use super::wire::{Damaged, Reader, put, unzigzag, zigzag};
use crate::classify::Stage;

/// The event is from standard error.
pub(super) const STDERR: u8 = 1;
/// It has a time.
pub(super) const TIMED: u8 = 2;
/// It is of several lines; how many is in a column.
pub(super) const JOINED: u8 = 4;
/// Bytes of it were cut off; how many is in a column.
pub(super) const CUT: u8 = 8;
/// Its message is no slice of its text.
pub(super) const OWN_MESSAGE: u8 = 16;
/// Its message is its template's text with values in the places of the placeholders.
pub(super) const FITS: u8 = 32;
/// Its logger is no slice of its text.
pub(super) const OWN_LOGGER: u8 = 64;
const ALL_FLAGS: u8 = 127;

/// `Kind::logger`: it has none, or one of its own.
pub(super) const NO_LOGGER: u8 = 0;
/// `Kind::logger`: a slice of the text whose place is told.
pub(super) const TOLD_LOGGER: u8 = 1;
/// `Kind::logger`: at or above this it begins in that segment of the text around the message.
pub(super) const LOGGER_IN: u8 = 2;

/// The most segments before or behind a message.
pub(super) const MAX_SEGMENTS: usize = 100;
/// The most kinds in a block.
const MAX_KINDS: usize = 1 << 24;

/// What many events of a block have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// The template's number plus one; 0 for none.
    pub(super) template: u64,
    /// The category's number plus one; 0 for none.
    pub(super) category: u32,
    /// The rule's number plus one; 0 for none.
    pub(super) rule: u64,
    /// The bits of the confidence.
    pub(super) confidence: u32,
    pub(super) stage: u8,
    pub(super) level: u8,
    pub(super) flags: u8,
    /// Segments of the text before the message.
    pub(super) heads: u8,
    /// Segments of the text behind the message.
    pub(super) tails: u8,
    /// Where the logger stands.
    pub(super) logger: u8,
}

/// What decides how an event's text is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    template: u64,
    flags: u8,
    heads: u8,
    tails: u8,
}

impl Kind {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn group(&self) -> GroupKey {
        GroupKey {
            template: if self.has(FITS) { self.template } else { 0 },
            flags: self.flags & (OWN_MESSAGE | FITS | OWN_LOGGER),
            heads: self.heads,
            tails: self.tails,
        }
    }

    pub(super) fn hash(&self) -> u64 {
        let rest = [
            self.stage,
            self.level,
            self.flags,
            self.heads,
            self.tails,
            self.logger,
            0,
            0,
        ];
        let mut hash = u64::from_le_bytes(rest);
        for part in [
            self.template,
            u64::from(self.category) << 32 | u64::from(self.confidence),
            self.rule,
        ] {
            hash = (hash ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            hash ^= hash >> 29;
        }
        hash
    }

    pub(super) fn stream(&self) -> Stream {
        if self.has(STDERR) {
            Stream::Stderr
        } else {
            Stream::Stdout
        }
    }

    /// The level; a number that is none has been refused by [`read`].
    pub(super) fn level(&self) -> Level {
        Level::ALL
            .get(usize::from(self.level))
            .copied()
            .unwrap_or_default()
    }

    /// The stage; likewise.
    pub(super) fn stage(&self) -> Stage {
        stage_of(self.stage).unwrap_or(Stage::None)
    }
}

/// The number of a stage in blocks: for good.
pub(in crate::store) fn stage_number(stage: Stage) -> u8 {
    match stage {
        Stage::None => 0,
        Stage::Rule => 1,
        Stage::Memo => 2,
        Stage::Bert => 3,
        Stage::Llm => 4,
        Stage::Taught => 5,
        Stage::Pending => 6,
    }
}

/// The stage with this number, if there is one.
pub(in crate::store) fn stage_of(number: u8) -> Option<Stage> {
    Stage::ALL
        .into_iter()
        .find(|stage| stage_number(*stage) == number)
}

/// Writes the table, one property after the other.
pub(super) fn write(kinds: &[Kind], out: &mut Vec<u8>) {
    put(out, kinds.len() as u64);
    let mut sure: Vec<u32> = Vec::new();
    for kind in kinds {
        if !sure.contains(&kind.confidence) && sure.len() < 255 {
            sure.push(kind.confidence);
        }
    }
    out.push(sure.len() as u8);
    for bits in &sure {
        out.extend_from_slice(&bits.to_le_bytes());
    }
    let mut last = 0;
    for kind in kinds {
        put(out, zigzag(kind.template as i64 - last));
        last = kind.template as i64;
    }
    for kind in kinds {
        put(out, u64::from(kind.category));
    }
    for kind in kinds {
        put(out, kind.rule);
    }
    for kind in kinds {
        match sure.iter().position(|bits| *bits == kind.confidence) {
            Some(at) => out.push(at as u8),
            None => {
                out.push(255);
                out.extend_from_slice(&kind.confidence.to_le_bytes());
            }
        }
    }
    for property in PROPERTIES {
        out.extend(kinds.iter().map(|kind| *property(&mut { *kind })));
    }
}

/// The properties that take a byte.
const PROPERTIES: [fn(&mut Kind) -> &mut u8; 6] = [
    |kind| &mut kind.stage,
    |kind| &mut kind.level,
    |kind| &mut kind.flags,
    |kind| &mut kind.heads,
    |kind| &mut kind.tails,
    |kind| &mut kind.logger,
];

/// Reads the table.
pub(super) fn read(from: &mut Reader<'_>) -> Result<Vec<Kind>, Damaged> {
    let count = from.count(MAX_KINDS.min(from.left()))?;
    let mut kinds = vec![Kind::default(); count];
    let mut sure = Vec::new();
    for _ in 0..from.byte()? {
        sure.push(bits(from)?);
    }
    let mut last = 0_i64;
    for kind in &mut kinds {
        last = last.wrapping_add(unzigzag(from.varint()?));
        kind.template = u64::try_from(last)
            .ok()
            .filter(|template| *template <= 1 << 32)
            .ok_or(from.damaged("a template's number that cannot be"))?;
    }
    for kind in &mut kinds {
        kind.category = from.count(1 << 16)? as u32;
    }
    for kind in &mut kinds {
        kind.rule = from.count(1 << 32)? as u64;
    }
    for kind in &mut kinds {
        kind.confidence = match from.byte()? {
            255 => bits(from)?,
            at => *sure
                .get(usize::from(at))
                .ok_or(from.damaged("a confidence that is not there"))?,
        };
    }
    for property in PROPERTIES {
        for (kind, value) in kinds.iter_mut().zip(from.take(count)?) {
            *property(kind) = *value;
        }
    }
    let sound = kinds.iter().all(|kind| {
        let segments = usize::from(kind.heads) + usize::from(kind.tails);
        let segment = usize::from(kind.logger.saturating_sub(LOGGER_IN));
        stage_of(kind.stage).is_some()
            && usize::from(kind.level) < Level::ALL.len()
            && kind.flags <= ALL_FLAGS
            && usize::from(kind.heads.max(kind.tails)) <= MAX_SEGMENTS
            && (kind.logger < LOGGER_IN || segment < segments)
            && (kind.logger == NO_LOGGER || !kind.has(OWN_LOGGER))
            && (!kind.has(FITS) || kind.template > 0)
    });
    if sound {
        Ok(kinds)
    } else {
        Err(from.damaged("a kind of event that cannot be"))
    }
}

fn bits(from: &mut Reader<'_>) -> Result<u32, Damaged> {
    let bytes = from.take(4)?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |bits, byte| bits << 8 | u32::from(*byte)))
}

/// Writes which kind each event is: a plane of low bytes, then one of the next higher ones where there are more kinds.
pub(super) fn write_column(column: &[u32], kinds: usize, out: &mut Vec<u8>) {
    for plane in 0..planes(kinds) {
        out.extend(column.iter().map(|kind| (kind >> (8 * plane)) as u8));
    }
}

/// Reads which kind each of `count` events is.
pub(super) fn read_column(
    from: &mut Reader<'_>,
    count: usize,
    kinds: usize,
) -> Result<Vec<u32>, Damaged> {
    let planes = planes(kinds);
    if (kinds == 0 && count > 0) || count.saturating_mul(planes) > from.left() {
        return Err(from.damaged("fewer kinds than events"));
    }
    let mut column = vec![0_u32; count];
    for plane in 0..planes {
        for (kind, byte) in column.iter_mut().zip(from.take(count)?) {
            *kind |= u32::from(*byte) << (8 * plane);
        }
    }
    if column.iter().all(|kind| (*kind as usize) < kinds) {
        Ok(column)
    } else {
        Err(from.damaged("a kind that is not there"))
    }
}

fn planes(kinds: usize) -> usize {
    match kinds.saturating_sub(1) {
        0 => 0,
        1..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 3,
    }
}
