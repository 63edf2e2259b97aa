//! Quotes in all the spellings in which they reach a log: plain, escaped once or more, as entities, percent-encoded.

/// An opening quote, which says how the closing one is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    /// A quote character behind this many backslashes.
    Char(u8, usize),
    /// A quote that is spelled with other characters, closed by the same ones.
    Spelled(&'static [u8]),
}

/// Quotes that are spelled out. In the order of their first byte.
const SPELLED: [&[u8]; 9] = [
    b"&quot;", b"&#34;", b"&#39;", b"&apos;", b"%22", b"%27", b"%5C%22", b"\\u0022", b"\\u0027",
];

/// Backslashes before a quote that are still counted: JSON in JSON in JSON in JSON has 7.
const MAX_DEPTH: usize = 15;

/// The quote that begins at `at` and its length.
#[inline]
pub(super) fn open(text: &[u8], at: usize) -> Option<(Quote, usize)> {
    match text.get(at)? {
        byte @ (b'"' | b'\'' | b'`') => Some((Quote::Char(*byte, 0), 1)),
        b'\\' => {
            let rest = &text[at..];
            let depth = rest
                .iter()
                .take(MAX_DEPTH)
                .take_while(|byte| **byte == b'\\')
                .count();
            match rest.get(depth) {
                Some(byte @ (b'"' | b'\'')) => Some((Quote::Char(*byte, depth), depth + 1)),
                _ => spelled(rest),
            }
        }
        b'&' | b'%' => spelled(&text[at..]),
        _ => None,
    }
}

fn spelled(rest: &[u8]) -> Option<(Quote, usize)> {
    SPELLED
        .into_iter()
        .find(|it| rest.starts_with(it))
        .map(|it| (Quote::Spelled(it), it.len()))
}

/// Where the text that `quote` opened before `from` ends: at the closing quote, at a newline or at the end of `text`.
/// The flag says whether there was a closing quote.
pub(super) fn close(text: &[u8], from: usize, quote: Quote) -> (usize, bool) {
    let line = memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |at| from + at);
    let within = &text[from..line];
    let end = match quote {
        Quote::Spelled(it) => memchr::memmem::find(within, it),
        Quote::Char(byte, depth) => memchr::memchr_iter(byte, within).find_map(|at| {
            let backslashes = within[..at]
                .iter()
                .rev()
                .take_while(|byte| **byte == b'\\')
                .count();
            // At a depth of d backslashes an escaped quote has d + (d + 1) of them, an escaped backslash before the quote
            // d + 2 (d + 1), and so on. Fewer than d close what stands around it too.
            let closes =
                backslashes <= depth || ((backslashes - depth) / (depth + 1)).is_multiple_of(2);
            closes.then_some(at - backslashes.min(depth))
        }),
    };
    (end.map_or(line, |at| from + at), end.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> &str {
        let (quote, len) = open(text.as_bytes(), 0).expect("a quote");
        let (end, _) = close(text.as_bytes(), len, quote);
        &text[len..end]
    }

    #[test]
    fn a_quote_ends_at_its_own_depth() {
        assert_eq!(value(r#""a\"b" c""#), r#"a\"b"#);
        assert_eq!(value(r#""a\\" c""#), r"a\\");
        assert_eq!(value(r#"\"a\\\"b\" c"#), r#"a\\\"b"#);
        assert_eq!(value(r#"\"a\\\\\" c"#), r"a\\\\");
        assert_eq!(value(r#"\"cut off" c"#), "cut off");
        assert_eq!(value(r#"\\\"a\\\" c"#), "a");
        assert_eq!(value("&quot;a b&quot;c"), "a b");
        assert_eq!(value("%22a%22c"), "a");
        assert_eq!(value("'a\nb'"), "a");
    }
}
