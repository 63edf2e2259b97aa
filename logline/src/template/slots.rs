//! A masked text as the merging sees it: slots (words, placeholders, both joined) in a skeleton of marks and spaces.

use hashbrown::HashTable;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    mask::{AT, CLASS, COLON, DIGIT, DOT, HIGH, JOIN, LOWER, SLASH, UPPER},
    merge_words::{self, Weight},
    placeholder::{Kind, Span},
};

const SLOT: u16 = LOWER | UPPER | DIGIT | HIGH | JOIN | DOT | SLASH | AT;

/// What stands for a slot or a placeholder in a hash: a byte that no UTF-8 text holds. (A NUL can stand in a text.)
const HOLE: &[u8] = b"\xff";

/// Splits `text` into slots, appended to `slots`, and gives the hash of the skeleton between them.
pub(super) fn split(text: &[u8], slots: &mut Vec<Span>) -> u64 {
    let mut hasher = Xxh3::new();
    let mut gap = 0;
    let mut i = 0;
    while i < text.len() {
        let start = i;
        while i < text.len() {
            let b = text[i];
            if CLASS[b as usize] & SLOT != 0 {
                i += 1;
            } else if b == b'<'
                && let Some(kind) = Kind::at_start(&text[i..])
            {
                i += kind.placeholder().len();
            } else {
                break;
            }
        }
        if i > start {
            // Where words are padded to a width, the surplus spaces vary with the word and belong to it.
            while i + 1 < text.len() && text[i] == b' ' && text[i + 1] == b' ' {
                i += 1;
            }
            hasher.update(&text[gap..start]);
            hasher.update(HOLE);
            gap = i;
            slots.push(Span {
                start: start as u32,
                end: i as u32,
            });
        } else {
            i += 1;
        }
    }
    hasher.update(&text[gap..]);
    hasher.digest()
}

/// What a slot's text says of how easily it varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Found to vary.
    Any,
    /// A placeholder alone.
    Value,
    /// A name with a placeholder in it: `node-<num>`.
    Mixed,
    /// A name with parts: `com.example.Thing`, `some-host`.
    Parts,
    /// A name in mixed case: `EventHandler`.
    Name,
    /// The name of a constant, as those of enumerations: `CONTAINER_LAUNCH`, `android.intent.action.SCREEN_ON`.
    Constant,
    /// A word.
    Word,
    /// A word of one or two letters.
    Tiny,
    /// A word that tells what happened: `started`.
    State,
    /// A word that is no name: `not`, `to`.
    Function,
}

fn classify(text: &[u8]) -> Class {
    let text = text.trim_ascii_end();
    if text == Kind::Any.placeholder().as_bytes() {
        return Class::Any;
    }
    if let Some(kind) = Kind::at_start(text) {
        return if kind.placeholder().len() == text.len() {
            Class::Value
        } else {
            Class::Mixed
        };
    }
    if text.contains(&b'<') {
        return Class::Mixed;
    }
    let edge = |b: &u8| matches!(*b, b'.' | b'-' | b'+' | b'$' | b'_');
    let first = text.iter().position(|b| !edge(b)).unwrap_or(0);
    let last = text
        .iter()
        .rposition(|b| !edge(b))
        .map_or(text.len(), |at| at + 1);
    let core = &text[first..last];
    match merge_words::weight(core) {
        Weight::Function => return Class::Function,
        Weight::State => return Class::State,
        Weight::Light => {}
    }
    if core.iter().all(edge) {
        // `-` stands for a value that is not there.
        return Class::Value;
    }
    let flags = core.iter().fold(0, |flags, b| flags | CLASS[*b as usize]);
    let label = core.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let capitals = !label.is_empty() && !label.iter().any(u8::is_ascii_lowercase);
    if capitals && (label.contains(&b'_') || label.len() < core.len()) {
        return Class::Constant;
    }
    if flags & (DOT | SLASH | AT | COLON) != 0 || core.contains(&b'$') {
        return Class::Parts;
    }
    let inner_upper = core.iter().skip(1).any(u8::is_ascii_uppercase);
    if flags & DIGIT != 0 || (flags & LOWER != 0 && inner_upper) || core.contains(&b'_') {
        return Class::Name;
    }
    if core.len() <= 2 {
        Class::Tiny
    } else {
        Class::Word
    }
}

/// A hash of a slot's text without the kinds of its placeholders; 0 where it has none.
fn stem(text: &[u8]) -> u32 {
    let mut hasher = Xxh3::new();
    let mut rest = text.trim_ascii_end();
    let mut found = false;
    while let Some(at) = memchr::memchr(b'<', rest) {
        hasher.update(&rest[..at]);
        rest = &rest[at..];
        let len = Kind::at_start(rest).map_or(1, |kind| kind.placeholder().len());
        found |= len > 1;
        hasher.update(if len > 1 { HOLE } else { b"<" });
        rest = &rest[len..];
    }
    hasher.update(rest);
    if found {
        (hasher.digest() as u32).max(1)
    } else {
        0
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    len: u32,
    stem: u32,
    class: Class,
}

/// The words of slots, each kept once.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    table: HashTable<u32>,
}

impl Vocabulary {
    /// No word of the vocabulary.
    pub(super) const UNKNOWN: u32 = u32::MAX;

    pub(super) fn text(&self, word: u32) -> &[u8] {
        let Some(entry) = self.entries.get(word as usize) else {
            return &[];
        };
        let start = entry.start as usize;
        self.bytes
            .get(start..start + entry.len as usize)
            .unwrap_or_default()
    }

    pub(super) fn class(&self, word: u32) -> Class {
        self.entries
            .get(word as usize)
            .map_or(Class::Word, |entry| entry.class)
    }

    /// Whether two words are the same but for the kinds of the values in them: `x-<num>` and `x-<hex>`.
    pub(super) fn alike(&self, a: u32, b: u32) -> bool {
        let stem = |word: u32| {
            self.entries
                .get(word as usize)
                .map_or(0, |entry| entry.stem)
        };
        stem(a) != 0 && stem(a) == stem(b)
    }

    pub(super) fn find(&self, text: &[u8]) -> u32 {
        self.table
            .find(xxh3_64(text), |word| self.text(*word) == text)
            .copied()
            .unwrap_or(Self::UNKNOWN)
    }

    pub(super) fn intern(&mut self, text: &[u8]) -> u32 {
        let known = self.find(text);
        if known != Self::UNKNOWN {
            return known;
        }
        let word = self.entries.len() as u32;
        self.entries.push(Entry {
            start: self.bytes.len() as u32,
            len: text.len() as u32,
            stem: stem(text),
            class: classify(text),
        });
        self.bytes.extend_from_slice(text);
        let Self {
            bytes,
            entries,
            table,
        } = self;
        table.insert_unique(xxh3_64(text), word, |word| {
            let entry = entries[*word as usize];
            xxh3_64(&bytes[entry.start as usize..(entry.start + entry.len) as usize])
        });
        word
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.table.capacity() * 5
    }
}
