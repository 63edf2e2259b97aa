//! Words that tell how bad a line is, found without a comparison per word of the list.

/// What a level's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Warning or worse.
    Bad,
    /// Below.
    Calm,
}

/// Up to eight bytes, the last ones, as one number; ASCII letters in lower case.
const fn pack(word: &[u8]) -> u64 {
    let mut packed = 0;
    let mut at = if word.len() > 8 { word.len() - 8 } else { 0 };
    while at < word.len() {
        packed = packed << 8 | (word[at] | 0x20) as u64;
        at += 1;
    }
    packed
}

/// What a word says as a level, in any case.
pub(super) fn weight(word: &[u8]) -> Option<Weight> {
    macro_rules! one_of {
        ($packed:expr, $($word:literal)+) => { $( $packed == const { pack($word) } )||+ };
    }
    if !(3..=11).contains(&word.len()) {
        return None;
    }
    let packed = pack(word);
    if word.len() > 8 {
        return if word.eq_ignore_ascii_case(b"emergency") {
            Some(Weight::Bad)
        } else if word.eq_ignore_ascii_case(b"information") {
            Some(Weight::Calm)
        } else {
            None
        };
    }
    if one_of!(packed, b"error" b"warn" b"warning" b"err" b"fatal" b"critical" b"crit" b"severe" b"panic" b"alert" b"emerg" b"fail" b"wrn" b"ftl" b"dpanic")
    {
        Some(Weight::Bad)
    } else if one_of!(packed, b"info" b"debug" b"trace" b"notice" b"verbose" b"dbug" b"trce" b"inf" b"dbg" b"fine" b"finer" b"finest" b"log")
    {
        Some(Weight::Calm)
    } else {
        None
    }
}

/// Whether a word announces a trace: it ends like `error`, `NullPointerException`, `failed`.
pub(super) fn is_failure(word: &[u8]) -> bool {
    const ENDS: [&[u8]; 15] = [
        b"error",
        b"errors",
        b"ception",
        b"ceptions",
        b"failed",
        b"failure",
        b"panic",
        b"panicked",
        b"aceback",
        b"crashed",
        b"crash",
        b"handled",
        b"uncaught",
        b"minating",
        b"rejected",
    ];
    // Each ending as its number and the mask of its length.
    const PACKED: [(u64, u64); ENDS.len()] = {
        let mut packed = [(0, 0); ENDS.len()];
        let mut at = 0;
        while at < ENDS.len() {
            packed[at] = (pack(ENDS[at]), u64::MAX >> (64 - 8 * ENDS[at].len()));
            at += 1;
        }
        packed
    };
    if word.len() < 5 {
        return false;
    }
    let end = pack(word);
    PACKED.iter().any(|(ending, mask)| end & mask == *ending)
}

/// Whether the text starts with a month's name in three letters.
pub(super) fn is_month(text: &[u8]) -> bool {
    matches!(
        text,
        [b'J', b'a', b'n', ..]
            | [b'F', b'e', b'b', ..]
            | [b'M', b'a', b'r' | b'y', ..]
            | [b'A', b'p', b'r', ..]
            | [b'J', b'u', b'n' | b'l', ..]
            | [b'A', b'u', b'g', ..]
            | [b'S', b'e', b'p', ..]
            | [b'O', b'c', b't', ..]
            | [b'N', b'o', b'v', ..]
            | [b'D', b'e', b'c', ..]
    )
}

/// Whether the text starts with a weekday's name in three letters.
pub(super) fn is_weekday(text: &[u8]) -> bool {
    matches!(
        text,
        [b'M', b'o', b'n', ..]
            | [b'T', b'u', b'e', ..]
            | [b'W', b'e', b'd', ..]
            | [b'T', b'h', b'u', ..]
            | [b'F', b'r', b'i', ..]
            | [b'S', b'a', b't', ..]
            | [b'S', b'u', b'n', ..]
    )
}
