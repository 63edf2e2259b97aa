//! Credentials in addresses: `scheme://user:password@host`.

use super::{Detector, Finding, keyed, push, words};

/// How far the credentials of an address reach at most, in bytes.
const MAX: usize = 300;

/// Looks at the address whose `://`, however spelled, stands from `from` to `to`.
pub(super) fn find(text: &[u8], from: usize, to: usize, found: &mut Vec<Finding>) -> Option<usize> {
    if from == 0 || !text[from - 1].is_ascii_alphanumeric() {
        return None;
    }
    let rest = &text[to..text.len().min(to + MAX)];
    let mut authority = None;
    let mut at_sign = None;
    let mut end = rest.len();
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'/' | b'?' | b'#' => {
                authority = authority.or(Some(at));
                // Only a password that was not encoded goes on behind a slash: `user:pa/ss@host`, not `host:80/a@b`.
                if at_sign.is_some() || !is_credentials(&rest[..at]) {
                    end = at;
                    break;
                }
            }
            b'@' => {
                at_sign = Some(at);
                if authority.is_some() {
                    end = at + 1;
                    break;
                }
            }
            b'%' if rest[at..].starts_with(b"%40") && at_sign.is_none() && to - from > 3 => {
                // The whole address is encoded.
                at_sign = Some(at);
            }
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b','
            | b';' | b'|' => {
                // A comma may be a password's, but then an `@` follows before any blank.
                let password = matches!(byte, b',' | b';' | b'|' | b'\'' | b'`' | b'<' | b'>')
                    && at_sign.is_none()
                    && is_credentials(&rest[..at])
                    && more(&rest[at..]);
                if !password {
                    end = at;
                    break;
                }
            }
            _ => {}
        }
    }
    let info = &rest[..at_sign.filter(|at| *at <= end)?];
    let colon = colon(info);
    let Some((colon, len)) = colon else {
        // A token instead of a name: `https://<token>@host`.
        let secret = info.len() >= 16 && keyed::is_random(info) && !words::is_placeholder(info);
        return secret.then(|| push(text, to, to + info.len(), Detector::UrlPassword, found))?;
    };
    let start = colon + len;
    let password = &info[start..];
    if words::is_placeholder(password) || is_masked(password) {
        return None;
    }
    push(
        text,
        to + start,
        to + info.len(),
        Detector::UrlPassword,
        found,
    )
}

/// The first colon and its length: percent-encoded where there is no plain one.
fn colon(info: &[u8]) -> Option<(usize, usize)> {
    if let Some(at) = memchr::memchr(b':', info) {
        return Some((at, 1));
    }
    info.windows(3)
        .position(|it| it.eq_ignore_ascii_case(b"%3a"))
        .map(|at| (at, 3))
}

/// Whether what stands before a slash is a name and the begin of a password rather than a host and its port.
fn is_credentials(before: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', before) else {
        return false;
    };
    let behind = &before[colon + 1..];
    !behind.is_empty() && !before.starts_with(b"[") && !behind.iter().all(u8::is_ascii_digit)
}

/// Whether an `@` follows before a blank, a slash or a quote.
fn more(rest: &[u8]) -> bool {
    rest.iter()
        .take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'/' | b'\\'))
        .take(64)
        .any(|byte| *byte == b'@')
}

fn is_masked(password: &[u8]) -> bool {
    password.eq_ignore_ascii_case(b"redacted")
}
