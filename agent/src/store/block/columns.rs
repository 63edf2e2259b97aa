//! What an encoder gathers: patterns, and per place in the text which pattern stands there and the values in it.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::pattern::Parts;

/// No store: the pattern holds no value.
pub(super) const NO_STORE: u32 = u32::MAX;
/// Up to so many patterns of a column are looked through one by one.
const FEW: usize = 6;

/// All patterns of a block.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Patterns {
    /// The pattern with this number.
    pub(super) fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 {
            0
        } else {
            self.ends[number - 1]
        };
        &self.bytes[start as usize..self.ends[number] as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn intern(&mut self, pattern: &[u8]) -> u32 {
        let Self { bytes, ends, table } = self;
        let get = |number: u32| {
            let number = number as usize;
            let start = if number == 0 { 0 } else { ends[number - 1] };
            &bytes[start as usize..ends[number] as usize]
        };
        let hash = xxh3_64(pattern);
        if let Some(known) = table.find(hash, |known| get(*known) == pattern) {
            return *known;
        }
        let number = ends.len() as u32;
        table.insert_unique(hash, number, |known| xxh3_64(get(*known)));
        bytes.extend_from_slice(pattern);
        ends.push(bytes.len() as u32);
        number
    }
}

/// The values of one pattern at one place, or, around the message, at all places.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Row after row.
    pub(super) numbers: Vec<u64>,
    /// Row after row.
    pub(super) wide: Vec<u8>,
    /// Per row which event it is of, where the rows can hold a time of day around a message.
    pub(super) events: Vec<u32>,
}

/// One place in the texts of a group.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// Which patterns stand there, in the order in which they came.
    pub(super) patterns: Vec<u32>,
    /// Where their values go.
    pub(super) stores: Vec<u32>,
    /// Per event of the group which of those patterns stands there; empty where there is but one.
    pub(super) refs: Vec<u32>,
    /// Events of the group.
    events: u32,
    last: u32,
}

/// All columns of a block.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) patterns: Patterns,
    pub(super) columns: Vec<Column>,
    pub(super) stores: Vec<Store>,
    /// By pattern: where its values go around the messages.
    around: Vec<u32>,
    /// (column, pattern) to the pattern's number in the column, for columns of many patterns.
    many: HashTable<(u32, u32, u32)>,
    parts: Parts,
    /// The event whose texts are being put in.
    pub(super) event: u32,
}

fn hash_pair(column: u32, pattern: u32) -> u64 {
    let both = u64::from(column) << 32 | u64::from(pattern);
    let hash = both.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash ^ hash >> 32
}

/// Whether two patterns are the same. Most are but a byte or two, for which a loop is quicker than a call.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() > 4 {
        return one == other;
    }
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}

impl Columns {
    /// Adds so many columns and gives the first one's number.
    pub(super) fn add(&mut self, count: usize) -> usize {
        let first = self.columns.len();
        self.columns.resize_with(first + count, Column::default);
        first
    }

    /// Puts a text into a column and gives its pattern. `around` tells that it is a piece of the text around a message.
    pub(super) fn push(&mut self, at: usize, text: &[u8], around: bool) -> u32 {
        self.parts.clear();
        self.parts.split(text);
        let column = &self.columns[at];
        let mut local = column.last;
        let same = column
            .patterns
            .get(local as usize)
            .is_some_and(|known| is_same(self.patterns.get(*known), &self.parts.pattern));
        if !same {
            let pattern = self.patterns.intern(&self.parts.pattern);
            let holds = !self.parts.numbers.is_empty() || !self.parts.wide.is_empty();
            local = self.local(at, pattern, around, holds);
        }
        let column = &mut self.columns[at];
        column.last = local;
        if local > 0 && column.refs.is_empty() {
            column.refs.resize(column.events as usize, 0);
        }
        if local > 0 || !column.refs.is_empty() {
            column.refs.push(local);
        }
        column.events += 1;
        let store = column.stores[local as usize];
        if store != NO_STORE {
            let store = &mut self.stores[store as usize];
            match self.parts.numbers.as_slice() {
                [one] => store.numbers.push(*one),
                numbers => store.numbers.extend_from_slice(numbers),
            }
            if !self.parts.wide.is_empty() {
                store.wide.extend_from_slice(&self.parts.wide);
            }
            if around && self.parts.numbers.len() >= 3 {
                store.events.push(self.event);
            }
        }
        column.patterns[local as usize]
    }

    /// The number of a pattern in a column.
    fn local(&mut self, at: usize, pattern: u32, around: bool, holds: bool) -> u32 {
        let column = &mut self.columns[at];
        let count = column.patterns.len();
        let hash = hash_pair(at as u32, pattern);
        let known = if count <= FEW {
            let found = column.patterns.iter().position(|known| *known == pattern);
            found.map(|found| found as u32)
        } else {
            let found = self
                .many
                .find(hash, |(c, p, _)| (*c, *p) == (at as u32, pattern));
            found.map(|(_, _, local)| *local)
        };
        if let Some(known) = known {
            return known;
        }
        let store = if !holds {
            NO_STORE
        } else if around {
            self.around.resize(self.patterns.len(), NO_STORE);
            let known = &mut self.around[pattern as usize];
            if *known == NO_STORE {
                *known = self.stores.len() as u32;
                self.stores.push(Store::default());
            }
            *known
        } else {
            self.stores.push(Store::default());
            self.stores.len() as u32 - 1
        };
        column.patterns.push(pattern);
        column.stores.push(store);
        if count >= FEW {
            let first = if count == FEW { 0 } else { count };
            for local in first..=count {
                let pattern = column.patterns[local];
                self.many.insert_unique(
                    hash_pair(at as u32, pattern),
                    (at as u32, pattern, local as u32),
                    |(c, p, _)| hash_pair(*c, *p),
                );
            }
        }
        count as u32
    }
}
