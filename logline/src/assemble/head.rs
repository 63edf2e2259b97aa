//! Whether a line starts with a head of its own, and what an open event's first line lets join it.

use super::words::{Weight, is_failure, is_month, is_weekday, weight};

/// Whether the line starts with its own time, level, priority or is a record by itself: such a line begins an event.
pub(super) fn own(line: &[u8]) -> bool {
    let Some(first) = line.first() else {
        return false;
    };
    match first {
        b'0'..=b'9' => is_time(line) || is_counted(line) || is_access(line),
        b'[' => is_bracketed(line),
        b'{' => is_record(line),
        b'<' => is_priority(line),
        b'=' => line.starts_with(b"=") && is_report(line),
        b':' => is_access(line),
        b'A'..=b'Z' | b'a'..=b'z' => is_worded(line),
        _ => false,
    }
}

/// The same behind an indentation of `depth` bytes, where words are less to be trusted.
pub(super) fn own_indented(rest: &[u8], depth: usize) -> bool {
    match rest.first() {
        Some(b'0'..=b'9') => is_time(rest),
        Some(b'[') => rest.len() > 10 && is_time(&rest[1..]),
        Some(b'A'..=b'Z') => {
            depth <= 2
                && level_word(rest).is_some_and(|(_, len)| {
                    rest.get(len) == Some(&b' ') || rest.get(len) == Some(&b'[')
                })
        }
        _ => false,
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter()
        .take(21)
        .take_while(|b| b.is_ascii_digit())
        .count()
}

/// A date or a time of day that starts with a digit.
fn is_time(text: &[u8]) -> bool {
    let n = digits(text);
    let rest = &text[n..];
    match (n, rest.first()) {
        // 2026-11-20, 2026/11/20, 2026.11.20
        (4, Some(sep @ (b'-' | b'/' | b'.'))) => {
            digits(&rest[1..]) == 2 && rest.get(3) == Some(sep) && digits(&rest[4..]) >= 2
        }
        // 17:01:07
        (1 | 2, Some(b':')) => {
            digits(&rest[1..]) == 2 && rest.get(3) == Some(&b':') && digits(&rest[4..]) == 2
        }
        // 20-Nov-2026, 20/Nov/2026, 20 Nov 2026, 20/11/2026
        (1 | 2, Some(sep @ (b'-' | b'/' | b' ' | b'.'))) => {
            let month = if is_month(&rest[1..]) {
                3
            } else {
                digits(&rest[1..])
            };
            (month == 3 || month == 2 && *sep != b' ')
                && rest.get(1 + month) == Some(sep)
                && matches!(digits(&rest[2 + month..]), 2 | 4)
        }
        // 20261120 17:01:07, 20261120-17:01:07, 20261120T170107
        (8, Some(b' ' | b'-' | b'T')) => digits(&rest[1..]) >= 2 && text.starts_with(b"20"),
        // 261120 17:01:07, as old MySQL
        (6, Some(b' ')) => is_time(rest[1..].trim_ascii_start()),
        // 2026 Nov 20
        (4, Some(b' ')) => is_month(&rest[1..]),
        // Seconds since 1970, also with fraction; or milliseconds.
        (10, Some(b'.')) => digits(&rest[1..]) >= 3,
        (10 | 13, Some(b' ' | b':')) => text.starts_with(b"1") && rest.len() > 2,
        _ => false,
    }
}

/// A counter or process number before the time: `27815:C 20 Nov 2026`, `1234 2026-11-20`; or slapd's hexadecimal time.
fn is_counted(text: &[u8]) -> bool {
    let n = digits(text);
    let rest = &text[n..];
    if let [b':', letter, b' ', after @ ..] = rest
        && n > 0
        && letter.is_ascii_uppercase()
    {
        return is_time(after);
    }
    if let [b':', letter, b':', ..] = rest
        && letter.is_ascii_alphabetic()
    {
        return true;
    }
    if n > 0 && rest.first() == Some(&b' ') && is_time(&rest[1..]) {
        return true;
    }
    text.len() > 20
        && text[..8].iter().all(u8::is_ascii_hexdigit)
        && text[8] == b'.'
        && text[9..17].iter().all(u8::is_ascii_hexdigit)
        && text[17] == b' '
}

/// `127.0.0.1 - - [20/Nov/2026...`.
fn is_access(text: &[u8]) -> bool {
    let Some(space) = memchr::memchr(b' ', &text[..text.len().min(64)]) else {
        return false;
    };
    text[..space]
        .iter()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
        && memchr::memmem::find(&text[space..text.len().min(space + 80)], b" [").is_some()
        && text[..space].iter().any(|b| matches!(b, b'.' | b':'))
}

fn is_bracketed(line: &[u8]) -> bool {
    let inner = &line[1..];
    let inner = inner.trim_ascii_start();
    let Some(first) = inner.first() else {
        return false;
    };
    if first.is_ascii_digit() {
        let n = digits(inner);
        return is_time(inner)
            // The kernel's [  12.345678], a process number [1234].
            || inner[n..].starts_with(b".") && inner[n + 1..].iter().find(|b| !b.is_ascii_digit()) == Some(&b']')
            || n >= 2 && inner.get(n) == Some(&b']');
    }
    if is_date_words(inner) {
        return true;
    }
    if let Some((_, len)) = level_word(inner) {
        return matches!(
            inner.get(len),
            Some(b']' | b' ' | b':' | b'|' | b'/' | b'\t')
        );
    }
    // [main] INFO, [main][INFO]
    let Some(close) = memchr::memchr(b']', &inner[..inner.len().min(64)]) else {
        return false;
    };
    let after = inner[close + 1..].trim_ascii_start();
    let after = after.strip_prefix(b"[").unwrap_or(after);
    level_word(after).is_some()
        || after.first().is_some_and(u8::is_ascii_digit) && (is_time(after) || has_clock(after))
}

/// A time of day within the first bytes.
fn has_clock(text: &[u8]) -> bool {
    let form = |w: &[u8]| {
        w[0] == b':' && w[3] == b':' && [1, 2, 4, 5].iter().all(|at| w[*at].is_ascii_digit())
    };
    text[..text.len().min(40)].windows(6).any(form)
}

/// `SEVERE: message`: a level in capitals and a colon, nothing else for a head.
pub(super) fn is_level_line(line: &[u8]) -> bool {
    line[0].is_ascii_uppercase()
        && level_word(line).is_some_and(|(_, len)| line[len..].starts_with(b": "))
}

/// The first of the two lines of `java.util.logging`: `Mar 14, 2026 9:26:53 AM com.acme.Gate open`.
pub(super) fn is_jul(line: &[u8]) -> bool {
    let window = &line[..line.len().min(40)];
    is_date_words(line)
        && [b" AM ", b" PM "]
            .iter()
            .any(|half| memchr::memmem::find(window, *half).is_some())
}

/// A whole JSON object on one line.
fn is_record(line: &[u8]) -> bool {
    line.starts_with(b"{\"") && line.ends_with(b"}")
}

/// syslog's `<34>`.
fn is_priority(line: &[u8]) -> bool {
    let n = digits(&line[1..]);
    (1..=3).contains(&n) && line.get(n + 1) == Some(&b'>')
}

/// Erlang's `=ERROR REPORT==== 20-Nov-2026`.
fn is_report(line: &[u8]) -> bool {
    memchr::memmem::find(&line[..line.len().min(48)], b" REPORT====").is_some()
}

/// `Fri Nov 20`, `Fri, 20 Nov`, `Nov 20 17:01:07`.
fn is_date_words(text: &[u8]) -> bool {
    if is_weekday(text) {
        let rest = text[3..].strip_prefix(b",").unwrap_or(&text[3..]);
        return rest.strip_prefix(b" ").is_some_and(|rest| {
            is_month(rest) || rest.first().is_some_and(u8::is_ascii_digit) && is_time(rest)
        });
    }
    is_month(text)
        && text.get(3) == Some(&b' ')
        && text[4..]
            .trim_ascii_start()
            .first()
            .is_some_and(u8::is_ascii_digit)
        && memchr::memchr(b':', &text[..text.len().min(24)]).is_some()
}

fn is_worded(line: &[u8]) -> bool {
    if is_klog(line) || is_date_words(line) || is_logfmt(line) {
        return true;
    }
    // Ruby's `I, [2026-11-20T...`; a letter for the level, then the time.
    if let [letter, rest @ ..] = line
        && letter.is_ascii_uppercase()
    {
        let rest = rest.strip_prefix(b",").unwrap_or(rest);
        if let Some(rest) = rest.strip_prefix(b" ") {
            let rest = rest.strip_prefix(b"[").unwrap_or(rest);
            if rest.first().is_some_and(u8::is_ascii_digit) && is_time(rest) {
                return true;
            }
        }
    }
    let Some((_, len)) = level_word(line) else {
        return false;
    };
    let next = line.get(len);
    if line[0].is_ascii_uppercase() && line.get(1).is_some_and(u8::is_ascii_uppercase) {
        return matches!(
            next,
            Some(b' ' | b':' | b'[' | b'|' | b'\t' | b'/' | b'-' | b'(' | b']')
        );
    }
    line[0].is_ascii_lowercase() && next == Some(&b':')
}

/// `I1120 17:01:07`.
fn is_klog(line: &[u8]) -> bool {
    matches!(line[0], b'I' | b'W' | b'E' | b'F')
        && digits(&line[1..]) == 4
        && line.get(5) == Some(&b' ')
        && digits(&line[6..]) == 2
}

/// A record of `key=value` pairs that starts with its time or level.
fn is_logfmt(line: &[u8]) -> bool {
    const KEYS: &[&[u8]] = &[
        b"ts=",
        b"time=",
        b"t=",
        b"level=",
        b"lvl=",
        b"timestamp=",
        b"severity=",
        b"msg=",
        b"caller=",
        b"logger=",
    ];
    matches!(line[0], b't' | b'l' | b's' | b'm' | b'c')
        && KEYS.iter().any(|key| line.starts_with(key))
}

/// The level's word at the start of the text and its length, in any case.
fn level_word(text: &[u8]) -> Option<(Weight, usize)> {
    let len = text
        .iter()
        .take(12)
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    weight(&text[..len]).map(|weight| (weight, len))
}

/// What may join an event, told from its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attach {
    /// A record that is whole by itself: nothing.
    Closed,
    /// No head and nothing bad said: what is indented.
    Bare,
    /// A head and a harmless level: also a trace that shows its frames.
    Calm,
    /// A bad level, a word of failure, or a head without a level: also a trace's first line at the margin.
    Bad,
}

/// What may join the event whose first line this is; and whether that line has a head.
pub(super) fn attach(line: &[u8]) -> (Attach, bool) {
    let headed = own(line);
    if headed && (line[0] == b'{' || is_logfmt(line)) || is_request(line) {
        return (Attach::Closed, headed);
    }
    if headed && is_klog(line) {
        return (
            if line[0] == b'I' {
                Attach::Calm
            } else {
                Attach::Bad
            },
            true,
        );
    }
    let mut level = None;
    let mut at = 0;
    let window = &line[..line.len().min(2048)];
    while at < window.len() {
        let len = window[at..]
            .iter()
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
        let word = &window[at..at + len];
        if level.is_none() && at < 160 {
            level = weight(word);
            if level == Some(Weight::Bad) {
                return (Attach::Bad, headed);
            }
        }
        if is_failure(word) {
            return (Attach::Bad, headed);
        }
        at += len.max(1);
    }
    match (headed, level) {
        (false, _) => (Attach::Bare, false),
        (true, None) => (Attach::Bad, true),
        (true, Some(_)) => (Attach::Calm, true),
    }
}

/// A line of an access log: a request in quotes with a status behind it.
fn is_request(line: &[u8]) -> bool {
    let window = &line[..line.len().min(4096)];
    let Some(at) = memchr::memmem::find(window, b" HTTP/") else {
        return false;
    };
    let rest = &window[at + 6..];
    let Some(quote) = memchr::memchr(b'"', &rest[..rest.len().min(8)]) else {
        return false;
    };
    let status = rest[quote + 1..].trim_ascii_start();
    digits(status) == 3
}
