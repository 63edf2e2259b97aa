//! Columns of whole numbers, each written in the way that is shortest for it.
//!
//! | mode | for | parameters | elsewhere |
//! |---|---|---|---|
//! | 0 constant | all the same | the value | |
//! | 1 packed | no pattern | smallest value, bits | value less the smallest, in so many bits |
//! | 2 steps | times, counters | first value, unit, bits of each 32 steps | steps in that unit, zigzag |
//! | 3 few | values that recur | how many, the values packed | an index byte (or two, in planes) each |
//!
//! Bits are not given to zstd, which would find nothing in them; parameters and index bytes are.

use super::wire::{Damaged, Reader, put, put_len, unzigzag, zigzag};

const CONSTANT: u8 = 0;
const PACKED: u8 = 1;
const STEPS: u8 = 2;
const FEW: u8 = 3;
/// Steps that share their number of bits.
const RUN: usize = 32;
/// The most different values of mode `FEW`: two planes of bytes.
const MAX_FEW: usize = 1 << 16;

/// Where columns are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Sink {
    /// Modes and parameters.
    pub(super) params: Vec<u8>,
    /// Index bytes.
    pub(super) index: Vec<u8>,
    /// Bits, the lowest of a byte first.
    pub(super) bits: Bits,
    few: Few,
}

/// Where they are read from.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) params: Reader<'a>,
    pub(super) index: Reader<'a>,
    pub(super) bits: BitReader<'a>,
}

/// The mode of a column and what goes with it.
struct Choice {
    mode: u8,
    /// About how many bits it takes.
    cost: usize,
    min: u64,
    bits: u32,
    unit: u64,
}

impl Sink {
    /// Writes a column. Who reads it has to know how many values it holds.
    pub(super) fn put(&mut self, values: &[u64]) {
        let Some(choice) = self.choose(values) else {
            return;
        };
        match choice.mode {
            CONSTANT => {
                self.params.push(CONSTANT);
                put(&mut self.params, values[0]);
            }
            STEPS => self.steps(values, choice.unit),
            FEW => self.few(values),
            _ => {
                self.params.push(PACKED);
                self.packed(values, choice.min, choice.bits);
            }
        }
    }

    /// About how many bits a column would take.
    pub(super) fn cost(&mut self, values: &[u64]) -> usize {
        self.choose(values).map_or(0, |choice| choice.cost)
    }

    fn choose(&mut self, values: &[u64]) -> Option<Choice> {
        let first = *values.first()?;
        let least_and_most =
            |(min, max): (u64, u64), value: &u64| (min.min(*value), max.max(*value));
        let (min, max) = values.iter().fold((first, first), least_and_most);
        let bits = width(max - min);
        let mut choice = Choice {
            mode: CONSTANT,
            cost: 8 + 8 * put_len(min),
            min,
            bits,
            unit: 1,
        };
        if min == max {
            return Some(choice);
        }
        choice.mode = PACKED;
        choice.cost += values.len() * bits as usize + 8;
        let (unit, steps) = steps(values);
        if steps < choice.cost {
            (choice.mode, choice.cost, choice.unit) = (STEPS, steps, unit);
        }
        if let Some(few) = self.few.find(values) {
            let few = few + 8 * put_len(min) + 24;
            if few < choice.cost {
                (choice.mode, choice.cost) = (FEW, few);
            }
        }
        Some(choice)
    }

    fn packed(&mut self, values: &[u64], min: u64, bits: u32) {
        put(&mut self.params, min);
        self.params.push(bits as u8);
        for value in values {
            self.bits.put(value - min, bits);
        }
    }

    fn steps(&mut self, values: &[u64], unit: u64) {
        self.params.push(STEPS);
        put(&mut self.params, values[0]);
        put(&mut self.params, unit);
        let mut last = values[0];
        for run in values[1..].chunks(RUN) {
            let bits = run_width(last, run, unit);
            self.params.push(bits as u8);
            for value in run {
                self.bits.put(step(last, *value, unit), bits);
                last = *value;
            }
        }
    }

    fn few(&mut self, values: &[u64]) {
        let few = std::mem::take(&mut self.few);
        self.params.push(FEW);
        put(&mut self.params, few.values.len() as u64);
        let min = few.values.iter().copied().min().unwrap_or_default();
        let max = few.values.iter().copied().max().unwrap_or_default();
        self.packed(&few.values, min, width(max - min));
        debug_assert_eq!(few.indexes.len(), values.len());
        self.index.extend(few.indexes.iter().map(|at| *at as u8));
        if few.values.len() > 256 {
            self.index
                .extend(few.indexes.iter().map(|at| (*at >> 8) as u8));
        }
        self.few = few;
    }
}

impl Source<'_> {
    /// Reads a column of `count` values.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<u64>, Damaged> {
        if count == 0 {
            return Ok(Vec::new());
        }
        match self.params.byte()? {
            CONSTANT => Ok(vec![self.params.varint()?; count]),
            PACKED => self.packed(count),
            STEPS => self.steps(count),
            FEW => self.few(count),
            _ => Err(self.params.damaged("a column of an unknown mode")),
        }
    }

    fn packed(&mut self, count: usize) -> Result<Vec<u64>, Damaged> {
        let min = self.params.varint()?;
        let bits = u32::from(self.params.byte()?);
        self.bits.check(count, bits)?;
        Ok((0..count)
            .map(|_| min.wrapping_add(self.bits.take(bits)))
            .collect())
    }

    fn steps(&mut self, count: usize) -> Result<Vec<u64>, Damaged> {
        let mut last = self.params.varint()?;
        let unit = self.params.varint()?;
        let mut values = Vec::with_capacity(count);
        values.push(last);
        while values.len() < count {
            let run = RUN.min(count - values.len());
            let bits = u32::from(self.params.byte()?);
            self.bits.check(run, bits)?;
            for _ in 0..run {
                let step = unzigzag(self.bits.take(bits)) as u64;
                last = last.wrapping_add(step.wrapping_mul(unit));
                values.push(last);
            }
        }
        Ok(values)
    }

    /// Everything has been read.
    pub(super) fn finish(&self) -> Result<(), Damaged> {
        self.params.finish()?;
        self.index.finish()?;
        self.bits.finish()
    }

    fn few(&mut self, count: usize) -> Result<Vec<u64>, Damaged> {
        let different = self.params.count(count.min(MAX_FEW))?;
        let values = self.packed(different)?;
        let low = self.index.take(count)?;
        let high = if different > 256 {
            self.index.take(count)?
        } else {
            &[]
        };
        let value = |at: usize| {
            let high = high.get(at).copied().unwrap_or_default();
            values
                .get(usize::from(low[at]) | usize::from(high) << 8)
                .copied()
        };
        (0..count)
            .map(value)
            .collect::<Option<_>>()
            .ok_or(self.index.damaged("an index with no value"))
    }
}

fn width(value: u64) -> u32 {
    64 - value.leading_zeros()
}

fn step(last: u64, value: u64, unit: u64) -> u64 {
    let step = value.wrapping_sub(last) as i64;
    zigzag(match unit {
        0 | 1 => step,
        unit => i64::try_from(unit).map_or(step, |unit| step / unit),
    })
}

fn run_width(mut last: u64, run: &[u64], unit: u64) -> u32 {
    let mut all = 0;
    for value in run {
        all |= step(last, *value, unit);
        last = *value;
    }
    width(all)
}

/// The largest unit that all steps are multiples of, and the bits that the column takes in steps of it.
fn steps(values: &[u64]) -> (u64, usize) {
    let mut unit = 0;
    for pair in values.windows(2) {
        unit = gcd(unit, (pair[1].wrapping_sub(pair[0]) as i64).unsigned_abs());
        if unit == 1 {
            break;
        }
    }
    // A unit has to be a step's, which are signed.
    if i64::try_from(unit).is_err() || unit == 0 {
        unit = 1;
    }
    let mut cost = 8 * (put_len(values[0]) + put_len(unit)) + 8;
    let mut last = values[0];
    for run in values[1..].chunks(RUN) {
        cost += run_width(last, run, unit) as usize * run.len() + 6;
        last = run[run.len() - 1];
    }
    (unit, cost)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The different values of a column.
#[derive(Clone, Debug, Default)]
struct Few {
    /// Open addressing: index of a value plus one.
    table: Vec<u32>,
    values: Vec<u64>,
    counts: Vec<u32>,
    indexes: Vec<u16>,
}

impl Few {
    /// Finds the different values of `column` and estimates the bits that it takes with them; none where they are too many to be
    /// worth it.
    fn find(&mut self, column: &[u64]) -> Option<usize> {
        let slots = (column.len().min(MAX_FEW) * 2).next_power_of_two();
        self.table.clear();
        self.table.resize(slots, 0);
        self.values.clear();
        self.counts.clear();
        self.indexes.clear();
        let shift = 64 - slots.trailing_zeros();
        // A value that comes once costs as much as in another mode, and its index on top.
        let allowed = (column.len() / 2 + 2).min(MAX_FEW);
        let mut last = None;
        let mut changes = 0_usize;
        for (seen, value) in column.iter().enumerate() {
            if let Some((known, index)) = last
                && known == *value
            {
                self.counts[usize::from(index)] += 1;
                self.indexes.push(index);
                continue;
            }
            changes += 1;
            let mut slot = (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize;
            let index = loop {
                match self.table[slot] {
                    0 => {
                        if self.values.len() == allowed || (seen == 256 && self.values.len() > 224)
                        {
                            return None;
                        }
                        self.values.push(*value);
                        self.counts.push(0);
                        self.table[slot] = self.values.len() as u32;
                        break self.values.len() - 1;
                    }
                    index if self.values[index as usize - 1] == *value => break index as usize - 1,
                    _ => slot = (slot + 1) & (slots - 1),
                }
            };
            self.counts[index] += 1;
            self.indexes.push(index as u16);
            last = Some((*value, index as u16));
        }
        let all = column.len() as f32;
        let entropy: f32 = self
            .counts
            .iter()
            .map(|count| *count as f32 * (all / *count as f32).log2())
            .sum();
        let each = (entropy / all).max(1.0);
        let runs = changes as f32 * (each + 20.0);
        let min = self.values.iter().copied().min().unwrap_or_default();
        let max = self.values.iter().copied().max().unwrap_or_default();
        let table = self.values.len() * width(max - min) as usize;
        Some((each * 1.03 * all).min(runs) as usize + table)
    }
}

/// Bits one after another, the lowest of each byte first.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    /// Appends the lowest `bits` of `value`, which holds no higher ones.
    pub(super) fn put(&mut self, value: u64, bits: u32) {
        if bits == 0 {
            return;
        }
        self.held |= value << self.count;
        if self.count + bits >= 64 {
            self.bytes.extend_from_slice(&self.held.to_le_bytes());
            let used = 64 - self.count;
            self.held = if used == 64 { 0 } else { value >> used };
            self.count = self.count + bits - 64;
        } else {
            self.count += bits;
        }
    }

    /// The bytes, the last filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let left = self.count.div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(&self.held.to_le_bytes()[..left]);
        self.bytes
    }
}

/// Reads what [`Bits`] wrote.
#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether `count` numbers of `bits` bits are there.
    fn check(&self, count: usize, bits: u32) -> Result<(), Damaged> {
        let wanted = count.checked_mul(bits as usize);
        let left = self.bytes.len() * 8 - self.at;
        if bits <= 64 && wanted.is_some_and(|wanted| wanted <= left) {
            Ok(())
        } else {
            Err(Damaged {
                what: "fewer bits than its numbers take",
                at: self.at / 8,
            })
        }
    }

    /// The next number; the caller has checked that it is there.
    fn take(&mut self, bits: u32) -> u64 {
        if bits == 0 {
            return 0;
        }
        let (byte, shift) = (self.at / 8, self.at % 8);
        self.at += bits as usize;
        let rest = &self.bytes[byte..];
        let low = match rest.first_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => little(rest),
        };
        let mut value = low >> shift;
        if shift as u32 + bits > 64 {
            value |= u64::from(rest[8]) << (64 - shift);
        }
        if bits < 64 {
            value &= (1 << bits) - 1;
        }
        value
    }

    /// Less than a byte may be left.
    fn finish(&self) -> Result<(), Damaged> {
        if self.at.div_ceil(8) == self.bytes.len() {
            Ok(())
        } else {
            Err(Damaged {
                what: "more bits than belong to it",
                at: self.at / 8,
            })
        }
    }
}

fn little(bytes: &[u8]) -> u64 {
    let mut chunk = [0; 8];
    for (to, from) in chunk.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(chunk)
}
