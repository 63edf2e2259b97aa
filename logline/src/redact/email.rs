//! E-mail addresses.

use super::{Detector, Finding, push};

/// The most bytes before and behind the `@` (RFC 5321, 4.5.3.1).
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;

/// Appends the addresses of `text` to `found`.
pub(super) fn find(text: &[u8], found: &mut Vec<Finding>) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'@', text) {
        let local = text[from..at]
            .iter()
            .rev()
            .take(MAX_LOCAL)
            .take_while(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'.' | b'_' | b'+' | b'-' | b'%' | b'\'')
            })
            .count();
        let mut start = at - local;
        // A quote or a dot does not begin one.
        start += text[start..at]
            .iter()
            .take_while(|byte| !byte.is_ascii_alphanumeric() && **byte != b'_')
            .count();
        if start == at {
            continue;
        }
        if let Some(domain) = domain(&text[at + 1..])
            && let Some(end) = push(text, start, at + 1 + domain, Detector::Email, found)
        {
            from = end;
        }
    }
}

/// The length of the domain at the begin of `text`: labels, and letters behind the last dot.
fn domain(text: &[u8]) -> Option<usize> {
    let mut len = text
        .iter()
        .take(MAX_DOMAIN)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    while len > 0 && !text[len - 1].is_ascii_alphanumeric() {
        len -= 1;
    }
    let labels = &text[..len];
    let dot = memchr::memrchr(b'.', labels)?;
    let top = &labels[dot + 1..];
    let sound = top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && labels
            .split(|byte| *byte == b'.')
            .all(|label| !label.is_empty() && !label.starts_with(b"-"));
    sound.then_some(len)
}
