//! `logsieve rules suggest`: what the LLM and people have said of templates, as rules that could say it of every line.
//!
//! Each rule comes with lines that it has to decide and lines that it must not touch, from the store, and with what it would
//! change on all that is stored. Nothing is adopted here: the output is a pack that `rules test` takes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use logline::redact::{Counts, RedactOptions, Redactor};
use logline::rules::{Pack, RuleSet, Taxonomy, Why};
use logline::sieve::{Sieve, Source};
use logline::template::{self, Kind, TemplateId};
use logline::time::TimeContext;

use super::{PackArgument, export, output};
use crate::classify::Stage;
use crate::config::PackChoice;
use crate::packs;
use crate::store::{KnownTemplate, Query, Reader};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The store's directory; without one where `run` keeps it by default. No agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The pack whose categories the verdicts are of
    #[command(flatten)]
    pack: PackArgument,
    /// At most so many rules: of the templates with the most events
    #[arg(long, short, default_value_t = 50)]
    limit: usize,
}

/// Lines that a rule has to decide, and lines that it must not match.
const EXAMPLES: usize = 3;
const COUNTER_EXAMPLES: usize = 2;
/// Longest line that is shown, in bytes: a longer one proves no more.
const LINE_BYTES: usize = 1_000;
/// A template with fewer letters outside its placeholders says too little for a rule.
const LETTERS: usize = 10;

/// A rule that may be worth having.
struct Candidate {
    id: String,
    category: String,
    template: KnownTemplate,
    reason: String,
    regex: String,
    matches: Vec<String>,
    no_match: Vec<String>,
    /// Why it is left out.
    flaw: Option<String>,
    /// Stored events that it would decide, by what they are now.
    decides: BTreeMap<String, u64>,
    /// Of them, those of other templates.
    strangers: u64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pack = packs::read(&PackChoice::parse(&arguments.pack.pack))?;
    let reader = export::open(arguments.data_dir.as_ref())?;
    let redactor = Redactor::new(&RedactOptions::default())?;
    let mut candidates = candidates(&reader, &pack, &redactor, arguments.limit);
    counter_examples(&reader, &redactor, &mut candidates)?;
    try_out(&pack.taxonomy, &mut candidates);
    history(&reader, &pack, &mut candidates)?;
    output::print(shown(&pack, &candidates).as_bytes())
}

/// One candidate for each template that the LLM or a person has judged, those with the most events first.
fn candidates(reader: &Reader, pack: &Pack, redactor: &Redactor, limit: usize) -> Vec<Candidate> {
    let mut templates = reader.templates();
    templates.retain(|template| template.alias_of.is_none());
    templates.sort_by_key(|template| std::cmp::Reverse(template.count));
    let mut found = Vec::new();
    for template in templates {
        let Some(judged) = template.judged.clone() else {
            continue;
        };
        let Some(category) = judged.category.clone() else {
            continue;
        };
        let by_whom = matches!(judged.stage, Stage::Llm | Stage::Taught);
        if !by_whom || pack.taxonomy.index_of(&category).is_none() {
            continue;
        }
        if found.len() >= limit {
            break;
        }
        let Some(regex) = regex_of(&template.text, redactor) else {
            continue;
        };
        found.push(Candidate {
            id: format!("{category}.suggested-{:08x}", template.id.0 >> 32),
            category,
            reason: format!("{}: {}", judged.stage.as_str(), judged.reason),
            matches: lines_of(reader, redactor, template.id, EXAMPLES),
            template,
            regex,
            no_match: Vec::new(),
            flaw: None,
            decides: BTreeMap::new(),
            strangers: 0,
        });
    }
    found
}

/// The template as a regex: its words in their order, anything in place of what varies. None where that says too little, or
/// where it would hold a secret.
fn regex_of(template: &str, redactor: &Redactor) -> Option<String> {
    if redactor.redact(template.as_bytes(), &mut Vec::new(), &mut Counts::default()) {
        return None;
    }
    let mut regex = String::from("^\\s*");
    let (mut rest, mut letters) = (template.trim(), 0);
    while let Some(first) = rest.chars().next() {
        if let Some(kind) = Kind::at_start(rest.as_bytes()) {
            if matches!(kind, Kind::Trace | Kind::Rest) {
                return (letters >= LETTERS).then_some(regex);
            }
            if !regex.ends_with(".+") {
                regex.push_str(".+");
            }
            rest = rest.get(kind.placeholder().len()..).unwrap_or_default();
            continue;
        }
        if first.is_ascii_punctuation() {
            regex.push('\\');
            regex.push(first);
        } else if first.is_whitespace() {
            regex.push_str("\\s+");
        } else {
            regex.push(first);
        }
        letters += usize::from(first.is_alphabetic());
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() && first.is_whitespace());
        if !first.is_whitespace() {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    regex.push_str("\\s*$");
    (letters >= LETTERS).then_some(regex)
}

/// Some stored lines of a template, each different, without their secrets.
fn lines_of(reader: &Reader, redactor: &Redactor, id: TemplateId, most: usize) -> Vec<String> {
    let query = Query {
        templates: Some(vec![id]),
        backwards: true,
        limit: most * 4,
        ..Query::default()
    };
    let mut lines: Vec<String> = Vec::new();
    // What cannot be read is no example; the rule is left out then.
    let _ = reader.query(&query, |hit| {
        let line = clean(redactor, hit.batch.get(hit.event.text));
        if line.len() <= LINE_BYTES && !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
        if lines.len() < most {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    lines
}

fn clean(redactor: &Redactor, text: &[u8]) -> String {
    let mut out = Vec::new();
    let found = redactor.redact(text, &mut out, &mut Counts::default());
    String::from_utf8_lossy(if found { &out } else { text }).into_owned()
}

/// For each candidate lines of the templates that are most like it and are about something else.
fn counter_examples(
    reader: &Reader,
    redactor: &Redactor,
    candidates: &mut [Candidate],
) -> anyhow::Result<()> {
    let mut templates = reader.templates();
    templates.retain(|template| template.alias_of.is_none());
    for candidate in candidates {
        let own = words(&candidate.template.text);
        let mut like: Vec<(usize, &KnownTemplate)> = templates
            .iter()
            .filter(|other| {
                let judged = other.judged.as_deref();
                other.id != candidate.template.id
                    && judged.and_then(|judged| judged.category.as_deref())
                        != Some(candidate.category.as_str())
            })
            .map(|other| {
                let shared = words(&other.text)
                    .iter()
                    .filter(|word| own.contains(word))
                    .count();
                (shared, other)
            })
            .filter(|(shared, _)| *shared > 0)
            .collect();
        like.sort_by_key(|(shared, other)| {
            (std::cmp::Reverse(*shared), std::cmp::Reverse(other.count))
        });
        for (_, other) in like.into_iter().take(COUNTER_EXAMPLES) {
            candidate
                .no_match
                .extend(lines_of(reader, redactor, other.id, 1));
        }
    }
    Ok(())
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| word.len() > 2)
        .map(str::to_lowercase)
        .collect()
}

/// Runs each candidate over its own lines: examples that it does not decide go, counter-examples that it matches are told.
fn try_out(taxonomy: &Taxonomy, candidates: &mut [Candidate]) {
    for candidate in candidates {
        if candidate.matches.is_empty() {
            candidate.flaw = Some("no line of it is stored any more".to_owned());
            continue;
        }
        // Twice: what goes wrong the first time is left out the second time.
        for _ in 0..2 {
            let text = yaml("candidate", taxonomy, std::iter::once(&*candidate));
            let report = match Pack::parse(text.as_bytes())
                .and_then(|pack| logline::rules::test_pack(&pack))
            {
                Ok(report) => report,
                Err(problem) => {
                    candidate.flaw = Some(format!("is no sound rule: {problem}"));
                    break;
                }
            };
            for failure in report.failures {
                if matches!(failure.why, Why::Matches) {
                    candidate.no_match.retain(|line| *line != failure.example);
                } else {
                    candidate.matches.retain(|line| *line != failure.example);
                }
            }
        }
        if candidate.matches.is_empty() && candidate.flaw.is_none() {
            candidate.flaw = Some("does not match the lines of its own template".to_owned());
        }
    }
}

/// What each candidate would change of all that is stored. One that would take events of other categories is left out.
fn history(reader: &Reader, pack: &Pack, candidates: &mut [Candidate]) -> anyhow::Result<()> {
    let sound = candidates
        .iter()
        .filter(|candidate| candidate.flaw.is_none());
    let text = yaml("candidates", &pack.taxonomy, sound);
    if !candidates.iter().any(|candidate| candidate.flaw.is_none()) {
        return Ok(());
    }
    let suggested = Pack::parse(text.as_bytes())?;
    let rules = std::sync::Arc::new(RuleSet::compile(&suggested)?);
    let places: HashMap<String, usize> = candidates
        .iter()
        .enumerate()
        .map(|(place, candidate)| (candidate.id.clone(), place))
        .collect();
    // Templates are not what is asked for here: one is enough.
    let limits = template::Limits {
        max_templates: 1,
        ..template::Limits::default()
    };
    let mut sieve = Sieve::new(
        std::sync::Arc::clone(&rules),
        limits,
        TimeContext::default(),
    );
    reader.query(&Query::default(), |hit| {
        let source = Source {
            stream: hit.event.stream,
            ..Source::default()
        };
        let judged = sieve.judge(hit.batch.get(hit.event.text), &source);
        let place = judged
            .decision
            .and_then(|decision| places.get(rules.rule_id(decision.rule)));
        if let Some(candidate) = place.and_then(|place| candidates.get_mut(*place)) {
            let now = hit.batch.labels.category(hit.event.verdict.category);
            *candidate.decides.entry(now.to_owned()).or_default() += 1;
            let template = hit.event.template_text.as_ref().map(|text| text.id);
            candidate.strangers += u64::from(template != Some(candidate.template.id));
        }
        ControlFlow::Continue(())
    })?;
    for candidate in candidates.iter_mut() {
        let wrong: u64 = candidate
            .decides
            .iter()
            .filter(|(now, _)| **now != candidate.category && *now != crate::flow::UNCLASSIFIED)
            .map(|(_, events)| *events)
            .sum();
        if wrong > 0 && candidate.flaw.is_none() {
            candidate.flaw = Some(format!(
                "would take {wrong} stored events from other categories"
            ));
        }
    }
    Ok(())
}

/// The candidates as a pack, with what each would change before it, and those that are left out behind it.
fn shown(pack: &Pack, candidates: &[Candidate]) -> String {
    let (sound, flawed): (Vec<_>, Vec<_>) = candidates
        .iter()
        .partition(|candidate| candidate.flaw.is_none());
    let mut out = format!(
        "# {} rules suggested from what the LLM and people have said of templates; {} left out.\n\
         # `logsieve rules test FILE` runs their lines. Adopt one by moving it into your pack.\n",
        sound.len(),
        flawed.len()
    );
    out.push_str(&yaml("suggested", &pack.taxonomy, sound.iter().copied()));
    for candidate in flawed {
        let flaw = candidate.flaw.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "# left out: {} for {}: {}",
            candidate.id,
            in_comment(&candidate.template.text),
            in_comment(flaw)
        );
    }
    out
}

/// What a candidate would do to what is stored, as a comment.
fn effect(candidate: &Candidate) -> String {
    let changed = |now: &str| candidate.decides.get(now).copied().unwrap_or_default();
    let mut out = format!(
        "  # {}\n  # {}\n  # of what is stored: {} events that are unclassified become {}, {} that are {} stay so; {} of them are of other templates\n",
        in_comment(&candidate.template.text),
        in_comment(&candidate.reason),
        changed(crate::flow::UNCLASSIFIED),
        candidate.category,
        changed(&candidate.category),
        candidate.category,
        candidate.strangers,
    );
    if candidate.no_match.is_empty() {
        out.push_str("  # nothing like it is stored that it could be held against\n");
    }
    out
}

/// A text that ends no comment and hides in none.
fn in_comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

/// A pack of these rules. Strings are written as JSON has them, which is YAML, too.
fn yaml<'a>(name: &str, taxonomy: &Taxonomy, rules: impl Iterator<Item = &'a Candidate>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let list = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
        lines.join(", ")
    };
    let mut out = format!(
        "version: 1\nname: {name}\ntaxonomy:\n  version: {}\n  categories:\n",
        taxonomy.version
    );
    for category in &taxonomy.categories {
        let _ = write!(
            out,
            "    - id: {}\n      means: {}\n",
            quoted(&category.id),
            quoted(&category.means)
        );
        if let Some(not) = &category.not {
            let _ = writeln!(out, "      not: {}", quoted(not));
        }
    }
    let mut any = false;
    for rule in rules {
        if !any {
            out.push_str("rules:\n");
            any = true;
        }
        out.push_str(&effect(rule));
        let _ = write!(
            out,
            "  - id: {}\n    category: {}\n    on: message\n    regex: [{}]\n    match: [{}]\n",
            quoted(&rule.id),
            quoted(&rule.category),
            quoted(&rule.regex),
            list(&rule.matches)
        );
        if !rule.no_match.is_empty() {
            let _ = writeln!(out, "    no_match: [{}]", list(&rule.no_match));
        }
    }
    if !any {
        out.push_str("rules: []\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_becomes_a_regex_of_its_words() {
        let redactor = Redactor::new(&RedactOptions::default()).unwrap();
        let regex = |template: &str| regex_of(template, &redactor);
        assert_eq!(
            regex("queued newsletter <num> for <num> (v<ver>)").unwrap(),
            r"^\s*queued\s+newsletter\s+.+\s+for\s+.+\s+\(v.+\)\s*$"
        );
        assert_eq!(
            regex("worker has stopped: <trace>").unwrap(),
            r"^\s*worker\s+has\s+stopped\:\s+"
        );
        assert_eq!(regex("<num> <*> ok"), None, "too little");
        assert_eq!(
            regex("login with password=Sw0rdf1sh-99 now"),
            None,
            "a secret"
        );
    }
}
