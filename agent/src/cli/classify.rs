//! `logsieve classify`: labels saved files or a pipe.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use logline::decode::Wrapper;
use logline::time::TimeContext;

use super::input::{Input, Piece, Unreadable};
use super::local::{ModelArgument, judge_templates};
use super::summary::Summary;
use super::{Colour, Failed, InputArguments, PackArgument, output};
use crate::classify::Judge;
use crate::config::PackChoice;
use crate::flow::{Batch, Flow, Opening, Place, Settings, StreamInfo};
use crate::packs;
use crate::sink::encode::{Encode, Json, Outgoing, Pretty, Tsv};
use crate::source::{Closed, Kind, Origin, SourceId};

/// Events that are held back at the start, so that the templates have settled before their ids are printed.
const WINDOW_EVENTS: usize = 65_536;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// Events that are handed on together afterwards.
const BATCH_EVENTS: usize = 1_024;
/// Bytes of output that are written together.
const OUTPUT_BYTES: usize = 64 * 1024;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line for people
    Pretty,
    /// One JSON object an event
    Json,
    /// Tab-separated columns
    Tsv,
    /// Only a table: categories by level, top templates, what is new
    Summary,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// How events are written [default: pretty on a terminal, json elsewhere]
    #[arg(long, short, value_enum)]
    format: Option<Format>,
    /// Make every input line an event of its own: no joining of pieces and stack traces
    #[arg(long)]
    no_join: bool,
    /// Leave templates that differ in a word apart, as the plugins do, which see one line at a time
    #[arg(long)]
    no_merge: bool,
    #[command(flatten)]
    pack: PackArgument,
    #[command(flatten)]
    model: ModelArgument,
    /// When colours are used
    #[arg(long, value_enum, default_value_t)]
    color: Colour,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let format = arguments
        .format
        .unwrap_or(if std::io::stdout().is_terminal() {
            Format::Pretty
        } else {
            Format::Json
        });
    let pack = packs::read(&PackChoice::parse(&arguments.pack.pack))?;
    let rules = packs::compile(&pack)?;
    let judge = arguments.model.open(&pack)?;
    let mut settings = Settings {
        join: !arguments.no_join,
        ..Settings::default()
    };
    if arguments.no_merge {
        // A merge leaves an alias; where there is room for none, nothing merges.
        settings.templates.max_aliases = 0;
    }
    let colour = output::wants_colour(arguments.color);
    let mut work = Work::new(
        Flow::new(settings, Arc::new(rules)),
        judge,
        Printer::new(format, colour),
    );
    let inputs = Input::of(&arguments.input.files);
    let progress = progress(&inputs, format);
    let mut unread = 0;
    for input in &inputs {
        match work.read(input, &progress) {
            // One file that cannot be read is no reason to keep the others back.
            Err(error) if error.is::<Unreadable>() => {
                progress.suspend(|| output::complain(&error));
                unread += 1;
            }
            done => done?,
        }
    }
    progress.finish_and_clear();
    work.finish()?;
    if unread > 0 {
        anyhow::bail!(Failed(format!(
            "{unread} of {} inputs could not be read",
            inputs.len()
        )));
    }
    Ok(())
}

/// A bar on standard error where a person is waiting and nothing else is written to the same terminal.
fn progress(inputs: &[Input], format: Format) -> ProgressBar {
    let total: Option<u64> = inputs.iter().map(Input::size).sum();
    let would_mix = std::io::stdout().is_terminal() && format != Format::Summary;
    let (Some(total), true, false) = (total, std::io::stderr().is_terminal(), would_mix) else {
        return ProgressBar::hidden();
    };
    let bar = ProgressBar::new(total);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}")
    {
        bar.set_style(style);
    }
    bar
}

struct Work {
    flow: Flow,
    judge: Option<Judge>,
    batch: Batch,
    printer: Printer,
    started: Instant,
    in_window: bool,
}

impl Work {
    fn new(flow: Flow, judge: Option<Judge>, printer: Printer) -> Self {
        let batch = Batch::new(flow.labels());
        Self {
            flow,
            judge,
            batch,
            printer,
            started: Instant::now(),
            in_window: true,
        }
    }

    fn read(&mut self, input: &Input, progress: &ProgressBar) -> anyhow::Result<()> {
        let id = SourceId::next();
        let kind = if *input == Input::Stdin {
            Kind::Stdin
        } else {
            Kind::File
        };
        let origin = Arc::new(Origin::plain(kind, input.name()));
        self.flow.set_time(TimeContext {
            reference: Some(input.written_at()),
            ..TimeContext::default()
        });
        let info = StreamInfo {
            id: input.name(),
            origin,
        };
        let opening = Opening::new(info, Place::Passing, Wrapper::Auto);
        self.flow.open(id, opening, self.now_ms());
        let mut offset = 0;
        let read = input.read(&mut |piece| {
            match piece {
                Piece::Bytes(bytes) => {
                    self.flow
                        .bytes(id, offset, bytes, self.now_ms(), &mut self.batch);
                    offset += bytes.len() as u64;
                    progress.inc(bytes.len() as u64);
                    let (events, bytes) = if self.in_window {
                        (WINDOW_EVENTS, WINDOW_BYTES)
                    } else {
                        (BATCH_EVENTS, WINDOW_BYTES)
                    };
                    if self.batch.events.len() < events && self.batch.bytes_len() < bytes {
                        return Ok(());
                    }
                }
                Piece::Idle => {
                    self.flow.expire(self.now_ms(), &mut self.batch);
                    if self.batch.events.is_empty() {
                        return Ok(());
                    }
                }
            }
            self.hand_on()?;
            if matches!(piece, Piece::Idle) {
                self.printer.flush()
            } else {
                Ok(())
            }
        });
        self.flow
            .close(id, Closed::End, self.now_ms(), &mut self.batch);
        read
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.hand_on()?;
        self.printer.finish(&self.flow)
    }

    fn hand_on(&mut self) -> anyhow::Result<()> {
        self.in_window = false;
        self.flow.settle(&mut self.batch);
        if let Some(judge) = &mut self.judge {
            judge_templates(judge, &mut self.flow, &mut self.batch, false)?;
        }
        self.printer.print(&self.batch)?;
        self.batch.clear();
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

enum Printer {
    Events {
        encoder: Box<dyn Encode>,
        out: Vec<u8>,
    },
    Summary(Box<Summary>),
}

impl Printer {
    fn new(format: Format, colour: bool) -> Self {
        let events = |encoder: Box<dyn Encode>, head: &[u8]| Self::Events {
            encoder,
            out: head.to_vec(),
        };
        match format {
            Format::Json => events(Box::<Json>::default(), b""),
            Format::Pretty => events(
                Box::new(Pretty {
                    colour,
                    origin: false,
                }),
                b"",
            ),
            Format::Tsv => events(Box::new(Tsv), Tsv::HEADER),
            Format::Summary => Self::Summary(Box::new(Summary::new(colour))),
        }
    }

    fn print(&mut self, batch: &Batch) -> anyhow::Result<()> {
        match self {
            Self::Events { encoder, out } => {
                for event in &batch.events {
                    encoder.encode(&Outgoing::plain(batch, event), out);
                    if out.len() >= OUTPUT_BYTES {
                        std::io::stdout().write_all(out)?;
                        out.clear();
                    }
                }
            }
            Self::Summary(summary) => summary.add(batch),
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if let Self::Events { out, .. } = self {
            output::print(out)?;
            out.clear();
        }
        Ok(())
    }

    fn finish(mut self, flow: &Flow) -> anyhow::Result<()> {
        match &mut self {
            Self::Events { .. } => self.flush(),
            Self::Summary(summary) => output::print(&summary.render(flow)),
        }
    }
}
