//! Headers that carry credentials: `Authorization`, `Cookie`, `Set-Cookie`; and their values where the header's name is lost.

use super::{Detector, Detectors, Finding, key::Key, keyed, push, quote, site::Site, token, words};

/// Schemes of the `Authorization` header. Longer ones first where one begins as another.
const SCHEMES: [&[u8]; 14] = [
    b"Bearer",
    b"Basic",
    b"Token",
    b"ApiKey",
    b"Api-Key",
    b"Digest",
    b"AWS4-HMAC-SHA256",
    b"Negotiate",
    b"NTLM",
    b"Bot",
    b"SSWS",
    b"OAuth",
    b"SharedKey",
    b"Hawk",
];

/// Attributes of a cookie, which are no cookies.
const ATTRIBUTES: [&[u8]; 7] = [
    b"path",
    b"domain",
    b"expires",
    b"max-age",
    b"samesite",
    b"version",
    b"priority",
];

/// A value is judged by so many bytes of it.
const HEAD: usize = 256;

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.len() >= prefix.len() && text[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// The length of what stands for a space at the begin of `rest`: 0 where nothing does.
fn space(rest: &[u8]) -> usize {
    match rest {
        [b' ', b' ', ..] => 2,
        [b' ' | b'+', ..] => 1,
        [b'%', b'2', b'0', ..] => 3,
        _ => 0,
    }
}

/// Where the credentials begin if a scheme stands at `at`.
pub(super) fn scheme(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let scheme = SCHEMES.iter().find(|it| starts_with(rest, it))?;
    match space(&rest[scheme.len()..]) {
        0 => None,
        len => Some(at + scheme.len() + len),
    }
}

/// The value of an `Authorization` key.
pub(super) fn authorization(
    text: &[u8],
    key: &Key,
    site: &Site,
    on: Detectors,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    let Some(start) = scheme(text, site.at) else {
        let key = Key {
            family: super::key::Family::Session,
            ..*key
        };
        return keyed::plain(text, &key, site, on, found);
    };
    let many = [&b"Digest"[..], b"AWS4", b"OAuth", b"Hawk"]
        .iter()
        .any(|it| starts_with(&text[site.at..], it));
    let credentials = Site { at: start, ..*site };
    let end_at = |limit| match (many, site.quote) {
        // Several of them, with commas, spaces and quotes of their own.
        (true, None) => start + line_end(&text[start..limit]),
        _ => keyed::end(text, &credentials, limit),
    };
    let limit = text.len().min(start + HEAD);
    let head = end_at(limit);
    let value = &text[start..head];
    let basic = starts_with(&text[site.at..], b"Basic") && is_basic(value);
    if words::is_placeholder(value)
        || words::is_stop(value)
        || value.len() < 4
        || !many && !basic && (words::is_wordy(value, true) || words::verdicts(value) > 0)
        || many && !value.contains(&b'=')
    {
        return None;
    }
    let end = if head == limit {
        end_at(text.len())
    } else {
        head
    };
    let detector = token::at(text, start)
        .filter(|(last, detector)| *last <= end && on.has(*detector))
        .map_or(Detector::AuthHeader, |it| it.1);
    push(text, start, end, detector, found)
}

/// The end of a header's value that holds quotes: the end of the line, plain or escaped, or a quote that nothing opened.
fn line_end(text: &[u8]) -> usize {
    let mut open = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' | b'\r' => return at,
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r')) => return at,
            b'\'' if !open => return at,
            b'"' => {
                let opens = at > 0 && text[at - 1] == b'='
                    || at > 1 && text[at - 1] == b'\\' && text[at - 2] == b'=';
                if !open && !opens {
                    return at - usize::from(at > 0 && text[at - 1] == b'\\');
                }
                open = !open;
            }
            _ => {}
        }
    }
    text.len()
}

/// `Bearer abc` wherever it stands; `to` is behind the word.
pub(super) fn bearer(
    text: &[u8],
    from: usize,
    to: usize,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    if !token::is_boundary(text, from) {
        return None;
    }
    let colon = usize::from(text.get(to) == Some(&b':'));
    let at = to + colon + space(text.get(to + colon..)?);
    if at == to {
        return None;
    }
    let len = credentials(&text[at..text.len().min(at + HEAD)]);
    let value = &text[at..at + len];
    if len < 8
        || words::is_placeholder(value)
        || !keyed::is_random(value)
        || matches!(text.get(at + len), Some(b'"'))
            && value.ends_with(b"=")
            && words::is_wordy(&value[..len - 1], true)
    {
        return None;
    }
    let end = at + credentials(&text[at..]);
    let detector = token::at(text, at)
        .filter(|(last, _)| *last <= end)
        .map_or(Detector::AuthHeader, |it| it.1);
    push(text, at, end, detector, found)
}

/// `Basic dXNlcjpwYXNz` wherever it stands: what follows decodes to a name, a colon and a password.
pub(super) fn basic(
    text: &[u8],
    from: usize,
    to: usize,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    if !token::is_boundary(text, from) {
        return None;
    }
    let len = credentials(&text[to..]);
    is_basic(&text[to..to + len]).then(|| push(text, to, to + len, Detector::AuthHeader, found))?
}

/// The length of the characters of RFC 7235's `token68` at the begin of `text`, and a percent-encoded `=` at their end.
fn credentials(text: &[u8]) -> usize {
    let mut len = text
        .iter()
        .take_while(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
        })
        .count();
    while text[len..].starts_with(b"%3D") || text[len..].starts_with(b"%3d") {
        len += 3;
    }
    len
}

/// Whether it is base64 of printable text with a colon in it.
fn is_basic(value: &[u8]) -> bool {
    let end = value
        .iter()
        .position(|byte| matches!(byte, b'=' | b'%'))
        .unwrap_or(value.len());
    let digits = &value[..end];
    if digits.len() < 4 || digits.len() % 4 == 1 {
        return false;
    }
    let (mut bits, mut held, mut colon) = (0_u32, 0, false);
    for byte in digits.iter().take(HEAD) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            let decoded = (bits >> held & 0xff) as u8;
            if decoded < 0x20 || decoded == 0x7f {
                return false;
            }
            colon |= decoded == b':';
        }
    }
    colon
}

/// The values of the cookies of a `Cookie` or `Set-Cookie` header.
pub(super) fn cookie(
    text: &[u8],
    key: &Key,
    site: &Site,
    on: Detectors,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    let limit = text.len().min(site.at + HEAD);
    let head = &text[site.at..keyed::end(text, site, limit)];
    let pairs = head
        .iter()
        .position(|byte| *byte == b'=')
        .is_some_and(|at| at > 0 && at + 2 < head.len());
    if !pairs {
        // The cookie itself, without its name.
        let key = Key {
            family: super::key::Family::Session,
            ..*key
        };
        return keyed::plain(text, &key, site, on, found);
    }
    let end = match site.quote {
        Some(quote) => quote::close(text, site.at, quote).0,
        None => site.at + cookie_end(&text[site.at..]),
    };
    let before = found.len();
    let mut at = site.at;
    while at < end {
        let next = memchr::memchr(b';', &text[at..end]).map_or(end, |len| at + len);
        let pair = &text[at..next];
        let blanks = pair.iter().take_while(|byte| **byte == b' ').count();
        let equals = pair.iter().take(96).position(|byte| *byte == b'=');
        let (name, start) = match equals {
            Some(len) if len > blanks => (&pair[blanks..len], at + len + 1),
            _ => (&pair[..0], at + blanks),
        };
        let lone = name.is_empty();
        let value = &text[start..next];
        let attribute = ATTRIBUTES.iter().any(|it| name.eq_ignore_ascii_case(it));
        let name_is_one = name
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'(' | b'{'));
        let head = &value[..value.len().min(HEAD)];
        let secret = if lone {
            keyed::is_random(head) && !head.contains(&b' ')
        } else {
            head.len() >= 4 && name_is_one && !words::is_stop(head) && !head.contains(&b' ')
        };
        if secret && !attribute && !words::is_placeholder(head) {
            let _ = push(text, start, next, Detector::Cookie, found);
        }
        at = next + 1;
    }
    (found.len() > before).then_some(end)
}

/// The end of a cookie header that no quotes surround.
fn cookie_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\n' | b'\r' | b'"' | b'\'' | b']' | b'<' | b'\t' => break,
            b'\\' => break,
            // A new word that no semicolon joins to the cookies: something else begins.
            b' ' if at > 0 && text[at - 1] != b';' => break,
            _ => at += 1,
        }
    }
    // A comma before a word of the text around.
    let end = at;
    if end > 0 && text[end - 1] == b',' {
        end - 1
    } else {
        end
    }
}
