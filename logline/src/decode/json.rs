//! As much of JSON as a wrapper needs: one flat object, read once from left to right, unknown values stepped over.

use super::Malformed;
use crate::escape::unescape_json;

/// A cursor in one line of JSON.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is not white space, not consumed.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Consumes `wanted`, after white space.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        match self.peek() {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Malformed::Wrapper),
            None => Err(Malformed::Truncated),
        }
    }

    /// Consumes a string and returns what stands between its quotes, escapes unresolved.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let hit = memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed::Truncated)?;
            self.at += hit;
            if rest[hit] == b'"' {
                self.at += 1;
                return Ok(&self.bytes[start..self.at - 1]);
            }
            // The escaped byte cannot end the string.
            if self.at + 2 > self.bytes.len() {
                return Err(Malformed::Truncated);
            }
            self.at += 2;
        }
    }

    /// Steps over a value of any kind and depth, without recursion. What it holds is not judged beyond its brackets.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = 0_usize;
        loop {
            match self.peek().ok_or(Malformed::Truncated)? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                    let rest = &self.bytes[self.at..];
                    let word =
                        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
                    self.at += rest
                        .iter()
                        .position(|b| !word(b))
                        .ok_or(Malformed::Truncated)?;
                }
                _ => return Err(Malformed::Wrapper),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Resolves the escapes of a JSON string.
pub(super) fn unescape(raw: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(raw.len());
    unescape_json(raw, &mut out).ok_or(Malformed::Escape)?;
    Ok(out)
}
