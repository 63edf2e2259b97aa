//! All rules of a pack over one line: one pass for the literals, then only the rules whose literals occurred.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    error::PackError,
    literals::{self, Required},
    pack::{Category, Pack, Rule, Scope},
    rule::{Compiled, Key},
    scan::Scanner,
};
use crate::{event::Stream, level::Level};

/// What the rules look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuleInput<'a> {
    /// The event's whole text.
    pub line: &'a [u8],
    /// The header's message; where it is a part of `line`, both are read in one pass.
    pub message: &'a [u8],
    /// The header's logger, program or component.
    pub logger: Option<&'a [u8]>,
    /// The level that the event states.
    pub level: Option<Level>,
    /// The stream that it came from.
    pub stream: Stream,
    /// The container's name.
    pub container: Option<&'a str>,
    /// The container's image.
    pub image: Option<&'a str>,
    /// The container's or pod's labels: name and value.
    pub labels: &'a [(String, String)],
}

impl<'a> RuleInput<'a> {
    /// A line of which nothing else is known.
    #[must_use]
    pub fn of_line(line: &'a [u8]) -> Self {
        Self {
            line,
            message: line,
            ..Self::default()
        }
    }
}

/// What a rule says of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Index of the rule in its pack: see [`RuleSet::rule_id`].
    pub rule: usize,
    /// Index of the category in the taxonomy: see [`RuleSet::categories`].
    pub category: usize,
    /// The event's own level, or else the rule's, or none.
    pub level: Option<Level>,
    /// How sure, 0 to 1.
    pub confidence: f32,
}

/// A rule that matches a line, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What it would decide.
    pub decision: Decision,
    /// The text that it reads.
    pub scope: Scope,
    /// Start and end, in bytes of that text, of the part that matched best: the regex's match, else a literal.
    pub span: (usize, usize),
}

/// The literals that make a rule be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyLiterals {
    /// In lower case; one of them occurs wherever the rule matches. Empty for a rule that requires none.
    pub literals: Vec<String>,
    /// How often one of them is expected to begin at a given byte of a log, by a rough estimate.
    pub frequency: f64,
}

impl KeyLiterals {
    /// Whether they are expected so often that the rule is looked at for a good part of all lines.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.frequency > 1.0 / 512.0
    }
}

/// Memory for [`RuleSet::decide`], one per thread, kept from line to line. It carries nothing from one line to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// One bit per rule, in rank order.
    candidates: Vec<u64>,
}

/// The rules of a pack, ready to run. Shared freely between threads.
#[derive(Debug)]
pub struct RuleSet {
    categories: Box<[Category]>,
    /// In rank order: the first that holds decides.
    rules: Box<[Compiled]>,
    /// Rank of each rule by its index in the pack.
    ranks: Box<[u32]>,
    scanner: Scanner,
    /// For each literal, the ranks of the rules that it makes candidates: those that read the line...
    line_rules: Lists,
    /// ...and those that read the message.
    message_rules: Lists,
    /// Rules without a required literal, one bit each.
    always: Box<[u64]>,
    /// The literals of each rule, by rank.
    keys: Box<[KeyLiterals]>,
    /// Whether any rule reads the message.
    reads_messages: bool,
}

/// A list of numbers per literal, all in one piece of memory.
#[derive(Debug, Default)]
struct Lists {
    starts: Box<[u32]>,
    items: Box<[u32]>,
}

impl Lists {
    fn new(lists: &[Vec<u32>]) -> Self {
        let mut starts = vec![0];
        let mut items = Vec::new();
        for list in lists {
            items.extend_from_slice(list);
            starts.push(u32::try_from(items.len()).unwrap_or(u32::MAX));
        }
        Self {
            starts: starts.into_boxed_slice(),
            items: items.into_boxed_slice(),
        }
    }

    fn of(&self, literal: usize) -> &[u32] {
        match (self.starts.get(literal), self.starts.get(literal + 1)) {
            (Some(&start), Some(&end)) => &self.items[start as usize..end as usize],
            _ => &[],
        }
    }
}

impl RuleSet {
    /// Makes a pack's rules ready.
    ///
    /// # Errors
    /// Where all literals together are too many for one automaton.
    pub fn compile(pack: &Pack) -> Result<Self, PackError> {
        let mut order: Vec<(usize, &Rule)> = pack.rules().iter().enumerate().collect();
        order.sort_by_key(|(index, rule)| (Reverse(rule.priority), rule.category, *index));

        let mut ids: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut line_lists: Vec<Vec<u32>> = Vec::new();
        let mut message_lists: Vec<Vec<u32>> = Vec::new();
        let mut always = vec![0; order.len().div_ceil(64)];
        let mut rules = Vec::with_capacity(order.len());
        let mut keys = Vec::with_capacity(order.len());
        let mut ranks = vec![0; order.len()];
        for (rank, (index, rule)) in order.into_iter().enumerate() {
            let number = u32::try_from(rank).unwrap_or(u32::MAX);
            ranks[index] = number;
            let (key, set) = key_of(rule);
            keys.push(KeyLiterals {
                literals: set
                    .iter()
                    .map(|literal| String::from_utf8_lossy(literal).into_owned())
                    .collect(),
                frequency: if set.is_empty() {
                    1.0
                } else {
                    literals::cost(&set)
                },
            });
            if key == Key::Nothing {
                always[rank / 64] |= 1 << (rank % 64);
            }
            for literal in set {
                let id = *ids.entry(literal).or_insert_with_key(|literal| {
                    literals.push(literal.clone());
                    line_lists.push(Vec::new());
                    message_lists.push(Vec::new());
                    literals.len() - 1
                });
                let list = match rule.scope {
                    Scope::Line => &mut line_lists[id],
                    Scope::Message => &mut message_lists[id],
                };
                if list.last() != Some(&number) {
                    list.push(number);
                }
            }
            rules.push(Compiled::new(rule, index, key));
        }
        Ok(Self {
            categories: pack.taxonomy.categories.clone().into_boxed_slice(),
            reads_messages: rules.iter().any(|rule| rule.scope == Scope::Message),
            rules: rules.into_boxed_slice(),
            ranks: ranks.into_boxed_slice(),
            scanner: Scanner::new(&literals)?,
            line_rules: Lists::new(&line_lists),
            message_rules: Lists::new(&message_lists),
            always: always.into_boxed_slice(),
            keys: keys.into_boxed_slice(),
        })
    }

    /// The categories that decisions speak of, by index.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The id of a rule by its index in the pack; empty for an index that the pack does not have.
    #[must_use]
    pub fn rule_id(&self, index: usize) -> &str {
        self.ranks
            .get(index)
            .and_then(|rank| self.rules.get(*rank as usize))
            .map_or("", |rule| &rule.id)
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The verdict of the first rule, in rank order, whose conditions all hold; none where no rule's do.
    #[must_use]
    pub fn decide(&self, scratch: &mut Scratch, input: &RuleInput<'_>) -> Option<Decision> {
        self.collect(scratch, input);
        for (word, bits) in scratch.candidates.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let rank = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let rule = &self.rules[rank];
                if rule.holds(input) {
                    return Some(rule.decision(input));
                }
            }
        }
        None
    }

    /// All rules that match, the one that decides first. For people: it takes its time.
    ///
    /// `pack` is the pack that this set was compiled from.
    #[must_use]
    pub fn explain(&self, pack: &Pack, input: &RuleInput<'_>) -> Vec<Explanation> {
        let mut scratch = Scratch::default();
        self.collect(&mut scratch, input);
        self.rules
            .iter()
            .enumerate()
            .filter(|(rank, rule)| {
                scratch.candidates[rank / 64] & (1 << (rank % 64)) != 0 && rule.holds(input)
            })
            .filter_map(|(_, rule)| {
                Some(Explanation {
                    decision: rule.decision(input),
                    scope: rule.scope,
                    span: rule.span(pack.rules().get(rule.index)?, rule.text(input)),
                })
            })
            .collect()
    }

    /// For each rule of the pack, in the order of the file, the literals that make it be looked at.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyLiterals> {
        self.ranks
            .iter()
            .map(|rank| self.keys[*rank as usize].clone())
            .collect()
    }

    /// Marks the rules whose key literals occur in the text that they read.
    fn collect(&self, scratch: &mut Scratch, input: &RuleInput<'_>) {
        scratch.candidates.clear();
        scratch.candidates.extend_from_slice(&self.always);
        let candidates = &mut scratch.candidates;
        let mut mark = |ranks: &[u32]| {
            for &rank in ranks {
                candidates[rank as usize / 64] |= 1 << (rank % 64);
            }
        };
        let inside = if self.reads_messages {
            place_in(input.message, input.line)
        } else {
            Some((0, 0))
        };
        let (from, to) = inside.unwrap_or((usize::MAX, 0));
        self.scanner.scan(input.line, |literal, start, end| {
            mark(self.line_rules.of(literal));
            if start >= from && end <= to {
                mark(self.message_rules.of(literal));
            }
        });
        if inside.is_none() {
            self.scanner.scan(input.message, |literal, _, _| {
                mark(self.message_rules.of(literal));
            });
        }
    }
}

/// Where `part` lies in `whole`, as start and end, if it is a slice of it.
fn place_in(part: &[u8], whole: &[u8]) -> Option<(usize, usize)> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some((start, end))
}

/// The literals that make a rule a candidate, and the condition that they stand for: the rarest of its conditions.
fn key_of(rule: &Rule) -> (Key, Required) {
    let mut best: Option<(f64, Key, Required)> = None;
    let mut offer = |key: Key, set: Required| {
        let cost = literals::cost(&set);
        if best.as_ref().is_none_or(|(least, _, _)| cost < *least) {
            best = Some((cost, key, set));
        }
    };
    if !rule.any.is_empty() {
        offer(Key::Any, rule.any.iter().map(|text| fold(text)).collect());
    }
    for (index, text) in rule.all.iter().enumerate() {
        offer(Key::All(index), vec![fold(text)]);
    }
    if let Some(set) = &rule.regex_required {
        offer(Key::Regex, set.clone());
    }
    best.map_or((Key::Nothing, Required::new()), |(_, key, set)| (key, set))
}

fn fold(text: &str) -> Vec<u8> {
    text.to_ascii_lowercase().into_bytes()
}
