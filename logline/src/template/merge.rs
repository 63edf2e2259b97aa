//! Finds the templates that a new one belongs together with.
//!
//! As Drain does (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017),
//! candidates are found by structure first and compared word by word then. Different from it, no similarity
//! threshold decides on first sight. A position becomes variable when the templates that agree everywhere else show
//! enough evidence there: values of different kinds count most, names less, words least, and words that carry meaning
//! (`not`, `started`) never vary. The idea that the number of different words in a column tells constants from
//! variables is that of IPLoM (Makanju, Zincir-Heywood, Milios, KDD 2009) and Brain (Yu et al., TSC 2023); here it is
//! asked anew for each new template, so that it works on a stream, and templates from before are united when the
//! evidence is complete.

use super::{
    merge_words::{self, Weight},
    slots::{Class, Vocabulary},
};

/// Slots that are compared; templates with more must agree in the further ones.
pub(super) const MAX_SLOTS: usize = 64;
/// Of one bucket, how many of the youngest templates are compared with a new one.
pub(super) const MAX_COMPARED: usize = 512;
/// Sets of differing positions that are tried for one new template.
const MAX_SETS: usize = 24;
/// Evidence that a position needs to become variable.
const ENOUGH: f32 = 1.33;

/// Where a slot stands, which tells how likely it is to vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before `=` or as a key of JSON: it says what the value is.
    Key,
    /// Anywhere.
    Free,
    /// First in the message, where the verb or the speaker is.
    First,
    /// Behind `=`, or between brackets or quotes.
    Keyed,
    /// Behind `=` where the key announces a name, such as `user=`.
    KeyedName,
    /// Behind a word that announces a name, such as `user`.
    Named,
    /// Behind `key: ` or `for`, `by`, `from`.
    Led,
}

impl Place {
    /// Whether what stands here is a name, even where it looks like a function word.
    fn is_named(self) -> bool {
        matches!(self, Self::Named | Self::Keyed | Self::KeyedName)
    }
}

/// A template as it is compared.
#[derive(Debug)]
pub(super) struct Shape<'a> {
    pub(super) words: &'a [u32],
    pub(super) places: &'a [Place],
}

/// The positions in which `old` differs from `new`, as bits; `None` where they cannot belong together.
pub(super) fn difference(
    shape: &Shape<'_>,
    old: &[u32],
    vocabulary: &Vocabulary,
    any: u32,
) -> Option<u64> {
    let new = shape.words;
    if new.len() != old.len() {
        return None;
    }
    let mut set = 0_u64;
    let allowed = allowance(new.len());
    let mut weighed = 0;
    for (i, (a, b)) in new.iter().zip(old).enumerate() {
        if a == b {
            continue;
        }
        if *b == any {
            let named = shape.places.get(i).is_some_and(|place| place.is_named());
            if vocabulary.class(*a) == Class::Function && !named {
                return None;
            }
            continue;
        }
        if i >= MAX_SLOTS {
            return None;
        }
        set |= 1 << i;
        if !vocabulary.alike(*a, *b) {
            weighed += 1;
            if weighed > allowed {
                return None;
            }
        }
    }
    Some(set)
}

/// How many words of so many may vary at all.
fn allowance(slots: usize) -> usize {
    match slots {
        0 | 1 => 0,
        2..=4 => 1,
        5..=7 => 2,
        _ => (slots / 3).min(6),
    }
}

/// The smallest set of positions that has evidence enough to become variable, given the template that is new and
/// those it is compared with, each with its set of differences.
pub(super) fn decide(
    new: &Shape<'_>,
    others: &[(u64, &[u32])],
    vocabulary: &Vocabulary,
) -> Option<u64> {
    let mut sets: Vec<u64> = others.iter().map(|(set, _)| *set).collect();
    sets.sort_unstable_by_key(|set| (set.count_ones(), *set));
    sets.dedup();
    let mut seen: Vec<u32> = Vec::new();
    sets.into_iter()
        .take(MAX_SETS)
        .find(|set| set_has_evidence(*set, new, others, vocabulary, &mut seen))
}

/// Positions that vary in a template that differs from the new one in one word alone: what varies in one message
/// varies in its like (`opened for user <*>`, `closed for user alice`), though the two stay apart.
pub(super) fn transfer(
    new: &Shape<'_>,
    others: &[(u64, &[u32])],
    vocabulary: &Vocabulary,
    any: u32,
) -> Option<u64> {
    let constant = new
        .words
        .iter()
        .filter(|word| {
            !matches!(
                vocabulary.class(**word),
                Class::Value | Class::Mixed | Class::Any
            )
        })
        .count();
    if constant < 4 {
        return None;
    }
    let open = |word: u32| {
        !matches!(
            vocabulary.class(word),
            Class::Value | Class::Any | Class::Function | Class::State
        )
    };
    others
        .iter()
        .filter(|(set, _)| set.count_ones() == 1)
        .map(|(_, words)| {
            new.words
                .iter()
                .zip(*words)
                .enumerate()
                .take(MAX_SLOTS)
                .filter(|(_, (ours, theirs))| **theirs == any && open(**ours))
                .fold(0, |set, (i, _)| set | 1 << i)
        })
        .find(|set| *set != 0)
}

fn set_has_evidence(
    set: u64,
    new: &Shape<'_>,
    others: &[(u64, &[u32])],
    vocabulary: &Vocabulary,
    seen: &mut Vec<u32>,
) -> bool {
    // What stays the same: the less there is of it, the more evidence it takes.
    let constant: f32 = new
        .words
        .iter()
        .enumerate()
        .filter(|(i, _)| *i >= MAX_SLOTS || set & (1 << i) == 0)
        .map(|(_, word)| match vocabulary.class(*word) {
            Class::Word
            | Class::Tiny
            | Class::State
            | Class::Function
            | Class::Name
            | Class::Parts
            | Class::Constant => 1.0,
            Class::Mixed => 0.75,
            Class::Value => 0.25,
            Class::Any => 0.0,
        })
        .sum();
    let trust: f32 = match constant {
        c if c < 0.9 => 0.0,
        c if c < 1.9 => 0.5,
        c if c < 2.9 => 0.75,
        c if c < 5.9 => 1.0,
        c if c < 10.0 => 1.3,
        _ => 1.6,
    };
    let mut left = set;
    while left != 0 {
        let at = left.trailing_zeros() as usize;
        left &= left - 1;
        seen.clear();
        seen.push(new.words[at]);
        for (other, words) in others {
            if other & !set == 0 && !seen.contains(&words[at]) && seen.len() < 64 {
                seen.push(words[at]);
            }
        }
        let place = new.places.get(at).copied().unwrap_or(Place::Free);
        if seen.iter().all(|word| vocabulary.alike(seen[0], *word)) {
            continue;
        }
        // Where a value was seen already, a name is likely one too.
        let place = match place {
            Place::First | Place::Free
                if seen
                    .iter()
                    .any(|word| matches!(vocabulary.class(*word), Class::Value | Class::Any)) =>
            {
                Place::Led
            }
            place => place,
        };
        let mut evidence = 0.0;
        for word in seen.iter() {
            evidence += match (vocabulary.class(*word), place) {
                (Class::Any, _) => ENOUGH,
                (Class::Value, _) => 1.0,
                (Class::Function, Place::Named | Place::KeyedName) => 0.0,
                (Class::Function | Class::State, _) => return false,
                (
                    Class::Word | Class::Tiny | Class::Name | Class::Parts | Class::Constant,
                    Place::Key,
                ) => return false,
                (Class::Mixed, Place::Keyed | Place::KeyedName | Place::Named) => 1.0,
                (Class::Mixed, _) => 0.6,
                (Class::Parts, Place::Keyed | Place::KeyedName | Place::Named) => 0.9,
                (Class::Parts, Place::First) => 0.2,
                (Class::Parts, _) => 0.67,
                (Class::Name, Place::Keyed | Place::KeyedName | Place::Named) => 0.6,
                (Class::Name, Place::First) => 0.2,
                (Class::Name, _) => 0.45,
                (Class::Constant, Place::First) => 0.1,
                (Class::Constant, _) => 0.34,
                (Class::Word, Place::Named) => 0.55,
                (Class::Word, Place::Led) => 0.45,
                (Class::Word, Place::Keyed) => 0.27,
                (Class::Word, Place::KeyedName) => 0.34,
                (Class::Word, Place::Free) => 0.32,
                (Class::Word, Place::First) => 0.1,
                (Class::Tiny, Place::Free | Place::First) => 0.13,
                (Class::Tiny, _) => 0.32,
            };
        }
        let trust = if place == Place::Free {
            trust
        } else {
            trust.min(1.3)
        };
        if evidence * trust < ENOUGH {
            return false;
        }
    }
    true
}

/// Where the slot stands whose text begins at `start` of `text`, the `first` or a later one.
pub(super) fn place(text: &[u8], start: usize, end: usize, first: bool) -> Place {
    let before = start
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or(0);
    let behind = text.get(end).copied().unwrap_or(0);
    if behind == b'=' || (matches!(behind, b'"' | b'\'') && text.get(end + 1) == Some(&b':')) {
        return Place::Key;
    }
    if first
        && matches!(behind, b'(' | b'[')
        && text.get(end + 1..).is_some_and(|t| t.starts_with(b"<num>"))
    {
        // A speaker with its process id.
        return Place::Led;
    }
    match before {
        b'=' if announces(last_word(&text[..start - 1])) => return Place::KeyedName,
        b'=' | b'"' | b'\'' | b'`' => return Place::Keyed,
        b'(' if behind == b')' => return Place::Keyed,
        b'[' if behind == b']' => return Place::Keyed,
        b'{' if behind == b'}' => return Place::Keyed,
        b'|' | b':' => return Place::Led,
        b' ' => {
            let head = text[..start - 1].trim_ascii_end();
            if head.ends_with(b"=") {
                return Place::Keyed;
            }
            if head.ends_with(b":") {
                return if first { Place::First } else { Place::Led };
            }
            let word = last_word(head);
            if announces(word) {
                return Place::Named;
            }
            if matches!(word, b"for" | b"by" | b"from") {
                return Place::Led;
            }
        }
        _ => {}
    }
    if first { Place::First } else { Place::Free }
}

/// The letters that `text` ends with.
fn last_word(text: &[u8]) -> &[u8] {
    let len = text
        .iter()
        .rev()
        .take(16)
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    &text[text.len() - len..]
}

/// Words behind which a name stands.
fn announces(word: &[u8]) -> bool {
    matches!(
        word,
        b"user"
            | b"host"
            | b"hostname"
            | b"node"
            | b"class"
            | b"file"
            | b"service"
            | b"package"
            | b"module"
            | b"device"
            | b"interface"
            | b"named"
            | b"group"
            | b"domain"
            | b"container"
            | b"pod"
            | b"image"
            | b"volume"
            | b"table"
            | b"database"
            | b"topic"
            | b"queue"
            | b"client"
            | b"server"
            | b"plugin"
            | b"extension"
            | b"program"
            | b"unit"
            | b"User"
            | b"Host"
            | b"Node"
            | b"Class"
            | b"File"
            | b"Service"
            | b"Package"
            | b"Module"
            | b"username"
            | b"account"
            | b"role"
            | b"schema"
            | b"index"
            | b"bucket"
            | b"namespace"
            | b"key"
            | b"name"
            | b"login"
            | b"owner"
    )
}

/// Whether the slot from `start` to `end` of `text` may go into a `<*>`: not where it is no name, unless one is
/// announced there (a user may be called `a`).
pub(super) fn may_vary(text: &[u8], start: usize, end: usize, first: bool) -> bool {
    let word = text.get(start..end).unwrap_or_default();
    merge_words::weight(word.trim_ascii_end()) != Weight::Function
        || place(text, start, end, first).is_named()
}
