//! What both sides of the Fluent forward protocol write: heads of arrays and maps, texts, and the digests of its handshake.

use rmp::encode::{write_array_len, write_map_len, write_str};
use sha2::{Digest as _, Sha512};

/// Begins an array of so many values.
pub fn array_len(len: u32, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail, here and below.
    let _ = write_array_len(out, len);
}

/// Begins a map of so many pairs.
pub fn map_len(len: u32, out: &mut Vec<u8>) {
    let _ = write_map_len(out, len);
}

/// Appends a string.
pub fn text(text: &str, out: &mut Vec<u8>) {
    let _ = write_str(out, text);
}

/// SHA-512 of the parts one after another, in hexadecimal digits.
#[must_use]
pub fn sha512_hex(parts: &[&[u8]]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    let mut hex = String::with_capacity(128);
    for byte in hash.finalize() {
        // Into a String: cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        assert!(sha512_hex(&[b"a", b"", b"bc"]).starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(sha512_hex(&[]).len(), 128);
    }
}
