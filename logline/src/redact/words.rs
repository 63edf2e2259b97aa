//! Whether a value reads like words, numbers or a placeholder, or like a secret.

use super::lexicon::{ALGORITHMS, STOP, VERDICTS};

/// Trailing punctuation is a sentence's, not a word's.
fn trimmed(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let Some((
        b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b']' | b'}' | b'\'' | b'"',
        rest,
    )) = value.split_last()
    {
        value = rest;
    }
    value
}

/// Whether it is one of the words that stand where there is no secret.
pub(super) fn is_stop(value: &[u8]) -> bool {
    let value = trimmed(value);
    let mut lower = [0; 16];
    let Some(lower) = lower.get_mut(..value.len()) else {
        return false;
    };
    lower.copy_from_slice(value);
    lower.make_ascii_lowercase();
    STOP.binary_search_by(|word| word.as_bytes().cmp(lower))
        .is_ok()
}

/// How many words of a sentence about passwords are in `value`, which is no sentence without spaces.
pub(super) fn verdicts(value: &[u8]) -> usize {
    if !value.contains(&b' ') {
        return 0;
    }
    value
        .split(|byte| *byte == b' ')
        .filter(|word| {
            let word = trimmed(word);
            VERDICTS
                .iter()
                .any(|it| it.as_bytes().eq_ignore_ascii_case(word))
        })
        .count()
}

/// Whether it stands for a secret instead of being one: masked, a variable, a format, a reference, nothing.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let Some((&first, rest)) = value.split_first() else {
        return true;
    };
    let last = *value.last().unwrap_or(&first);
    if value.starts_with(super::marker::OPEN) || memchr::memmem::find(value, b"***").is_some() {
        return true;
    }
    // One character over and over, or no letter and no digit at all in a short value.
    if rest.iter().all(|byte| *byte == first) && (value.len() > 2 || !first.is_ascii_alphanumeric())
    {
        return true;
    }
    let dots = "\u{2022}".as_bytes();
    if value.starts_with(dots) && value.chunks(dots.len()).all(|it| it == dots) {
        return true;
    }
    match (first, last) {
        (b'<', b'>') | (b'[', b']') | (b'(', b')') | (b'{', b'}') => return true,
        (b'%', _) => {
            let directive = rest
                .iter()
                .position(|byte| !matches!(byte, b'+' | b'#' | b'-' | b'.' | b'0'..=b'9'));
            // `%s`, `%-10s`, `%(name)s`, `%{NAME}`, `%NAME%`; percent-encoding has two hex digits there.
            if matches!(rest.first(), Some(b'(' | b'{' | b'<'))
                || directive
                    .is_some_and(|at| at + 1 == rest.len() && rest[at].is_ascii_alphabetic())
                || last == b'%' && is_name(&rest[..rest.len().saturating_sub(1)])
            {
                return true;
            }
        }
        (b'$', _) => {
            let name = rest
                .first()
                .is_some_and(|it| it.is_ascii_uppercase() || *it == b'_')
                && rest
                    .iter()
                    .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || *it == b'_');
            if matches!(rest.first(), Some(b'{' | b'('))
                || name
                || rest.iter().all(u8::is_ascii_digit)
            {
                return true;
            }
        }
        (b'#', _) if rest.first() == Some(&b'{') => return true,
        (b'{', _)
            if rest
                .first()
                .is_some_and(|it| matches!(it, b'{' | b'"' | b'\'' | b'\\')) =>
        {
            return true;
        }
        (b'[', _) if value.starts_with(b"[object ") => return true,
        (b'@', _) if rest.starts_with(b"{") || rest.starts_with(b"Microsoft.KeyVault") => {
            return true;
        }
        _ => {}
    }
    [
        &b"ENC["[..],
        b"vault:",
        b"arn:aws",
        b"ref+",
        b"process.env.",
        b"os.environ",
        b"getenv(",
        b"env.",
        b"env:",
        b"secretKeyRef",
        b"file:",
        b"your-",
        b"your_",
        b"YOUR_",
        b"java.lang.",
        b"&lt;",
    ]
    .iter()
    .any(|it| value.starts_with(it))
}

/// Whether it is a name as variables have them.
fn is_name(value: &[u8]) -> bool {
    !value.is_empty()
        && value
            .iter()
            .all(|it| it.is_ascii_alphanumeric() || *it == b'_')
}

/// Whether it is a number, an amount, a time, a version or an address: digits and what stands between them.
pub(super) fn is_number(value: &[u8]) -> bool {
    let value = trimmed(value);
    let mut letters = 0;
    value.iter().any(u8::is_ascii_digit)
        && value.iter().all(|byte| match byte {
            b'0'..=b'9' | b'.' | b',' | b':' | b'-' | b'+' | b'/' | b'%' | b'#' => true,
            // `12ms`, `2026-11-20T10:00:00Z`, `v1.2`, `10MiB`
            b'a'..=b'z' | b'A'..=b'Z' => {
                letters += 1;
                letters <= 3
            }
            _ => false,
        })
        && (letters == 0 || value.len() <= 8 || value.contains(&b':'))
        && (letters == 0 || value[value.len() - 1].is_ascii_alphabetic() || value[0] == b'v')
}

/// Whether it consists of decimal digits.
pub(super) fn is_digits(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

/// Whether it is an address in memory as debuggers and Go print it.
pub(super) fn is_pointer(value: &[u8]) -> bool {
    (value.starts_with(b"0x") || value.starts_with(b"0X"))
        && value.len() <= 18
        && value[2..].iter().all(u8::is_ascii_hexdigit)
}

/// Whether it is a path of a file.
pub(super) fn is_path(value: &[u8]) -> bool {
    let rooted = [&b"/"[..], b"./", b"../", b"~/"]
        .into_iter()
        .find_map(|it| value.strip_prefix(it));
    if let Some(rest) = rooted {
        let first = rest.split(|byte| *byte == b'/').next().unwrap_or(rest);
        return is_wordy(first, true);
    }
    matches!(value, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

/// Whether it reads like words: pronounceable pieces, small numbers and what joins them. With `digits`, words may end in a few
/// digits, as names of hosts, algorithms and pods do; a password may as well be a word and a few digits.
pub(super) fn is_wordy(value: &[u8], digits: bool) -> bool {
    let value = trimmed(value);
    !value.iter().any(|byte| {
        matches!(
            byte,
            b'!' | b'@'
                | b'#'
                | b'$'
                | b'%'
                | b'^'
                | b'&'
                | b'*'
                | b'+'
                | b'='
                | b'~'
                | b'|'
                | b'?'
        )
    }) && pieces(value).all(|piece| is_word(piece, digits))
}

/// The runs of letters and digits.
fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii())
        .filter(|piece| !piece.is_empty())
}

/// How many bytes of it are in pieces that are no words.
pub(super) fn unwordy(value: &[u8]) -> usize {
    pieces(value)
        .filter(|piece| !is_word(piece, true))
        .map(<[u8]>::len)
        .sum()
}

/// Whether it begins with a word and something that joins it to what follows, as names do.
pub(super) fn begins_as_name(value: &[u8]) -> bool {
    let first = pieces(value).next().unwrap_or(value);
    first.len() >= 3 && first.len() < value.len() && is_word(first, true)
}

/// Whether one run of letters and digits is a word or a small number.
fn is_word(piece: &[u8], digits: bool) -> bool {
    if piece.iter().all(u8::is_ascii_digit) {
        return piece.len() <= 5;
    }
    let tail = piece
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if tail > 0 {
        let known = ALGORITHMS
            .iter()
            .any(|it| it.as_bytes().eq_ignore_ascii_case(piece));
        if !known && (!digits || tail > 3) {
            return false;
        }
    }
    let letters = &piece[..piece.len() - tail];
    let (mut vowels, mut consonants, mut longest, mut humps) = (0, 0, 0, 0);
    let mut before = b'A';
    for &byte in letters {
        if byte.is_ascii_digit() {
            return false;
        }
        let lower = byte.to_ascii_lowercase();
        if !byte.is_ascii() || matches!(lower, b'a' | b'e' | b'i' | b'o' | b'u' | b'y') {
            vowels += 1;
            consonants = 0;
        } else {
            consonants += 1;
            longest = longest.max(consonants);
        }
        humps += usize::from(byte.is_ascii_uppercase() && before.is_ascii_lowercase());
        before = byte;
    }
    letters.len() <= 3
        || (letters.len() <= 40
            && longest <= 5
            && vowels * 6 >= letters.len()
            && humps * 4 <= letters.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(STOP.is_sorted() && VERDICTS.is_sorted() && ALGORITHMS.is_sorted());
    }

    #[test]
    fn words_and_secrets_are_told_apart() {
        for word in [
            "authentication",
            "unexpected_end",
            "default-token",
            "NullPointerException",
            "SHA256",
            "kube-system/my-secret",
            "can't",
            "StringLiteral",
            "x509",
            "com.example.Foo",
            "end-of-file",
            "EOF",
        ] {
            assert!(is_wordy(word.as_bytes(), true), "{word}");
        }
        for secret in [
            "hunter2",
            "9f8a7b6c5d",
            "qXzWvTrPq",
            "p@ssword",
            "kJhGfDsAqWeRtY",
            "correct=horse",
        ] {
            assert!(!is_wordy(secret.as_bytes(), false), "{secret}");
        }
    }

    #[test]
    fn placeholders_are_known() {
        for it in [
            "",
            "***",
            "abc***",
            "xxxxx",
            "<redacted>",
            "${VAR}",
            "$VAR",
            "$(cat x)",
            "{{ .Values.x }}",
            "%s",
            "%-10s",
            "%(x)s",
            "%VAR%",
            "#{x}",
            "[FILTERED]",
            "[redacted:token]",
            "-",
            "••••",
            "$1",
            "<nil>",
            "{}",
        ] {
            assert!(is_placeholder(it.as_bytes()), "{it}");
        }
        for it in ["hunter2", "$2b$12$abc", "%41bc", "aa", "p%s", "$ecret"] {
            assert!(!is_placeholder(it.as_bytes()), "{it}");
        }
    }
}
