//! The bytes of a block to labelled events. Whatever the bytes are, nothing here panics, and what is allocated is bounded by the
//! sizes that the block declares and by those that it may declare.

use std::collections::HashMap;
use std::sync::Arc;

use logline::time::Timestamp;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::kinds::{self, GroupKey, Kind};
use super::numbers::{BitReader, Source};
use super::pattern::{self, END, Needs, Op};
use super::split::Plan;
use super::wire::{Damaged, Lengths, MAX_UNPACKED, Reader};
use super::{EventLabel, EventLabels, Names, TINY, VERSION};
use crate::flow::{Batch, Labelled, Slice, StreamInfo, Verdict};

const CHECKSUM: usize = 8;
const PARTS: usize = 8;
const LABELS: usize = 0;
const TIME_BITS: usize = 1;
const SHAPE: usize = 2;
const INDEX: usize = 3;
const PATTERNS: usize = 4;
const DIGITS: usize = 5;
const WIDE: usize = 6;
const BITS: usize = 7;

/// A block whose checksum holds, its parts still packed.
struct Opened<'a> {
    events: usize,
    /// Bytes of text that its events come to.
    written: usize,
    lengths: [Lengths; PARTS],
    parts: [&'a [u8]; PARTS],
}

impl<'a> Opened<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let short = Damaged {
            what: "too short for a block",
            at: bytes.len(),
        };
        let body = bytes.len().checked_sub(CHECKSUM).ok_or(short)?;
        let (body, sum) = bytes.split_at(body);
        let mut from = Reader::new(body);
        if from.byte()? != VERSION {
            return Err(Damaged {
                what: "a version that is not known",
                at: 0,
            });
        }
        if sum != xxh3_64(body).to_le_bytes() {
            return Err(Damaged {
                what: "the checksum does not hold",
                at: body.len(),
            });
        }
        let events = from.count(MAX_UNPACKED)?;
        let written = from.count(MAX_UNPACKED)?;
        let mut lengths = [Lengths::default(); PARTS];
        for part in &mut lengths {
            *part = Lengths::read(&mut from)?;
        }
        if lengths.iter().map(|part| part.unpacked).sum::<usize>() > MAX_UNPACKED {
            return Err(from.damaged("larger than a block may be"));
        }
        let mut parts = [&[][..]; PARTS];
        for (part, lengths) in parts.iter_mut().zip(lengths) {
            *part = from.take(lengths.stored())?;
        }
        from.finish()?;
        Ok(Self {
            events,
            written,
            lengths,
            parts,
        })
    }

    fn part(&self, number: usize) -> Result<Vec<u8>, Damaged> {
        self.lengths[number].unpack(self.parts[number])
    }
}

/// What the first two parts say.
struct Labels {
    kinds: Vec<Kind>,
    column: Vec<u32>,
    times: Vec<u64>,
    seqs: Vec<u64>,
}

impl Labels {
    fn read(block: &Opened<'_>) -> Result<Self, Damaged> {
        let labels = block.part(LABELS)?;
        let bits = block.part(TIME_BITS)?;
        let mut from = Reader::new(&labels);
        let kinds = kinds::read(&mut from)?;
        let column = kinds::read_column(&mut from, block.events, kinds.len())?;
        let params = from.count(from.left())?;
        let params = from.take(params)?;
        let mut source = Source {
            params: Reader::new(params),
            index: from,
            bits: BitReader::new(&bits),
        };
        let timed = count(&kinds, &column, kinds::TIMED);
        let times = source.take(timed)?;
        let seqs = source.take(block.events)?;
        source.finish()?;
        Ok(Self {
            kinds,
            column,
            times,
            seqs,
        })
    }
}

fn count(kinds: &[Kind], column: &[u32], flag: u8) -> usize {
    let has = |kind: &&u32| kinds[**kind as usize].has(flag);
    column.iter().filter(has).count()
}

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

fn number(plus_one: u64) -> Option<u32> {
    plus_one.checked_sub(1).map(|number| number as u32)
}

fn verdict(kind: &Kind) -> Verdict {
    Verdict {
        category: kind.category.checked_sub(1).map(|number| number as u16),
        stage: kind.stage(),
        confidence: f32::from_bits(kind.confidence),
        rule: number(kind.rule),
    }
}

/// See [`super::decode`].
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
    let templates: Vec<Option<Arc<crate::flow::TemplateText>>> = labels
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
        let Some(texts) = writer.event(at, kind, group, into.arena()) else {
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
        let timed = kind.has(kinds::TIMED);
        into.events.push(Labelled {
            text: texts.text,
            message: texts.message,
            logger: texts.logger,
            timestamp: timed
                .then(|| times.next())
                .flatten()
                .map(|time| Timestamp(time as i64)),
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

const UNKNOWN_TEMPLATE: Damaged = Damaged {
    what: "a template that is not known",
    at: 0,
};

/// The patterns met so far.
struct Patterns<'a> {
    table: Reader<'a>,
    bytes: &'a [u8],
    ops: Vec<Op>,
    /// Where each one's steps end, and what it asks for.
    all: Vec<(usize, Needs)>,
}

impl<'a> Patterns<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            table: Reader::new(bytes),
            bytes,
            ops: Vec::new(),
            all: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<usize, Damaged> {
        let base = self.bytes.len() - self.table.left();
        let pattern = self.table.until(END)?;
        let needs = pattern::read(pattern, base, &mut self.ops)?;
        self.all.push((self.ops.len(), needs));
        Ok(self.all.len() - 1)
    }

    fn ops(&self, number: usize) -> &[Op] {
        let start = match number {
            0 => 0,
            _ => self.all[number - 1].0,
        };
        &self.ops[start..self.all[number].0]
    }
}

struct Column {
    /// Pattern and store of each.
    locals: Vec<(usize, usize)>,
    /// Empty where there is but one pattern.
    refs: Vec<u32>,
    next: usize,
}

const NO_STORE: usize = usize::MAX;

struct Store {
    pattern: usize,
    rows: usize,
    /// Where its values and its hexadecimal bytes begin.
    values: usize,
    wide: usize,
    next: usize,
}

struct Group {
    plan: Option<Plan>,
    rows: usize,
    around: usize,
    heads: usize,
    slots: usize,
    values: usize,
    first_column: usize,
}

struct Groups {
    all: Vec<Group>,
    of_kind: Vec<usize>,
}

struct Body<'a> {
    source: Source<'a>,
    intros: Reader<'a>,
    patterns: Patterns<'a>,
    columns: Vec<Column>,
    stores: Vec<Store>,
    /// By pattern: the store of its values around messages.
    around: Vec<usize>,
}

impl Body<'_> {
    fn told(&mut self, events: usize) -> Result<Vec<(usize, usize, usize)>, Damaged> {
        let count = self.intros.count(events.min(self.intros.left()))?;
        let mut told = Vec::with_capacity(count);
        let mut last = 0;
        for _ in 0..count {
            last += self.intros.count(events)?;
            let start = self.intros.count(MAX_UNPACKED)?;
            let len = self.intros.count(MAX_UNPACKED)?;
            told.push((last, start, len));
        }
        Ok(told)
    }

    /// The groups in the order in which the kinds name them.
    fn groups(
        &self,
        labels: &Labels,
        names: &dyn Names,
        block: &Opened<'_>,
        hash: &[u8],
    ) -> Result<Groups, Damaged> {
        let mut groups = Groups {
            all: Vec::new(),
            of_kind: Vec::with_capacity(labels.kinds.len()),
        };
        let mut known: HashMap<GroupKey, usize> = HashMap::new();
        let mut ids = Xxh3::new();
        let mut columns = 0;
        for kind in &labels.kinds {
            let next = groups.all.len();
            let number = *known.entry(kind.group()).or_insert(next);
            groups.of_kind.push(number);
            if number < next {
                continue;
            }
            let plan = match self::number(kind.template).filter(|_| kind.has(kinds::FITS)) {
                None => None,
                Some(number) => {
                    let text = names.template(number).ok_or(UNKNOWN_TEMPLATE)?;
                    let plan = Plan::new(&text);
                    ids.update(&plan.id().to_le_bytes());
                    Some(plan)
                }
            };
            let around = usize::from(kind.heads) + usize::from(kind.tails);
            let values = plan.as_ref().map_or(1, Plan::slots);
            let slots = around + values + usize::from(kind.has(kinds::OWN_LOGGER));
            groups.all.push(Group {
                plan,
                rows: 0,
                around,
                heads: usize::from(kind.heads),
                slots,
                values,
                first_column: columns,
            });
            columns += slots;
        }
        if hash != (ids.digest() as u32).to_le_bytes() {
            return Err(Damaged {
                what: "its templates have other texts now",
                at: 0,
            });
        }
        for kind in &labels.column {
            groups.all[groups.of_kind[*kind as usize]].rows += 1;
        }
        // Pieces around a message hold a byte at least, and so do the words between two values.
        let places = groups
            .all
            .iter()
            .try_fold(0_usize, |sum, group| {
                sum.checked_add(group.rows.checked_mul(group.slots)?)
            })
            .unwrap_or(usize::MAX);
        if places > block.written.saturating_add(block.events.saturating_mul(3)) {
            return Err(Damaged {
                what: "more pieces than its text can have",
                at: 0,
            });
        }
        Ok(groups)
    }

    fn columns_of(&mut self, groups: &Groups) -> Result<(), Damaged> {
        for group in &groups.all {
            for slot in 0..group.slots {
                self.column(group.rows, slot < group.around)?;
            }
        }
        Ok(())
    }

    fn column(&mut self, rows: usize, around: bool) -> Result<(), Damaged> {
        let count = self.intros.count(rows.min(self.intros.left()))?;
        if count == 0 && rows > 0 {
            return Err(self.intros.damaged("a place with no pattern"));
        }
        let mut column = Column {
            locals: Vec::with_capacity(count),
            refs: Vec::new(),
            next: 0,
        };
        for _ in 0..count {
            let known = self.intros.count(self.patterns.all.len())?;
            let pattern = match known.checked_sub(1) {
                Some(pattern) => pattern,
                None => self.patterns.next()?,
            };
            let store = self.store(pattern, around);
            column.locals.push((pattern, store));
        }
        if count == 1 {
            self.add_rows(column.locals[0].1, rows);
        } else if count > 1 {
            column.refs.reserve(rows.min(self.source.index.left()));
            let mut known = 0;
            for _ in 0..rows {
                let local = match self.source.index.byte()? {
                    0 => {
                        known += 1;
                        known - 1
                    }
                    255 => 254 + self.source.index.count(count)?,
                    code => usize::from(code) - 1,
                };
                let Some((_, store)) = column.locals.get(local) else {
                    return Err(self.source.index.damaged("a pattern that is not there"));
                };
                let store = *store;
                self.add_rows(store, 1);
                column.refs.push(local as u32);
            }
        }
        self.columns.push(column);
        Ok(())
    }

    fn store(&mut self, pattern: usize, around: bool) -> usize {
        let needs = &self.patterns.all[pattern].1;
        if needs.widths.is_empty() && needs.wide == 0 {
            return NO_STORE;
        }
        if around {
            self.around.resize(self.patterns.all.len(), NO_STORE);
            if self.around[pattern] != NO_STORE {
                return self.around[pattern];
            }
            self.around[pattern] = self.stores.len();
        }
        self.stores.push(Store {
            pattern,
            rows: 0,
            values: 0,
            wide: 0,
            next: 0,
        });
        self.stores.len() - 1
    }

    fn add_rows(&mut self, store: usize, rows: usize) {
        if let Some(store) = self.stores.get_mut(store) {
            store.rows += rows;
        }
    }

    /// Every value is at least a byte of text: no more values are read than the text has bytes.
    fn check(&self, block: &Opened<'_>) -> Result<(), Damaged> {
        let bytes = self.stores.iter().try_fold(0_usize, |sum, store| {
            let needs = &self.patterns.all[store.pattern].1;
            sum.checked_add(store.rows.checked_mul(needs.len)?)
        });
        if bytes.is_some_and(|bytes| bytes <= block.written) {
            Ok(())
        } else {
            Err(Damaged {
                what: "more values than its text can have",
                at: 0,
            })
        }
    }

    /// All decimal values, field after field of store after store.
    fn values(&mut self, digits: &[u8]) -> Result<Vec<u64>, Damaged> {
        let mut values = Vec::new();
        let mut digits = Reader::new(digits);
        let mut wide = 0;
        for store in &mut self.stores {
            let needs = &self.patterns.all[store.pattern].1;
            store.values = values.len();
            store.wide = wide;
            wide += store.rows * needs.wide;
            for width in &needs.widths {
                if store.rows >= TINY {
                    values.extend(self.source.take(store.rows)?);
                    continue;
                }
                for _ in 0..store.rows {
                    let text = digits.take(usize::from(*width))?;
                    let value = text.iter().fold(0_u64, |value, digit| {
                        let digit = u64::from(digit.wrapping_sub(b'0'));
                        value.wrapping_mul(10).wrapping_add(digit)
                    });
                    values.push(value);
                }
            }
        }
        digits.finish()?;
        Ok(values)
    }

    /// Everything has been read.
    fn finish(&self, wide: &[u8]) -> Result<(), Damaged> {
        let held: usize = self
            .stores
            .iter()
            .map(|store| store.rows * self.patterns.all[store.pattern].1.wide)
            .sum();
        if held != wide.len() {
            return Err(Damaged {
                what: "not the bytes that its hexadecimal values take",
                at: 0,
            });
        }
        self.intros.finish()?;
        self.patterns.table.finish()?;
        self.source.finish()
    }
}

/// Puts texts together again.
struct Writer<'a> {
    body: Body<'a>,
    values: Vec<u64>,
    wide: Vec<u8>,
    told: std::iter::Peekable<std::vec::IntoIter<(usize, usize, usize)>>,
    /// By pattern: where the logger last stood in a piece of this pattern.
    hints: Vec<(usize, usize)>,
}

struct Texts {
    text: Slice,
    message: Slice,
    logger: Slice,
}

impl Writer<'_> {
    /// Writes the texts of one event; none where they do not fit together.
    fn event(&mut self, at: usize, kind: &Kind, group: &Group, out: &mut Vec<u8>) -> Option<Texts> {
        let start = out.len();
        let hinted = kind.logger.checked_sub(kinds::LOGGER_IN).map(usize::from);
        let mut logger_pattern = (0, 0);
        let mut message = None;
        for piece in 0..=group.around {
            if piece == group.heads && !kind.has(kinds::OWN_MESSAGE) {
                message = Some(self.message(group, out));
            }
            if piece == group.around {
                break;
            }
            let begins = out.len();
            let pattern = self.piece(group.first_column + piece, out);
            if hinted == Some(piece) {
                logger_pattern = (pattern, begins);
            }
        }
        let text = Slice::new(start, out.len() - start);
        let message = message.unwrap_or_else(|| self.message(group, out));
        let told = self.told.next_if(|(event, _, _)| *event == at);
        let logger = if kind.has(kinds::OWN_LOGGER) {
            let begins = out.len();
            self.piece(group.first_column + group.slots - 1, out);
            Slice::new(begins, out.len() - begins)
        } else if hinted.is_some() {
            let (pattern, begins) = logger_pattern;
            if self.hints.len() <= pattern {
                self.hints.resize(pattern + 1, (0, 0));
            }
            if let Some((_, start, len)) = told {
                self.hints[pattern] = (start, len);
            }
            let (offset, len) = self.hints[pattern];
            Slice::new(begins + offset, len)
        } else if kind.logger == kinds::TOLD_LOGGER {
            let (_, offset, len) = told?;
            Slice::new(start + offset, len)
        } else {
            Slice::default()
        };
        let fits =
            logger.is_empty() || kind.has(kinds::OWN_LOGGER) || logger.offset_in(text).is_some();
        fits.then_some(Texts {
            text,
            message,
            logger,
        })
    }

    fn message(&mut self, group: &Group, out: &mut Vec<u8>) -> Slice {
        let start = out.len();
        let first = group.first_column + group.around;
        for slot in 0..group.values {
            if let Some(plan) = &group.plan {
                out.extend_from_slice(plan.piece(slot));
            }
            self.piece(first + slot, out);
        }
        if let Some(plan) = &group.plan {
            out.extend_from_slice(plan.piece(group.values));
        }
        Slice::new(start, out.len() - start)
    }

    /// Writes what stands in a column in its next row and gives the pattern.
    fn piece(&mut self, column: usize, out: &mut Vec<u8>) -> usize {
        let column = &mut self.body.columns[column];
        let local = column.refs.get(column.next).copied().unwrap_or_default();
        column.next += 1;
        let Some(&(pattern, store)) = column.locals.get(local as usize) else {
            return 0;
        };
        let patterns = &self.body.patterns;
        let mut scratch = Store {
            pattern,
            rows: 0,
            values: 0,
            wide: 0,
            next: 0,
        };
        let store = self.body.stores.get_mut(store).unwrap_or(&mut scratch);
        let mut value = store.values + store.next;
        let mut wide = store.wide + store.next * patterns.all[pattern].1.wide;
        store.next += 1;
        for op in patterns.ops(pattern) {
            match *op {
                Op::Copy { start, len } => {
                    let start = start as usize;
                    let copied = patterns.bytes.get(start..start + len as usize);
                    out.extend_from_slice(copied.unwrap_or_default());
                }
                Op::Byte(byte) => out.push(byte),
                Op::Digits(width) => {
                    let number = self.values.get(value).copied().unwrap_or_default();
                    pattern::put_digits(number, width, out);
                    value += store.rows;
                }
                Op::Hex { digits, upper } => {
                    let len = usize::from(digits).div_ceil(2);
                    let bytes = self.wide.get(wide..wide + len).unwrap_or_default();
                    pattern::put_hex(bytes, digits, upper, out);
                    wide += len;
                }
                Op::Uuid => {
                    let bytes = self.wide.get(wide..wide + 16).unwrap_or_default();
                    pattern::put_uuid(bytes, out);
                    wide += 16;
                }
            }
        }
        pattern
    }
}
