//! The level that a message's own words speak of, where nothing states one.
//!
//! One pass over the words of the first [`WINDOW`] bytes. A word counts only where it is a word of the sentence: not a part of an
//! identifier, path or URL (`error_log`, `/var/log/error`), not a key without a value (`error=nil`, `errors: 0`), not denied
//! (`no errors`), and not naming a thing rather than an event (`error handler`, `retry policy`).

use super::{
    Level,
    lexicon::{Sense, is_setting_noun, names_a_thing, phrase, sense},
};

/// Bytes looked at: a log line says what it is about early, and a bound keeps the cost of a hostile line that of a long one.
pub(super) const WINDOW: usize = 2048;

/// A word of the message, lower-cased; empty where it is longer than any that matters.
#[derive(Clone, Copy, Default)]
struct Word {
    start: usize,
    end: usize,
    lower: [u8; 16],
    len: usize,
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

/// Reads the message's words and returns the level that they speak of.
pub(super) fn infer(message: &[u8]) -> Option<Level> {
    let mut scan = Scan {
        text: &message[..message.len().min(WINDOW)],
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
        Some(Level::Error) if scan.mild && !scan.named => Some(Level::Warn),
        other => other,
    }
}

/// What was read so far.
#[derive(Default)]
struct Scan<'a> {
    text: &'a [u8],
    worst: Option<Level>,
    decided: Option<Level>,
    /// An error that its line names as such (`error:`, `ValueError:`); milder words do not lessen it.
    named: bool,
    /// The other side is at fault, or the program goes on.
    mild: bool,
    /// What follows is denied (`no`, `0`, `without`) or a condition (`if any`).
    negated: bool,
    last: Word,
    before_last: Word,
    words: u32,
}

impl Scan<'_> {
    fn raise(&mut self, level: Level) {
        self.worst = self.worst.max(Some(level));
    }

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
        let mut word = Word {
            start,
            end,
            lower: [0; 16],
            len,
        };
        for (to, from) in word.lower.iter_mut().zip(&self.text[start..start + len]) {
            *to = from | if from.is_ascii_uppercase() { 0x20 } else { 0 };
        }
        self.word(&word);
        self.before_last = self.last;
        self.last = word;
        end
    }

    /// A run with digits or underscores: only a lone number matters, for what it counts.
    fn number(&mut self, start: usize, end: usize) {
        let run = &self.text[start..end];
        self.negated = run == b"0" && !matches!(self.byte(end), b'.' | b'x');
        let nonzero =
            run.len() <= 3 && run.iter().all(u8::is_ascii_digit) && run.iter().any(|c| *c != b'0');
        let ended = |w: &Word| matches!(w.lower(), b"exited" | b"exit");
        if nonzero
            && (ended(&self.last)
                || matches!(self.last.lower(), b"code" | b"status" | b"with")
                    && ended(&self.before_last)
                || matches!(self.last.lower(), b"code" | b"status")
                    && self.before_last.lower() == b"with")
        {
            self.raise(Level::Error);
        }
        self.before_last = self.last;
        self.last = Word::default();
    }

    fn word(&mut self, word: &Word) {
        if word.end - word.start > 6 && self.class(word) {
            return;
        }
        let lower = word.lower();
        let level = phrase(self.before_last.lower(), self.last.lower(), lower);
        let joined = self.last.len > 0
            && self.text[self.last.end..word.start]
                .iter()
                .all(|c| *c == b' ');
        if let (Some(level), true) = (level, joined) {
            self.raise(level);
            self.negated = false;
            return;
        }
        if self.last.lower() == b"unknown" && joined && is_setting_noun(lower) {
            self.raise(Level::Warn);
        }
        let Some(sense) = sense(lower) else {
            self.negated = false;
            return;
        };
        match sense {
            Sense::Negator => self.negated = true,
            Sense::Adjective => {}
            Sense::Mild => {
                if self.worst.is_none() || sense_is_mild_anywhere(lower) {
                    self.mild = true;
                }
                self.negated = false;
            }
            _ => {
                if self.counts(word) {
                    self.tell(word, sense);
                }
            }
        }
    }

    /// `ValueError:`, `java.io.IOException`, `DeprecationWarning:`: a class of errors or warnings.
    fn class(&mut self, word: &Word) -> bool {
        let name = &self.text[word.start..word.end];
        let error = name.ends_with(b"Error")
            || name.ends_with(b"Exception")
            || name.ends_with(b"Rejection");
        if !name[0].is_ascii_uppercase() || !(error || name.ends_with(b"Warning")) {
            return false;
        }
        let next = self.byte(word.end);
        if error {
            let plain = name == b"Exception" || name == b"Rejection";
            let ends = matches!(
                next,
                b':' | b' ' | b'\n' | b')' | b',' | b';' | b'[' | b']' | b'"' | b'\'' | b'<'
            ) || next == b'('
                || next == b'.' && kind(self.byte(word.end + 1)) == 0;
            if plain
                || !ends
                || self.negated
                || matches!(self.byte(word.start.wrapping_sub(1)), b'/' | b'_' | b'-')
            {
                return false;
            }
            self.raise(Level::Error);
            self.named = true;
            return true;
        }
        if next == b':' && name != b"Warning" {
            if self.worst.is_none() {
                self.decided = Some(Level::Warn);
            }
            return true;
        }
        false
    }

    /// Whether the word is one of the sentence and not denied, a part of a name, or a key without a value.
    fn counts(&mut self, word: &Word) -> bool {
        if self.negated {
            return false;
        }
        let before = if word.start == 0 {
            b' '
        } else {
            self.byte(word.start - 1)
        };
        let next = self.byte(word.end);
        let after = kind(self.byte(word.end + 1));
        if matches!(
            before,
            b'_' | b'-' | b'/' | b'.' | b'\\' | b'$' | b'@' | b'%' | b'&' | b'?'
        ) && word.start > 0
            || matches!(next, b'-' | b'.' | b'/') && after != 0
            || next == b'('
        {
            return false;
        }
        if matches!(next, b':' | b'=' | b'"' | b'\'' | b' ') && self.nothing_follows(word.end) {
            return false;
        }
        next != b' ' || !self.names(word.end + 1)
    }

    /// Whether the word at `at` makes a name of the one before it.
    fn names(&self, at: usize) -> bool {
        let len = self.text[at.min(self.text.len())..]
            .iter()
            .take(16)
            .take_while(|c| c.is_ascii_alphabetic())
            .count();
        let mut lower = [0; 16];
        for (to, from) in lower
            .iter_mut()
            .zip(&self.text[at.min(self.text.len())..][..len])
        {
            *to = from.to_ascii_lowercase();
        }
        names_a_thing(&lower[..len])
    }

    /// A value behind the word that says there was none: `: 0`, `=nil`, `": null`, ` 0`; numbers as values of `=` are codes.
    fn nothing_follows(&self, end: usize) -> bool {
        let mut at = end;
        let mut key = false;
        while at < end + 4
            && matches!(self.byte(at), b':' | b'=' | b'"' | b'\'' | b' ')
            && at < self.text.len()
        {
            key |= self.byte(at) == b'=';
            at += 1;
        }
        let value = &self.text[at.min(self.text.len())..];
        let len = value
            .iter()
            .take(8)
            .take_while(|c| c.is_ascii_alphanumeric())
            .count();
        match &value[..len] {
            b"nil" | b"null" | b"none" | b"None" | b"false" | b"0" | b"NULL" | b"Success"
            | b"success" => !matches!(value.get(len), Some(b'.' | b'x')),
            b"" if key => matches!(value.first(), None | Some(b' ' | b',' | b'}' | b'<' | b'-')),
            digits => key && digits[0].is_ascii_digit(),
        }
    }

    fn tell(&mut self, word: &Word, sense: Sense) {
        let text = &self.text[word.start..word.end];
        let capitals = text.len() > 2 && text[1].is_ascii_uppercase();
        let stated = capitals || self.byte(word.end) == b':';
        match sense {
            Sense::Fatal => self.raise(Level::Fatal),
            // A plain word except where it is put as a name of what happened.
            Sense::Panic => {
                if stated
                    || self.last.lower() == b"kernel"
                    || self.byte(word.end) == b' ' && self.words == 1
                {
                    self.raise(Level::Fatal);
                }
            }
            Sense::Aborting => {
                let next = self.byte(word.end);
                let ends = !matches!(next, b' ')
                    || self.text[word.end..].starts_with(b" now")
                    || self.words == 1;
                self.raise(if ends { Level::Fatal } else { Level::Warn });
            }
            Sense::Error => {
                self.named |=
                    stated && matches!(word.lower(), b"error" | b"err" | b"critical" | b"severe");
                if self.last.lower() == b"assertion" {
                    self.raise(Level::Fatal);
                } else if matches!(
                    self.last.lower(),
                    b"may" | b"might" | b"would" | b"could" | b"should" | b"to"
                ) {
                    self.raise(Level::Warn);
                } else {
                    self.raise(Level::Error);
                }
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
            Sense::Cannot => self.raise(Level::Error),
            Sense::Setting => {
                self.mild |= word.lower().starts_with(b"retr");
                if !matches!(self.byte(word.end), b'=' | b':' | b']' | b'"')
                    && !self.byte(word.end + 1).is_ascii_digit()
                {
                    self.raise(Level::Warn);
                }
            }
            Sense::Lenient => {
                self.mild = true;
                self.raise(Level::Warn);
            }
            Sense::Hresult => {
                let value = &self.text[word.end..self.text.len().min(word.end + 6)];
                if memchr::memmem::find(value, b"0x8").is_some() {
                    self.raise(Level::Warn);
                }
            }
            _ => self.raise(Level::Warn),
        }
    }
}

/// Words that lessen an error wherever they stand; the others only before it.
fn sense_is_mild_anywhere(lower: &[u8]) -> bool {
    !matches!(lower, b"client" | b"clients")
}
