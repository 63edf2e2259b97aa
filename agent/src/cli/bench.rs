//! `logsieve bench`: replays a file through every step by itself and tells what each costs.

mod blocks;

use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use logline::assemble::{Assembler, Limits, Span};
use logline::decode::{self, Wrapper};
use logline::event::{EventRef, Stream};
use logline::header;
use logline::level::{self, Level};
use logline::redact::{RedactOptions, Redactor};
use logline::rules::{RuleInput, RuleSet, Scratch};
use logline::template::{self, Table};
use logline::time::TimeContext;

use blocks::Blocks;

use super::{PackArgument, output};
use crate::config::PackChoice;
use crate::flow::{Batch, Flow, Opening, Place, Settings, StreamInfo};
use crate::packs;
use crate::sink::encode::{Encode as _, Json, Outgoing};
use crate::source::{Closed, Kind, Origin, SourceId};

/// Bytes that the flow is given at once, as `classify` reads them.
const CHUNK: usize = 256 * 1024;

/// One step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// Split into lines and take the runtime's wrapper off
    Decode,
    /// The same, then join lines into events
    Assemble,
    /// Read the head of each event
    Header,
    /// The same, then find its level
    Level,
    /// Mask each message and find its template
    Template,
    /// Ask the rules about each event
    Rules,
    /// Look for secrets in each event
    Redact,
    /// All of it, from bytes to labelled events
    Flow,
    /// The same, then write JSON
    Json,
    /// Make the store's blocks of labelled events
    Pack,
    /// Make labelled events of the store's blocks
    Unpack,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A log file; it is read into memory first
    file: PathBuf,
    /// Measure these steps only
    #[arg(long, value_enum)]
    only: Vec<Step>,
    /// How often each step is measured; the fastest counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// KiB of text that a block of the store holds
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=65536))]
    block: u32,
    #[command(flatten)]
    pack: PackArgument,
}

/// What the later steps start from, made once and not measured. Everything lies in one piece of memory.
struct Events {
    bytes: Vec<u8>,
    events: Vec<Event>,
}

struct Event {
    text: Range<usize>,
    message: Range<usize>,
    logger: Range<usize>,
    level: Option<Level>,
    stream: Stream,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = arguments.file.display();
    let file = std::fs::read(&arguments.file).with_context(|| format!("{name}: cannot be read"))?;
    let rules = Arc::new(packs::load(&PackChoice::parse(&arguments.pack.pack))?);
    let lines = memchr::memchr_iter(b'\n', &file).count().max(1);
    let events = Events::of(&file);
    let mut table = format!(
        "{name}: {:.0} MB, {lines} lines, {} events, {} rules\n{:<9} {:>9} {:>9} {:>9} {:>8}\n",
        megabytes(file.len()),
        events.events.len(),
        rules.len(),
        "step",
        "seconds",
        "MB/s",
        "M lines/s",
        "ns/line",
    );
    let mut blocks = None;
    let mut sizes = String::new();
    let all = <Step as clap::ValueEnum>::value_variants();
    for step in all {
        if !arguments.only.is_empty() && !arguments.only.contains(step) {
            continue;
        }
        if matches!(step, Step::Pack | Step::Unpack) && blocks.is_none() {
            let made = Blocks::of(&file, &rules, arguments.block as usize * 1024);
            made.decode()?;
            sizes = made.sizes(&file)?;
            blocks = Some(made);
        }
        let (bytes, work) = step.work(&file, &events, &rules, blocks.as_ref());
        let seconds = fastest(arguments.repeat, work).as_secs_f64();
        let name = format!("{step:?}").to_lowercase();
        let lines = lines as f64;
        writeln!(
            table,
            "{name:<9} {seconds:>9.3} {:>9.1} {:>9.2} {:>8.1}",
            megabytes(bytes) / seconds,
            lines / seconds / 1e6,
            seconds / lines * 1e9,
        )?;
    }
    table.push_str(&sizes);
    output::print(table.as_bytes())
}

impl Step {
    /// The bytes that one measurement goes over, and the measurement.
    fn work<'a>(
        self,
        file: &'a [u8],
        events: &'a Events,
        rules: &'a Arc<RuleSet>,
        blocks: Option<&'a Blocks>,
    ) -> (usize, Box<dyn Fn() + 'a>) {
        let texts = events.events.iter().map(|event| event.text.len()).sum();
        let messages = events.events.iter().map(|event| event.message.len()).sum();
        match self {
            Self::Decode => (file.len(), Box::new(|| decode(file))),
            Self::Assemble => (file.len(), Box::new(|| assemble(file))),
            Self::Header => (texts, Box::new(|| events.header(false))),
            Self::Level => (texts, Box::new(|| events.header(true))),
            Self::Template => (messages, Box::new(|| events.template())),
            Self::Rules => (texts, Box::new(|| events.rules(rules))),
            Self::Redact => (texts, Box::new(|| events.redact())),
            Self::Flow => (file.len(), Box::new(|| flow(file, rules, false))),
            Self::Json => (file.len(), Box::new(|| flow(file, rules, true))),
            Self::Pack => (
                blocks.map_or(0, Blocks::texts),
                Box::new(move || blocks.into_iter().for_each(Blocks::encode)),
            ),
            Self::Unpack => (
                blocks.map_or(0, Blocks::texts),
                // That they can be read was seen before.
                Box::new(move || blocks.into_iter().for_each(|blocks| _ = blocks.decode())),
            ),
        }
    }
}

fn lines(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', file).map(move |end| {
        let line = (start, &file[start..end]);
        start = end + 1;
        line
    })
}

fn decode(file: &[u8]) {
    for (_, line) in lines(file) {
        black_box(decode::decode(line, Wrapper::Auto));
    }
}

fn assemble(file: &[u8]) {
    each_event(file, &mut |event| {
        black_box(event);
    });
}

/// Decodes and joins the whole file.
fn each_event(file: &[u8], each: &mut dyn FnMut(EventRef<'_>)) {
    let mut assembler = Assembler::new(Limits::default());
    for (start, line) in lines(file) {
        let (fragment, _) = decode::decode(line, Wrapper::Auto);
        let span = Span {
            start: start as u64,
            end: (start + line.len() + 1) as u64,
        };
        assembler.push(&fragment, span, 0, each);
    }
    assembler.finish(each);
}

fn flow(file: &[u8], rules: &Arc<RuleSet>, write: bool) {
    let mut flow = Flow::new(Settings::default(), Arc::clone(rules));
    let id = SourceId::next();
    let info = StreamInfo {
        id: "bench".to_owned(),
        origin: Arc::new(Origin::plain(Kind::File, "bench")),
    };
    flow.open(id, Opening::new(info, Place::Passing, Wrapper::Auto), 0);
    let mut batch = Batch::new(flow.labels());
    let mut encoder = Json::default();
    let mut out = Vec::new();
    let mut offset = 0;
    for chunk in file.chunks(CHUNK) {
        flow.bytes(id, offset, chunk, 0, &mut batch);
        offset += chunk.len() as u64;
        flow.settle(&mut batch);
        if write {
            for event in &batch.events {
                encoder.encode(&Outgoing::plain(&batch, event), &mut out);
            }
            black_box(&out);
            out.clear();
        }
        batch.clear();
    }
    flow.close(id, Closed::End, 0, &mut batch);
}

impl Events {
    fn of(file: &[u8]) -> Self {
        let mut all = Self {
            bytes: Vec::with_capacity(file.len() * 2),
            events: Vec::new(),
        };
        each_event(file, &mut |event| all.keep(event.text, event.stream));
        all
    }

    fn keep(&mut self, text: &[u8], stream: Stream) {
        let head = header::parse(text, &TimeContext::default());
        let at = self.bytes.len();
        self.bytes.extend_from_slice(text);
        // Mostly the message is a part of the text, and has to be found there as in the flow: not as a copy.
        let mut part = |part: &[u8]| {
            let inside = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
            match inside.filter(|offset| offset + part.len() <= text.len()) {
                Some(offset) => at + offset..at + offset + part.len(),
                None => {
                    let start = self.bytes.len();
                    self.bytes.extend_from_slice(part);
                    start..self.bytes.len()
                }
            }
        };
        let event = Event {
            text: at..at + text.len(),
            message: part(&head.message),
            logger: head.logger.as_deref().map_or(0..0, part),
            level: head.level,
            stream,
        };
        self.events.push(event);
    }

    fn get(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    fn header(&self, level: bool) {
        for event in &self.events {
            let text = self.get(&event.text);
            let head = header::parse(text, &TimeContext::default());
            if level {
                black_box(level::of(&head, text));
            }
            black_box(head);
        }
    }

    fn template(&self) {
        let mut table = Table::new(template::Limits::default());
        for event in &self.events {
            black_box(table.observe(self.get(&event.message)));
        }
    }

    fn redact(&self) {
        // The built-in detectors alone cannot be refused.
        let Ok(redactor) = Redactor::new(&RedactOptions::default()) else {
            return;
        };
        let mut found = Vec::new();
        for event in &self.events {
            redactor.find(self.get(&event.text), &mut found);
            black_box(&found);
        }
    }

    fn rules(&self, rules: &RuleSet) {
        let mut scratch = Scratch::default();
        for event in &self.events {
            let input = RuleInput {
                line: self.get(&event.text),
                message: self.get(&event.message),
                logger: Some(self.get(&event.logger)).filter(|logger| !logger.is_empty()),
                level: event.level,
                stream: event.stream,
                container: None,
                image: None,
                labels: &[],
            };
            black_box(rules.decide(&mut scratch, &input));
        }
    }
}

fn fastest(repeat: u32, work: impl Fn()) -> Duration {
    let once = || {
        let start = cpu_time();
        work();
        cpu_time().saturating_sub(start)
    };
    (0..repeat).map(|_| once()).min().unwrap_or_default()
}

/// CPU time of this thread, which other work on the machine does not count into.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
