//! The middle of the agent: bytes of streams in, labelled events out.
//!
//! One thread owns a [`Flow`]. Per stream it splits lines, takes the runtime's wrapper off and joins what belongs
//! together; per event it asks the sieve. Everything here is bounded and nothing waits.

mod batch;
mod cursor;
mod described;
mod judging;
mod labeller;
mod labels;
mod lines;
mod memo;
mod packs;
mod resume;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
mod verdict;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use logline::decode::Wrapper;
use logline::event::Stream;
use logline::rules::RuleSet;
use logline::sieve::Sieve;
use logline::template::{self};
use logline::time::TimeContext;

pub use batch::{Batch, Judged, Labelled, Slice, TemplateText};
pub use cursor::{Cursor, Place, Tally};
pub use labels::{Labels, UNCLASSIFIED};
pub use packs::Library;
pub use stats::Stats;
pub use stream::Opening;
pub use verdict::Verdict;

pub use worker::{Control, Ends, LateSieve, Worker};

use crate::classify::Judgement;
use crate::source::{Closed, Delivery, Origin, SourceId, docker, files};
use labeller::Labeller;
use lines::Line;
use memo::Memo;
use packs::Packs;
use resume::Known;
use stream::OpenStream;

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
    /// What is unfinished at the end stays in the streams' cursors for the next run, where the stream can be read again.
    pub keep_open: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            assemble: logline::assemble::Limits::default(),
            join: true,
            templates: template::Limits::default(),
            time: TimeContext::default(),
            keep_open: false,
        }
    }
}

/// A template of an earlier run.
#[derive(Clone, Debug)]
pub struct Adopted<'a> {
    /// The masked text.
    pub text: &'a str,
    /// Events of it.
    pub count: u64,
    /// What it is judged to be about.
    pub judged: Option<Arc<Judgement>>,
    /// Its place among the templates is known.
    pub placed: bool,
}

/// A stream as the flow and the sinks know it.
#[derive(Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The first part of its events' ids: the same for the same file or container in every run.
    pub id: String,
    /// Who writes it.
    pub origin: Arc<Origin>,
}

/// The middle of the agent. See the module's text.
pub struct Flow {
    settings: Settings,
    streams: HashMap<SourceId, OpenStream>,
    /// Streams whose cursor is to be kept with the next batch.
    touched: Vec<SourceId>,
    known: Known,
    labeller: Labeller,
    /// Categories that only the model knows.
    extra: Vec<String>,
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
            memo: Memo::default(),
            stats: Stats::default(),
            packs: Packs::default(),
            max_bytes: settings.assemble.max_bytes,
        };
        Self {
            settings,
            streams: HashMap::new(),
            touched: Vec::new(),
            known: Known::default(),
            labeller,
            extra: Vec::new(),
        }
    }

    /// What earlier runs knew: streams that are opened from now on go on where these cursors stand.
    pub fn resume(&mut self, cursors: impl IntoIterator<Item = Cursor>) {
        self.known = Known::new(cursors);
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
        let mut labels = Labels::of(&rules).with(&self.extra);
        self.labeller.packs.renew(&mut labels);
        self.labeller.memo.renumber(&labels);
        self.labeller.labels = Arc::new(labels);
        self.labeller.sieve.set_rules(rules);
    }

    /// The clock moved: times without a year are read against this moment.
    pub fn set_time(&mut self, time: TimeContext) {
        self.labeller.sieve.set_time(time);
    }

    /// A stream begins.
    pub fn open(&mut self, id: SourceId, opening: Opening, now_ms: u64) {
        let resumed = opening.resumed;
        let mut stream = OpenStream::new(opening, &self.settings.assemble);
        let cursor = match stream.place {
            Place::File { .. } => resumed.and_then(|file| self.known.file(&file)),
            Place::Docker(_) => self.known.container(&stream.info.id),
            Place::Passing => None,
        };
        if let Some(cursor) = cursor {
            stream.go_on(&cursor, now_ms);
        }
        stream.pack = self.pack_of(&stream.info.origin);
        self.streams.insert(id, stream);
    }

    /// A file's beginning has grown to what tells it better from others.
    pub fn identified(&mut self, id: SourceId, identity: files::Identity) {
        if let Some(stream) = self.streams.get_mut(&id)
            && let Place::File { file, .. } = &mut stream.place
        {
            *file = identity;
        }
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
        if self.streams.get(&id).is_some_and(OpenStream::is_fresh) {
            self.begin(id, now_ms);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let labeller = &mut self.labeller;
        let join = self.settings.join;
        labeller.stats.bytes += bytes.len() as u64;
        if stream.touch() {
            self.touched.push(id);
        }
        stream.took(offset, bytes);
        let (splitter, mut parts) = stream.parts(join);
        splitter.push(offset, bytes, &mut |line| {
            labeller.line(&mut parts, &line, now_ms, batch);
        });
    }

    /// The first bytes of a stream that no earlier run has read: it may go on with a line of the file before it.
    fn begin(&mut self, id: SourceId, now_ms: u64) {
        let Some(mut stream) = self.streams.remove(&id) else {
            return;
        };
        stream.begun = true;
        self.known.tell_apart(&mut stream);
        if let Some(before_id) = stream.follows
            && let Some(before) = self.streams.get_mut(&before_id)
        {
            if stream.take_over(before) && before.touch() {
                self.touched.push(before_id);
            }
        } else if let Some(cursor) = self.known.unfinished(&stream.info.origin.name) {
            // The file before was read to its end by an earlier run.
            let mut before = OpenStream::of(&cursor, &self.settings.assemble, now_ms);
            stream.take_over(&mut before);
            before.touch();
            let before_id = SourceId::next();
            self.streams.insert(before_id, before);
            self.touched.push(before_id);
        }
        self.streams.insert(id, stream);
    }

    /// One frame of the Docker engine's API, which is a whole line or a piece of one.
    pub fn record(
        &mut self,
        id: SourceId,
        stream: Stream,
        position: docker::Position,
        bytes: &[u8],
        now_ms: u64,
        batch: &mut Batch,
    ) {
        let Some(open) = self.streams.get_mut(&id) else {
            return;
        };
        let labeller = &mut self.labeller;
        labeller.stats.bytes += bytes.len() as u64;
        if open.touch() {
            self.touched.push(id);
        }
        open.took_frame(position, bytes.len());
        let line = Line {
            bytes,
            span: stream::span_of(position),
            cut_bytes: 0,
        };
        let (_, mut parts) = open.parts(self.settings.join);
        parts.wrapper = Wrapper::DockerApi(stream);
        labeller.line(&mut parts, &line, now_ms, batch);
    }

    /// Events of other programs, whole; their sender is told what becomes of `batch`.
    pub fn deliver(&mut self, delivery: Delivery, batch: &mut Batch) {
        let labeller = &mut self.labeller;
        for entry in &delivery.entries {
            let Some(stream) = self.streams.get_mut(&entry.id) else {
                continue;
            };
            let text = delivery.bytes.get(entry.text.clone()).unwrap_or_default();
            labeller.stats.bytes += text.len() as u64;
            stream.begun = true;
            stream.tally.bytes += text.len() as u64;
            if stream.touch() {
                self.touched.push(entry.id);
            }
            let (_, mut parts) = stream.parts(false);
            labeller.received(&mut parts, entry, text, batch);
        }
        batch.tickets.push(delivery.ticket);
    }

    /// Emits what has waited long enough at `now_ms` for a continuation.
    pub fn expire(&mut self, now_ms: u64, batch: &mut Batch) {
        let labeller = &mut self.labeller;
        let touched = &mut self.touched;
        self.streams.retain(|id, stream| {
            if stream
                .assembler
                .deadline_ms()
                .is_some_and(|deadline| deadline <= now_ms)
            {
                if stream.touch() {
                    touched.push(*id);
                }
                let (assembler, mut parts) = stream.held();
                assembler.expire(now_ms, &mut |event| {
                    labeller.event(&mut parts, &event, batch);
                });
            }
            let over = stream.ended.is_some() && !stream.assembler.has_open();
            if over && stream.touched {
                batch.cursors.push(stream.cursor());
            }
            !over
        });
        for cursor in self.known.given_up(now_ms) {
            let mut stream = OpenStream::of(&cursor, &self.settings.assemble, now_ms);
            self.labeller
                .finish(&mut stream, self.settings.join, now_ms, batch);
            batch.cursors.push(stream.cursor());
        }
    }

    /// A stream has ended: its half line and its open events are emitted. A line in pieces whose file was rotated away waits
    /// its time for the file that goes on with it.
    pub fn close(&mut self, id: SourceId, reason: Closed, now_ms: u64, batch: &mut Batch) {
        let Some(mut stream) = self.streams.remove(&id) else {
            return;
        };
        stream.ended = Some(reason);
        let goes_on = matches!(reason, Closed::Rotated | Closed::Deleted | Closed::Vanished);
        if goes_on && stream.assembler.has_pieces() && !stream.splitter.is_holding() {
            if stream.touch() {
                self.touched.push(id);
            }
            self.streams.insert(id, stream);
            return;
        }
        self.labeller
            .finish(&mut stream, self.settings.join, now_ms, batch);
        batch.cursors.push(stream.cursor());
    }

    /// Emits what is open in every stream; what can be read again and is not whole stays for the next run, if there is to be
    /// one ([`Settings::keep_open`]).
    pub fn finish(&mut self, now_ms: u64, batch: &mut Batch) {
        for (_, mut stream) in self.streams.drain() {
            let again = self.settings.keep_open && stream.place != Place::Passing;
            if !again || stream.ended.is_some() {
                self.labeller
                    .finish(&mut stream, self.settings.join, now_ms, batch);
            } else if !stream.assembler.has_pieces() {
                self.labeller.release(&mut stream, batch);
            }
            batch.cursors.push(stream.cursor());
        }
        self.touched.clear();
        self.mark(batch);
    }

    /// Adds to `batch` where the streams stand that it touched. Called when nothing more goes into it.
    pub fn mark(&mut self, batch: &mut Batch) {
        for id in self.touched.drain(..) {
            if let Some(stream) = self.streams.get_mut(&id) {
                batch.cursors.push(stream.cursor());
            }
        }
        let renamed = self.labeller.sieve.templates_mut().take_renamed();
        batch.renamed.extend(renamed);
    }

    /// Whether a stream was touched since the last [`mark`](Self::mark).
    #[must_use]
    pub fn has_moved(&self) -> bool {
        !self.touched.is_empty()
    }
}
