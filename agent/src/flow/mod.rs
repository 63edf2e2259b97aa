//! The middle of the agent: bytes of streams in, labelled events out.
//!
//! One thread owns a [`Flow`]. Per stream it splits lines, takes the runtime's wrapper off and joins what belongs
//! together; per event it asks the sieve. Everything here is bounded and nothing waits.

mod batch;
mod labels;
mod lines;
mod stats;
#[cfg(test)]
mod tests;
mod verdict;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use logline::assemble::{Assembler, Span};
use logline::decode::{self, Wrapper};
use logline::event::{EventRef, Stream};
use logline::rules::RuleSet;
use logline::sieve::{Sieve, Source};
use logline::template;
use logline::time::TimeContext;

pub use batch::{Batch, Labelled, Slice, TemplateText};
pub use labels::{Labels, UNCLASSIFIED};
pub use stats::Stats;
pub use verdict::{Stage, Verdict};
pub use worker::{Control, Ends, Worker};

use crate::source::{Origin, SourceId};
use lines::{Line, Splitter};

/// What a flow is set up with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bounds of the joins.
    pub assemble: logline::assemble::Limits,
    /// Off: every physical line is an event of its own, pieces and empty lines included.
    pub join: bool,
    /// Bounds of the template table.
    pub templates: template::Limits,
    /// What the times in the lines leave open.
    pub time: TimeContext,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            assemble: logline::assemble::Limits::default(),
            join: true,
            templates: template::Limits::default(),
            time: TimeContext::default(),
        }
    }
}

/// A stream as the flow and the sinks know it.
#[derive(Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The first part of its events' ids: the same for the same file or container in every run.
    pub id: String,
    /// Who writes it.
    pub origin: Arc<Origin>,
}

struct OpenStream {
    info: Arc<StreamInfo>,
    wrapper: Wrapper,
    splitter: Splitter,
    assembler: Assembler,
}

/// The middle of the agent. See the module's text.
pub struct Flow {
    settings: Settings,
    streams: HashMap<SourceId, OpenStream>,
    labeller: Labeller,
}

impl Flow {
    /// A flow with no stream, judging by `rules`.
    #[must_use]
    pub fn new(settings: Settings, rules: Arc<RuleSet>) -> Self {
        let labels = Arc::new(Labels::of(&rules));
        let sieve = Sieve::new(rules, settings.templates, settings.time);
        let labeller = Labeller {
            sieve,
            labels,
            texts: Vec::new(),
            stats: Stats::default(),
            max_bytes: settings.assemble.max_bytes,
        };
        Self {
            settings,
            streams: HashMap::new(),
            labeller,
        }
    }

    /// What the flow was set up with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The names that new batches are to be made with.
    #[must_use]
    pub fn labels(&self) -> Arc<Labels> {
        Arc::clone(&self.labeller.labels)
    }

    /// What has been counted since the last time it was taken.
    pub fn take_stats(&mut self) -> Stats {
        std::mem::take(&mut self.labeller.stats)
    }

    /// The templates seen so far.
    #[must_use]
    pub fn templates(&self) -> &template::Table {
        self.labeller.sieve.templates()
    }

    /// Judges by other rules from the next event on. Batches begun before must have been handed on.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.labeller.labels = Arc::new(Labels::of(&rules));
        self.labeller.sieve.set_rules(rules);
    }

    /// The clock moved: times without a year are read against this moment.
    pub fn set_time(&mut self, time: TimeContext) {
        self.labeller.sieve.set_time(time);
    }

    /// A stream begins.
    pub fn open(&mut self, id: SourceId, info: Arc<StreamInfo>, wrapper: Wrapper) {
        let stream = OpenStream {
            info,
            wrapper,
            splitter: Splitter::new(self.settings.assemble.max_bytes),
            assembler: Assembler::new(self.settings.assemble),
        };
        self.streams.insert(id, stream);
    }

    /// The next bytes of a stream, the first of them at `offset`. Completed events go to `batch`.
    pub fn bytes(
        &mut self,
        id: SourceId,
        offset: u64,
        bytes: &[u8],
        now_ms: u64,
        batch: &mut Batch,
    ) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let OpenStream {
            info,
            wrapper,
            splitter,
            assembler,
        } = stream;
        let labeller = &mut self.labeller;
        let join = self.settings.join;
        labeller.stats.bytes += bytes.len() as u64;
        splitter.push(offset, bytes, &mut |line| {
            labeller.line(
                info,
                *wrapper,
                &line,
                join.then_some(&mut *assembler),
                now_ms,
                batch,
            );
        });
    }

    /// One frame of the Docker engine's API, which is a whole line or a piece of one.
    pub fn record(
        &mut self,
        id: SourceId,
        stream: Stream,
        span: Span,
        bytes: &[u8],
        now_ms: u64,
        batch: &mut Batch,
    ) {
        let Some(open) = self.streams.get_mut(&id) else {
            return;
        };
        let labeller = &mut self.labeller;
        labeller.stats.bytes += bytes.len() as u64;
        let line = Line {
            bytes,
            span,
            cut_bytes: 0,
        };
        let assembler = self.settings.join.then_some(&mut open.assembler);
        labeller.line(
            &open.info,
            Wrapper::DockerApi(stream),
            &line,
            assembler,
            now_ms,
            batch,
        );
    }

    /// Emits what has waited long enough at `now_ms` for a continuation.
    pub fn expire(&mut self, now_ms: u64, batch: &mut Batch) {
        let labeller = &mut self.labeller;
        for stream in self.streams.values_mut() {
            if stream
                .assembler
                .deadline_ms()
                .is_some_and(|deadline| deadline <= now_ms)
            {
                let info = &stream.info;
                stream
                    .assembler
                    .expire(now_ms, &mut |event| labeller.event(info, &event, batch));
            }
        }
    }

    /// A stream has ended: its half line and its open events are emitted.
    pub fn close(&mut self, id: SourceId, now_ms: u64, batch: &mut Batch) {
        let Some(mut stream) = self.streams.remove(&id) else {
            return;
        };
        self.labeller
            .finish(&mut stream, self.settings.join, now_ms, batch);
    }

    /// Emits everything that is still open, in every stream.
    pub fn finish(&mut self, now_ms: u64, batch: &mut Batch) {
        for (_, mut stream) in self.streams.drain() {
            self.labeller
                .finish(&mut stream, self.settings.join, now_ms, batch);
        }
    }

    /// Fills in what is printed of the templates: the last thing before a batch is handed on, because templates may
    /// still merge while it is filled.
    pub fn settle(&mut self, batch: &mut Batch) {
        self.labeller.settle(batch);
    }
}

struct Labeller {
    sieve: Sieve,
    labels: Arc<Labels>,
    /// By template index.
    texts: Vec<Option<Arc<TemplateText>>>,
    stats: Stats,
    /// Bytes kept of an event that is not joined.
    max_bytes: usize,
}

impl Labeller {
    fn line(
        &mut self,
        info: &Arc<StreamInfo>,
        wrapper: Wrapper,
        line: &Line<'_>,
        assembler: Option<&mut Assembler>,
        now_ms: u64,
        batch: &mut Batch,
    ) {
        self.stats.lines += 1;
        let (mut fragment, malformed) = decode::decode(line.bytes, wrapper);
        if let Some(reason) = malformed {
            self.stats.malformed(reason);
        }
        fragment.cut_bytes += line.cut_bytes;
        match assembler {
            Some(assembler) => assembler.push(&fragment, line.span, now_ms, &mut |event| {
                self.event(info, &event, batch);
            }),
            None => {
                fragment.cut_to(self.max_bytes);
                let event = EventRef {
                    timestamp: fragment.timestamp,
                    stream: fragment.stream,
                    text: &fragment.text,
                    lines: 1,
                    cut_bytes: fragment.cut_bytes,
                    partial: fragment.partial,
                    start: line.span.start,
                    end: line.span.end,
                };
                self.event(info, &event, batch);
            }
        }
    }

    fn finish(&mut self, stream: &mut OpenStream, join: bool, now_ms: u64, batch: &mut Batch) {
        let OpenStream {
            info,
            wrapper,
            splitter,
            assembler,
        } = stream;
        splitter.finish(&mut |line| {
            self.line(
                info,
                *wrapper,
                &line,
                join.then_some(&mut *assembler),
                now_ms,
                batch,
            );
        });
        assembler.finish(&mut |event| self.event(info, &event, batch));
    }

    fn event(&mut self, info: &Arc<StreamInfo>, event: &EventRef<'_>, batch: &mut Batch) {
        let container = info.origin.container.as_ref();
        let source = Source {
            stream: event.stream,
            container: container.map(|container| container.name.as_str()).or(info
                .origin
                .k8s
                .as_ref()
                .map(|k8s| k8s.container.as_str())),
            image: container.map(|container| container.image.as_str()),
            labels: container.map_or(&[], |container| &container.labels),
        };
        let judged = self.sieve.judge(event.text, &source);
        let verdict = judged
            .decision
            .as_ref()
            .map_or(Verdict::UNCLASSIFIED, Verdict::by_rule);
        let text = batch.keep_text(event);
        let labelled = Labelled {
            text,
            message: batch.keep_part(&judged.message, event.text, text),
            logger: judged
                .header
                .logger
                .as_ref()
                .map_or_else(Slice::default, |logger| {
                    batch.keep_part(logger, event.text, text)
                }),
            timestamp: event.timestamp.or(judged.header.timestamp),
            stream: event.stream,
            level: judged.level,
            verdict,
            template: judged.template,
            template_text: None,
            stream_index: batch.keep_stream(info),
            lines: event.lines,
            cut_bytes: event.cut_bytes,
            start: event.start,
        };
        self.stats.event(&labelled);
        batch.events.push(labelled);
    }

    fn settle(&mut self, batch: &mut Batch) {
        let table = self.sieve.templates();
        for event in &mut batch.events {
            let template = table.get(event.template);
            if self.texts.len() <= event.template {
                self.texts.resize(event.template + 1, None);
            }
            let known = &mut self.texts[event.template];
            let text = match known {
                Some(text) if text.id == template.id => text,
                _ => known.insert(Arc::new(TemplateText::new(template))),
            };
            event.template_text = Some(Arc::clone(text));
        }
    }
}
