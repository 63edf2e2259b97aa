//! From a question to what answers it: time and names choose among the events, words and meaning among the templates.

mod asked;
mod candidates;
mod elsewhere;
mod references;
mod restart;
mod streams;

use std::collections::HashMap;

use logline::time::Timestamp;

use super::answer::{Answer, LookedAt, Question, shown};
use super::facts::Choice;
use super::lines::{Found, Unpacked};
use super::read::{self, Period, Times};
use super::samples::Samples;
use super::state::View;
use super::{AskError, compose};
use crate::store::Reader;
use crate::telemetry::clock;

pub(super) use asked::together;
pub(super) use streams::streams_of;

/// The answer, and whether a block that it needed was gone.
pub(super) fn answer(
    reader: &Reader,
    view: &View,
    samples: &Samples,
    near: Option<&HashMap<usize, f32>>,
    question: &Question,
) -> Result<(Answer, bool), AskError> {
    let mut search = Search {
        reader,
        view,
        near,
        question,
        unpacked: Unpacked::new(reader, samples),
        choice: Choice::default(),
        looked: LookedAt::default(),
        period: Period::default(),
    };
    let found = search.search()?;
    Ok((found, search.unpacked.missed))
}

struct Search<'a> {
    reader: &'a Reader,
    view: &'a View,
    near: Option<&'a HashMap<usize, f32>>,
    question: &'a Question,
    unpacked: Unpacked<'a>,
    choice: Choice,
    looked: LookedAt,
    period: Period,
}

impl Search<'_> {
    fn search(&mut self) -> Result<Answer, AskError> {
        self.choose_streams()?;
        self.choose_time();
        let root = |number: u32| self.view.root(number);
        let bounded = self.choice.from.is_some() || self.choice.to.is_some();
        let tallies = if bounded || self.choice.streams.is_some() {
            Some(self.view.facts.tallies(self.reader, &self.choice, &root)?)
        } else {
            None
        };
        let there = tallies.as_ref().unwrap_or(&self.view.all);
        self.looked.events = there.values().map(|tally| tally.count).sum();
        self.looked.templates = there.len();
        self.looked.from = self.choice.from.map(shown);
        self.looked.to = self.choice.to.map(shown);

        let names = self.names();
        let sure = names.iter().any(|name| name.sure);
        let mut named: Option<Vec<Found>> = None;
        if !names.is_empty() {
            let texts: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
            let found = self.hold(&texts)?;
            self.looked.names = texts.iter().map(|text| (*text).to_owned()).collect();
            if !found.is_empty() {
                named = Some(found);
            } else if sure {
                return Ok(self.nothing());
            }
        }
        let chosen = match named {
            Some(found) => self.among_named(found, &names),
            None => self.among_templates(there, bounded, &names)?,
        };
        if chosen.is_empty() {
            return Ok(self.nothing());
        }
        let mut references = Vec::new();
        for chosen in chosen {
            references.push(self.reference(references.len() + 1, chosen)?);
        }
        self.add_neighbours(&mut references)?;
        self.add_elsewhere(&mut references)?;
        self.count_before(&mut references)?;
        let mut answer = Answer {
            question: self.question.text.clone(),
            found: true,
            references,
            looked_at: std::mem::take(&mut self.looked),
            ..Answer::default()
        };
        answer.answer = compose::found(&answer, read::wish(&self.question.text));
        Ok(answer)
    }

    /// The streams of the container that is asked about.
    fn choose_streams(&mut self) -> Result<(), AskError> {
        let Some(wanted) = self
            .question
            .container
            .as_deref()
            .filter(|name| !name.is_empty())
        else {
            return Ok(());
        };
        let ids = streams_of(self.reader, wanted)?;
        self.choice.streams = Some(ids);
        Ok(())
    }

    fn choose_time(&mut self) {
        let any = |from: i64, to: i64| {
            let choice = Choice {
                from: Some(from),
                to: Some(to),
                streams: self.choice.streams.clone(),
            };
            self.view.facts.any(self.reader, &choice)
        };
        let times = Times {
            now: self.question.now.unwrap_or_else(clock::now).0,
            stored: self.view.facts.span(),
            utc_offset_s: 0,
            any: &any,
        };
        let said = read::period(&self.question.text, &times);
        self.period = said.or_else(|| self.since_start()).unwrap_or_default();
        self.looked.assumed.extend(self.period.assumed.take());
        let bound = |given: Option<Timestamp>, read: Option<i64>| given.map(|time| time.0).or(read);
        self.choice.from = bound(self.question.from, self.period.from);
        self.choice.to = bound(self.question.to, self.period.to);
    }

    /// What the question names and no template has as a word of its own.
    fn names(&self) -> Vec<read::Name> {
        let mut names = read::names(&self.question.text, &self.period.taken);
        names.retain(|name| {
            let is_number = name.text.bytes().all(|byte| byte.is_ascii_digit());
            is_number || !self.view.index.knows_text(&name.text)
        });
        if names.iter().any(|name| name.sure) {
            names.retain(|name| name.sure);
        }
        names
    }

    /// The events that hold all of the names or, where there are none, any of them.
    fn hold(&mut self, names: &[&str]) -> Result<Vec<Found>, AskError> {
        let root = |number: u32| self.view.root(number);
        let blocks = self.view.facts.blocks();
        for loosely in [false, true] {
            let all = self
                .unpacked
                .holding(blocks, names, loosely, &self.choice, &root)?;
            if !all.events.is_empty() {
                return Ok(all.events);
            }
        }
        let mut any = Vec::new();
        if names.len() > 1 {
            for name in names {
                any.extend(
                    self.unpacked
                        .holding(blocks, &[name], false, &self.choice, &root)?
                        .events,
                );
            }
        }
        any.sort_by_key(|found| std::cmp::Reverse(found.seq));
        any.dedup_by_key(|found| found.seq);
        Ok(any)
    }

    fn nothing(&mut self) -> Answer {
        let mut answer = Answer {
            question: self.question.text.clone(),
            looked_at: std::mem::take(&mut self.looked),
            ..Answer::default()
        };
        answer.answer = compose::nothing(&answer);
        answer
    }
}
