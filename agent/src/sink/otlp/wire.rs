//! Protocol Buffers as bytes: just the fields that OTLP logs need, written without a message in between.
//!
//! Encoding: <https://protobuf.dev/programming-guides/encoding/>. Every length is known before it is written, so that a record
//! costs one pass and no allocation.

/// Appends a base-128 varint, least significant group first.
#[allow(clippy::cast_possible_truncation)] // The low seven bits are what is wanted.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`varint`] writes.
fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends a length-delimited field: a string, bytes or a message.
pub(super) fn bytes(field: u8, value: &[u8], out: &mut Vec<u8>) {
    open(field, value.len(), out);
    out.extend_from_slice(value);
}

/// Begins a length-delimited field of `len` bytes, which the caller appends. `field` is 1 to 15.
pub(super) fn open(field: u8, len: usize, out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    varint(len as u64, out);
}

/// Appends a `fixed64` or `double` field.
pub(super) fn fixed64(field: u8, value: u64, out: &mut Vec<u8>) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends an integer or enum field.
pub(super) fn int(field: u8, value: u64, out: &mut Vec<u8>) {
    out.push(field << 3);
    varint(value, out);
}

/// How long a length-delimited field with a number of 1 to 15 is.
pub(super) fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// What an `AnyValue` holds.
#[derive(Clone, Copy)]
pub(super) enum Any<'a> {
    /// `string_value`. Must be UTF-8: receivers refuse a whole request for less.
    Text(&'a str),
    /// `int_value`.
    Int(u64),
    /// `double_value`.
    Double(f64),
    /// `bytes_value`.
    Bytes(&'a [u8]),
    /// `array_value` with one string.
    One(&'a str),
}

impl Any<'_> {
    fn len(self) -> usize {
        match self {
            Self::Text(text) => bytes_len(text.len()),
            Self::Int(value) => 1 + varint_len(value),
            Self::Double(_) => 9,
            Self::Bytes(value) => bytes_len(value.len()),
            Self::One(text) => bytes_len(bytes_len(bytes_len(text.len()))),
        }
    }

    /// Appends the fields of an `AnyValue`, without its own key and length.
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => bytes(1, text.as_bytes(), out),
            Self::Int(value) => int(3, value, out),
            Self::Double(value) => fixed64(4, value.to_bits(), out),
            Self::Bytes(value) => bytes(7, value, out),
            Self::One(text) => {
                let value = bytes_len(text.len());
                open(5, bytes_len(value), out);
                open(1, value, out);
                bytes(1, text.as_bytes(), out);
            }
        }
    }
}

/// Appends a field that is an `AnyValue`.
pub(super) fn any(field: u8, value: Any<'_>, out: &mut Vec<u8>) {
    open(field, value.len(), out);
    value.write(out);
}

/// Appends a field that is a `KeyValue`.
pub(super) fn attribute(field: u8, key: &str, value: Any<'_>, out: &mut Vec<u8>) {
    open(field, bytes_len(key.len()) + bytes_len(value.len()), out);
    bytes(1, key.as_bytes(), out);
    any(2, value, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_what_is_written() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                varint(value, &mut out);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(prost::encoding::encoded_len_varint(value), out.len());
            }
        }
        let long = "x".repeat(300);
        for value in [
            Any::Text(""),
            Any::Text(&long),
            Any::Int(0),
            Any::Int(u64::MAX),
            Any::Double(0.5),
            Any::Bytes(b"\xff"),
            Any::One(&long),
        ] {
            let mut out = Vec::new();
            value.write(&mut out);
            assert_eq!(out.len(), value.len());
        }
    }
}
