//! A template that answers, as it is told: its facts, its lines, and what was written around them.

use std::collections::HashMap;

use super::candidates::Chosen;
use super::{AskError, Search};
use crate::ask::answer::{Line, Reference, StreamCount, shown};
use crate::ask::facts::Choice;
use crate::ask::lines::{line, source_name};
use crate::flow::UNCLASSIFIED;

impl Search<'_> {
    pub(super) fn reference(&self, id: usize, chosen: Chosen) -> Result<Reference, AskError> {
        let doc = &self.view.index.docs()[chosen.doc];
        let tally = &chosen.tally;
        let names: HashMap<String, String> = self
            .view
            .facts
            .blocks()
            .iter()
            .map(|block| {
                (
                    block.place.stream.id.clone(),
                    source_name(&block.place.stream),
                )
            })
            .collect();
        let mut counts: HashMap<String, u64> = HashMap::new();
        for (stream, count) in &tally.streams {
            let name = names
                .get(&**stream)
                .cloned()
                .unwrap_or_else(|| stream.to_string());
            *counts.entry(name).or_default() += count;
        }
        let mut streams: Vec<StreamCount> = counts
            .into_iter()
            .map(|(name, count)| StreamCount { name, count })
            .collect();
        streams.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        let category = tally.category().map_or(UNCLASSIFIED, |_| {
            self.view.labels.category(tally.category())
        });
        Ok(Reference {
            id,
            template_id: doc.id.to_string(),
            template: doc.text.clone(),
            category: category.to_owned(),
            level: tally.level().as_str(),
            count: tally.count,
            first: tally.times.map(|(first, _)| shown(first)),
            last: tally.times.map(|(_, last)| shown(last)),
            streams,
            relevance: (chosen.share.min(1.0) * 1000.0).round() / 1000.0,
            lines: chosen.lines,
            ..Reference::default()
        })
    }

    /// What came before and after the first line of the best reference.
    pub(super) fn add_neighbours(&self, references: &mut [Reference]) -> Result<(), AskError> {
        let around = self.question.around;
        let Some(reference) = references.first_mut().filter(|_| around > 0) else {
            return Ok(());
        };
        let Some(event_id) = reference.lines.first().map(|line| line.event_id.clone()) else {
            return Ok(());
        };
        if let Some((batch, place)) = self.reader.neighbours(&event_id, around)? {
            let lines: Vec<Line> = batch
                .events
                .iter()
                .map(|event| line(&batch, event))
                .collect();
            reference.before = lines.get(..place).unwrap_or_default().to_vec();
            reference.after = lines.get(place + 1..).unwrap_or_default().to_vec();
        }
        Ok(())
    }

    /// How often each template occurred in the time before the one that was asked about.
    pub(super) fn count_before(&self, references: &mut [Reference]) -> Result<(), AskError> {
        let (Some(from), Some(to)) = (self.choice.from, self.choice.to) else {
            return Ok(());
        };
        let choice = Choice {
            from: Some(from.saturating_sub(to.saturating_sub(from))),
            to: Some(from),
            streams: self.choice.streams.clone(),
        };
        let reaches_back = self
            .view
            .facts
            .span()
            .is_some_and(|(first, _)| first < from);
        if !self.looked.names.is_empty() || !reaches_back {
            return Ok(());
        }
        let root = |number: u32| self.view.root(number);
        let before = self.view.facts.tallies(self.reader, &choice, &root)?;
        let by_id: HashMap<String, u64> = before
            .iter()
            .filter_map(|(number, tally)| {
                let doc = self.view.index.of_number(*number)?;
                Some((self.view.index.docs().get(doc)?.id.to_string(), tally.count))
            })
            .collect();
        for reference in references {
            reference.count_before = Some(by_id.get(&reference.template_id).copied().unwrap_or(0));
        }
        Ok(())
    }
}
