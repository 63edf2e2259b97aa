//! Hostile text made harmless for JSON strings and for terminals.

use std::io::Write as _;

use logline::template::TemplateId;

const REPLACEMENT: &str = "\u{fffd}";

/// True for the bytes that a JSON string cannot hold as they are, and for those that need a look (not ASCII).
const fn table() -> [bool; 256] {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] =
            byte < 0x20 || byte == b'"' as usize || byte == b'\\' as usize || byte >= 0x7f;
        byte += 1;
    }
    special
}

const SPECIAL: [bool; 256] = table();

/// Appends `text` as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
/// Returns whether every byte could be kept as it is, so that a slice of `text` has the same slice of the output.
pub fn escape_json(text: &[u8], out: &mut Vec<u8>) -> bool {
    let plain = plain_prefix(text);
    out.extend_from_slice(&text[..plain]);
    if plain == text.len() {
        return true;
    }
    for chunk in text[plain..].utf8_chunks() {
        escape_valid(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(REPLACEMENT.as_bytes());
        }
    }
    false
}

/// How many bytes at the start are printable ASCII without quote and backslash. Eight bytes at a time: see
/// "Determine if a word has a byte less than n" and "equal to n" in Anderson's Bit Twiddling Hacks.
fn plain_prefix(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    let (words, _) = text.as_chunks::<8>();
    for word in words {
        let word = u64::from_ne_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let quote = zero_byte(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_byte(word ^ (ONES * u64::from(b'\\')));
        if (word & HIGHS) | control | quote | backslash != 0 {
            break;
        }
        at += 8;
    }
    at + text[at..]
        .iter()
        .take_while(|byte| !SPECIAL[usize::from(**byte)])
        .count()
}

/// Appends a template's id as the 16 hexadecimal digits that are its name.
pub fn write_id(id: TemplateId, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in id.0.to_be_bytes() {
        out.extend_from_slice(&[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]);
    }
}

fn escape_valid(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 | 0x7f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        if short.is_empty() {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(short);
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Appends `text` so that a terminal shows it and obeys nothing in it: control characters are shown as `\x1b`,
/// line endings as `\n`; `indent`, if given, keeps line breaks and starts each further line with it.
pub fn escape_terminal(text: &[u8], indent: Option<&str>, out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match (character, indent) {
                ('\n', Some(indent)) => {
                    out.push(b'\n');
                    out.extend_from_slice(indent.as_bytes());
                }
                ('\t', Some(_)) => out.extend_from_slice(b"    "),
                _ if is_harmful(character) => {
                    out.extend(character.escape_default().map(|c| c as u8));
                }
                _ => {
                    let mut buffer = [0; 4];
                    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// Control characters, and the marks that reorder text on a screen (bidirectional overrides and isolates).
fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &[u8]) -> String {
        let mut out = b"\"".to_vec();
        escape_json(text, &mut out);
        out.push(b'"');
        serde_json::from_slice::<String>(&out).expect("a JSON string")
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_survives_json() {
        for byte in 0..=255u8 {
            for place in 0..17 {
                let mut text = b"abcdefghijklmnop".to_vec();
                text.insert(place, byte);
                assert_eq!(
                    json(&text),
                    String::from_utf8_lossy(&text),
                    "byte {byte:#x} at {place}"
                );
            }
        }
    }

    #[test]
    fn a_plain_text_is_said_to_be_unchanged() {
        assert!(escape_json(b"plain text, 100 % of it", &mut Vec::new()));
        assert!(!escape_json(b"with \"quotes\" in it", &mut Vec::new()));
        assert!(!escape_json("\u{e9}".as_bytes(), &mut Vec::new()));
    }

    #[test]
    fn a_terminal_obeys_nothing_in_a_line() {
        let mut out = Vec::new();
        escape_terminal(b"\x1b[2Jboo\x07 \xff\n\xe2\x80\xaex", None, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "\\u{1b}[2Jboo\\u{7} \\xff\\n\\u{202e}x"
        );
    }
}
