//! PostgreSQL's `log_line_prefix` can be anything; its severity is always followed by a colon and two spaces.

use super::{Format, Header, token};
use crate::level::Level;

/// PostgreSQL's severity, which stands behind any prefix and before two spaces: `... ERROR:  message`. Returns where the message
/// starts; pid and prefix are taken from before it.
pub(super) fn severity<'a>(
    b: &'a [u8],
    at: usize,
    header: &mut Header<'a>,
    timed: bool,
) -> Option<usize> {
    if header.level.is_some() && !b.get(at..).is_some_and(|r| r.starts_with(b" ")) && at > 0 {
        // The walk has read the severity itself; two spaces behind its colon are PostgreSQL's mark.
        let colon = b[..at].iter().rposition(|c| *c != b' ')?;
        if timed && b[colon] == b':' && at - colon == 3 && header.format == Format::Plain {
            header.format = Format::Postgres;
        }
        return None;
    }
    let line = &b[at.min(b.len())..b.len().min(at + 200)];
    for colon in memchr::memchr_iter(b':', line) {
        if line.get(colon + 1..colon + 3) != Some(b"  ") {
            continue;
        }
        let start = line[..colon]
            .iter()
            .rposition(|c| !c.is_ascii_alphanumeric())
            .map_or(0, |i| i + 1);
        if start > 0 && !matches!(line[start - 1], b' ' | b':' | b']') {
            continue;
        }
        let level = match &line[start..colon] {
            b"LOG" | b"INFO" => Some(Level::Info),
            b"ERROR" => Some(Level::Error),
            b"FATAL" | b"PANIC" => Some(Level::Fatal),
            b"WARNING" => Some(Level::Warn),
            b"NOTICE" => Some(Level::Notice),
            b"DEBUG" | b"DEBUG1" | b"DEBUG2" | b"DEBUG3" | b"DEBUG4" | b"DEBUG5" => {
                Some(Level::Debug)
            }
            b"DETAIL" | b"HINT" | b"STATEMENT" | b"CONTEXT" | b"QUERY" | b"LOCATION"
            | b"BACKTRACE" => None,
            _ => continue,
        };
        header.format = Format::Postgres;
        header.level = level;
        if level.is_none() {
            return Some(at + start);
        }
        return Some(token::skip(b, at + colon + 1));
    }
    None
}
