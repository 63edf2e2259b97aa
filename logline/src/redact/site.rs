//! Where the value of a key stands, and how sure it is that it is one.

use super::{
    key::{Family, Key},
    quote::{self, Quote},
    value::Around,
};

/// What binds a value to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `key=value`, `"key": "value"`, `<key>value</key>`: nothing but a value can stand there.
    Bound,
    /// `key: "value"`
    Quoted,
    /// `key:value`
    Tight,
    /// `key: value`, which is how people write sentences too.
    Loose,
    /// `--key value`
    Flag,
    /// `PASSWORD 'value'`
    Spoken,
}

/// Where a value begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) at: usize,
    pub(super) shape: Shape,
    pub(super) quote: Option<Quote>,
    pub(super) around: Around,
}

/// Spaces between a key, its separator and its value are looked through up to this many.
const MAX_BLANKS: usize = 16;

/// How far an XML element's attributes reach at most, in bytes.
const MAX_ATTRIBUTES: usize = 96;

/// Separators that are spelled with other characters: percent-encoded, as JSON escapes, as entities.
const EQUALS: [&[u8]; 9] = [
    b"=>",
    b"=\\u003e",
    b":=",
    b"=",
    b"%3D",
    b"%3d",
    b"\\u003d",
    b"\\u003D",
    b"&#61;",
];
const COLONS: [&[u8]; 3] = [b"%3A", b"%3a", b":"];
const CLOSERS: [&[u8]; 4] = [b">", b"&gt;", b"\\u003e", b"\\u003E"];

fn blanks(text: &[u8], at: usize) -> usize {
    text[at.min(text.len())..]
        .iter()
        .take(MAX_BLANKS)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

fn one_of(rest: &[u8], all: &[&'static [u8]]) -> Option<&'static [u8]> {
    all.iter().copied().find(|it| rest.starts_with(it))
}

/// The value of `key`, if something binds one to it.
pub(super) fn find(text: &[u8], key: &Key) -> Option<Site> {
    let mut at = key.end;
    // Most words that could be keys are words of a sentence: a letter follows.
    let next = text.get(at)?;
    if next.is_ascii_alphanumeric() {
        return None;
    }
    let before = key.start.checked_sub(1).map(|it| text[it]);
    if *next == b']' && before == Some(b'[') {
        at += 1;
    }
    let closing = quote::open(text, at);
    if let Some((_, len)) = closing {
        at += len;
        at += usize::from(text.get(at) == Some(&b']'));
    }
    let quoted = closing.is_some();
    let spaces = blanks(text, at);
    let rest = text.get(at + spaces..)?;
    if let Some(it) = one_of(rest, &EQUALS) {
        let from = at + spaces + it.len();
        let after = blanks(text, from);
        // `a == b`, and `key= other=x`, which says that there is no value.
        let comparison = it == b"=" && text.get(from) == Some(&b'=');
        let nothing =
            spaces == 0 && after > 0 && it == b"=" && quote::open(text, from + after).is_none();
        if comparison || nothing {
            return None;
        }
        let percent = it.starts_with(b"%");
        return Some(begin(text, from + after, Shape::Bound, percent));
    }
    if let Some(it) = one_of(rest, &COLONS) {
        let from = at + spaces + it.len();
        if matches!(text.get(from), Some(b':')) || text[from..].starts_with(b"//") {
            return None;
        }
        let after = blanks(text, from);
        let mut site = begin(text, from + after, Shape::Loose, it.len() > 1);
        site.shape = match (quoted, site.quote) {
            (true, _) => Shape::Bound,
            (false, Some(_)) => Shape::Quoted,
            (false, None) if after == 0 => Shape::Tight,
            (false, None) => Shape::Loose,
        };
        return Some(site);
    }
    if let Some(from) = element(text, key, at + spaces) {
        return Some(Site {
            at: from,
            shape: Shape::Bound,
            quote: None,
            around: Around {
                element: true,
                ..Around::default()
            },
        });
    }
    if let Some(site) = named(text, key, at, quoted) {
        return Some(site);
    }
    if quoted {
        return listed(text, key, at + spaces);
    }
    spoken(text, key, at, spaces)
}

/// Looks behind the separator: an opening bracket, a prefix of a Python string, a quote.
fn begin(text: &[u8], mut at: usize, shape: Shape, percent: bool) -> Site {
    let mut around = Around {
        percent,
        ..Around::default()
    };
    if text.get(at) == Some(&b'[') {
        let inner = at + 1;
        let closed = text[inner..]
            .iter()
            .take(64)
            .position(|byte| *byte == b']')
            .map(|len| &text[inner..inner + len]);
        // `[Bearer abc]` and `["abc"]` hold a value, `[redacted:token]` is one.
        if quote::open(text, inner).is_some()
            || closed.is_none_or(|it| !it.starts_with(b"redacted"))
        {
            at = inner;
            around.bracket = true;
        }
    }
    if matches!(text.get(at), Some(b'b' | b'u' | b'r'))
        && matches!(text.get(at + 1), Some(b'\'' | b'"'))
    {
        at += 1;
    }
    let quote = quote::open(text, at);
    if let Some((_, len)) = quote {
        at += len;
    }
    Site {
        at,
        shape,
        quote: quote.map(|it| it.0),
        around,
    }
}

/// `<password>value</password>`, with or without a namespace and attributes, and with the brackets escaped.
fn element(text: &[u8], key: &Key, at: usize) -> Option<usize> {
    let mut before = &text[key.start.saturating_sub(MAX_ATTRIBUTES)..key.start];
    if let [rest @ .., b':'] = before {
        let name = rest
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        before = &rest[..rest.len() - name];
    }
    let opened = [&b"<"[..], b"&lt;", b"\\u003c", b"\\u003C"]
        .iter()
        .any(|it| before.ends_with(it));
    if !opened {
        return None;
    }
    let mut from = at;
    if at > key.end {
        let attributes = &text[at..(at + MAX_ATTRIBUTES).min(text.len())];
        from += attributes
            .iter()
            .position(|byte| matches!(byte, b'>' | b'<'))?;
    }
    let closer = one_of(text.get(from..)?, &CLOSERS)?;
    Some(from + closer.len())
}

/// The value of a pair that is spelled out: `"name":"DB_PASSWORD","value":"x"`, `key="password" value="x"`,
/// `- name: DB_PASSWORD`, newline, `value: x`.
fn named(text: &[u8], key: &Key, at: usize, quoted: bool) -> Option<Site> {
    let mut at = at;
    let mut newline = false;
    for _ in 0..MAX_BLANKS {
        match text.get(at)? {
            b' ' | b'\t' => at += 1,
            b',' if quoted => at += 1,
            b'\n' => {
                newline = true;
                at += 1;
            }
            _ => break,
        }
    }
    if !quoted && !newline {
        return None;
    }
    let opening = quote::open(text, at);
    at += opening.map_or(0, |it| it.1);
    let word = text.get(at..at + 5)?;
    if !word.eq_ignore_ascii_case(b"value") {
        return None;
    }
    // Without quotes it must be what `name:` says, one line above.
    if newline && !quoted {
        let line = &text[key.start.saturating_sub(MAX_BLANKS)..key.start];
        if !line.ends_with(b"name: ") {
            return None;
        }
    }
    at += 5;
    at += quote::open(text, at).map_or(0, |it| it.1);
    at += blanks(text, at);
    if !matches!(text.get(at)?, b':' | b'=') {
        return None;
    }
    at += 1;
    at += blanks(text, at);
    Some(begin(text, at, Shape::Bound, false))
}

/// The next element of a list: `["--password", "x"]`, `('Authorization', 'x')`.
fn listed(text: &[u8], key: &Key, at: usize) -> Option<Site> {
    if text.get(at) != Some(&b',') {
        return None;
    }
    let from = at + 1 + blanks(text, at + 1);
    quote::open(text, from)?;
    let shape = if key.dashed {
        Shape::Flag
    } else if key.family == Family::Password {
        // The names of the columns of a table stand like that.
        return None;
    } else {
        Shape::Loose
    };
    Some(begin(text, from, shape, false))
}

/// What only a space parts from its key: `--password x`, `PASSWORD 'x'`, `PASSWORD('x')`, `BY 'x'`.
fn spoken(text: &[u8], key: &Key, at: usize, spaces: usize) -> Option<Site> {
    let mut from = at + spaces;
    if spaces == 0 && text.get(from) != Some(&b'(') {
        return None;
    }
    if key.dashed {
        let site = begin(text, from, Shape::Flag, false);
        return (text.get(from) != Some(&b'-')).then_some(site);
    }
    if key.family != Family::Password {
        return None;
    }
    from += usize::from(text.get(from) == Some(&b'('));
    let word = text.get(from..from + 3)?;
    if word.eq_ignore_ascii_case(b"by ") || word.eq_ignore_ascii_case(b"as ") {
        from += 3;
    }
    match quote::open(text, from) {
        Some((Quote::Char(_, _), _)) => Some(begin(text, from, Shape::Spoken, false)),
        _ => None,
    }
}
