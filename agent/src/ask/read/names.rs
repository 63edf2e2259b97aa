//! What a question names: addresses, users, processes, blocks, requests and whatever else has a name of its own, to be looked up
//! exactly in the lines.

use std::ops::Range;

use super::atoms::chunks;

/// Something that is named in a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ask) struct Name {
    /// As it is written.
    pub(in crate::ask) text: String,
    /// Where.
    pub(in crate::ask) at: Range<usize>,
    /// It can hardly be anything but the name of one thing: it has digits among its letters or signs, or is a long number. Where
    /// no line has it, there is nothing to be found.
    pub(in crate::ask) sure: bool,
}

/// What is said before a number that is a name: `pid 17`.
const BEFORE_NUMBERS: [&str; 18] = [
    "pid",
    "process",
    "uid",
    "user",
    "port",
    "id",
    "thread",
    "job",
    "task",
    "request",
    "session",
    "block",
    "instance",
    "transaction",
    "connection",
    "worker",
    "container",
    "order",
];

/// What `text` names, outside of `taken`.
pub(in crate::ask) fn names(text: &str, taken: &[Range<usize>]) -> Vec<Name> {
    let mut found: Vec<Name> = Vec::new();
    let mut before = "";
    for (start, chunk) in chunks(text) {
        let at = start..start + chunk.len();
        let used = taken
            .iter()
            .any(|range| range.start < at.end && at.start < range.end);
        // The genitive of a name is not part of it.
        let name = chunk
            .strip_suffix("'s")
            .or_else(|| chunk.strip_suffix("’s"))
            .unwrap_or(chunk);
        let number_wanted = BEFORE_NUMBERS.contains(&before.to_ascii_lowercase().as_str());
        before = chunk;
        if used {
            continue;
        }
        let name = value_of(name);
        let Some(sure) = kind(name, number_wanted) else {
            continue;
        };
        if found.iter().all(|known| known.text != name) {
            found.push(Name {
                text: name.to_owned(),
                at,
                sure,
            });
        }
    }
    found
}

/// `pid=17` names `17`.
fn value_of(name: &str) -> &str {
    match name.split_once('=') {
        Some((key, value))
            if !value.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') =>
        {
            value
        }
        _ => name,
    }
}

/// Whether a chunk is a name, and how sure that is.
fn kind(chunk: &str, number_wanted: bool) -> Option<bool> {
    let digits = chunk.bytes().filter(u8::is_ascii_digit).count();
    let letters = chunk.bytes().filter(u8::is_ascii_alphabetic).count();
    let signs = chunk.len() - digits - letters;
    if letters == 0 && signs == 0 {
        return (digits >= 4 || number_wanted).then_some(true);
    }
    if !chunk.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    // A version, a size or a time is not the name of one thing; an address is.
    if letters == 0 {
        let dots = chunk.bytes().filter(|byte| *byte == b'.').count();
        let colons = chunk.bytes().filter(|byte| *byte == b':').count();
        return (dots >= 3 || colons >= 2 || digits >= 6).then_some(true);
    }
    if digits > 0 {
        let long = chunk.len() >= 6 && digits >= 2;
        return if long { Some(true) } else { Some(false) };
    }
    // Only letters and signs: a path, a host, an address of mail, or a word of the log itself.
    let inner = chunk.trim_matches(|c: char| !c.is_alphanumeric());
    let special = inner.bytes().any(|byte| b"/@._:\\".contains(&byte))
        || (inner.contains('-') && inner.len() >= 6);
    special.then_some(false)
}

/// The numbers of a question outside of `taken`.
pub(in crate::ask) fn numbers(text: &str, taken: &[Range<usize>]) -> Vec<String> {
    chunks(text)
        .filter(|(start, chunk)| {
            let at = *start..*start + chunk.len();
            chunk.bytes().all(|byte| byte.is_ascii_digit())
                && !taken
                    .iter()
                    .any(|range| range.start < at.end && at.start < range.end)
        })
        .map(|(_, chunk)| chunk.to_owned())
        .collect()
}
