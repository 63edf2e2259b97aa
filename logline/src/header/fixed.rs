//! Heads whose fields stand at fixed places: klog, Redis, logcat, Ruby, .NET.

use std::borrow::Cow;

use super::{Format, Header, token};
use crate::{
    level::Level,
    time::{self, TimeContext},
};

/// Heads that start with a letter.
pub(super) fn letters<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    match b.get(1)? {
        b'0'..=b'1' => klog(b, context),
        b',' => ruby(b, context),
        b'/' => brief(b),
        b' ' => cups(b, context),
        b'a'..=b'z' if b.get(4) == Some(&b':') => dotnet(b),
        _ => None,
    }
}

/// Heads that start with a digit.
pub(super) fn digits<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    if b.get(2) == Some(&b'-') && b.get(5) == Some(&b' ') {
        return threadtime(b, context);
    }
    redis(b, context)
}

/// `I1120 17:01:07.123456   12345 file.go:12] message`.
pub(super) fn klog<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    if b.len() < 20 || b[5] != b' ' || b[8] != b':' || token::digits(&b[1..], 5) != 4 {
        return None;
    }
    let level = match b[0] {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' => Level::Fatal,
        b'D' => Level::Debug,
        _ => return None,
    };
    // The date has no separator; give it one, so that one reader serves all yearless times.
    let mut stamp = [b' '; 24];
    let taken = token::word(&b[6..], 18);
    if taken == 0 {
        return None;
    }
    stamp[..6].copy_from_slice(&[b[1], b[2], b'-', b[3], b[4], b' ']);
    stamp[6..6 + taken].copy_from_slice(&b[6..6 + taken]);
    let parsed = time::parse_prefix(&stamp[..6 + taken], context)?;
    let pid_at = token::skip(b, 6 + taken);
    let pid_len = token::digits(&b[pid_at..], 10);
    let file_at = token::skip(b, pid_at + pid_len);
    let file_len = b[file_at..].iter().take(120).position(|c| *c == b']')?;
    if b[file_at..file_at + file_len].contains(&b'\n') {
        return None;
    }
    Some(Header {
        format: Format::Klog,
        timestamp: parsed.at,
        level: Some(level),
        logger: Some(Cow::Borrowed(&b[file_at..file_at + file_len])),
        pid: (pid_len > 0).then(|| &b[pid_at..pid_at + pid_len]),
        message: token::rest(b, token::skip(b, file_at + file_len + 1)),
        ..Header::default()
    })
}

/// `I, [2026-11-20T17:01:07.123456 #123]  INFO -- program: message`.
fn ruby<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let level = Level::from_name(&b[..1])
        .filter(|_| b"DIWEFA".contains(&b[0]) && b.get(2..4) == Some(b" ["))?;
    let close = token::closing(b, 3, 80)?;
    let parsed = time::parse_prefix(&b[4..close], context)?;
    let hash = b[4..close].iter().position(|c| *c == b'#')? + 5;
    let word = token::skip(b, close);
    let word_end = word + token::word(b.get(word..)?, 8);
    let mut at = token::skip(b, word_end);
    if b.get(at..at + 2)? != b"--" {
        return None;
    }
    at = token::skip(b, at + 2);
    let mut header = Header {
        format: Format::Ruby,
        timestamp: parsed.at,
        level: Some(if b[0] == b'A' { Level::Info } else { level }),
        pid: Some(&b[hash..close - 1]),
        ..Header::default()
    };
    let name = b[at..]
        .iter()
        .take(80)
        .position(|c| matches!(c, b':' | b' ' | b'\n'))
        .unwrap_or(0);
    if b.get(at + name) == Some(&b':') && matches!(b.get(at + name + 1), None | Some(b' ')) {
        header.logger = (name > 0).then(|| Cow::Borrowed(&b[at..at + name]));
        at = token::skip(b, at + name + 1);
    }
    header.message = token::rest(b, at);
    Some(header)
}

/// `E [20/Nov/2026:17:01:07 +0000] message`, by CUPS' `error_log(5)`.
fn cups<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let level = match b[0] {
        b'X' | b'C' => Level::Fatal,
        b'A' | b'E' => Level::Error,
        b'W' => Level::Warn,
        b'N' => Level::Notice,
        b'I' => Level::Info,
        b'D' => Level::Debug,
        b'd' => Level::Trace,
        _ => return None,
    };
    let stamp = b[2..].strip_prefix(b"[")?;
    let parsed = time::parse_prefix(stamp, context)?;
    let close = 3 + parsed.len;
    (b.get(close) == Some(&b']')).then(|| Header {
        format: Format::Generic,
        timestamp: parsed.at,
        level: Some(level),
        message: token::rest(b, token::skip(b, close + 1)),
        ..Header::default()
    })
}

fn android(letter: u8) -> Option<Level> {
    Some(match letter {
        b'V' => Level::Trace,
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' | b'A' => Level::Fatal,
        _ => return None,
    })
}

/// logcat `-v threadtime`: `03-17 16:13:38.811  1702  2395 D Tag: message`, and `-v time`: `03-17 16:13:38.811 D/Tag( 1702): message`.
fn threadtime<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let parsed = time::parse_prefix(b, context)?;
    let mut at = token::skip(b, parsed.len);
    if b.get(at + 1) == Some(&b'/') {
        let mut header = brief(&b[at..])?;
        header.timestamp = parsed.at;
        return Some(header);
    }
    let pid = at..at + token::digits(&b[at..], 7);
    at = token::skip(b, pid.end);
    let thread = token::digits(&b[at..], 7);
    at = token::skip(b, at + thread);
    let level = android(*b.get(at)?)
        .filter(|_| !pid.is_empty() && thread > 0 && b.get(at + 1) == Some(&b' '))?;
    at = token::skip(b, at + 1);
    let mut header = Header {
        format: Format::Logcat,
        timestamp: parsed.at,
        level: Some(level),
        pid: Some(&b[pid]),
        ..Header::default()
    };
    // Tags may hold spaces and are padded; the first colon before a space ends them.
    let line = &b[at..b.len().min(at + 80)];
    let end =
        memchr::memchr_iter(b':', line).find(|i| matches!(line.get(i + 1), None | Some(b' ')));
    if let Some(end) = end {
        header.logger = Some(Cow::Borrowed(line[..end].trim_ascii_end()));
        at = token::skip(b, at + end + 1);
    }
    header.message = token::rest(b, at);
    Some(header)
}

/// logcat `-v brief`: `I/Tag( 1702): message`, and `-v tag`: `I/Tag: message`.
fn brief(b: &[u8]) -> Option<Header<'_>> {
    let level = android(*b.first()?)?;
    let line = &b[..b.len().min(100)];
    let end = memchr::memchr_iter(b':', line).find(|i| line.get(i + 1) == Some(&b' '))?;
    let mut tag = b[2..end].trim_ascii_end();
    let mut pid = None;
    if tag.last() == Some(&b')') {
        let open = tag.iter().rposition(|c| *c == b'(')?;
        let number = tag[open + 1..tag.len() - 1].trim_ascii();
        if token::digits(number, 7) != number.len() {
            return None;
        }
        pid = Some(number);
        tag = tag[..open].trim_ascii_end();
    }
    if tag.is_empty() || tag.iter().any(|c| matches!(c, b' ' | b'/' | b'"' | b'=')) {
        return None;
    }
    Some(Header {
        format: Format::Logcat,
        level: Some(level),
        logger: Some(Cow::Borrowed(tag)),
        pid,
        message: token::rest(b, token::skip(b, end + 1)),
        ..Header::default()
    })
}

/// `info: Microsoft.Hosting.Lifetime[14]`, then the message, indented, on the lines below (or behind it, single-line).
fn dotnet(b: &[u8]) -> Option<Header<'_>> {
    let level = match &b[..4] {
        b"trce" => Level::Trace,
        b"dbug" => Level::Debug,
        b"info" => Level::Info,
        b"warn" => Level::Warn,
        b"fail" => Level::Error,
        b"crit" => Level::Fatal,
        _ => return None,
    };
    let at = token::skip(b, 5);
    let name = token::name(&b[at..]).len;
    let open = at + name;
    let event = b.get(open + 1..).map_or(0, |rest| token::digits(rest, 10));
    if name == 0
        || b.get(open) != Some(&b'[')
        || event == 0
        || b.get(open + 1 + event) != Some(&b']')
    {
        return None;
    }
    let mut end = token::skip(b, open + event + 2);
    if b.get(end) == Some(&b'\n') {
        end = token::skip(b, end + 1);
    }
    Some(Header {
        format: Format::DotNet,
        level: Some(level),
        logger: Some(Cow::Borrowed(&b[at..open])),
        message: token::rest(b, end),
        ..Header::default()
    })
}

/// `27815:M 20 Nov 2026 16:41:25.402 * message`; before 2.8 `[27815] 20 Nov 16:41:25.402 * message`, which `generic` reads.
fn redis<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let pid = token::digits(b, 8);
    if pid == 0
        || b.get(pid) != Some(&b':')
        || !matches!(
            b.get(pid + 1),
            Some(b'M' | b'S' | b'C' | b'X' | b'm' | b's')
        )
    {
        return None;
    }
    // `4711:signal-handler (1795192941) message` has neither role nor mark.
    if b[pid + 1..].starts_with(b"signal-handler (") {
        let open = pid + 16;
        let close = token::closing(b, open, 24)?;
        return Some(Header {
            format: Format::Redis,
            pid: Some(&b[..pid]),
            timestamp: time::epoch(&b[open + 1..close - 1], context),
            message: token::rest(b, token::skip(b, close)),
            ..Header::default()
        });
    }
    let mut at = token::skip(b, pid + 2);
    let parsed = time::parse_prefix(&b[at..], context)?;
    at = token::skip(b, at + parsed.len);
    let level = redis_mark(*b.get(at)?)?;
    Some(Header {
        format: Format::Redis,
        timestamp: parsed.at,
        level: Some(level),
        pid: Some(&b[..pid]),
        message: token::rest(b, token::skip(b, at + 1)),
        ..Header::default()
    })
}

/// Redis' four levels: `.` debug, `-` verbose, `*` notice, `#` warning. Its notice is what it prints by default and what other servers
/// call info; verbose adds connections and sizes.
pub(super) fn redis_mark(mark: u8) -> Option<Level> {
    Some(match mark {
        b'.' => Level::Debug,
        b'-' | b'*' => Level::Info,
        b'#' => Level::Warn,
        _ => return None,
    })
}
