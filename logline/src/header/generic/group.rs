//! What stands in square brackets.

use std::borrow::Cow;

use super::Walk;
use crate::{
    header::token::{self, Case},
    level::Level,
    time,
};

/// Whether this is MySQL's mark of information: `Note` by its manual, `System` for what is said whatever the verbosity.
fn mysql_information(inside: &[u8]) -> bool {
    matches!(inside, b"Note" | b"System")
}

impl<'a> Walk<'a, '_> {
    /// `[...]`: a time, level, pid, thread, logger or request, or several of them.
    pub(super) fn group(&mut self) -> bool {
        let Some(close) = token::closing(self.b, self.at, 200) else {
            return false;
        };
        let open = self.at;
        let inside = self.b[open + 1..close - 1].trim_ascii();
        let start = token::skip_colours(inside, 0);
        let inside = inside[start..].trim_ascii();
        if inside.is_empty() {
            // A thread without a name.
            if self.started() {
                self.at = close;
            }
            return self.started();
        }
        let taken = self.group_content(inside, close);
        if taken && self.at == open {
            self.at = close;
            while let Some(b':' | b',') = self.b.get(self.at) {
                self.at += 1;
            }
        }
        taken
    }

    fn group_content(&mut self, inside: &'a [u8], close: usize) -> bool {
        if !self.timed
            && let Some(parsed) = time::parse_prefix(inside, self.context)
        {
            self.timed = true;
            self.header.timestamp = parsed.at;
            self.after_group_time(&inside[parsed.len..]);
            return true;
        }
        if self.tornado(inside) {
            return true;
        }
        if mysql_information(inside) && self.timed && !self.levelled {
            self.state(Level::Info);
            return true;
        }
        if let Some((level, len, _)) = token::level_word(inside) {
            let tail = &inside[len..];
            // `[ERROR]`, Celery's `[... ERROR/MainProcess]`, and nothing that goes on as a sentence.
            if !self.levelled && (token::skip(tail, 0) == tail.len() || tail[0] == b'/') {
                self.state(level);
                if let Some(process) = tail.strip_prefix(b"/") {
                    self.header.pid = Some(process);
                }
                return true;
            }
            if tail.first() == Some(&b' ') {
                return false;
            }
        }
        if !self.levelled
            && inside.len() == 1
            && inside[0].is_ascii_uppercase()
            && self.timed
            && let Some(level) = Level::from_name(inside)
        {
            self.state(level);
            return true;
        }
        if !self.timed
            && inside.len() == 10
            && let Some(at) = time::epoch(inside, self.context)
        {
            self.timed = true;
            self.header.timestamp = Some(at);
            return true;
        }
        if token::digits(inside, 10) == inside.len() {
            return self.numbered(inside, close);
        }
        if !self.started() {
            return false;
        }
        // Apache 2.4: `[core:error]`, `[pid 123:tid 456]`.
        if let Some(colon) = memchr::memchr(b':', inside)
            && let Some((level, len, Case::Lower)) = token::level_word(&inside[colon + 1..])
            && colon + 1 + len == inside.len()
            && !self.levelled
        {
            self.state(level);
            self.header.logger =
                (colon > 0 && &inside[..colon] != b"-").then(|| Cow::Borrowed(&inside[..colon]));
            return true;
        }
        if let Some(pid) = inside.strip_prefix(b"pid ") {
            self.header.pid = Some(&pid[..token::digits(pid, 9)]);
            return true;
        }
        if let Some(hash) = inside.strip_prefix(b"#")
            && token::digits(hash, 9) == hash.len()
        {
            self.header.pid = Some(hash);
            return true;
        }
        if inside.starts_with(b"req-") || inside == b"-" {
            let len = token::word(inside, 60);
            self.header.request = (len > 1).then(|| &inside[..len]);
            return true;
        }
        self.named_group(inside, close)
    }

    /// `[I 2026-11-20 17:01:07.123 module:12]`: level, time and place within one bracket.
    fn tornado(&mut self, inside: &'a [u8]) -> bool {
        if self.started() || inside.get(1) != Some(&b' ') || !inside[0].is_ascii_uppercase() {
            return false;
        }
        let (Some(level), Some(parsed)) = (
            Level::from_name(&inside[..1]),
            time::parse_prefix(&inside[2..], self.context),
        ) else {
            return false;
        };
        self.state(level);
        self.timed = true;
        self.header.timestamp = parsed.at;
        let place = inside[2 + parsed.len..].trim_ascii();
        self.header.logger = (!place.is_empty()).then_some(Cow::Borrowed(place));
        true
    }

    /// `[123]`: a pid; without a head before it only where one follows.
    fn numbered(&mut self, inside: &'a [u8], close: usize) -> bool {
        let after = token::skip(self.b, close);
        let next = &self.b[after..];
        if !(self.started()
            || time::parse_prefix(next, self.context).is_some()
            || bracket_level(next).is_some())
        {
            return false;
        }
        if self.header.pid.is_none() {
            self.header.pid = Some(inside);
        } else if self.groups > 2 {
            return false;
        }
        self.groups += 1;
        true
    }

    /// A thread, logger or context: anything in one word, or several words where more head follows.
    fn named_group(&mut self, inside: &'a [u8], close: usize) -> bool {
        if self.groups >= 4 || token::find(inside, b": ").is_some() {
            return false;
        }
        let after = token::skip(self.b, close);
        let next = &self.b[after..];
        let spaced = inside.contains(&b' ');
        if spaced || inside.contains(&b'=') && !next.starts_with(b"-") {
            let more = token::level_word(next).is_some_and(|(_, _, case)| case == Case::Upper)
                || bracket_level(next).is_some()
                || next.starts_with(b"- ")
                || qualified_logger(next);
            if !more {
                return false;
            }
        } else if !self.levelled && token::word(next, 1) == 0 && next.is_empty() {
            // The whole rest of the line: it is what is said.
            return false;
        }
        self.groups += 1;
        let name = inside.strip_suffix(b":").unwrap_or(inside);
        let found = token::name(name);
        let place = found.dots > 0
            || memchr::memchr2(b'/', b':', name)
                .is_some_and(|at| name[at] == b'/' || name[at + 1..].starts_with(b":"));
        let held = self
            .header
            .logger
            .as_deref()
            .is_some_and(|held| token::name(held).qualified);
        if found.qualified && place && found.len == name.len() && !held {
            self.header.logger = Some(Cow::Borrowed(name));
        } else if name.starts_with(b"MY-") && token::digits(&name[3..], 6) + 3 == name.len() {
            // MySQL's number of the message; the subsystem follows.
        } else if self.header.pid.is_none() {
            self.header.pid = Some(name);
        } else if self.dashes && self.header.logger.is_none() {
            // Spring's application and thread stand before its logger; one of them is enough.
            self.header.pid = Some(name);
        } else if self.header.logger.is_none() && !spaced {
            self.header.logger = Some(Cow::Borrowed(name));
        } else {
            return false;
        }
        true
    }

    /// Behind the time within one bracket: `[time: LEVEL/Process]`, `[time LEVEL logger]`, `[time #pid]`, `[time pid]`.
    fn after_group_time(&mut self, tail: &'a [u8]) {
        let mut tail = tail;
        while let Some((b':' | b',' | b' ' | b'\t' | b'|', rest)) = tail.split_first() {
            tail = rest;
        }
        if let Some((level, len, _)) = token::level_word(tail) {
            self.state(level);
            let name = tail[len..].trim_ascii();
            if let Some(process) = name.strip_prefix(b"/") {
                self.header.pid = Some(process);
            } else if !name.is_empty() {
                self.header.logger = Some(Cow::Borrowed(name));
            }
        } else if !tail.is_empty() {
            self.header.pid = Some(tail.strip_prefix(b"#").unwrap_or(tail));
        }
    }
}

/// The level in `[LEVEL]` at the start of `b`.
pub(super) fn bracket_level(b: &[u8]) -> Option<Level> {
    if b.first() != Some(&b'[') {
        return None;
    }
    let close = token::closing(b, 0, 16)?;
    let inside = b[1..close - 1].trim_ascii();
    if mysql_information(inside) {
        return Some(Level::Info);
    }
    let (level, len, _) = token::level_word(inside)?;
    (len == inside.len()).then_some(level)
}

/// `a.b.C: ` or `a.b.C - ` at the start of `b`.
fn qualified_logger(b: &[u8]) -> bool {
    let found = token::name(b);
    found.qualified
        && (b.get(found.len) == Some(&b':') || b.get(found.len..found.len + 3) == Some(b" - "))
}
