//! From a pack's rules to tables: which literals the scanner looks for, and what their being seen means for each rule.

use std::{cmp::Reverse, collections::HashMap};

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::{
    blind,
    error::PackError,
    frequencies::Frequencies,
    literals::{self, Required},
    pack::{Pack, Rule, Scope},
    recall,
    rule::{Compiled, Gates, Ids},
    scan::{self, Scanner},
};

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

/// What the engine runs on.
#[derive(Debug)]
pub(super) struct Tables {
    /// In rank order: the first that holds decides.
    pub(super) rules: Box<[Compiled]>,
    /// Rank of each rule by its index in the pack.
    pub(super) ranks: Box<[u32]>,
    pub(super) scanner: Scanner,
    /// How many literals the scanner knows.
    pub(super) literals: usize,
    /// For each literal, the ranks of the rules that it makes candidates: those that read the line...
    pub(super) line_rules: Lists,
    /// ...and those that read the message.
    pub(super) message_rules: Lists,
    /// Rules without a required literal, one bit each.
    pub(super) always: Box<[u64]>,
    /// For each literal, whether it holds no digit.
    pub(super) firm: Box<[bool]>,
    /// The key literals with digits, each run as a single `0`, of rules that may so become candidates for another number...
    pub(super) shapes: Scanner,
    /// ...and the ranks of these rules.
    pub(super) shape_rules: Lists,
    /// The literals of each rule, by rank.
    pub(super) keys: Box<[KeyLiterals]>,
    /// Whether any rule reads the message.
    pub(super) reads_messages: bool,
}

/// A list of numbers per literal, all in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Lists {
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

    #[inline]
    pub(super) fn of(&self, literal: usize) -> &[u32] {
        match (self.starts.get(literal), self.starts.get(literal + 1)) {
            (Some(&start), Some(&end)) => &self.items[start as usize..end as usize],
            _ => &[],
        }
    }
}

/// The literals that the scanner is to look for.
#[derive(Default)]
struct Literals {
    ids: HashMap<Vec<u8>, u32, Xxh3DefaultBuilder>,
    all: Vec<Vec<u8>>,
    line_rules: Vec<Vec<u32>>,
    message_rules: Vec<Vec<u32>>,
}

impl Literals {
    fn id(&mut self, literal: &[u8]) -> u32 {
        if let Some(id) = self.ids.get(literal) {
            return *id;
        }
        let id = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.ids.insert(literal.to_vec(), id);
        self.all.push(literal.to_vec());
        self.line_rules.push(Vec::new());
        self.message_rules.push(Vec::new());
        id
    }

    fn ids(&mut self, set: &Required) -> Ids {
        set.iter().map(|literal| self.id(literal)).collect()
    }
}

/// A condition that some literals must occur, where it comes from.
enum Origin {
    Any,
    All(usize),
    /// All regexes together.
    Regex,
}

impl Tables {
    /// # Errors
    /// Where all literals together are too many for the scanner.
    pub(super) fn new(pack: &Pack) -> Result<Self, PackError> {
        let mut order: Vec<(usize, &Rule)> = pack.rules().iter().enumerate().collect();
        order.sort_by_key(|(index, rule)| (Reverse(rule.priority), rule.category, *index));

        let conditions: Vec<Conditions> =
            order.iter().map(|(_, rule)| Conditions::of(rule)).collect();
        // Short literals make the scanner look at more positions. Once some rule cannot do without, others cost little more.
        let shortest = if conditions.iter().any(Conditions::key_is_short) {
            scan::SHORTEST
        } else {
            scan::CHEAP
        };

        let mut literals = Literals::default();
        let mut always = vec![0; order.len().div_ceil(64)];
        let mut rules = Vec::with_capacity(order.len());
        let mut keys = Vec::with_capacity(order.len());
        let mut shapes = Literals::default();
        let mut ranks = vec![0; order.len()];
        for (rank, ((index, rule), conditions)) in order.into_iter().zip(conditions).enumerate() {
            let number = u32::try_from(rank).unwrap_or(u32::MAX);
            ranks[index] = number;
            let (key, gates) = conditions.gates(rule, &mut literals, shortest);
            if key.is_empty() {
                always[rank / 64] |= 1 << (rank % 64);
            }
            for literal in &key {
                let id = literals.id(literal) as usize;
                let list = match rule.scope {
                    Scope::Line => &mut literals.line_rules[id],
                    Scope::Message => &mut literals.message_rules[id],
                };
                if list.last() != Some(&number) {
                    list.push(number);
                }
                if blind::has_digit(literal) {
                    let mut shape = Vec::new();
                    recall::shorten(literal, &mut shape);
                    let id = shapes.id(&shape) as usize;
                    shapes.line_rules[id].push(number);
                }
            }
            keys.push(KeyLiterals {
                literals: key
                    .iter()
                    .map(|literal| String::from_utf8_lossy(literal).into_owned())
                    .collect(),
                frequency: if key.is_empty() {
                    1.0
                } else {
                    literals::cost(&key)
                },
            });
            rules.push(Compiled::new(rule, index, gates));
        }
        let mut frequencies = Frequencies::default();
        for example in pack
            .rules()
            .iter()
            .flat_map(|rule| rule.matches.iter().chain(&rule.no_match))
        {
            frequencies.count(example.as_bytes());
        }
        Ok(Self {
            reads_messages: rules.iter().any(|rule| rule.scope == Scope::Message),
            rules: rules.into_boxed_slice(),
            ranks: ranks.into_boxed_slice(),
            scanner: Scanner::new(&literals.all, &frequencies)?,
            literals: literals.all.len(),
            firm: literals
                .all
                .iter()
                .map(|literal| !blind::has_digit(literal))
                .collect(),
            shapes: Scanner::new(&shapes.all, &frequencies)?,
            shape_rules: Lists::new(&shapes.line_rules),
            line_rules: Lists::new(&literals.line_rules),
            message_rules: Lists::new(&literals.message_rules),
            always: always.into_boxed_slice(),
            keys: keys.into_boxed_slice(),
        })
    }
}

/// The sets of literals that a rule requires, each with its cost and with the condition that it comes from.
struct Conditions {
    sets: Vec<(f64, Origin, Required)>,
    /// Index of the rarest.
    key: Option<usize>,
}

impl Conditions {
    fn of(rule: &Rule) -> Self {
        let mut sets: Vec<(f64, Origin, Required)> = Vec::new();
        let mut offer =
            |origin: Origin, set: Required| sets.push((literals::cost(&set), origin, set));
        if !rule.any.is_empty() {
            offer(
                Origin::Any,
                rule.any.iter().map(|text| fold(text)).collect(),
            );
        }
        for (index, text) in rule.all.iter().enumerate() {
            offer(Origin::All(index), vec![fold(text)]);
        }
        if !rule.regex_sets.is_empty() && rule.regex_sets.iter().all(|sets| !sets.is_empty()) {
            let union = rule.regex_sets.iter().filter_map(|sets| sets.first());
            offer(Origin::Regex, union.flatten().cloned().collect());
        }
        let key = (0..sets.len()).min_by(|a, b| sets[*a].0.total_cmp(&sets[*b].0));
        Self { sets, key }
    }

    fn key_is_short(&self) -> bool {
        self.key
            .and_then(|key| self.sets.get(key))
            .is_some_and(|(_, _, set)| set.iter().any(|literal| literal.len() < scan::CHEAP))
    }

    /// The key (empty where no literal is required), and what the scanner's hits say of the rule's conditions, given that
    /// it looks for literals of at least `shortest` bytes beside the keys.
    fn gates(mut self, rule: &Rule, literals: &mut Literals, shortest: usize) -> (Required, Gates) {
        let cheap = |set: &Required| set.iter().all(|literal| literal.len() >= shortest);
        let mut gates = Gates {
            all_settled: vec![false; rule.all.len()],
            ..Gates::default()
        };
        for (index, (_, origin, set)) in self.sets.iter().enumerate() {
            let is_key = self.key == Some(index);
            if !is_key && !cheap(set) {
                continue;
            }
            match origin {
                // Where case counts, the literals are looked for once more as they are.
                Origin::Any => gates.any_settled = rule.fold,
                Origin::All(index) => gates.all_settled[*index] = rule.fold,
                // Each regex has gates of its own, below.
                Origin::Regex => continue,
            }
            // That the key was seen is what makes the rule a candidate.
            if !is_key {
                gates.sets.push(literals.ids(set));
            }
        }
        gates.regex = rule
            .regex_sets
            .iter()
            .map(|sets| {
                sets.iter()
                    .filter(|set| cheap(set))
                    .map(|set| literals.ids(set))
                    .collect()
            })
            .collect();
        let key = self
            .key
            .map_or_else(Required::new, |key| self.sets.swap_remove(key).2);
        (key, gates)
    }
}

fn fold(text: &str) -> Vec<u8> {
    text.to_ascii_lowercase().into_bytes()
}
