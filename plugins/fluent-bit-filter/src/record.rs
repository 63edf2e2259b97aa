//! One record as Fluent Bit prints it: a JSON object, read once from left to right and never built anew.

use logline::{escape::unescape_json, event::Stream};

/// Deeper nesting than this is not followed.
const MAX_DEPTH: usize = 256;

/// The names of the fields that the filter adds.
pub const FIELDS: [&str; 5] = ["category", "level", "stage", "confidence", "template_id"];
/// What stands before a field's name where the record has a field of that name already.
pub const PREFIX: &str = "logsieve_";

/// The names of the fields that may hold a record's text, the one that goes first standing first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Vec<String>);

impl Keys {
    /// These, and after them those that Fluent Bit's own inputs use: `log`, `message`, `MESSAGE`.
    #[must_use]
    pub fn new<'a>(first: impl IntoIterator<Item = &'a str>) -> Self {
        let usual = ["log", "message", "MESSAGE"];
        Self(first.into_iter().chain(usual).map(str::to_owned).collect())
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new([])
    }
}

/// What the filter needs to know of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The text, as it stands between its quotes.
    pub text: &'a [u8],
    /// Whether there are escapes in it.
    pub escaped: bool,
    /// The stream that its field `stream` names.
    pub stream: Stream,
    /// One bit for each of [`FIELDS`] that is taken, then one for each of them with [`PREFIX`].
    pub taken: u16,
    /// Where the last field ends: further fields begin here, with a comma.
    pub end: usize,
}

/// Reads a record. None where there is any doubt: no object, broken, no text, or two.
#[must_use]
pub fn read<'a>(record: &'a [u8], keys: &Keys) -> Option<Record<'a>> {
    let mut cursor = Cursor {
        bytes: record,
        at: 0,
    };
    cursor.expect(b'{')?;
    let mut found: Option<(usize, Raw<'a>)> = None;
    let mut stream = Stream::Stdout;
    let mut taken = 0;
    let mut name = Vec::new();
    loop {
        // An empty object has no text, so that it is no loss to take it for a broken one.
        let key = cursor.key()?;
        let key = if key.escaped {
            name.clear();
            unescape_json(key.inside, &mut name)?;
            &name
        } else {
            key.inside
        };
        let rank = keys.0.iter().position(|wanted| wanted.as_bytes() == key);
        let is_stream = key == b"stream";
        taken |= names(key);
        if cursor.peek()? == b'"' {
            let value = cursor.string()?;
            if let Some(rank) = rank {
                match &found {
                    // Which of the two is meant?
                    Some((best, _)) if *best == rank => return None,
                    Some((best, _)) if *best < rank => {}
                    _ => found = Some((rank, value)),
                }
            } else if is_stream && value.inside == b"stderr" {
                stream = Stream::Stderr;
            }
        } else {
            cursor.value()?;
        }
        let end = cursor.at;
        match cursor.peek()? {
            b',' => cursor.at += 1,
            b'}' => {
                cursor.at += 1;
                let (_, text) = found?;
                return cursor.peek().is_none().then_some(Record {
                    text: text.inside,
                    escaped: text.escaped,
                    stream,
                    taken,
                    end,
                });
            }
            _ => return None,
        }
    }
}

/// Whether this is a JSON object.
#[must_use]
pub fn is_object(record: &[u8]) -> bool {
    let mut cursor = Cursor {
        bytes: record,
        at: 0,
    };
    cursor.peek() == Some(b'{') && cursor.value().is_some() && cursor.peek().is_none()
}

/// The bit of a field's name, if it is one that the filter would add.
fn names(key: &[u8]) -> u16 {
    let (name, shift) = match key.strip_prefix(PREFIX.as_bytes()) {
        Some(name) => (name, FIELDS.len()),
        None => (key, 0),
    };
    // Most keys are none of them, and tell it by their first letter.
    match name.first() {
        Some(b'c' | b'l' | b's' | b't') => FIELDS
            .iter()
            .position(|field| field.as_bytes() == name)
            .map_or(0, |at| 1 << (at + shift)),
        _ => 0,
    }
}

/// What stands between the quotes of a string.
#[derive(Clone, Copy, Debug)]
struct Raw<'a> {
    inside: &'a [u8],
    escaped: bool,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is not white space, not consumed.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// A key and its colon.
    fn key(&mut self) -> Option<Raw<'a>> {
        let key = self.string()?;
        self.expect(b':')?;
        Some(key)
    }

    /// A string.
    fn string(&mut self) -> Option<Raw<'a>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.bytes.get(self.at..)?);
            match self.bytes.get(self.at)? {
                b'"' => {
                    let inside = self.bytes.get(start..self.at)?;
                    self.at += 1;
                    return Some(Raw { inside, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.at += match self.bytes.get(self.at + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                        b'u' => {
                            let digits = self.bytes.get(self.at + 2..self.at + 6)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
                        }
                        _ => return None,
                    };
                }
                // A control character.
                _ => return None,
            }
        }
    }

    /// A value of any kind, stepped over without recursion.
    fn value(&mut self) -> Option<()> {
        let mut open = Open::default();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.at += 1;
                    if self.peek()? == b'}' {
                        self.at += 1;
                    } else {
                        open.push(true)?;
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if self.peek()? == b']' {
                        self.at += 1;
                    } else {
                        open.push(false)?;
                        continue;
                    }
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            loop {
                let Some(is_object) = open.last() else {
                    return Some(());
                };
                match (self.peek()?, is_object) {
                    (b',', true) => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes
            .get(self.at..)?
            .starts_with(word)
            .then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _ = self.skip(b'-') || self.skip(b'+');
            self.digits()?;
        }
        Some(())
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// Which brackets are open: one bit each, set for a brace.
#[derive(Default)]
struct Open {
    bits: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) -> Option<()> {
        let word = self.bits.get_mut(self.depth / 64)?;
        let bit = 1 << (self.depth % 64);
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Some(())
    }

    fn last(&self) -> Option<bool> {
        let at = self.depth.checked_sub(1)?;
        self.bits
            .get(at / 64)
            .map(|word| word & 1 << (at % 64) != 0)
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

/// How many bytes at the start are neither a quote nor a backslash nor a control character. Eight bytes at a time, by "Determine if a
/// word has a byte less than n" in Anderson's Bit Twiddling Hacks: what it finds last in a word may be wrong, what it finds first is right.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const CONTROLS: u64 = u64::from_ne_bytes([0x20; 8]);
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ QUOTES;
        let backslash = word ^ BACKSLASHES;
        let hits = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(CONTROLS) & !word)
            & HIGHS;
        if hits != 0 {
            return index * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8
        + tail
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
            .unwrap_or(tail.len())
}
