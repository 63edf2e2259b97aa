//! MessagePack, read from bytes that may not all have come yet.
//!
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>. The other side is not trusted: depth is bounded, and a length that is
//! only claimed costs nothing. A [`Value`] takes up to forty times the memory of its bytes, so whoever reads one bounds these.

use rmp::Marker;

/// Deeper values are refused.
const MAX_DEPTH: u32 = 32;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// A number below 0.
    Negative(i64),
    /// A number from 0 on.
    Number(u64),
    /// A number with a fraction.
    Float(f64),
    /// A string or binary; senders mix them.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A map, in its order.
    Map(Vec<(Value, Value)>),
    /// An extension: its type and its bytes.
    Ext(i8, Vec<u8>),
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

#[allow(clippy::cast_possible_wrap)] // Two's complement is what the bytes mean.
fn value(rest: &mut &[u8], depth: u32) -> Result<Value, Stop> {
    let marker = Marker::from_u8(take(rest, 1)?[0]);
    Ok(match marker {
        Marker::True => Value::Bool(true),
        Marker::False => Value::Bool(false),
        Marker::Null => Value::Nil,
        Marker::FixPos(number) => Value::Number(number.into()),
        Marker::FixNeg(number) => Value::Negative(number.into()),
        Marker::U8 => Value::Number(number(rest, 1)?),
        Marker::U16 => Value::Number(number(rest, 2)?),
        Marker::U32 => Value::Number(number(rest, 4)?),
        Marker::U64 => Value::Number(number(rest, 8)?),
        Marker::I8 => signed(number(rest, 1)? as i64, 56),
        Marker::I16 => signed(number(rest, 2)? as i64, 48),
        Marker::I32 => signed(number(rest, 4)? as i64, 32),
        Marker::I64 => signed(number(rest, 8)? as i64, 0),
        Marker::F32 => Value::Float(f32::from_bits(size(rest, 4)? as u32).into()),
        Marker::F64 => Value::Float(f64::from_bits(number(rest, 8)?)),
        Marker::FixExt1 => ext(rest, 1)?,
        Marker::FixExt2 => ext(rest, 2)?,
        Marker::FixExt4 => ext(rest, 4)?,
        Marker::FixExt8 => ext(rest, 8)?,
        Marker::FixExt16 => ext(rest, 16)?,
        Marker::Ext8 => sized(rest, 1, ext)?,
        Marker::Ext16 => sized(rest, 2, ext)?,
        Marker::Ext32 => sized(rest, 4, ext)?,
        Marker::FixStr(len) => text(rest, usize::from(len))?,
        Marker::Str8 | Marker::Bin8 => sized(rest, 1, text)?,
        Marker::Str16 | Marker::Bin16 => sized(rest, 2, text)?,
        Marker::Str32 | Marker::Bin32 => sized(rest, 4, text)?,
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

/// A big-endian number of 1 to 8 bytes.
fn number(rest: &mut &[u8], bytes: usize) -> Result<u64, Stop> {
    let number = take(rest, bytes)?
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(number)
}

/// A length of 1 to 4 bytes.
fn size(rest: &mut &[u8], bytes: usize) -> Result<usize, Stop> {
    usize::try_from(number(rest, bytes)?).map_err(|_| Stop::Malformed)
}

/// A number whose sign stands `unused` bits below the highest.
fn signed(number: i64, unused: u32) -> Value {
    let number = number << unused >> unused;
    u64::try_from(number).map_or(Value::Negative(number), Value::Number)
}

#[allow(clippy::cast_possible_wrap)] // As above.
fn ext(rest: &mut &[u8], len: usize) -> Result<Value, Stop> {
    let kind = take(rest, 1)?[0] as i8;
    Ok(Value::Ext(kind, take(rest, len)?.to_vec()))
}

fn text(rest: &mut &[u8], len: usize) -> Result<Value, Stop> {
    Ok(Value::Text(take(rest, len)?.to_vec()))
}

fn sized(
    rest: &mut &[u8],
    bytes: usize,
    what: fn(&mut &[u8], usize) -> Result<Value, Stop>,
) -> Result<Value, Stop> {
    let len = size(rest, bytes)?;
    what(rest, len)
}

fn counted(
    rest: &mut &[u8],
    bytes: usize,
    depth: u32,
    items: fn(&mut &[u8], usize, u32) -> Result<Value, Stop>,
) -> Result<Value, Stop> {
    let len = size(rest, bytes)?;
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

/// Looks for the end of a value while its bytes come, each of which is looked at once.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    at: usize,
    /// Values that are still to come to their end.
    left: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self { at: 0, left: 1 }
    }
}

impl Scan {
    /// How long the first value of `bytes` is, or nothing where its end has not come. `bytes` begin with what they were the last time.
    ///
    /// # Errors
    /// Where no further bytes can make it a value.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        while self.left > 0 {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some((len, items)) = extent(rest)? else {
                return Ok(None);
            };
            let Some(end) = self.at.checked_add(len).filter(|end| *end <= bytes.len()) else {
                return Ok(None);
            };
            self.at = end;
            self.left = (self.left - 1).saturating_add(items);
        }
        Ok(Some(self.at))
    }
}

/// How long the value at the beginning is without the values in it, and how many these are; nothing where its head is not whole.
fn extent(rest: &[u8]) -> Result<Option<(usize, u64)>, Malformed> {
    let Some(first) = rest.first() else {
        return Ok(None);
    };
    // Digits of a length, bytes after them beside that length, and how many values each unit of the length is; none: it is bytes.
    let (digits, more, per_unit) = match Marker::from_u8(*first) {
        Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
            return Ok(Some((1, 0)));
        }
        Marker::U8 | Marker::I8 => return Ok(Some((2, 0))),
        Marker::U16 | Marker::I16 | Marker::FixExt1 => return Ok(Some((3, 0))),
        Marker::FixExt2 => return Ok(Some((4, 0))),
        Marker::U32 | Marker::I32 | Marker::F32 => return Ok(Some((5, 0))),
        Marker::FixExt4 => return Ok(Some((6, 0))),
        Marker::U64 | Marker::I64 | Marker::F64 => return Ok(Some((9, 0))),
        Marker::FixExt8 => return Ok(Some((10, 0))),
        Marker::FixExt16 => return Ok(Some((18, 0))),
        Marker::FixStr(len) => return Ok(Some((1 + usize::from(len), 0))),
        Marker::FixArray(len) => return Ok(Some((1, len.into()))),
        Marker::FixMap(len) => return Ok(Some((1, 2 * u64::from(len)))),
        Marker::Str8 | Marker::Bin8 => (1, 0, None),
        Marker::Str16 | Marker::Bin16 => (2, 0, None),
        Marker::Str32 | Marker::Bin32 => (4, 0, None),
        Marker::Ext8 => (1, 1, None),
        Marker::Ext16 => (2, 1, None),
        Marker::Ext32 => (4, 1, None),
        Marker::Array16 => (2, 0, Some(1)),
        Marker::Array32 => (4, 0, Some(1)),
        Marker::Map16 => (2, 0, Some(2)),
        Marker::Map32 => (4, 0, Some(2)),
        Marker::Reserved => return Err(Malformed),
    };
    let mut after = &rest[1..];
    let Ok(len) = size(&mut after, digits) else {
        return Ok(None);
    };
    Ok(Some(match per_unit {
        None => ((1 + digits + more).saturating_add(len), 0),
        Some(values) => (1 + digits, len as u64 * values),
    }))
}

/// How long the head of an array is, and how many values come after it. Nothing where `bytes` begin with no array.
#[must_use]
pub fn array_head(bytes: &[u8]) -> Option<(usize, u64)> {
    match Marker::from_u8(*bytes.first()?) {
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => extent(bytes).ok()?,
        _ => None,
    }
}

/// The bytes of the string or binary that `bytes` begin with, without a copy. Nothing where it is another value, or is not whole.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Option<&[u8]> {
    let digits = match Marker::from_u8(*bytes.first()?) {
        Marker::FixStr(_) => 0,
        Marker::Str8 | Marker::Bin8 => 1,
        Marker::Str16 | Marker::Bin16 => 2,
        Marker::Str32 | Marker::Bin32 => 4,
        _ => return None,
    };
    let (len, _) = extent(bytes).ok()??;
    bytes.get(1 + digits..len)
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
                // By their text: a float may be no number, which is equal to nothing.
                let (again, length) = Value::read(&bytes[..used]).unwrap().unwrap();
                prop_assert_eq!((format!("{again:?}"), length), (format!("{value:?}"), used));
                let mut scan = Scan::default();
                for cut in 0..used {
                    prop_assert_eq!(Value::read(&bytes[..cut]), Ok(None));
                    prop_assert_eq!(scan.end(&bytes[..cut]), Ok(None));
                }
                prop_assert_eq!(scan.end(&bytes), Ok(Some(used)));
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
            assert_eq!(Scan::default().end(&longer), Ok(Some(used)), "{bytes:?}");
            assert_eq!(
                Value::read(&bytes[..bytes.len() - 1]),
                Ok(None),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn numbers_keep_their_size_and_sign() {
        for (bytes, want) in [
            (&b"\x05"[..], Value::Number(5)),
            (b"\xff", Value::Negative(-1)),
            (b"\xd0\x80", Value::Negative(-128)),
            (b"\xd1\x00\x80", Value::Number(128)),
            (b"\xd2\xff\xff\xff\xfe", Value::Negative(-2)),
            (b"\xd3\x80\0\0\0\0\0\0\0", Value::Negative(i64::MIN)),
            (
                b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
                Value::Number(u64::MAX),
            ),
            (b"\xca\x3f\x80\0\0", Value::Float(1.0)),
            (b"\xcb\x3f\xe0\0\0\0\0\0\0", Value::Float(0.5)),
            (
                b"\xd7\xff\0\0\0\0\0\0\0\x01",
                Value::Ext(-1, vec![0, 0, 0, 0, 0, 0, 0, 1]),
            ),
        ] {
            assert_eq!(
                Value::read(bytes),
                Ok(Some((want, bytes.len()))),
                "{bytes:?}"
            );
        }
        assert_eq!(text_of(b"\xd9\x02ab!"), Some(&b"ab"[..]));
        assert_eq!(text_of(b"\xd9\x02a"), None);
        assert_eq!(array_head(b"\xdc\0\x02\xc0"), Some((3, 2)));
        assert_eq!(array_head(b"\xc4\0"), None);
    }

    #[test]
    fn what_is_too_deep_or_no_value_is_refused() {
        assert_eq!(Value::read(b"\xc1"), Err(Malformed));
        assert_eq!(Value::read(&[0x91; 100]), Err(Malformed));
        // A length that is only claimed costs nothing.
        assert_eq!(Value::read(b"\xdd\xff\xff\xff\xff\xc0"), Ok(None));
        assert_eq!(Scan::default().end(b"\xdd\xff\xff\xff\xff\xc0"), Ok(None));
        assert_eq!(Scan::default().end(b"\x91\xc1"), Err(Malformed));
    }
}
