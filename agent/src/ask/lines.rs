//! Lines of the store: those of a template, and those that hold a name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use memchr::memmem::Finder;

use super::answer::{Line, shown};
use super::facts::{Block, Choice};
use super::samples::Samples;
use crate::flow::{Batch, Labelled, StreamInfo};
use crate::store::{Fault, Reader};

/// Names are looked up until so many events have them.
const MOST_FOUND: usize = 5_000;
/// Lines of a template are looked through until so many were seen.
const MOST_SEEN: usize = 2_000;

/// Bytes of text that are unpacked to quote from, beyond the first line of each template: about 25 ms of work.
const MOST_UNPACKED: u64 = 8 << 20;

/// A block's events with their sequence numbers; none where the block is gone.
type Events = Option<Arc<(Batch, Vec<u64>)>>;

/// Unpacked blocks of one question.
pub(super) struct Unpacked<'a> {
    reader: &'a Reader,
    samples: &'a Samples,
    /// Bytes of text that were unpacked.
    bytes: u64,
    blocks: HashMap<u64, Events>,
    /// A block that was known is gone.
    pub(super) missed: bool,
}

/// An event that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its template's number, of the one that it is part of now.
    pub(super) template: u32,
    /// Its sequence number.
    pub(super) seq: u64,
    /// Its time.
    pub(super) time: Option<i64>,
    /// The id of its stream.
    pub(super) stream: Arc<str>,
    /// The line.
    pub(super) line: Line,
}

/// Events that hold what was looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Holding {
    /// The newest first.
    pub(super) events: Vec<Found>,
    /// There are more.
    pub(super) more: bool,
}

impl<'a> Unpacked<'a> {
    pub(super) fn new(reader: &'a Reader, samples: &'a Samples) -> Self {
        Self {
            reader,
            samples,
            bytes: 0,
            blocks: HashMap::new(),
            missed: false,
        }
    }

    /// The events of a block; none where it is gone.
    fn block(&mut self, block: &Block) -> Result<Events, Fault> {
        if let Some(known) = self.blocks.get(&block.place.checksum) {
            return Ok(known.clone());
        }
        let read = self.reader.block_events(&block.place)?.map(Arc::new);
        self.bytes += block.place.raw;
        self.missed |= read.is_none();
        self.blocks.insert(block.place.checksum, read.clone());
        Ok(read)
    }

    /// The chosen events that hold all of `names`, each as a word of its own; `loosely`: an underscore may join it to others.
    pub(super) fn holding(
        &mut self,
        blocks: &[Arc<Block>],
        names: &[&str],
        loosely: bool,
        choice: &Choice,
        root: &dyn Fn(u32) -> u32,
    ) -> Result<Holding, Fault> {
        let finders: Vec<Finder<'_>> = names
            .iter()
            .map(|name| Finder::new(name.as_bytes()))
            .collect();
        let mut found = Holding::default();
        for block in blocks
            .iter()
            .rev()
            .filter(|block| choice.may_be_in(&block.place) && block.may_hold(names))
        {
            // Not kept: a name is looked for in all of them.
            let known = self.blocks.get(&block.place.checksum).cloned();
            let read = match known {
                Some(known) => known,
                None => self.reader.block_events(&block.place)?.map(Arc::new),
            };
            let Some(read) = read else {
                self.missed = true;
                continue;
            };
            let (batch, seqs) = &*read;
            let stream: Arc<str> = Arc::from(block.place.stream.id.as_str());
            for (event, seq) in batch.events.iter().zip(seqs).rev() {
                let text = batch.get(event.text);
                let has = finders.iter().all(|finder| holds(text, finder, loosely));
                if !has || !choice.has_time(event.timestamp.map(|time| time.0)) {
                    continue;
                }
                if found.events.len() >= MOST_FOUND {
                    found.more = true;
                    return Ok(found);
                }
                found.events.push(Found {
                    template: root(u32::try_from(event.template).unwrap_or(u32::MAX)),
                    seq: *seq,
                    time: event.timestamp.map(|time| time.0),
                    stream: Arc::clone(&stream),
                    line: line(batch, event),
                });
            }
        }
        Ok(found)
    }

    /// Up to `most` chosen lines of one of the templates in `numbers`, those with most of `wanted` first, then the newest, no two
    /// the same. Where they lie in more than can be unpacked while somebody waits, some that are remembered do.
    pub(super) fn of_template(
        &mut self,
        blocks: &[Arc<Block>],
        numbers: &HashSet<u32>,
        choice: &Choice,
        wanted: &[String],
        most: usize,
    ) -> Result<Vec<Line>, Fault> {
        let finders: Vec<Finder<'_>> = wanted
            .iter()
            .map(|name| Finder::new(name.as_bytes()))
            .collect();
        let mut best: Vec<(usize, Line)> = Vec::new();
        let mut texts: HashSet<Vec<u8>> = HashSet::new();
        let mut seen = 0;
        let inside = |block: &&Arc<Block>| {
            let templates = &block.place.templates;
            let has = |number: &u32| templates.binary_search(number).is_ok();
            numbers.iter().any(has) && choice.may_be_in(&block.place)
        };
        let holding: Vec<&Arc<Block>> = blocks.iter().rev().filter(inside).collect();
        let all: u64 = holding.iter().map(|block| block.place.raw).sum();
        if all > MOST_UNPACKED && wanted.is_empty() {
            let oldest = blocks.first().map_or(0, |block| block.place.first);
            let known = self.samples.of(numbers, choice, oldest, most);
            if !known.is_empty() {
                return Ok(known);
            }
        }
        for block in holding {
            let open = self.blocks.contains_key(&block.place.checksum);
            if !open && !best.is_empty() && self.bytes + block.place.raw > MOST_UNPACKED {
                break;
            }
            let Some(read) = self.block(block)? else {
                continue;
            };
            let (batch, _) = &*read;
            for event in batch.events.iter().rev() {
                let number = u32::try_from(event.template).unwrap_or(u32::MAX);
                if !numbers.contains(&number)
                    || !choice.has_time(event.timestamp.map(|time| time.0))
                {
                    continue;
                }
                seen += 1;
                let text = batch.get(event.text);
                // Numbers of the time in front of it are not meant.
                let message = batch.get(event.message);
                let has = finders
                    .iter()
                    .filter(|finder| holds(message, finder, false))
                    .count();
                if best.len() >= most && best.last().is_some_and(|(least, _)| has <= *least) {
                    continue;
                }
                if texts.insert(text.to_vec()) {
                    let at = best.partition_point(|(other, _)| *other >= has);
                    best.insert(at, (has, line(batch, event)));
                    best.truncate(most);
                }
            }
            let full =
                best.len() >= most && best.last().is_some_and(|(has, _)| *has == finders.len());
            if full || seen >= MOST_SEEN {
                break;
            }
        }
        Ok(best.into_iter().map(|(_, line)| line).collect())
    }

    /// One event of each template in `numbers` that lies in `block`: the number, the logger and the message.
    pub(super) fn examples(
        &mut self,
        block: &Block,
        numbers: &HashSet<u32>,
    ) -> Result<Vec<(u32, String, String)>, Fault> {
        let Some(read) = self.reader.block_events(&block.place)? else {
            return Ok(Vec::new());
        };
        let (batch, _) = &read;
        let mut left = numbers.clone();
        let mut found = Vec::new();
        for event in batch.events.iter().rev() {
            let number = u32::try_from(event.template).unwrap_or(u32::MAX);
            if left.remove(&number) {
                let text = |slice| String::from_utf8_lossy(batch.get(slice)).into_owned();
                found.push((number, text(event.logger), text(event.message)));
                if left.is_empty() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Whether a text holds a name as a word of its own: no letter, digit or sign of the name's kind goes on before or after it.
fn holds(text: &[u8], finder: &Finder<'_>, loosely: bool) -> bool {
    let needle = finder.needle();
    let goes_on = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || (!loosely && *byte == b'_'))
    };
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let starts_with_digit = digit(needle.first());
    let ends_with_digit = digit(needle.last());
    finder.find_iter(text).any(|at| {
        let end = at + needle.len();
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let after = text.get(end);
        // `10.0.0.2` does not stand in `110.0.0.2`, `5.10.0.0.2` or `10.0.0.2.9`, and `2` not in `2.5`.
        let dotted =
            (starts_with_digit && before == Some(&b'.') && at >= 2 && digit(text.get(at - 2)))
                || (ends_with_digit && after == Some(&b'.') && digit(text.get(end + 1)));
        !goes_on(before) && !goes_on(after) && !dotted
    })
}

/// An event as it is quoted.
pub(super) fn line(batch: &Batch, event: &Labelled) -> Line {
    let stream = batch.stream(event);
    let text = String::from_utf8_lossy(batch.get(event.text));
    let (text, rest) = text.split_once('\n').unwrap_or((&text, ""));
    Line {
        text: text.to_owned(),
        rest: rest.to_owned(),
        timestamp: event.timestamp.map(|time| shown(time.0)),
        time: event.timestamp.map(|time| time.0),
        stream: event.stream.as_str(),
        source: stream.map(source_name).unwrap_or_default(),
        event_id: format!(
            "{}:{}",
            stream.map_or("", |stream| stream.id.as_str()),
            event.start
        ),
    }
}

/// Who writes a stream, as people call it.
pub(super) fn source_name(stream: &StreamInfo) -> String {
    let origin = &stream.origin;
    if let Some(k8s) = &origin.k8s {
        return format!("{}/{}", k8s.pod, k8s.container);
    }
    match &origin.container {
        Some(container) if !container.name.is_empty() => container.name.clone(),
        Some(container) if !container.id.is_empty() => container.id.chars().take(12).collect(),
        _ => origin
            .name
            .rsplit('/')
            .next()
            .unwrap_or(&origin.name)
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_only_as_a_word_of_its_own() {
        let is =
            |text: &str, name: &str| holds(text.as_bytes(), &Finder::new(name.as_bytes()), false);
        assert!(is("from 10.0.0.2:443", "10.0.0.2"));
        assert!(is("seen 10.0.0.2.", "10.0.0.2"));
        assert!(!is("from 110.0.0.2", "10.0.0.2"));
        assert!(!is("from 10.0.0.25", "10.0.0.2"));
        assert!(!is("from 5.10.0.0.2", "10.0.0.2"));
        assert!(is("app[4711]: gone", "4711"));
        assert!(!is("app[47110]: gone", "4711"));
        assert!(is("x 47110 4711", "4711"));
        assert!(!is("task_17_b", "task_17"));
    }
}
