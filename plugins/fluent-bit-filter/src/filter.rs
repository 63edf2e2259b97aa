//! One record in, the same record with what is said of it out.

use std::sync::Arc;

use logline::{
    alone::{Alone, Verdict},
    escape::{unescape_json, write_confidence, write_id},
    rules::RuleSet,
    sieve::Source,
};

use crate::{
    mend::mend,
    record::{self, FIELDS, Keys, PREFIX, Record},
};

/// The filter with its memory: one set of rules, three buffers that are used again for every record.
#[derive(Debug)]
pub struct Filter {
    alone: Alone,
    keys: Keys,
    text: Vec<u8>,
    mended: Vec<u8>,
    reply: Vec<u8>,
}

impl Filter {
    /// A filter that judges by `rules` what stands in the fields `keys`.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, keys: Keys) -> Self {
        Self {
            alone: Alone::new(rules),
            keys,
            text: Vec::new(),
            mended: Vec::new(),
            reply: Vec::new(),
        }
    }

    /// The record with the five fields at its end, followed by a NUL; everything else of it stays byte for byte. A field whose name the
    /// record has already gets [`PREFIX`] before its name, and is left out where that name is taken as well.
    ///
    /// None: the record goes through as it is. It is no JSON object, holds no text, or there is no memory for it. What Fluent Bit prints
    /// and does not take back goes through as [`mend`] makes it, with the five fields where it has a text.
    pub fn apply(&mut self, record: &[u8]) -> Option<&[u8]> {
        if self.judge(record).is_none() {
            let mut mended = std::mem::take(&mut self.mended);
            let answered = self.judge_mended(record, &mut mended);
            self.mended = mended;
            answered?;
        }
        Some(&self.reply)
    }

    fn judge_mended(&mut self, record: &[u8], mended: &mut Vec<u8>) -> Option<()> {
        mended.clear();
        // At worst every second byte is a key.
        mended.try_reserve(record.len() * 2 + 8).ok()?;
        mend(record, mended)?;
        if self.judge(mended).is_none() {
            record::is_object(mended).then_some(())?;
            self.reply.clear();
            self.reply.try_reserve(mended.len() + 1).ok()?;
            self.reply.extend_from_slice(mended);
            self.reply.push(0);
        }
        Some(())
    }

    /// Writes the reply.
    fn judge(&mut self, record: &[u8]) -> Option<()> {
        let read = record::read(record, &self.keys)?;
        let text = if read.escaped {
            self.text.clear();
            self.text.try_reserve(read.text.len()).ok()?;
            unescape_json(read.text, &mut self.text)?;
            &self.text
        } else {
            read.text
        };
        // What `tail` read ends as the line did.
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let source = Source {
            stream: read.stream,
            ..Source::default()
        };
        let verdict = self.alone.judge(text, &source);
        self.reply.clear();
        self.reply.try_reserve(record.len() + ROOM).ok()?;
        splice(record, &read, &verdict, &mut self.reply);
        Some(())
    }
}

/// More than the fields ever take: their names, the longest name of a category, the id.
const ROOM: usize = 1024;

fn splice(record: &[u8], read: &Record<'_>, verdict: &Verdict<'_>, out: &mut Vec<u8>) {
    let (head, tail) = record.split_at(read.end);
    out.extend_from_slice(head);
    for (at, field) in FIELDS.iter().enumerate() {
        let is_taken = |place: usize| read.taken & 1 << place != 0;
        let prefix = match (is_taken(at), is_taken(at + FIELDS.len())) {
            (false, _) => "",
            (true, false) => PREFIX,
            (true, true) => continue,
        };
        out.extend_from_slice(b",\"");
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b"\":");
        let quoted = |text: &str, out: &mut Vec<u8>| {
            // Names of categories hold letters, digits, `.`, `-` and `_`.
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        };
        match *field {
            "category" => quoted(verdict.category, out),
            "level" => quoted(verdict.level.as_str(), out),
            "stage" => quoted(verdict.stage(), out),
            "confidence" => write_confidence(verdict.confidence, out),
            _ => {
                out.push(b'"');
                write_id(verdict.template_id(), out);
                out.push(b'"');
            }
        }
    }
    out.extend_from_slice(tail);
    out.push(0);
}
