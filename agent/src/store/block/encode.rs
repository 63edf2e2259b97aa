//! Labelled events to the bytes of a block.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::columns::Columns;
use super::kinds::{self, GroupKey, Kind};
use super::numbers::Sink;
use super::parts::Body;
use super::split::{Plan, Plans, segments};
use super::wire::{Effort, pack, put};
use super::{Numbers, Summary, VERSION};
use crate::flow::{Batch, Labelled, TemplateText};

/// Events of one template whose texts are cut alike.
struct Group {
    plan: Option<usize>,
    first_column: usize,
    slots: usize,
}

/// A template as this block knows it.
struct Known {
    number: u32,
    plan: Arc<Plan>,
}

struct Encoder<'a> {
    batch: &'a Batch,
    numbers: &'a mut dyn Numbers,
    plans: &'a mut Plans,
    templates: Vec<Known>,
    template_of: HashMap<usize, usize, Spread>,
    categories: Vec<Option<u16>>,
    rules: HashMap<u32, u32, Spread>,
    kinds: Vec<Kind>,
    kind_counts: Vec<u32>,
    kind_groups: Vec<usize>,
    kind_table: HashTable<u32>,
    groups: Vec<Group>,
    group_of: std::collections::HashMap<GroupKey, usize>,
    columns: Columns,
    /// By pattern: where the logger last stood in a piece of this pattern.
    hints: Vec<(u32, u32)>,
    /// Event, start, length: where it did not stand there.
    told: Vec<(u64, u64, u64)>,
    ranges: Vec<Range<usize>>,
    values: Vec<Range<usize>>,
}

/// Hashes numbers that are spread by a multiplication.
#[derive(Clone, Copy, Default)]
struct Spread;

impl std::hash::BuildHasher for Spread {
    type Hasher = SpreadHasher;
    fn build_hasher(&self) -> SpreadHasher {
        SpreadHasher(0)
    }
}

struct SpreadHasher(u64);

impl std::hash::Hasher for SpreadHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u32(&mut self, value: u32) {
        self.write_usize(value as usize);
    }
    fn write_usize(&mut self, value: usize) {
        let hash = (value as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = hash ^ hash >> 32;
    }
}

/// See [`super::encode()`].
pub(super) fn encode(
    batch: &Batch,
    picked: &[u32],
    seqs: &[u64],
    numbers: &mut dyn Numbers,
    plans: &mut Plans,
    sealed: bool,
    out: &mut Vec<u8>,
) -> Summary {
    let mut encoder = Encoder {
        batch,
        numbers,
        plans,
        templates: Vec::new(),
        template_of: HashMap::default(),
        categories: Vec::new(),
        rules: HashMap::default(),
        kinds: Vec::new(),
        kind_counts: Vec::new(),
        kind_groups: Vec::new(),
        kind_table: HashTable::new(),
        groups: Vec::new(),
        group_of: std::collections::HashMap::new(),
        columns: Columns::default(),
        hints: Vec::new(),
        told: Vec::new(),
        ranges: Vec::new(),
        values: Vec::new(),
    };
    let mut head = Head {
        kinds: Vec::with_capacity(picked.len()),
        clocks: Vec::with_capacity(picked.len()),
        times: Vec::with_capacity(picked.len()),
        starts: Vec::with_capacity(picked.len()),
        ..Head::default()
    };
    for index in picked {
        // An index that is none is left out; its sequence number would have no event either.
        if let Some(event) = batch.events.get(*index as usize) {
            let kind = encoder.event(event, head.kinds.len());
            head.event(event, kind);
        }
    }
    head.seqs.extend(seqs.iter().take(head.kinds.len()));
    encoder.finish(&head, sealed, out)
}

/// The columns that every event has.
#[derive(Default)]
struct Head {
    kinds: Vec<u32>,
    /// Of every event; see `times` for those that are written.
    clocks: Vec<Option<u64>>,
    times: Vec<u64>,
    seqs: Vec<u64>,
    starts: Vec<u64>,
    lines: Vec<u64>,
    cuts: Vec<u64>,
    written: u64,
    raw: u64,
    end: u64,
}

impl Head {
    fn event(&mut self, event: &Labelled, kind: u32) {
        self.kinds.push(kind);
        let time = event.timestamp.map(|time| time.0 as u64);
        self.clocks.push(time);
        self.times.extend(time);
        // What the wrapper adds is mostly the same for every line.
        self.starts.push(event.start.wrapping_sub(self.end));
        self.end = event
            .start
            .wrapping_add(event.text.len() as u64)
            .wrapping_add(u64::from(event.lines));
        if event.lines != 1 {
            self.lines.push(u64::from(event.lines));
        }
        if event.cut_bytes > 0 {
            self.cuts.push(event.cut_bytes);
        }
        self.raw += event.text.len() as u64;
        self.written += event.text.len() as u64;
        if event.message.is_empty() || event.message.offset_in(event.text).is_none() {
            self.written += event.message.len() as u64;
        }
        if event.logger.offset_in(event.text).is_none() {
            self.written += event.logger.len() as u64;
        }
    }
}

impl Encoder<'_> {
    /// Takes one event apart and gives its kind.
    fn event(&mut self, event: &Labelled, index: usize) -> u32 {
        let batch = self.batch;
        self.columns.event = index as u32;
        let text = batch.get(event.text);
        let message = batch.get(event.message);
        let known = event
            .template_text
            .as_ref()
            .map(|template| self.template(template));
        let mut kind = self.labels(event, known);

        let inside = event.message.offset_in(event.text);
        let inside = inside.filter(|_| !message.is_empty());
        let mut ranges = std::mem::take(&mut self.ranges);
        ranges.clear();
        match inside {
            Some(start) => {
                segments(&text[..start], 0, &mut ranges);
                kind.heads = ranges.len() as u8;
                let end = start + message.len();
                segments(&text[end..], end, &mut ranges);
            }
            None => {
                kind.flags |= kinds::OWN_MESSAGE;
                segments(text, 0, &mut ranges);
                kind.heads = ranges.len() as u8;
            }
        }
        kind.tails = (ranges.len() - usize::from(kind.heads)) as u8;

        let mut values = std::mem::take(&mut self.values);
        let fits =
            known.is_some_and(|known| self.templates[known].plan.split(message, &mut values));
        if fits {
            kind.flags |= kinds::FITS;
        } else {
            values.clear();
            values.push(0..message.len());
        }

        let logger = event.logger.offset_in(event.text);
        let mut hinted = None;
        kind.logger = match logger {
            _ if event.logger.is_empty() => kinds::NO_LOGGER,
            None => {
                kind.flags |= kinds::OWN_LOGGER;
                kinds::NO_LOGGER
            }
            Some(start) => {
                let within = ranges.iter().position(|range| range.contains(&start));
                match within {
                    Some(at) => {
                        hinted = Some((at, start - ranges[at].start));
                        at as u8 + kinds::LOGGER_IN
                    }
                    None => {
                        self.told
                            .push((index as u64, start as u64, event.logger.len() as u64));
                        kinds::TOLD_LOGGER
                    }
                }
            }
        };

        let kind = self.kind(kind, known);
        let group = &self.groups[self.kind_groups[kind as usize]];
        let mut column = group.first_column;
        for (at, range) in ranges.iter().enumerate() {
            let pattern = self.columns.push(column, &text[range.clone()], true) as usize;
            column += 1;
            if let Some((_, start)) = hinted.filter(|(within, _)| *within == at) {
                let place = (start as u32, event.logger.len() as u32);
                if self.hints.len() <= pattern {
                    self.hints.resize(pattern + 1, (0, 0));
                }
                if self.hints[pattern] != place {
                    self.hints[pattern] = place;
                    self.told
                        .push((index as u64, u64::from(place.0), u64::from(place.1)));
                }
            }
        }
        for range in &values {
            self.columns.push(column, &message[range.clone()], false);
            column += 1;
        }
        if self.kinds[kind as usize].has(kinds::OWN_LOGGER) {
            self.columns.push(column, batch.get(event.logger), false);
        }
        self.ranges = ranges;
        self.values = values;
        kind
    }

    /// The part of the kind that says what the event is about.
    fn labels(&mut self, event: &Labelled, known: Option<usize>) -> Kind {
        let mut kind = Kind {
            template: known.map_or(0, |known| u64::from(self.templates[known].number) + 1),
            confidence: event.verdict.confidence.to_bits(),
            stage: kinds::stage_number(event.verdict.stage),
            level: event.level as u8,
            ..Kind::default()
        };
        if let Some(category) = event.verdict.category {
            let at = usize::from(category);
            if self.categories.len() <= at {
                self.categories.resize(at + 1, None);
            }
            let name = self.batch.labels.category(Some(category));
            let number = self.categories[at].get_or_insert_with(|| self.numbers.category(name));
            kind.category = u32::from(*number) + 1;
        }
        if let Some(rule) = event.verdict.rule {
            let name = self.batch.labels.rule(rule);
            let number = self
                .rules
                .entry(rule)
                .or_insert_with(|| self.numbers.rule(name));
            kind.rule = u64::from(*number) + 1;
        }
        for (flag, set) in [
            (
                kinds::STDERR,
                event.stream == logline::event::Stream::Stderr,
            ),
            (kinds::TIMED, event.timestamp.is_some()),
            (kinds::JOINED, event.lines != 1),
            (kinds::CUT, event.cut_bytes > 0),
        ] {
            if set {
                kind.flags |= flag;
            }
        }
        kind
    }

    fn template(&mut self, text: &Arc<TemplateText>) -> usize {
        let key = Arc::as_ptr(text) as usize;
        *self.template_of.entry(key).or_insert_with(|| {
            self.templates.push(Known {
                number: self.numbers.template(text),
                plan: self.plans.of(text),
            });
            self.templates.len() - 1
        })
    }

    fn kind(&mut self, kind: Kind, known: Option<usize>) -> u32 {
        let hash = kind.hash();
        let kinds = &self.kinds;
        if let Some(number) = self
            .kind_table
            .find(hash, |number| kinds[*number as usize] == kind)
        {
            self.kind_counts[*number as usize] += 1;
            return *number;
        }
        let number = self.kinds.len() as u32;
        self.kind_table
            .insert_unique(hash, number, |number| kinds[*number as usize].hash());
        self.kinds.push(kind);
        self.kind_counts.push(1);
        let groups = &mut self.groups;
        let columns = &mut self.columns;
        let templates = &self.templates;
        let group = *self.group_of.entry(kind.group()).or_insert_with(|| {
            let plan = known.filter(|_| kind.has(kinds::FITS));
            let around = usize::from(kind.heads) + usize::from(kind.tails);
            let values = plan.map_or(1, |plan| templates[plan].plan.slots());
            let slots = around + values + usize::from(kind.has(kinds::OWN_LOGGER));
            groups.push(Group {
                plan,
                first_column: columns.add(slots),
                slots,
            });
            groups.len() - 1
        });
        self.kind_groups.push(group);
        number
    }

    fn finish(mut self, head: &Head, sealed: bool, out: &mut Vec<u8>) -> Summary {
        // The most frequent kinds first: their numbers fit one byte. Among rare ones the templates' numbers ascend.
        let mut order: Vec<usize> = (0..self.kinds.len()).collect();
        order.sort_by_key(|kind| {
            let template = self.kinds[*kind].template;
            (std::cmp::Reverse(self.kind_counts[*kind]), template)
        });
        let mut number_of = vec![0_u32; order.len()];
        for (number, kind) in order.iter().enumerate() {
            number_of[*kind] = number as u32;
        }
        let column: Vec<u32> = head
            .kinds
            .iter()
            .map(|kind| number_of[*kind as usize])
            .collect();
        let table: Vec<Kind> = order.iter().map(|kind| self.kinds[*kind]).collect();

        let mut labels = Vec::new();
        kinds::write(&table, &mut labels);
        kinds::write_column(&column, table.len(), &mut labels);
        let mut times = Sink::default();
        times.put(&head.times);
        times.put(&head.seqs);
        put(&mut labels, times.params.len() as u64);
        labels.extend_from_slice(&times.params);
        labels.extend_from_slice(&times.index);
        let time_bits = times.bits.finish();

        let mut body = Body::default();
        body.sink.put(&head.starts);
        body.sink.put(&head.lines);
        body.sink.put(&head.cuts);
        body.told(&self.told);
        let mut hash = Xxh3::new();
        let mut written = vec![false; self.groups.len()];
        for kind in &order {
            let number = self.kind_groups[*kind];
            if std::mem::replace(&mut written[number], true) {
                continue;
            }
            let group = &self.groups[number];
            if let Some(plan) = group.plan {
                hash.update(&self.templates[plan].plan.id().to_le_bytes());
            }
            for at in group.first_column..group.first_column + group.slots {
                body.column(&mut self.columns, at);
            }
        }
        for store in std::mem::take(&mut body.stores) {
            body.store(&mut self.columns, store, &head.clocks);
        }
        let mut shape = (hash.digest() as u32).to_le_bytes().to_vec();
        put(&mut shape, body.sink.params.len() as u64);
        shape.extend_from_slice(&body.sink.params);
        shape.extend_from_slice(&body.intros);
        let bits = body.sink.bits.finish();

        let text = if sealed {
            Effort::Thorough
        } else {
            Effort::Draft
        };
        let parts = [
            pack(&labels, Effort::Quick),
            pack(&time_bits, Effort::None),
            pack(&shape, Effort::Quick),
            pack(&body.sink.index, Effort::Quick),
            pack(&body.patterns, text),
            pack(&body.digits, Effort::Quick),
            pack(&body.wide, Effort::Quick),
            pack(&bits, Effort::None),
        ];
        let start = out.len();
        out.push(VERSION);
        put(out, head.kinds.len() as u64);
        put(out, head.written);
        for part in &parts {
            part.put_lengths(out);
        }
        for part in &parts {
            part.put_bytes(out);
        }
        let sum = xxh3_64(&out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
        Summary::of(&table, &head.times, &head.seqs, head.raw)
    }
}
