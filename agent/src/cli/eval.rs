//! `logsieve eval`: how right the verdicts are on labelled lines of one's own, and what another threshold would give.

mod labelled;
mod score;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use logline::decode::Wrapper;
use serde_json::json;

use super::local::ModelArgument;
use super::{PackArgument, output};
use crate::classify::judge::Verdict;
use crate::classify::{Judge, text_of};
use crate::config::PackChoice;
use crate::escape::escape_terminal;
use crate::flow::{Batch, Flow, Opening, Place, Settings, StreamInfo};
use crate::packs;
use crate::source::{Closed, Kind, Origin, SourceId};
use labelled::Row;
use score::{Outcome, Scores};

/// Templates that go through the model together.
const TOGETHER: usize = 64;
/// Bytes of lines that are read before the next stretch begins.
const STRETCH: usize = 8 * 1024 * 1024;

/// How the figures are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables for people
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Labelled lines, tab-separated: category, level, line; or category and line. `a|b` allows both, `#` begins a comment
    file: PathBuf,
    /// How the figures are written
    #[arg(long, short, value_enum, default_value_t)]
    format: Format,
    /// Print every line that got another category than it should
    #[arg(long)]
    errors: bool,
    #[command(flatten)]
    pack: PackArgument,
    #[command(flatten)]
    model: ModelArgument,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pack = packs::read(&PackChoice::parse(&arguments.pack.pack))?;
    let rules = packs::compile(&pack)?;
    let rows = labelled::read(&arguments.file)?;
    let mut judge = arguments.model.open(&pack)?;
    let settings = Settings {
        join: false,
        ..Settings::default()
    };
    let mut flow = Flow::new(settings, Arc::new(rules));
    let mut outcomes = Vec::with_capacity(rows.len());
    let mut known = HashMap::new();
    let mut at = 0;
    while at < rows.len() {
        let mut bytes = 0;
        let rest = rows.get(at..).unwrap_or_default();
        let count = rest
            .iter()
            .take_while(|row| {
                let before = bytes;
                bytes += row.line.len();
                before < STRETCH
            })
            .count();
        let stretch = rest.get(..count).unwrap_or_default();
        outcomes.extend(outcomes_of(stretch, &mut flow, judge.as_mut(), &mut known)?);
        at += count;
    }
    let scores = Scores::of(&outcomes);
    let model = judge
        .as_ref()
        .map(|judge| (judge.version(), judge.examples()));
    let out = match arguments.format {
        Format::Text => text(&scores, &outcomes, model, arguments.errors),
        Format::Json => {
            json!({"model": model.map(|(version, _)| version), "scores": scores}).to_string() + "\n"
        }
    };
    output::print(out.as_bytes())
}

/// What became of each line of a stretch.
fn outcomes_of<'a>(
    rows: &'a [Row],
    flow: &mut Flow,
    judge: Option<&mut Judge>,
    known: &mut HashMap<String, Verdict>,
) -> anyhow::Result<Vec<Outcome<'a>>> {
    let mut batch = Batch::new(flow.labels());
    let id = SourceId::next();
    let info = StreamInfo {
        id: "eval".to_owned(),
        origin: Arc::new(Origin::plain(Kind::File, "eval".to_owned())),
    };
    flow.open(id, Opening::new(info, Place::Passing, Wrapper::Auto), 0);
    let mut text: Vec<u8> = Vec::new();
    for row in rows {
        text.extend_from_slice(row.line.as_bytes());
        text.push(b'\n');
    }
    flow.bytes(id, 0, &text, 0, &mut batch);
    flow.close(id, Closed::End, 0, &mut batch);
    flow.settle(&mut batch);
    anyhow::ensure!(
        batch.events.len() == rows.len(),
        "{} lines gave {} events; this is a bug",
        rows.len(),
        batch.events.len()
    );
    let shown: Vec<Option<String>> = batch
        .events
        .iter()
        .map(|event| {
            let template = event.template_text.as_ref()?;
            let logger = String::from_utf8_lossy(batch.get(event.logger));
            let text = || text_of(&logger, event.level.as_str(), &template.text);
            event.verdict.category.is_none().then(text)
        })
        .collect();
    if let Some(judge) = judge {
        let mut new: Vec<&str> = shown.iter().flatten().map(String::as_str).collect();
        new.retain(|text| !known.contains_key(*text));
        new.sort_unstable_by_key(|text| (text.len(), *text));
        new.dedup();
        for some in new.chunks(TOGETHER) {
            for (text, verdict) in some.iter().zip(judge.verdicts(some)?) {
                known.insert((*text).to_owned(), verdict);
            }
        }
    }
    Ok(rows
        .iter()
        .zip(&batch.events)
        .zip(shown)
        .map(|((row, event), shown)| {
            let verdict = shown.and_then(|text| known.get(&text));
            let by_rule = event.verdict.category;
            Outcome {
                row,
                guess: by_rule
                    .map(|category| batch.labels.category(Some(category)).to_owned())
                    .or_else(|| verdict.map(|verdict| verdict.category.clone())),
                confidence: by_rule.map_or_else(
                    || verdict.map_or(0.0, |verdict| verdict.confidence),
                    |_| event.verdict.confidence,
                ),
                by_rule: by_rule.is_some(),
                sure: by_rule.is_some() || verdict.is_some_and(|verdict| verdict.doubt.is_none()),
                level: event.level.as_str(),
                why: match event.verdict.rule {
                    Some(rule) => format!("rule {}", batch.labels.rule(rule)),
                    None => verdict
                        .map(|verdict| format!("like \"{}\"", verdict.nearest.1))
                        .unwrap_or_default(),
                },
            }
        })
        .collect())
}

/// A line as a terminal may show it.
fn shown(line: &str) -> String {
    let mut safe = Vec::new();
    escape_terminal(line.as_bytes(), None, &mut safe);
    String::from_utf8_lossy(&safe).into_owned()
}

fn text(
    scores: &Scores,
    outcomes: &[Outcome<'_>],
    model: Option<(&str, usize)>,
    errors: bool,
) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    if errors {
        for outcome in outcomes.iter().filter(|outcome| outcome.is_wrong()) {
            let _ = writeln!(
                out,
                "{} for {} ({:.2}, {}): {}",
                outcome.guess.as_deref().unwrap_or_default(),
                outcome.row.categories.join("|"),
                outcome.confidence,
                outcome.why,
                shown(&outcome.row.line),
            );
        }
    }
    let _ = match model {
        Some((version, examples)) => {
            writeln!(out, "model     {version}, {examples} examples")
        }
        None => writeln!(out, "model     none: rules alone"),
    };
    let _ = writeln!(
        out,
        "lines     {} ({} decided by rules)",
        scores.lines, scores.by_rules
    );
    for (name, value, what) in [
        (
            "accuracy",
            scores.accuracy,
            "right, of all; abstaining is wrong",
        ),
        ("coverage", scores.coverage, "decided, of all"),
        ("precision", scores.selective, "right, of those decided"),
        ("macro F1", scores.macro_f1, "mean over the categories"),
        (
            "ECE",
            scores.ece,
            "how far confidence is from the share of right ones",
        ),
    ] {
        let _ = writeln!(out, "{name:<9} {value:.3}  {what}");
    }
    if let Some(level) = scores.level {
        let _ = writeln!(
            out,
            "level     {level:.3}  right, of the lines that name one"
        );
    }
    let _ = writeln!(out, "\ncategory             lines  recall  precision");
    for category in &scores.categories {
        let _ = writeln!(
            out,
            "{:<20} {:>5} {:>7.3} {:>10.3}",
            category.name, category.lines, category.recall, category.precision
        );
    }
    if model.is_some() {
        let _ = writeln!(
            out,
            "\nThe lines that no rule decides, if the model spoke only above a confidence:\nabove  coverage  precision"
        );
        for point in &scores.curve {
            let _ = writeln!(
                out,
                "{:>5.2} {:>9.3} {:>10.3}",
                point.threshold, point.coverage, point.precision
            );
        }
    }
    out
}
