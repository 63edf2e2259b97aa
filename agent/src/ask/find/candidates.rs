//! Which templates answer: among those that hold what is named, those of a time, or all.

use std::collections::HashMap;
use std::sync::Arc;

use logline::level::Level;

use super::asked::{literals, rest, without_levels};
use super::{AskError, Search};
use crate::ask::answer::Line;
use crate::ask::facts::Tally;
use crate::ask::index::Fits;
use crate::ask::lines::Found;
use crate::ask::rank::{Ranked, rank};
use crate::ask::read;

/// Lines that are quoted of a template.
const QUOTED: usize = 5;
/// Lines that are quoted where a name or a time was asked for.
const QUOTED_EXACTLY: usize = 50;
/// Among few candidates: a template with less than this share of the best one's worth is about something else.
const ABOUT: f32 = 0.72;
/// Among few candidates: below this share of what was asked, the words say nothing about which of them is meant.
const SAYING: f32 = 0.12;

/// A template that is to be told of, with its facts.
pub(super) struct Chosen {
    pub(super) doc: usize,
    pub(super) share: f32,
    pub(super) tally: Tally,
    pub(super) lines: Vec<Line>,
}

impl Search<'_> {
    pub(super) fn among_named(&mut self, found: Vec<Found>, names: &[read::Name]) -> Vec<Chosen> {
        let mut by_template: HashMap<u32, Vec<Found>> = HashMap::new();
        for one in found {
            by_template.entry(one.template).or_default().push(one);
        }
        let view = self.view;
        let docs: HashMap<usize, u32> = by_template
            .keys()
            .filter_map(|number| Some((view.index.of_number(*number)?, *number)))
            .collect();
        let fits = view
            .index
            .fits(&rest(&self.question.text, &self.period.taken, names, true));
        let order = self.order(&fits, &|doc| docs.contains_key(&doc), &docs);
        let mut chosen = Vec::new();
        for one in order {
            let Some(found) = docs
                .get(&one.doc)
                .and_then(|number| by_template.remove(number))
            else {
                continue;
            };
            let Some(number) = docs.get(&one.doc).copied() else {
                continue;
            };
            let all = view.all.get(&number).cloned().unwrap_or_default();
            chosen.push(Chosen {
                doc: one.doc,
                share: one.share,
                tally: tally_of(&found, &all),
                lines: found
                    .into_iter()
                    .rev()
                    .map(|found| found.line)
                    .take(QUOTED_EXACTLY)
                    .collect(),
            });
        }
        chosen
    }

    /// Few candidates in their order: those that the words of the question speak of, or all where they speak of none.
    fn order(
        &self,
        fits: &Fits,
        among: &dyn Fn(usize) -> bool,
        docs: &HashMap<usize, u32>,
    ) -> Vec<Ranked> {
        let ranking = rank(&self.view.index, fits, None, among);
        let best = ranking.all.iter().map(|one| one.worth).fold(0.0, f32::max);
        let saying = ranking.all.iter().any(|one| one.share >= SAYING);
        let mut order: Vec<Ranked> = Vec::new();
        if fits.units > 0 && saying {
            order = ranking
                .all
                .into_iter()
                .filter(|one| one.worth >= ABOUT * best)
                .collect();
        } else {
            order.extend(docs.keys().map(|doc| Ranked {
                doc: *doc,
                score: 0.0,
                share: 0.0,
                worth: 0.0,
            }));
            let count = |one: &Ranked| {
                let tally = docs
                    .get(&one.doc)
                    .and_then(|number| self.view.all.get(number));
                (
                    std::cmp::Reverse(tally.map_or(Level::Trace, Tally::worst)),
                    tally.map_or(0, |tally| tally.count),
                )
            };
            order.sort_by_key(count);
        }
        order.truncate(self.question.k.max(1));
        order
    }

    pub(super) fn among_templates(
        &mut self,
        there: &HashMap<u32, Tally>,
        bounded: bool,
        names: &[read::Name],
    ) -> Result<Vec<Chosen>, AskError> {
        let view = self.view;
        let text = rest(&self.question.text, &self.period.taken, &[], bounded);
        // Where the time is bounded, `errors` chooses by level; else it is a word like others.
        let level = read::level(&text).filter(|_| bounded);
        let bad = |number: u32| {
            level.is_none_or(|level| {
                there
                    .get(&number)
                    .is_some_and(|tally| tally.worst() >= level)
            })
        };
        let docs: HashMap<usize, u32> = there
            .keys()
            .filter(|number| bad(**number))
            .filter_map(|number| Some((view.index.of_number(*number)?, *number)))
            .collect();
        let text = if level.is_some() {
            without_levels(&text)
        } else {
            text
        };
        let fits = view.index.fits(&text);
        let among = |doc: usize| docs.contains_key(&doc);
        let order = if bounded {
            if fits.units > 0 && !fits.all.iter().any(|fit| among(fit.doc)) {
                return Ok(Vec::new());
            }
            self.order(&fits, &among, &docs)
        } else {
            let ranking = rank(&view.index, &fits, self.near, &among);
            if !ranking.answered {
                return Ok(Vec::new());
            }
            let mut all = ranking.all;
            all.truncate(self.question.k.max(1));
            all
        };
        let most = if bounded { QUOTED_EXACTLY } else { QUOTED };
        let wanted = literals(&self.question.text, &self.period.taken, names);
        let mut chosen = Vec::new();
        for one in order {
            let Some(number) = docs.get(&one.doc).copied() else {
                continue;
            };
            let numbers = view.numbers(number);
            let lines = self.unpacked.of_template(
                view.facts.blocks(),
                &numbers,
                &self.choice,
                &wanted,
                most,
            )?;
            if lines.is_empty() {
                continue;
            }
            chosen.push(Chosen {
                doc: one.doc,
                share: one.share,
                tally: there.get(&number).cloned().unwrap_or_default(),
                lines,
            });
        }
        Ok(chosen)
    }
}

/// Sums over events that were found one by one.
fn tally_of(found: &[Found], all: &Tally) -> Tally {
    let mut tally = Tally {
        levels: all.levels,
        categories: all.categories.clone(),
        count: found.len() as u64,
        ..Tally::default()
    };
    for one in found {
        tally.times = match (tally.times, one.time) {
            (Some((first, last)), Some(time)) => Some((first.min(time), last.max(time))),
            (times, time) => times.or(time.map(|time| (time, time))),
        };
        *tally.streams.entry(Arc::clone(&one.stream)).or_default() += 1;
    }
    tally
}
