//! From a line to a labelled event.

use std::borrow::Cow;
use std::sync::Arc;

use logline::decode;
use logline::event::{EventRef, Fragment};
use logline::level::Level;
use logline::sieve::{Sieve, Source};

use super::batch::{Batch, Labelled, Slice};
use super::labels::Labels;
use super::lines::Line;
use super::memo::Memo;
use super::packs::Packs;
use super::stats::Stats;
use super::stream::{self, OpenStream};
use super::verdict::Verdict;
use crate::source::Entry;

/// The sieve with its memory, and what it counts.
pub(super) struct Labeller {
    pub(super) sieve: Sieve,
    pub(super) labels: Arc<Labels>,
    pub(super) memo: Memo,
    pub(super) stats: Stats,
    /// The rules that single streams ask for.
    pub(super) packs: Packs,
    /// Bytes kept of an event that is not joined.
    pub(super) max_bytes: usize,
}

impl Labeller {
    pub(super) fn line(
        &mut self,
        parts: &mut stream::Parts<'_>,
        line: &Line<'_>,
        now_ms: u64,
        batch: &mut Batch,
    ) {
        self.stats.lines += 1;
        let (mut fragment, malformed) = decode::decode(line.bytes, parts.wrapper);
        if let Some(reason) = malformed {
            self.stats.malformed(reason);
            parts.tally.malformed += 1;
        }
        fragment.cut_bytes += line.cut_bytes;
        match parts.assembler.take() {
            Some(assembler) => {
                parts.line(!fragment.partial);
                assembler.push(&fragment, line.span, now_ms, &mut |event| {
                    self.event(parts, &event, batch);
                });
                parts.assembler = Some(assembler);
            }
            None => {
                fragment.cut_to(self.max_bytes);
                let event = EventRef {
                    timestamp: fragment.timestamp,
                    stream: fragment.stream,
                    text: &fragment.text,
                    lines: 1,
                    cut_bytes: fragment.cut_bytes,
                    partial: false,
                    start: line.span.start,
                    end: line.span.end,
                };
                parts.line(true);
                self.event(parts, &event, batch);
            }
        }
    }

    pub(super) fn finish(
        &mut self,
        stream: &mut OpenStream,
        join: bool,
        now_ms: u64,
        batch: &mut Batch,
    ) {
        let (splitter, mut parts) = stream.parts(join);
        splitter.finish(&mut |line| self.line(&mut parts, &line, now_ms, batch));
        self.release(stream, batch);
    }

    /// Emits what a stream's assembler holds.
    pub(super) fn release(&mut self, stream: &mut OpenStream, batch: &mut Batch) {
        let (assembler, mut parts) = stream.held();
        assembler.finish(&mut |event| self.event(&mut parts, &event, batch));
    }

    /// Labels an event that another program has handed over.
    pub(super) fn received(
        &mut self,
        parts: &mut stream::Parts<'_>,
        entry: &Entry,
        text: &[u8],
        batch: &mut Batch,
    ) {
        let mut fragment = Fragment {
            timestamp: entry.timestamp,
            stream: entry.stream,
            partial: false,
            text: Cow::Borrowed(text),
            cut_bytes: 0,
        };
        fragment.cut_to(self.max_bytes);
        let breaks = memchr::memchr_iter(b'\n', &fragment.text).count();
        let lines = u32::try_from(breaks + 1).unwrap_or(u32::MAX);
        for _ in 0..lines {
            parts.line(true);
        }
        self.stats.lines += u64::from(lines);
        let event = EventRef {
            timestamp: fragment.timestamp,
            stream: fragment.stream,
            text: &fragment.text,
            lines,
            cut_bytes: fragment.cut_bytes,
            partial: false,
            start: entry.start,
            end: entry.start.saturating_add(text.len() as u64),
        };
        self.stated(parts, &event, entry.level, batch);
    }

    pub(super) fn event(
        &mut self,
        parts: &mut stream::Parts<'_>,
        event: &EventRef<'_>,
        batch: &mut Batch,
    ) {
        self.stated(parts, event, None, batch);
    }

    /// Labels an event whose level may be known already.
    fn stated(
        &mut self,
        parts: &mut stream::Parts<'_>,
        event: &EventRef<'_>,
        level: Option<Level>,
        batch: &mut Batch,
    ) {
        let info = parts.info;
        let container = info.origin.container.as_ref();
        let source = Source {
            stream: event.stream,
            container: container.map(|container| container.name.as_str()).or(info
                .origin
                .k8s
                .as_ref()
                .map(|k8s| k8s.container.as_str())),
            image: container.map(|container| container.image.as_str()),
            labels: info.origin.labels(),
            level,
        };
        let (judged, verdict) = match parts.pack.and_then(|pack| self.packs.get(pack)) {
            Some(pack) => {
                let judged =
                    self.sieve
                        .judge_by(&pack.rules, &mut pack.scratch, event.text, &source);
                let verdict = judged.decision.map(|decision| pack.verdict(&decision));
                (judged, verdict)
            }
            None => {
                let judged = self.sieve.judge(event.text, &source);
                let verdict = judged.decision.as_ref().map(Verdict::by_rule);
                (judged, verdict)
            }
        };
        let verdict = verdict.unwrap_or(Verdict::UNCLASSIFIED);
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
        parts.event(event);
        self.stats.event(&labelled);
        batch.events.push(labelled);
    }
}
