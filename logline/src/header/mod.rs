//! Takes an event's text apart into time, level, logger, pid and the message itself.

use std::borrow::Cow;

use crate::{
    level::Level,
    time::{TimeContext, Timestamp},
};

/// Which convention the head of a line follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// No known head: the whole text is the message.
    #[default]
    Plain,
}

/// What the head of a line tells. Slices borrow from the text wherever it holds the value as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// The convention that was recognised.
    pub format: Format,
    /// When the program says it happened.
    pub timestamp: Option<Timestamp>,
    /// The level that the program states, never one that is guessed.
    pub level: Option<Level>,
    /// The logger, component, program or unit that speaks.
    pub logger: Option<Cow<'a, [u8]>>,
    /// Process or thread id, as written.
    pub pid: Option<&'a [u8]>,
    /// What is said. For an event of several lines it runs to the end of the last.
    pub message: Cow<'a, [u8]>,
    /// The `error`/`err`/`exception` field of a structured line.
    pub error: Option<Cow<'a, [u8]>>,
}

/// Reads the head of `text`. Never fails: where nothing is recognised the whole text is the message.
#[must_use]
pub fn parse<'a>(text: &'a [u8], _context: &TimeContext) -> Header<'a> {
    Header {
        message: Cow::Borrowed(text),
        ..Header::default()
    }
}

impl Format {
    /// x
    pub fn as_str(self) -> &'static str {
        "plain"
    }
}
