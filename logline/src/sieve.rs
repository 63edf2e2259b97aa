//! One call for everything that one event says, with the memory of templates that the agent has.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::Stream;
use crate::header::{self, Header};
use crate::level::{self, Level};
use crate::rules::{Decision, Explanation, Pack, RuleInput, RuleSet, Scratch};
use crate::template::{self, Table};
use crate::time::TimeContext;

/// What is known of an event beside its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The stream that it came from.
    pub stream: Stream,
    /// The container's name.
    pub container: Option<&'a str>,
    /// The container's image.
    pub image: Option<&'a str>,
    /// The container's or pod's labels: name and value.
    pub labels: &'a [(String, String)],
    /// How bad it is, where whoever has read it before says so; that goes before what the line states.
    pub level: Option<Level>,
}

/// Everything that one event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<'a> {
    /// The parts of its head.
    pub header: Header<'a>,
    /// What is said: the header's message and, where a structured line has one, its error after a colon.
    pub message: Cow<'a, [u8]>,
    /// How bad it is: as the line states it, or its words tell, or, where they tell nothing, the rule that matched; else `info`.
    pub level: Level,
    /// Index of its template in the table.
    pub template: usize,
    /// The rule that matched, if one did.
    pub decision: Option<Decision>,
}

/// The stages that need nothing but the text, with their memory. One per thread.
#[derive(Debug)]
pub struct Sieve {
    rules: Arc<RuleSet>,
    scratch: Scratch,
    templates: Table,
    time: TimeContext,
}

impl Sieve {
    /// A sieve that has seen nothing yet.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, limits: template::Limits, time: TimeContext) -> Self {
        Self {
            rules,
            scratch: Scratch::default(),
            templates: Table::new(limits),
            time,
        }
    }

    /// Judges one event. Header, level and rules look at this event alone; only the template depends on what came before.
    #[must_use]
    pub fn judge<'a>(&mut self, text: &'a [u8], source: &Source<'_>) -> Judged<'a> {
        let read = read(&self.rules, &mut self.scratch, &self.time, text, source);
        self.observed(read)
    }

    /// The same by other rules than the sieve's own, with the memory that goes with those. Templates are shared.
    #[must_use]
    pub fn judge_by<'a>(
        &mut self,
        rules: &RuleSet,
        scratch: &mut Scratch,
        text: &'a [u8],
        source: &Source<'_>,
    ) -> Judged<'a> {
        let read = read(rules, scratch, &self.time, text, source);
        self.observed(read)
    }

    fn observed<'a>(&mut self, read: Read<'a>) -> Judged<'a> {
        let template = self.templates.observe(&read.message);
        Judged {
            header: read.header,
            message: read.message,
            level: read.level,
            template,
            decision: read.decision,
        }
    }

    /// All rules that match an event, the one that decides first. `pack` is the pack that the rules were compiled from.
    /// For people: it takes its time.
    #[must_use]
    pub fn explain(&self, pack: &Pack, text: &[u8], source: &Source<'_>) -> Vec<Explanation> {
        let mut header = header::parse(text, &self.time);
        let message = body(&mut header);
        self.rules
            .explain(pack, &input(text, &message, &header, source))
    }

    /// The templates seen so far.
    #[must_use]
    pub fn templates(&self) -> &Table {
        &self.templates
    }

    /// The same, to take up what an earlier run knew.
    pub fn templates_mut(&mut self) -> &mut Table {
        &mut self.templates
    }

    /// Judges by other rules from now on.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.rules = rules;
    }

    /// Reads times that leave something open against `time` from now on.
    pub fn set_time(&mut self, time: TimeContext) {
        self.time = time;
    }
}

/// What an event says by itself, whatever came before it.
pub(crate) struct Read<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) message: Cow<'a, [u8]>,
    pub(crate) level: Level,
    pub(crate) decision: Option<Decision>,
}

/// Header, message, level and rules of one event.
pub(crate) fn read<'a>(
    rules: &RuleSet,
    scratch: &mut Scratch,
    time: &TimeContext,
    text: &'a [u8],
    source: &Source<'_>,
) -> Read<'a> {
    let (mut header, message) = head(text, time);
    header.level = source.level.or(header.level);
    let decision = rules.decide(scratch, &input(text, &message, &header, source));
    // A rule speaks for many lines; the words of this one know it better.
    let level = level::of(&header, &message)
        .or_else(|| decision.as_ref().and_then(|decision| decision.level))
        .unwrap_or_default();
    Read {
        header,
        message,
        level,
        decision,
    }
}

/// The head of an event and what it says.
pub(crate) fn head<'a>(text: &'a [u8], time: &TimeContext) -> (Header<'a>, Cow<'a, [u8]>) {
    let mut header = header::parse(text, time);
    let message = body(&mut header);
    (header, message)
}

/// What the rules say of one event.
pub(crate) fn decide(
    rules: &RuleSet,
    scratch: &mut Scratch,
    text: &[u8],
    source: &Source<'_>,
) -> Option<Decision> {
    let (header, message) = head(text, &TimeContext::default());
    rules.decide(scratch, &input(text, &message, &header, source))
}

/// What the rules look at.
fn input<'a>(
    text: &'a [u8],
    message: &'a [u8],
    header: &'a Header<'_>,
    source: &Source<'a>,
) -> RuleInput<'a> {
    RuleInput {
        line: text,
        message,
        logger: header.logger.as_deref(),
        level: header.level,
        stream: source.stream,
        container: source.container,
        image: source.image,
        labels: source.labels,
    }
}

/// The message with the error that a structured line keeps in a field of its own: "listen failed" alone says too little.
fn body<'a>(header: &mut Header<'a>) -> Cow<'a, [u8]> {
    let message = std::mem::take(&mut header.message);
    match &header.error {
        Some(error) if !error.is_empty() && !ends_with(&message, error) => {
            let mut body = Vec::with_capacity(message.len() + error.len() + 2);
            body.extend_from_slice(&message);
            if !message.is_empty() {
                body.extend_from_slice(b": ");
            }
            body.extend_from_slice(error);
            Cow::Owned(body)
        }
        _ => message,
    }
}

fn ends_with(message: &[u8], error: &[u8]) -> bool {
    message.trim_ascii_end().ends_with(error.trim_ascii_end())
}
