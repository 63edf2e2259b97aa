//! Runs of labelled events as bytes: what enters are events of one stream, what leaves is a block, and the other way round.
//!
//! Log lines are a few shapes filled with values, and the agent knows the shapes already: the message's is its template, whose text
//! the store keeps once for all blocks. A block holds what is left. Every event is of a *kind* (template, verdict, level, how its
//! text is put together). Its text is the pieces before the message, the message and the pieces behind it; a message is the words
//! of its template with values between them. Each place in such a text is a *column* over all events that are put together alike. A
//! value's non-digits are its *pattern* and recur; its digits are numbers. So a column says which pattern stands there, event by
//! event, and the numbers of one pattern are columns of their own, each written in the way that is shortest for it ([`numbers`]).
//! A time of day in front of a message is told as its distance from the event's time ([`clock`]), which mostly is a constant.
//! A message that does not fit its template is one value; whatever the bytes are, they come back as they were.
//!
//! ```text
//! version 1 | events | bytes of text | lengths of the 8 parts | parts | XXH3-64 of all before
//!
//! part          zstd  holds
//! 0 labels      yes   table of kinds, each event's kind, modes of the columns in 1
//! 1 times       no    bits of: times, sequence numbers
//! 2 shape       yes   hash of the templates' ids, modes and parameters of all columns, which patterns stand in which place
//! 3 indexes     yes   which of them for each event; columns of values that recur
//! 4 patterns    yes   the different patterns
//! 5 digits      yes   numbers of patterns that occur less than 8 times
//! 6 wide        yes   hexadecimal names and UUIDs, packed
//! 7 bits        no    all other numbers, and where events start in their stream
//! ```
//!
//! A length is a varint, followed, unless it is 0, by that of the zstd frame (0: stored as it is). Parts 0 and 1 alone tell label, time
//! and sequence number of each event ([`decode_labels`]); the texts are in the others. Bits that look random are kept from zstd.
//!
//! A block is refused, never misread: the checksum covers its bytes, and a hash the texts of the templates that it was made with. All
//! reading is bounded by what a block may declare (512 MiB unpacked) and, before values are read, by the text that they come to.

use std::sync::Arc;

use logline::event::Stream;
use logline::level::Level;
use logline::time::Timestamp;

mod body;
mod clock;
mod columns;
mod decode;
mod encode;
mod kinds;
mod listed;
mod numbers;
mod opened;
mod parts;
mod pattern;
mod split;
#[cfg(test)]
mod tests;
mod texts;
mod wire;

pub(super) use kinds::{stage_number, stage_of};
pub use listed::Listed;
pub use split::Plans;
pub use wire::Damaged;

use crate::flow::{Batch, StreamInfo, TemplateText, Verdict};

/// The first byte of a block.
const VERSION: u8 = 1;
/// Values of fewer rows are written as digits, which needs no parameters.
const TINY: usize = 8;

/// Numbers that the store gives to texts: the same for the same text, for good.
pub trait Numbers {
    /// The number of a template.
    fn template(&mut self, text: &Arc<TemplateText>) -> u32;
    /// The number of a category.
    fn category(&mut self, name: &str) -> u16;
    /// The number of a rule.
    fn rule(&mut self, name: &str) -> u32;
}

/// The way back from the numbers of templates. (Those of categories and rules index the labels of the batch that is decoded into.)
pub trait Names {
    /// The template that was given this number.
    fn template(&self, number: u32) -> Option<Arc<TemplateText>>;
}

/// What a block holds, for the index that is read instead of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events.
    pub count: u32,
    /// Sequence number of the first event.
    pub first_seq: u64,
    /// Sequence number of the last event.
    pub last_seq: u64,
    /// Earliest and latest time, nanoseconds since 1970; none where no event has one.
    pub times: Option<(i64, i64)>,
    /// Events without a time are in it.
    pub untimed: bool,
    /// Bit `level as u8` is set where an event of that level is in it.
    pub levels: u8,
    /// Numbers of the categories, ascending.
    pub categories: Vec<u16>,
    /// Events without a category are in it.
    pub unclassified: bool,
    /// Numbers of the templates, ascending.
    pub templates: Vec<u32>,
    /// Bytes of the events' texts.
    pub raw_bytes: u64,
}

impl Summary {
    fn of(kinds: &[kinds::Kind], times: &[u64], seqs: &[u64], raw_bytes: u64) -> Self {
        let mut summary = Self {
            count: u32::try_from(seqs.len()).unwrap_or(u32::MAX),
            first_seq: seqs.first().copied().unwrap_or_default(),
            last_seq: seqs.last().copied().unwrap_or_default(),
            untimed: times.len() < seqs.len(),
            raw_bytes,
            ..Self::default()
        };
        let times = || times.iter().map(|time| *time as i64);
        summary.times = times().min().zip(times().max());
        for kind in kinds {
            summary.levels |= 1 << kind.level;
            match kind.category.checked_sub(1) {
                Some(category) => summary.categories.push(category as u16),
                None => summary.unclassified = true,
            }
            if let Some(template) = kind.template.checked_sub(1) {
                summary.templates.push(template as u32);
            }
        }
        summary.categories.sort_unstable();
        summary.categories.dedup();
        summary.templates.sort_unstable();
        summary.templates.dedup();
        summary
    }
}

/// What many events of a block are judged to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventLabel {
    /// The template's number.
    pub template: Option<u32>,
    /// Which stream of the container.
    pub stream: Stream,
    /// How bad it is.
    pub level: Level,
    /// Category and rule are the store's numbers.
    pub verdict: Verdict,
}

/// Everything about the events of a block but their texts.
#[derive(Clone, Debug, PartialEq)]
pub struct EventLabels {
    /// The different labels.
    pub kinds: Vec<EventLabel>,
    /// Per event, which of them it has.
    pub kind_of: Vec<u32>,
    /// Per event.
    pub timestamps: Vec<Option<Timestamp>>,
    /// Per event.
    pub seqs: Vec<u64>,
}

/// Appends to `out` a block of the `picked` events of `batch` (their indexes), all of one stream, settled, and not more than some
/// MiB of text (a block of 512 MiB could not be read). `seqs` are their sequence numbers, as many, ascending. One that is not
/// `sealed` is soon made anew: it matters less how small it is than how quickly it is made.
pub fn encode(
    batch: &Batch,
    picked: &[u32],
    seqs: &[u64],
    numbers: &mut dyn Numbers,
    plans: &mut Plans,
    sealed: bool,
    out: &mut Vec<u8>,
) -> Summary {
    encode::encode(batch, picked, seqs, numbers, plans, sealed, out)
}

/// Appends the events of a block to `into`, as events of `stream`, and their sequence numbers to `seqs`.
///
/// `into` must have been made with the store's labels: the numbers of categories and rules are indexes into them. An event's
/// `template` is the store's number (`usize::MAX` for none), not an index into the flow's table.
///
/// # Errors
/// Bytes that are no block, or one whose templates `names` does not know. Nothing is appended then.
pub fn decode(
    bytes: &[u8],
    names: &dyn Names,
    into: &mut Batch,
    stream: &Arc<StreamInfo>,
    seqs: &mut Vec<u64>,
) -> Result<(), Damaged> {
    decode::decode(bytes, names, into, stream, seqs)
}

/// Reads what the events of a block are judged to be, when and under which sequence numbers, without unpacking their texts.
///
/// # Errors
/// Bytes that are no block.
pub fn decode_labels(bytes: &[u8]) -> Result<EventLabels, Damaged> {
    decode::decode_labels(bytes)
}
