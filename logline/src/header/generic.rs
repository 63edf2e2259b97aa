//! Heads composed of what most loggers share: a time, a level word, bracketed groups, a pid, a logger's name, in any usual order.
//!
//! The reader walks from token to token and stops at the first that is none of these. Nothing counts as a head until a time or a
//! level was seen, and a name or group is taken only in a place and shape that a sentence does not have.

use std::borrow::Cow;

use super::{
    Format, Header, fixed, syslog,
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
        let Some(dot) = memchr::memmem::find(name, b".log") else {
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
        if self.b.get(end) == Some(&b':') && self.levelled && self.timed {
            // `INFO 1234: message`
            self.header.pid = Some(pid);
            self.at = end + 1;
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

    /// `[...]`: a time, level, pid, thread, logger or request, or several of them.
    fn group(&mut self) -> bool {
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
            return false;
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
        if self.groups >= 4 || memchr::memmem::find(inside, b": ").is_some() {
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
        if token::is_qualified(name)
            && token::logger_name(name) == name.len()
            && self.header.logger.is_none()
        {
            self.header.logger = Some(Cow::Borrowed(name));
        } else if self.header.pid.is_none() {
            self.header.pid = Some(name);
        } else if self.header.logger.is_none() && !spaced {
            self.header.logger = Some(Cow::Borrowed(name));
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
        self.at += run;
        true
    }

    /// A level word, where its case and what follows it tell it from the first word of a sentence.
    fn level(&mut self) -> bool {
        if self.levelled {
            return false;
        }
        // capnslog's and others' single letter: `2026-11-20 17:01:07.123456 E | etcdmain: message`.
        if self.timed
            && self.b.get(self.at + 1..self.at + 3) == Some(b" |")
            && let Some(level) = Level::from_name(&self.b[self.at..=self.at])
        {
            self.state(level);
            self.at += 3;
            return true;
        }
        let Some((level, len, case)) = token::level_word(self.rest()) else {
            return false;
        };
        let word = &self.b[self.at..self.at + len];
        let next = self.at + len;
        let colon = self.b.get(next) == Some(&b':');
        let clear = matches!(
            self.b.get(next),
            Some(b':' | b'|' | b'\t' | b']' | 0x1b | b',')
        ) || self.b.get(next..next + 2) == Some(b"  ");
        let ok = match case {
            // `LOG`, `ALERT` and the like are also plain words in capitals.
            Case::Upper => {
                clear
                    || !matches!(
                        word,
                        b"LOG"
                            | b"ALERT"
                            | b"PANIC"
                            | b"ALL"
                            | b"HTTP"
                            | b"CONFIG"
                            | b"FAIL"
                            | b"FAILURE"
                            | b"ERRORS"
                            | b"SUCCESS"
                            | b"NOTE"
                            | b"ABORT"
                    ) && matches!(self.b.get(next), None | Some(b' ' | b'-'))
            }
            Case::Lower => {
                self.timed && (clear || matches!(word, b"info" | b"debug" | b"trace" | b"warn"))
                    || !self.timed
                        && colon
                        && self.b.get(next + 1) == Some(&b' ')
                        && matches!(word, b"info" | b"debug" | b"warn" | b"trace" | b"error")
            }
            // `Error: ...` is as much a message as a level; kept in it, the level is still taken.
            Case::Title if self.timed && clear => {
                if colon
                    && matches!(
                        level,
                        Level::Error | Level::Warn | Level::Fatal | Level::Notice
                    )
                {
                    self.state(level);
                    return false;
                }
                true
            }
            Case::Title => false,
        };
        if !ok {
            return false;
        }
        self.state(level);
        self.at = next;
        if colon {
            self.at += 1;
            self.python_name();
        } else if let Some(b'|' | b',') = self.b.get(next) {
            self.at += 1;
        } else if self.b.get(next) == Some(&b'/') {
            self.at = next;
        }
        true
    }

    fn state(&mut self, level: Level) {
        self.levelled = true;
        self.header.level = Some(level);
    }

    /// Python's default `LEVEL:name:message`: no space behind the first colon.
    fn python_name(&mut self) {
        let len = token::logger_name(self.rest());
        let end = self.at + len;
        if len > 0
            && self.b.get(end) == Some(&b':')
            && self.b.get(end + 1) != Some(&b':')
            && self.b.get(self.at) != Some(&b' ')
            && self.header.logger.is_none()
        {
            self.header.logger = Some(Cow::Borrowed(&self.b[self.at..end]));
            self.at = end + 1;
        }
    }

    /// Sidekiq's and others' `pid=1 tid=abc` between time and level.
    fn pair(&mut self) -> bool {
        if !self.timed || self.levelled {
            return false;
        }
        let rest = self.rest();
        let len = token::word(rest, 80);
        let word = &rest[..len];
        let Some(equals) = memchr::memchr(b'=', word) else {
            return false;
        };
        match &word[..equals] {
            b"pid" => self.header.pid = Some(&word[equals + 1..]),
            b"class" | b"logger" => self.header.logger = Some(Cow::Borrowed(&word[equals + 1..])),
            b"request_id" | b"jid" => self.header.request = Some(&word[equals + 1..]),
            b"tid" | b"bid" | b"elapsed" | b"thread" => {}
            _ => return false,
        }
        self.at += len;
        true
    }

    /// `host program[pid]: ` behind an ISO time, as rsyslog and `journalctl -o short-iso` write it.
    fn host_and_program(&mut self) -> bool {
        if !self.timed || self.levelled || self.header.logger.is_some() || self.header.pid.is_some()
        {
            return false;
        }
        let mut trial = Header::default();
        let end = syslog::after_time(self.b, self.at, &mut trial);
        let named = trial.logger.as_deref().is_some_and(token::plausible_logger);
        if end == self.at || !named || trial.pid.is_none() && !(self.offset && trial.host.is_some())
        {
            return false;
        }
        self.header.logger = trial.logger;
        self.header.pid = trial.pid;
        self.header.host = trial.host;
        self.header.format = Format::Syslog;
        self.at = end;
        // Nothing of the head comes after the program.
        false
    }

    /// A logger's name, ended by a colon, a dash, or (where it is qualified) by a group; `root - INFO` before the level too.
    fn logger(&mut self) -> bool {
        if !self.started() || self.header.logger.is_some() {
            return false;
        }
        let len = token::logger_name(self.rest());
        let end = self.at + len;
        let name = &self.b[self.at..end];
        if len < 2 || !token::plausible_logger(name) {
            return false;
        }
        let qualified = token::is_qualified(name);
        // `Reason: worker failed` is a sentence.
        if !qualified
            && name[0].is_ascii_uppercase()
            && name[1..].iter().all(u8::is_ascii_lowercase)
        {
            return false;
        }
        let after = token::skip(self.b, end);
        let tail = &self.b[after..];
        let gap = after - end;
        let next = match self.b.get(end) {
            Some(b':')
                if matches!(self.b.get(end + 1), Some(b' ' | b'\t'))
                    && (qualified || self.levelled) =>
            {
                end + 1
            }
            Some(b':') if qualified && self.b.get(end + 1).is_none() => end + 1,
            Some(b'|') => end + 1,
            Some(b'[') if self.levelled && qualified => {
                let Some(close) = token::closing(self.b, end, 24) else {
                    return false;
                };
                close
            }
            Some(b' ' | b'\t') => {
                let separated =
                    tail.starts_with(b"- ") || tail.starts_with(b": ") || tail.starts_with(b"| ");
                let level_next =
                    || token::level_word(tail).is_some_and(|(_, _, case)| case == Case::Upper);
                let group_next = || {
                    tail.starts_with(b"[req-")
                        || tail.starts_with(b"[-]")
                        || bracket_level(tail).is_some()
                };
                // Windows' servicing log pads level and component: `, Info   CBS    message`.
                let padded = gap >= 4
                    && self.levelled
                    && len <= 8
                    && name.iter().all(u8::is_ascii_uppercase);
                if padded && matches!(self.header.format, Format::Plain) {
                    self.header.format = Format::Cbs;
                }
                let tabbed = self.b[end] == b'\t' && qualified;
                if separated
                    && (qualified || self.levelled || self.timed && logger_before_level(tail))
                    || !self.levelled && (qualified || gap > 1) && level_next()
                    || qualified && group_next()
                    || padded
                    || tabbed
                {
                    end
                } else {
                    return false;
                }
            }
            _ => return false,
        };
        self.header.logger = Some(Cow::Borrowed(name));
        self.at = next;
        let behind = token::skip(self.b, next);
        if matches!(self.b.get(behind..behind + 2), Some(b": " | b"- ")) {
            self.at = behind + 2;
        }
        true
    }

    fn finish(mut self) -> Option<Header<'a>> {
        let started = self.started();
        if (self.timed || !self.levelled)
            && let Some(found) = postgres(self.b, self.at, &mut self.header, self.timed)
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

    /// Kafka and its kin put the logger last: `[time] INFO message (kafka.server.KafkaServer)`.
    fn kafka(&mut self, message: &'a [u8]) -> &'a [u8] {
        let Some(inside) = message.strip_suffix(b")") else {
            return message;
        };
        let tail = inside.len().saturating_sub(121);
        let Some(open) = memchr::memrchr(b'(', &inside[tail..]) else {
            return message;
        };
        let name = &inside[tail + open + 1..];
        let before = &inside[..tail + open];
        if !token::is_qualified(name)
            || token::logger_name(name) != name.len()
            || !before.ends_with(b" ")
            || memchr::memchr(b'.', name).is_none()
        {
            return message;
        }
        self.header.logger = Some(Cow::Borrowed(name));
        before.trim_ascii_end()
    }
}

/// The level in `[LEVEL]` at the start of `b`.
fn bracket_level(b: &[u8]) -> Option<Level> {
    if b.first() != Some(&b'[') {
        return None;
    }
    let close = token::closing(b, 0, 16)?;
    let inside = b[1..close - 1].trim_ascii();
    let (level, len, _) = token::level_word(inside)?;
    (len == inside.len()).then_some(level)
}

/// `a.b.C: ` or `a.b.C - ` at the start of `b`.
fn qualified_logger(b: &[u8]) -> bool {
    let len = token::logger_name(b);
    len > 0
        && token::is_qualified(&b[..len])
        && (b.get(len) == Some(&b':') || b.get(len..len + 3) == Some(b" - "))
}

/// Whether ` - LEVEL` follows: Python's `time - name - LEVEL - message`.
fn logger_before_level(tail: &[u8]) -> bool {
    let at = token::skip(tail, 1);
    token::level_word(&tail[at..]).is_some_and(|(_, len, case)| {
        case == Case::Upper && matches!(tail.get(at + len), Some(b' ' | b':'))
    })
}

/// PostgreSQL's severity, which stands behind any prefix and before two spaces: `... ERROR:  message`. Returns where the message
/// starts; pid and prefix are taken from before it.
fn postgres<'a>(b: &'a [u8], at: usize, header: &mut Header<'a>, timed: bool) -> Option<usize> {
    if header.level.is_some() && !b.get(at..).is_some_and(|r| r.starts_with(b" ")) && at > 0 {
        // The walk has read the severity itself; two spaces behind its colon are PostgreSQL's mark.
        let colon = b[..at].iter().rposition(|c| *c != b' ')?;
        if timed && b[colon] == b':' && at - colon == 3 && header.format == Format::Plain {
            header.format = Format::Postgres;
        }
        return None;
    }
    let line = &b[at.min(b.len())..b.len().min(at + 200)];
    for colon in memchr::memchr_iter(b':', line) {
        if line.get(colon + 1..colon + 3) != Some(b"  ") {
            continue;
        }
        let start = line[..colon]
            .iter()
            .rposition(|c| !c.is_ascii_alphanumeric())
            .map_or(0, |i| i + 1);
        if start > 0 && !matches!(line[start - 1], b' ' | b':' | b']') {
            continue;
        }
        let level = match &line[start..colon] {
            b"LOG" | b"INFO" => Some(Level::Info),
            b"ERROR" => Some(Level::Error),
            b"FATAL" | b"PANIC" => Some(Level::Fatal),
            b"WARNING" => Some(Level::Warn),
            b"NOTICE" => Some(Level::Notice),
            b"DEBUG" | b"DEBUG1" | b"DEBUG2" | b"DEBUG3" | b"DEBUG4" | b"DEBUG5" => {
                Some(Level::Debug)
            }
            b"DETAIL" | b"HINT" | b"STATEMENT" | b"CONTEXT" | b"QUERY" | b"LOCATION"
            | b"BACKTRACE" => None,
            _ => continue,
        };
        header.format = Format::Postgres;
        header.level = level;
        if level.is_none() {
            return Some(at + start);
        }
        return Some(token::skip(b, at + colon + 1));
    }
    None
}
