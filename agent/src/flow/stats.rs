//! What the flow counts, in plain numbers; telemetry reads them once per batch.

use std::collections::BTreeMap;

use logline::decode::Malformed;
use logline::level::Level;

use super::batch::Labelled;
use crate::classify::Stage;

/// Events by category, level and stage, and everything that went wrong on the way.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Bytes taken from the sources.
    pub bytes: u64,
    /// Physical lines.
    pub lines: u64,
    /// Events.
    pub events: u64,
    /// Events of which a part was cut off at a bound.
    pub cut_events: u64,
    /// Bytes cut off.
    pub cut_bytes: u64,
    /// Lines that were not wrapped as their source says, by reason; they went on as plain text.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Events by category and level.
    events_by_category: ByCategory,
    /// Templates that were never seen before, by the category and level of their first event.
    new_templates: ByCategory,
    by_stage: [u64; Stage::ALL.len()],
}

/// Counts by category and level.
#[derive(Clone, Debug, Default)]
struct ByCategory {
    named: Vec<[u64; Level::ALL.len()]>,
    unclassified: [u64; Level::ALL.len()],
}

impl ByCategory {
    fn add(&mut self, event: &Labelled) {
        let row = match event.verdict.category.map(usize::from) {
            Some(category) => {
                if self.named.len() <= category {
                    self.named.resize(category + 1, [0; Level::ALL.len()]);
                }
                &mut self.named[category]
            }
            None => &mut self.unclassified,
        };
        row[event.level as usize] += 1;
    }

    fn rows(&self) -> impl Iterator<Item = (Option<u16>, &[u64; Level::ALL.len()])> {
        let named = self
            .named
            .iter()
            .zip(0u16..)
            .map(|(row, index)| (Some(index), row));
        named
            .chain(std::iter::once((None, &self.unclassified)))
            .filter(|(_, row)| row.iter().any(|count| *count > 0))
    }
}

impl Stats {
    pub(super) fn malformed(&mut self, reason: Malformed) {
        *self.malformed.entry(reason.as_str()).or_default() += 1;
    }

    pub(super) fn event(&mut self, event: &Labelled) {
        self.events += 1;
        if event.cut_bytes > 0 {
            self.cut_events += 1;
            self.cut_bytes += event.cut_bytes;
        }
    }

    /// An event's verdict, which will not change any more.
    pub(super) fn verdict(&mut self, event: &Labelled) {
        self.by_stage[event.verdict.stage as usize] += 1;
        self.events_by_category.add(event);
    }

    /// The template of `event` was never seen before, in this run or an earlier one.
    pub(super) fn new_template(&mut self, event: &Labelled) {
        self.new_templates.add(event);
    }

    /// Events judged by `stage`.
    #[must_use]
    pub fn by_stage(&self, stage: Stage) -> u64 {
        self.by_stage[stage as usize]
    }

    /// Every category that occurred (`None`: unclassified) with its events per level, least severe first.
    pub fn by_category(&self) -> impl Iterator<Item = (Option<u16>, &[u64; Level::ALL.len()])> {
        self.events_by_category.rows()
    }

    /// As [`by_category`](Self::by_category), of the templates that were never seen before: by what their first event was.
    pub fn new_templates(&self) -> impl Iterator<Item = (Option<u16>, &[u64; Level::ALL.len()])> {
        self.new_templates.rows()
    }
}
