//! Marks that begin something of their own: quotes, brackets, `<`, a new line, a terminal's escape.

use super::{
    mask::{CLASS, DIGIT, DOT, HIGH, JOIN, LOWER, MAX_WORD, Scanner, UPPER, WORD},
    placeholder::{Kind, Span},
    shape::{self, byte},
    words,
};

/// Longest quoted value, in bytes.
const MAX_QUOTED: usize = 1024;
/// Further lines of an event (`Caused by: ...`) that are kept in the template.
const MAX_KEPT_LINES: u32 = 3;

impl Scanner<'_> {
    pub(super) fn special(&mut self, at: usize) -> usize {
        match self.text[at] {
            b'<' => self.angle(at),
            b'\n' => self.new_line(at),
            0x1b => self.escape(at),
            b'(' => self.empty(at, b')'),
            b'[' => match shape::bracketed(self.text, at) {
                Some(end)
                    if byte(self.text, at + 1).is_ascii_digit()
                        && !self.text[at..end].contains(&b':') =>
                {
                    self.var(Kind::Num, at, end)
                }
                Some(end) => self.var(Kind::Ip, at, end),
                None => self.empty(at, b']'),
            },
            quote => self.quote(at, quote),
        }
    }

    /// Text that looks like a placeholder is a value; so is a bound like `<1` in `<1 sec`.
    fn angle(&mut self, at: usize) -> usize {
        if let Some(kind) = Kind::at_start(&self.text[at..]) {
            return self.var(Kind::Str, at, at + kind.placeholder().len());
        }
        let fresh = at == 0 || matches!(self.text[at - 1], b' ' | b'=' | b'(' | b':');
        if fresh
            && byte(self.text, at + 1).is_ascii_digit()
            && let Some((end, _)) = shape::number(self.text, at + 1)
        {
            let class = CLASS[byte(self.text, end) as usize];
            if class & WORD == 0 && byte(self.text, end) != b'>' {
                let (kind, end) = self.with_unit(end);
                return self.var(kind, at, end);
            }
        }
        at + 1
    }

    /// Brackets with nothing between them, apart from a word before: the place of a value that is empty this time.
    fn empty(&mut self, at: usize, close: u8) -> usize {
        let apart = at > 0 && matches!(self.text[at - 1], b' ' | b'=' | b':');
        if apart && byte(self.text, at + 1) == close {
            self.var(Kind::Str, at + 1, at + 1);
        }
        at + 1
    }

    /// A control sequence of a terminal (`ESC [ 31 m`) is copied, whatever digits it has.
    fn escape(&mut self, at: usize) -> usize {
        if byte(self.text, at + 1) != b'[' {
            return at + 1;
        }
        let parameters = self.text[at + 2..]
            .iter()
            .take(16)
            .take_while(|b| b.is_ascii_digit() || **b == b';')
            .count();
        let end = at + 2 + parameters;
        if byte(self.text, end).is_ascii_alphabetic() {
            end + 1
        } else {
            at + 2
        }
    }

    /// A quoted value is one variable. Keys of JSON, requests of access logs and the text of `msg="..."` are read on.
    fn quote(&mut self, at: usize, quote: u8) -> usize {
        let slot = match quote {
            b'"' => 0,
            b'\'' => 1,
            _ => 2,
        };
        if at < self.plain_until {
            return self.quote_in_text(at, quote);
        }
        if at < self.no_quote[slot] {
            return at + 1;
        }
        if at > 0 && CLASS[self.text[at - 1] as usize] & (LOWER | UPPER | DIGIT | HIGH) != 0 {
            return at + 1;
        }
        let limit = (at + 1 + MAX_QUOTED).min(self.text.len());
        let Some(close) = self.closing(at + 1, limit, quote) else {
            self.no_quote[slot] = limit;
            return at + 1;
        };
        let inside = &self.text[at + 1..close];
        let key = self.key_before(at);
        let reads_on = (byte(self.text, close + 1) == b':' && !inside.contains(&b' '))
            || words::starts_request(inside)
            || words::is_text_key(key)
            || (at == 0 && followed_by_pairs(&self.text[close + 1..]));
        if reads_on {
            self.plain_until = close + 1;
            return at + 1;
        }
        if inside.contains(&b'\n') {
            self.no_quote[slot] = close;
            return at + 1;
        }
        // The spaces inside quotes are the value's own.
        self.out
            .text
            .extend_from_slice(&self.text[self.flushed..=at]);
        self.flushed = at + 1;
        self.var(Kind::Str, at + 1, close);
        close + 1
    }

    /// A quote inside quoted text (`msg="volume \"data\" is gone"`): what it holds is a value if it is one word.
    fn quote_in_text(&mut self, at: usize, quote: u8) -> usize {
        let escaped = at > 0 && self.text[at - 1] == b'\\';
        if !escaped && (quote == b'"' || at == 0 || CLASS[self.text[at - 1] as usize] & WORD != 0) {
            return at + 1;
        }
        // The outer quote itself ends the text.
        let end = self.plain_until.saturating_sub(1).max(at + 1);
        let rest = &self.text[at + 1..end];
        let Some(len) = rest
            .iter()
            .take(MAX_WORD)
            .position(|b| *b == quote || *b == b' ')
        else {
            return at + 1;
        };
        let inside = &rest[..len];
        let value = if escaped {
            inside.strip_suffix(b"\\")
        } else {
            Some(inside)
        };
        let Some(value) = value.filter(|value| !value.is_empty() && rest[len] == quote) else {
            return at + 1;
        };
        self.var(Kind::Str, at + 1, at + 1 + value.len());
        at + len + 2
    }

    /// The key before a quoted value: `key="`, `key: "`, `"key":"`.
    fn key_before(&self, at: usize) -> &[u8] {
        let head = &self.text[at.saturating_sub(24)..at];
        let head = head.strip_suffix(b" ").unwrap_or(head);
        let Some((b'=' | b':', head)) = head.split_last() else {
            return &[];
        };
        let head = head
            .strip_suffix(b"\"")
            .or(head.strip_suffix(b"'"))
            .unwrap_or(head);
        let len = head
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
        &head[head.len() - len..]
    }

    /// The quote that closes, before `limit`: not escaped, and for `'` not inside a word.
    fn closing(&self, from: usize, limit: usize, quote: u8) -> Option<usize> {
        let mut from = from;
        loop {
            let close = from + memchr::memchr(quote, self.text.get(from..limit)?)?;
            let escaped = self.text[close - 1] == b'\\' && close > from;
            let apostrophe = quote == b'\'' && byte(self.text, close + 1).is_ascii_alphanumeric();
            if !escaped && !apostrophe {
                return Some(close);
            }
            from = close + 1;
        }
    }

    /// Of an event's further lines only those that name an exception are kept; frames and the like are one `<trace>`.
    fn new_line(&mut self, at: usize) -> usize {
        let text = self.text;
        let start = at + 1;
        if start >= text.len() {
            return start;
        }
        let after_colon = self.kept_lines == 0 && at > 0 && text[at - 1] == b':';
        let mut hidden = start;
        let mut line = start;
        while line < text.len() {
            let end = memchr::memchr(b'\n', &text[line..]).map_or(text.len(), |len| line + len);
            if self.kept_lines < MAX_KEPT_LINES
                && keeps(&text[line..end], after_colon && line == start)
            {
                self.kept_lines += 1;
                break;
            }
            hidden = end;
            line = end + 1;
        }
        if hidden > start || line > start {
            self.out.text.extend_from_slice(&text[self.flushed..start]);
            self.flushed = start;
            self.out
                .text
                .extend_from_slice(Kind::Trace.placeholder().as_bytes());
            self.out.variables.push(Span {
                start: start as u32,
                end: hidden as u32,
            });
            self.flushed = hidden;
            // The new line before a kept line stands for itself.
            return if line < text.len() {
                line
            } else {
                text.len().max(hidden)
            };
        }
        start
    }
}

/// Whether what stands behind a quoted text makes it the message itself: nothing, or pairs of key and value, as the
/// structured logs of Kubernetes have them (`"Message text" pod="web-1"`).
fn followed_by_pairs(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let len = rest
        .iter()
        .take(MAX_WORD)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(**b, b'_' | b'-' | b'.' | b'/'))
        .count();
    rest.is_empty() || len > 0 && byte(rest, len) == b'='
}

/// Whether a further line of an event belongs in its template: it names what went wrong.
fn keeps(line: &[u8], after_colon: bool) -> bool {
    if !line.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    if after_colon || line.starts_with(b"Caused by: ") || line.starts_with(b"panic: ") {
        return true;
    }
    let len = line
        .iter()
        .take(200)
        .take_while(|b| CLASS[**b as usize] & (LOWER | UPPER | DIGIT | DOT | JOIN) != 0)
        .count();
    let name = &line[..len];
    let ends = [
        b"Error".as_slice(),
        b"Exception",
        b"Throwable",
        b"Interrupt",
        b"Exit",
        b"Fault",
    ];
    matches!(byte(line, len), b':' | 0) && ends.iter().any(|end| name.ends_with(end))
}
