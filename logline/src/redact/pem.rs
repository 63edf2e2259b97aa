//! Private key blocks: whole, with escaped newlines, or cut off.

use super::{Detector, Finding, push};

/// Words between `BEGIN` and the dashes reach at most this far.
const MAX_LABEL: usize = 64;

/// Looks behind `---BEGIN`, which ends at `to`, for a private key. What stands between its first and its last line is the secret.
pub(super) fn find(text: &[u8], to: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let label = &text[to..text.len().min(to + MAX_LABEL)];
    let dashes = memchr::memmem::find(label, b"---")?;
    let words = &label[..dashes];
    // `PRIVATE KEY`, `RSA+PRIVATE+KEY`, `PGP PRIVATE KEY BLOCK`; newlines would belong to something else.
    let private = memchr::memmem::find(words, b"PRIVATE").is_some()
        && memchr::memmem::find(words, b"KEY").is_some();
    if !private
        || words
            .iter()
            .any(|byte| !byte.is_ascii_graphic() && *byte != b' ')
    {
        return None;
    }
    let start = to
        + dashes
        + text[to + dashes..]
            .iter()
            .take_while(|it| **it == b'-')
            .count();
    let end = end(text, start);
    // A sentence about a block has no line of base64 in it.
    let body = text[start..end]
        .split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/' | b'='))
        .any(|line| line.len() >= 16);
    if !body || is_replaced(&text[start..end]) {
        return None;
    }
    push(text, start, end, Detector::PrivateKey, found)
}

/// Where the block ends whose first line ends at `start`: at its last line; if there is none, where nothing of a key follows.
fn end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(dashes) = memchr::memmem::find(&text[at..], b"-----").map(|len| at + len) {
        let rest = &text[dashes..];
        let behind = rest.iter().take_while(|it| **it == b'-').count();
        if rest[behind..].starts_with(b"END") {
            return dashes;
        }
        if rest[behind..].starts_with(b"BEGIN") {
            break;
        }
        at = dashes + behind;
    }
    let mut at = start;
    while let Some(byte) = text.get(at) {
        let goes_on = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'+' | b'/'
                    | b'='
                    | b'\n'
                    | b'\r'
                    | b'\t'
                    | b' '
                    | b'\\'
                    | b'%'
                    | b':'
                    | b','
                    | b'-'
                    | b'.'
                    | b'|'
            ) && !text[at..].starts_with(b"-----");
        if !goes_on {
            break;
        }
        at += 1;
    }
    // The backslashes before a closing quote are the quote's.
    while at > start
        && matches!(text[at - 1], b'\\' | b' ' | b'\n' | b'\r' | b',')
        && at < text.len()
    {
        at -= 1;
    }
    at
}

/// Whether it is a replacement already.
fn is_replaced(body: &[u8]) -> bool {
    let blank = body
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    body[blank..].starts_with(super::marker::OPEN)
}
