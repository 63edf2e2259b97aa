//! Lines of `key=value` pairs: Go kit, logrus, Heroku and many others.

use std::borrow::Cow;

use super::{
    Format, Header,
    fields::{Gathered, Role, Value, role, unescape},
};
use crate::time::TimeContext;

/// Pairs looked at; what follows belongs to no head.
const PAIRS: usize = 64;

/// Reads `text` as logfmt. None unless it starts with a pair, and its pairs tell a level or a time together with what was said.
pub(super) fn parse<'a>(text: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    key(text)?;
    let mut found = Gathered::default();
    let mut at = 0;
    let mut told = 0;
    let mut message_at = None;
    let mut rest_at = 0;
    for _ in 0..PAIRS {
        while let Some(b' ' | b'\t') = text.get(at) {
            at += 1;
        }
        let Some(name_len) = key(&text[at..]) else {
            // A word that is no pair ends what is certain.
            break;
        };
        let name = &text[at..at + name_len];
        let (value, next) = value(text, at + name_len + 1)?;
        if let Some(meaning) = role(name).filter(|r| usable(*r, name)) {
            let fresh = found.take(meaning, name, value, context);
            told += u32::from(fresh);
            if fresh && matches!(meaning, Role::Message(_)) {
                message_at = Some(
                    next - value.raw().len() - usize::from(matches!(value, Value::Quoted(..))),
                );
            }
            if rest_at == at
                && matches!(
                    meaning,
                    Role::Time(_) | Role::Level | Role::Logger(_) | Role::Pid(_)
                )
            {
                rest_at = next;
                while let Some(b' ') = text.get(rest_at) {
                    rest_at += 1;
                }
            }
        }
        at = next;
    }
    let speaks = found.message().is_some() || found.has_error();
    if told < 2 || !(found.has_level() || found.has_time() && speaks) {
        return None;
    }
    let whole = if rest_at < text.len() {
        &text[rest_at..]
    } else {
        text
    };
    let several = memchr::memchr(b'\n', &text[at.min(text.len())..]).is_some();
    let mut header = found.header(Format::Logfmt, whole);
    if let (true, Some(start)) = (several, message_at) {
        // Joined lines belong to what was said.
        let said = &text[start..];
        header.message = if matches!(header.message, Cow::Owned(_)) {
            Cow::Owned(unescape(said))
        } else {
            Cow::Borrowed(said)
        };
    }
    Some(header)
}

/// Single letters and everyday words are keys of the head in JSON, where a library wrote them, not in free text.
fn usable(role: Role, name: &[u8]) -> bool {
    match role {
        Role::Nest | Role::Gelf | Role::MongoLevel => false,
        Role::Message(rank) => rank < 2 || name == b"event",
        Role::Logger(2) => name == b"logger" || name == b"module",
        Role::Level => name.len() > 1,
        _ => true,
    }
}

/// Length of a key at the start of `b`, the equals sign after it not counted.
fn key(b: &[u8]) -> Option<usize> {
    let len = b
        .iter()
        .take(48)
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-' | b'@' | b'/'))
        .count();
    (len > 0 && b.get(len) == Some(&b'=')).then_some(len)
}

/// The value at `at`, and where the next pair can start.
fn value(text: &[u8], at: usize) -> Option<(Value<'_>, usize)> {
    if text.get(at) != Some(&b'"') {
        let len = text[at..]
            .iter()
            .position(|c| matches!(c, b' ' | b'\t' | b'\n'))
            .unwrap_or(text.len() - at);
        return Some((Value::Bare(&text[at..at + len]), at + len));
    }
    let start = at + 1;
    let mut end = start;
    let mut escaped = false;
    loop {
        let rest = text.get(end..)?;
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(step) if rest[step] == b'"' => {
                end += step;
                return Some((Value::Quoted(&text[start..end], escaped), end + 1));
            }
            Some(step) => {
                escaped = true;
                end += step + 2;
            }
            // Cut in the middle of a value: it goes on to the end.
            None => return Some((Value::Quoted(&text[start..], escaped), text.len())),
        }
    }
}
