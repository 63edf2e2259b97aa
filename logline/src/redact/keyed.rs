//! Values that their key calls secret: which of them are, and which are words about one.

use super::{
    Detector, Detectors, Finding, header,
    key::{self, Family, Key, Stem},
    push, quote,
    site::{self, Shape, Site},
    token, value, words,
};

/// A value is judged by so many bytes of it.
const HEAD: usize = 256;

/// Looks for the value of the key around a stem. The end of what was found, if anything was.
pub(super) fn find(
    text: &[u8],
    stem: Stem,
    from: usize,
    to: usize,
    on: Detectors,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    let key = key::read(text, stem, from, to)?;
    if !on.has(key.detector) {
        return None;
    }
    let site = site::find(text, &key)?;
    match key.family {
        Family::Authorization => header::authorization(text, &key, &site, on, found),
        Family::Cookie => header::cookie(text, &key, &site, on, found),
        _ => plain(text, &key, &site, on, found),
    }
}

/// Looks for `IDENTIFIED BY 'x'` behind its last letters.
pub(super) fn identified(text: &[u8], to: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let blanks = text[to..]
        .iter()
        .take(8)
        .take_while(|byte| **byte == b' ')
        .count();
    let mut at = to + blanks;
    let rest = &text[at..];
    if rest.len() > 9 && rest[..9].eq_ignore_ascii_case(b"password ") {
        at += 9;
    }
    let (quote, len) = quote::open(text, at)?;
    let start = at + len;
    let (end, _) = quote::close(text, start, quote);
    if words::is_placeholder(&text[start..end.min(start + HEAD)]) {
        return None;
    }
    push(text, start, end, Detector::Password, found)
}

/// Where the value at `site` ends, no further than `limit`.
pub(super) fn end(text: &[u8], site: &Site, limit: usize) -> usize {
    match site.quote {
        Some(quote) => quote::close(&text[..limit], site.at, quote).0,
        None => value::end(text, site.at, limit, site.around),
    }
}

/// A value with nothing special about it.
pub(super) fn plain(
    text: &[u8],
    key: &Key,
    site: &Site,
    on: Detectors,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    let mut site = *site;
    // `token: "Bearer abc"`
    if key.family != Family::Password
        && let Some(after) = header::scheme(text, site.at)
    {
        site.at = after;
    }
    let mut limit = text.len().min(site.at + HEAD);
    let mut head_end = end(text, &site, limit);
    // `password = crypt('abc')`
    if site.quote.is_none()
        && text[site.at..head_end].ends_with(b"(")
        && let Some((quote, len)) = quote::open(text, head_end)
    {
        site.quote = Some(quote);
        site.at = head_end + len;
        limit = text.len().min(site.at + HEAD);
        head_end = end(text, &site, limit);
    }
    let open = site.around.element
        && text[site.at..head_end].contains(&b' ')
        && !text[head_end..].starts_with(b"</")
        && !text[head_end..].starts_with(b"&lt;/")
        && !text[head_end..].starts_with(b"\\u003");
    // `<password>` with no end is a placeholder in a sentence.
    if open || !is_secret(text, key, &site, head_end) {
        return None;
    }
    let end = if head_end == limit {
        end(text, &site, text.len())
    } else {
        head_end
    };
    let detector = token::at(text, site.at)
        .filter(|(last, detector)| *last <= end && on.has(*detector))
        .map_or(key.detector, |it| it.1);
    push(text, site.at, end, detector, found)
}

/// Whether the value from `site` to `end` is a secret.
fn is_secret(text: &[u8], key: &Key, site: &Site, end: usize) -> bool {
    let value = &text[site.at..end];
    // Blocks of keys and addresses are looked at by themselves.
    let address = memchr::memmem::find(&value[..value.len().min(24)], b"://").is_some();
    if words::is_placeholder(value)
        || words::is_stop(value)
        || value.starts_with(b"-----BEGIN")
        || address
    {
        return false;
    }
    match key.family {
        Family::Password => is_password(text, key, site, end),
        _ => is_token(key, site, value),
    }
}

fn is_password(text: &[u8], key: &Key, site: &Site, end: usize) -> bool {
    let value = &text[site.at..end];
    let digits = words::is_digits(value);
    // Counts, and the working directory.
    if digits && (key.plural || value.len() < if key.bare_pass { 6 } else { 3 })
        || key.pwd && (words::is_path(value) || value.starts_with(b"/"))
    {
        return false;
    }
    match site.shape {
        Shape::Bound => words::verdicts(value) < 2,
        Shape::Quoted | Shape::Spoken => words::verdicts(value) == 0,
        Shape::Flag => {
            let shouted =
                !value.iter().any(u8::is_ascii_lowercase) && words::is_wordy(value, false);
            words::verdicts(value) == 0 && !shouted
        }
        Shape::Tight => {
            !is_remark(text, key, value)
                && (digits || !words::is_number(value))
                && (!words::is_wordy(value, false) || !key.bare_pass && is_among_pairs(text, key))
        }
        Shape::Loose => {
            if is_remark(text, key, value) || value.len() < 4 || site.around.bracket {
                return false;
            }
            let ends = ends_line(text, end);
            let list = begins_pair(text, end);
            if words::is_number(value) || words::is_wordy(value, false) {
                // A word or a number alone on its line behind its key, or in a list of such pairs.
                return (!words::is_number(value) || digits)
                    && !key.bare_pass
                    && (list || ends && begins_line(text, key.start));
            }
            !key.bare_pass || list || ends && begins_line(text, key.start)
        }
    }
}

fn is_token(key: &Key, site: &Site, value: &[u8]) -> bool {
    if value.len() < 6
        || value.contains(&b' ')
        || words::is_number(value)
        || words::is_pointer(value)
        || words::is_path(value)
    {
        return false;
    }
    if key.family == Family::Session {
        return value.len() >= 12 && is_random(value);
    }
    match site.shape {
        Shape::Bound | Shape::Flag if !key.plural => {
            if words::is_wordy(value, true) {
                return key.qualified
                    && matches!(key.detector, Detector::Secret | Detector::ApiKey)
                    && value.len() >= 8
                    && value.iter().all(u8::is_ascii_alphanumeric);
            }
            !words::begins_as_name(value) || is_random(value)
        }
        _ => is_random(value),
    }
}

/// Whether enough of it is neither word nor number.
pub(super) fn is_random(value: &[u8]) -> bool {
    let least = if words::begins_as_name(value) { 20 } else { 8 };
    let mixed = value.len() >= 10
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_punctuation);
    let letters = value.iter().filter(|it| it.is_ascii_alphabetic()).count();
    value.len() >= 8
        && letters >= 2
        && !words::is_wordy(value, true)
        && !words::is_number(value)
        && (words::unwordy(value) >= least || mixed && least == 8)
}

/// Whether it is a remark on the key rather than its value: `/etc/passwd: ...`, `password: pq: ...`, `password: code=5`.
fn is_remark(text: &[u8], key: &Key, value: &[u8]) -> bool {
    let pair = value
        .iter()
        .position(|byte| *byte == b'=')
        .is_some_and(|at| {
            at > 0
                && at + 1 < value.len()
                && value[at + 1] != b'='
                && words::is_wordy(&value[..at], true)
        });
    pair || value.ends_with(b":")
        || matches!(value.first(), Some(b'(' | b'[' | b'{'))
        || words::is_path(value)
        || words::is_pointer(value)
        || key
            .start
            .checked_sub(1)
            .is_some_and(|at| matches!(text[at], b'/' | b'('))
}

/// Whether only blanks stand between the begin of the line and `at`.
fn begins_line(text: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(32);
    for index in (from..at).rev() {
        match text[index] {
            b' ' | b'\t' | b'-' => {}
            b'\n' => return true,
            b'n' | b't' | b'r' => return index > 0 && text[index - 1] == b'\\',
            _ => return false,
        }
    }
    from == 0
}

/// Whether the line ends at `at`, but for blanks and a remark.
fn ends_line(text: &[u8], at: usize) -> bool {
    let rest = &text[at..];
    let blanks = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .take(32)
        .count();
    matches!(
        &rest[blanks..],
        [] | [b'\n' | b'#', ..] | [b'\\', b'n' | b'r', ..]
    )
}

/// Whether another pair of a list follows: `, host: x`.
fn begins_pair(text: &[u8], at: usize) -> bool {
    let [b',' | b';', rest @ ..] = &text[at..] else {
        return false;
    };
    let blanks = rest
        .iter()
        .take(4)
        .take_while(|byte| **byte == b' ')
        .count();
    let rest = &rest[blanks..];
    let name = rest
        .iter()
        .take(32)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        .count();
    name > 0 && matches!(rest.get(name), Some(b':' | b'='))
}

/// Whether the key is one of several of a structure: `{Password:x}`, `map[password:x]`, `user:bob password:x`.
fn is_among_pairs(text: &[u8], key: &Key) -> bool {
    let from = key.start.saturating_sub(40);
    let before = &text[from..key.start];
    match before.last() {
        Some(b'{' | b'[' | b',' | b'&') => true,
        Some(b' ') => {
            let word = before[..before.len() - 1]
                .rsplit(|byte| *byte == b' ')
                .next()
                .unwrap_or_default();
            let colon = word.iter().position(|byte| *byte == b':');
            word.last() == Some(&b',')
                || colon
                    .is_some_and(|at| at > 0 && at + 1 < word.len() && !word[0].is_ascii_digit())
        }
        _ => false,
    }
}
