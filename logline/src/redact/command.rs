//! Passwords among the arguments of commands, where no key tells them: `mysql -pSECRET`, `curl -u user:SECRET`.

use super::{Detector, Finding, push, quote, token, words};

/// So many bytes behind a command are looked at...
const REACH: usize = 512;
/// ...and so many words.
const MAX_WORDS: usize = 24;

/// A command that takes a password as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `mysql`, `mysqldump`, `mysqladmin` and so on: `-pSECRET`; behind a bare `-p` they ask.
    Mysql,
    /// `-u user:SECRET`, and the same for proxies.
    Curl,
    /// `-p SECRET`
    Sshpass,
    /// `-a SECRET`
    RedisCli,
}

impl Command {
    /// What of an argument is a secret's begin.
    fn reads(self, word: &[u8]) -> Reads {
        let (short, long): (&[&[u8]], &[&[u8]]) = match self {
            Self::Mysql => (&[b"-p"], &[]),
            Self::Curl => (&[b"-u", b"-U"], &[b"--user", b"--proxy-user"]),
            Self::Sshpass => (&[b"-p"], &[]),
            Self::RedisCli => (&[b"-a"], &[b"--pass"]),
        };
        for option in short.iter().chain(long) {
            let Some(rest) = word.strip_prefix(*option) else {
                continue;
            };
            let is_long = option.len() > 2;
            match rest {
                [] if self != Self::Mysql => return Reads::Next,
                [] => {}
                [b'=', ..] if is_long => return Reads::From(option.len() + 1),
                _ if !is_long => return Reads::From(option.len()),
                _ => {}
            }
        }
        Reads::Nothing
    }
}

/// What an argument says about the password.
enum Reads {
    /// Nothing.
    Nothing,
    /// It is the next one.
    Next,
    /// It begins at this byte of this one.
    From(usize),
}

/// Looks for a password among the arguments behind a command, which begins at `from`; its letters end at `to`. The end of what was
/// found, if anything was.
pub(super) fn find(
    text: &[u8],
    from: usize,
    to: usize,
    command: Command,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    let is_written_so = text
        .get(from..to)?
        .iter()
        .all(|it| !it.is_ascii_uppercase());
    if !is_written_so || !token::is_boundary(text, from) {
        return None;
    }
    let mut at = to;
    if command == Command::Mysql {
        let rest = &text[to..text.len().min(to + 16)];
        let is_name = |it: &&u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-');
        at += rest.iter().take_while(is_name).count();
        // The server asks nobody for a password.
        if rest.starts_with(b"d") && !rest.starts_with(b"dump") {
            return None;
        }
    }
    let limit = text.len().min(at + REACH);
    let (mut last, mut is_next) = (None, false);
    for _ in 0..MAX_WORDS {
        at += text[at..limit]
            .iter()
            .take_while(|it| matches!(it, b' ' | b'\t' | b','))
            .count();
        let (start, end, after) = word(text, at, limit);
        // The next command, or the end of this one.
        if start >= limit || end == start && ends_word(text, start) && !is_quote(text[start]) {
            break;
        }
        let here = &text[start..end];
        let value = match command.reads(here) {
            _ if is_next => Some((start, end)),
            Reads::From(skipped) if start + skipped < end => Some((start + skipped, end)),
            // Its quotes begin behind the option.
            Reads::From(skipped) => {
                let (start, end, _) = word(text, start + skipped, limit);
                Some((start, end))
            }
            Reads::Next | Reads::Nothing => None,
        };
        is_next = !is_next && matches!(command.reads(here), Reads::Next);
        at = after.max(at + 1);
        if let Some((start, end)) = value {
            last = secret(text, start, end, command, found).or(last);
            at = at.max(end);
        } else if command == Command::Mysql && here == b"-p" && opens_value(text, end) {
            let (start, end, _) = word(text, end, limit);
            last = secret(text, start, end, command, found).or(last);
            at = at.max(end);
        } else if command == Command::Sshpass && !here.starts_with(b"-") {
            break;
        }
    }
    last
}

/// Keeps a value, if it is one that says something.
fn secret(
    text: &[u8],
    start: usize,
    end: usize,
    command: Command,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    let value = text.get(start..end)?;
    let start = match command {
        Command::Curl => {
            let colon = memchr::memchr(b':', value)?;
            if value[colon..].starts_with(b"://") {
                return None;
            }
            start + colon + 1
        }
        _ if value.starts_with(b"-") => return None,
        _ => start,
    };
    let value = &text[start..end];
    (!words::is_placeholder(value) && !value.starts_with(b"$"))
        .then(|| push(text, start, end, Detector::Password, found))?
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// Whether a quote opens here, and does not close what the command stands in.
fn opens_value(text: &[u8], at: usize) -> bool {
    quote::open(text, at).is_some_and(|(_, len)| {
        let next = text.get(at + len);
        next.is_some_and(|it| it.is_ascii_graphic() && !matches!(it, b',' | b')' | b']' | b'}'))
    })
}

/// Whether a word that no quotes surround ends here.
fn ends_word(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        None => true,
        Some(b'\\') => text
            .get(at + 1)
            .is_none_or(|it| is_quote(*it) || matches!(it, b'\\' | b'n' | b'r' | b't')),
        Some(byte) => {
            byte.is_ascii_whitespace()
                || is_quote(*byte)
                || matches!(byte, b'|' | b';' | b'&' | b'<' | b'>')
        }
    }
}

/// The word at `at`: what stands in the quotes that open there, or up to the next blank; and where it goes on behind it.
fn word(text: &[u8], at: usize, limit: usize) -> (usize, usize, usize) {
    if let Some((quote, len)) = quote::open(text, at) {
        let start = (at + len).min(limit);
        let (end, is_closed) = quote::close(&text[..limit], start, quote);
        return (start, end, end + if is_closed { len } else { 0 });
    }
    let mut end = at;
    while end < limit && !ends_word(text, end) {
        end += 1;
    }
    // What closes a bracket around the command, or a list's item.
    while end > at && matches!(text[end - 1], b',' | b')' | b']') {
        end -= 1;
    }
    (at, end, end)
}
