//! Where texts are cut: a message at the words of its template, the text around it at its fields.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use logline::template::Kind;
use memchr::memmem::Finder;

use super::kinds::MAX_SEGMENTS;
use crate::flow::TemplateText;

/// A template as literal pieces; between two of them stands one value (of one or more placeholders).
#[derive(Debug)]
pub(super) struct Plan {
    text: Arc<TemplateText>,
    pieces: Vec<Range<usize>>,
    /// For the pieces that are neither first nor last.
    finders: Vec<Finder<'static>>,
}

impl Plan {
    pub(super) fn new(text: &Arc<TemplateText>) -> Self {
        let bytes = text.text.as_bytes();
        let mut pieces: Vec<Range<usize>> = Vec::new();
        let (mut start, mut at) = (0, 0);
        while let Some(found) = memchr::memchr(b'<', &bytes[at..]) {
            at += found;
            let Some(kind) = Kind::at_start(&bytes[at..]) else {
                at += 1;
                continue;
            };
            // Nothing between two values: nobody can tell where one ends.
            if at > start || pieces.is_empty() {
                pieces.push(start..at);
            }
            at += kind.placeholder().len();
            start = at;
        }
        pieces.push(start..bytes.len());
        let inner = pieces.len().saturating_sub(1).max(1);
        let finders = pieces[1..inner]
            .iter()
            .map(|piece| Finder::new(&bytes[piece.clone()]).into_owned())
            .collect();
        Self {
            text: Arc::clone(text),
            pieces,
            finders,
        }
    }

    /// The hash of the template's text.
    pub(super) fn id(&self) -> u64 {
        self.text.id.0
    }

    /// Values in a message.
    pub(super) fn slots(&self) -> usize {
        self.pieces.len() - 1
    }

    /// The literal piece before the value `slot`; the one behind the last value is that of `slots()`.
    pub(super) fn piece(&self, slot: usize) -> &[u8] {
        self.pieces
            .get(slot)
            .and_then(|piece| self.text.text.as_bytes().get(piece.clone()))
            .unwrap_or_default()
    }

    /// Finds the values in `message`: pieces and values in turn are the message again. Gives false where it does not fit.
    pub(super) fn split(&self, message: &[u8], values: &mut Vec<Range<usize>>) -> bool {
        values.clear();
        let slots = self.slots();
        let first = self.piece(0);
        if slots == 0 {
            return message == first;
        }
        let last = self.piece(slots);
        if message.len() < first.len() + last.len()
            || !message.starts_with(first)
            || !message.ends_with(last)
        {
            return false;
        }
        let end = message.len() - last.len();
        let mut at = first.len();
        for finder in &self.finders {
            let Some(found) = finder.find(&message[at..end]) else {
                return false;
            };
            values.push(at..at + found);
            at += found + finder.needle().len();
        }
        values.push(at..end);
        true
    }
}

/// The plans of the templates met last, so that a block need not make them again.
#[derive(Debug, Default)]
pub struct Plans(HashMap<u64, Arc<Plan>>);

/// So many plans are kept; then it begins anew.
const MAX_PLANS: usize = 2_048;

impl Plans {
    pub(super) fn of(&mut self, text: &Arc<TemplateText>) -> Arc<Plan> {
        if let Some(plan) = self.0.get(&text.id.0)
            && plan.text.text == text.text
        {
            return Arc::clone(plan);
        }
        if self.0.len() >= MAX_PLANS {
            self.0.clear();
        }
        let plan = Arc::new(Plan::new(text));
        self.0.insert(text.id.0, Arc::clone(&plan));
        plan
    }
}

/// Cuts the text around a message where a field of JSON (`,"`) or of `key=value` begins. `base` is where `text` begins in the whole;
/// the ranges, appended, cover it.
pub(super) fn segments(text: &[u8], base: usize, out: &mut Vec<Range<usize>>) {
    if text.is_empty() {
        return;
    }
    // Most texts are no fields: times and names between blanks.
    if memchr::memchr2(b'"', b'=', text).is_none() {
        out.push(base..base + text.len());
        return;
    }
    let most = out.len() + MAX_SEGMENTS - 1;
    let mut start = 0;
    let mut space = 0;
    for at in memchr::memchr3_iter(b'"', b'=', b' ', text) {
        let cut = match text[at] {
            b' ' => {
                space = at;
                continue;
            }
            b'=' => space,
            _ if at > 0 && text[at - 1] == b',' => at,
            _ => continue,
        };
        if cut > start && out.len() < most {
            out.push(base + start..base + cut);
            start = cut;
        }
    }
    out.push(base + start..base + text.len());
}
