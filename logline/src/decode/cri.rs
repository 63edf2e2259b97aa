//! The log format of the Container Runtime Interface: `TIME STREAM TAGS TEXT`.
//!
//! Source: the Kubernetes design of the kubelet's CRI logging ("kubelet-cri-logging"). TAGS is a list parted by colons whose first
//! entry is `F` (a whole line, or the end of one) or `P` (a piece: the next entry of the stream goes on).

use super::{Malformed, rfc3339};
use crate::event::{Fragment, Stream};
use std::borrow::Cow;

pub(super) fn decode(line: &[u8]) -> Result<Fragment<'_>, Malformed> {
    let Some(space) = memchr::memchr(b' ', line) else {
        return Err(
            match rfc3339::parse(line.strip_suffix(b"\r").unwrap_or(line)) {
                Some(_) => Malformed::Truncated,
                None => Malformed::Wrapper,
            },
        );
    };
    let (time, rest) = (&line[..space], &line[space + 1..]);
    let (stream, rest) = if let Some(rest) = rest.strip_prefix(b"stdout ") {
        (Stream::Stdout, rest)
    } else if let Some(rest) = rest.strip_prefix(b"stderr ") {
        (Stream::Stderr, rest)
    } else if rfc3339::parse(time).is_none() {
        return Err(Malformed::Wrapper);
    } else if b"stdout".starts_with(rest) || b"stderr".starts_with(rest) {
        return Err(Malformed::Truncated);
    } else {
        return Err(Malformed::Stream);
    };
    let timestamp = rfc3339::parse(time).ok_or(Malformed::Time)?;

    let (partial, text) = match rest {
        [tag @ (b'F' | b'P'), b' ', text @ ..] => (*tag == b'P', text),
        _ => {
            let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            let (tags, text) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
            match tags.strip_suffix(b"\r").unwrap_or(tags) {
                [] => return Err(Malformed::Truncated),
                [b'F'] | [b'F', b':', ..] => (false, text),
                [b'P'] | [b'P', b':', ..] => (true, text),
                _ => return Err(Malformed::Tag),
            }
        }
    };
    let text = match text.strip_suffix(b"\r") {
        Some(stripped) if !partial => stripped,
        _ => text,
    };
    Ok(Fragment {
        cut_bytes: 0,
        timestamp,
        stream,
        partial,
        text: Cow::Borrowed(text),
    })
}
