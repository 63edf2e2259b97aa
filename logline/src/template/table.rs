//! The table of templates: a hash table for what was seen before, merging for what was not.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Limits, Stats, Template, TemplateId,
    mask::{Masked, mask},
    merge::{self, MAX_COMPARED, Place, Shape},
    placeholder::{Kind, Span},
    slots::{Vocabulary, split},
    variables::align,
};

/// Times that a template just made may go on to merge with others.
const MAX_ROUNDS: usize = 8;

/// A template and where it stands.
#[derive(Debug)]
struct Row {
    template: Template,
    /// The row it was merged into, or its own index.
    forward: u32,
    /// Hash of its skeleton.
    bucket: u64,
    /// Its slots, as words of the vocabulary.
    words: Box<[u32]>,
}

/// Templates with one skeleton.
#[derive(Debug, Default)]
struct Bucket {
    skeleton: u64,
    /// Those with a `<*>`.
    merged: Vec<u32>,
    /// Those without.
    plain: Vec<u32>,
}

/// A hash and the row it leads to.
type Entry = (u64, u32);

/// The templates seen so far.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    rows: Vec<Row>,
    /// Ids of templates, also those from before merges.
    ids: HashTable<Entry>,
    /// Hashes of masked texts that belong to merged templates.
    joined: HashTable<Entry>,
    buckets: HashTable<Bucket>,
    vocabulary: Vocabulary,
    /// The word `<*>`.
    any: u32,
    live: usize,
    text_bytes: usize,
    stats: Stats,
    /// Ids that merges have taken away since somebody asked, and the rows they lead to. Bounded like the aliases.
    renamed: Vec<(TemplateId, u32)>,
    masked: Masked,
    slots: Vec<Span>,
    words: Vec<u32>,
    places: Vec<Place>,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut vocabulary = Vocabulary::default();
        let any = vocabulary.intern(Kind::Any.placeholder().as_bytes());
        Self {
            limits,
            rows: Vec::new(),
            ids: HashTable::new(),
            joined: HashTable::new(),
            buckets: HashTable::new(),
            vocabulary,
            any,
            live: 0,
            text_bytes: 0,
            stats: Stats::default(),
            renamed: Vec::new(),
            masked: Masked::new(),
            slots: Vec::new(),
            words: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Masks `message` and finds or makes its template. The index stays valid for the life of the table; after a
    /// merge it leads to the merged template.
    pub fn observe(&mut self, message: &[u8]) -> usize {
        let mut masked = std::mem::take(&mut self.masked);
        mask(message, &mut masked);
        let index = self.observe_masked(&masked);
        self.masked = masked;
        index
    }

    /// As [`observe`](Self::observe) for a message that is masked already.
    pub fn observe_masked(&mut self, masked: &Masked) -> usize {
        self.stats.observed += 1;
        let text = masked.text();
        let hash = xxh3_64(text);
        let known = find(&self.ids, hash).or_else(|| find(&self.joined, hash));
        let index = match known {
            Some(index) => self.root_of(index),
            None => self.unknown(hash, text),
        };
        self.rows[index].template.count += 1;
        index
    }

    /// The template at `index`, merges followed.
    ///
    /// # Panics
    ///
    /// Where `index` did not come from this table.
    #[must_use]
    pub fn get(&self, index: usize) -> &Template {
        &self.rows[self.root(index)].template
    }

    /// The index of the template that has or had this id.
    #[must_use]
    pub fn resolve(&self, id: TemplateId) -> Option<usize> {
        find(&self.ids, id.0).map(|index| self.root(index as usize))
    }

    /// The template's text and the variables of `message` in it, into `out`. Gives false, with the mask of the
    /// message alone in `out`, where the message is none of that template.
    pub fn variables(&self, index: usize, message: &[u8], out: &mut Masked) -> bool {
        mask(message, out);
        self.rows
            .get(index)
            .is_some_and(|_| align(&self.get(index).text, out, message.len()))
    }

    /// The templates that are not merged into another, with their indices, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Template)> {
        self.rows
            .iter()
            .enumerate()
            .filter(|(index, row)| row.forward as usize == *index)
            .map(|(index, row)| (index, &row.template))
    }

    /// How many templates there are that are not merged into another.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether nothing was observed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Takes up a template from an earlier run, so that its id and merges go on. `count` is added to its count.
    /// Gives its index; that of the overflow template where the table is full.
    pub fn adopt(&mut self, text: &str, count: u64) -> usize {
        self.stats.observed += count;
        let hash = xxh3_64(text.as_bytes());
        let index = match find(&self.ids, hash) {
            Some(index) => self.root_of(index),
            None if self.full() => self.overflow(),
            None => {
                let (skeleton, words) = self.parse(text.as_bytes());
                self.push(hash, text.to_owned(), skeleton, words)
            }
        };
        self.rows[index].template.count += count;
        index
    }

    /// Takes up an alias from an earlier run: `id` leads to the template at `index` from now on, unless it leads
    /// somewhere already.
    pub fn adopt_alias(&mut self, id: TemplateId, index: usize) {
        if index < self.rows.len()
            && find(&self.ids, id.0).is_none()
            && self.aliases() < self.limits.max_aliases
        {
            let index = self.root(index) as u32;
            insert(&mut self.ids, id.0, index);
        }
    }

    /// The ids that merges have taken away since the last call, each with the id that its messages have now: what is to
    /// be kept for [`adopt_alias`](Self::adopt_alias) in a later run.
    pub fn take_renamed(&mut self) -> Vec<(TemplateId, TemplateId)> {
        let renamed = std::mem::take(&mut self.renamed);
        let now = |(id, index)| (id, self.get(index as usize).id);
        renamed.into_iter().map(now).collect()
    }

    /// How many messages had to share the overflow template because the table was full.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.stats.overflowed
    }

    /// What the table has done and holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let rows: usize = self
            .rows
            .iter()
            .map(|row| row.words.len() * 4 + row.template.text.capacity())
            .sum();
        Stats {
            templates: self.live,
            aliases: self.aliases(),
            joined: self.joined.len(),
            bytes: rows
                + self.rows.capacity() * size_of::<Row>()
                + (self.ids.capacity() + self.joined.capacity()) * (size_of::<Entry>() + 1)
                + self.buckets.capacity() * (size_of::<Bucket>() + 1)
                + self.rows.len() * 4
                + self.vocabulary.memory(),
            ..self.stats
        }
    }

    fn aliases(&self) -> usize {
        self.ids.len() - self.live
    }

    fn full(&self) -> bool {
        self.live >= self.limits.max_templates.max(1) || self.text_bytes >= self.limits.max_bytes
    }

    fn root(&self, index: usize) -> usize {
        let mut index = index;
        while self.rows[index].forward as usize != index {
            index = self.rows[index].forward as usize;
        }
        index
    }

    /// As [`root`](Self::root), and makes the way shorter for the next time.
    fn root_of(&mut self, index: u32) -> usize {
        let mut index = index as usize;
        loop {
            let next = self.rows[index].forward as usize;
            if next == index {
                return index;
            }
            let after = self.rows[next].forward;
            self.rows[index].forward = after;
            index = next;
        }
    }

    /// A masked text that is not known: it joins a merged template, becomes a template, or brings templates together.
    fn unknown(&mut self, hash: u64, text: &[u8]) -> usize {
        self.slots.clear();
        let skeleton = split(text, &mut self.slots);
        if let Some(index) = self.join(skeleton, text) {
            if self.joined.len() >= self.limits.max_joined {
                self.joined.clear();
                self.stats.forgotten += 1;
            }
            insert(&mut self.joined, hash, index as u32);
            return index;
        }
        if self.full() {
            self.stats.overflowed += 1;
            return self.overflow();
        }
        let (skeleton, words) = self.parse(text);
        let text = String::from_utf8_lossy(text).into_owned();
        let index = self.push(hash, text, skeleton, words);
        self.merge_from(index)
    }

    /// The template with `<*>` that the text in `self.slots` fits, the narrowest one.
    fn join(&mut self, skeleton: u64, text: &[u8]) -> Option<usize> {
        let bucket = self
            .buckets
            .find(skeleton, |bucket| bucket.skeleton == skeleton)?;
        if bucket.merged.is_empty() {
            return None;
        }
        self.words.clear();
        let vocabulary = &self.vocabulary;
        self.words
            .extend(self.slots.iter().map(|slot| vocabulary.find(slot.of(text))));
        let mut best: Option<(usize, usize)> = None;
        for index in bucket.merged.iter().rev().take(MAX_COMPARED) {
            let row = &self.rows[*index as usize];
            if row.words.len() != self.words.len() {
                continue;
            }
            let mut wide = 0;
            let fits =
                row.words
                    .iter()
                    .zip(&self.words)
                    .zip(&self.slots)
                    .all(|((theirs, ours), slot)| {
                        if *theirs == self.any {
                            wide += 1;
                            merge::may_vary(
                                text,
                                slot.start as usize,
                                slot.end as usize,
                                slot.start == self.slots[0].start,
                            )
                        } else {
                            theirs == ours
                        }
                    });
            if fits && best.is_none_or(|(least, _)| wide < least) {
                best = Some((wide, *index as usize));
            }
        }
        best.map(|(_, index)| index)
    }

    /// The skeleton and words of a template's text.
    fn parse(&mut self, text: &[u8]) -> (u64, Box<[u32]>) {
        self.slots.clear();
        let skeleton = split(text, &mut self.slots);
        let vocabulary = &mut self.vocabulary;
        let words = self
            .slots
            .iter()
            .map(|slot| vocabulary.intern(slot.of(text)))
            .collect();
        (skeleton, words)
    }

    fn push(&mut self, hash: u64, text: String, skeleton: u64, words: Box<[u32]>) -> usize {
        let index = self.rows.len();
        self.text_bytes += text.len() + words.len() * 4;
        let merged = words.contains(&self.any);
        self.rows.push(Row {
            template: Template {
                id: TemplateId(hash),
                text,
                count: 0,
            },
            forward: index as u32,
            bucket: skeleton,
            words,
        });
        self.live += 1;
        insert(&mut self.ids, hash, index as u32);
        let bucket = bucket_of(&mut self.buckets, skeleton);
        if merged {
            &mut bucket.merged
        } else {
            &mut bucket.plain
        }
        .push(index as u32);
        index
    }

    /// The template that stands for all that found no room.
    fn overflow(&mut self) -> usize {
        let text = Kind::Rest.placeholder();
        let hash = xxh3_64(text.as_bytes());
        match find(&self.ids, hash) {
            Some(index) => self.root_of(index),
            None => self.push(hash, text.to_owned(), 0, Box::default()),
        }
    }

    /// Brings the template at `index` together with those it belongs with, as long as there are any.
    fn merge_from(&mut self, index: usize) -> usize {
        let mut index = index;
        for _ in 0..MAX_ROUNDS {
            if self.aliases() >= self.limits.max_aliases {
                break;
            }
            let Some((set, members)) = self.candidates(index) else {
                break;
            };
            index = self.unite(index, set, &members);
        }
        index
    }

    /// The positions to become variable and the rows to unite with `index`.
    fn candidates(&mut self, index: usize) -> Option<(u64, Vec<u32>)> {
        let row = &self.rows[index];
        let bucket = self
            .buckets
            .find(row.bucket, |bucket| bucket.skeleton == row.bucket)?;
        if bucket.merged.len() + bucket.plain.len() < 2 {
            return None;
        }
        let text = row.template.text.as_bytes();
        self.slots.clear();
        split(text, &mut self.slots);
        self.places.clear();
        self.places.extend(
            self.slots.iter().enumerate().map(|(i, slot)| {
                merge::place(text, slot.start as usize, slot.end as usize, i == 0)
            }),
        );
        let shape = Shape {
            words: &row.words,
            places: &self.places,
        };
        let mut near: Vec<(u64, u32)> = Vec::new();
        for list in [&bucket.merged, &bucket.plain] {
            for other in list.iter().rev().take(MAX_COMPARED) {
                if *other as usize == index {
                    continue;
                }
                let words = &self.rows[*other as usize].words;
                if let Some(set) = merge::difference(&shape, words, &self.vocabulary, self.any) {
                    near.push((set, *other));
                }
            }
        }
        if near.is_empty() {
            return None;
        }
        let others: Vec<(u64, &[u32])> = near
            .iter()
            .map(|(set, other)| (*set, &*self.rows[*other as usize].words))
            .collect();
        let Some(set) = merge::decide(&shape, &others, &self.vocabulary) else {
            let set = merge::transfer(&shape, &others, &self.vocabulary, self.any)?;
            return Some((set, Vec::new()));
        };
        let members = near
            .iter()
            .filter(|(other, _)| other & !set == 0)
            .map(|(_, other)| *other)
            .collect();
        Some((set, members))
    }

    /// Unites `index` and `members` into one template with `<*>` at the positions in `set` and where a member has one.
    /// Gives its index, which is the oldest one's.
    fn unite(&mut self, index: usize, set: u64, members: &[u32]) -> usize {
        let any = Kind::Any.placeholder();
        let old = &self.rows[index];
        let mut text = String::with_capacity(old.template.text.len());
        let mut words = old.words.clone();
        self.slots.clear();
        split(old.template.text.as_bytes(), &mut self.slots);
        let mut copied = 0;
        for (i, slot) in self.slots.iter().enumerate() {
            let varies = (i < merge::MAX_SLOTS && set & (1 << i) != 0)
                || members
                    .iter()
                    .any(|member| self.rows[*member as usize].words.get(i) == Some(&self.any));
            if varies {
                text.push_str(
                    old.template
                        .text
                        .get(copied..slot.start as usize)
                        .unwrap_or_default(),
                );
                text.push_str(any);
                copied = slot.end as usize;
                words[i] = self.any;
            }
        }
        text.push_str(old.template.text.get(copied..).unwrap_or_default());
        let skeleton = old.bucket;
        let hash = xxh3_64(text.as_bytes());

        let mut members: Vec<u32> = members.to_vec();
        members.push(index as u32);
        if let Some(same) = find(&self.ids, hash) {
            members.push(self.root_of(same) as u32);
        }
        members.sort_unstable();
        members.dedup();
        let root = members[0] as usize;
        let mut count = 0;
        for member in &members {
            let row = &mut self.rows[*member as usize];
            count += std::mem::take(&mut row.template.count);
            if row.template.id.0 != hash {
                self.renamed.push((row.template.id, root as u32));
            }
            self.text_bytes = self
                .text_bytes
                .saturating_sub(row.template.text.len() + row.words.len() * 4);
            row.template.text = String::new();
            row.words = Box::default();
            row.forward = root as u32;
        }
        self.live -= members.len() - 1;
        self.stats.merges += 1;
        self.text_bytes += text.len() + words.len() * 4;
        if find(&self.ids, hash).is_none() {
            insert(&mut self.ids, hash, root as u32);
        }
        let row = &mut self.rows[root];
        row.template = Template {
            id: TemplateId(hash),
            text,
            count,
        };
        row.words = words;
        let bucket = bucket_of(&mut self.buckets, skeleton);
        bucket
            .merged
            .retain(|row| members.binary_search(row).is_err());
        bucket
            .plain
            .retain(|row| members.binary_search(row).is_err());
        bucket.merged.push(root as u32);
        root
    }
}

fn find(table: &HashTable<Entry>, hash: u64) -> Option<u32> {
    table
        .find(hash, |entry| entry.0 == hash)
        .map(|entry| entry.1)
}

fn insert(table: &mut HashTable<Entry>, hash: u64, index: u32) {
    table.insert_unique(hash, (hash, index), |entry| entry.0);
}

fn bucket_of(buckets: &mut HashTable<Bucket>, skeleton: u64) -> &mut Bucket {
    buckets
        .entry(
            skeleton,
            |bucket| bucket.skeleton == skeleton,
            |bucket| bucket.skeleton,
        )
        .or_insert_with(|| Bucket {
            skeleton,
            ..Bucket::default()
        })
        .into_mut()
}
