//! The level that a message's own words speak of, where nothing states one.
//!
//! One pass over the words of the first [`WINDOW`] bytes. A word counts only where it is a word of the sentence: not a part of an
//! identifier, path or URL (`error_log`, `/var/log/error`), not a key without a value (`error=nil`, `errors: 0`), not denied
//! (`no errors`), and not naming a thing rather than an event (`error handler`, `retry policy`).

use super::{
    Level,
    lexicon::{Entry, Sense, lookup, phrase},
};

/// Bytes looked at: a log line says what it is about early, and a bound keeps the cost of a hostile line that of a long one.
pub(super) const WINDOW: usize = 2048;

/// A word of the message and its lower-case bytes; none where it is longer than any that matters.
#[derive(Clone, Copy, Default)]
struct Word {
    start: usize,
    end: usize,
    lower: [u8; 16],
    len: usize,
    /// It can go before the last word of a phrase.
    starts: bool,
}

impl Word {
    fn lower(&self) -> &[u8] {
        &self.lower[..self.len]
    }
}

/// 1 for letters, 2 for what makes a run of letters an identifier or a number, 0 for what ends it.
const KIND: [u8; 256] = {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        table[c] = match c as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => 1,
            b'0'..=b'9' | b'_' => 2,
            _ => 0,
        };
        c += 1;
    }
    table
};

fn kind(c: u8) -> u8 {
    KIND[usize::from(c)]
}

/// The lower-case bytes of the word of `len` (at most 15) bytes at `start`, packed from the first up.
fn pack(text: &[u8], start: usize, len: usize) -> u128 {
    let mut bytes = [0; 16];
    match text
        .get(start..start + 16)
        .and_then(|b| <[u8; 16]>::try_from(b).ok())
    {
        Some(whole) => bytes = whole,
        None => {
            for (to, from) in bytes.iter_mut().zip(&text[start..start + len]) {
                *to = *from;
            }
        }
    }
    let mask = (1_u128 << (8 * len)) - 1;
    // An apostrophe has the bit of lower-case letters already.
    (u128::from_le_bytes(bytes) | u128::from_le_bytes([0x20; 16])) & mask
}

/// Reads the message's words and returns the level that they speak of. `bare` tells that no head stood before them.
pub(super) fn infer(message: &[u8], bare: bool) -> Option<Level> {
    let mut scan = Scan {
        text: &message[..message.len().min(WINDOW)],
        bare,
        ..Scan::default()
    };
    let mut at = 0;
    while let Some(start) = scan.text[at..].iter().position(|c| kind(*c) != 0) {
        at = scan.run(at + start);
        if scan.decided.is_some() {
            return scan.decided;
        }
    }
    match scan.worst {
        // What is wrong with a line of a file keeps it from being read.
        None | Some(Level::Warn) if scan.located => Some(Level::Error),
        Some(Level::Error) if scan.mild && !scan.named => Some(Level::Warn),
        other => other,
    }
}

/// What was read so far.
#[derive(Default)]
struct Scan<'a> {
    text: &'a [u8],
    bare: bool,
    worst: Option<Level>,
    decided: Option<Level>,
    /// An error that its line names as such (`error:`, `ValueError:`); milder words do not lessen it.
    named: bool,
    /// The other side is at fault, or the program goes on.
    mild: bool,
    /// What follows is denied (`no`, `0`, `without`) or a condition (`if any`).
    negated: bool,
    /// `assertion` was read.
    asserted: bool,
    /// `expected` was read.
    expected: bool,
    /// Something that can be reached was read: `limit`, `maximum`.
    bounded: bool,
    /// `: line 12: ` was read.
    located: bool,
    last: Word,
    before_last: Word,
    words: u32,
}

impl Scan<'_> {
    fn raise(&mut self, level: Level) {
        self.worst = self.worst.max(Some(level));
    }

    /// The byte at `at`; a line's end beyond the last.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(b'\n')
    }

    /// Takes the run of word bytes at `start`; returns where it ends.
    fn run(&mut self, start: usize) -> usize {
        let mut end = start;
        let mut mixed = false;
        while let Some(c) = self.text.get(end) {
            match kind(*c) {
                1 => {}
                2 => mixed = true,
                // `can't`
                _ if *c == b'\''
                    && end > start
                    && self.byte(end + 1) == b't'
                    && kind(self.byte(end + 2)) == 0 => {}
                _ => break,
            }
            end += 1;
        }
        self.words += 1;
        if mixed {
            self.number(start, end);
            return end;
        }
        let len = if end - start > 15 { 0 } else { end - start };
        let key = pack(self.text, start, len);
        let entry = lookup(key);
        let word = Word {
            start,
            end,
            lower: key.to_le_bytes(),
            len,
            starts: entry.starts,
        };
        self.word(&word, entry);
        self.before_last = self.last;
        self.last = word;
        end
    }

    /// A run with digits or underscores: only a lone number matters, for what it counts.
    fn number(&mut self, start: usize, end: usize) {
        let run = &self.text[start..end];
        self.negated = run == b"0" && self.byte(end) == b' ';
        if run.len() <= 3
            && run.iter().all(u8::is_ascii_digit)
            && run.iter().any(|c| *c != b'0')
            && (self.byte(end) == b')' || start == 0 || self.byte(start - 1) != b'(')
            && self.exited()
        {
            self.raise(Level::Error);
        }
        self.before_last = self.last;
        self.last = Word::default();
    }

    /// `exited 1`, `exit status 1`, `exited with code 1`.
    fn exited(&self) -> bool {
        let ended = |w: &Word| matches!(w.lower(), b"exited" | b"exit");
        let code = matches!(self.last.lower(), b"code" | b"status");
        ended(&self.last)
            || (code || self.last.lower() == b"with") && ended(&self.before_last)
            || code && self.before_last.lower() == b"with"
    }

    fn word(&mut self, word: &Word, entry: Entry) {
        if word.end - word.start > 6 && self.class(word) {
            return;
        }
        if self.last.starts
            && self.text[self.last.end..word.start]
                .iter()
                .all(|c| matches!(c, b' ' | b'-'))
            && let Some(level) = phrase(self.before_last.lower(), self.last.lower(), word.lower())
        {
            self.mild |= word.lower() == b"in";
            // The kernel outlives what it kills: `Out of memory: Killed process 12`.
            let outlived = level == Level::Fatal && self.text[word.end..].starts_with(b": Kill");
            self.raise(if outlived { Level::Error } else { level });
            self.negated = false;
            return;
        }
        match entry.sense {
            Sense::Silent => self.negated = false,
            Sense::Negator => {
                self.bounded |= matches!(word.lower(), b"max" | b"maximum");
                self.negated = true;
            }
            Sense::Bound => {
                self.bounded = true;
                self.negated = false;
            }
            Sense::Reached => {
                if self.last.lower() != b"not"
                    && (self.bounded || self.last.lower() == b"connections")
                {
                    self.raise(Level::Warn);
                }
                self.negated = false;
            }
            Sense::Expected => self.expected = true,
            Sense::Got => {
                if self.expected {
                    self.raise(Level::Error);
                }
            }
            Sense::Instead => {
                let apart = matches!(self.text[..word.start], [.., b',' | b';', b' ']);
                self.mild |= apart || word.lower() == b"falling";
                self.negated = false;
            }
            Sense::Deny => {
                if self.sandboxed(word.end) {
                    self.raise(Level::Warn);
                }
                self.negated = false;
            }
            Sense::Line => {
                let rest = self.text.get(word.end + 1..).unwrap_or_default();
                let digits = rest
                    .iter()
                    .take(9)
                    .take_while(|c| c.is_ascii_digit())
                    .count();
                self.located |= digits > 0
                    && self.byte(word.end) == b' '
                    && rest[digits..].starts_with(b": ")
                    && self.text[..word.start].ends_with(b": ");
                self.negated = false;
            }
            Sense::Stated => {
                if self.worst.is_none() && self.words < 12 && self.labels(word) {
                    let debug = word.lower() == b"debug";
                    // The kernel opens its reports of what hangs with `INFO: `.
                    if debug || word.start > 0 {
                        self.decided = Some(if debug { Level::Debug } else { Level::Info });
                    }
                }
                self.negated = false;
            }
            Sense::Adjective => {}
            Sense::Mild => {
                self.mild = true;
                self.negated = false;
            }
            Sense::Assertion => self.asserted = true,
            Sense::Client => {
                self.mild |=
                    self.worst.is_none() || matches!(self.last.lower(), b"to" | b"from" | b"by");
                self.negated = false;
            }
            Sense::Hresult => {
                let value = self.text.get(word.end..word.end + 6).unwrap_or_default();
                if value.ends_with(b"0x8") {
                    self.raise(Level::Warn);
                }
            }
            sense => {
                if self.counts(word, sense) {
                    self.tell(word, sense);
                }
            }
        }
    }

    /// `ValueError:`, `java.io.IOException`, `DeprecationWarning:`: a class of errors or warnings.
    fn class(&mut self, word: &Word) -> bool {
        let name = &self.text[word.start..word.end];
        if !matches!(name[name.len() - 1], b'r' | b'n' | b'g') {
            return false;
        }
        // Node's events have the case of a variable.
        if matches!(name, b"unhandledRejection" | b"uncaughtException") {
            self.raise(Level::Error);
            self.named = true;
            return true;
        }
        let error = name.ends_with(b"Error")
            || name.ends_with(b"Exception")
            || name.ends_with(b"Rejection");
        if !name[0].is_ascii_uppercase() || !(error || name.ends_with(b"Warning")) {
            return false;
        }
        let next = self.byte(word.end);
        if error {
            let ends = matches!(
                next,
                b':' | b' ' | b'\n' | b')' | b',' | b';' | b'[' | b']' | b'"' | b'\'' | b'<' | b'('
            ) || next == b'.' && kind(self.byte(word.end + 1)) == 0;
            let before = if word.start == 0 {
                b' '
            } else {
                self.byte(word.start - 1)
            };
            if name == b"Exception" || !ends || self.negated || matches!(before, b'/' | b'-') {
                return false;
            }
            self.raise(Level::Error);
            self.named = true;
            return true;
        }
        if next != b':' || name == b"Warning" {
            return false;
        }
        if self.worst.is_none() {
            self.decided = Some(Level::Warn);
        }
        true
    }

    /// Whether the word is one of the sentence and not denied, a part of a name, or a key without a value.
    fn counts(&self, word: &Word, sense: Sense) -> bool {
        if self.negated {
            return false;
        }
        let next = self.byte(word.end);
        let after = kind(self.byte(word.end + 1));
        let part = word.start > 0
            && matches!(
                self.byte(word.start - 1),
                b'_' | b'-' | b'/' | b'.' | b'\\' | b'$' | b'@' | b'%' | b'&' | b'?'
            );
        if part || matches!(next, b'-' | b'.' | b'/') && after != 0 || next == b'(' {
            return false;
        }
        if matches!(next, b':' | b'=' | b'"' | b'\'' | b' ') && self.nothing_follows(word) {
            return false;
        }
        let nameable = matches!(
            sense,
            Sense::Error | Sense::Setting | Sense::Warning | Sense::Panic | Sense::Notice
        );
        !(nameable && next == b' ' && self.thing_at(word.end + 1))
    }

    /// Whether the word at `at` makes a name of the one before it.
    fn thing_at(&self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let len = rest
            .iter()
            .take(16)
            .take_while(|c| c.is_ascii_alphabetic())
            .count();
        len < 16 && lookup(pack(self.text, at.min(self.text.len()), len)).thing
    }

    /// A value behind the word that says there was none: `: 0`, `=nil`, `": null`, ` 0`; numbers as values of `=` are codes.
    fn nothing_follows(&self, word: &Word) -> bool {
        let mut at = word.end;
        let mut key = false;
        while at < word.end + 4
            && at < self.text.len()
            && matches!(self.byte(at), b':' | b'=' | b'"' | b'\'' | b' ')
        {
            key |= self.byte(at) == b'=';
            at += 1;
        }
        let value = self.text.get(at..).unwrap_or_default();
        let len = value
            .iter()
            .take(8)
            .take_while(|c| c.is_ascii_alphanumeric())
            .count();
        match &value[..len] {
            b"nil" | b"null" | b"none" | b"None" | b"false" | b"0" | b"NULL" | b"Success"
            | b"success" => !matches!(value.get(len), Some(b'.' | b'x')),
            b"" => key && matches!(value.first(), None | Some(b' ' | b',' | b'}' | b'<' | b'-')),
            digits => key && digits[0].is_ascii_digit() && word.lower() != b"error",
        }
    }

    /// Whether the word is put as a name of the level: at the start or behind `name: `, and ahead of a colon.
    fn labels(&self, word: &Word) -> bool {
        self.text[word.end..].starts_with(b": ")
            && (word.start == 0 || self.text[..word.start].ends_with(b": "))
    }

    /// `deny(1)`, `deny file-read-data`: Apple's sandbox and the operation that it denied.
    fn sandboxed(&self, end: usize) -> bool {
        const OPERATIONS: [&[u8]; 6] = [
            b" file-",
            b" mach-",
            b" network-",
            b" process-",
            b" iokit-",
            b" ipc-",
        ];
        let rest = &self.text[end..];
        OPERATIONS.iter().any(|o| rest.starts_with(o))
            || rest.first() == Some(&b'(') && rest.get(1).is_some_and(u8::is_ascii_digit)
    }

    fn tell(&mut self, word: &Word, sense: Sense) {
        let next = self.byte(word.end);
        // The level's own name: `error: ...`, `ERROR ...`, but not OpenSSL's `error:0A000126:...`.
        let capitals = word.end - word.start > 2 && self.byte(word.start + 1).is_ascii_uppercase();
        let stated = capitals || next == b':' && !self.byte(word.end + 1).is_ascii_digit();
        match sense {
            Sense::Fatal => {
                // TLS alerts are what the other side says.
                if self.text[word.end..].starts_with(b" alert") {
                    self.mild = true;
                    self.raise(Level::Warn);
                } else {
                    self.raise(Level::Fatal);
                }
            }
            // A plain word except where it is put as a name of what happened.
            Sense::Panic => {
                if stated || self.last.lower() == b"kernel" || next == b' ' && self.words == 1 {
                    self.raise(Level::Fatal);
                }
            }
            Sense::Aborting => {
                let rest = &self.text[word.end..];
                // `timeout, aborting`: that one request.
                if matches!(self.last.lower(), b"timeout" | b"out") {
                    self.raise(Level::Error);
                } else if next != b' '
                    || rest.starts_with(b" now")
                    || self.words == 1 && !rest.starts_with(b" any")
                {
                    self.raise(Level::Fatal);
                }
            }
            Sense::Error => {
                self.named |=
                    stated && matches!(word.lower(), b"error" | b"err" | b"critical" | b"severe");
                if word.lower() == b"error"
                    && self.worst.is_none()
                    && self.words < 12
                    && self.labels(word)
                {
                    self.decided = Some(Level::Error);
                }
                let modal = if self.last.lower() == b"be" {
                    &self.before_last
                } else {
                    &self.last
                };
                self.raise(match modal.lower() {
                    _ if self.asserted && word.lower().starts_with(b"fail") => Level::Fatal,
                    b"may" | b"might" | b"would" | b"could" | b"should" => Level::Warn,
                    _ => Level::Error,
                });
            }
            Sense::Warning => {
                if stated && self.worst.is_none() && self.words < 12 {
                    self.decided = Some(Level::Warn);
                }
                self.raise(Level::Warn);
            }
            Sense::Notice => {
                if stated && self.worst.is_none() && self.words < 4 {
                    self.decided = Some(Level::Notice);
                }
            }
            Sense::Setting => {
                self.mild |= word.lower()[0] == b'r';
                let rest = &self.text[word.end..];
                let set = [&b" is "[..], b" set", b" of ", b" to ", b" was ", b" = "]
                    .iter()
                    .any(|s| rest.starts_with(s));
                if !set
                    && !matches!(next, b'=' | b':' | b']' | b'"')
                    && !self.byte(word.end + 1).is_ascii_digit()
                {
                    self.raise(Level::Warn);
                }
            }
            Sense::Lenient => {
                self.mild = true;
                self.raise(Level::Warn);
            }
            // `unknown option`, where it opens a clause.
            Sense::Unknown => {
                let opens = self.words == 1
                    || matches!(self.text[..word.start], [.., b':' | b')' | b',', b' ']);
                if opens && next == b' ' {
                    self.raise(if self.bare { Level::Error } else { Level::Warn });
                }
            }
            Sense::Input if self.bare => self.raise(Level::Error),
            _ => {
                self.mild |= word.lower() == b"retrying";
                self.raise(Level::Warn);
            }
        }
    }
}
