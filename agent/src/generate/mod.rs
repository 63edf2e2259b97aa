//! Lines of log that nobody has printed, as a prompt describes them: to try rules, alerts and pipelines with.
//!
//! Enters: templates of packs and stores, and a prompt. Leaves: lines, from the templates that are nearest to the prompt, with
//! made-up values; or the lines of a language model, checked to be lines of log.

mod random;
mod values;
mod written;

use std::sync::Arc;

use logline::header;
use logline::level::Level;
use logline::redact::{Counts, RedactError, RedactOptions, Redactor};
use logline::rules::Pack;
use logline::template::{Masked, mask};
use logline::time::{TimeContext, Timestamp};

pub use random::Random;
pub use written::{WriteError, written};

use crate::classify::Embed;

/// One kind of line.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    /// The masked message.
    template: String,
    /// The values of its placeholders in the line that it comes from; empty where none is at hand.
    known: Vec<String>,
    logger: String,
    level: Level,
    category: String,
    /// Its words, and those of what its category is about.
    words: Vec<String>,
    /// Those of the category alone.
    about: Vec<String>,
}

/// Makes lines from templates.
#[derive(Clone, Default)]
pub struct Generator {
    patterns: Vec<Pattern>,
    embed: Option<Arc<dyn Embed>>,
}

/// The patterns that a prompt is answered with, so that a load does not choose anew for every line.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    patterns: Vec<&'a Pattern>,
    level: Option<Level>,
}

/// Templates that are looked at more closely where there is a model.
const CLOSER: usize = 24;
/// A prompt is answered with the best one and at most so many that are nearly as good...
const ALIKE: usize = 6;
/// ...by this share of the best one's score.
const NEARLY: f32 = 0.8;

impl Generator {
    /// A generator that knows the example lines of `pack`.
    #[must_use]
    pub fn of(pack: &Pack) -> Self {
        let mut generator = Self::default();
        let categories = &pack.taxonomy.categories;
        let examples = pack
            .examples
            .iter()
            .map(|example| (example.text.as_str(), example.category));
        let rules = pack.rules().iter().flat_map(|rule| {
            rule.matches
                .iter()
                .map(|line| (line.as_str(), rule.category))
        });
        let mut masked = Masked::new();
        for (line, category) in rules.chain(examples) {
            let line = line.lines().next().unwrap_or_default();
            let header = header::parse(line.as_bytes(), &TimeContext::default());
            mask(&header.message, &mut masked);
            let known = masked
                .variables()
                .iter()
                .map(|span| String::from_utf8_lossy(span.of(&header.message)).into_owned())
                .collect();
            let logger = header.logger.as_deref().unwrap_or_default();
            let category = categories.get(category);
            generator.add(Pattern {
                template: String::from_utf8_lossy(masked.text()).into_owned(),
                known,
                logger: String::from_utf8_lossy(logger).into_owned(),
                level: logline::level::of(&header, &header.message).unwrap_or_default(),
                category: category.map_or_else(String::new, |it| it.id.clone()),
                words: Vec::new(),
                about: category.map_or_else(Vec::new, |it| words(&it.means)),
            });
        }
        generator
    }

    /// Adds the templates of a store: text, and category where it is known. Secrets in them are masked.
    ///
    /// # Errors
    /// Where the detectors of secrets cannot be built, which is a bug.
    pub fn add_templates<'a>(
        &mut self,
        templates: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), RedactError> {
        let redactor = Redactor::new(&RedactOptions::default())?;
        let (mut clean, mut counts) = (Vec::new(), Counts::default());
        for (template, category) in templates {
            let found = redactor.redact(template.as_bytes(), &mut clean, &mut counts);
            let template = if found {
                String::from_utf8_lossy(&clean).into_owned()
            } else {
                template.to_owned()
            };
            let parsed = header::parse(template.as_bytes(), &TimeContext::default());
            let level = logline::level::of(&parsed, template.as_bytes()).unwrap_or_default();
            self.add(Pattern {
                template,
                known: Vec::new(),
                logger: String::new(),
                level,
                category: category.to_owned(),
                words: Vec::new(),
                about: Vec::new(),
            });
        }
        Ok(())
    }

    /// The same, and a prompt's meaning counts beside its words.
    #[must_use]
    pub fn with_model(mut self, embed: Arc<dyn Embed>) -> Self {
        self.embed = Some(embed);
        self
    }

    fn add(&mut self, mut pattern: Pattern) {
        let text = pattern.template.trim();
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        if letters >= 4 {
            pattern.words = words(&format!("{text} {} {}", pattern.logger, pattern.category));
            self.patterns.push(pattern);
        }
    }

    /// Whether it knows no template at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The templates nearest to `prompt`: by its words, the rarer the better, and by its meaning where there is a model. All
    /// of them where it has no word that any template has.
    #[must_use]
    pub fn choose(&self, prompt: &str) -> Choice<'_> {
        let asked = words(prompt);
        let level = level_in(prompt);
        let all = || Choice {
            patterns: self.patterns.iter().collect(),
            level,
        };
        let rarities: Vec<f32> = asked.iter().map(|word| self.rarity(word)).collect();
        let mut scored: Vec<(f32, &Pattern)> = self
            .patterns
            .iter()
            .map(|pattern| {
                let score: f32 = asked
                    .iter()
                    .zip(&rarities)
                    .map(|(word, rarity)| {
                        if pattern.words.contains(word) {
                            *rarity
                        } else if pattern.about.contains(word) {
                            rarity / 3.0
                        } else {
                            0.0
                        }
                    })
                    .sum();
                // Among equals the one as bad as asked, and the one that says little else.
                let fits = level.is_some_and(|level| pattern.level >= level);
                let length = 1.0 + pattern.words.len().min(40) as f32 / 100.0;
                (score * if fits { 1.2 } else { 1.0 } / length, pattern)
            })
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.truncate(CLOSER);
        self.by_meaning(prompt, &mut scored);
        let best = scored.first().map_or(0.0, |(score, _)| *score);
        if best <= 0.0 {
            return all();
        }
        Choice {
            patterns: scored
                .into_iter()
                .filter(|(score, _)| *score >= best * NEARLY)
                .take(ALIKE)
                .map(|(_, pattern)| pattern)
                .collect(),
            level,
        }
    }

    /// Adds how alike the meanings are, where there is a model that can tell.
    fn by_meaning(&self, prompt: &str, scored: &mut [(f32, &Pattern)]) {
        let Some(embed) = &self.embed else { return };
        if prompt.trim().is_empty() {
            return;
        }
        let mut texts = vec![prompt];
        texts.extend(scored.iter().map(|(_, pattern)| pattern.template.as_str()));
        // Without it the words decide.
        let Ok(places) = embed.embed(&texts) else {
            return;
        };
        let Some((asked, others)) = places.split_first() else {
            return;
        };
        let best = scored.first().map_or(0.0, |(score, _)| *score).max(1.0);
        for ((score, _), place) in scored.iter_mut().zip(others) {
            let alike: f32 = asked.iter().zip(place).map(|(a, b)| a * b).sum();
            *score = *score / best + alike.max(0.0);
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    }

    /// How much a word tells: the fewer templates have it, the more.
    fn rarity(&self, word: &String) -> f32 {
        let with = self
            .patterns
            .iter()
            .filter(|pattern| pattern.words.contains(word) || pattern.about.contains(word))
            .count();
        if with == 0 {
            return 0.0;
        }
        (1.0 + self.patterns.len() as f32 / with as f32).ln()
    }
}

impl Choice<'_> {
    /// One line of that time; nothing where no template is known.
    #[must_use]
    pub fn line(&self, random: &mut Random, now: Timestamp) -> String {
        let Some(pattern) = random.pick(&self.patterns) else {
            return String::new();
        };
        let message = values::fill(&pattern.template, &pattern.known, random, now);
        let mut time = Vec::new();
        now.write_rfc3339(&mut time);
        let time = String::from_utf8_lossy(&time);
        let level = match self.level {
            Some(level) => level.max(pattern.level),
            None => pattern.level,
        };
        let level = level.as_str().to_uppercase();
        match pattern.logger.as_str() {
            "" => format!("{time} {level} {message}"),
            logger => format!("{time} {level} {logger}: {message}"),
        }
    }
}

/// Words that say nothing of what a line is about.
const COMMON: [&str; 40] = [
    "a",
    "an",
    "and",
    "the",
    "of",
    "for",
    "from",
    "in",
    "on",
    "to",
    "with",
    "that",
    "this",
    "is",
    "are",
    "was",
    "or",
    "by",
    "at",
    "as",
    "it",
    "be",
    "log",
    "logs",
    "line",
    "lines",
    "generate",
    "make",
    "some",
    "one",
    "please",
    "me",
    "about",
    "message",
    "messages",
    "entry",
    "synthetic",
    "realistic",
    "example",
    "give",
];

/// The stems of a text's words.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 1)
        .map(str::to_lowercase)
        .filter(|word| !COMMON.contains(&word.as_str()))
        .map(|word| stem(&word).to_owned())
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A word without its ending, so that `failed`, `fails` and `failing` are one.
fn stem(word: &str) -> &str {
    let endings = ["ures", "ure", "ings", "ing", "ions", "ion", "ed", "es", "s"];
    for ending in endings {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 4
            && word.is_ascii()
        {
            return stem;
        }
    }
    word
}

/// How bad a prompt says that the line is to be.
fn level_in(prompt: &str) -> Option<Level> {
    let named = [
        ("fatal", Level::Fatal),
        ("critical", Level::Fatal),
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("warning", Level::Warn),
        ("info", Level::Info),
        ("debug", Level::Debug),
    ];
    let prompt = prompt.to_lowercase();
    let words: Vec<&str> = prompt.split(|c: char| !c.is_alphanumeric()).collect();
    named
        .into_iter()
        .find(|(name, _)| words.iter().any(|word| word.trim_end_matches('s') == *name))
        .map(|(_, level)| level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_780_000_000_000_000_000);

    fn general() -> Generator {
        Generator::of(&Pack::builtin("general").unwrap())
    }

    #[test]
    fn a_prompt_gets_lines_that_are_about_it() {
        let generator = general();
        for (prompt, wanted) in [
            ("the disk is full", ["disk", "space"]),
            ("out of memory error", ["memory", "oom"]),
            ("certificate has expired", ["certificate", "cert"]),
            ("connection refused", ["refused", "connect"]),
        ] {
            let choice = generator.choose(prompt);
            let mut random = Random::new(1);
            for _ in 0..10 {
                let line = choice.line(&mut random, START).to_lowercase();
                assert!(
                    wanted.iter().any(|word| line.contains(word)),
                    "{prompt}: {line}"
                );
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_lines_and_another_gives_others() {
        let generator = general();
        let lines = |seed: u64| -> Vec<String> {
            let choice = generator.choose("");
            let mut random = Random::new(seed);
            (0..50).map(|_| choice.line(&mut random, START)).collect()
        };
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
        let mut different = lines(1);
        different.sort();
        different.dedup();
        assert!(different.len() > 25, "{}", different.len());
    }

    #[test]
    fn every_line_is_one_line_with_a_time_and_a_level() {
        let generator = general();
        let choice = generator.choose("zzz no such word qqq");
        let mut random = Random::new(3);
        for _ in 0..2000 {
            let line = choice.line(&mut random, START);
            assert!(!line.contains('\n') && !line.contains("<num>"), "{line}");
            let header = header::parse(line.as_bytes(), &TimeContext::default());
            assert!(
                header.timestamp.is_some() && header.level.is_some(),
                "{line}"
            );
        }
    }

    #[test]
    fn templates_of_a_store_are_known_too() {
        let mut generator = Generator::default();
        assert_eq!(generator.choose("x").line(&mut Random::new(1), START), "");
        generator
            .add_templates([
                ("gizmo <id> turned <num> times for <*>", "application"),
                ("sprocket with password=Sw0rdf1sh-99 is gone", ""),
            ])
            .unwrap();
        let line = generator.choose("a gizmo").line(&mut Random::new(1), START);
        assert!(line.contains(" gizmo ") && !line.contains('<'), "{line}");
        let line = generator
            .choose("sprocket")
            .line(&mut Random::new(1), START);
        assert!(line.contains("[redacted:password]"), "{line}");
    }
}
