//! The small pieces of a block: varints, and pieces of bytes that zstd has been over where that helps.

use std::cell::RefCell;

use thiserror::Error;

/// Why bytes are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the block is damaged: {what} (byte {at} of its part)")]
pub struct Damaged {
    /// What does not hold.
    pub what: &'static str,
    /// Where it was seen: the offset in the block or in that part of it.
    pub at: usize,
}

/// How hard zstd tries to make a part smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Not at all: there is nothing to be found.
    None,
    /// For text that is soon packed anew.
    Draft,
    /// For columns, in which it finds little more with more time.
    Quick,
    /// For text. Of a small part it takes little time whatever it does.
    Thorough,
}

impl Effort {
    fn level(self, len: usize) -> Option<i32> {
        match self {
            Self::None => None,
            Self::Draft => Some(DRAFT),
            Self::Quick => Some(QUICK),
            Self::Thorough if len > LARGE => Some(QUICK),
            Self::Thorough => Some(THOROUGH),
        }
    }
}

const DRAFT: i32 = 1;
const QUICK: i32 = 3;
const THOROUGH: i32 = 9;
/// From here on a thorough part would take more time than all others.
const LARGE: usize = 128 << 10;
/// A part shorter than this is not worth a frame.
const MIN_COMPRESSED: usize = 24;
/// The most bytes that the parts of one block may hold unpacked, all together.
pub(super) const MAX_UNPACKED: usize = 512 << 20;

/// Appends `value` as a LEB128 varint: seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes a varint takes.
pub(super) fn put_len(value: u64) -> usize {
    (64 - value.leading_zeros() as usize).div_ceil(7).max(1)
}

/// Small numbers for small distances of either sign.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads one part from its beginning.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { what, at: self.at }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        let byte = self.bytes.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte.ok_or(self.damaged("it ends too early"))
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        if len > self.left() {
            return Err(self.damaged("it ends too early"));
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a number is too long"))
    }

    /// A varint that may be at most `most`.
    pub(super) fn count(&mut self, most: usize) -> Result<usize, Damaged> {
        let value = self.varint()?;
        usize::try_from(value)
            .ok()
            .filter(|value| *value <= most)
            .ok_or(self.damaged("a number is larger than it can be"))
    }

    /// Everything up to `end`, which is passed over.
    pub(super) fn until(&mut self, end: u8) -> Result<&'a [u8], Damaged> {
        let len =
            memchr::memchr(end, &self.bytes[self.at..]).ok_or(self.damaged("a text has no end"))?;
        let text = self.take(len)?;
        self.at += 1;
        Ok(text)
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), Damaged> {
        if self.left() == 0 {
            Ok(())
        } else {
            Err(self.damaged("more bytes than belong to it"))
        }
    }
}

thread_local! {
    /// zstd's tables are dear to make, and one writer thread packs all blocks.
    static PACKER: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

/// A part as it is stored: its unpacked length, its stored length, and the bytes.
pub(super) struct Packed<'a> {
    unpacked: usize,
    frame: Option<Vec<u8>>,
    raw: &'a [u8],
}

/// Packs one part with zstd; keeps it as it is where that is no longer.
pub(super) fn pack(raw: &[u8], effort: Effort) -> Packed<'_> {
    let frame = effort
        .level(raw.len())
        .filter(|_| raw.len() >= MIN_COMPRESSED)
        .and_then(|level| squeeze(raw, level))
        .filter(|frame| frame.len() < raw.len());
    Packed {
        unpacked: raw.len(),
        frame,
        raw,
    }
}

fn squeeze(raw: &[u8], level: i32) -> Option<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            let mut made = zstd::bulk::Compressor::new(level).ok()?;
            made.include_contentsize(false).ok()?;
            made.include_checksum(false).ok()?;
            *packer = Some(made);
        }
        let packer = packer.as_mut()?;
        packer.set_compression_level(level).ok()?;
        packer.compress(raw).ok()
    })
}

impl Packed<'_> {
    fn bytes(&self) -> &[u8] {
        self.frame.as_deref().unwrap_or(self.raw)
    }

    /// Writes both lengths: 0 as the stored one says that the part is stored as it is.
    pub(super) fn put_lengths(&self, out: &mut Vec<u8>) {
        put(out, self.unpacked as u64);
        if self.unpacked > 0 {
            put(out, self.frame.as_ref().map_or(0, Vec::len) as u64);
        }
    }

    pub(super) fn put_bytes(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes());
    }
}

/// The lengths of a part: unpacked, and stored where zstd was used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lengths {
    pub(super) unpacked: usize,
    frame: Option<usize>,
}

impl Lengths {
    pub(super) fn read(head: &mut Reader<'_>) -> Result<Self, Damaged> {
        let unpacked = head.count(MAX_UNPACKED)?;
        let frame = if unpacked == 0 {
            0
        } else {
            head.count(unpacked)?
        };
        Ok(Self {
            unpacked,
            frame: (frame > 0).then_some(frame),
        })
    }

    pub(super) fn stored(self) -> usize {
        self.frame.unwrap_or(self.unpacked)
    }

    /// The part itself.
    pub(super) fn unpack(self, stored: &[u8]) -> Result<Vec<u8>, Damaged> {
        if self.frame.is_none() {
            return Ok(stored.to_vec());
        }
        let damaged = Damaged {
            what: "zstd cannot unpack a part",
            at: 0,
        };
        let unpacked = zstd::bulk::decompress(stored, self.unpacked).map_err(|_| damaged)?;
        if unpacked.len() == self.unpacked {
            Ok(unpacked)
        } else {
            Err(damaged)
        }
    }
}
