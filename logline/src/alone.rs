//! One line judged by itself, as the plugins do it: the Fluent Bit filter sees records one by one, and a function of Arroyo runs on many
//! machines at once, so that neither may depend on what came before.
//!
//! What the rules and the words say is what the agent says. The template is the masked message: the agent goes on and unites
//! templates that differ in a word, for which it has to remember them (`logsieve classify --no-merge` leaves that out).

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    decode::{self, Wrapper},
    escape::{escape_json, write_confidence, write_id},
    event::{Fragment, Stream},
    level::{self, Level},
    rules::{Decision, RuleSet, Scratch},
    sieve::{self, Source},
    template::{Masked, TemplateId, mask},
    time::TimeContext,
};

/// Bytes of a line that are looked at; as many as the agent keeps of an event.
pub const MAX_BYTES: usize = 64 * 1024;
/// The category where no stage decided.
pub const UNCLASSIFIED: &str = "unclassified";

/// Judges lines. Remembers only what makes it faster. One per thread.
#[derive(Debug)]
pub struct Alone {
    rules: Arc<RuleSet>,
    scratch: Scratch,
    masked: Masked,
}

/// What a line is judged to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict<'a> {
    /// The category, or [`UNCLASSIFIED`].
    pub category: &'a str,
    /// How bad it is.
    pub level: Level,
    /// The rule that matched, if one did.
    pub rule: Option<&'a str>,
    /// Probability that the category is right; 0 where there is none.
    pub confidence: f32,
    /// The template's text: the message with its variables masked. UTF-8.
    pub template: &'a [u8],
}

impl Alone {
    /// A judge by these rules.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>) -> Self {
        Self {
            rules,
            scratch: Scratch::default(),
            masked: Masked::new(),
        }
    }

    /// Judges one line, given without its line ending: a container runtime's wrapper is taken off where there is one, and
    /// what is longer than [`MAX_BYTES`] is cut. A text of several lines is one event.
    ///
    /// `source` is what is known beside the line; its stream counts where the wrapper names none.
    pub fn judge(&mut self, line: &[u8], source: &Source<'_>) -> Verdict<'_> {
        let (fragment, source) = unwrap(line, source);
        let time = TimeContext::default();
        let read = sieve::read(
            &self.rules,
            &mut self.scratch,
            &time,
            &fragment.text,
            &source,
        );
        mask(&read.message, &mut self.masked);
        let decision = read.decision.as_ref();
        Verdict {
            category: category(&self.rules, decision),
            level: read.level,
            rule: decision.map(|decision| self.rules.rule_id(decision.rule)),
            confidence: decision.map_or(0.0, |decision| decision.confidence),
            template: self.masked.text(),
        }
    }

    /// The category that [`judge`](Self::judge) would give, for less.
    pub fn category(&mut self, line: &[u8], source: &Source<'_>) -> &str {
        let (fragment, source) = unwrap(line, source);
        let decision = sieve::decide(&self.rules, &mut self.scratch, &fragment.text, &source);
        category(&self.rules, decision.as_ref())
    }

    /// The level that [`judge`](Self::judge) would give, for less: rules are asked only where the line's words tell none.
    pub fn level(&mut self, line: &[u8], source: &Source<'_>) -> Level {
        let (fragment, source) = unwrap(line, source);
        let (header, message) = sieve::head(&fragment.text, &TimeContext::default());
        level::of(&header, &message)
            .or_else(|| {
                sieve::decide(&self.rules, &mut self.scratch, &fragment.text, &source)?.level
            })
            .unwrap_or_default()
    }

    /// The template that [`judge`](Self::judge) would give, for less. UTF-8.
    pub fn template(&mut self, line: &[u8]) -> &[u8] {
        let (fragment, _) = unwrap(line, &Source::default());
        let (_, message) = sieve::head(&fragment.text, &TimeContext::default());
        mask(&message, &mut self.masked);
        self.masked.text()
    }
}

/// The line without its wrapper, cut, and what is known of it with the wrapper's stream.
fn unwrap<'a, 's>(line: &'a [u8], source: &Source<'s>) -> (Fragment<'a>, Source<'s>) {
    let (mut fragment, _) = decode::decode(line, Wrapper::Auto);
    fragment.cut_to(MAX_BYTES);
    let source = Source {
        stream: match fragment.timestamp {
            None if fragment.stream == Stream::Stdout => source.stream,
            _ => fragment.stream,
        },
        ..*source
    };
    (fragment, source)
}

fn category<'a>(rules: &'a RuleSet, decision: Option<&Decision>) -> &'a str {
    decision
        .and_then(|decision| rules.categories().get(decision.category))
        .map_or(UNCLASSIFIED, |category| &category.id)
}

impl Verdict<'_> {
    /// Who judged: `rule`, or `none`.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        if self.rule.is_some() { "rule" } else { "none" }
    }

    /// The template's id, the same on every host.
    #[must_use]
    pub fn template_id(&self) -> TemplateId {
        TemplateId(xxh3_64(self.template))
    }

    /// Appends a JSON object with the fields and spellings of `logsieve classify --format json`: `level`, `category`, `stage`,
    /// `confidence`, `reason`, `template_id`, `template`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"level\":\"");
        out.extend_from_slice(self.level.as_str().as_bytes());
        out.extend_from_slice(b"\",\"category\":\"");
        escape_json(self.category.as_bytes(), out);
        out.extend_from_slice(b"\",\"stage\":\"");
        out.extend_from_slice(self.stage().as_bytes());
        out.extend_from_slice(b"\",\"confidence\":");
        write_confidence(self.confidence, out);
        out.extend_from_slice(b",\"reason\":\"");
        match self.rule {
            Some(rule) => {
                out.extend_from_slice(b"rule ");
                escape_json(rule.as_bytes(), out);
            }
            None => out.extend_from_slice(b"no rule matched"),
        }
        out.extend_from_slice(b"\",\"template_id\":\"");
        write_id(self.template_id(), out);
        out.extend_from_slice(b"\",\"template\":\"");
        escape_json(self.template, out);
        out.extend_from_slice(b"\"}");
    }
}
