//! Hides the values of a message behind typed placeholders: a pure function, one pass from left to right.
//!
//! A message falls apart into words (letters, digits and the marks that hold names, addresses and paths together)
//! and what stands between them. Words of letters alone are copied; only words with a digit or such a mark are
//! looked at more closely, by [`super::shape`] and [`super::word`]. Nothing is looked at twice beyond a fixed number
//! of bytes, so that the time is linear in the length of the message, whatever it holds.

use super::{
    placeholder::{Kind, Span},
    shape::{self, byte},
    words,
};

/// Longest template text; what follows in a message is one `<rest>`.
const MAX_TEXT: usize = 1024;
/// Most words of a message that are looked at; what follows is one `<rest>`.
const MAX_WORDS: u32 = 200;
/// A longer word is a value, whatever it is made of.
pub(super) const MAX_WORD: usize = 128;

pub(super) const LOWER: u16 = 1;
pub(super) const UPPER: u16 = 1 << 1;
pub(super) const DIGIT: u16 = 1 << 2;
/// Not ASCII.
pub(super) const HIGH: u16 = 1 << 3;
/// `_`, `-`, `+`, `$`: they join the parts of a name.
pub(super) const JOIN: u16 = 1 << 4;
pub(super) const DOT: u16 = 1 << 5;
pub(super) const COLON: u16 = 1 << 6;
pub(super) const SLASH: u16 = 1 << 7;
pub(super) const AT: u16 = 1 << 8;
/// A byte that no word holds and that begins something of its own: quotes, `<`, a new line, an escape.
const SPECIAL: u16 = 1 << 12;
/// A byte that goes on a path or URL beside those of words.
const PATH: u16 = 1 << 13;
/// What may be in a word.
pub(super) const WORD: u16 = (1 << 9) - 1;

const fn classes() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = match at as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            0x80..=0xff => HIGH,
            b'_' | b'-' | b'+' | b'$' => JOIN,
            b'.' => DOT,
            b':' => COLON,
            b'/' | b'\\' => SLASH,
            b'@' => AT,
            b'"' | b'\'' | b'`' | b'<' | b'(' | b'[' | b'\n' | 0x1b => SPECIAL,
            b'~' | b'%' | b'#' | b'*' | b'!' | b'?' => PATH,
            _ => 0,
        };
        at += 1;
    }
    table
}

pub(super) static CLASS: [u16; 256] = classes();

/// A masked message: its text with placeholders, and where in the message the values stood. Made to be used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masked {
    pub(super) text: Vec<u8>,
    pub(super) variables: Vec<Span>,
}

impl Masked {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The template's text, always UTF-8.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// For each placeholder of the text, in order, the bytes of the message that it stands for; they may be empty.
    #[must_use]
    pub fn variables(&self) -> &[Span] {
        &self.variables
    }
}

/// Masks `message` into `out`, which is emptied first and keeps its memory.
///
/// [`render`](super::render) of the text and the variables gives `message` back, byte for byte.
pub fn mask(message: &[u8], out: &mut Masked) {
    out.text.clear();
    out.variables.clear();
    let mut scanner = Scanner {
        text: message,
        out,
        flushed: 0,
        words: 0,
        kept_lines: 0,
        plain_until: 0,
        no_quote: [0; 3],
        list: List::default(),
    };
    scanner.run();
}

pub(super) struct Scanner<'a> {
    pub(super) text: &'a [u8],
    pub(super) out: &'a mut Masked,
    /// What of the message is in the output already.
    pub(super) flushed: usize,
    words: u32,
    pub(super) kept_lines: u32,
    /// Quotes before this position are text.
    pub(super) plain_until: usize,
    /// Per quote: no closing one stands before this position.
    pub(super) no_quote: [usize; 3],
    list: List,
}

/// The run of like values that the last variable belongs to.
#[derive(Clone, Copy, Default)]
struct List {
    /// Values in the run; 0 where the last variable can be in none.
    length: usize,
    /// The first of them among the variables.
    first: usize,
    /// Where in the output its placeholder ends.
    text_end: usize,
    /// Bytes of the word before the value, alike for all.
    prefix: usize,
    kind: Option<Kind>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        let text = self.text;
        let mut i = 0;
        while i < text.len() {
            let class = CLASS[text[i] as usize];
            if class & WORD != 0 {
                let start = i;
                let mut flags = class;
                i += 1;
                while i < text.len() {
                    let class = CLASS[text[i] as usize];
                    if class & WORD == 0 {
                        break;
                    }
                    flags |= class;
                    i += 1;
                }
                self.words += 1;
                if self.words > MAX_WORDS
                    || self.out.text.len() + start.saturating_sub(self.flushed) > MAX_TEXT
                {
                    self.var(Kind::Rest, start, text.len());
                    break;
                }
                if i - start == 2
                    && byte(text, i) == b' '
                    && let Some(end) = shape::dump(text, start)
                {
                    i = self.var(Kind::Hex, start, end);
                    continue;
                }
                if flags & !(LOWER | UPPER | JOIN) != 0 || i - start == 3 || i - start >= 8 {
                    i = self.word(start, i, flags);
                }
            } else if class & SPECIAL != 0 {
                if self.out.text.len() > MAX_TEXT {
                    self.var(Kind::Rest, i, text.len());
                    break;
                }
                i = self.special(i);
            } else {
                i += 1;
            }
        }
        if self.flushed < text.len() {
            // A tail of marks alone can still be long.
            let room = (2 * MAX_TEXT).saturating_sub(self.out.text.len());
            if text.len() - self.flushed > room {
                let mut cut = self.flushed + room;
                while cut > self.flushed && !text[cut].is_ascii() {
                    cut -= 1;
                }
                self.var(Kind::Rest, cut, text.len());
            } else {
                self.out.text.extend_from_slice(&text[self.flushed..]);
                self.flushed = text.len();
            }
        }
    }

    /// Writes what was copied up to `start` and a placeholder for `start..end`. Gives the position to go on at.
    ///
    /// Where more than one space stands before or after the value (columns padded to a width), all but one belong to
    /// the value: so the text does not depend on how wide the value was.
    pub(super) fn var(&mut self, kind: Kind, start: usize, end: usize) -> usize {
        let text = self.text;
        let (mut start, mut end) = (start, end);
        if start >= self.flushed + 2 && text[start - 1] == b' ' {
            while start >= self.flushed + 2 && text[start - 1] == b' ' && text[start - 2] == b' ' {
                start -= 1;
            }
        }
        while byte(text, end) == b' ' && byte(text, end + 1) == b' ' {
            end += 1;
        }
        let start = start.max(self.flushed);
        if self.list.length > 0 && self.continues(kind, start, end) {
            self.flushed = end;
            return end;
        }
        self.out.text.extend_from_slice(&text[self.flushed..start]);
        let prefix = self.prefix(start);
        self.out
            .text
            .extend_from_slice(kind.placeholder().as_bytes());
        self.list = List {
            length: usize::from(CLASS[byte(text, end) as usize] & WORD == 0 && prefix < 32),
            first: self.out.variables.len(),
            text_end: self.out.text.len(),
            prefix,
            kind: Some(kind),
        };
        self.out.variables.push(Span {
            start: start as u32,
            end: end as u32,
        });
        self.flushed = end;
        end
    }

    /// How many bytes of its word stand before `start`, up to a bound.
    fn prefix(&self, start: usize) -> usize {
        self.text[self.flushed..start]
            .iter()
            .rev()
            .take(32)
            .take_while(|b| CLASS[**b as usize] & WORD != 0)
            .count()
    }

    /// Whether the value goes on a list of its like (`blk_1 blk_2`, `1, 2, 3`), whose length says nothing: then the
    /// whole list is one variable.
    fn continues(&mut self, kind: Kind, start: usize, end: usize) -> bool {
        let text = self.text;
        let List {
            first,
            text_end,
            prefix,
            ..
        } = self.list;
        let between = &text[self.flushed..start];
        let separator = between
            .len()
            .checked_sub(prefix)
            .map_or(&b""[..], |len| &between[..len]);
        let like = match (self.list.kind, kind) {
            (Some(Kind::Num | Kind::Hex), Kind::Num | Kind::Hex) => true,
            (Some(Kind::Str | Kind::Rest | Kind::Trace) | None, _) => false,
            (Some(old), new) => old == new,
        };
        let enough = match separator {
            b"," => 2,
            b", " if prefix > 0 => 2,
            b" " if prefix > 0 => 2,
            b", " => 3,
            b" " => 4,
            _ => return false,
        };
        let alike = like
            && CLASS[byte(text, end) as usize] & WORD == 0
            && between[separator.len()..]
                == self.out.text[text_end
                    - self.list.kind.map_or(0, |kind| kind.placeholder().len())
                    - prefix..][..prefix];
        if !alike {
            return false;
        }
        self.list.length += 1;
        if self.list.length < enough {
            self.out.text.extend_from_slice(between);
            self.out
                .text
                .extend_from_slice(kind.placeholder().as_bytes());
            self.out.variables.push(Span {
                start: start as u32,
                end: end as u32,
            });
            return true;
        }
        self.out.text.truncate(text_end);
        self.out.variables.truncate(first + 1);
        self.out.variables[first].end = end as u32;
        true
    }

    /// A word with more in it than letters. Gives the position to go on at, which may lie behind the word.
    fn word(&mut self, start: usize, end: usize, flags: u16) -> usize {
        if flags & (DIGIT | HIGH | DOT | COLON | SLASH | AT) == 0 {
            if end - start == 3
                && flags & UPPER != 0
                && let Some(date) = shape::named_date(self.text, start)
            {
                return self.var(Kind::Time, start, date);
            }
            if end - start > MAX_WORD {
                return self.var(Kind::B64, start, end);
            }
            if end - start >= 8 && self.text[start..end].iter().all(u8::is_ascii_hexdigit) {
                return self.var(Kind::Hex, start, end);
            }
            return end;
        }
        if flags & HIGH != 0 && std::str::from_utf8(&self.text[start..end]).is_err() {
            return self.var(Kind::Bin, start, end);
        }
        if flags == DIGIT {
            if end - start <= 2
                && byte(self.text, end + 1).is_ascii_uppercase()
                && let Some(date) = shape::day_month(self.text, start)
            {
                return self.var(Kind::Time, start, date);
            }
            let (kind, stop) = self.with_unit(end);
            return self.var(kind, start, stop);
        }
        // Marks around the word are not part of it.
        let (mut from, mut to) = (start, end);
        while to > from && matches!(self.text[to - 1], b'.' | b':' | b'-' | b'@' | b'+' | b'$') {
            to -= 1;
        }
        while from < to && matches!(self.text[from], b'-' | b'@' | b'+' | b'$' | b'_' | b':') {
            let next = byte(self.text, from + 1);
            if matches!(self.text[from], b'-' | b'+') && next.is_ascii_digit()
                || self.text[from] == b':' && next == b':'
            {
                break;
            }
            from += 1;
        }
        if flags & SLASH != 0
            && let Some(next) = self.slashed(from, to)
        {
            return next.max(end);
        }
        if flags & AT != 0
            && let Some(next) = self.addressed(from, to)
        {
            return next.max(end);
        }
        self.pieces(from, to).max(end)
    }

    /// A number ends at `at`: goes on over a list (`1,2,3`) and a unit. Gives the kind and the end.
    pub(super) fn with_unit(&self, at: usize) -> (Kind, usize) {
        let text = self.text;
        let mut end = at;
        while byte(text, end) == b','
            && (byte(text, end + 1).is_ascii_digit() || byte(text, end + 1) == b'-')
        {
            let Some((next, _)) = shape::number(text, end + 1) else {
                break;
            };
            if CLASS[byte(text, next) as usize] & (LOWER | UPPER | HIGH | COLON | SLASH) != 0
                || byte(text, next) == b'-'
            {
                break;
            }
            end = next;
        }
        if byte(text, end) == b' ' {
            let behind = text.get(end + 1..).unwrap_or_default();
            let len = words::time_unit(behind, true);
            if len > 0 && CLASS[byte(behind, len) as usize] & (LOWER | UPPER | DIGIT | JOIN) == 0 {
                return (Kind::Dur, end + 1 + len);
            }
            let len = words::size_unit(behind, true);
            if len > 0 && CLASS[byte(behind, len) as usize] & (LOWER | UPPER | DIGIT | JOIN) == 0 {
                return (Kind::Size, end + 1 + len);
            }
        }
        (Kind::Num, end)
    }

    /// The end of a path or URL from `from`: `query` lets `=`, `&` and `,` in.
    pub(super) fn path_end(&self, from: usize, query: bool) -> usize {
        let mut query = query;
        let mut end = from;
        while end < self.text.len() {
            let b = self.text[end];
            query |= b == b'?';
            let goes_on = CLASS[b as usize] & (WORD | PATH) != 0
                || (query && matches!(b, b'=' | b'&' | b',' | b';'));
            if !goes_on {
                break;
            }
            end += 1;
        }
        while end > from
            && matches!(
                self.text[end - 1],
                b'.' | b':' | b'?' | b'!' | b'*' | b',' | b';' | b'&' | b'=' | b'-'
            )
        {
            end -= 1;
        }
        end
    }
}
