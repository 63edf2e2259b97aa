//! How often a few bytes stand together in logs, as far as a pack tells.

/// Counts of three bytes in a row (folded together into a small table), over a pack's own example lines: the best sample of
/// logs that is at hand, and one that grows with the pack. Where it says nothing, letters count by what is known of English.
#[derive(Debug)]
pub(super) struct Frequencies {
    /// By the hash of three bytes; a collision makes a window seem more frequent than it is, no more.
    counts: Box<[u16]>,
    /// How many bytes were counted.
    total: u32,
}

/// Log2 of the number of counters.
const BITS: u32 = 15;
/// More bytes than this are not counted: they would only cost start-up time.
const MAX_BYTES: u32 = 1 << 19;

impl Default for Frequencies {
    fn default() -> Self {
        Self {
            counts: vec![0; 1 << BITS].into_boxed_slice(),
            total: 0,
        }
    }
}

impl Frequencies {
    /// Counts one line.
    pub(super) fn count(&mut self, line: &[u8]) {
        for three in line.array_windows() {
            if self.total >= MAX_BYTES {
                return;
            }
            self.total += 1;
            let count = &mut self.counts[slot(*three)];
            *count = count.saturating_add(1);
        }
    }

    /// How often each window of `WIDTH` bytes (at least 3) of a literal is expected to begin at a given byte of a log.
    ///
    /// `bits`: what `literals::byte_bits` says of the literal.
    pub(super) fn of_windows<const WIDTH: usize>(&self, literal: &[u8], bits: &[f64]) -> Vec<f64> {
        literal
            .windows(WIDTH)
            .zip(bits.windows(WIDTH))
            .map(|(window, bits)| {
                let guessed = (-bits.iter().sum::<f64>()).exp2();
                let counted = window
                    .array_windows()
                    .map(|three| self.counts[slot(*three)])
                    .min()
                    .unwrap_or(0);
                guessed + f64::from(counted) / f64::from(self.total.max(1))
            })
            .collect()
    }
}

fn slot([a, b, c]: [u8; 3]) -> usize {
    let three = u32::from_le_bytes([a | 0x20, b | 0x20, c | 0x20, 0]);
    (three.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}
