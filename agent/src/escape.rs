//! Hostile text made harmless for terminals; for JSON strings, the pure crate does it.

use std::io::Write as _;

pub use logline::escape::{escape_json, write_confidence, write_id};

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
