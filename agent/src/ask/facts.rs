//! What is stored, counted: per block and kind of event, kept in memory, because a block never changes. Times within a block are
//! looked up in the block when a question asks for a part of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use logline::level::Level;

use super::filter::{Collecting, Filter};
use crate::flow::{Batch, StreamInfo};
use crate::store::block::EventLabels;
use crate::store::{BlockPlace, Fault, Reader};

/// Memory for knowing which names are in which block; what does not fit is looked through.
const FILTER_BYTES: usize = 32 << 20;

/// Events of a block that are alike.
#[derive(Clone, Copy, Debug)]
struct Kind {
    template: u32,
    level: Level,
    category: Option<u16>,
    count: u64,
    times: Option<(i64, i64)>,
}

/// A block with its sums.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) place: BlockPlace,
    kinds: Vec<Kind>,
    /// Which names may be in it, once somebody has looked.
    filter: OnceLock<Filter>,
}

impl Block {
    /// Whether it may hold all of `names`; true where nobody knows.
    pub(super) fn may_hold(&self, names: &[&str]) -> bool {
        let filter = self.filter.get();
        filter.is_none_or(|filter| names.iter().all(|name| filter.may_hold(name.as_bytes())))
    }

    fn add_to(&self, tallies: &mut HashMap<u32, Tally>, root: &dyn Fn(u32) -> u32) {
        let stream: Arc<str> = Arc::from(self.place.stream.id.as_str());
        for kind in &self.kinds {
            let tally = tallies.entry(root(kind.template)).or_default();
            tally.add(kind, &stream);
        }
    }

    /// Notes which names may be in it.
    pub(super) fn learn(&self, batch: &Batch) {
        self.filter.get_or_init(|| {
            let mut collecting = Collecting::default();
            for event in &batch.events {
                collecting.add(batch.get(event.text));
            }
            collecting.finish()
        });
    }
}

/// Sums over the events of a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Events.
    pub(super) count: u64,
    /// The first and the last time.
    pub(super) times: Option<(i64, i64)>,
    /// By level.
    pub(super) levels: [u64; Level::ALL.len()],
    /// By number of the category.
    pub(super) categories: BTreeMap<Option<u16>, u64>,
    /// By stream id.
    pub(super) streams: BTreeMap<Arc<str>, u64>,
}

impl Tally {
    /// The level that most of its events have.
    pub(super) fn level(&self) -> Level {
        let most = self
            .levels
            .iter()
            .zip(Level::ALL)
            .max_by_key(|(count, _)| **count);
        most.map_or_else(Level::default, |(_, level)| level)
    }

    /// The worst level that one of its events has.
    pub(super) fn worst(&self) -> Level {
        let there = self
            .levels
            .iter()
            .zip(Level::ALL)
            .filter(|(count, _)| **count > 0);
        there
            .map(|(_, level)| level)
            .next_back()
            .unwrap_or_default()
    }

    /// The category that most of its events have.
    pub(super) fn category(&self) -> Option<u16> {
        let most = self.categories.iter().max_by_key(|(_, count)| **count);
        most.and_then(|(category, _)| *category)
    }

    fn add(&mut self, kind: &Kind, stream: &Arc<str>) {
        self.count += kind.count;
        self.times = joined(self.times, kind.times);
        self.levels[kind.level as usize] += kind.count;
        *self.categories.entry(kind.category).or_default() += kind.count;
        *self.streams.entry(Arc::clone(stream)).or_default() += kind.count;
    }
}

fn joined(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

/// A choice among the events.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Not before this time.
    pub(super) from: Option<i64>,
    /// Before this time.
    pub(super) to: Option<i64>,
    /// Of one of these streams, by id.
    pub(super) streams: Option<HashSet<String>>,
}

impl Choice {
    /// Whether an event of this time is chosen; without a bound one without a time is, too.
    pub(super) fn has_time(&self, time: Option<i64>) -> bool {
        if self.from.is_none() && self.to.is_none() {
            return true;
        }
        time.is_some_and(|time| {
            self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
        })
    }

    /// Whether events of the stream with this id are chosen.
    pub(super) fn has_stream(&self, id: &str) -> bool {
        self.streams
            .as_ref()
            .is_none_or(|streams| streams.contains(id))
    }

    /// Whether all, some or none of a block's events may be chosen.
    fn of_block(&self, place: &BlockPlace) -> Part {
        if !self.has_stream(&place.stream.id) {
            return Part::None;
        }
        if self.from.is_none() && self.to.is_none() {
            return Part::All;
        }
        let Some((first, last)) = place.times else {
            return Part::None;
        };
        let begins = self.from.is_none_or(|from| first >= from);
        let ends = self.to.is_none_or(|to| last < to);
        let outside =
            self.from.is_some_and(|from| last < from) || self.to.is_some_and(|to| first >= to);
        match (outside, begins && ends) {
            (true, _) => Part::None,
            (false, true) => Part::All,
            (false, false) => Part::Some,
        }
    }

    /// Whether the block may hold an event that is chosen.
    pub(super) fn may_be_in(&self, place: &BlockPlace) -> bool {
        self.of_block(place) != Part::None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    Some,
    None,
}

/// The blocks of a store in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    blocks: Vec<Arc<Block>>,
}

impl Facts {
    /// Takes up what has changed; gives the blocks that are new.
    pub(super) fn refresh(&mut self, reader: &Reader) -> Result<Vec<Arc<Block>>, Fault> {
        let known: HashMap<u64, Arc<Block>> = self
            .blocks
            .drain(..)
            .map(|block| (block.place.checksum, block))
            .collect();
        let mut new = Vec::new();
        let mut blocks = Vec::new();
        for place in reader.blocks()? {
            if let Some(block) = known.get(&place.checksum) {
                // It may have been moved to another segment.
                let moved =
                    block.place.segment != place.segment || block.place.number != place.number;
                blocks.push(if moved {
                    Arc::new(Block {
                        place,
                        kinds: block.kinds.clone(),
                        filter: block.filter.clone(),
                    })
                } else {
                    Arc::clone(block)
                });
            } else if let Some(labels) = reader.block_labels(&place)? {
                let kinds = summed(&labels, &Choice::default());
                let block = Arc::new(Block {
                    place,
                    kinds,
                    filter: OnceLock::new(),
                });
                new.push(Arc::clone(&block));
                blocks.push(block);
            }
        }
        self.blocks = blocks;
        Ok(new)
    }

    /// The blocks of which nobody knows yet which names are in them, the newest first, as long as there is room for knowing it.
    pub(super) fn without_filter(&self) -> impl Iterator<Item = &Arc<Block>> {
        let held: usize = self
            .blocks
            .iter()
            .filter_map(|block| block.filter.get())
            .map(Filter::len)
            .sum();
        let mut room = FILTER_BYTES.saturating_sub(held);
        let open = self
            .blocks
            .iter()
            .rev()
            .filter(|block| block.filter.get().is_none());
        open.take_while(move |block| {
            let wanted = block.place.raw as usize / 32;
            let fits = wanted <= room;
            room = room.saturating_sub(wanted);
            fits
        })
    }

    /// The blocks, the oldest first.
    pub(super) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// The first and the last time that is stored.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        self.blocks
            .iter()
            .filter_map(|block| block.place.times)
            .fold(None, |a, b| joined(a, Some(b)))
    }

    /// Whether an event that is chosen is stored.
    pub(super) fn any(&self, reader: &Reader, choice: &Choice) -> bool {
        self.blocks
            .iter()
            .any(|block| match choice.of_block(&block.place) {
                Part::None => false,
                Part::All => true,
                Part::Some => reader
                    .block_labels(&block.place)
                    .ok()
                    .flatten()
                    .is_some_and(|labels| {
                        labels
                            .timestamps
                            .iter()
                            .any(|time| choice.has_time(time.map(|time| time.0)))
                    }),
            })
    }

    /// Sums over the chosen events by template, those of merged templates under the one that they are part of now.
    pub(super) fn tallies(
        &self,
        reader: &Reader,
        choice: &Choice,
        root: &dyn Fn(u32) -> u32,
    ) -> Result<HashMap<u32, Tally>, Fault> {
        let mut tallies: HashMap<u32, Tally> = HashMap::new();
        let mut streams: HashMap<*const StreamInfo, Arc<str>> = HashMap::new();
        for block in &self.blocks {
            let part = choice.of_block(&block.place);
            if part == Part::None {
                continue;
            }
            let stream = streams
                .entry(Arc::as_ptr(&block.place.stream))
                .or_insert_with(|| Arc::from(block.place.stream.id.as_str()));
            if part == Part::All {
                for kind in &block.kinds {
                    tallies
                        .entry(root(kind.template))
                        .or_default()
                        .add(kind, stream);
                }
                continue;
            }
            let Some(labels) = reader.block_labels(&block.place)? else {
                continue;
            };
            for kind in summed(&labels, choice) {
                tallies
                    .entry(root(kind.template))
                    .or_default()
                    .add(&kind, stream);
            }
        }
        Ok(tallies)
    }
}

/// Blocks of so many bytes of text stay as they are until they go away; smaller ones are merged soon.
const STAYS: u64 = 256 << 10;

/// Sums over the blocks that stay, which need not be made again for every block that comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    /// By the blocks' checksums.
    blocks: HashSet<u64>,
    tallies: HashMap<u32, Tally>,
}

impl Sums {
    /// Takes up the blocks that are new; where one has gone, sums up again.
    pub(super) fn bring_up(sums: &mut Arc<Self>, facts: &Facts, root: &dyn Fn(u32) -> u32) {
        let staying = || {
            let blocks = facts.blocks.iter();
            blocks.filter(|block| block.place.raw >= STAYS)
        };
        let there: HashSet<u64> = staying().map(|block| block.place.checksum).collect();
        if !sums.blocks.is_subset(&there) {
            *sums = Arc::default();
        }
        if sums.blocks.len() == there.len() {
            return;
        }
        let sums = Arc::make_mut(sums);
        for block in staying() {
            if sums.blocks.insert(block.place.checksum) {
                block.add_to(&mut sums.tallies, root);
            }
        }
    }

    /// Sums over all blocks.
    pub(super) fn with_others(
        &self,
        facts: &Facts,
        root: &dyn Fn(u32) -> u32,
    ) -> HashMap<u32, Tally> {
        let mut tallies = self.tallies.clone();
        for block in &facts.blocks {
            if !self.blocks.contains(&block.place.checksum) {
                block.add_to(&mut tallies, root);
            }
        }
        tallies
    }
}

/// The chosen events of a block, those of a kind together.
fn summed(labels: &EventLabels, choice: &Choice) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = labels
        .kinds
        .iter()
        .map(|label| Kind {
            template: label.template.unwrap_or(u32::MAX),
            level: label.level,
            category: label.verdict.category,
            count: 0,
            times: None,
        })
        .collect();
    for (kind, time) in labels.kind_of.iter().zip(&labels.timestamps) {
        let time = time.map(|time| time.0);
        if choice.has_time(time)
            && let Some(kind) = kinds.get_mut(*kind as usize)
        {
            kind.count += 1;
            kind.times = joined(kind.times, time.map(|time| (time, time)));
        }
    }
    kinds.retain(|kind| kind.count > 0);
    kinds
}
