//! All rules of a pack over one line: one pass for the literals, then only the rules whose literals occurred.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    compile::{KeyLiterals, Tables},
    error::PackError,
    pack::{Category, Pack, Scope},
    recall::{Recall, ShapeId},
    residue::{OfShape, Question},
    rule::Seen,
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
    /// The level that the event states, or else the rule's, or none. A [`crate::sieve::Sieve`] asks the event's words before the rule's.
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

/// Memory for [`RuleSet::decide`], one per thread, kept from line to line. It makes lines like earlier ones cheaper, and
/// never changes what is decided.
#[derive(Debug, Default)]
pub struct Scratch {
    /// One bit per rule, in rank order.
    candidates: Vec<u64>,
    /// The literals that occur in the line.
    in_line: Seen,
    /// The literals that occur in the message.
    in_message: Seen,
    recall: Recall,
    /// The candidates, and those that might be with other numbers.
    maybe: Vec<u64>,
    /// The rules that have to be asked again for other events of the shape.
    ask: Vec<(u32, Question)>,
}

/// The rules of a pack, ready to run. Shared freely between threads.
#[derive(Debug)]
pub struct RuleSet {
    categories: Box<[Category]>,
    tables: Tables,
    /// Different for every set of rules of a process.
    number: u64,
}

impl RuleSet {
    /// Makes a pack's rules ready.
    ///
    /// # Errors
    /// Where all literals together are too many for the scanner.
    pub fn compile(pack: &Pack) -> Result<Self, PackError> {
        static SETS: AtomicU64 = AtomicU64::new(1);
        Ok(Self {
            number: SETS.fetch_add(1, Ordering::Relaxed),
            categories: pack.taxonomy.categories.clone().into_boxed_slice(),
            tables: Tables::new(pack)?,
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
        self.tables
            .ranks
            .get(index)
            .and_then(|rank| self.tables.rules.get(*rank as usize))
            .map_or("", |rule| &rule.id)
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.rules.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.rules.is_empty()
    }

    /// The verdict of the first rule, in rank order, whose conditions all hold; none where no rule's do.
    #[must_use]
    pub fn decide(&self, scratch: &mut Scratch, input: &RuleInput<'_>) -> Option<Decision> {
        let inside = place_in(input.message, input.line);
        let shape = scratch.recall.shape(self.number, input, inside);
        let known = shape.and_then(|shape| scratch.recall.get(shape));
        let rank = match known {
            Some(known) => {
                let mut asked = known.ask.iter();
                asked
                    .find(|(rank, question)| self.answer(*rank, input, *question))
                    .map(|(rank, _)| *rank)
                    .or(known.winner)
            }
            None => self.look(scratch, input, shape),
        };
        rank.map(|rank| self.tables.rules[rank as usize].decision(input))
    }

    /// Looks at the event itself: the rank of the first rule that holds. What this tells of the event's shape is kept.
    fn look(
        &self,
        scratch: &mut Scratch,
        input: &RuleInput<'_>,
        shape: Option<ShapeId>,
    ) -> Option<u32> {
        self.collect(scratch, input);
        let mut maybe = std::mem::take(&mut scratch.maybe);
        maybe.clone_from(&scratch.candidates);
        if shape.is_some() {
            self.tables
                .shapes
                .scan(scratch.recall.texts(), |literal, _, _| {
                    for &rank in self.tables.shape_rules.of(literal) {
                        maybe[rank as usize / 64] |= 1 << (rank % 64);
                    }
                });
        }
        scratch.ask.clear();
        let (mut first, mut winner) = (None, None);
        let firm = |literal: u32| {
            self.tables
                .firm
                .get(literal as usize)
                .copied()
                .unwrap_or_default()
        };
        for rank in ranks(&maybe) {
            let rule = &self.tables.rules[rank as usize];
            let seen = scratch.seen(rule.scope);
            let always = match &rule.residue {
                Some(residue) if shape.is_some() => match residue.of_shape(rule, input, seen, firm)
                {
                    OfShape::Never => false,
                    OfShape::Always => true,
                    OfShape::Asked(question) => {
                        scratch.ask.push((rank, question));
                        if first.is_none() && residue.answer(rule, input, question) {
                            first = Some(rank);
                        }
                        false
                    }
                },
                // A rule that cannot tell numbers apart holds for all events of the shape, or for none.
                _ => rule.holds(input, seen),
            };
            if always {
                winner = Some(rank);
                break;
            }
        }
        scratch.maybe = maybe;
        if let Some(shape) = shape {
            scratch.recall.keep(shape, winner, &scratch.ask);
        }
        first.or(winner)
    }

    /// Whether a rule that can tell numbers apart holds for an event of a known shape.
    fn answer(&self, rank: u32, input: &RuleInput<'_>, question: Question) -> bool {
        let rule = &self.tables.rules[rank as usize];
        rule.residue
            .as_ref()
            .is_some_and(|residue| residue.answer(rule, input, question))
    }

    /// All rules that match, the one that decides first. For people: it takes its time.
    ///
    /// `pack` is the pack that this set was compiled from.
    #[must_use]
    pub fn explain(&self, pack: &Pack, input: &RuleInput<'_>) -> Vec<Explanation> {
        let mut scratch = Scratch::default();
        self.collect(&mut scratch, input);
        self.tables
            .rules
            .iter()
            .enumerate()
            .filter(|(rank, rule)| {
                scratch.candidates[rank / 64] & (1 << (rank % 64)) != 0
                    && rule.holds(input, scratch.seen(rule.scope))
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
        let tables = &self.tables;
        tables
            .ranks
            .iter()
            .map(|rank| tables.keys[*rank as usize].clone())
            .collect()
    }

    /// Notes which literals occur, and marks the rules whose key literals occur in the text that they read.
    fn collect(&self, scratch: &mut Scratch, input: &RuleInput<'_>) {
        let tables = &self.tables;
        let Scratch {
            candidates,
            in_line,
            in_message,
            ..
        } = scratch;
        candidates.clear();
        candidates.extend_from_slice(&tables.always);
        in_line.reset(tables.literals);
        let mut mark = |ranks: &[u32]| {
            for &rank in ranks {
                candidates[rank as usize / 64] |= 1 << (rank % 64);
            }
        };
        if !tables.reads_messages {
            tables.scanner.scan(input.line, |literal, _, _| {
                if in_line.note(literal) {
                    mark(tables.line_rules.of(literal));
                }
            });
            return;
        }
        in_message.reset(tables.literals);
        let inside = place_in(input.message, input.line);
        let (from, to) = inside.unwrap_or((usize::MAX, 0));
        tables.scanner.scan(input.line, |literal, start, end| {
            if in_line.note(literal) {
                mark(tables.line_rules.of(literal));
            }
            if start >= from && end <= to && in_message.note(literal) {
                mark(tables.message_rules.of(literal));
            }
        });
        if inside.is_none() {
            tables.scanner.scan(input.message, |literal, _, _| {
                if in_message.note(literal) {
                    mark(tables.message_rules.of(literal));
                }
            });
        }
    }
}

impl Scratch {
    /// The literals that occur in the text that rules of this scope read.
    #[inline]
    fn seen(&self, scope: Scope) -> &Seen {
        match scope {
            Scope::Line => &self.in_line,
            Scope::Message => &self.in_message,
        }
    }
}

/// The numbers of the bits that are set, in order.
fn ranks(bits: &[u64]) -> impl Iterator<Item = u32> {
    bits.iter().zip(0u32..).flat_map(|(word, index)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(index * 64 + bit)
        })
    })
}

/// Where `part` lies in `whole`, as start and end, if it is a slice of it.
fn place_in(part: &[u8], whole: &[u8]) -> Option<(usize, usize)> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some((start, end))
}
