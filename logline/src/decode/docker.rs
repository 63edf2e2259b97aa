//! Docker's json-file driver: `{"log":"text\n","stream":"stdout","time":"2026-11-20T17:01:07.123456789Z"}`.
//!
//! Source: moby, `daemon/logger/jsonfilelog/jsonlog`. A line longer than 16 KiB is written as several objects of which only
//! the last one's `log` ends in a newline. `attrs` comes before `stream` or after, depending on the version; nothing here
//! depends on the order.

use super::{Malformed, json, rfc3339};
use crate::event::{Fragment, Stream};
use std::borrow::Cow;

/// What the known fields hold, escapes unresolved; of a repeated field the last counts.
#[derive(Default)]
struct Fields<'a> {
    log: Option<&'a [u8]>,
    stream: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    foreign: bool,
}

/// A line of a file that the driver wrote: `log` must be there, the rest may be missing, more may be there.
pub(super) fn decode(line: &[u8]) -> Result<Fragment<'_>, Malformed> {
    usual(line).map_or_else(|| read(line)?.fragment(), Ok)
}

/// The one form that nearly all lines have, read without looking at any byte twice: the driver's own order of the fields, and
/// no escape in the text but its final `\n`. `None` says nothing about the line.
fn usual(line: &[u8]) -> Option<Fragment<'_>> {
    let rest = line.strip_prefix(b"{\"log\":\"")?;
    let end = memchr::memchr2(b'"', b'\\', rest)?;
    let (text, rest) = rest.split_at(end);
    let rest = rest.strip_prefix(b"\\n\",\"stream\":\"std")?;
    let (stream, rest) = match rest {
        [b'o', b'u', b't', rest @ ..] => (Stream::Stdout, rest),
        [b'e', b'r', b'r', rest @ ..] => (Stream::Stderr, rest),
        _ => return None,
    };
    let time = rest.strip_prefix(b"\",\"time\":\"")?.strip_suffix(b"\"}")?;
    Some(Fragment {
        cut_bytes: 0,
        timestamp: rfc3339::parse(time)?,
        stream,
        partial: false,
        text: Cow::Borrowed(text),
    })
}

/// A line of unknown origin: exactly the driver's fields, all of them, so that an application's own JSON is not mistaken.
pub(super) fn decode_strict(line: &[u8]) -> Result<Fragment<'_>, Malformed> {
    if let Some(fragment) = usual(line) {
        return Ok(fragment);
    }
    let fields = read(line)?;
    if fields.foreign || fields.stream.is_none() || fields.time.is_none() {
        return Err(Malformed::Wrapper);
    }
    fields.fragment()
}

fn read(line: &[u8]) -> Result<Fields<'_>, Malformed> {
    let mut cursor = json::Cursor::new(line);
    let mut fields = Fields::default();
    cursor.expect(b'{')?;
    if cursor.peek() == Some(b'}') {
        return Err(Malformed::NoLog);
    }
    loop {
        let key = cursor.string()?;
        cursor.expect(b':')?;
        let known = match key {
            b"log" => Some(&mut fields.log),
            b"stream" => Some(&mut fields.stream),
            b"time" => Some(&mut fields.time),
            b"attrs" => None,
            _ => {
                fields.foreign = true;
                None
            }
        };
        match (known, cursor.peek()) {
            (Some(value), Some(b'"')) => *value = Some(cursor.string()?),
            (Some(_), Some(_)) => {
                fields.foreign = true;
                cursor.skip()?;
            }
            _ => cursor.skip()?,
        }
        match cursor.peek() {
            Some(b',') => cursor.expect(b',')?,
            Some(b'}') => break,
            Some(_) => return Err(Malformed::Wrapper),
            None => return Err(Malformed::Truncated),
        }
    }
    cursor.expect(b'}')?;
    if cursor.peek().is_some() {
        return Err(Malformed::Wrapper);
    }
    Ok(fields)
}

impl<'a> Fields<'a> {
    fn fragment(&self) -> Result<Fragment<'a>, Malformed> {
        let (text, partial) = text(self.log.ok_or(Malformed::NoLog)?)?;
        let stream = match self.stream {
            None | Some(b"stdout" | b"") => Stream::Stdout,
            Some(b"stderr") => Stream::Stderr,
            Some(_) => return Err(Malformed::Stream),
        };
        let timestamp = match self.time {
            Some(time) => rfc3339::parse(time).ok_or(Malformed::Time)?,
            None => None,
        };
        Ok(Fragment {
            cut_bytes: 0,
            timestamp,
            stream,
            partial,
            text,
        })
    }
}

/// The text of a `log` value without its line ending, and whether it is a piece; borrowed where the ending is the only escape.
fn text(raw: &[u8]) -> Result<(Cow<'_, [u8]>, bool), Malformed> {
    let Some(first) = memchr::memchr(b'\\', raw) else {
        return Ok((Cow::Borrowed(raw), true));
    };
    if matches!(&raw[first..], b"\\n" | b"\\r\\n") {
        return Ok((Cow::Borrowed(&raw[..first]), false));
    }
    let mut text = json::unescape(raw)?;
    let partial = text.pop_if(|last| *last == b'\n').is_none();
    if !partial {
        text.pop_if(|last| *last == b'\r');
    }
    Ok((Cow::Owned(text), partial))
}
