//! What a receiver says: one MessagePack value, read from bytes that may not all have come yet.
//!
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>. The other side is not trusted: depth and size are bounded.

use rmp::Marker;

/// Deeper values are refused; the protocol's own are two levels deep.
const MAX_DEPTH: u32 = 8;

/// A value as far as the protocol needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A string or binary; senders mix them.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A map, in its order.
    Map(Vec<(Value, Value)>),
    /// Nil, a number, an extension.
    Other,
}

/// The bytes are no MessagePack, or too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Why a value could not be read.
enum Stop {
    Incomplete,
    Malformed,
}

impl Value {
    /// Reads the first value of `bytes`: the value and how long it is, or nothing where its end has not come.
    ///
    /// # Errors
    /// Where no further bytes can make it a value.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut rest = bytes;
        match value(&mut rest, MAX_DEPTH) {
            Ok(value) => Ok(Some((value, bytes.len() - rest.len()))),
            Err(Stop::Incomplete) => Ok(None),
            Err(Stop::Malformed) => Err(Malformed),
        }
    }

    /// The bytes of a text.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a map holds under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(name, _)| name.text() == Some(key.as_bytes()))
            .map(|(_, value)| value)
    }
}

fn value(rest: &mut &[u8], depth: u32) -> Result<Value, Stop> {
    let marker = Marker::from_u8(take(rest, 1)?[0]);
    Ok(match marker {
        Marker::True => Value::Bool(true),
        Marker::False => Value::Bool(false),
        Marker::Null | Marker::FixPos(_) | Marker::FixNeg(_) => Value::Other,
        Marker::U8 | Marker::I8 => skip(rest, 1)?,
        Marker::U16 | Marker::I16 => skip(rest, 2)?,
        Marker::U32 | Marker::I32 | Marker::F32 => skip(rest, 4)?,
        Marker::U64 | Marker::I64 | Marker::F64 => skip(rest, 8)?,
        Marker::FixExt1 => skip(rest, 2)?,
        Marker::FixExt2 => skip(rest, 3)?,
        Marker::FixExt4 => skip(rest, 5)?,
        Marker::FixExt8 => skip(rest, 9)?,
        Marker::FixExt16 => skip(rest, 17)?,
        Marker::Ext8 => ext(rest, 1)?,
        Marker::Ext16 => ext(rest, 2)?,
        Marker::Ext32 => ext(rest, 4)?,
        Marker::FixStr(len) => text(rest, usize::from(len))?,
        Marker::Str8 | Marker::Bin8 => sized(rest, 1)?,
        Marker::Str16 | Marker::Bin16 => sized(rest, 2)?,
        Marker::Str32 | Marker::Bin32 => sized(rest, 4)?,
        Marker::FixArray(len) => array(rest, usize::from(len), depth)?,
        Marker::Array16 => counted(rest, 2, depth, array)?,
        Marker::Array32 => counted(rest, 4, depth, array)?,
        Marker::FixMap(len) => map(rest, usize::from(len), depth)?,
        Marker::Map16 => counted(rest, 2, depth, map)?,
        Marker::Map32 => counted(rest, 4, depth, map)?,
        Marker::Reserved => return Err(Stop::Malformed),
    })
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Stop> {
    let (taken, left) = rest.split_at_checked(len).ok_or(Stop::Incomplete)?;
    *rest = left;
    Ok(taken)
}

/// A big-endian number of 1 to 4 bytes.
fn number(rest: &mut &[u8], bytes: usize) -> Result<usize, Stop> {
    let number = take(rest, bytes)?
        .iter()
        .fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    Ok(number)
}

fn skip(rest: &mut &[u8], len: usize) -> Result<Value, Stop> {
    take(rest, len)?;
    Ok(Value::Other)
}

fn ext(rest: &mut &[u8], bytes: usize) -> Result<Value, Stop> {
    let len = number(rest, bytes)?;
    take(rest, 1)?;
    skip(rest, len)
}

fn text(rest: &mut &[u8], len: usize) -> Result<Value, Stop> {
    Ok(Value::Text(take(rest, len)?.to_vec()))
}

fn sized(rest: &mut &[u8], bytes: usize) -> Result<Value, Stop> {
    let len = number(rest, bytes)?;
    text(rest, len)
}

fn counted(
    rest: &mut &[u8],
    bytes: usize,
    depth: u32,
    items: fn(&mut &[u8], usize, u32) -> Result<Value, Stop>,
) -> Result<Value, Stop> {
    let len = number(rest, bytes)?;
    items(rest, len, depth)
}

fn array(rest: &mut &[u8], len: usize, depth: u32) -> Result<Value, Stop> {
    let depth = depth.checked_sub(1).ok_or(Stop::Malformed)?;
    // Nothing is reserved for a length that is only claimed: an item takes at least a byte that has come.
    let mut items = Vec::new();
    for _ in 0..len {
        items.push(value(rest, depth)?);
    }
    Ok(Value::Array(items))
}

fn map(rest: &mut &[u8], len: usize, depth: u32) -> Result<Value, Stop> {
    let depth = depth.checked_sub(1).ok_or(Stop::Malformed)?;
    let mut pairs = Vec::new();
    for _ in 0..len {
        pairs.push((value(rest, depth)?, value(rest, depth)?));
    }
    Ok(Value::Map(pairs))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever comes: no panic, and what was read whole is the same however much follows.
        #[test]
        fn any_bytes_are_a_value_or_are_none(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80..=0xa2_u8, 0xc0..=0xdf_u8], 0..64)
        ) {
            if let Ok(Some((value, used))) = Value::read(&bytes) {
                prop_assert!(used <= bytes.len());
                prop_assert_eq!(Value::read(&bytes[..used]), Ok(Some((value, used))));
                for cut in 0..used {
                    prop_assert_eq!(Value::read(&bytes[..cut]), Ok(None));
                }
            }
        }
    }

    #[test]
    fn an_acknowledgement_is_read_whole_or_not_at_all() {
        let bytes = b"\x81\xa3ack\xa4abcd\xc0";
        for cut in 0..bytes.len() - 1 {
            assert_eq!(Value::read(&bytes[..cut]), Ok(None), "{cut}");
        }
        let (value, used) = Value::read(bytes).unwrap().unwrap();
        assert_eq!(used, bytes.len() - 1);
        assert_eq!(value.get("ack").and_then(Value::text), Some(&b"abcd"[..]));
        assert_eq!(value.get("nack"), None);
    }

    #[test]
    fn every_kind_of_value_has_its_length() {
        let kinds: &[&[u8]] = &[
            b"\xc0",
            b"\x00",
            b"\xff",
            b"\xcc\x01",
            b"\xd0\x01",
            b"\xcd\x01\x02",
            b"\xce\x01\x02\x03\x04",
            b"\xcf\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\xca\0\0\0\0",
            b"\xcb\0\0\0\0\0\0\0\0",
            b"\xd4\0\0",
            b"\xd5\0\0\0",
            b"\xd6\0\0\0\0\0",
            b"\xd7\0\0\0\0\0\0\0\0\0",
            b"\xd8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\xc7\x01\0\0",
            b"\xc8\0\x01\0\0",
            b"\xc9\0\0\0\x01\0\0",
            b"\xd9\x01a",
            b"\xda\0\x01a",
            b"\xdb\0\0\0\x01a",
            b"\xc4\x01a",
            b"\xc5\0\x01a",
            b"\xc6\0\0\0\x01a",
            b"\x91\xc3",
            b"\xdc\0\x01\xc3",
            b"\xdd\0\0\0\x01\xc3",
            b"\x81\xc2\xc3",
            b"\xde\0\x01\xc2\xc3",
            b"\xdf\0\0\0\x01\xc2\xc3",
        ];
        for bytes in kinds {
            let longer = [bytes, &b"\xc1"[..]].concat();
            let (_, used) = Value::read(&longer).unwrap().unwrap();
            assert_eq!(used, bytes.len(), "{bytes:?}");
            assert_eq!(
                Value::read(&bytes[..bytes.len() - 1]),
                Ok(None),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_is_too_deep_or_no_value_is_refused() {
        assert_eq!(Value::read(b"\xc1"), Err(Malformed));
        assert_eq!(Value::read(&[0x91; 100]), Err(Malformed));
        // A length that is only claimed costs nothing.
        assert_eq!(Value::read(b"\xdd\xff\xff\xff\xff\xc0"), Ok(None));
    }
}
