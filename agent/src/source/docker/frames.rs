//! The bytes of the engine's answer to a request for logs, cut into frames.
//!
//! Two forms: with a TTY the bare output, else frames of an 8-byte header (stream, three zeros, length as big-endian u32)
//! and a payload. Before each line or piece the engine puts the time and a space. Format: Docker Engine API, "Attach to a
//! container", stream format. What is kept of one frame is bounded: a longer one is given in pieces, each with the time.

use std::collections::VecDeque;

use logline::event::Stream;

use super::Position;

/// A frame is given whole up to so many bytes.
const MAX_FRAME: usize = 64 * 1024;
/// The engine's times are 30 bytes long; a first word longer than this is no time.
const MAX_TIME: usize = 40;

/// Which form the answer has; its first byte tells: 0 to 2 is a header's, a time begins with a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    Framed,
    Bare,
}

/// Cuts one answer.
#[derive(Debug)]
pub(super) struct Framer {
    form: Form,
    header: Vec<u8>,
    /// Bytes of the present frame's payload still to come.
    left: usize,
    stream: Stream,
    frame: Vec<u8>,
}

/// One line or piece, as the engine sent it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) stream: Stream,
    pub(super) bytes: &'a [u8],
}

impl Framer {
    pub(super) fn new() -> Self {
        Self {
            form: Form::Unknown,
            header: Vec::with_capacity(8),
            left: 0,
            stream: Stream::Stdout,
            frame: Vec::new(),
        }
    }

    /// Takes the next bytes of the answer and gives the frames that they complete, until `give` fails.
    pub(super) fn push<E>(
        &mut self,
        mut bytes: &[u8],
        mut give: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(first) = bytes.first() {
            match self.form {
                Form::Unknown if *first <= 2 => self.form = Form::Framed,
                Form::Unknown => self.form = Form::Bare,
                Form::Framed if self.left == 0 => {
                    let (head, rest) = bytes.split_at(bytes.len().min(8 - self.header.len()));
                    self.header.extend_from_slice(head);
                    bytes = rest;
                    if let [stream, _, _, _, length @ ..] = self.header.as_slice()
                        && let Ok(length) = <[u8; 4]>::try_from(length)
                    {
                        self.stream = if *stream == 2 {
                            Stream::Stderr
                        } else {
                            Stream::Stdout
                        };
                        self.left = u32::from_be_bytes(length) as usize;
                        self.header.clear();
                        self.frame.clear();
                    }
                }
                Form::Framed => {
                    let room = MAX_FRAME.saturating_sub(self.frame.len());
                    let (part, rest) = bytes.split_at(bytes.len().min(self.left).min(room));
                    self.frame.extend_from_slice(part);
                    self.left -= part.len();
                    bytes = rest;
                    self.give_if(self.left == 0, &mut give)?;
                }
                Form::Bare => {
                    let room = MAX_FRAME.saturating_sub(self.frame.len());
                    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                    let (part, rest) = bytes.split_at(end.min(room));
                    self.frame.extend_from_slice(part);
                    bytes = rest;
                    self.give_if(part.ends_with(b"\n"), &mut give)?;
                }
            }
        }
        Ok(())
    }

    /// Gives the frame if it is complete, or so long that it is given in pieces.
    fn give_if<E>(
        &mut self,
        complete: bool,
        give: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !complete && self.frame.len() < MAX_FRAME {
            return Ok(());
        }
        let given = give(Frame {
            stream: self.stream,
            bytes: &self.frame,
        });
        // The rest of a frame that was too long begins with the same time.
        let keep = if complete {
            0
        } else {
            time_length(&self.frame)
        };
        self.frame.truncate(keep);
        given
    }

    /// What is left of a line without its end, where the answer has no frames that would tell its length.
    pub(super) fn rest(self) -> Option<Vec<u8>> {
        (self.form == Form::Bare && !self.frame.is_empty()).then_some(self.frame)
    }
}

/// The length of the time and the space at the beginning of a frame; 0 where there is none.
fn time_length(frame: &[u8]) -> usize {
    let head = &frame[..frame.len().min(MAX_TIME)];
    match memchr::memchr(b' ', head) {
        Some(space) if parse_time(&head[..space]).is_some() => space + 1,
        _ => 0,
    }
}

/// The time at the beginning of a frame, in nanoseconds since 1970.
pub(super) fn time_of(frame: &[u8]) -> Option<i64> {
    let length = time_length(frame);
    parse_time(&frame[..length.checked_sub(1)?])
}

/// `2026-01-02T03:04:05[.123456789]Z`, as Docker writes times, always in UTC.
fn parse_time(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then(|| {
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
        })
    };
    for (at, separator) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if text.get(at) != Some(&separator) {
            return None;
        }
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let fraction = match text.get(19) {
        None => 0,
        Some(b'.') if (21..=29).contains(&text.len()) => {
            let missing = u32::try_from(29 - text.len()).ok()?;
            number(20, text.len())? * 10_i64.pow(missing)
        }
        Some(_) => return None,
    };
    // Days since 1970 of the proleptic Gregorian calendar: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// Knows which frames were seen before, when the engine is asked again from an earlier time.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    position: Option<Position>,
    /// How many frames equal to the last one are still to come before it; `None` when new ones come.
    skipping: Option<u32>,
    /// Times and hashes of the last frames, to tell equal ones apart. Equal times are far closer together than this reaches.
    recent: VecDeque<(i64, u64)>,
}

/// How many frames are remembered.
const RECENT: usize = 64;

impl Cursor {
    pub(super) fn new(position: Option<Position>) -> Self {
        Self {
            position,
            skipping: None,
            recent: VecDeque::with_capacity(RECENT),
        }
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Another answer begins. Returns the Unix second to ask from: `None` where nothing was seen yet.
    pub(super) fn ask_again(&mut self) -> Option<i64> {
        self.recent.clear();
        self.skipping = self.position.map(|position| position.repeats);
        self.position.map(|position| {
            let earlier = position.latest_ns.min(position.last_ns);
            earlier.div_euclid(1_000_000_000)
        })
    }

    /// Takes a frame. The position after it, or `None` for one that was seen before.
    pub(super) fn take(&mut self, frame: &Frame<'_>) -> Option<Position> {
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(frame.bytes, frame.stream as u64);
        let known = self.position;
        // A frame without a time (which no engine sends) counts as one of the last frame's time.
        let time = time_of(frame.bytes)
            .or(known.map(|known| known.last_ns))
            .unwrap_or(0);
        let equal = self.recent.iter().filter(|recent| **recent == (time, hash));
        let repeats = u32::try_from(equal.count()).unwrap_or(u32::MAX);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((time, hash));
        if let (Some(left), Some(known)) = (self.skipping, known) {
            if time <= known.latest_ns {
                if known.last_ns == time && known.last_hash == hash {
                    self.skipping = left.checked_sub(1);
                }
                return None;
            }
            self.skipping = None;
        }
        let position = Position {
            latest_ns: known.map_or(time, |known| known.latest_ns.max(time)),
            last_ns: time,
            last_hash: hash,
            repeats,
        };
        self.position = Some(position);
        Some(position)
    }
}
