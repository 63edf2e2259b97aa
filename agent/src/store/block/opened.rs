//! A block taken apart into its parts, and the parts that say what its events are but not what they tell.

use xxhash_rust::xxh3::xxh3_64;

use super::VERSION;
use super::kinds::{self, Kind};
use super::numbers::{BitReader, Source};
use super::wire::{Damaged, Lengths, MAX_UNPACKED, Reader};

const CHECKSUM: usize = 8;
const PARTS: usize = 8;
pub(super) const LABELS: usize = 0;
pub(super) const TIME_BITS: usize = 1;
pub(super) const SHAPE: usize = 2;
pub(super) const INDEX: usize = 3;
pub(super) const PATTERNS: usize = 4;
pub(super) const DIGITS: usize = 5;
pub(super) const WIDE: usize = 6;
pub(super) const BITS: usize = 7;

/// A block whose checksum holds, its parts still packed.
pub(super) struct Opened<'a> {
    pub(super) events: usize,
    /// Bytes of text that its events come to.
    pub(super) written: usize,
    lengths: [Lengths; PARTS],
    parts: [&'a [u8]; PARTS],
}

impl<'a> Opened<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let short = Damaged {
            what: "too short for a block",
            at: bytes.len(),
        };
        let body = bytes.len().checked_sub(CHECKSUM).ok_or(short)?;
        let (body, sum) = bytes.split_at(body);
        let mut from = Reader::new(body);
        if from.byte()? != VERSION {
            return Err(Damaged {
                what: "a version that is not known",
                at: 0,
            });
        }
        if sum != xxh3_64(body).to_le_bytes() {
            return Err(Damaged {
                what: "the checksum does not hold",
                at: body.len(),
            });
        }
        let events = from.count(MAX_UNPACKED)?;
        let written = from.count(MAX_UNPACKED)?;
        let mut lengths = [Lengths::default(); PARTS];
        for part in &mut lengths {
            *part = Lengths::read(&mut from)?;
        }
        if lengths.iter().map(|part| part.unpacked).sum::<usize>() > MAX_UNPACKED {
            return Err(from.damaged("larger than a block may be"));
        }
        let mut parts = [&[][..]; PARTS];
        for (part, lengths) in parts.iter_mut().zip(lengths) {
            *part = from.take(lengths.stored())?;
        }
        from.finish()?;
        Ok(Self {
            events,
            written,
            lengths,
            parts,
        })
    }

    pub(super) fn part(&self, number: usize) -> Result<Vec<u8>, Damaged> {
        self.lengths[number].unpack(self.parts[number])
    }
}

/// What the first two parts say.
pub(super) struct Labels {
    pub(super) kinds: Vec<Kind>,
    pub(super) column: Vec<u32>,
    pub(super) times: Vec<u64>,
    pub(super) seqs: Vec<u64>,
}

impl Labels {
    pub(super) fn read(block: &Opened<'_>) -> Result<Self, Damaged> {
        let labels = block.part(LABELS)?;
        let bits = block.part(TIME_BITS)?;
        let mut from = Reader::new(&labels);
        let kinds = kinds::read(&mut from)?;
        let column = kinds::read_column(&mut from, block.events, kinds.len())?;
        let params = from.count(from.left())?;
        let params = from.take(params)?;
        let mut source = Source {
            params: Reader::new(params),
            index: from,
            bits: BitReader::new(&bits),
        };
        let timed = count(&kinds, &column, kinds::TIMED);
        let times = source.take(timed)?;
        let seqs = source.take(block.events)?;
        source.finish()?;
        Ok(Self {
            kinds,
            column,
            times,
            seqs,
        })
    }
}

/// Events of kinds with this flag.
pub(super) fn count(kinds: &[Kind], column: &[u32], flag: u8) -> usize {
    let has = |kind: &&u32| kinds[**kind as usize].has(flag);
    column.iter().filter(has).count()
}

/// A number that is written plus one, 0 being none.
pub(super) fn number(plus_one: u64) -> Option<u32> {
    plus_one.checked_sub(1).map(|number| number as u32)
}
