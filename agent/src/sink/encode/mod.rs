//! How a labelled event is written: one JSON object, a line for people, or tab-separated columns.

mod json;
mod pretty;
mod tsv;

pub use json::Json;
pub use pretty::{Pretty, category_style};
pub use tsv::Tsv;

use crate::flow::{Batch, Labelled};

/// Writes one event of a batch to the end of a buffer, line ending included.
pub trait Encode {
    /// Appends `event` to `out`.
    fn encode(&self, batch: &Batch, event: &Labelled, out: &mut Vec<u8>);
}

/// Writes nothing: for an agent whose events are only counted.
#[derive(Debug)]
pub struct Nothing;

impl Encode for Nothing {
    fn encode(&self, _batch: &Batch, _event: &Labelled, _out: &mut Vec<u8>) {}
}

/// Why a verdict is what it is, in words.
fn reason<'a>(batch: &'a Batch, event: &Labelled) -> (&'static str, &'a str) {
    match event.verdict.rule {
        Some(rule) => ("rule ", batch.labels.rule(rule)),
        None => ("no rule matched", ""),
    }
}
