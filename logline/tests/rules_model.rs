//! The engine against a model that tries every rule on every line with no automaton, no key literals and no short cuts.

#![allow(clippy::unwrap_used, clippy::panic)]

use logline::{
    event::Stream,
    level::Level,
    rules::{Pack, RuleInput, RuleSet, Scratch},
};
use proptest::prelude::*;
use regex_automata::{nfa::thompson::pikevm::PikeVM, util::syntax};

const CATEGORIES: [&str; 3] = ["first", "second", "third"];

/// Overlapping, nested, cased, short, with bytes beyond ASCII.
const LITERALS: [&str; 30] = [
    "error",
    "Error: ",
    "errors",
    "err",
    "rror",
    "r",
    "connection refused",
    "connection",
    "refused by",
    "ECONNREFUSED",
    "oom",
    "room",
    "oom-kill",
    "panic: ",
    "goroutine 1",
    "aaaa",
    "aab",
    "aba",
    "abab",
    "Größe",
    "ß",
    "[ERR]",
    " ",
    "\t",
    "timed out after",
    "out after 30",
    "md0: ",
    "1",
    "oom 12 kill",
    "77 errors",
];

const REGEXES: [&str; 46] = [
    "error",
    "^error",
    "error$",
    r"\boom\b",
    r"(?i)PANIC",
    "(?-i)Panic",
    r"errors?: \d+",
    r"conn(ection|ect)? (refused|reset)",
    r"\d+",
    r"\d{2}",
    r"\b\d\b",
    r"\d+\d+",
    r"errors?: [1-5]\d* ",
    r"after \d+ .*err",
    r"\S+: .*room",
    r"md\d+:",
    r"\w+ \d* *oom",
    r"(?:\d+ )+kill",
    r"goroutine 1\b",
    r"[^a]+oom",
    r"^.{0,9}oom",
    ".",
    "^$",
    "",
    r"(?:foo)?",
    r"[a-c]+ab",
    "(aba){2}",
    r"a{3,5}b",
    r"timed out after \d+(?:ms|s)",
    r"^\[(?:ERR|WARN)\]",
    r"r{2}o",
    r"(?s)panic.*goroutine",
    r"panic.*goroutine",
    r"(?m)^goroutine",
    r"[\x80-\xff]",
    "Größe",
    r"out|aab|\d",
    r"e[rR]{2}or",
    r"(?:oom|room)-(?:kill|service)",
    r"\Bror",
    r"x*y*z*oom",
    r"(?:a|ab)(?:c|bcd)?",
    r"[^a-z]refused",
    r"(?i:ECONN)REFUSED",
    r"\n",
    r"connection\s+refused\s+by\s+\S+",
];

const GLOBS: [&str; 5] = ["sshd", "ssh*", "*d", "?shd", "kernel"];

#[derive(Clone, Debug, Default)]
struct ModelRule {
    category: usize,
    level: Option<usize>,
    priority: i32,
    message: bool,
    sensitive: bool,
    any: Vec<&'static str>,
    all: Vec<&'static str>,
    none: Vec<&'static str>,
    regex: Vec<&'static str>,
    none_regex: Vec<&'static str>,
    logger: Vec<&'static str>,
    levels: Vec<usize>,
    stderr: bool,
    label: Option<&'static str>,
}

impl ModelRule {
    fn yaml(&self, index: usize) -> String {
        let list = |key: &str, items: &[&str]| {
            if items.is_empty() {
                return String::new();
            }
            let quoted: Vec<String> = items
                .iter()
                .map(|item| {
                    format!(
                        "\"{}\"",
                        item.replace('\\', "\\\\")
                            .replace('"', "\\\"")
                            .replace('\t', "\\t")
                    )
                })
                .collect();
            format!("    {key}: [{}]\n", quoted.join(", "))
        };
        let mut text = format!(
            "  - id: rule.{index}\n    category: {}\n",
            CATEGORIES[self.category]
        );
        if let Some(level) = self.level {
            text += &format!("    level: {}\n", Level::ALL[level].as_str());
        }
        text += &format!("    priority: {}\n", self.priority);
        text += if self.message {
            "    on: message\n"
        } else {
            ""
        };
        text += if self.sensitive {
            "    case: sensitive\n"
        } else {
            ""
        };
        text += &list("any", &self.any);
        text += &list("all", &self.all);
        text += &list("none", &self.none);
        text += &list("regex", &self.regex);
        text += &list("none_regex", &self.none_regex);
        let levels: Vec<&str> = self
            .levels
            .iter()
            .map(|level| Level::ALL[*level].as_str())
            .collect();
        text += "    when:\n      container: []\n";
        text += &list("  logger", &self.logger);
        text += &list("  level", &levels);
        text += if self.stderr {
            "      stream: stderr\n"
        } else {
            ""
        };
        if let Some(label) = self.label {
            text += &format!("      labels: {{app: \"{label}\"}}\n");
        }
        text
    }

    fn holds(&self, input: &RuleInput<'_>) -> bool {
        let text = if self.message {
            input.message
        } else {
            input.line
        };
        let occurs = |literal: &&str| {
            let literal = literal.as_bytes();
            text.windows(literal.len()).any(|window| {
                if self.sensitive {
                    window == literal
                } else {
                    window.eq_ignore_ascii_case(literal)
                }
            })
        };
        let matches = |regex: &&str| slow_match(regex, !self.sensitive, text);
        (self.any.is_empty() || self.any.iter().any(occurs))
            && self.all.iter().all(occurs)
            && !self.none.iter().any(occurs)
            && (self.regex.is_empty() || self.regex.iter().any(matches))
            && !self.none_regex.iter().any(matches)
            && (self.logger.is_empty()
                || input.logger.is_some_and(|logger| {
                    self.logger
                        .iter()
                        .any(|glob| slow_glob(glob.as_bytes(), logger))
                }))
            && (self.levels.is_empty()
                || input.level.is_some_and(|level| {
                    self.levels.iter().any(|index| Level::ALL[*index] == level)
                }))
            && (!self.stderr || input.stream == Stream::Stderr)
            && self.label.is_none_or(|glob| {
                input.labels.iter().any(|(name, value)| {
                    name == "app" && slow_glob(glob.as_bytes(), value.as_bytes())
                })
            })
    }
}

fn slow_glob(glob: &[u8], name: &[u8]) -> bool {
    match glob.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|from| slow_glob(rest, &name[from..])),
        Some((byte, rest)) => name.split_first().is_some_and(|(first, tail)| {
            (*byte == b'?' || byte.eq_ignore_ascii_case(first)) && slow_glob(rest, tail)
        }),
    }
}

fn slow_match(regex: &str, fold: bool, text: &[u8]) -> bool {
    let vm = PikeVM::builder()
        .syntax(
            syntax::Config::new()
                .unicode(false)
                .utf8(false)
                .case_insensitive(fold),
        )
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build(regex)
        .unwrap();
    vm.is_match(&mut vm.create_cache(), text)
}

fn some_of(pool: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(pool), 0..=most)
}

fn rarely<T: Clone + Default + std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = T> {
    prop_oneof![4 => Just(T::default()), 1 => strategy]
}

fn rule() -> impl Strategy<Value = ModelRule> {
    let text = (
        some_of(&LITERALS, 3),
        some_of(&LITERALS, 2),
        rarely(some_of(&LITERALS, 2)),
        prop_oneof![1 => Just(Vec::new()), 1 => some_of(&REGEXES, 3)],
        rarely(some_of(&REGEXES, 1)),
    );
    let fields = (
        rarely(some_of(&GLOBS, 2)),
        rarely(prop::collection::vec(0..7_usize, 0..3)),
        rarely(any::<bool>()),
        rarely(prop::option::of(prop::sample::select(&["web", "w*"][..]))),
    );
    (
        0..3_usize,
        prop::option::of(0..7_usize),
        -1..2_i32,
        any::<bool>(),
        any::<bool>(),
        text,
        fields,
    )
        .prop_map(
            |(category, level, priority, message, sensitive, text, fields)| {
                let (mut any, all, none, regex, none_regex) = text;
                if any.is_empty() && all.is_empty() && regex.is_empty() {
                    any.push("error");
                }
                let (logger, levels, stderr, label) = fields;
                ModelRule {
                    category,
                    level,
                    priority,
                    message,
                    sensitive,
                    any,
                    all,
                    none,
                    regex,
                    none_regex,
                    logger,
                    levels,
                    stderr,
                    label,
                }
            },
        )
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(&LITERALS[..]).prop_map(|literal| literal.as_bytes().to_vec()),
        2 => prop::sample::select(&LITERALS[..]).prop_map(|literal| literal.as_bytes().to_ascii_uppercase()),
        2 => (prop::sample::select(&LITERALS[..]), 0..20_usize)
            .prop_map(|(literal, cut)| literal.as_bytes()[..cut.min(literal.len())].to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..4),
        2 => "[ab 0-9\n]{0,6}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Line {
    text: Vec<u8>,
    /// A part of the text, or words of its own.
    message: Result<(usize, usize), Vec<u8>>,
    logger: Option<&'static str>,
    level: Option<usize>,
    stderr: bool,
    labels: Vec<(String, String)>,
}

fn line() -> impl Strategy<Value = Line> {
    let message = prop_oneof![
        2 => Just(None),
        2 => text().prop_map(|text| Some(Err(text))),
        6 => (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|ends| Some(Ok(ends))),
    ];
    let logger = prop::option::of(prop::sample::select(
        &["sshd", "SSHD", "ssh", "kernel", "", "d"][..],
    ));
    let label = prop::option::of(prop::sample::select(&["web", "worker", "db"][..]));
    (
        text(),
        message,
        logger,
        prop::option::of(0..7_usize),
        any::<bool>(),
        label,
    )
        .prop_map(|(text, message, logger, level, stderr, label)| {
            let message = match message {
                None => Ok((0, text.len())),
                Some(Err(words)) => Err(words),
                Some(Ok((one, other))) => {
                    let (one, other) = (one.index(text.len() + 1), other.index(text.len() + 1));
                    Ok((one.min(other), one.max(other)))
                }
            };
            Line {
                text,
                message,
                logger,
                level,
                stderr,
                labels: label
                    .map(|value| ("app".to_owned(), value.to_owned()))
                    .into_iter()
                    .collect(),
            }
        })
}

/// The bytes with every run of digits replaced by another, as `random` says.
fn renumbered(bytes: &[u8], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut out = Vec::new();
    for run in bytes.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if run[0].is_ascii_digit() {
            for _ in 0..=random(4) {
                out.push(b'0' + u8::try_from(random(10)).unwrap());
            }
        } else {
            out.extend_from_slice(run);
        }
    }
    out
}

impl Line {
    /// The same line with other numbers in it.
    fn renumbered(&self, seed: u64) -> Self {
        let mut state = seed;
        let mut random = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % bound
        };
        let (text, message) = match &self.message {
            Ok((start, end)) => {
                let mut text = renumbered(&self.text[..*start], &mut random);
                let from = text.len();
                text.extend(renumbered(&self.text[*start..*end], &mut random));
                let to = text.len();
                text.extend(renumbered(&self.text[*end..], &mut random));
                (text, Ok((from, to)))
            }
            Err(words) => (
                renumbered(&self.text, &mut random),
                Err(renumbered(words, &mut random)),
            ),
        };
        Self {
            text,
            message,
            ..self.clone()
        }
    }

    fn input(&self) -> RuleInput<'_> {
        RuleInput {
            line: &self.text,
            message: match &self.message {
                Ok((start, end)) => &self.text[*start..*end],
                Err(words) => words,
            },
            logger: self.logger.map(str::as_bytes),
            level: self.level.map(|level| Level::ALL[level]),
            stream: if self.stderr {
                Stream::Stderr
            } else {
                Stream::Stdout
            },
            labels: &self.labels,
            ..RuleInput::default()
        }
    }
}

fn pack(rules: &[ModelRule]) -> Pack {
    let mut yaml = "version: 1\nname: model\ntaxonomy:\n  version: 1\n  categories:\n".to_owned();
    for category in CATEGORIES {
        yaml += &format!("    - {{id: {category}, means: nothing}}\n");
    }
    yaml += "rules:\n";
    for (index, rule) in rules.iter().enumerate() {
        yaml += &rule.yaml(index);
    }
    Pack::parse(yaml.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// Ranks of all rules that hold, best first.
fn slow(rules: &[ModelRule], input: &RuleInput<'_>) -> Vec<usize> {
    let mut holding: Vec<usize> = (0..rules.len())
        .filter(|index| rules[*index].holds(input))
        .collect();
    holding.sort_by_key(|index| (-rules[*index].priority, rules[*index].category, *index));
    holding
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_decides_as_the_slow_model_does(
        rules in prop::collection::vec(rule(), 0..12),
        lines in prop::collection::vec(line(), 1..20),
    ) {
        let pack = pack(&rules);
        let set = RuleSet::compile(&pack).unwrap();
        let mut scratch = Scratch::default();
        for line in &lines {
            let input = line.input();
            let wanted = slow(&rules, &input);
            let got = set.decide(&mut scratch, &input);
            prop_assert_eq!(got.map(|decision| decision.rule), wanted.first().copied(), "{:?}", line);
            if let Some(decision) = got {
                let rule = &rules[decision.rule];
                prop_assert_eq!(decision.category, rule.category);
                prop_assert_eq!(decision.level, input.level.or(rule.level.map(|level| Level::ALL[level])));
            }
            let explained: Vec<usize> = set.explain(&pack, &input).iter().map(|why| why.decision.rule).collect();
            prop_assert_eq!(explained, wanted);
        }
        // Lines that differ only in their numbers are alike for the engine's memory; the verdicts are their own.
        for (line, seed) in lines.iter().flat_map(|line| (0..6_u64).map(move |seed| (line, seed))) {
            let line = line.renumbered(seed);
            let input = line.input();
            let got = set.decide(&mut scratch, &input).map(|decision| decision.rule);
            prop_assert_eq!(got, slow(&rules, &input).first().copied(), "renumbered {:?}", line);
        }
        // The same lines in another order, with the scratch as it is by now, get the same verdicts.
        for line in lines.iter().rev() {
            let input = line.input();
            let again = set.decide(&mut scratch, &input).map(|decision| decision.rule);
            prop_assert_eq!(again, slow(&rules, &input).first().copied());
        }
    }
}
