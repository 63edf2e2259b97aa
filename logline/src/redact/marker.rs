//! The replacement, `[redacted:NAME]`: writing it, and knowing it again.

/// How every replacement begins.
pub(super) const OPEN: &[u8] = b"[redacted:";
/// Names are at most this long.
const MAX_NAME: usize = 64;

/// Appends the replacement for a secret of that name.
pub(super) fn write(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(OPEN);
    out.extend_from_slice(name.as_bytes());
    out.push(b']');
}

/// The length of the replacement for a secret of that name.
pub(super) fn len(name: &str) -> usize {
    OPEN.len() + name.len() + 1
}

/// Where the replacement that begins at `at` ends.
pub(super) fn at(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(OPEN)?;
    let name = name_len(rest);
    (name > 0 && rest.get(name) == Some(&b']')).then_some(at + OPEN.len() + name + 1)
}

/// The replacement, as start and end, that the byte at `at` belongs to.
pub(super) fn around(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let from = at.saturating_sub(OPEN.len() + MAX_NAME);
    let before = text.get(from..(at + 1).min(text.len()))?;
    let start = from + memchr::memrchr(b'[', before)?;
    let end = self::at(text, start)?;
    (at < end).then_some((start, end))
}

fn name_len(text: &[u8]) -> usize {
    text.iter()
        .take(MAX_NAME)
        .take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || **byte == b'_')
        .count()
}
