//! The templates of the store as an index in memory: which template has which word, and which concept.
//!
//! A question is a list of [`Unit`]s: a word, or a phrase that has a name of its own. A template is worth the sum of what its units
//! are worth: a word that it shares counts by its rarity among the templates (inverse document frequency as in BM25, S. Robertson
//! and H. Zaragoza, 2009), a concept that it shares somewhat less. A unit counts once, by its best match. What a question has and
//! no template has is told as well: it is the sign of a question that this log does not answer.

use std::collections::HashMap;

use logline::template::TemplateId;
use xxhash_rust::xxh3::xxh3_64;

use super::words::{Concept, Concepts, Word, words};

/// Words of a template that count.
const MOST_WORDS: usize = 128;
/// Words of a question that count.
const MOST_ASKED: usize = 64;
/// A concept shared is worth this much of a word shared.
const CONCEPT: f32 = 0.8;
/// Who speaks counts this much of what is said.
const SPEAKER: f32 = 0.6;
/// A word that only the example of a template has.
const EXAMPLE: f32 = 0.5;
/// The words of a phrase, without the phrase.
const PARTS: f32 = 0.8;
/// How much a text that is longer than the average counts less.
const LENGTH: f32 = 0.15;
/// Two words that stand together in the question and in the template are worth so much more.
const TOGETHER: f32 = 0.25;
/// What a word is expected to be worth that neither the log nor the table of concepts knows.
const UNKNOWN: f32 = 0.6;

/// A template as it is found.
#[derive(Clone, Debug)]
pub(super) struct Doc {
    /// Its id.
    pub(super) id: TemplateId,
    /// Its text.
    pub(super) text: String,
    /// Who speaks, in one of its events.
    pub(super) logger: String,
    /// It became part of another one.
    gone: bool,
    words: u32,
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Text,
    Speaker,
    Example,
}

/// A part of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unit {
    /// The word's stem; none for a phrase.
    stem: Option<String>,
    concepts: Vec<Concept>,
    /// The words of a phrase.
    parts: Vec<String>,
}

/// How well a template fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Its index among the documents.
    pub(super) doc: usize,
    /// What its matches are worth.
    pub(super) worth: f32,
    /// Units that it has word for word, in its text.
    pub(super) exact: u32,
}

/// What the words alone say.
#[derive(Debug, Default)]
pub(super) struct Fits {
    /// By document; those that share nothing are left out.
    pub(super) all: Vec<Fit>,
    /// What a template would be worth that has everything.
    pub(super) whole: f32,
    /// How many units there are.
    pub(super) units: u32,
    /// The share of what was asked whose meaning is known and that nothing in the log means.
    pub(super) missing: f32,
    /// Words of the question are words of the log.
    pub(super) own_words: bool,
}

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    docs: Vec<Doc>,
    by_number: HashMap<u32, usize>,
    by_word: HashMap<String, Vec<(u32, Field)>>,
    by_concept: HashMap<Concept, Vec<(u32, Field)>>,
    /// By hash of two words that stand together.
    by_pair: HashMap<u64, Vec<u32>>,
    alive: usize,
    all_words: u64,
}

impl Index {
    /// All templates that were ever added.
    pub(super) fn docs(&self) -> &[Doc] {
        &self.docs
    }

    /// The document of a template's number.
    pub(super) fn of_number(&self, number: u32) -> Option<usize> {
        self.by_number.get(&number).copied()
    }

    /// Whether the document at `at` is a template of its own still.
    pub(super) fn is_alive(&self, at: usize) -> bool {
        self.docs.get(at).is_some_and(|doc| !doc.gone)
    }

    /// Adds a template, with the logger and the message of one of its events.
    pub(super) fn add(
        &mut self,
        number: u32,
        id: TemplateId,
        text: &str,
        logger: &str,
        example: &str,
    ) {
        if self.by_number.contains_key(&number) {
            return;
        }
        let at = self.docs.len();
        let Ok(place) = u32::try_from(at) else { return };
        let own = words(text, MOST_WORDS);
        let speaker = words(logger, MOST_WORDS);
        let example = words(example, MOST_WORDS);
        for (field, words) in [
            (Field::Text, &own),
            (Field::Speaker, &speaker),
            (Field::Example, &example),
        ] {
            for word in words.iter().filter(|word| counts(word)) {
                let known = self.by_word.entry(word.stem.clone()).or_default();
                if known.last().is_none_or(|(last, _)| *last != place) {
                    known.push((place, field));
                }
            }
        }
        let all = [
            (Field::Text, &own),
            (Field::Speaker, &speaker),
            (Field::Example, &example),
        ];
        for (field, words) in all {
            for concept in Concepts::table().of_text(words) {
                let known = self.by_concept.entry(concept).or_default();
                if known.last().is_none_or(|(last, _)| *last != place) {
                    known.push((place, field));
                }
            }
        }
        for pair in pairs(&own) {
            let known = self.by_pair.entry(pair.0).or_default();
            if known.last() != Some(&place) {
                known.push(place);
            }
        }
        let count = own.iter().filter(|word| counts(word)).count();
        self.docs.push(Doc {
            id,
            text: text.to_owned(),
            logger: logger.to_owned(),
            gone: false,
            words: u32::try_from(count).unwrap_or(u32::MAX),
        });
        self.by_number.insert(number, at);
        self.alive += 1;
        self.all_words += count as u64;
    }

    /// The template became part of another one.
    pub(super) fn leave(&mut self, number: u32) {
        if let Some(doc) = self.of_number(number).and_then(|at| self.docs.get_mut(at))
            && !std::mem::replace(&mut doc.gone, true)
        {
            self.alive -= 1;
            self.all_words -= u64::from(doc.words);
        }
    }

    /// How rare something is that `count` templates have.
    fn rarity(&self, count: usize) -> f32 {
        let all = self.alive.max(1) as f32;
        let count = (count as f32).min(all);
        (1.0 + (all - count + 0.5) / (count + 0.5)).ln()
    }

    /// Whether some template has `text` in its own text, or as who speaks.
    pub(super) fn knows_text(&self, text: &str) -> bool {
        let words = words(text, MOST_ASKED);
        let rarest = words
            .iter()
            .filter(|word| counts(word))
            .map(|word| self.by_word.get(&word.stem));
        let Some(Some(places)) = rarest.min_by_key(|places| places.map_or(0, Vec::len)) else {
            return false;
        };
        places.iter().any(|(place, _)| {
            self.docs
                .get(*place as usize)
                .is_some_and(|doc| doc.text.contains(text) || doc.logger.contains(text))
        })
    }

    /// How well the templates fit `units`, judged by words.
    pub(super) fn fits(&self, asked: &str) -> Fits {
        let units = &units(asked);
        let mut worth = vec![0.0_f32; self.docs.len()];
        let mut exact = vec![0_u32; self.docs.len()];
        let mut best = vec![0.0_f32; self.docs.len()];
        let mut touched: Vec<u32> = Vec::new();
        let mut whole = 0.0;
        let mut missing = 0.0;
        let mut own_words = false;
        for unit in units {
            let expected = self.expected(unit);
            whole += expected;
            let said = |stem: &String| {
                let places = self.by_word.get(stem).into_iter().flatten();
                places.clone().any(|(_, field)| *field != Field::Example)
            };
            let word_known = unit.stem.iter().any(said);
            own_words |= word_known;
            let meant = unit
                .concepts
                .iter()
                .any(|concept| self.by_concept.contains_key(concept));
            if !unit.concepts.is_empty() && !word_known && !meant {
                missing += expected;
            }
            let mut give = |place: u32, value: f32| {
                let known = &mut best[place as usize];
                if *known == 0.0 {
                    touched.push(place);
                }
                *known = known.max(value);
            };
            for concept in &unit.concepts {
                let Some(places) = self.by_concept.get(concept) else {
                    continue;
                };
                let rarity = self.rarity(places.len());
                for (place, field) in places {
                    give(*place, CONCEPT * rarity * weight(*field));
                }
            }
            let mut parts: HashMap<u32, f32> = HashMap::new();
            for part in &unit.parts {
                let Some(places) = self.by_word.get(part) else {
                    continue;
                };
                let rarity = self.rarity(places.len());
                for (place, field) in places.iter().filter(|(_, field)| *field == Field::Text) {
                    *parts.entry(*place).or_default() += rarity * weight(*field);
                }
            }
            for (place, sum) in parts {
                give(place, PARTS * sum / unit.parts.len() as f32);
            }
            if let Some(places) = unit.stem.as_ref().and_then(|stem| self.by_word.get(stem)) {
                let rarity = self.rarity(places.len());
                for (place, field) in places {
                    give(*place, rarity * weight(*field));
                    exact[*place as usize] += u32::from(*field == Field::Text);
                }
            }
            for place in touched.drain(..) {
                let place = place as usize;
                worth[place] += std::mem::take(&mut best[place]);
            }
        }
        for (pair, first, second) in pairs(&words(asked, MOST_ASKED)) {
            let rarity = |stem: &str| {
                self.by_word
                    .get(stem)
                    .map_or(0.0, |places| self.rarity(places.len()))
            };
            for place in self.by_pair.get(&pair).into_iter().flatten() {
                worth[*place as usize] += TOGETHER * (rarity(first) + rarity(second));
            }
        }
        let average = (self.all_words as f32 / self.alive.max(1) as f32).max(1.0);
        let all = (0..self.docs.len()).filter(|at| worth[*at] > 0.0 && !self.docs[*at].gone);
        Fits {
            all: all
                .map(|doc| Fit {
                    doc,
                    worth: worth[doc]
                        / (1.0 + LENGTH * (self.docs[doc].words as f32 / average - 1.0)).max(1.0),
                    exact: exact[doc],
                })
                .collect(),
            whole,
            units: u32::try_from(units.len()).unwrap_or(u32::MAX),
            missing: missing / f32::max(whole, f32::MIN_POSITIVE),
            own_words,
        }
    }

    /// What a unit would be worth to a template that has it.
    fn expected(&self, unit: &Unit) -> f32 {
        if let Some(places) = unit.stem.as_ref().and_then(|stem| self.by_word.get(stem)) {
            return self.rarity(places.len());
        }
        let known = unit
            .concepts
            .iter()
            .filter_map(|concept| self.by_concept.get(concept));
        let rarest = known
            .map(|places| self.rarity(places.len()))
            .reduce(f32::max);
        let parts: f32 = unit
            .parts
            .iter()
            .filter_map(|part| self.by_word.get(part))
            .map(|places| self.rarity(places.len()))
            .sum();
        let parts = parts / unit.parts.len().max(1) as f32;
        match rarest
            .map(|rarity| rarity.max(parts))
            .or((parts > 0.0).then_some(parts))
        {
            Some(rarity) => rarity,
            None if unit.concepts.is_empty() => UNKNOWN * self.rarity(0),
            // It is known what it means, and nothing here means it.
            None => self.rarity(0),
        }
    }
}

fn counts(word: &Word) -> bool {
    !word.empty && word.stem.len() > 1
}

/// Words that stand together, those between them that say nothing left out: the hash of both, the first, the second.
fn pairs(words: &[Word]) -> impl Iterator<Item = (u64, &str, &str)> {
    let meant = || words.iter().filter(|word| counts(word));
    meant().zip(meant().skip(1)).map(|(first, second)| {
        let both = format!("{} {}", first.stem, second.stem);
        (
            xxh3_64(both.as_bytes()),
            first.stem.as_str(),
            second.stem.as_str(),
        )
    })
}

fn weight(field: Field) -> f32 {
    match field {
        Field::Text => 1.0,
        Field::Speaker => SPEAKER,
        Field::Example => EXAMPLE,
    }
}

/// The units of a question.
fn units(text: &str) -> Vec<Unit> {
    let table = Concepts::table();
    let words = words(text, MOST_ASKED);
    let mut units: Vec<Unit> = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let unit = if let Some((length, concepts)) = table.phrase(&words[at..]) {
            let parts = words[at..at + length].iter().filter(|word| counts(word));
            at += length;
            Unit {
                stem: None,
                concepts: concepts.to_vec(),
                parts: parts.map(|word| word.stem.clone()).collect(),
            }
        } else {
            at += 1;
            if !counts(word) {
                continue;
            }
            Unit {
                stem: Some(word.stem.clone()),
                concepts: table.of_word(&word.stem).to_vec(),
                parts: Vec::new(),
            }
        };
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    units
}
