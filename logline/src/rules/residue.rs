//! What is left of a rule that can tell numbers apart, once it is known which events it is to be asked about.
//!
//! Of an event's shape (see [`recall`](super::recall)) nearly all conditions of such a rule can be settled for good: only
//! literals, globs and regexes that look at digits have to be asked again for each event.

use std::sync::Arc;

use super::{
    blind,
    engine::RuleInput,
    needle::Needle,
    pack::Rule,
    pattern::Pattern,
    rule::{Compiled, Ids, Seen},
};

/// The conditions of a rule, those that look at digits (loose) apart from those that do not (firm).
#[derive(Debug)]
pub(super) struct Residue {
    has_any: bool,
    firm_any: Box<[Needle]>,
    loose_any: Box<[Needle]>,
    firm_all: Box<[Needle]>,
    loose_all: Box<[Needle]>,
    firm_none: Box<[Needle]>,
    loose_none: Box<[Needle]>,
    loose_when: bool,
    /// Of the rule's regexes, one bit each.
    loose_regex: u64,
    firm_none_regex: Box<[Arc<Pattern>]>,
    loose_none_regex: Box<[Arc<Pattern>]>,
}

/// What is to be asked of a rule for every event of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The regexes of which one has to match, one bit each; 0 where that is settled.
    regex: u64,
    /// Whether one of the literals of `any` that hold digits has to occur.
    any: bool,
}

/// What a shape says of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfShape {
    /// It holds for no event of the shape.
    Never,
    /// It holds for all.
    Always,
    /// It depends on the event.
    Asked(Question),
}

impl Residue {
    /// None for a rule that is blind.
    pub(super) fn of(rule: &Rule, none_regex: &[Arc<Pattern>]) -> Option<Box<Self>> {
        if blind::is_blind(rule) {
            return None;
        }
        let needles = |texts: &[String], firm: bool| -> Box<[Needle]> {
            let needles = texts.iter().map(|text| Needle::new(text, rule.fold));
            needles.filter(|needle| needle.is_firm() == firm).collect()
        };
        let none_regexes = |firm: bool| -> Box<[Arc<Pattern>]> {
            let all = rule.blind_none_regex.iter().zip(none_regex);
            all.filter(|(blind, _)| **blind == firm)
                .map(|(_, regex)| Arc::clone(regex))
                .collect()
        };
        Some(Box::new(Self {
            has_any: !rule.any.is_empty(),
            firm_any: needles(&rule.any, true),
            loose_any: needles(&rule.any, false),
            firm_all: needles(&rule.all, true),
            loose_all: needles(&rule.all, false),
            firm_none: needles(&rule.none, true),
            loose_none: needles(&rule.none, false),
            loose_when: !rule.when.is_blind(),
            loose_regex: rule
                .blind_regex
                .iter()
                .enumerate()
                .filter(|(_, blind)| !**blind)
                .fold(0, |bits, (index, _)| bits | bit(index)),
            firm_none_regex: none_regexes(true),
            loose_none_regex: none_regexes(false),
        }))
    }

    /// What all events of the shape of `input` have in common for `rule`. `firm` tells of a literal whether it holds no digit.
    pub(super) fn of_shape(
        &self,
        rule: &Compiled,
        input: &RuleInput<'_>,
        seen: &Seen,
        firm: impl Fn(u32) -> bool,
    ) -> OfShape {
        let text = rule.text(input);
        let present = |needle: &Needle| needle.is_in(text);
        if !self.firm_all.iter().all(present)
            || self.firm_none.iter().any(present)
            || rule.when.as_ref().is_some_and(|when| !when.may_fit(input))
        {
            return OfShape::Never;
        }
        let any = self.has_any && !self.firm_any.iter().any(present);
        if any && self.loose_any.is_empty() {
            return OfShape::Never;
        }
        let open = |set: &Ids| {
            set.iter()
                .any(|literal| seen.has(*literal) || !firm(*literal))
        };
        let mut regex = 0;
        let mut matched = rule.regex.is_empty();
        for (index, (_, pattern)) in rule
            .regex
            .iter()
            .enumerate()
            .filter(|(_, (sets, _))| sets.iter().all(open))
        {
            if self.loose_regex & bit(index) != 0 {
                regex |= bit(index);
            } else if pattern.is_match(text) {
                matched = true;
                break;
            }
        }
        if matched {
            regex = 0;
        } else if regex == 0 {
            return OfShape::Never;
        }
        if self
            .firm_none_regex
            .iter()
            .any(|regex| regex.is_match(text))
        {
            return OfShape::Never;
        }
        let settled = !any
            && regex == 0
            && !self.loose_when
            && self.loose_all.is_empty()
            && self.loose_none.is_empty()
            && self.loose_none_regex.is_empty();
        if settled {
            OfShape::Always
        } else {
            OfShape::Asked(Question { regex, any })
        }
    }

    /// The answer of `rule` for `input`, an event of the shape that the question was made for.
    pub(super) fn answer(
        &self,
        rule: &Compiled,
        input: &RuleInput<'_>,
        question: Question,
    ) -> bool {
        let text = rule.text(input);
        let present = |needle: &Needle| needle.is_in(text);
        (!self.loose_when
            || rule
                .when
                .as_ref()
                .is_none_or(|when| when.miss(input).is_none()))
            && self.loose_all.iter().all(present)
            && (!question.any || self.loose_any.iter().any(present))
            && !self.loose_none.iter().any(present)
            && (question.regex == 0
                || rule.regex.iter().enumerate().any(|(index, (_, regex))| {
                    question.regex & bit(index) != 0 && regex.is_match(text)
                }))
            && !self
                .loose_none_regex
                .iter()
                .any(|regex| regex.is_match(text))
    }
}

/// The bit of the regex with this index. Those beyond the last bit share it: asking one of them asks all of them.
fn bit(index: usize) -> u64 {
    1 << index.min(63)
}
