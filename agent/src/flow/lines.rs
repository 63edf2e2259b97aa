//! Cuts the bytes of a stream into lines, however they arrive.

use logline::assemble::Span;

/// One physical line without its `\n`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The bytes that were kept.
    pub(super) bytes: &'a [u8],
    /// Where it lies in the stream, line ending included.
    pub(super) span: Span,
    /// Bytes of it beyond the bound, not kept.
    pub(super) cut_bytes: u64,
}

/// Holds the unfinished last line of a stream, up to a bound.
#[derive(Debug)]
pub(super) struct Splitter {
    max_bytes: usize,
    held: Vec<u8>,
    held_start: u64,
    held_cut: u64,
    /// Position after the last byte seen.
    end: u64,
}

/// A wrapper with escapes makes a line longer than its text; what decodes to more than the bound is cut after decoding.
const WRAPPER_FACTOR: usize = 2;
const WRAPPER_BYTES: usize = 4096;

impl Splitter {
    /// For events of at most `max_bytes` of text.
    pub(super) fn new(max_bytes: usize) -> Self {
        let max_bytes = max_bytes
            .saturating_mul(WRAPPER_FACTOR)
            .saturating_add(WRAPPER_BYTES);
        Self {
            max_bytes,
            held: Vec::new(),
            held_start: 0,
            held_cut: 0,
            end: 0,
        }
    }

    /// Takes the next bytes, the first of them at `offset`, and gives out every line that ends in them.
    pub(super) fn push(&mut self, offset: u64, bytes: &[u8], each: &mut dyn FnMut(Line<'_>)) {
        let mut rest = bytes;
        let mut at = offset;
        while let Some(length) = memchr::memchr(b'\n', rest) {
            let end = at + length as u64 + 1;
            let (line, after) = (&rest[..length], &rest[length + 1..]);
            if self.is_holding() {
                self.hold(at, line);
                self.give(end, each);
            } else {
                let kept = line.len().min(self.max_bytes);
                each(Line {
                    bytes: &line[..kept],
                    span: Span { start: at, end },
                    cut_bytes: (line.len() - kept) as u64,
                });
            }
            rest = after;
            at = end;
        }
        if !rest.is_empty() {
            self.hold(at, rest);
        }
        self.end = offset + bytes.len() as u64;
    }

    /// Gives out the half line at the end of the stream.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(Line<'_>)) {
        if self.is_holding() {
            self.give(self.end, each);
        }
    }

    /// Where the half line begins that is held, if one is.
    pub(super) fn held_from(&self) -> Option<u64> {
        self.is_holding().then_some(self.held_start)
    }

    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty() || self.held_cut > 0
    }

    fn hold(&mut self, at: u64, bytes: &[u8]) {
        if !self.is_holding() {
            self.held_start = at;
        }
        let room = self.max_bytes - self.held.len();
        let kept = bytes.len().min(room);
        self.held.extend_from_slice(&bytes[..kept]);
        self.held_cut += (bytes.len() - kept) as u64;
    }

    fn give(&mut self, end: u64, each: &mut dyn FnMut(Line<'_>)) {
        each(Line {
            bytes: &self.held,
            span: Span {
                start: self.held_start,
                end,
            },
            cut_bytes: self.held_cut,
        });
        self.held.clear();
        self.held_cut = 0;
        // One giant line must not hold its memory for the life of the stream.
        self.held.shrink_to(WRAPPER_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(max_bytes: usize, chunks: &[&[u8]]) -> Vec<(Vec<u8>, u64, u64, u64)> {
        let mut splitter = Splitter {
            max_bytes,
            held: Vec::new(),
            held_start: 0,
            held_cut: 0,
            end: 0,
        };
        let mut lines = Vec::new();
        let mut offset = 0;
        let mut each = |line: Line<'_>| {
            lines.push((
                line.bytes.to_vec(),
                line.span.start,
                line.span.end,
                line.cut_bytes,
            ));
        };
        for chunk in chunks {
            splitter.push(offset, chunk, &mut each);
            offset += chunk.len() as u64;
        }
        splitter.finish(&mut each);
        lines
    }

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_lines() {
        let text = b"one\n\ntwo and more\r\nthree\nhalf";
        let whole = split(64, &[text]);
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[2], (b"two and more\r".to_vec(), 5, 19, 0));
        for first in 0..text.len() {
            for second in first..text.len() {
                let chunks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(split(64, &chunks), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_counted_however_it_arrives() {
        let expected = [(b"0123".to_vec(), 0, 11, 6), (b"ab".to_vec(), 11, 14, 0)];
        assert_eq!(split(4, &[b"0123456789\nab\n"]), expected);
        assert_eq!(split(4, &[b"01", b"23456", b"789\nab", b"\n"]), expected);
    }
}
