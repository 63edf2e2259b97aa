//! Masks what varies in a message and merges messages that differ only there.
//!
//! [`mask`](mask()) is a pure function of the message: values become typed placeholders, words stay. [`Table`] remembers the
//! masked texts, and unites those whose words differ only in positions that have shown to vary.

mod marks;
mod mask;
mod merge;
mod merge_words;
mod placeholder;
mod shape;
mod slots;
mod table;
mod variables;
mod word;
mod words;

use std::fmt;

pub use mask::{Masked, mask};
pub use placeholder::{Kind, Span, render};
pub use table::Table;

/// The stable name of a template: a hash of its text alone, so that hosts that came to the same text agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateId(pub u64);

impl TemplateId {
    /// The id of the template with this text: its XXH3 hash of 64 bits.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
    }
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One template of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Hash of `text`.
    pub id: TemplateId,
    /// The message with its variables masked, e.g. `connection from <ip> port <num>`.
    pub text: String,
    /// Messages seen.
    pub count: u64,
}

/// Bounds of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Templates kept; at the bound further ones share an overflow template, which is visible.
    pub max_templates: usize,
    /// Ids from before merges that are kept as aliases. At the bound nothing merges any more.
    pub max_aliases: usize,
    /// Masked texts remembered as belonging to a merged template; at the bound they are forgotten and found anew.
    pub max_joined: usize,
    /// Bytes of templates' texts and words; at the bound further templates go to the overflow template.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_templates: 50_000,
            max_aliases: 100_000,
            max_joined: 131_072,
            max_bytes: 64 << 20,
        }
    }
}

/// What the table has done and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages observed.
    pub observed: u64,
    /// Of them, those that went to the overflow template.
    pub overflowed: u64,
    /// Templates that are not merged into another.
    pub templates: usize,
    /// Ids that lead to a template that has another id now.
    pub aliases: usize,
    /// Masked texts remembered as belonging to a merged template.
    pub joined: usize,
    /// Times that those were forgotten because of their bound.
    pub forgotten: u64,
    /// Times that templates were united.
    pub merges: u64,
    /// Bytes of memory held, near enough.
    pub bytes: usize,
}
