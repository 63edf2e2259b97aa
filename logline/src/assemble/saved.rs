//! The bytes in which an assembler's state is kept over a restart.
//!
//! One byte for the version, one for the lanes and pieces that are open, then each open part. Numbers are LEB128 (signed
//! ones after zigzag), texts follow their length. Whoever reads trusts nothing: a value that no writer writes is an error.

use thiserror::Error;

use super::{CARRIED, Span};
use crate::time::Timestamp;

/// The version that is written and the only one that is read.
pub(super) const VERSION: u8 = 1;

/// Why a snapshot is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// It was written in a form that this version does not know.
    #[error("version {0} of an assembler's state is not known here")]
    Version(u8),
    /// It is cut, too long, or says what cannot be.
    #[error("an assembler's state is damaged")]
    Damaged,
}

pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put(out, text.len() as u64);
    out.extend_from_slice(text);
}

pub(super) fn put_time(out: &mut Vec<u8>, time: Option<Timestamp>) {
    out.push(u8::from(time.is_some()));
    if let Some(Timestamp(ns)) = time {
        put(out, ((ns << 1) ^ (ns >> 63)).cast_unsigned());
    }
}

pub(super) fn put_span(out: &mut Vec<u8>, span: Span) {
    // The mark of a carried position would make ten bytes of each: it goes to the lowest bit.
    for at in [span.start, span.end] {
        put(out, at.rotate_left(1));
    }
}

/// What is left to be read.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, RestoreError> {
        let (first, rest) = self.rest.split_first().ok_or(RestoreError::Damaged)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, RestoreError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(RestoreError::Damaged);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RestoreError::Damaged)
    }

    /// A number that fits its type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, RestoreError> {
        T::try_from(self.number()?).map_err(|_| RestoreError::Damaged)
    }

    pub(super) fn flag(&mut self) -> Result<bool, RestoreError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RestoreError::Damaged),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a [u8], RestoreError> {
        let length = self.small()?;
        let (text, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(RestoreError::Damaged)?;
        self.rest = rest;
        Ok(text)
    }

    pub(super) fn time(&mut self) -> Result<Option<Timestamp>, RestoreError> {
        if !self.flag()? {
            return Ok(None);
        }
        let zigzag = self.number()?;
        let ns = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        Ok(Some(Timestamp(ns)))
    }

    pub(super) fn span(&mut self) -> Result<Span, RestoreError> {
        Ok(Span {
            start: self.number()?.rotate_right(1),
            end: self.number()?.rotate_right(1),
        })
    }
}

/// Says of a span that it lies in the file before.
pub(super) fn carry(span: &mut Span) {
    span.start |= CARRIED;
    span.end |= CARRIED;
}
