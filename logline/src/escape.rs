//! Pieces of JSON: text made harmless for a string, and the numbers and names of a verdict.

use crate::template::TemplateId;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

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

/// Appends what the inside of a JSON string means. None, with part of it appended, where an escape is not one of JSON's.
/// Unpaired surrogates become U+FFFD.
pub fn unescape_json(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = raw;
    while let Some(hit) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..hit]);
        let (escape, after) = rest[hit + 1..].split_first()?;
        rest = after;
        out.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'"' | b'\\' | b'/' => *escape,
            b'u' => {
                rest = unicode(rest, out)?;
                continue;
            }
            _ => return None,
        });
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Resolves what follows `\u`, with the second half of a surrogate pair where there is one; returns what is left.
fn unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let high = hex4(rest)?;
    let mut rest = &rest[4..];
    let mut code = high;
    if (0xD800..0xDC00).contains(&high)
        && let Some(second) = rest.strip_prefix(b"\\u")
        && let Some(low) = hex4(second)
        && (0xDC00..0xE000).contains(&low)
    {
        code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        rest = &second[4..];
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

fn hex4(bytes: &[u8]) -> Option<u32> {
    bytes.get(..4)?.iter().try_fold(0, |value, byte| {
        Some(value << 4 | char::from(*byte).to_digit(16)?)
    })
}

/// Appends a template's id as the 16 hexadecimal digits that are its name.
pub fn write_id(id: TemplateId, out: &mut Vec<u8>) {
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
            out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        } else {
            out.extend_from_slice(short);
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Appends a probability with three decimals, which say all that a calibrated confidence can mean.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Clamped to 0..=1000 just before.
pub fn write_confidence(confidence: f32, out: &mut Vec<u8>) {
    let thousandths = (confidence.clamp(0.0, 1.0) * 1000.0).round() as u16;
    let digit = |value: u16| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[
        digit(thousandths / 1000),
        b'.',
        digit(thousandths / 100),
        digit(thousandths / 10),
        digit(thousandths),
    ]);
}
