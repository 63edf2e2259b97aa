//! Words: levels, loggers, programs.

use std::borrow::Cow;

use super::{Walk, group::bracket_level};
use crate::{
    header::{
        Format, Header, syslog,
        token::{self, Case, Name},
    },
    level::Level,
};

impl<'a> Walk<'a, '_> {
    /// A level word, where its case and what follows it tell it from the first word of a sentence.
    pub(super) fn level(&mut self) -> bool {
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
                            | b"INFORMATION"
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
                        && matches!(word, b"info" | b"debug" | b"warn" | b"trace")
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
            Case::Title => colon && self.at == 0 && matches!(level, Level::Info | Level::Debug),
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
        }
        true
    }

    /// Python's default `LEVEL:name:message`: no space behind the first colon.
    pub(super) fn python_name(&mut self) {
        let len = token::name(self.rest()).len;
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
    pub(super) fn pair(&mut self) -> bool {
        if !self.timed || self.levelled {
            return false;
        }
        let rest = self.rest();
        let len = token::word(rest, 80);
        let word = &rest[..len];
        if word.starts_with(b"TID-") {
            self.at += len;
            return true;
        }
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
    pub(super) fn host_and_program(&mut self) -> bool {
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
    pub(super) fn logger(&mut self) -> bool {
        if !self.started() || self.header.logger.is_some() {
            return false;
        }
        let found = token::name(self.rest());
        let end = self.at + found.len;
        let name = &self.b[self.at..end];
        // `Reason: worker failed` and `connection: refused` are sentences, except where a level stands apart from what follows.
        let apart = self.b[..self.at].ends_with(b"  ")
            || self.b[..self.at].ends_with(b"\t")
            || self.b[..self.at].ends_with(b"]");
        let word = name
            .get(1..)
            .is_some_and(|tail| tail.iter().all(u8::is_ascii_lowercase));
        let capital = name.first().is_some_and(u8::is_ascii_uppercase);
        let coloured = self.b.get(end) == Some(&0x1b);
        let sentence = !found.qualified
            && word
            && (capital || !apart)
            && !coloured
            && self.b.get(end) == Some(&b':')
            && !self.severity_follows(end + 1);
        if found.len < 2 || sentence || !token::plausible_logger(name) {
            return false;
        }
        let Some(next) = self.after_logger(found, end) else {
            return false;
        };
        let name = self.dotted_level(name).unwrap_or(name);
        self.header.logger = Some(Cow::Borrowed(name));
        self.at = self.jump.take().unwrap_or(next);
        let behind = token::skip(self.b, self.at);
        if matches!(self.b.get(behind..behind + 2), Some(b": " | b"- ")) {
            self.at = behind + 2;
        }
        true
    }

    /// BIND's `category: severity: message`.
    fn severity_follows(&self, at: usize) -> bool {
        let at = token::skip(self.b, at);
        !self.levelled
            && token::level_word(self.b.get(at..).unwrap_or_default()).is_some_and(
                |(_, len, case)| case == Case::Lower && self.b.get(at + len) == Some(&b':'),
            )
    }

    /// Monolog's `channel.LEVEL`: the channel.
    fn dotted_level(&mut self, name: &'a [u8]) -> Option<&'a [u8]> {
        let dot = memchr::memrchr(b'.', name)?;
        let (level, len, Case::Upper) = token::level_word(&name[dot + 1..])? else {
            return None;
        };
        if self.levelled || dot == 0 || dot + 1 + len != name.len() {
            return None;
        }
        self.state(level);
        Some(&name[..dot])
    }

    /// Where the reading goes on behind a name that ends at `end`; none where what follows shows that it is no logger.
    fn after_logger(&mut self, found: Name, end: usize) -> Option<usize> {
        let qualified = found.qualified;
        let mark = token::skip_colours(self.b, end);
        match self.b.get(mark)? {
            b':' => {
                let behind = self.b.get(mark + 1);
                let known = qualified || self.levelled || self.severity_follows(mark + 1);
                let ends = matches!(behind, Some(b' ' | b'\t' | 0x1b)) && known
                    || qualified && behind.is_none();
                ends.then_some(mark + 1)
            }
            _ if mark > end => None,
            b'|' => Some(end + 1),
            b'[' => {
                let close = token::closing(self.b, end, 24)?;
                if self.levelled && qualified {
                    return Some(close);
                }
                // unbound: `[time] unbound[123:0] error: message`.
                let pid = &self.b[end + 1..close - 1];
                let level = token::level_word(&self.b[token::skip(self.b, close)..])?;
                let number = pid.iter().all(|c| c.is_ascii_digit() || *c == b':');
                (!self.levelled && number && level.2 == Case::Lower).then(|| {
                    self.header.pid = Some(pid);
                    close
                })
            }
            b' ' | b'\t' => self.spaced_logger(found, end).then_some(end),
            _ => None,
        }
    }

    fn spaced_logger(&mut self, found: Name, end: usize) -> bool {
        let name = &self.b[end - found.len..end];
        let after = token::skip(self.b, end);
        let tail = &self.b[after..];
        let gap = after - end;
        if tail.starts_with(b"- ") || tail.starts_with(b": ") || tail.starts_with(b"| ") {
            return found.qualified || self.levelled || logger_before_level(tail);
        }
        // Proxifier marks 32- and 64-bit programs: `chrome.exe *64 - message`.
        if found.qualified && matches!(tail.get(..6), Some(b"*64 - " | b"*32 - ")) {
            self.jump = Some(after + 6);
            return true;
        }
        if self.b[end] == b'\t' && found.qualified {
            return true;
        }
        if !self.levelled {
            let level = token::level_word(tail).is_some_and(|(_, _, case)| case == Case::Upper);
            return (found.qualified || gap > 1) && level
                || found.qualified && (bracket_level(tail).is_some() || numbered_level(tail))
                || self.java_method(found, name, after);
        }
        // Windows' servicing log pads level and component: `, Info   CBS    message`.
        if gap >= 4 && found.len <= 8 && name.iter().all(u8::is_ascii_uppercase) {
            if self.header.format == Format::Plain {
                self.header.format = Format::Cbs;
            }
            return true;
        }
        found.qualified && (tail.starts_with(b"[req-") || tail.starts_with(b"[-]"))
            || is_java(found, name)
    }

    /// `java.util.logging` breaks its head: `time org.a.Class method`, and the level on the next line.
    fn java_method(&mut self, found: Name, name: &[u8], after: usize) -> bool {
        let method = token::word(&self.b[after..], 60);
        let line = after + method + 1;
        if !is_java(found, name) || self.b.get(line - 1) != Some(&b'\n') {
            return false;
        }
        let Some((level, len, Case::Upper)) = token::level_word(&self.b[line..]) else {
            return false;
        };
        if self.b.get(line + len) != Some(&b':') {
            return false;
        }
        self.state(level);
        self.jump = Some(line + len + 1);
        true
    }

    /// Kafka and its kin put the logger last: `[time] INFO message (kafka.server.KafkaServer)`.
    pub(super) fn kafka(&mut self, message: &'a [u8]) -> &'a [u8] {
        let Some(inside) = message.strip_suffix(b")") else {
            return message;
        };
        let tail = inside.len().saturating_sub(121);
        let Some(open) = memchr::memrchr(b'(', &inside[tail..]) else {
            return message;
        };
        let name = &inside[tail + open + 1..];
        let before = &inside[..tail + open];
        let found = token::name(name);
        if !found.qualified || found.len != name.len() || found.dots == 0 || !before.ends_with(b" ")
        {
            return message;
        }
        self.header.logger = Some(Cow::Borrowed(name));
        before.trim_ascii_end()
    }
}

/// `org.apache.catalina.core.StandardService.startInternal`: a package in lower case, a class in camel case.
fn is_java(found: Name, name: &[u8]) -> bool {
    found.dots >= 3 && name[0].is_ascii_lowercase() && name.iter().any(u8::is_ascii_uppercase)
}

/// Whether `[pid]: LEVEL` follows: Fail2ban pads its names before it.
fn numbered_level(tail: &[u8]) -> bool {
    let digits = token::digits(tail.get(1..).unwrap_or_default(), 10);
    tail.first() == Some(&b'[')
        && digits > 0
        && tail.get(digits + 1..digits + 3) == Some(b"]:")
        && token::level_word(&tail[token::skip(tail, digits + 3)..])
            .is_some_and(|(_, _, case)| case == Case::Upper)
}

/// Whether ` - LEVEL` follows: Python's `time - name - LEVEL - message`.
fn logger_before_level(tail: &[u8]) -> bool {
    let at = token::skip(tail, 1);
    token::level_word(&tail[at..]).is_some_and(|(_, len, case)| {
        case == Case::Upper && matches!(tail.get(at + len), Some(b' ' | b':'))
    })
}
