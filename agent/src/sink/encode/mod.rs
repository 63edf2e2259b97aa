//! How a labelled event is written: one JSON object, a line for people, or tab-separated columns.

mod json;
mod pretty;
mod tsv;

use std::io::Write as _;

pub use json::Json;
pub use pretty::{Pretty, category_style};
pub use tsv::Tsv;

use crate::classify::Stage;
use crate::flow::{Batch, Labelled, TemplateText};

/// An event on its way out: what is known of it, and its texts, which may have been redacted.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The batch that it stands in, for the names behind its numbers and for its stream.
    pub batch: &'a Batch,
    /// What is known of it. Its texts are those below, not the slices in here.
    pub event: &'a Labelled,
    /// The lines.
    pub text: &'a [u8],
    /// What the program says.
    pub message: &'a [u8],
    /// Where the message begins in the lines, if it is a piece of them.
    pub message_at: Option<usize>,
    /// Who speaks; empty where the line does not tell.
    pub logger: &'a [u8],
    /// Its template.
    pub template: Option<&'a TemplateText>,
    /// How many events this one stands for, which were left out; 0 for an event that was read.
    pub sampled_count: u64,
}

impl<'a> Outgoing<'a> {
    /// The event as it was read.
    #[must_use]
    pub fn plain(batch: &'a Batch, event: &'a Labelled) -> Self {
        Self {
            batch,
            event,
            text: batch.get(event.text),
            message: batch.get(event.message),
            message_at: event.message.offset_in(event.text),
            logger: batch.get(event.logger),
            template: event.template_text.as_deref(),
            sampled_count: 0,
        }
    }

    /// Appends the event's id: its stream's, and where it begins there. Not escaped.
    pub fn write_id(&self, out: &mut Vec<u8>) {
        if let Some(stream) = self.batch.stream(self.event) {
            out.extend_from_slice(stream.id.as_bytes());
        }
        // Writing to a Vec cannot fail.
        let _ = write!(out, ":{}", self.event.start);
        if self.sampled_count > 0 {
            out.extend_from_slice(b":sampled");
        }
    }

    /// Why the verdict is what it is: a word, and the name of what decided.
    #[must_use]
    pub fn reason(&self) -> (&'static str, &'a str) {
        if let Some(rule) = self.event.verdict.rule {
            return ("rule ", self.batch.labels.rule(rule));
        }
        match self.event.verdict.stage {
            Stage::Pending => ("the template's verdict has not come yet", ""),
            Stage::Memo | Stage::Bert | Stage::Llm | Stage::Taught => {
                let judged = self
                    .template
                    .and_then(|template| template.judged.as_deref());
                judged.map_or(("", ""), |judged| {
                    let who = match judged.stage {
                        Stage::Llm => "llm: ",
                        Stage::Taught => "taught: ",
                        _ => "bert: ",
                    };
                    (who, judged.reason.as_str())
                })
            }
            Stage::Rule | Stage::None => ("no rule matched", ""),
        }
    }
}

/// Writes one event to the end of a buffer, line ending included.
pub trait Encode {
    /// Appends `event` to `out`.
    fn encode(&mut self, event: &Outgoing<'_>, out: &mut Vec<u8>);
}

/// Writes nothing: for an agent whose events are only counted.
#[derive(Debug)]
pub struct Nothing;

impl Encode for Nothing {
    fn encode(&mut self, _event: &Outgoing<'_>, _out: &mut Vec<u8>) {}
}
