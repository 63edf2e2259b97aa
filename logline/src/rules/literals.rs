//! Which literals a regex cannot match without, and which of several such sets is the rarest in logs.
//!
//! The walk over the syntax tree is that of RE2's `prefilter.cc` (Russ Cox, "Regular Expression Matching with a Trigram
//! Index", 2012): every node tells the exact strings it matches while these are few, and else a set of literals of which
//! one must occur. All literals are in lower case, since the scanner does not tell ASCII case apart.

use regex_syntax::hir::{Class, Hir, HirKind};

/// More exact strings than this at one place of a regex are not followed.
const MAX_EXACT: usize = 24;
/// A set of required literals has at most this many members.
const MAX_SET: usize = 48;
/// More sets than this are not kept of one regex.
const MAX_SETS: usize = 4;
/// A class with more letters than this says nothing.
const MAX_CLASS: usize = 4;
/// Longer literals are cut: their first bytes are telling enough.
const MAX_LITERAL: usize = 48;

/// Literals of which at least one occurs in every text that fits.
pub(super) type Required = Vec<Vec<u8>>;

/// Sets of literals: of each, one occurs (in any ASCII case) wherever `hir` matches. The rarest set first, at most
/// [`MAX_SETS`]; none where no literal is required.
pub(super) fn required(hir: &Hir) -> Vec<Required> {
    let mut sets = walk(hir).settle();
    keep_best(&mut sets);
    sets
}

/// What a node of the tree tells.
struct Info {
    /// All strings it matches, where these are few.
    exact: Option<Required>,
    /// Sets of each of which one occurs in whatever it matches.
    sets: Vec<Required>,
}

impl Info {
    fn exact(strings: Required) -> Self {
        Self {
            exact: Some(strings),
            sets: Vec::new(),
        }
    }

    fn sets(sets: Vec<Required>) -> Self {
        Self { exact: None, sets }
    }

    fn unknown() -> Self {
        Self::sets(Vec::new())
    }

    /// The sets to go on with where the exact strings cannot be followed any further.
    fn settle(self) -> Vec<Required> {
        let mut sets = self.sets;
        sets.extend(self.exact.and_then(usable));
        sets
    }
}

/// Leaves only the rarest sets, each once.
fn keep_best(sets: &mut Vec<Required>) {
    let mut costed: Vec<(f64, Required)> = sets.drain(..).map(|set| (cost(&set), set)).collect();
    costed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    costed.dedup();
    sets.extend(costed.into_iter().take(MAX_SETS).map(|(_, set)| set));
}

fn walk(hir: &Hir) -> Info {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Info::exact(vec![Vec::new()]),
        HirKind::Literal(literal) => Info::exact(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => class_strings(class).map_or_else(Info::unknown, Info::exact),
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) => {
            let inner = walk(&repetition.sub);
            match (repetition.min, repetition.max) {
                (0, Some(1)) => match inner.exact {
                    Some(mut exact) if exact.len() < MAX_EXACT => {
                        if !exact.iter().any(Vec::is_empty) {
                            exact.push(Vec::new());
                        }
                        Info::exact(exact)
                    }
                    _ => Info::unknown(),
                },
                (0, _) => Info::unknown(),
                (1, Some(1)) => inner,
                (min, max) => {
                    let repeated = inner
                        .exact
                        .as_ref()
                        .and_then(|exact| (max == Some(min)).then(|| power(exact, min)).flatten());
                    repeated.map_or_else(|| Info::sets(inner.settle()), Info::exact)
                }
            }
        }
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(branches) => alternation(branches),
    }
}

fn concat(parts: &[Hir]) -> Info {
    let mut run: Required = vec![Vec::new()];
    let mut sets: Vec<Required> = Vec::new();
    let mut whole = true;
    for part in parts {
        let info = walk(part);
        let longer = info.exact.as_ref().and_then(|exact| cross(&run, exact));
        if let Some(longer) = longer {
            run = longer;
            continue;
        }
        whole = false;
        sets.extend(usable(run));
        sets.extend(info.sets);
        if sets.len() > MAX_SETS * 4 {
            keep_best(&mut sets);
        }
        run = info.exact.unwrap_or_else(|| vec![Vec::new()]);
    }
    if whole {
        return Info::exact(run);
    }
    sets.extend(usable(run));
    keep_best(&mut sets);
    Info::sets(sets)
}

fn alternation(branches: &[Hir]) -> Info {
    let infos: Vec<Info> = branches.iter().map(walk).collect();
    let few = infos
        .iter()
        .try_fold(0, |sum, info| {
            info.exact.as_ref().map(|exact| sum + exact.len())
        })
        .is_some_and(|sum| sum <= MAX_EXACT);
    if few {
        return Info::exact(
            infos
                .into_iter()
                .filter_map(|info| info.exact)
                .flatten()
                .collect(),
        );
    }
    let mut union = Vec::new();
    for info in infos {
        let mut sets = info.settle();
        keep_best(&mut sets);
        let Some(best) = sets.into_iter().next() else {
            return Info::unknown();
        };
        union.extend(best);
    }
    Info::sets(usable(union).into_iter().collect())
}

/// The one-byte strings of a class, folded, where they are few.
fn class_strings(class: &Class) -> Option<Required> {
    let mut strings: Required = Vec::new();
    let mut add = |bytes: Vec<u8>| {
        if !strings.contains(&bytes) {
            strings.push(bytes);
        }
        strings.len() <= MAX_CLASS
    };
    match class {
        Class::Bytes(bytes) => {
            for range in bytes.iter() {
                for byte in range.start()..=range.end() {
                    if !add(vec![byte.to_ascii_lowercase()]) {
                        return None;
                    }
                }
            }
        }
        Class::Unicode(chars) => {
            for range in chars.iter() {
                if u32::from(range.end()) - u32::from(range.start()) > 64 {
                    return None;
                }
                for letter in range.start()..=range.end() {
                    if !add(letter.to_string().to_ascii_lowercase().into_bytes()) {
                        return None;
                    }
                }
            }
        }
    }
    Some(strings)
}

/// Every string of `left` followed by every string of `right`, where these stay few.
fn cross(left: &Required, right: &Required) -> Option<Required> {
    if left.len() * right.len() > MAX_EXACT {
        return None;
    }
    let mut strings = Vec::with_capacity(left.len() * right.len());
    for head in left {
        for tail in right {
            if head.len() + tail.len() > MAX_LITERAL * 2 {
                return None;
            }
            let mut string = head.clone();
            string.extend_from_slice(tail);
            strings.push(string);
        }
    }
    Some(strings)
}

/// `strings` repeated `times` times.
fn power(strings: &Required, times: u32) -> Option<Required> {
    let mut result: Required = vec![Vec::new()];
    for _ in 0..times.min(64) {
        result = cross(&result, strings)?;
    }
    (times <= 64).then_some(result)
}

/// The set without what is implied by a shorter member; none where a member is too short to look for.
fn usable(mut set: Required) -> Option<Required> {
    for literal in &mut set {
        cut(literal);
    }
    if set.is_empty() || set.len() > MAX_SET * 4 || set.iter().any(|literal| literal.len() < 2) {
        return None;
    }
    set.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept: Required = Vec::new();
    for literal in set {
        if !kept
            .iter()
            .any(|shorter| memchr::memmem::find(&literal, shorter).is_some())
        {
            kept.push(literal);
        }
    }
    (kept.len() <= MAX_SET).then_some(kept)
}

/// Shortens a long literal.
fn cut(literal: &mut Vec<u8>) {
    literal.truncate(MAX_LITERAL);
}

/// How often one of the set is expected in a line, relative to other sets: the sum over its literals.
pub(super) fn cost(set: &[Vec<u8>]) -> f64 {
    set.iter().map(|literal| (-rarity(literal)).exp2()).sum()
}

/// Bits of information in `literal`, in lower case, among log lines: about -log2 of how often it starts at a given byte.
pub(super) fn rarity(literal: &[u8]) -> f64 {
    byte_bits(literal).iter().sum()
}

/// The information in each byte of `literal`, in bits.
///
/// Common words count as a whole, other letters one by one with less than their single-letter information, since
/// neighbouring letters depend on each other.
pub(super) fn byte_bits(literal: &[u8]) -> Vec<f64> {
    let mut bits = Vec::with_capacity(literal.len());
    while let Some(&byte) = literal.get(bits.len()) {
        let rest = &literal[bits.len()..];
        let word = rest
            .iter()
            .take_while(|byte| byte.is_ascii_lowercase())
            .count();
        if word > 0 {
            let common = COMMON_WORDS
                .binary_search_by(|(common, _)| common.as_bytes().cmp(&rest[..word]))
                .map_or(f64::MAX, |index| COMMON_WORDS[index].1 / word as f64);
            bits.extend(
                rest[..word]
                    .iter()
                    .map(|letter| letter_bits(*letter).min(common)),
            );
        } else {
            bits.push(match byte {
                b' ' => 1.0,
                b'0'..=b'9' => 2.5,
                b'.' | b':' | b'=' | b'-' | b'/' | b'"' | b',' | b'_' => 2.0,
                byte if byte >= 0x80 => 4.0,
                _ => 3.5,
            });
        }
    }
    bits
}

/// Index of the byte of `literal` that is expected least often in logs.
pub(super) fn rarest_byte(literal: &[u8]) -> usize {
    let mut rarest = (0, f64::MIN);
    for (index, byte) in literal.iter().enumerate() {
        let bits = match byte.to_ascii_lowercase() {
            b' ' => 0.0,
            b'0'..=b'9' => 0.5,
            b'.' | b':' | b'=' | b'-' | b'/' | b'"' | b',' => 1.0,
            letter @ b'a'..=b'z' => letter_bits(letter) * 1.6,
            _ => 5.0,
        };
        if bits > rarest.1 {
            rarest = (index, bits);
        }
    }
    rarest.0
}

/// Information in one letter inside a word, in bits.
fn letter_bits(letter: u8) -> f64 {
    match letter {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b'r' | b's' => 2.0,
        b'l' | b'd' | b'c' | b'u' | b'm' | b'p' => 2.5,
        b'f' | b'g' | b'h' | b'b' | b'y' | b'w' | b'v' => 3.2,
        b'k' | b'x' => 4.0,
        b'j' | b'q' | b'z' => 5.0,
        _ => 3.0,
    }
}

/// Words that logs of any program are full of, with the information in one of them, in bits.
const COMMON_WORDS: [(&str, f64); 118] = [
    ("a", 3.0),
    ("access", 7.0),
    ("active", 8.0),
    ("added", 8.0),
    ("address", 7.0),
    ("all", 6.5),
    ("and", 5.0),
    ("api", 7.0),
    ("app", 7.0),
    ("at", 5.0),
    ("be", 6.0),
    ("by", 6.0),
    ("cannot", 8.0),
    ("client", 7.0),
    ("closed", 7.5),
    ("cluster", 8.0),
    ("com", 6.0),
    ("complete", 8.0),
    ("completed", 8.0),
    ("config", 7.0),
    ("connect", 7.5),
    ("connected", 8.0),
    ("connection", 6.5),
    ("container", 7.0),
    ("core", 8.0),
    ("could", 7.5),
    ("create", 8.0),
    ("created", 7.5),
    ("data", 6.5),
    ("debug", 5.0),
    ("default", 7.0),
    ("device", 8.0),
    ("disk", 8.0),
    ("done", 8.0),
    ("e", 3.0),
    ("enabled", 8.0),
    ("error", 5.0),
    ("event", 7.5),
    ("exception", 7.0),
    ("fail", 7.0),
    ("failed", 6.0),
    ("failure", 7.5),
    ("fatal", 8.0),
    ("file", 6.5),
    ("for", 4.5),
    ("found", 7.0),
    ("from", 5.0),
    ("get", 6.0),
    ("group", 8.0),
    ("handler", 7.5),
    ("has", 7.0),
    ("host", 7.0),
    ("http", 6.0),
    ("id", 5.0),
    ("in", 4.5),
    ("info", 3.5),
    ("instance", 7.5),
    ("invalid", 7.5),
    ("io", 6.5),
    ("is", 5.0),
    ("java", 6.5),
    ("job", 8.0),
    ("kernel", 8.0),
    ("key", 7.5),
    ("level", 6.0),
    ("line", 7.0),
    ("local", 7.5),
    ("log", 6.0),
    ("main", 6.5),
    ("memory", 8.0),
    ("message", 6.5),
    ("method", 8.0),
    ("msg", 5.5),
    ("name", 6.0),
    ("new", 7.0),
    ("no", 6.0),
    ("node", 7.0),
    ("not", 5.5),
    ("null", 7.5),
    ("of", 4.5),
    ("on", 5.0),
    ("open", 7.5),
    ("or", 6.0),
    ("org", 6.0),
    ("path", 7.0),
    ("port", 7.0),
    ("process", 7.0),
    ("read", 7.0),
    ("received", 7.5),
    ("request", 6.0),
    ("response", 7.0),
    ("root", 7.5),
    ("running", 7.5),
    ("server", 6.0),
    ("service", 6.5),
    ("session", 7.5),
    ("set", 7.0),
    ("start", 7.5),
    ("started", 7.0),
    ("starting", 7.0),
    ("state", 7.0),
    ("status", 6.0),
    ("stopped", 8.0),
    ("success", 7.5),
    ("system", 7.0),
    ("task", 7.5),
    ("the", 4.5),
    ("thread", 7.0),
    ("time", 6.0),
    ("timeout", 7.5),
    ("to", 4.0),
    ("unable", 7.5),
    ("update", 7.5),
    ("user", 6.5),
    ("value", 7.0),
    ("version", 7.0),
    ("warn", 4.5),
    ("warning", 5.5),
];

#[cfg(test)]
mod tests {
    use super::{rarity, required};

    fn sets(pattern: &str) -> Option<Vec<String>> {
        let hir = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(pattern)
            .unwrap();
        required(&hir).into_iter().next().map(|set| {
            set.into_iter()
                .map(|literal| String::from_utf8(literal).unwrap())
                .collect()
        })
    }

    #[test]
    fn the_rarest_required_set_is_taken() {
        for (pattern, wanted) in [
            (r"error.*segfault at [0-9a-f]+", &["segfault at "][..]),
            (r"(?i)PANIC: \w+", &["panic: "]),
            (r"foo(bar|baz)qux", &["foobarqux", "foobazqux"]),
            (r"colou?r palette", &["color palette", "colour palette"]),
            (
                r"^\d+ (started|stopping) unit$",
                &[" started unit", " stopping unit"],
            ),
            (r"(abc)+d", &["abc"]),
            (r"(ab){3}c", &["abababc"]),
            (r"oom[- ]killer", &["oom killer", "oom-killer"]),
            (r"\bEOF\b", &["eof"]),
            (r"(?:evict\w*|preempt\w*) pod", &["evict", "preempt"]),
        ] {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            assert_eq!(sets(pattern), Some(wanted), "{pattern}");
        }
        for pattern in [r"\d+", r"a|b\w", r"foo|\d+", r"(?:foo)?", r".*", r"x"] {
            assert_eq!(sets(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn common_words_are_sorted_for_the_binary_search() {
        assert!(super::COMMON_WORDS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn common_words_are_less_telling() {
        assert!(rarity(b"segfault") > rarity(b"connection"));
        assert!(rarity(b"quorum") > rarity(b"failed"));
        assert!(rarity(b"error: ") < rarity(b"oom-kill"));
    }
}
