//! Takes the container runtime's wrapper off a physical line.
//!
//! A line enters as the source read it, without its `\n` (a carriage return may stand at its end, a byte order mark at
//! its start: neither is text). A [`Fragment`] leaves that borrows from it, except where JSON escapes had to be resolved.

mod cri;
mod docker;
mod json;
mod rfc3339;

use crate::event::{Fragment, Stream};
use std::borrow::Cow;

/// How the lines of a source are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wrapper {
    /// Told line by line from its shape: CRI, Docker json-file, else plain. Stateless. Only a complete and correct wrapper
    /// counts, so that an application's own line that starts with a time or a `{` stays as it is; nothing is malformed.
    #[default]
    Auto,
    /// containerd and CRI-O: `TIME STREAM P|F TEXT`.
    Cri,
    /// Docker's json-file driver: `{"log":"...\n","stream":"...","time":"..."}`, fields in any order.
    DockerJson,
    /// The Docker engine's API with `timestamps=1`: `TIME TEXT`, the stream known from the frame.
    ///
    /// The caller passes the frame's payload with its `\n` if it has one: a payload without it is a piece of a longer line
    /// (Docker cuts at 16 KiB). That is the only wrapper whose line ending is looked at.
    DockerApi(Stream),
    /// No wrapper: the line is what the program wrote.
    Plain,
}

/// Why a line could not be decoded as its wrapper says. Such a line goes on whole, as plain text, and is counted with this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// The wrapper is not of the declared kind.
    Wrapper,
    /// The wrapper begins as declared and breaks off.
    Truncated,
    /// The wrapper's time is not RFC 3339.
    Time,
    /// The stream is neither `stdout` nor `stderr`.
    Stream,
    /// The CRI tag is neither `P` nor `F`.
    Tag,
    /// An escape inside the JSON wrapper is not one of JSON's.
    Escape,
    /// The JSON wrapper holds no `log` text.
    NoLog,
}

impl Malformed {
    /// Every reason, in the order in which they are counted.
    pub const ALL: [Self; 7] = [
        Self::Wrapper,
        Self::Truncated,
        Self::Time,
        Self::Stream,
        Self::Tag,
        Self::Escape,
        Self::NoLog,
    ];

    /// The reason as it stands in metrics and in the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wrapper => "wrapper",
            Self::Truncated => "wrapper_truncated",
            Self::Time => "wrapper_time",
            Self::Stream => "wrapper_stream",
            Self::Tag => "wrapper_tag",
            Self::Escape => "wrapper_escape",
            Self::NoLog => "wrapper_no_log",
        }
    }
}

/// Decodes one physical line, given without its `\n` (but see [`Wrapper::DockerApi`]).
///
/// Never fails: a line that does not decode comes back whole, as text on standard output (or the frame's stream), with the
/// reason. A `\r` before the line's end belongs to the line ending; inside a partial piece it is text. Bytes that are not
/// UTF-8 stay as they are; unpaired surrogates in JSON escapes become U+FFFD, as in every JSON decoder that tolerates them.
#[must_use]
pub fn decode(line: &[u8], wrapper: Wrapper) -> (Fragment<'_>, Option<Malformed>) {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let decoded = match wrapper {
        Wrapper::Plain => return (plain(line, Stream::Stdout), None),
        Wrapper::Auto => {
            let shaped = match line.first() {
                Some(b'0'..=b'9') => cri::decode(line).ok(),
                Some(b'{') => docker::decode_strict(line).ok(),
                _ => None,
            };
            return (shaped.unwrap_or_else(|| plain(line, Stream::Stdout)), None);
        }
        Wrapper::Cri => cri::decode(line),
        Wrapper::DockerJson => docker::decode(line),
        Wrapper::DockerApi(stream) => return api(line, stream),
    };
    match decoded {
        Ok(fragment) => (fragment, None),
        Err(why) => (plain(line, Stream::Stdout), Some(why)),
    }
}

fn plain(line: &[u8], stream: Stream) -> Fragment<'_> {
    Fragment {
        cut_bytes: 0,
        timestamp: None,
        stream,
        partial: false,
        text: Cow::Borrowed(line.strip_suffix(b"\r").unwrap_or(line)),
    }
}

fn api(frame: &[u8], stream: Stream) -> (Fragment<'_>, Option<Malformed>) {
    let whole = frame.strip_suffix(b"\n");
    let body = match whole {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => frame,
    };
    let end = memchr::memchr(b' ', body).unwrap_or(body.len());
    let (timestamp, text, why) = match rfc3339::parse(&body[..end]) {
        Some(at) => (at, body.get(end + 1..).unwrap_or_default(), None),
        None => (None, body, Some(Malformed::Time)),
    };
    let fragment = Fragment {
        cut_bytes: 0,
        timestamp,
        stream,
        partial: whole.is_none(),
        text: Cow::Borrowed(text),
    };
    (fragment, why)
}
