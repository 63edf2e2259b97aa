//! How far a value reaches that no quotes surround.

use super::quote;

/// What surrounds a bare value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// The separator was percent-encoded, and so is whatever ends the value.
    pub(super) percent: bool,
    /// A `[` stands before it.
    pub(super) bracket: bool,
    /// It is the text of an XML element.
    pub(super) element: bool,
}

/// How far is looked for the `key=` that a comma or an ampersand may stand before, in bytes.
const KEY: usize = 40;

/// The end of the bare value that begins at `from`, looked for up to `limit`.
///
/// White space, quotes and angle brackets end it. A comma, a semicolon, an ampersand or a closing bracket may as well be a part of
/// a password: they end it only where something follows that cannot be a part of it.
pub(super) fn end(text: &[u8], from: usize, limit: usize, around: Around) -> usize {
    let mut at = from;
    let mut open = 0_usize;
    while at < limit {
        let rest = &text[at + 1..];
        let ends = match text[at] {
            b'<' => true,
            b'&' if around.element => rest.starts_with(b"lt;"),
            b'\\' if around.element && rest.starts_with(b"u003") => true,
            _ if around.element => text[at] == b'\n',
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'`' | b'>' | 0x0b | 0x0c | 0x1b | 0 => {
                true
            }
            b'\\' => {
                matches!(
                    rest.first(),
                    None | Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')
                ) || rest.starts_with(b"u00")
            }
            b'%' if around.percent => ends_percent(rest),
            b'&' => {
                is_key(rest, false) || quote::open(text, at).is_some() || rest.starts_with(b"lt;")
            }
            b';' => rest.first().is_none_or(|next| !next.is_ascii_graphic()) || is_key(rest, true),
            b',' => closes(rest) || is_key(rest, false),
            b'[' | b'(' | b'{' => {
                open += 1;
                false
            }
            b']' if around.bracket => true,
            b']' | b')' | b'}' => {
                if open > 0 {
                    open -= 1;
                    false
                } else {
                    closes(rest)
                }
            }
            _ => false,
        };
        if ends {
            return at;
        }
        at += 1;
    }
    limit
}

/// Whether a closing bracket or a comma before `rest` is the text's, not the value's.
fn closes(rest: &[u8]) -> bool {
    match rest.first() {
        None => true,
        Some(next) => {
            !next.is_ascii_graphic()
                || matches!(
                    next,
                    b',' | b';'
                        | b')'
                        | b']'
                        | b'}'
                        | b'"'
                        | b'\''
                        | b'\\'
                        | b'.'
                        | b'&'
                        | b':'
                        | b'>'
                )
        }
    }
}

/// Whether `rest` begins with a key, maybe of several words, and its separator, as in `&user=`, `; User Id=` and `,name:`.
fn is_key(rest: &[u8], blanks: bool) -> bool {
    let rest = rest.strip_prefix(b"amp;").unwrap_or(rest);
    let len = rest
        .iter()
        .take(KEY)
        .take_while(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
                || blanks && **byte == b' '
        })
        .count();
    rest.first().is_some_and(u8::is_ascii_alphabetic) && matches!(rest.get(len), Some(b'=' | b':'))
        || rest.starts_with(b"_") && len > 1 && rest.get(len) == Some(&b'=')
}

/// Whether the two digits behind a percent sign encode something that ends a value: white space, quotes, `&`, `,`, `;`, `}`, `<`, `>`.
fn ends_percent(rest: &[u8]) -> bool {
    let Some(&[high, low]) = rest.first_chunk() else {
        return true;
    };
    matches!(
        (high, low.to_ascii_lowercase()),
        (b'0', b'a' | b'd' | b'9')
            | (b'2', b'0' | b'2' | b'6' | b'7' | b'c')
            | (b'3', b'b' | b'c' | b'e')
            | (b'7', b'd')
    )
}
