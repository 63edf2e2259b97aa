//! From a pack's rules to tables: which literals the scanner looks for, and what their being seen means for each rule.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    error::PackError,
    frequencies::Frequencies,
    literals::{self, Required},
    pack::{Pack, Rule, Scope},
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
    ids: HashMap<Vec<u8>, u32>,
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

        let mut literals = Literals::default();
        let mut always = vec![0; order.len().div_ceil(64)];
        let mut rules = Vec::with_capacity(order.len());
        let mut keys = Vec::with_capacity(order.len());
        let mut ranks = vec![0; order.len()];
        for (rank, (index, rule)) in order.into_iter().enumerate() {
            let number = u32::try_from(rank).unwrap_or(u32::MAX);
            ranks[index] = number;
            let (key, gates) = gates(rule, &mut literals);
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
            line_rules: Lists::new(&literals.line_rules),
            message_rules: Lists::new(&literals.message_rules),
            always: always.into_boxed_slice(),
            keys: keys.into_boxed_slice(),
        })
    }
}

/// The rarest set of literals that a rule requires (empty where it requires none), and what the scanner's hits say of its
/// conditions.
fn gates(rule: &Rule, literals: &mut Literals) -> (Required, Gates) {
    let mut sets: Vec<(f64, Origin, Required)> = Vec::new();
    let mut offer = |origin: Origin, set: Required| sets.push((literals::cost(&set), origin, set));
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
        offer(
            Origin::Regex,
            rule.regex_sets
                .iter()
                .filter_map(|sets| sets.first())
                .flatten()
                .cloned()
                .collect(),
        );
    }
    let key = (0..sets.len()).min_by(|a, b| sets[*a].0.total_cmp(&sets[*b].0));
    let mut gates = Gates {
        all_settled: vec![false; rule.all.len()],
        none_settled: vec![false; rule.none.len()],
        ..Gates::default()
    };
    for (index, (_, origin, set)) in sets.iter().enumerate() {
        let is_key = key == Some(index);
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
    if rule.fold {
        for (index, text) in rule.none.iter().enumerate() {
            let set = vec![fold(text)];
            if cheap(&set) {
                gates.none_settled[index] = true;
                gates.none.extend(literals.ids(&set));
            }
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
    let key = key.map_or_else(Required::new, |key| sets.swap_remove(key).2);
    (key, gates)
}

/// Whether it costs the scanner next to nothing to look for these as well.
fn cheap(set: &Required) -> bool {
    set.iter().all(|literal| literal.len() >= scan::CHEAP)
}

fn fold(text: &str) -> Vec<u8> {
    text.to_ascii_lowercase().into_bytes()
}
