//! A message of the Fluent forward protocol: one event, an array of them, or many packed one after another, compressed or not.
//!
//! <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>, "Message Modes".

use std::borrow::Cow;

use logline::time::Timestamp;
use serde_json::{Map, Number, Value as Json};

use crate::source::receive::place::{Record, TEXTS};
use crate::source::receive::{Encoding, MAX_RECORD, Refused, inflate};
use crate::wire::msgpack::{Scan, Value, array_head, text_of};

/// Options are small; whoever sends larger ones is not asked what they mean.
const MAX_OPTION: usize = 16 * 1024;
/// Fluent Bit's marks where a group of records begins and ends: seconds of -1 and -2.
const GROUP_MARKS: [u32; 2] = [u32::MAX, u32::MAX - 1];

/// A message, before its entries are looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Whose events these are.
    pub tag: String,
    /// The name under which it is to be acknowledged, if it is.
    pub chunk: Option<Vec<u8>>,
    entries: Entries<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Entries<'a> {
    /// Time and record.
    One(&'a [u8], &'a [u8]),
    /// Pairs of these, one after another.
    Many(&'a [u8]),
    /// The same, to be decompressed.
    Packed(&'a [u8], Encoding),
}

/// One entry.
pub(super) enum Entry {
    Record(Record),
    /// It is none, or is not to be taken, and why.
    Rejected(&'static str),
    /// A mark without a meaning of its own.
    Nothing,
}

const BROKEN: Refused = Refused::Malformed("no message of the forward protocol");

impl<'a> Message<'a> {
    /// Reads the frame of a message, which is one whole value.
    ///
    /// # Errors
    /// Where it is no message.
    pub fn read(frame: &'a [u8]) -> Result<Self, Refused> {
        let (head, count) = array_head(frame).ok_or(BROKEN)?;
        if !(2..=4).contains(&count) {
            return Err(BROKEN);
        }
        let mut parts = values(&frame[head..]);
        let mut next = || parts.next().transpose();
        let tag = next()?.and_then(text_of).ok_or(BROKEN)?;
        let second = next()?.ok_or(BROKEN)?;
        let (third, fourth) = (next()?, next()?);
        let (option, plain) = if let Some(packed) = text_of(second) {
            (third, Entries::Many(packed))
        } else if let Some((head, _)) = array_head(second) {
            (third, Entries::Many(&second[head..]))
        } else {
            (fourth, Entries::One(second, third.ok_or(BROKEN)?))
        };
        let option = option
            .filter(|option| option.len() <= MAX_OPTION)
            .and_then(|option| Value::read(option).ok()??.0.into());
        let get = |key: &str| {
            let value = option.as_ref().and_then(|option: &Value| option.get(key));
            value.and_then(Value::text)
        };
        let entries = match (plain, get("compressed")) {
            (Entries::Many(packed), Some(how)) if text_of(second).is_some() => {
                let how = std::str::from_utf8(how).ok().and_then(Encoding::named);
                let unknown = Refused::Malformed("a compression that is not known");
                Entries::Packed(packed, how.ok_or(unknown)?)
            }
            (plain, _) => plain,
        };
        Ok(Self {
            tag: String::from_utf8_lossy(tag).into_owned(),
            chunk: get("chunk").map(<[u8]>::to_vec),
            entries,
        })
    }

    /// The entries, decompressed to at most `limit` bytes.
    ///
    /// # Errors
    /// Where they cannot be, or are too long.
    pub fn unpack(&self, limit: usize) -> Result<Unpacked<'a>, Refused> {
        Ok(match self.entries {
            Entries::One(time, record) => Unpacked::One(time, record),
            Entries::Many(bytes) => Unpacked::Many(Cow::Borrowed(bytes)),
            Entries::Packed(bytes, how) => Unpacked::Many(inflate::whole(bytes, how, limit)?),
        })
    }
}

/// Entries that can be read.
pub enum Unpacked<'a> {
    /// Time and record.
    One(&'a [u8], &'a [u8]),
    /// Pairs of these, one after another.
    Many(Cow<'a, [u8]>),
}

impl Unpacked<'_> {
    /// How many bytes they take.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::One(time, record) => time.len() + record.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that make them what they are.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::One(_, record) => record,
            Self::Many(bytes) => bytes,
        }
    }

    /// Whether they are values one after another, so that each can be taken for itself.
    ///
    /// # Errors
    /// Where they are not.
    pub fn check(&self) -> Result<(), Refused> {
        match self {
            Self::One(..) => Ok(()),
            Self::Many(bytes) => values(bytes).try_for_each(|value| value.map(drop)),
        }
    }

    /// Calls `each` with every entry.
    pub(super) fn each(
        &self,
        each: &mut dyn FnMut(Entry) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        match self {
            Self::One(time, record) => each(entry(time, record)),
            Self::Many(bytes) => values(bytes).try_for_each(|pair| each(split(pair?))),
        }
    }
}

/// What came of entries, for tests and the fuzzer: how many were records, and how many were not.
///
/// # Errors
/// Where the bytes are no message.
pub fn count(frame: &[u8], limit: usize) -> Result<(u64, u64), Refused> {
    let message = Message::read(frame)?;
    let unpacked = message.unpack(limit)?;
    unpacked.check()?;
    let (mut records, mut rejected) = (0, 0);
    unpacked.each(&mut |entry| {
        match entry {
            Entry::Record(_) => records += 1,
            Entry::Rejected(_) => rejected += 1,
            Entry::Nothing => {}
        }
        Ok(())
    })?;
    Ok((records, rejected))
}

/// The values that follow one another, each as its bytes; ends with an error where one is not whole.
fn values(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], Refused>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match Scan::default().end(rest) {
            Ok(Some(end)) => {
                let (value, after) = rest.split_at(end);
                rest = after;
                Some(Ok(value))
            }
            Ok(None) | Err(_) => {
                rest = &[];
                Some(Err(BROKEN))
            }
        }
    })
}

/// `[time, record]`, or Fluent Bit's `[[time, metadata], record]`.
fn split(pair: &[u8]) -> Entry {
    let Some((head, 2)) = array_head(pair) else {
        return Entry::Rejected("malformed");
    };
    let mut parts = values(&pair[head..]);
    let (Some(Ok(time)), Some(Ok(record))) = (parts.next(), parts.next()) else {
        return Entry::Rejected("malformed");
    };
    let Some((head, _)) = array_head(time) else {
        return entry(time, record);
    };
    let mut parts = values(&time[head..]);
    let Some(Ok(time)) = parts.next() else {
        return Entry::Rejected("malformed");
    };
    let mut entry = entry(time, record);
    if let (Entry::Record(record), Some(Ok(metadata))) = (&mut entry, parts.next())
        && let Some(metadata) = fields(metadata)
    {
        for (key, value) in metadata.fields {
            record.fields.entry(key).or_insert(value);
        }
    }
    entry
}

fn entry(time: &[u8], record: &[u8]) -> Entry {
    let time = match Value::read(time) {
        Ok(Some((Value::Ext(0, bytes), _))) => match event_time(&bytes) {
            Some((seconds, _)) if GROUP_MARKS.contains(&seconds) => return Entry::Nothing,
            Some((seconds, nanos)) => Some((seconds.into(), nanos.into())),
            None => None,
        },
        Ok(Some((Value::Number(seconds), _))) => i64::try_from(seconds).ok().map(|s| (s, 0)),
        Ok(Some((Value::Negative(-2 | -1), _))) => return Entry::Nothing,
        Ok(Some((Value::Float(seconds), _))) if (0.0..9e9).contains(&seconds) => {
            let nanos = (seconds.fract() * 1e9) as i64;
            Some((seconds as i64, nanos))
        }
        _ => None,
    };
    if record.len() > MAX_RECORD {
        return Entry::Rejected("too_large");
    }
    let Some(mut record) = fields(record) else {
        return Entry::Rejected("not_an_object");
    };
    record.time = time
        .and_then(|(seconds, nanos): (i64, i64)| {
            seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
        })
        .map(Timestamp);
    Entry::Record(record)
}

/// Seconds and nanoseconds of an `EventTime`.
fn event_time(bytes: &[u8]) -> Option<(u32, u32)> {
    let (seconds, rest) = bytes.split_first_chunk::<4>()?;
    let nanos = rest.first_chunk::<4>()?;
    Some((u32::from_be_bytes(*seconds), u32::from_be_bytes(*nanos)))
}

/// The fields of a map; none where the bytes are another value.
fn fields(bytes: &[u8]) -> Option<Record> {
    if bytes.len() > MAX_RECORD {
        return None;
    }
    let Ok(Some((Value::Map(pairs), _))) = Value::read(bytes) else {
        return None;
    };
    let mut record = Record::default();
    for (key, value) in pairs {
        let key = name(&key);
        match value {
            // JSON could not hold it as it is.
            Value::Text(text)
                if record.text.is_none()
                    && TEXTS.contains(&key.as_str())
                    && std::str::from_utf8(&text).is_err() =>
            {
                record.text = Some(text);
            }
            value => {
                record.fields.insert(key, json(value));
            }
        }
    }
    Some(record)
}

fn name(key: &Value) -> String {
    match key {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Number(number) => number.to_string(),
        Value::Negative(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn json(value: Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(bool) => Json::Bool(bool),
        Value::Negative(number) => Json::Number(number.into()),
        Value::Number(number) => Json::Number(number.into()),
        Value::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Value::Text(text) => match String::from_utf8(text) {
            Ok(text) => Json::String(text),
            Err(text) => Json::String(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        },
        Value::Array(items) => items.into_iter().map(json).collect(),
        Value::Map(pairs) => {
            let pairs = pairs.into_iter();
            let map: Map<String, Json> = pairs
                .map(|(key, value)| (name(&key), json(value)))
                .collect();
            Json::Object(map)
        }
        Value::Ext(kind, bytes) => Json::String(format!("ext {kind}, {} bytes", bytes.len())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn every_mode_is_read() {
        let time = b"\xce\x69\xa4\x0d\x00"; // a number of seconds
        let record = b"\x81\xa3log\xa2hi";
        let pair = [&b"\x92"[..], time, record].concat();
        let with_metadata = [
            &b"\x92\x92\xd7\x00\x69\xa4\x0d\x00\0\0\0\x01\x80"[..],
            record,
        ]
        .concat();
        let mark = [&b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80"[..], record].concat();
        let packed = [&pair[..], &with_metadata, &mark].concat();
        let bin = |bytes: &[u8]| [&[0xc4, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let gzip = {
            use std::io::Write as _;
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&packed).unwrap();
            encoder.finish().unwrap()
        };
        let chunk = b"\x81\xa5chunk\xa2id";
        for (frame, records, chunk) in [
            ([&b"\x93\xa1t"[..], time, record].concat(), 1, None),
            (
                [&b"\x94\xa1t"[..], time, record, chunk].concat(),
                1,
                Some(b"id".to_vec()),
            ),
            ([&b"\x92\xa1t\x93"[..], &packed].concat(), 2, None),
            (
                [&b"\x93\xa1t"[..], &bin(&packed), chunk].concat(),
                2,
                Some(b"id".to_vec()),
            ),
            (
                [
                    &b"\x93\xa1t"[..],
                    &bin(&gzip),
                    b"\x81\xaacompressed\xa4gzip",
                ]
                .concat(),
                2,
                None,
            ),
        ] {
            let message = Message::read(&frame).unwrap();
            assert_eq!((message.tag.as_str(), &message.chunk), ("t", &chunk));
            assert_eq!(count(&frame, LIMIT), Ok((records, 0)), "{frame:?}");
        }
        let frame = [&b"\x92\xa1t"[..], &bin(b"\x92\x01\x05\x01")].concat();
        assert_eq!(count(&frame, LIMIT), Ok((0, 2)), "no record, and no pair");
        let frame = [&b"\x92\xa1t"[..], &bin(&pair[..pair.len() - 1])].concat();
        assert!(count(&frame, LIMIT).is_err(), "half a pair");
    }

    #[test]
    fn a_bomb_of_packed_entries_is_refused() {
        let zeros = zstd::stream::encode_all(&vec![0_u8; 2 << 20][..], 1).unwrap();
        let mut frame = b"\x93\xa1t\xc6".to_vec();
        frame.extend_from_slice(&u32::try_from(zeros.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&zeros);
        frame.extend_from_slice(b"\x81\xaacompressed\xa4zstd");
        assert_eq!(count(&frame, LIMIT), Err(Refused::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_are_refused(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80..=0xa2_u8, 0xc0..=0xdf_u8], 0..96)
        ) {
            let _ = count(&bytes, LIMIT);
            let packed = [&b"\x92\xa1t\xc4\x60"[..], &bytes].concat();
            let _ = count(&packed, LIMIT);
        }
    }
}
