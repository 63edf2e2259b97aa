//! Records that are not messages with a head so much as rows of fields: web access, super-computers' events, slapd.

use std::borrow::Cow;

use super::{Format, Header, syslog, token};
use crate::time::{self, TimeContext};

/// Records that start with a digit.
pub(super) fn digits<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    access(b, context)
        .or_else(|| slapd(b, context))
        .or_else(|| squid(b, context))
        .or_else(|| hpc(b, context))
}

/// Records that start with a letter, a minus or a colon.
pub(super) fn letters<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    ras(b, context)
        .or_else(|| access(b, context))
        .or_else(|| slapd(b, context))
}

/// The common log format and its extensions: `client ident user [20/Nov/2026:17:01:07 +0000] "GET / HTTP/1.1" 200 12 ...`, also with
/// a virtual host before the client. The time is taken out of the message's way only where it comes first; here it stays inside.
fn access<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let line = &b[..b.len().min(200)];
    let open = memchr::memchr(b'[', line).filter(|open| *open >= 2)?;
    let stamp = b.get(open + 1..open + 30)?;
    if stamp[2] != b'/' || stamp[6] != b'/' || b[open - 1] != b' ' {
        return None;
    }
    let before = &b[..open - 1];
    let spaces = memchr::memchr_iter(b' ', before).count();
    if !(1..=4).contains(&spaces) {
        return None;
    }
    let parsed = time::parse_prefix(stamp, context)?;
    let close = open + 1 + parsed.len;
    if b.get(close) != Some(&b']') {
        return None;
    }
    let client = token::word(b, 120);
    let named = spaces == 3 && before.ends_with(b"-");
    let first = &b[..client];
    Some(Header {
        format: Format::Access,
        timestamp: parsed.at,
        host: named.then_some(first),
        message: Cow::Borrowed(b),
        ..Header::default()
    })
}

/// `6b007dc4.0c3cfcb5 0x7fadd4a12200 message`: OpenLDAP's seconds and fraction in hexadecimal, thread, message.
fn slapd<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    if b.get(8) != Some(&b'.') && b.get(8) != Some(&b' ') {
        return None;
    }
    let seconds = b[..8].iter().try_fold(0_i64, |n, c| {
        Some(n * 16 + i64::from(char::from(*c).to_digit(16)?))
    })?;
    let start = if b[8] == b'.' {
        let fraction = b[9..]
            .iter()
            .take(9)
            .take_while(|c| c.is_ascii_hexdigit())
            .count();
        if fraction != 8 {
            return None;
        }
        token::skip(b, 17)
    } else {
        9
    };
    let thread = b[start..].strip_prefix(b"0x").map(|hex| {
        2 + hex
            .iter()
            .take(17)
            .take_while(|c| c.is_ascii_hexdigit())
            .count()
    });
    if !b[..8].iter().any(u8::is_ascii_digit) || thread.is_none() && b[8] != b'.' {
        return None;
    }
    let thread = thread.unwrap_or(0);
    let mut decimal = *b"0000000000";
    let mut left = seconds;
    for place in decimal.iter_mut().rev() {
        *place = b'0' + (left % 10) as u8;
        left /= 10;
    }
    Some(Header {
        format: Format::Generic,
        timestamp: time::epoch(&decimal, context),
        pid: (thread > 0).then(|| &b[start..start + thread]),
        message: token::rest(b, token::skip(b, start + thread)),
        ..Header::default()
    })
}

/// Squid's native access log: `1795193486.123    200 10.0.0.1 TCP_MISS/200 512 GET http://...`; the message starts at the duration.
fn squid<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    if b.get(10) != Some(&b'.') || token::digits(&b[11..], 3) != 3 || b.get(14) != Some(&b' ') {
        return None;
    }
    let at = token::skip(b, 14);
    let duration = token::digits(&b[at..], 9);
    let client = token::skip(b, at + duration);
    let client_len = token::word(&b[client..], 60);
    let code = token::skip(b, client + client_len);
    let code_len = token::word(&b[code..], 60);
    if duration == 0 || !b[code..code + code_len].contains(&b'/') {
        return None;
    }
    Some(Header {
        format: Format::Access,
        timestamp: time::epoch(&b[..14], context),
        host: Some(&b[client..client + client_len]),
        message: token::rest(b, at),
        ..Header::default()
    })
}

/// `134681 node-246 unix.hw state_change.unavailable 1077804742 1 message`.
fn hpc<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let mut words: [&[u8]; 6] = [b""; 6];
    let mut at = 0;
    for slot in &mut words {
        let len = token::word(b.get(at..)?, 60);
        if len == 0 || b.get(at + len) != Some(&b' ') {
            return None;
        }
        *slot = &b[at..at + len];
        at += len + 1;
    }
    let [id, node, component, _, seconds, flag] = words;
    if token::digits(id, 10) != id.len()
        || token::digits(flag, 2) != flag.len()
        || seconds.len() != 10
    {
        return None;
    }
    Some(Header {
        format: Format::Ras,
        timestamp: Some(time::epoch(seconds, context)?),
        host: Some(node),
        logger: Some(Cow::Borrowed(component)),
        message: token::rest(b, token::skip(b, at)),
        ..Header::default()
    })
}

/// BGL and its kin: `label seconds yyyy.mm.dd node time node RAS component LEVEL message`; Thunderbird, Spirit and Liberty:
/// `label seconds yyyy.mm.dd node`, then syslog.
fn ras<'a>(b: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let label = token::word(b, 24);
    let seconds = label + 1;
    let day = seconds + 11;
    if label == 0
        || b.get(day - 1) != Some(&b' ')
        || b.get(day + 4) != Some(&b'.')
        || b.get(day + 7) != Some(&b'.')
        || b.get(day + 10) != Some(&b' ')
    {
        return None;
    }
    let moment = time::epoch(&b[seconds..seconds + 10], context);
    let node = day + 11;
    let node_len = token::word(b.get(node..)?, 60);
    let mut at = token::skip(b, node + node_len);
    let mut header = Header {
        format: Format::Ras,
        timestamp: moment,
        host: (node_len > 0).then(|| &b[node..node + node_len]),
        ..Header::default()
    };
    let parsed = time::parse_prefix(b.get(at..)?, context)?;
    at = token::skip(b, at + parsed.len);
    if b[node + node_len..].get(1).is_some_and(u8::is_ascii_digit) {
        header.timestamp = parsed.at.or(moment);
        // node, type, component, level
        at = token::skip(b, at + token::word(&b[at..], 60));
        at = token::skip(b, at + token::word(&b[at..], 24));
        let component = token::word(&b[at..], 24);
        let word = token::skip(b, at + component);
        let (level, len, _) = token::level_word(b.get(word..)?)?;
        header.logger = Some(Cow::Borrowed(&b[at..at + component]));
        header.level = Some(level);
        at = token::skip(b, word + len);
    } else {
        let node = header.host;
        at = syslog::after_time(b, at, &mut header);
        header.host = node;
    }
    header.message = token::rest(b, at);
    Some(header)
}
