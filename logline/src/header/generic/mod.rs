//! Heads composed of what most loggers share: a time, a level word, bracketed groups, a pid, a logger's name, in any usual order.
//!
//! The reader walks from token to token and stops at the first that is none of these. Nothing counts as a head until a time or a
//! level was seen, and a name or group is taken only in a place and shape that a sentence does not have.

mod group;
mod name;

use std::borrow::Cow;

use self::group::bracket_level;
use super::{
    Format, Header, fixed, postgres,
    token::{self, Case},
};
use crate::{
    level::Level,
    time::{self, TimeContext},
};

/// Tokens read at most; no head has more.
const TOKENS: usize = 16;

/// Reads `b` as a head of unknown make. None where neither a time nor a level stands at its start.
pub(super) fn parse<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let mut walk = Walk {
        b,
        at: 0,
        context,
        header: Header::default(),
        timed: false,
        offset: false,
        levelled: false,
        groups: 0,
        dashes: false,
        jump: None,
    };
    walk.file_prefix();
    for _ in 0..TOKENS {
        walk.at = token::skip(b, walk.at);
        if !walk.step() {
            break;
        }
    }
    walk.finish()
}

struct Walk<'a, 'c> {
    b: &'a [u8],
    at: usize,
    context: &'c TimeContext,
    header: Header<'a>,
    timed: bool,
    /// The time names a numeric zone, as syslog daemons write it.
    offset: bool,
    levelled: bool,
    groups: u8,
    /// Spring's `---` was seen.
    dashes: bool,
    /// Where the message starts, if a token further on was taken.
    jump: Option<usize>,
}

impl<'a> Walk<'a, '_> {
    /// Takes one token. False where the message begins.
    fn step(&mut self) -> bool {
        let Some(first) = self.b.get(self.at) else {
            return false;
        };
        match first {
            b'0'..=b'9' => self.time() || self.number(),
            b'[' => self.group(),
            b'<' => self.angle(),
            b'(' => self.parenthesis(),
            b'|' | b'-' | b'#' | b':' | b',' | b'*' | b'.' => self.mark(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.time()
                    || self.level()
                    || self.pair()
                    || self.host_and_program()
                    || self.logger()
            }
            _ => false,
        }
    }

    fn started(&self) -> bool {
        self.timed || self.levelled
    }

    fn rest(&self) -> &'a [u8] {
        self.b.get(self.at..).unwrap_or_default()
    }

    /// A file's name before the head, as merged logs have it: `nova-api.log.1 2017-05-16 ...`, `app.log:2026-...`.
    fn file_prefix(&mut self) {
        let len = token::word(self.b, 100);
        let name = &self.b[..len];
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            return;
        }
        let Some(dot) = token::find(name, b".log") else {
            return;
        };
        let after = token::skip(self.b, len);
        if time::parse_prefix(&self.b[after..], self.context).is_some() {
            self.at = after;
        } else if name.get(dot + 4) == Some(&b':') {
            self.at = dot + 5;
        }
    }

    fn time(&mut self) -> bool {
        if self.timed {
            return false;
        }
        let Some(parsed) = time::parse_prefix(self.rest(), self.context) else {
            return false;
        };
        self.timed = true;
        self.offset = parsed.offset;
        self.header.timestamp = parsed.at;
        self.at += parsed.len;
        self.after_time();
        true
    }

    /// What clings to a time: a colon, comma, bar, closing bracket, or squid's `kid1|`.
    fn after_time(&mut self) {
        while let Some(b':' | b',' | b'|' | b';') = self.b.get(self.at) {
            self.at += 1;
        }
        if self.rest().starts_with(b" kid") {
            let digits = token::digits(&self.b[self.at + 4..], 4);
            if digits > 0 && self.b.get(self.at + 4 + digits) == Some(&b'|') {
                self.header.pid = Some(&self.b[self.at + 1..self.at + 4 + digits]);
                self.at += 5 + digits;
            }
        }
    }

    /// A pid or thread number: before a level or a bracket, before `---`, or nginx' `31#31:`.
    fn number(&mut self) -> bool {
        if !self.started() || self.header.pid.is_some() {
            return false;
        }
        let digits = token::digits(self.rest(), 10);
        let end = self.at + digits;
        let pid = &self.b[self.at..end];
        if digits == 0 {
            return false;
        }
        if self.b.get(end) == Some(&b'#') {
            let more = token::digits(&self.b[end + 1..], 10);
            if more > 0 && self.b.get(end + 1 + more) == Some(&b':') {
                self.header.pid = Some(pid);
                self.at = token::skip(self.b, end + 2 + more);
                self.connection();
                return true;
            }
        }
        if self.b.get(end) == Some(&b'|') {
            self.header.pid = Some(pid);
            self.at = end + 1;
            return true;
        }
        // HAProxy before 2.4: day of the year and time, `323/170107 (6252) : `.
        if self.levelled
            && !self.timed
            && digits == 3
            && self.b.get(end) == Some(&b'/')
            && token::digits(&self.b[end + 1..], 7) == 6
            && self.b.get(end + 7..end + 9) == Some(b" (")
        {
            self.at = end + 7;
            return true;
        }
        let next = token::skip(self.b, end);
        if next == end {
            return false;
        }
        let rest = &self.b[next..];
        let level_follows = !self.levelled
            && (token::level_word(rest).is_some_and(|(_, _, case)| case == Case::Upper)
                || rest.first() == Some(&b'[')
                    && rest.get(1).is_some_and(u8::is_ascii_alphabetic)
                    && bracket_level(rest).is_some());
        if level_follows
            || rest.starts_with(b"TID-")
            || rest.starts_with(b"--- ")
            || self.levelled && rest.starts_with(b"[") && self.header.logger.is_none() && self.timed
        {
            self.header.pid = Some(pid);
            self.at = next;
            return true;
        }
        false
    }

    /// nginx' connection number: `*5 `.
    fn connection(&mut self) {
        if self.b.get(self.at) == Some(&b'*') {
            let digits = token::digits(&self.b[self.at + 1..], 12);
            if digits > 0 && self.b.get(self.at + 1 + digits) == Some(&b' ') {
                self.at += 2 + digits;
            }
        }
    }

    /// `<info>`, Erlang's `<0.216.0>`.
    fn angle(&mut self) -> bool {
        let Some(close) = token::closing(self.b, self.at, 40) else {
            return false;
        };
        let inside = &self.b[self.at + 1..close - 1];
        if !self.levelled
            && let Some((level, len, _)) = token::level_word(inside)
            && len == inside.len()
        {
            self.state(level);
        } else if self.started()
            && !inside.is_empty()
            && inside.iter().all(|c| c.is_ascii_digit() || *c == b'.')
        {
            self.header.pid = Some(inside);
        } else {
            return false;
        }
        self.at = close;
        true
    }

    /// `(1234)` behind a level.
    fn parenthesis(&mut self) -> bool {
        let digits = token::digits(self.b.get(self.at + 1..).unwrap_or_default(), 9);
        let close = self.at + 1 + digits;
        if !self.levelled
            || digits == 0
            || self.b.get(close) != Some(&b')')
            || self.header.pid.is_some()
        {
            return false;
        }
        self.header.pid = Some(&self.b[self.at + 1..close]);
        self.at = close + 1;
        if self.rest().starts_with(b" : ") {
            self.at += 3;
        }
        true
    }

    /// Separators between the parts of a head: ` - `, ` | `, ` : `, `---`, and Redis' marks.
    fn mark(&mut self) -> bool {
        if !self.started() {
            return false;
        }
        let run = self
            .rest()
            .iter()
            .take(4)
            .take_while(|c| **c == self.b[self.at])
            .count();
        if self.timed
            && !self.levelled
            && run == 1
            && matches!(self.b[self.at], b'#' | b'*')
            && self.header.pid.is_some()
            && self.b.get(self.at + 1) == Some(&b' ')
            && let Some(level) = fixed::redis_mark(self.b[self.at])
        {
            self.state(level);
            self.header.format = Format::Redis;
            self.at += 1;
            return true;
        }
        // logback's own status lines.
        if self.rest().starts_with(b"|-") {
            self.at += 2;
            return true;
        }
        let separator = match self.b[self.at] {
            b'-' => run == 1 || run == 3,
            b'|' | b':' => run == 1,
            _ => false,
        };
        let ends = matches!(self.b.get(self.at + run), None | Some(b' ' | b'\t'))
            || self.b[self.at] == b'|';
        if !(separator && ends) {
            return false;
        }
        self.dashes |= run == 3;
        self.at += run;
        true
    }

    fn state(&mut self, level: Level) {
        self.levelled = true;
        self.header.level = Some(level);
    }

    fn finish(mut self) -> Option<Header<'a>> {
        let started = self.started();
        if (self.timed || !self.levelled)
            && let Some(found) = postgres::severity(self.b, self.at, &mut self.header, self.timed)
        {
            self.at = found;
        }
        if !started && self.header.format != Format::Postgres {
            return None;
        }
        match self.header.format {
            Format::Plain => self.header.format = Format::Generic,
            // Its prefix names users and databases.
            Format::Postgres => self.header.logger = None,
            _ => {}
        }
        let mut message = self.rest();
        if self.header.logger.is_none() && self.timed && self.levelled && self.b[0] == b'[' {
            message = self.kafka(message);
        }
        self.header.message = Cow::Borrowed(message);
        Some(self.header)
    }
}
