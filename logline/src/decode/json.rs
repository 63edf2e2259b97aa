//! As much of JSON as a wrapper needs: one flat object, read once from left to right, unknown values stepped over.

use super::Malformed;

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
    let mut rest = raw;
    while let Some(hit) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..hit]);
        let (escape, after) = rest[hit + 1..].split_first().ok_or(Malformed::Escape)?;
        rest = after;
        out.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'"' | b'\\' | b'/' => *escape,
            b'u' => {
                rest = unicode(rest, &mut out)?;
                continue;
            }
            _ => return Err(Malformed::Escape),
        });
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// Resolves what follows `\u`, with the second half of a surrogate pair where there is one; returns what is left.
fn unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    let high = hex4(rest).ok_or(Malformed::Escape)?;
    let mut rest = &rest[4..];
    let mut code = high;
    if (0xD800..0xDC00).contains(&high)
        && let Some(second) = rest.strip_prefix(b"\\u")
        && let Some(low) = hex4(second)
        && (0xDC00..0xE000).contains(&low)
    {
        code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        rest = &second[4..];
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

fn hex4(bytes: &[u8]) -> Option<u32> {
    bytes.get(..4)?.iter().try_fold(0, |value, byte| {
        Some(value << 4 | char::from(*byte).to_digit(16)?)
    })
}
