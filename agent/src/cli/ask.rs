//! `logsieve ask`: a question about what is stored.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde_json::Value;

use super::export::open;
use super::local::ModelArgument;
use super::{Colour, Failed, output};
use crate::ask::{Engine, Question};
use crate::escape::escape_terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What you want to know, in your words
    #[arg(required = true)]
    question: Vec<String>,
    /// The store's directory; without one where `run` keeps it by default. No agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Ask the agent that runs at this address, such as http://127.0.0.1:7333, instead of a store
    #[arg(long, value_name = "URL", conflicts_with_all = ["data_dir", "model"])]
    url: Option<String>,
    /// The file with the token that the agent at --url asks for
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
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

/// An agent has so long to answer; a language model may be asked.
const PATIENCE: Duration = Duration::from_secs(120);
/// At most so much of an answer is read.
const ANSWER_BYTES: u64 = 64 << 20;

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
    let text = arguments.question.join(" ");
    let answer = match &arguments.url {
        Some(url) => elsewhere(arguments, url, &text)?,
        None => {
            let question = Question {
                text,
                k: arguments.k,
                container: arguments.container.clone(),
                around: arguments.around,
                ..Question::default()
            };
            let reader = open(arguments.data_dir.as_ref())?;
            let engine = Engine::new(reader, arguments.model.embed()?);
            serde_json::to_value(engine.ask(&question)?)?
        }
    };
    let out = match arguments.format {
        Format::Json => {
            let mut json = serde_json::to_vec(&answer)?;
            json.push(b'\n');
            json
        }
        Format::Text => shown(&answer, output::wants_colour(arguments.color)),
    };
    output::print(&out)
}

/// Asks a running agent.
fn elsewhere(arguments: &Arguments, url: &str, question: &str) -> anyhow::Result<Value> {
    let address = format!("{}/api/logs/query", url.trim_end_matches('/'));
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let mut request = agent
        .post(&address)
        .header("Content-Type", "application/json");
    if let Some(file) = &arguments.token_file {
        let token = std::fs::read_to_string(file)
            .with_context(|| format!("{}: cannot be read", file.display()))?;
        request = request.header("Authorization", format!("Bearer {}", token.trim()));
    }
    let mut asked = serde_json::json!({ "question": question, "k": arguments.k });
    if arguments.around > 0 {
        asked["around"] = arguments.around.into();
    }
    if let Some(container) = &arguments.container {
        asked["container_id"] = container.as_str().into();
    }
    let mut answer = request
        .send(&serde_json::to_vec(&asked)?)
        .with_context(|| format!("no agent answers at {address}"))?;
    let status = answer.status();
    let body = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES)
        .read_to_vec()
        .with_context(|| format!("{address}: the answer breaks off"))?;
    let said: Value = serde_json::from_slice(&body)
        .with_context(|| format!("{address}: {status}, and no JSON: is it the API's address?"))?;
    if status.is_success() {
        return Ok(said);
    }
    let told = |key: &str| said["error"][key].as_str().unwrap_or_default();
    Err(Failed(format!(
        "{address}: {status}: {}; {}",
        told("message"),
        told("hint")
    ))
    .into())
}

/// Lines that are printed of each reference.
const SHOWN: usize = 3;

fn shown(answer: &Value, colour: bool) -> Vec<u8> {
    let style = |style: Style| if colour { style } else { Style::new() };
    let dim = style(Style::new().dimmed());
    let bold = style(Style::new().bold());
    let text = |value: &Value, out: &mut Vec<u8>| {
        escape_terminal(value.as_str().unwrap_or_default().as_bytes(), None, out);
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut out = Vec::new();
    escape_terminal(
        answer["answer"].as_str().unwrap_or_default().as_bytes(),
        Some(""),
        &mut out,
    );
    out.extend_from_slice(b"\n");
    for reference in list(&answer["references"]) {
        let level = reference["level"].as_str().unwrap_or_default();
        let tone = style(
            Style::new()
                .fg_color(Some(level_colour(level).into()))
                .bold(),
        );
        let _ = write!(out, "\n{bold}[{}]{bold:#} {tone}", reference["id"]);
        text(&reference["level"], &mut out);
        let _ = write!(out, "{tone:#} ");
        text(&reference["category"], &mut out);
        let _ = write!(out, " {dim}");
        text(&reference["template"], &mut out);
        let _ = writeln!(out, "{dim:#}");
        let print = |line: &Value, mark: &str, out: &mut Vec<u8>| {
            let _ = write!(out, "  {mark} ");
            text(&line["text"], out);
            if let Some(rest) = line["rest"].as_str() {
                let _ = write!(out, " {dim}(+{} lines){dim:#}", rest.lines().count());
            }
            out.push(b'\n');
        };
        for line in list(&reference["before"]) {
            print(&line, " ", &mut out);
        }
        let lines = list(&reference["lines"]);
        for (at, line) in lines.iter().take(SHOWN).enumerate() {
            print(line, ">", &mut out);
            if at == 0 {
                for line in list(&reference["after"]) {
                    print(&line, " ", &mut out);
                }
            }
        }
        for line in list(&reference["elsewhere"]) {
            let _ = write!(out, "  ~ {dim}");
            text(&line["source"], &mut out);
            let _ = write!(out, "{dim:#} ");
            text(&line["text"], &mut out);
            out.push(b'\n');
        }
        let count = reference["count"].as_u64().unwrap_or_default();
        let more = count.saturating_sub(SHOWN.min(lines.len()) as u64);
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
