//! From a question to what answers it: time and names choose among the events, words and meaning among the templates.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use logline::level::Level;
use logline::time::Timestamp;

use super::answer::{Answer, Line, LookedAt, Question, Reference, StreamCount, shown};
use super::facts::{Choice, Tally};
use super::index::Fits;
use super::lines::{Found, Unpacked, source_name};
use super::rank::{Ranked, rank};
use super::read::{self, Period, Times};
use super::state::View;
use super::{AskError, compose};
use crate::flow::UNCLASSIFIED;
use crate::store::Reader;
use crate::telemetry::clock;

/// Lines that are quoted of a template.
const QUOTED: usize = 5;
/// Lines that are quoted where a name or a time was asked for.
const QUOTED_EXACTLY: usize = 50;
/// Among few candidates: a template with less than this share of the best one's worth is about something else.
const ABOUT: f32 = 0.72;
/// Among few candidates: below this share of what was asked, the words say nothing about which of them is meant.
const SAYING: f32 = 0.12;

/// Words that only say what kind of thing a name names, or that something is asked.
const KINDS: &str = " block blocks client clients container containers pod node nodes host hosts ip address server user users \
    account process pid thread instance instances vm request job task attempt session id port machine device package update \
    file path service program application app image component what happened went on did do does report reported state status \
    activity see seen know known about with to for of the is was a an and or during time times on in events event ";

/// The answer, and whether a block that it needed was gone.
pub(super) fn answer(
    reader: &Reader,
    view: &View,
    near: Option<&HashMap<usize, f32>>,
    question: &Question,
) -> Result<(Answer, bool), AskError> {
    let mut search = Search {
        reader,
        view,
        near,
        question,
        unpacked: Unpacked::new(reader),
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

/// A template that is to be told of, with its facts.
struct Chosen {
    doc: usize,
    share: f32,
    tally: Tally,
    lines: Vec<Line>,
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
        self.period = read::period(&self.question.text, &times).unwrap_or_default();
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

    /// The question without what was understood already.
    fn rest(&self, names: &[read::Name], without_kinds: bool) -> String {
        let mut taken: Vec<Range<usize>> = self.period.taken.clone();
        taken.extend(names.iter().map(|name| name.at.clone()));
        let mut rest = String::new();
        let mut at = 0;
        taken.sort_by_key(|range| range.start);
        for range in taken {
            rest.push_str(self.question.text.get(at..range.start).unwrap_or_default());
            rest.push(' ');
            at = at.max(range.end);
        }
        rest.push_str(self.question.text.get(at..).unwrap_or_default());
        if !without_kinds {
            return rest;
        }
        let kept: Vec<&str> = rest
            .split_whitespace()
            .filter(|word| {
                let lower = word.to_ascii_lowercase();
                let word = lower.trim_matches(|c: char| !c.is_alphanumeric());
                !KINDS.contains(&format!(" {word} "))
            })
            .collect();
        kept.join(" ")
    }

    fn among_named(&mut self, found: Vec<Found>, names: &[read::Name]) -> Vec<Chosen> {
        let mut by_template: HashMap<u32, Vec<Found>> = HashMap::new();
        for one in found {
            by_template.entry(one.template).or_default().push(one);
        }
        let view = self.view;
        let docs: HashMap<usize, u32> = by_template
            .keys()
            .filter_map(|number| Some((view.index.of_number(*number)?, *number)))
            .collect();
        let fits = view.index.fits(&self.rest(names, true));
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

    fn among_templates(
        &mut self,
        there: &HashMap<u32, Tally>,
        bounded: bool,
        names: &[read::Name],
    ) -> Result<Vec<Chosen>, AskError> {
        let view = self.view;
        let text = self.rest(&[], bounded);
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

    fn reference(&self, id: usize, chosen: Chosen) -> Result<Reference, AskError> {
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
    fn add_neighbours(&self, references: &mut [Reference]) -> Result<(), AskError> {
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
                .map(|event| super::lines::line(&batch, event))
                .collect();
            reference.before = lines.get(..place).unwrap_or_default().to_vec();
            reference.after = lines.get(place + 1..).unwrap_or_default().to_vec();
        }
        Ok(())
    }

    /// How often each template occurred in the time before the one that was asked about.
    fn count_before(&self, references: &mut [Reference]) -> Result<(), AskError> {
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

/// The ids of the streams that `wanted` names.
pub(super) fn streams_of(reader: &Reader, wanted: &str) -> Result<HashSet<String>, AskError> {
    let streams = reader.streams();
    let fits = |stream: &&std::sync::Arc<crate::flow::StreamInfo>| {
        let origin = &stream.origin;
        let container = origin.container.as_ref().is_some_and(|container| {
            container.name == wanted || (wanted.len() >= 8 && container.id.starts_with(wanted))
        });
        let pod = origin
            .k8s
            .as_ref()
            .is_some_and(|k8s| k8s.pod == wanted || k8s.container == wanted);
        container || pod || origin.name == wanted || source_name(stream) == wanted
    };
    let ids: HashSet<String> = streams
        .iter()
        .filter(fits)
        .map(|stream| stream.id.clone())
        .collect();
    if ids.is_empty() {
        return Err(AskError::UnknownContainer(wanted.to_owned()));
    }
    Ok(ids)
}

/// A question read together with the one before it: what was asked, without its time where the new one has its own.
pub(super) fn together(before: &str, question: &str) -> String {
    let any = |_: i64, _: i64| true;
    let times = Times {
        now: 0,
        stored: None,
        utc_offset_s: 0,
        any: &any,
    };
    let mut text = before.to_owned();
    if read::period(question, &times).is_some()
        && let Some(period) = read::period(before, &times)
    {
        for range in period.taken.iter().rev() {
            text.replace_range(range.clone(), " ");
        }
    }
    format!("{text} {question}")
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
        *tally
            .streams
            .entry(std::sync::Arc::clone(&one.stream))
            .or_default() += 1;
    }
    tally
}

/// Numbers and names in the question: lines that have them are quoted first.
fn literals(text: &str, taken: &[Range<usize>], names: &[read::Name]) -> Vec<String> {
    let mut wanted: Vec<String> = names.iter().map(|name| name.text.clone()).collect();
    for name in read::numbers(text, taken) {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted.truncate(8);
    wanted
}

/// A question without the words that name levels.
fn without_levels(text: &str) -> String {
    let kept: Vec<&str> = text
        .split_whitespace()
        .filter(|word| read::level(word).is_none())
        .filter(|word| {
            let lower = word.to_ascii_lowercase();
            !["messages", "lines", "logged", "or"]
                .contains(&lower.trim_matches(|c: char| !c.is_alphanumeric()))
        })
        .collect();
    kept.join(" ")
}
