//! One literal, looked for without an automaton: for the conditions of a rule that is already a candidate.

use super::{blind, literals};

/// A literal with its rarest byte known.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    /// The literal; lower case where case does not count.
    bytes: Box<[u8]>,
    /// Index of the byte that is rarest in logs.
    rare: usize,
    /// Whether ASCII case does not count.
    fold: bool,
}

impl Needle {
    pub(super) fn new(text: &str, fold: bool) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        if fold {
            bytes.make_ascii_lowercase();
        }
        let rare = literals::rarest_byte(&bytes);
        Self {
            bytes: bytes.into_boxed_slice(),
            rare,
            fold,
        }
    }

    /// Whether it occurs in a text exactly when it occurs in the text with other numbers in it.
    pub(super) fn is_firm(&self) -> bool {
        !blind::has_digit(&self.bytes)
    }

    /// Start of the first occurrence in `text`.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let Some(&byte) = self.bytes.get(self.rare) else {
            return Some(0);
        };
        let last = text.len().checked_sub(self.bytes.len())?;
        let upper = if self.fold {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        let mut from = self.rare;
        let end = last + self.rare + 1;
        while from < end {
            let window = &text[from..end];
            let hit = if upper == byte {
                memchr::memchr(byte, window)
            } else {
                memchr::memchr2(byte, upper, window)
            };
            let at = from + hit?;
            let start = at - self.rare;
            let here = &text[start..start + self.bytes.len()];
            if here == &*self.bytes || (self.fold && here.eq_ignore_ascii_case(&self.bytes)) {
                return Some(start);
            }
            from = at + 1;
        }
        None
    }

    /// Whether it occurs in `text`.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }
}
