//! What Fluent Bit prints as JSON and does not read back as such: it would lose the record, were it answered as it was.

/// Writes `record` to `out` with a number that is none (`nan`, `inf`) as null, a key that is no string as one, and the bytes of a value of
/// an application's own type as characters. None where there is nothing of this in it. What is broken otherwise stays so.
pub fn mend(record: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut changed = false;
    let mut rest = record;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'"' {
            rest = string(rest, out, &mut changed);
            continue;
        }
        let length = rest.iter().take_while(|byte| is_bare(**byte)).count();
        if length == 0 {
            out.push(byte);
            rest = tail;
            continue;
        }
        let (word, after) = rest.split_at(length);
        rest = after;
        if after.trim_ascii_start().first() == Some(&b':') {
            out.push(b'"');
            out.extend_from_slice(word);
            out.push(b'"');
            changed = true;
        } else if matches!(
            word.strip_prefix(b"-").unwrap_or(word),
            b"nan" | b"inf" | b"NaN" | b"Infinity"
        ) {
            out.extend_from_slice(b"null");
            changed = true;
        } else {
            out.extend_from_slice(word);
        }
    }
    changed.then_some(())
}

/// Copies the string at the start, with `\x41` as `\u0041`; gives what stands behind it.
fn string<'a>(text: &'a [u8], out: &mut Vec<u8>, changed: &mut bool) -> &'a [u8] {
    let mut copied = 0;
    let mut at = 1;
    loop {
        let (end, rest) = match text.get(at..) {
            None | Some([]) => (text.len(), &[][..]),
            Some([b'"', rest @ ..]) => (at + 1, rest),
            Some([b'\\', b'x', ..]) => {
                out.extend_from_slice(text.get(copied..at).unwrap_or_default());
                out.extend_from_slice(b"\\u00");
                *changed = true;
                at += 2;
                copied = at;
                continue;
            }
            Some([b'\\', ..]) => {
                at += 2;
                continue;
            }
            Some(_) => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(text.get(copied..end).unwrap_or_default());
        return rest;
    }
}

/// What a number or a word without quotes is made of.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}
