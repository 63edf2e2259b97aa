//! A run of labelled events in one piece of memory, as it goes from the flow to the sinks.

use std::sync::Arc;

use logline::event::{EventRef, Stream};
use logline::level::Level;
use logline::template::{Template, TemplateId};
use logline::time::Timestamp;

use super::StreamInfo;
use super::cursor::Cursor;
use super::labels::Labels;
use super::verdict::Verdict;
use crate::classify::{Embedding, Judgement};
use crate::escape::escape_json;
use crate::source::Ticket;

/// A stretch of a batch's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    start: u32,
    len: u32,
}

impl Slice {
    /// So many bytes from `start` on.
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self {
            start: clamp(start),
            len: clamp(len),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Where it begins in `whole`, if it lies inside.
    #[must_use]
    pub fn offset_in(self, whole: Self) -> Option<usize> {
        let offset = self.start.checked_sub(whole.start)?;
        (offset.checked_add(self.len)? <= whole.len).then_some(offset as usize)
    }
}

/// What is printed of a template, made once per template and shared by its events.
#[derive(Debug)]
pub struct TemplateText {
    /// Hash of the text.
    pub id: TemplateId,
    /// The masked text.
    pub text: String,
    /// The same as the inside of a JSON string.
    pub json: Vec<u8>,
    /// What it is judged to be about, once it has been.
    pub judged: Option<Arc<Judgement>>,
}

/// What has become known of a template, to be kept with the next commit.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The template, with its verdict if it has one.
    pub template: Arc<TemplateText>,
    /// Where it lies among all templates.
    pub embedding: Option<Embedding>,
}

impl TemplateText {
    /// Renders a template of the table.
    #[must_use]
    pub fn new(template: &Template, judged: Option<Arc<Judgement>>) -> Self {
        Self::of(template.id, template.text.clone(), judged)
    }

    /// The template with this id and text.
    #[must_use]
    pub fn of(id: TemplateId, text: String, judged: Option<Arc<Judgement>>) -> Self {
        let mut json = Vec::with_capacity(text.len() + 8);
        escape_json(text.as_bytes(), &mut json);
        Self {
            id,
            text,
            json,
            judged,
        }
    }

    /// The same template with another verdict.
    #[must_use]
    pub fn judged(&self, judged: Arc<Judgement>) -> Self {
        Self {
            id: self.id,
            text: self.text.clone(),
            json: self.json.clone(),
            judged: Some(judged),
        }
    }
}

/// One event with everything that is known of it; its texts lie in the batch.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The lines as the container wrote them.
    pub text: Slice,
    /// What the program says.
    pub message: Slice,
    /// Who speaks; empty where the line does not tell.
    pub logger: Slice,
    /// The runtime's time or, without one, the line's own.
    pub timestamp: Option<Timestamp>,
    /// Which stream of the container.
    pub stream: Stream,
    /// How bad it is.
    pub level: Level,
    /// What it is about, and why.
    pub verdict: Verdict,
    /// Index in the template table.
    pub template: usize,
    /// What is printed of it; known once the batch is settled.
    pub template_text: Option<Arc<TemplateText>>,
    /// Index of its stream in the batch.
    pub stream_index: u32,
    /// Lines joined.
    pub lines: u32,
    /// Bytes cut off at a bound.
    pub cut_bytes: u64,
    /// Position of the event in its stream.
    pub start: u64,
}

/// Labelled events in the order in which they were completed.
#[derive(Debug)]
pub struct Batch {
    /// Names of the categories and rules that the verdicts speak of.
    pub labels: Arc<Labels>,
    /// The events.
    pub events: Vec<Labelled>,
    /// Where the streams stand that the events come from, and those that were read without giving any.
    pub cursors: Vec<Cursor>,
    /// Templates that merged into others: the id from before, and the one that their messages have now.
    pub renamed: Vec<(TemplateId, TemplateId)>,
    /// Templates that were judged or placed among the others.
    pub judged: Vec<Judged>,
    /// Of those who wait until the events are kept.
    pub tickets: Vec<Ticket>,
    streams: Vec<Arc<StreamInfo>>,
    bytes: Vec<u8>,
}

impl Batch {
    /// An empty batch whose verdicts will be those of `labels`.
    #[must_use]
    pub fn new(labels: Arc<Labels>) -> Self {
        Self {
            labels,
            events: Vec::new(),
            cursors: Vec::new(),
            renamed: Vec::new(),
            judged: Vec::new(),
            tickets: Vec::new(),
            streams: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Takes everything out and keeps the memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.cursors.clear();
        self.renamed.clear();
        self.judged.clear();
        self.tickets.clear();
        self.streams.clear();
        self.bytes.clear();
    }

    /// Bytes of text held.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The text of `slice`.
    #[must_use]
    pub fn get(&self, slice: Slice) -> &[u8] {
        let start = slice.start as usize;
        self.bytes
            .get(start..start + slice.len as usize)
            .unwrap_or_default()
    }

    /// Where `event` comes from.
    #[must_use]
    pub fn stream(&self, event: &Labelled) -> Option<&StreamInfo> {
        self.stream_at(event.stream_index)
    }

    /// The stream with this index in the batch.
    #[must_use]
    pub fn stream_at(&self, index: u32) -> Option<&StreamInfo> {
        self.streams.get(index as usize).map(Arc::as_ref)
    }

    /// The same, shared.
    pub(crate) fn stream_arc(&self, index: u32) -> Option<&Arc<StreamInfo>> {
        self.streams.get(index as usize)
    }

    /// Keeps the text of `event`.
    pub(super) fn keep_text(&mut self, event: &EventRef<'_>) -> Slice {
        self.keep(event.text)
    }

    /// Keeps `part`, which usually is a piece of `whole` that is kept already.
    pub(super) fn keep_part(&mut self, part: &[u8], whole: &[u8], kept: Slice) -> Slice {
        let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if offset <= whole.len() && part.len() <= whole.len() - offset {
            return Slice {
                start: kept.start + clamp(offset),
                len: clamp(part.len()),
            };
        }
        self.keep(part)
    }

    /// The index of `stream` in this batch.
    pub(crate) fn keep_stream(&mut self, stream: &Arc<StreamInfo>) -> u32 {
        let known = self
            .streams
            .iter()
            .rposition(|known| Arc::ptr_eq(known, stream));
        clamp(known.unwrap_or_else(|| {
            self.streams.push(Arc::clone(stream));
            self.streams.len() - 1
        }))
    }

    /// Adds the events of `other`, which must speak of the same labels, with their texts and streams. Its cursors and tickets
    /// stay where they are.
    pub fn append(&mut self, other: &Self) {
        let start = clamp(self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes);
        let streams: Vec<u32> = other
            .streams
            .iter()
            .map(|stream| self.keep_stream(stream))
            .collect();
        let moved = |slice: Slice| Slice {
            start: slice.start.saturating_add(start),
            len: slice.len,
        };
        self.events.extend(other.events.iter().map(|event| {
            Labelled {
                text: moved(event.text),
                message: moved(event.message),
                logger: moved(event.logger),
                template_text: event.template_text.clone(),
                stream_index: streams
                    .get(event.stream_index as usize)
                    .copied()
                    .unwrap_or(u32::MAX),
                ..*event
            }
        }));
    }

    /// Adds one event of `other`, which must speak of the same labels, with its texts and stream.
    pub fn append_event(&mut self, other: &Self, event: &Labelled) {
        let text = self.keep(other.get(event.text));
        let mut part = |slice: Slice| match slice.offset_in(event.text) {
            Some(offset) => Slice {
                start: text.start.saturating_add(clamp(offset)),
                len: slice.len,
            },
            None => self.keep(other.get(slice)),
        };
        let (message, logger) = (part(event.message), part(event.logger));
        let stream_index = match other.streams.get(event.stream_index as usize) {
            Some(stream) => self.keep_stream(stream),
            None => u32::MAX,
        };
        self.events.push(Labelled {
            text,
            message,
            logger,
            template_text: event.template_text.clone(),
            stream_index,
            ..*event
        });
    }

    /// The streams that its events come from.
    #[must_use]
    pub fn streams(&self) -> &[Arc<StreamInfo>] {
        &self.streams
    }

    /// The memory that the slices speak of, for who makes events out of stored ones: only to be appended to, or cut back to a
    /// length that it had before.
    pub(crate) fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    fn keep(&mut self, bytes: &[u8]) -> Slice {
        let start = clamp(self.bytes.len());
        self.bytes.extend_from_slice(bytes);
        Slice {
            start,
            len: clamp(bytes.len()),
        }
    }
}

/// Batches are handed on long before 4 GiB; beyond that a slice reads as empty instead of wrapping.
fn clamp(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
