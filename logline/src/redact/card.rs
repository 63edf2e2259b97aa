//! Payment card numbers.

use super::{Detector, Finding, push};

/// Every which byte is looked at.
const STEP: usize = 7;

/// Appends the card numbers of `text` to `found`.
///
/// Wherever at least 14 digits, blanks and dashes of a number stand, 8 of them stand at a multiple of 7: only there is looked closer.
pub(super) fn find(text: &[u8], found: &mut Vec<Finding>) {
    let mut from = 0;
    let mut at = 0;
    while let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let window = u64::from_le_bytes(*window);
        // Digits, blanks and dashes are all in 0x20..0x40.
        if window & (EACH * 0xe0) == EACH * 0x20
            && is_grouped(window)
            && at >= from
            && text[at..at + 8].iter().all(|it| is_part(*it))
        {
            from = around(text, from, at, found);
        }
        at += STEP;
    }
}

/// One in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Whether at least four digits stand between any two of the bytes, all of 0x20..0x40, that are no digits: dates, times and addresses
/// have shorter groups.
fn is_grouped(window: u64) -> bool {
    // The digits become 0 to 9, all others more; nothing is carried into the next byte.
    let others = ((window ^ (EACH * 0x30)) + EACH * 0x76) & (EACH * 0x80);
    others & ((others << 8) | (others << 16) | (others << 24) | (others << 32)) == 0
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b' ' | b'-')
}

/// Looks at the run of digits, blanks and dashes around `at`, no further back than `from`. Its end.
fn around(text: &[u8], from: usize, at: usize, found: &mut Vec<Finding>) -> usize {
    let start = at
        - text[from..at]
            .iter()
            .rev()
            .take_while(|it| is_part(**it))
            .count();
    let end = at + text[at..].iter().take_while(|it| is_part(**it)).count();
    let mut next = start;
    while next < end {
        let len = text[next..end]
            .iter()
            .take_while(|it| it.is_ascii_digit())
            .count();
        if len == 0 {
            next += 1;
            continue;
        }
        match number(text, next, len) {
            Some(last) => {
                let _ = push(text, next, last, Detector::CreditCard, found);
                next = last;
            }
            None => next += len,
        }
    }
    end
}

/// The end of the card number whose first `first` digits stand at `at`.
fn number(text: &[u8], at: usize, first: usize) -> Option<usize> {
    let mut digits = [0_u8; 19];
    let mut count = 0;
    let mut add = |group: &[u8]| {
        for byte in group {
            *digits.get_mut(count)? = byte - b'0';
            count += 1;
        }
        Some(())
    };
    let mut end = at + first;
    if first >= 13 {
        add(&text[at..end])?;
    } else {
        // Groups as they are printed on cards, joined by one and the same character.
        let groups: &[usize] = match (first, text.get(at)) {
            (4, Some(b'3')) => &[6, 5],
            (4, _) => &[4, 4, 4],
            _ => return None,
        };
        let separator = *text.get(end).filter(|it| matches!(it, b' ' | b'-'))?;
        add(&text[at..end])?;
        for &len in groups {
            let group = text.get(end + 1..end + 1 + len)?;
            if text[end] != separator || !group.iter().all(u8::is_ascii_digit) {
                return None;
            }
            add(group)?;
            end += 1 + len;
        }
    }
    let digits = &digits[..count];
    let alone = !joined_before(text, at) && !joined_after(text, end);
    (alone && is_issued(digits) && luhn(digits)).then_some(end)
}

/// Whether what stands before `at` makes the digits a part of something longer.
fn joined_before(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|it| text[it]) else {
        return false;
    };
    match before {
        b'_' | b'-' | b'+' | b'@' => true,
        b'.' | b',' => at >= 2 && text[at - 2].is_ascii_digit(),
        // `1 4111 1111 1111 1111` is a row of numbers.
        b' ' => at >= 2 && text[at - 2].is_ascii_digit() && text.get(at + 4) == Some(&b' '),
        _ => !super::token::is_boundary(text, at) || !before.is_ascii(),
    }
}

/// Whether what stands at `end` makes the digits a part of something longer.
fn joined_after(text: &[u8], end: usize) -> bool {
    let next_is_digit = || text.get(end + 1).is_some_and(u8::is_ascii_digit);
    match text.get(end) {
        None => false,
        Some(b'_' | b'@') => true,
        Some(b'-') => text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(b'.' | b',') => next_is_digit(),
        Some(b' ') => next_is_digit() && text.get(end.wrapping_sub(5)) == Some(&b' '),
        Some(byte) => byte.is_ascii_alphanumeric(),
    }
}

/// Whether an issuer gives out numbers that begin so and are that long (ISO/IEC 7812 ranges of the large schemes).
fn is_issued(digits: &[u8]) -> bool {
    let [a, b, c, d, ..] = digits else {
        return false;
    };
    let (two, three) = (a * 10 + b, u16::from(a * 10 + b) * 10 + u16::from(*c));
    let four = three * 10 + u16::from(*d);
    match digits.len() {
        14 => matches!(two, 36 | 38 | 39) || (300..=305).contains(&three),
        15 => matches!(two, 34 | 37),
        16 => {
            *a == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || two == 65
                || four == 6011
                || (644..=649).contains(&three)
                || (3528..=3589).contains(&four)
                || two == 62
        }
        _ => false,
    }
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(*digit) << (index % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}
