//! The level of the record of one HTTP request, from its status.

use super::Level;
use crate::header::token::find;

/// Error for 5xx, warn for 4xx, info for the rest; none where the text names no status behind a request line.
pub(super) fn infer(text: &[u8]) -> Option<Level> {
    let text = &text[..text.len().min(super::words::WINDOW)];
    let version = find(text, b" HTTP/")?;
    // `GET / HTTP/1.1" 200 12`, HAProxy and Squid put the status before the request, which says less.
    let rest = &text[version + 6..];
    let quote = rest.iter().take(6).position(|c| *c == b'"')?;
    let after = rest[quote + 1..].trim_ascii_start();
    let after = after.strip_prefix(b"status: ").unwrap_or(after);
    let status = after.get(..3)?;
    if !status.iter().all(u8::is_ascii_digit) || after.get(3).is_some_and(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    Some(match status[0] {
        b'5' => Level::Error,
        b'4' => Level::Warn,
        _ => Level::Info,
    })
}
