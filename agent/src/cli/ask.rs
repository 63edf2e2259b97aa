//! `logsieve ask`: a question about what is stored.

use std::io::Write as _;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use super::export::open;
use super::local::ModelArgument;
use super::{Colour, output};
use crate::ask::{Answer, Engine, Line, Question};
use crate::escape::escape_terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What you want to know, in your words
    #[arg(required = true)]
    question: Vec<String>,
    /// The store's directory; without one where `run` keeps it by default. No agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Only what this container, pod or file wrote
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// At most so many kinds of lines
    #[arg(short, default_value_t = 8)]
    k: usize,
    /// How the answer is printed
    #[arg(long, short, value_enum, default_value_t)]
    format: Format,
    /// Lines before and after the best match
    #[arg(long, value_name = "N", default_value_t = 0)]
    around: usize,
    #[command(flatten)]
    model: ModelArgument,
    /// When colours are used
    #[arg(long, value_enum, default_value_t)]
    color: Colour,
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let question = Question {
        text: arguments.question.join(" "),
        k: arguments.k,
        container: arguments.container.clone(),
        around: arguments.around,
        ..Question::default()
    };
    let reader = open(arguments.data_dir.as_ref())?;
    let engine = Engine::new(reader, arguments.model.embed()?);
    let answer = engine.ask(&question)?;
    let text = match arguments.format {
        Format::Json => {
            let mut json = serde_json::to_vec(&answer)?;
            json.push(b'\n');
            json
        }
        Format::Text => text(&answer, output::wants_colour(arguments.color)),
    };
    output::print(&text)
}

/// Lines that are printed of each reference.
const SHOWN: usize = 3;

fn text(answer: &Answer, colour: bool) -> Vec<u8> {
    let style = |style: Style| if colour { style } else { Style::new() };
    let dim = style(Style::new().dimmed());
    let bold = style(Style::new().bold());
    let mut out = Vec::new();
    escape_terminal(answer.answer.as_bytes(), Some(""), &mut out);
    out.extend_from_slice(b"\n");
    for reference in &answer.references {
        let level = style(
            Style::new()
                .fg_color(Some(level_colour(reference.level).into()))
                .bold(),
        );
        let _ = write!(
            out,
            "\n{bold}[{}]{bold:#} {level}{}{level:#} {} {dim}",
            reference.id, reference.level, reference.category
        );
        escape_terminal(reference.template.as_bytes(), None, &mut out);
        let _ = writeln!(out, "{dim:#}");
        let print = |line: &Line, mark: &str, out: &mut Vec<u8>| {
            let _ = write!(out, "  {mark} ");
            escape_terminal(line.text.as_bytes(), None, out);
            if !line.rest.is_empty() {
                let _ = write!(out, " {dim}(+{} lines){dim:#}", line.rest.lines().count());
            }
            out.push(b'\n');
        };
        for line in &reference.before {
            print(line, " ", &mut out);
        }
        for (at, line) in reference.lines.iter().take(SHOWN).enumerate() {
            print(line, ">", &mut out);
            if at == 0 {
                for line in &reference.after {
                    print(line, " ", &mut out);
                }
            }
        }
        let more = reference
            .count
            .saturating_sub(SHOWN.min(reference.lines.len()) as u64);
        if more > 0 {
            let _ = writeln!(out, "    {dim}and {more} more{dim:#}");
        }
    }
    out
}

fn level_colour(level: &str) -> AnsiColor {
    match level {
        "fatal" | "error" => AnsiColor::Red,
        "warn" => AnsiColor::Yellow,
        _ => AnsiColor::Green,
    }
}
