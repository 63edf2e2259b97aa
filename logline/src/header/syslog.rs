//! Syslog in its dialects: RFC 3164 and 5424, what `journalctl` and the kernel's ring buffer print.

use std::borrow::Cow;

use super::{Format, Header, token};
use crate::{
    level::Level,
    time::{self, TimeContext},
};

/// Program, pid, and where the message starts.
pub(super) struct Tag<'a> {
    pub(super) program: &'a [u8],
    pub(super) pid: Option<&'a [u8]>,
    pub(super) end: usize,
}

/// `program[pid]: ` or `program: ` at `at`; programs like `sshd(pam_unix)`, `-- root`, `syslogd 1.4.1` included.
pub(super) fn tag(b: &[u8], at: usize) -> Option<Tag<'_>> {
    let mut i = at;
    let limit = (at + 100).min(b.len());
    let mut spaces = 0;
    while i < limit {
        match b[i] {
            b':' if i > at && matches!(b.get(i + 1), None | Some(b' ' | b'\t')) => {
                // Two words before a colon are a sentence, unless the second is a version.
                let name = &b[at..i];
                let versioned = spaces < 2
                    && name
                        .iter()
                        .rposition(|c| *c == b' ')
                        .is_none_or(|s| name.get(s + 1).is_some_and(u8::is_ascii_digit));
                return versioned.then(|| Tag {
                    program: name,
                    pid: None,
                    end: token::skip(b, i + 1),
                });
            }
            b'[' if i > at => {
                let close = token::closing(b, i, 40)?;
                let pid = &b[i + 1..close - 1];
                if pid.is_empty() || pid.contains(&b' ') || !pid[0].is_ascii_digit() {
                    return None;
                }
                let mut after = close;
                // launchd names the service it speaks of: `com.apple.xpc.launchd[1] (com.apple.x[9]): message`.
                if b.get(after) == Some(&b' ') && b.get(after + 1) == Some(&b'(') {
                    after = token::closing(b, after + 1, 160)?;
                }
                if b.get(after) != Some(&b':') {
                    return None;
                }
                return Some(Tag {
                    program: &b[at..i],
                    pid: Some(pid),
                    end: token::skip(b, after + 1),
                });
            }
            b' ' => {
                spaces += 1;
                // `Google Chrome Helper[12]: `; where no pid ends the name, one space is the most.
                if spaces > 3 {
                    return None;
                }
                i += 1;
            }
            c if c.is_ascii_alphanumeric()
                || matches!(
                    c,
                    b'_' | b'-' | b'.' | b'/' | b'(' | b')' | b'@' | b'+' | b'\\' | b'%' | b'*'
                ) =>
            {
                i += 1;
            }
            b':' => i += 1,
            _ => return None,
        }
    }
    None
}

/// Whether `name` can be a host's.
fn host_like(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b':' | b'/' | b'@' | b'#')
        })
        && name.last() != Some(&b':')
}

/// What follows a syslog time: host and tag, a tag alone, or neither.
pub(super) fn after_time<'a>(b: &'a [u8], at: usize, header: &mut Header<'a>) -> usize {
    let at = token::skip(b, at);
    let len = token::word(&b[at..], 80);
    let first = &b[at..at + len];
    if first.ends_with(b":")
        && let Some(tag) = tag(b, at)
    {
        return accept(header, &tag);
    }
    let second = token::skip(b, at + len);
    if !host_like(first) {
        return at;
    }
    let said = &b[second..];
    if said.starts_with(b"last message ")
        || said.starts_with(b"message repeated ")
        || said.starts_with(b"--- last message")
    {
        header.host = Some(first);
        return second;
    }
    if let Some(tag) = tag(b, second) {
        header.host = Some(first);
        // `web-1 Error: ...` has no program: that word is said.
        if tag.pid.is_none() && Level::from_name(tag.program).is_some() {
            return second;
        }
        return accept(header, &tag);
    }
    at
}

fn accept<'a>(header: &mut Header<'a>, tag: &Tag<'a>) -> usize {
    header.logger = Some(Cow::Borrowed(tag.program));
    header.pid = tag.pid;
    tag.end
}

/// Lines that start with `<PRI>`: RFC 5424, RFC 3164, and bare messages of systemd and the kernel.
pub(super) fn with_priority<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let digits = token::digits(&b[1..], 3);
    if digits == 0 || b.get(digits + 1) != Some(&b'>') {
        return None;
    }
    let priority = b[1..=digits]
        .iter()
        .fold(0_u32, |n, c| n * 10 + u32::from(c - b'0'));
    let level = (priority <= 191)
        .then(|| Level::from_syslog((priority % 8) as u8))
        .flatten()?;
    let at = digits + 2;
    if b.get(at) == Some(&b'1') && b.get(at + 1) == Some(&b' ') {
        return Some(rfc5424(b, at + 2, level, context));
    }
    let mut header = Header {
        format: Format::Syslog,
        level: Some(level),
        ..Header::default()
    };
    let start = token::skip(b, at);
    let end = match time::parse_prefix(&b[start..], context) {
        Some(parsed) => {
            header.timestamp = parsed.at;
            after_time(b, start + parsed.len, &mut header)
        }
        None => match tag(b, start) {
            Some(tag) if tag.pid.is_some() => accept(&mut header, &tag),
            _ => kernel_time(&b[start..]).map_or(start, |len| token::skip(b, start + len)),
        },
    };
    header.message = token::rest(b, end);
    Some(header)
}

/// `TIME HOST APP PROCID MSGID STRUCTURED-DATA MSG`, each `-` where absent.
fn rfc5424<'a>(b: &'a [u8], mut at: usize, level: Level, context: &TimeContext) -> Header<'a> {
    let mut header = Header {
        format: Format::Rfc5424,
        level: Some(level),
        ..Header::default()
    };
    for field in 0..5 {
        let len = token::word(&b[at.min(b.len())..], 255);
        if len == 0 {
            break;
        }
        let value = &b[at..at + len];
        let present = (value != b"-").then_some(value);
        match field {
            0 => header.timestamp = present.and_then(|v| time::parse(v, context)),
            1 => header.host = present,
            2 => header.logger = present.map(Cow::Borrowed),
            3 => header.pid = present,
            _ => {}
        }
        at = token::skip(b, at + len);
    }
    if b.get(at) == Some(&b'-') && matches!(b.get(at + 1), None | Some(b' ')) {
        at = token::skip(b, at + 1);
    } else {
        while b.get(at) == Some(&b'[')
            && let Some(end) = element(b, at)
        {
            at = end;
        }
        at = token::skip(b, at);
    }
    let said = b.get(at..).unwrap_or_default();
    header.message = Cow::Borrowed(said.strip_prefix(b"\xef\xbb\xbf").unwrap_or(said));
    header
}

/// Just after one `[id name="value" ...]`, whose values may hold escaped quotes and brackets.
fn element(b: &[u8], open: usize) -> Option<usize> {
    let mut quoted = false;
    let mut at = open + 1;
    loop {
        match *b.get(at)? {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

/// Length of `[   12.345678]` at the start of `b`.
fn kernel_time(b: &[u8]) -> Option<usize> {
    let start = 1 + b
        .get(1..)?
        .iter()
        .take(8)
        .take_while(|c| **c == b' ')
        .count();
    let whole = token::digits(&b[start..], 9);
    let dot = start + whole;
    if b[0] != b'[' || whole == 0 || b.get(dot) != Some(&b'.') {
        return None;
    }
    let fraction = token::digits(&b[dot + 1..], 9);
    // `[   12.345678][ T1] message`: the caller follows where the kernel is built to tell it.
    let mut end = dot + 1 + fraction;
    if fraction < 3 || b.get(end) != Some(&b']') {
        return None;
    }
    end += 1;
    if b.get(end) == Some(&b'[') {
        end = token::closing(b, end, 24)?;
    }
    Some(end)
}

/// `[12345.678901] message`, as `dmesg` prints it. The time counts from a boot that the line does not name.
pub(super) fn kernel(b: &[u8]) -> Option<Header<'_>> {
    let len = kernel_time(b)?;
    Some(Header {
        format: Format::Kernel,
        logger: Some(Cow::Borrowed(b"kernel")),
        message: token::rest(b, token::skip(b, len)),
        ..Header::default()
    })
}

/// Lines that start with a syslog time, or (`journalctl -o cat`-like cuts) with `host program[pid]: `.
pub(super) fn bare<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    // `ctime`'s weekday comes first where no host follows.
    if b.get(3) == Some(&b' ')
        && b[0].is_ascii_uppercase()
        && b.get(4..6)
            .is_some_and(|day| day.iter().all(|c| c.is_ascii_digit() || *c == b' '))
        && let Some(parsed) = time::parse_prefix(b, context)
    {
        let mut header = Header {
            format: Format::Syslog,
            timestamp: parsed.at,
            ..Header::default()
        };
        let end = after_time(b, parsed.len, &mut header);
        if header.logger.is_none() && header.host.is_none() {
            return None;
        }
        header.message = token::rest(b, end);
        return Some(header);
    }
    let first = token::word(b, 64);
    let name = &b[..first];
    // `program[pid]: message`, or the same behind a host.
    let at = if name.ends_with(b"]:") {
        0
    } else {
        token::skip(b, first)
    };
    let ends = b.get(at..)?.iter().take(64).position(|c| *c == b' ')?;
    if !b[at..at + ends].ends_with(b"]:") || at > 0 && !host_like(name) {
        return None;
    }
    let tag = tag(b, at)?;
    tag.pid?;
    let mut header = Header {
        format: Format::Syslog,
        host: (at > 0).then_some(name),
        ..Header::default()
    };
    let end = accept(&mut header, &tag);
    header.message = token::rest(b, end);
    Some(header)
}
