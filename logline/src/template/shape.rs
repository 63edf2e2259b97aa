//! Recognisers of values. Each looks at a bounded number of bytes from a position, or at one given word, and
//! answers with the position just after the value.

use super::words;

/// The byte at `at`, or 0 behind the end.
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// How many decimal digits stand at `at`, looking at `most` bytes.
fn digits(text: &[u8], at: usize, most: usize) -> usize {
    text.iter()
        .skip(at)
        .take(most)
        .take_while(|b| b.is_ascii_digit())
        .count()
}

/// `8-4-4-4-12` hexadecimal digits.
pub(super) fn uuid(text: &[u8], at: usize) -> Option<usize> {
    let part = text.get(at..at + 36)?;
    let fits = part.iter().enumerate().all(|(i, b)| match i {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => b.is_ascii_hexdigit(),
    });
    (fits && !byte(text, at + 36).is_ascii_alphanumeric()).then_some(at + 36)
}

/// Six or more pairs of hexadecimal digits with `:` or `-` between.
pub(super) fn mac(text: &[u8], at: usize) -> Option<usize> {
    let part = text.get(at..at + 17)?;
    let separator = part[2];
    if separator != b':' && separator != b'-' {
        return None;
    }
    let fits = part.iter().enumerate().all(|(i, b)| {
        if i % 3 == 2 {
            *b == separator
        } else {
            b.is_ascii_hexdigit()
        }
    });
    if !fits {
        return None;
    }
    // Firewalls print both addresses and the type in one (14 pairs), fingerprints have up to 32.
    let mut end = at + 17;
    while end < at + 95
        && byte(text, end) == separator
        && byte(text, end + 1).is_ascii_hexdigit()
        && byte(text, end + 2).is_ascii_hexdigit()
    {
        end += 3;
    }
    let next = byte(text, end);
    (!next.is_ascii_alphanumeric() && next != separator).then_some(end)
}

/// The address of a PCI device: `0000:00:1f.2`, `00:1f.2`.
pub(super) fn pci(text: &[u8], at: usize) -> Option<usize> {
    let short = |at: usize| {
        let part = text.get(at..at + 7)?;
        let fits = part.iter().enumerate().all(|(i, b)| match i {
            2 => *b == b':',
            5 => *b == b'.',
            6 => (b'0'..=b'7').contains(b),
            _ => b.is_ascii_hexdigit(),
        });
        (fits && !byte(text, at + 7).is_ascii_alphanumeric()).then_some(at + 7)
    };
    if byte(text, at + 2) == b':' {
        return short(at);
    }
    let domain =
        text.get(at..at + 4)?.iter().all(u8::is_ascii_hexdigit) && byte(text, at + 4) == b':';
    if domain { short(at + 5) } else { None }
}

/// At least four pairs of hexadecimal digits with a space between, as dumps of bytes are.
pub(super) fn dump(text: &[u8], at: usize) -> Option<usize> {
    let pair = |at: usize| {
        byte(text, at).is_ascii_hexdigit()
            && byte(text, at + 1).is_ascii_hexdigit()
            && !byte(text, at + 2).is_ascii_alphanumeric()
    };
    let mut end = at;
    let mut pairs = 0;
    while pair(end) {
        pairs += 1;
        end += 2;
        if byte(text, end) != b' ' || !pair(end + 1) {
            break;
        }
        end += 1;
    }
    (pairs >= 4).then_some(end)
}

/// Four numbers up to 255 with dots between: the end of the address alone.
fn ipv4_alone(text: &[u8], at: usize) -> Option<usize> {
    let mut i = at;
    for part in 0..4 {
        let len = digits(text, i, 4);
        if len == 0 || len > 3 {
            return None;
        }
        let value = text[i..i + len]
            .iter()
            .fold(0_u32, |value, b| value * 10 + u32::from(b - b'0'));
        if value > 255 {
            return None;
        }
        i += len;
        if part < 3 {
            if byte(text, i) != b'.' {
                return None;
            }
            i += 1;
        }
    }
    let next = byte(text, i);
    if next.is_ascii_alphanumeric()
        || next == b'_'
        || (next == b'.' && byte(text, i + 1).is_ascii_alphanumeric())
    {
        return None;
    }
    Some(i)
}

/// `/prefix` behind an address.
fn prefix_length(text: &[u8], at: usize) -> usize {
    if byte(text, at) == b'/' {
        let len = digits(text, at + 1, 4);
        let next = byte(text, at + 1 + len);
        if (1..=3).contains(&len) && !next.is_ascii_alphanumeric() && next != b'.' {
            return at + 1 + len;
        }
    }
    at
}

/// An IPv4 address, with its prefix length.
pub(super) fn ipv4(text: &[u8], at: usize) -> Option<usize> {
    let end = ipv4_alone(text, at)?;
    if byte(text, end) == b'-' {
        if let Some(second) = ipv4_alone(text, end + 1) {
            return Some(second);
        }
        if byte(text, end + 1).is_ascii_alphanumeric() {
            return None;
        }
    }
    Some(prefix_length(text, end))
}

/// Between brackets, from `[`: an IPv6 address, or a list of ranges as host lists have it (`node-[1-4,7]`).
pub(super) fn bracketed(text: &[u8], at: usize) -> Option<usize> {
    if text[at..].starts_with(b"[::]") {
        return Some(at + 4);
    }
    if let Some(end) = ipv6(text, at + 1)
        && byte(text, end) == b']'
    {
        return Some(end + 1);
    }
    if at == 0 || !(text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'-') {
        return None;
    }
    let len = text
        .iter()
        .skip(at + 1)
        .take(256)
        .take_while(|b| b.is_ascii_digit() || matches!(**b, b'-' | b',' | b' '))
        .count();
    let inside = &text[at + 1..at + 1 + len];
    let ranges = text[at - 1] == b'-' || inside.iter().any(|b| matches!(*b, b'-' | b','));
    (byte(inside, 0).is_ascii_digit() && ranges && byte(text, at + 1 + len) == b']')
        .then_some(at + len + 2)
}

/// An IPv6 address: at least two colons, groups of up to four hexadecimal digits, `::` at most once.
pub(super) fn ipv6(text: &[u8], at: usize) -> Option<usize> {
    let mut i = at;
    let (mut groups, mut colons, mut gap, mut digits_seen) = (0, 0, false, false);
    loop {
        let len = text
            .iter()
            .skip(i)
            .take(5)
            .take_while(|b| b.is_ascii_hexdigit())
            .count();
        if len > 4 {
            return None;
        }
        if len > 0 {
            groups += 1;
            digits_seen |= text[i..i + len].iter().any(u8::is_ascii_digit);
            if byte(text, i + len) == b'.'
                && groups > 1
                && let Some(end) = ipv4_alone(text, i)
            {
                return Some(end);
            }
            i += len;
        }
        if groups > 8 || byte(text, i) != b':' {
            break;
        }
        if byte(text, i + 1) == b':' {
            if gap {
                return None;
            }
            gap = true;
            colons += 2;
            i += 2;
        } else if byte(text, i + 1).is_ascii_hexdigit() {
            colons += 1;
            i += 1;
        } else {
            break;
        }
    }
    let next = byte(text, i);
    if colons < 2 || (!gap && groups != 8) || (gap && groups == 0) || !(digits_seen || groups > 2) {
        return None;
    }
    if next.is_ascii_alphanumeric() || next == b'_' {
        return None;
    }
    if next == b'%' {
        // The zone of a link-local address.
        let zone = text
            .iter()
            .skip(i + 1)
            .take(16)
            .take_while(|b| b.is_ascii_alphanumeric())
            .count();
        i += 1 + zone;
    }
    Some(prefix_length(text, i))
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.fraction`, and what is written like it.
fn clock(text: &[u8], at: usize) -> Option<usize> {
    let hours = digits(text, at, 5);
    if hours == 0 || hours > 4 {
        return None;
    }
    let mut i = at + hours;
    for _ in 0..2 {
        if byte(text, i) == b':' && digits(text, i + 1, 3) == 2 {
            i += 3;
        } else {
            break;
        }
    }
    if i == at + hours {
        return None;
    }
    let mark = byte(text, i);
    if mark == b'.' || mark == b',' || mark == b':' {
        let fraction = digits(text, i + 1, 10);
        let tail = byte(text, i + 1 + fraction);
        if fraction > 0 && i - at - hours == 6 {
            if !tail.is_ascii_alphanumeric() || tail == b'Z' {
                i += 1 + fraction;
            }
        } else if mark == b':' && fraction > 0 {
            return None;
        }
    }
    let next = byte(text, i);
    if (next.is_ascii_alphanumeric() && next != b'Z')
        || next == b'_'
        || (next == b':' && byte(text, i + 1).is_ascii_hexdigit())
    {
        return None;
    }
    Some(zone(text, i))
}

/// A time zone behind a time: `Z`, `+0200`, ` +02:00`, ` UTC`.
fn zone(text: &[u8], at: usize) -> usize {
    if byte(text, at) == b'Z' && !byte(text, at + 1).is_ascii_alphanumeric() {
        return at + 1;
    }
    let start = if byte(text, at) == b' ' { at + 1 } else { at };
    let sign = byte(text, start);
    if sign == b'+' || sign == b'-' {
        let hours = digits(text, start + 1, 5);
        let end = start + 1 + hours;
        if hours == 4 && !byte(text, end).is_ascii_alphanumeric() {
            return end;
        }
        if hours == 2 && byte(text, end) == b':' && digits(text, end + 1, 3) == 2 {
            return end + 3;
        }
        if hours == 2 && start == at && !byte(text, end).is_ascii_alphanumeric() {
            return end;
        }
        return at;
    }
    if start > at {
        for name in [b"UTC", b"GMT", b"EST", b"EDT", b"CET", b"PST", b"PDT"] {
            if text.get(start..start + 3) == Some(name.as_slice())
                && !byte(text, start + 3).is_ascii_alphanumeric()
            {
                return start + 3;
            }
        }
    }
    at
}

/// A time of day behind a date, after `T`, a space or the like.
fn clock_behind_date(text: &[u8], at: usize) -> usize {
    let mark = byte(text, at);
    if !matches!(mark, b'T' | b't' | b' ' | b'-' | b'_' | b':' | b'.') {
        return at;
    }
    if let Some(end) = clock(text, at + 1) {
        return end;
    }
    // 2005-06-03-16.56.55.309974
    let mut i = at + 1;
    for part in 0..3 {
        if digits(text, i, 3) != 2 {
            return at;
        }
        i += 2;
        if part < 2 {
            if byte(text, i) != b'.' && byte(text, i) != b'-' {
                return at;
            }
            i += 1;
        }
    }
    if byte(text, i) == b'.' {
        i += 1 + digits(text, i + 1, 10);
    }
    if byte(text, i).is_ascii_alphanumeric() || mark == b' ' {
        return at;
    }
    i
}

/// A date in digits with the time behind it, or a time alone.
pub(super) fn time(text: &[u8], at: usize) -> Option<usize> {
    let first = digits(text, at, 9);
    let mark = byte(text, at + first);
    match (first, mark) {
        (4, b'-' | b'/' | b'.') if text[at] == b'1' || text[at] == b'2' => {
            let month = digits(text, at + 5, 3);
            if (month == 2 || month == 1) && byte(text, at + 5 + month) == mark {
                let day = digits(text, at + 6 + month, 3);
                let end = at + 6 + month + day;
                let next = byte(text, end);
                let value = text[at + 5..at + 5 + month]
                    .iter()
                    .fold(0, |v, b| v * 10 + (b - b'0'));
                if (day == 2 || day == 1) && value <= 12 {
                    let whole = clock_behind_date(text, end);
                    if whole > end {
                        return Some(whole);
                    }
                    if !next.is_ascii_alphanumeric()
                        && (mark != b'.' || month == 2 && day == 2)
                        && !(next == mark && byte(text, end + 1).is_ascii_digit())
                    {
                        return Some(end);
                    }
                }
            }
            None
        }
        (1 | 2, b'/' | b'-' | b'.') => day_first(text, at, first, mark),
        (8, b'-' | b'T') => {
            let end = clock(text, at + 9)?;
            Some(end)
        }
        (1..=4, b':') => clock(text, at),
        _ => None,
    }
}

/// `02/Jan/2006:15:04:05 +0000`, `02-Jan-2006`, `01/02/2006`.
fn day_first(text: &[u8], at: usize, first: usize, mark: u8) -> Option<usize> {
    let middle = at + first + 1;
    let named = text.get(middle..middle + 3).is_some_and(words::is_month);
    let len = if named { 3 } else { digits(text, middle, 3) };
    if len == 0
        || len > 3
        || byte(text, middle + len) != mark
        || (!named && (len > 2 || mark == b'.'))
    {
        return None;
    }
    let year = digits(text, middle + len + 1, 5);
    let end = middle + len + 1 + year;
    if year != 4 && !(named && year == 2) {
        return None;
    }
    let whole = clock_behind_date(text, end);
    if whole > end {
        return Some(whole);
    }
    (!byte(text, end).is_ascii_alphanumeric()).then_some(end)
}

/// `Mon Jan  2 15:04:05 2006`, `Mon, 02 Jan 2006 15:04:05 GMT`, `Jan 2 15:04:05`: from the name of a day or month.
pub(super) fn named_date(text: &[u8], at: usize) -> Option<usize> {
    let mut i = at;
    let word = text.get(i..i + 3)?;
    if words::is_weekday(word) {
        i += 3;
        if byte(text, i) == b',' {
            i += 1;
        }
        i = spaces(text, i)?;
        if byte(text, i).is_ascii_digit() {
            return day_month(text, i);
        }
    }
    if !text.get(i..i + 3).is_some_and(words::is_month) {
        return None;
    }
    i = spaces(text, i + 3)?;
    let day = digits(text, i, 3);
    if day == 0 || day > 2 {
        return None;
    }
    i += day;
    let mut end = i;
    if byte(text, i) == b',' && byte(text, i + 1) == b' ' {
        i += 1;
    }
    for _ in 0..3 {
        let Some(next) = spaces(text, i) else { break };
        if let Some(after) = clock(text, next) {
            i = after;
        } else if digits(text, next, 5) == 4
            && matches!(byte(text, next), b'1' | b'2')
            && !byte(text, next + 4).is_ascii_alphanumeric()
        {
            i = next + 4;
        } else if i > end
            && text
                .get(next..next + 3)
                .is_some_and(|w| w.iter().all(u8::is_ascii_uppercase))
            && byte(text, next + 3) == b' '
            && digits(text, next + 4, 5) == 4
        {
            // Mon Jan  2 15:04:05 UTC 2006
            i = next + 3;
        } else {
            break;
        }
        end = i;
    }
    (!byte(text, end).is_ascii_alphanumeric()).then_some(end)
}

/// `02 Jan 2006 15:04:05 GMT`.
pub(super) fn day_month(text: &[u8], at: usize) -> Option<usize> {
    let day = digits(text, at, 3);
    let month = spaces(text, at + day)?;
    if !text.get(month..month + 3).is_some_and(words::is_month) {
        return None;
    }
    let year = spaces(text, month + 3)?;
    let len = digits(text, year, 5);
    if len != 4 {
        return None;
    }
    let end = year + 4;
    Some(
        spaces(text, end)
            .and_then(|i| clock(text, i))
            .unwrap_or(end),
    )
}

/// One to four spaces: what stands behind them.
fn spaces(text: &[u8], at: usize) -> Option<usize> {
    let len = text
        .iter()
        .skip(at)
        .take(4)
        .take_while(|b| **b == b' ')
        .count();
    (len > 0).then_some(at + len)
}

/// A decimal number at `at` with sign, fraction, exponent: its end, and how many dots it has.
pub(super) fn number(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut i = at;
    if matches!(byte(text, i), b'-' | b'+') {
        i += 1;
    }
    let start = i;
    let mut dots = 0;
    while i < text.len() {
        if text[i].is_ascii_digit() {
            i += 1;
        } else if text[i] == b'.' && i > start && byte(text, i + 1).is_ascii_digit() {
            dots += 1;
            i += 1;
        } else {
            break;
        }
    }
    if i == start {
        return None;
    }
    if dots <= 1 && matches!(byte(text, i), b'e' | b'E') {
        let sign = usize::from(matches!(byte(text, i + 1), b'-' | b'+'));
        let len = digits(text, i + 1 + sign, 4);
        if len > 0 && len < 4 && !byte(text, i + 1 + sign + len).is_ascii_alphanumeric() {
            i += 1 + sign + len;
        }
    }
    Some((i, dots))
}
