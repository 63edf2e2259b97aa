//! What a word with a digit or a mark in it is: a value, a name, or a name with a value behind it.

use super::{
    mask::{AT, CLASS, DIGIT, DOT, HIGH, JOIN, LOWER, MAX_WORD, Scanner, UPPER},
    placeholder::Kind,
    shape::{self, byte},
    words,
};

/// Which classes of bytes a word holds.
fn flags_of(word: &[u8]) -> u16 {
    word.iter().fold(0, |flags, b| flags | CLASS[*b as usize])
}

fn all_hex(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_hexdigit)
}

fn all_digits(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit)
}

impl Scanner<'_> {
    /// A word with `/` or `\`: URL, path, address behind a slash, product with version. `None` where it is none of
    /// them and its pieces are to be looked at.
    pub(super) fn slashed(&mut self, from: usize, to: usize) -> Option<usize> {
        let text = self.text;
        let word = text.get(from..to)?;
        let slash = memchr::memchr2(b'/', b'\\', word)?;
        if word[slash..].starts_with(b"//") && slash > 1 && word[slash - 1] == b':' {
            let scheme = word[..slash - 1]
                .iter()
                .rev()
                .take_while(|b| b.is_ascii_alphanumeric() || **b == b'+')
                .count();
            let start = from + slash - 1 - scheme;
            if scheme > 1 {
                self.pieces(from, start);
                let end = self.path_end(start, false);
                return Some(self.var(Kind::Url, start, end));
            }
        }
        let start = from + slash;
        if slash == 0 || word[slash - 1] == b':' && !(slash == 2 && word[slash] == b'\\') {
            self.pieces(from, start);
            if byte(text, start + 1).is_ascii_digit()
                && let Some(end) = shape::ipv4(text, start + 1)
            {
                let end = self.var(Kind::Ip, start + 1, end);
                return Some(if end < to { self.pieces(end, to) } else { end });
            }
            let end = self.path_end(start, false);
            let request = text
                .get(end..)
                .is_some_and(|rest| rest.starts_with(b" HTTP/"));
            return Some(if end > start + 1 || request {
                self.var(Kind::Path, start, end)
            } else {
                to
            });
        }
        if word[slash] == b'\\' {
            let end = self.windows_end(from);
            return Some(if to - from > 3 {
                self.var(Kind::Path, from, end)
            } else {
                to
            });
        }
        let dots = word[..slash].iter().all(|b| *b == b'.');
        if dots {
            let end = self.path_end(from, false);
            return Some(self.var(Kind::Path, from, end));
        }
        // Dates, address ranges and rates (10MB/s) have their slash inside or behind.
        if word[0].is_ascii_digit() && self.compound(from, word[0]).is_some() {
            return None;
        }
        let last = memchr::memrchr(b'/', word)?;
        if last > 0
            && byte(word, last + 1).is_ascii_digit()
            && let Some(end) = shape::ipv4(text, from + last + 1)
        {
            let end = self.var(Kind::Ip, from, end);
            return Some(if end < to { self.pieces(end, to) } else { end });
        }
        let single = last == slash;
        let flags = flags_of(word);
        let before = flags_of(&word[..slash]);
        if single {
            if flags & (DIGIT | DOT) == 0 && !word.contains(&b'_') {
                return Some(to);
            }
            let digit_behind = byte(word, slash + 1).is_ascii_digit();
            if digit_behind && before & DIGIT == 0 {
                if words::is_name(word) {
                    return Some(to);
                }
                return None;
            }
            if word[0].is_ascii_digit() && flags_of(&word[slash..]) & (DIGIT | DOT) == 0 {
                return None;
            }
            if all_digits(&word[..slash]) {
                return None;
            }
        }
        let colon = word[..slash]
            .iter()
            .rposition(|b| *b == b':')
            .map_or(0, |at| at + 1);
        if self.addressed(from, from + colon).is_none() {
            self.pieces(from, from + colon);
        }
        let end = self.path_end(from + colon, false);
        Some(self.var(Kind::Path, from + colon, end))
    }

    /// The end of a Windows path: it goes on over a space where a word with a backslash follows.
    fn windows_end(&self, from: usize) -> usize {
        let mut end = self.path_end(from, false);
        for _ in 0..3 {
            if byte(self.text, end) != b' ' {
                break;
            }
            let next = self.path_end(end + 1, false);
            let word = &self.text[end + 1..next];
            if word.len() > 128
                || byte(word, 1) == b':'
                || !word.contains(&b'\\')
                || word.first() == Some(&b'\\')
            {
                break;
            }
            end = next;
        }
        end
    }

    /// A word with `@`: an e-mail address, `user@host`, a Java object's `Name@hash`.
    pub(super) fn addressed(&mut self, from: usize, to: usize) -> Option<usize> {
        let text = self.text;
        let at = from + memchr::memchr(b'@', text.get(from..to)?)?;
        let stops = |b: &u8| matches!(*b, b':' | b'/' | b'\\' | b'@');
        let left = text[from..at]
            .iter()
            .rposition(stops)
            .map_or(from, |i| from + i + 1);
        let right = text[at + 1..to]
            .iter()
            .position(stops)
            .map_or(to, |i| at + 1 + i);
        if left == at || right == at + 1 {
            return None;
        }
        self.pieces(from, left);
        let host = &text[at + 1..right];
        let hash = host.len() >= 4 && all_hex(host) && flags_of(host) & UPPER == 0;
        if hash && flags_of(&text[left..at]) & (UPPER | DOT) != 0 {
            self.pieces(left, at);
            self.var(Kind::Hex, at + 1, right);
        } else {
            self.var(Kind::Email, left, right);
        }
        Some(if right < to {
            self.pieces(right, to)
        } else {
            right
        })
    }

    /// Words joined with `:` and `/`, one after the other. Gives the position to go on at.
    pub(super) fn pieces(&mut self, from: usize, to: usize) -> usize {
        let text = self.text;
        let mut at = from;
        while at < to {
            let b = text[at];
            if let Some((kind, end)) = self.compound(at, b) {
                at = self.var(kind, at, end);
                continue;
            }
            let end = text[at..to]
                .iter()
                .position(|b| matches!(*b, b':' | b'/' | b'\\' | b'@'))
                .map_or(to, |len| at + len);
            if end == at {
                at += 1;
                continue;
            }
            at = self.piece(at, end).max(end);
        }
        at
    }

    /// A value that has marks inside which would part it: times and addresses.
    fn compound(&self, at: usize, first: u8) -> Option<(Kind, usize)> {
        let text = self.text;
        if first.is_ascii_hexdigit()
            && let Some(end) = shape::pci(text, at)
        {
            return Some((Kind::Id, end));
        }
        if first.is_ascii_digit() {
            if let Some(end) = shape::time(text, at) {
                return Some((Kind::Time, end));
            }
            if let Some(end) = shape::ipv4(text, at) {
                return Some((Kind::Ip, end));
            }
        }
        if first.is_ascii_hexdigit() || first == b':' {
            if let Some(end) = shape::mac(text, at) {
                return Some((Kind::Mac, end));
            }
            if let Some(end) = shape::uuid(text, at) {
                return Some((Kind::Uuid, end));
            }
            if let Some(end) = shape::ipv6(text, at) {
                return Some((Kind::Ip, end));
            }
        }
        None
    }

    /// One word without `:` and `/`.
    fn piece(&mut self, from: usize, to: usize) -> usize {
        let text = self.text;
        let (mut a, mut b) = (from, to);
        while b > a && matches!(text[b - 1], b'.' | b'-' | b'+' | b'$' | b'_') {
            b -= 1;
        }
        while a < b && matches!(text[a], b'.' | b'-' | b'+' | b'$' | b'_') {
            let sign = matches!(text[a], b'-' | b'+') && byte(text, a + 1).is_ascii_digit();
            if sign && (a == 0 || !text[a - 1].is_ascii_alphanumeric()) {
                break;
            }
            a += 1;
        }
        if a >= b {
            return to;
        }
        let word = &text[a..b];
        let flags = flags_of(word);
        if word.len() > MAX_WORD {
            return self.var(Kind::B64, a, b);
        }
        if flags & DIGIT == 0 {
            if flags & DOT != 0
                && let Some(kind) = dotted(word, flags)
            {
                // Task managers and proxies on Windows mark a program's width: `name.exe *64`.
                let width = word.ends_with(b".exe")
                    && text
                        .get(b..)
                        .is_some_and(|t| t.starts_with(b" *64") || t.starts_with(b" *32"));
                return self.var(kind, a, if width { b + 4 } else { b });
            }
            return to;
        }
        if word[0].is_ascii_digit() || matches!(word[0], b'-' | b'+') {
            return self.numeric(a, b, flags).unwrap_or(to);
        }
        self.named(a, b, flags).unwrap_or(to)
    }

    /// A word that begins with a digit. `None` where it stays.
    fn numeric(&mut self, a: usize, b: usize, flags: u16) -> Option<usize> {
        let text = self.text;
        let word = &text[a..b];
        if word.len() > 2
            && word[0] == b'0'
            && matches!(word[1], b'x' | b'X')
            && all_hex(&word[2..])
        {
            return Some(self.var(Kind::Hex, a, b));
        }
        let (end, dots) = shape::number(text, a)?;
        if end >= b {
            if words::is_name(word) && dots > 0 {
                return None;
            }
            if dots > 1 {
                return Some(self.var(Kind::Ver, a, b));
            }
            let (kind, stop) = self.with_unit(b);
            return Some(self.var(kind, a, stop));
        }
        if flags & !DIGIT & !LOWER & !UPPER == 0 && word.len() >= 6 && all_hex(word) {
            return Some(self.var(Kind::Hex, a, b));
        }
        if dots <= 1
            && let Some(kind) = united(text, end, b)
        {
            return Some(self.var(kind, a, b));
        }
        if words::is_name(word) {
            return None;
        }
        let rest = &text[end..b];
        if matches!(rest, b"st" | b"nd" | b"rd" | b"th") {
            return Some(self.var(Kind::Num, a, b));
        }
        if flags & DOT != 0 && host_like(word, flags) {
            return Some(self.var(Kind::Host, a, b));
        }
        if rest[0] == b'-' && flags_of(rest) & (DIGIT | DOT) == 0 {
            self.var(Kind::Num, a, end);
            return Some(b);
        }
        if dots > 0 && (dots > 1 || rest[0] != b'.') {
            return Some(self.var(Kind::Ver, a, b));
        }
        let joins = |b: &u8| b.is_ascii_digit() || matches!(*b, b'-' | b'+' | b'.');
        if rest.iter().all(joins) || (rest[0] == b'x' && all_digits(&rest[1..])) {
            let (kind, stop) = self.with_unit(b);
            return Some(self.var(kind, a, stop));
        }
        if flags & !DIGIT & !LOWER & !UPPER == 0 && word.len() >= 4 && all_hex(word) {
            return Some(self.var(Kind::Hex, a, b));
        }
        Some(self.var(opaque(word, flags), a, b))
    }

    /// A word that begins with a letter and has a digit. `None` where it stays.
    fn named(&mut self, a: usize, b: usize, flags: u16) -> Option<usize> {
        let text = self.text;
        let word = &text[a..b];
        if name_like(word) {
            return None;
        }
        // The key of a value, such as `p99=`.
        if byte(text, b) == b'='
            && word.len() <= 24
            && word.iter().filter(|b| b.is_ascii_digit()).count() <= 2
        {
            return None;
        }
        let plain = flags & !(DIGIT | LOWER | UPPER) == 0;
        if plain && word.len() >= 6 && all_hex(word) {
            return Some(self.var(Kind::Hex, a, b));
        }
        if flags & DOT != 0 {
            if matches!(word[0], b'v' | b'V') && word[1].is_ascii_digit() {
                return Some(self.var(Kind::Ver, a, b));
            }
            if let Some(kind) = dotted(word, flags) {
                return Some(self.var(kind, a, b));
            }
            if word
                .split(|b| *b == b'.')
                .all(|label| flags_of(label) & DIGIT == 0 || label_like(label))
            {
                return None;
            }
            let last = memchr::memrchr(b'.', word)?;
            if all_digits(&word[last + 1..]) && flags_of(&word[..last]) & DIGIT == 0 {
                return Some(self.var(Kind::Num, a + last + 1, b));
            }
            return Some(self.var(Kind::Id, a, b));
        }
        if flags & JOIN != 0 {
            return self.joined(a, b, flags);
        }
        Some(self.var(opaque(word, flags), a, b))
    }

    /// Names joined with `_` and `-`: those without a digit at the start stay, the rest is the value.
    fn joined(&mut self, a: usize, b: usize, flags: u16) -> Option<usize> {
        let text = self.text;
        let word = &text[a..b];
        let is_join = |b: &u8| matches!(*b, b'_' | b'-' | b'+' | b'$');
        if word
            .split(is_join)
            .all(|part| flags_of(part) & DIGIT == 0 || label_like(part))
        {
            return None;
        }
        let mut cut = 0;
        let mut part_start = 0;
        for (i, byte) in word.iter().enumerate() {
            if byte.is_ascii_digit() {
                break;
            }
            if is_join(byte) {
                part_start = i + 1;
                cut = part_start;
            }
        }
        let _ = part_start;
        if cut < 3 {
            return Some(self.var(opaque(word, flags), a, b));
        }
        if cut >= 2 && word[cut - 1] == b'-' && is_join(&word[cut - 2]) {
            cut -= 1;
        }
        let value = &word[cut..];
        let unsigned = value.strip_prefix(b"-").unwrap_or(value);
        let kind = if all_digits(unsigned) {
            Kind::Num
        } else if shape::uuid(text, a + cut) == Some(b) {
            Kind::Uuid
        } else if value.len() >= 6 && all_hex(value) {
            Kind::Hex
        } else {
            opaque(value, flags_of(value))
        };
        Some(self.var(kind, a + cut, b))
    }
}

/// A unit glued to a number that ends at `end`: `12ms`, `1h2m3s`, `4KiB`.
fn united(text: &[u8], end: usize, to: usize) -> Option<Kind> {
    let len = words::size_unit(&text[end..to], false);
    if len > 0 && end + len == to {
        return Some(Kind::Size);
    }
    let len = words::other_unit(&text[end..to]);
    if len > 0 && end + len == to {
        return Some(Kind::Num);
    }
    let mut end = end;
    for _ in 0..6 {
        let len = words::time_unit(&text[end..to], false);
        if len == 0 {
            return None;
        }
        end += len;
        if end == to {
            return Some(Kind::Dur);
        }
        let (next, _) = shape::number(text, end)?;
        if next >= to {
            return None;
        }
        end = next;
    }
    None
}

/// Whether a word with a digit is a name all the same: known ones, and words in mixed case with one short number
/// inside (`Base64Decoder`, `Log4JLogger`).
fn name_like(word: &[u8]) -> bool {
    words::is_name(word) || camel_with_number(word)
}

/// As [`name_like`], for one part of a longer name, where a version of an API may stand as well.
fn label_like(label: &[u8]) -> bool {
    name_like(label)
}

fn camel_with_number(word: &[u8]) -> bool {
    let flags = flags_of(word);
    if flags & !(LOWER | UPPER | DIGIT) != 0 || flags & LOWER == 0 || flags & UPPER == 0 {
        return false;
    }
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    let first = word.iter().position(u8::is_ascii_digit).unwrap_or(0);
    let together = word[first..].iter().take(digits).all(u8::is_ascii_digit);
    let letters = word.len() - digits;
    let lower = word.iter().filter(|b| b.is_ascii_lowercase()).count();
    digits <= 2
        && together
        && first > 0
        && first + digits < word.len()
        && letters >= 6
        && lower * 2 > letters
}

/// What a long or mixed word is.
fn opaque(word: &[u8], flags: u16) -> Kind {
    let mixed = flags & LOWER != 0 && flags & UPPER != 0 && flags & DIGIT != 0;
    if mixed && word.len() >= 20 && flags & (AT | HIGH) == 0 {
        Kind::B64
    } else {
        Kind::Id
    }
}

/// Whether a name with dots is a host's.
fn host_like(word: &[u8], flags: u16) -> bool {
    let Some(last) = memchr::memrchr(b'.', word) else {
        return false;
    };
    let ending = &word[last + 1..];
    if flags & UPPER != 0 || word.contains(&b'_') {
        return false;
    }
    let labels = word.iter().filter(|b| **b == b'.').count() + 1;
    if words::is_host_ending(ending) {
        return ending.len() > 2 || labels > 2;
    }
    // Packages of code are written the other way round.
    let first = word.split(|b| *b == b'.').next().unwrap_or_default();
    labels > 2 && words::is_country(ending) && !words::starts_package(first)
}

/// What a name with dots is, where its ending tells.
fn dotted(word: &[u8], flags: u16) -> Option<Kind> {
    if host_like(word, flags) {
        return Some(Kind::Host);
    }
    let last = memchr::memrchr(b'.', word)?;
    let ending = &word[last + 1..];
    let dots = word.iter().filter(|b| **b == b'.').count();
    let file = words::is_file_ending(ending) && (flags & DIGIT != 0 || dots == 1) && last > 0;
    let source = matches!(
        ending,
        b"c" | b"h"
            | b"cc"
            | b"cpp"
            | b"go"
            | b"rs"
            | b"py"
            | b"java"
            | b"rb"
            | b"js"
            | b"ts"
            | b"php"
            | b"class"
            | b"scope"
            | b"target"
            | b"device"
            | b"app"
            | b"key"
            | b"cat"
            | b"lock"
    );
    (file && (!source || flags & DIGIT != 0 && dots == 1 && ending.len() > 2)).then_some(Kind::Path)
}
