//! `logsieve explain`: how one line is read, and why it gets its label.

use std::io::Write as _;
use std::sync::Arc;

use anstyle::Style;
use anyhow::Context as _;
use logline::decode::{self, Wrapper};
use logline::level;
use logline::rules::{Explanation, Pack, RuleSet, Scope};
use logline::sieve::{Judged, Sieve, Source};
use logline::template;
use logline::time::TimeContext;
use serde_json::json;

use super::local::ModelArgument;
use super::{Colour, PackArgument, output};
use crate::classify::judge::Verdict;
use crate::classify::{Judge, Stage, text_of};
use crate::config::PackChoice;
use crate::escape::escape_terminal;
use crate::flow::UNCLASSIFIED;
use crate::packs;
use crate::sink::encode::category_style;
use crate::telemetry::clock;

/// How the answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The line, with or without a container runtime's wrapper
    line: String,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    pack: PackArgument,
    #[command(flatten)]
    model: ModelArgument,
    /// When colours are used
    #[arg(long, value_enum, default_value_t)]
    color: Colour,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pack = packs::read(&PackChoice::parse(&arguments.pack.pack))?;
    let rules = Arc::new(packs::compile(&pack)?);
    let time = TimeContext {
        reference: Some(clock::now()),
        ..TimeContext::default()
    };
    let mut sieve = Sieve::new(Arc::clone(&rules), template::Limits::default(), time);
    let (fragment, _) = decode::decode(arguments.line.as_bytes(), Wrapper::Auto);
    let source = Source {
        stream: fragment.stream,
        ..Source::default()
    };
    let matches = sieve.explain(&pack, &fragment.text, &source);
    let judged = sieve.judge(&fragment.text, &source);
    let template = sieve.templates().get(judged.template);
    let model = match arguments.model.open(&pack)? {
        Some(mut judge) => Some(by_model(&mut judge, &judged, template)?),
        None => None,
    };
    let answer = Answer {
        pack: &pack,
        rules: &rules,
        text: &fragment.text,
        judged: &judged,
        matches: &matches,
        template,
        model: model.as_ref(),
    };
    let out = match arguments.format {
        Format::Text => answer.text(output::wants_colour(arguments.color)),
        Format::Json => answer.json(),
    };
    output::print(&out)
}

/// What the model says of the event's template, as the stage after the rules would be told of it.
fn by_model(
    judge: &mut Judge,
    judged: &Judged<'_>,
    template: &template::Template,
) -> anyhow::Result<Verdict> {
    let logger = judged.header.logger.as_deref().unwrap_or_default();
    let text = text_of(
        &String::from_utf8_lossy(logger),
        judged.level.as_str(),
        &template.text,
    );
    let verdicts = judge.verdicts(&[&text])?;
    verdicts
        .into_iter()
        .next()
        .context("the model gave no verdict")
}

struct Answer<'a> {
    pack: &'a Pack,
    rules: &'a RuleSet,
    text: &'a [u8],
    judged: &'a Judged<'a>,
    matches: &'a [Explanation],
    template: &'a template::Template,
    model: Option<&'a Verdict>,
}

impl Answer<'_> {
    fn category(&self, explanation: &Explanation) -> &str {
        &self.rules.categories()[explanation.decision.category].id
    }

    fn level_origin(&self) -> &'static str {
        let header = &self.judged.header;
        if header.level.is_some() {
            "stated in the line"
        } else if level::of(header, &self.judged.message).is_some() {
            "from its words"
        } else if self
            .judged
            .decision
            .is_some_and(|decision| decision.level.is_some())
        {
            "from the rule"
        } else {
            "the default"
        }
    }

    /// The part of the text that a rule matched: before, matched, after.
    fn parts(&self, explanation: &Explanation) -> Option<[&[u8]; 3]> {
        let text = match explanation.scope {
            Scope::Line => self.text,
            Scope::Message => &self.judged.message,
        };
        let (start, end) = explanation.span;
        Some([text.get(..start)?, text.get(start..end)?, text.get(end..)?])
    }

    /// The model's own lines.
    fn model_text(&self, out: &mut Vec<u8>) {
        let Some(said) = self.model else { return };
        let _ = match &said.doubt {
            None => writeln!(
                out,
                "\n{} by the model, confidence {:.2}",
                said.category, said.confidence
            ),
            Some(doubt) => writeln!(
                out,
                "\nthe model abstains: {doubt}; its best guess is {}",
                said.category
            ),
        };
        let (category, text) = &said.nearest;
        if text.is_empty() {
            return;
        }
        let _ = write!(
            out,
            "  nearest example ({:.2}, {category}): ",
            said.similarity
        );
        escape_terminal(text.as_bytes(), None, out);
        out.push(b'\n');
    }

    fn text(&self, colour: bool) -> Vec<u8> {
        let mut out = self.rules_text(colour);
        self.model_text(&mut out);
        out
    }

    fn rules_text(&self, colour: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let header = &self.judged.header;
        let mut row = |name: &str, value: &[u8]| {
            let _ = write!(out, "{name:<11}");
            escape_terminal(value, Some("           "), &mut out);
            out.push(b'\n');
        };
        row("format", header.format.as_str().as_bytes());
        if let Some(timestamp) = header.timestamp {
            let mut time = Vec::new();
            timestamp.write_rfc3339(&mut time);
            row("time", &time);
        }
        row(
            "level",
            format!("{} ({})", self.judged.level.as_str(), self.level_origin()).as_bytes(),
        );
        if let Some(logger) = &header.logger {
            row("logger", logger);
        }
        if let Some(pid) = header.pid {
            row("pid", pid);
        }
        row("message", &self.judged.message);
        row(
            "template",
            format!("{}  {}", self.template.id, self.template.text).as_bytes(),
        );
        out.push(b'\n');
        let Some((winner, others)) = self.matches.split_first() else {
            let _ = writeln!(
                out,
                "{UNCLASSIFIED}: none of the {} rules of pack {} matched",
                self.rules.len(),
                self.pack.name
            );
            return out;
        };
        let category = self.category(winner);
        let _ = write!(
            out,
            "{}",
            styled(category_style(category), category, colour)
        );
        let _ = writeln!(
            out,
            " by rule {} of pack {}, confidence {:.2}",
            self.rules.rule_id(winner.decision.rule),
            self.pack.name,
            winner.decision.confidence
        );
        if let Some([before, matched, after]) = self.parts(winner) {
            out.extend_from_slice(b"  ");
            escape_terminal(before, None, &mut out);
            let mut marked = Vec::new();
            escape_terminal(matched, None, &mut marked);
            let (open, close) = if colour { ("", "") } else { ("[", "]") };
            let marked = format!("{open}{}{close}", String::from_utf8_lossy(&marked));
            let _ = write!(
                out,
                "{}",
                styled(Style::new().bold().underline(), &marked, colour)
            );
            escape_terminal(after, None, &mut out);
            out.push(b'\n');
        }
        for other in others {
            let _ = writeln!(
                out,
                "  also matches {} ({}), which comes after it",
                self.rules.rule_id(other.decision.rule),
                self.category(other)
            );
        }
        out
    }

    fn json(&self) -> Vec<u8> {
        let header = &self.judged.header;
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let time = header.timestamp.map(|timestamp| {
            let mut time = Vec::new();
            timestamp.write_rfc3339(&mut time);
            lossy(&time)
        });
        let matches = self.matches.iter().map(|explanation| {
            json!({
                "rule": self.rules.rule_id(explanation.decision.rule),
                "category": self.category(explanation),
                "confidence": explanation.decision.confidence,
                "matched": self.parts(explanation).map(|[_, matched, _]| lossy(matched)),
            })
        });
        let matches: Vec<_> = matches.collect();
        let winner = self.matches.first();
        let sure = self.model.filter(|said| said.doubt.is_none());
        let mut value = json!({
            "line": lossy(self.text),
            "format": header.format.as_str(),
            "timestamp": time,
            "level": self.judged.level.as_str(),
            "level_from": self.level_origin(),
            "logger": header.logger.as_deref().map(lossy),
            "pid": header.pid.map(lossy),
            "message": lossy(&self.judged.message),
            "template_id": self.template.id.to_string(),
            "template": self.template.text,
            "category": winner.map_or_else(
                || sure.map_or(UNCLASSIFIED, |said| said.category.as_str()),
                |winner| self.category(winner),
            ),
            "stage": match (winner, self.model) {
                (Some(_), _) => Stage::Rule.as_str(),
                (None, Some(_)) => Stage::Bert.as_str(),
                (None, None) => Stage::None.as_str(),
            },
            "pack": self.pack.name,
            "matches": matches,
        });
        if let Some(said) = self.model {
            value["model"] = json!({
                "category": said.category,
                "confidence": said.confidence,
                "abstains": said.doubt,
                "nearest": {"text": said.nearest.1, "category": said.nearest.0, "similarity": said.similarity},
            });
        }
        let mut out = value.to_string().into_bytes();
        out.push(b'\n');
        out
    }
}

fn styled(style: Style, text: &str, colour: bool) -> String {
    if colour {
        format!("{}{text}{}", style.render(), style.render_reset())
    } else {
        text.to_owned()
    }
}
