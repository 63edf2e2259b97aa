//! `logsieve generate`: lines of log that nobody has printed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logline::time::Timestamp;

use super::{PackArgument, export, output};
use crate::classify::LocalModel;
use crate::classify::llm::{Llm, Options, Taxonomy};
use crate::config::{Checked, PackChoice, llm};
use crate::generate::{Generator, Random, written};
use crate::packs;
use crate::telemetry::{Health, Metrics, clock};

/// At most so many lines are asked of a language model; more come from templates.
const MOST_WRITTEN: u64 = 20;
/// With a seed, time begins here: 2026-01-01T00:00:00Z.
const SEEDED_START: i64 = 1_767_225_600_000_000_000;
/// Between two lines where no rate says it: 137 ms.
const STEP_NANOS: i64 = 137_000_000;
/// Bytes that are printed together, and how long they may wait.
const WRITE_BYTES: usize = 64 * 1024;
const WRITE_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the lines are about, e.g. `disk full on the database host`; anything without it
    prompt: Option<String>,
    /// How many lines; 0 goes on until it is stopped
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u64,
    /// Lines a second; without it as fast as they can be made
    #[arg(long, value_name = "LINES", value_parser = rate)]
    rate: Option<f64>,
    /// The same number gives the same lines, from templates alone
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(flatten)]
    pack: PackArgument,
    /// A store whose templates are used too; no agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A model's directory: the meaning of the prompt counts beside its words
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// A configuration whose language model writes up to 20 lines; neither with --seed nor with --rate
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if rate > 0.0 && rate <= 1e9 {
        Ok(rate)
    } else {
        Err("use a number above 0".to_owned())
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let prompt = arguments.prompt.as_deref().unwrap_or_default();
    let pack = packs::read(&PackChoice::parse(&arguments.pack.pack))?;
    if let Some(llm) = language_model(arguments, &Taxonomy::of(&pack))? {
        let count = usize::try_from(arguments.count).unwrap_or(usize::MAX);
        match written(&llm, prompt, count) {
            Ok(lines) => return output::print((lines.join("\n") + "\n").as_bytes()),
            Err(problem) => {
                let told = anyhow::Error::from(problem);
                output::complain(&told.context("the lines come from templates"));
            }
        }
    }
    let mut generator = Generator::of(&pack);
    if let Some(directory) = &arguments.data_dir {
        let reader = export::open(Some(directory))?;
        let templates = reader.templates();
        generator.add_templates(templates.iter().map(|template| {
            let judged = template.judged.as_deref();
            let category = judged.and_then(|judged| judged.category.as_deref());
            (template.text.as_str(), category.unwrap_or_default())
        }))?;
    }
    if let Some(directory) = &arguments.model {
        generator = generator.with_model(Arc::new(LocalModel::open(directory, None, 1)?));
    }
    lines(arguments, &generator, prompt)
}

/// The language model of a configuration, where it is to write.
fn language_model(arguments: &Arguments, taxonomy: &Taxonomy) -> anyhow::Result<Option<Llm>> {
    let Some(file) = &arguments.config else {
        return Ok(None);
    };
    let config = Checked::load(Some(file))?;
    let many = arguments.count == 0 || arguments.count > MOST_WRITTEN;
    if many || arguments.seed.is_some() || arguments.rate.is_some() {
        return Ok(None);
    }
    let llm::Llm::On(settings) = config.llm else {
        return Ok(None);
    };
    let options = Options {
        settings: *settings,
        spent: None,
    };
    let metrics = Metrics::new(0, Vec::new())?;
    let llm = Llm::new(
        options,
        taxonomy.clone(),
        &metrics,
        Arc::new(Health::default()),
    )?;
    Ok(Some(llm))
}

fn lines(arguments: &Arguments, generator: &Generator, prompt: &str) -> anyhow::Result<()> {
    let choice = generator.choose(prompt);
    let mut random = arguments.seed.map_or_else(Random::from_chance, Random::new);
    let mut out = std::io::stdout().lock();
    let mut text = Vec::with_capacity(2 * WRITE_BYTES);
    let began = Instant::now();
    let mut written_at = began;
    let mut number: u64 = 0;
    while arguments.count == 0 || number < arguments.count {
        if let Some(rate) = arguments.rate {
            #[allow(clippy::cast_precision_loss)] // Far below 2^53.
            let due = Duration::from_secs_f64(number as f64 / rate);
            let early = due.saturating_sub(began.elapsed());
            if !early.is_zero() {
                out.write_all(&text)?;
                out.flush()?;
                text.clear();
                written_at = Instant::now();
                std::thread::sleep(early);
            }
        }
        let now = match arguments.seed {
            // The same lines at any time of any day.
            Some(_) => {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                Timestamp(SEEDED_START.saturating_add(number.saturating_mul(STEP_NANOS)))
            }
            None => clock::now(),
        };
        text.extend_from_slice(choice.line(&mut random, now).as_bytes());
        text.push(b'\n');
        number += 1;
        if text.len() >= WRITE_BYTES || written_at.elapsed() >= WRITE_EVERY {
            out.write_all(&text)?;
            out.flush()?;
            text.clear();
            written_at = Instant::now();
        }
    }
    out.write_all(&text)?;
    Ok(out.flush()?)
}
