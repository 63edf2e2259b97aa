//! Opening the file: its layout is checked, what it knows is taken up, and what is damaged is set aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use redb::{ReadTransaction, ReadableTable as _, WriteTransaction};

use super::disk::{Disk, FILE};
use super::error::Fault;
use super::heal::heal;
use super::index::Index;
use super::ledger::{SinkRecord, StreamLedger};
use super::names::{KnownTemplate, Names};
use super::options::Options;
use super::records::{cursor_of, stream_of};
use super::retention::{gone, number};
use super::tables::{
    BODIES, BlockHead, CURSORS, CursorRecord, HEADS, LAYOUT, LEDGER, META, META_LAYOUT, META_NEXT,
    NAME_CATEGORY, NAMES, SEEN, SINKS, STREAMS, SegmentHead, TEMPLATES, VECTORS, VERDICTS,
    VerdictRecord, from_bytes,
};
use crate::flow::Cursor;

/// What a store remembers of earlier runs.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Where the streams stood.
    pub cursors: Vec<Cursor>,
    /// The templates, those that are part of another one included.
    pub templates: Vec<KnownTemplate>,
    /// What was damaged and is left out, in words.
    pub notes: Vec<String>,
}

/// Everything that is taken up from a file.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) names: Names,
    pub(super) cursors: Vec<Cursor>,
    pub(super) ledger: BTreeMap<u32, StreamLedger>,
    pub(super) sinks: BTreeMap<String, SinkRecord>,
    pub(super) index: Index,
    /// When the cursors of streams that have ended were written, by stream number.
    pub(super) ended: BTreeMap<u32, i64>,
    pub(super) gone: StreamLedger,
    pub(super) oldest: u64,
    pub(super) next: u64,
    pub(super) notes: Vec<String>,
}

/// Opens the file of `options`, or makes it. What is damaged beyond use is set aside, and what can be read of it goes into
/// a new file. A file that somebody else has open is waited for for at most `wait`.
///
/// With `damaged` the file is known to be beyond use, in these words.
pub(super) fn open(
    options: &Options,
    damaged: Option<String>,
    wait: Duration,
) -> Result<(Disk, Loaded), Fault> {
    let directory = options.directory.as_ref().ok_or(Fault::Off)?;
    std::fs::create_dir_all(directory)?;
    let path = directory.join(FILE);
    if let Some(why) = damaged {
        return heal(options, directory, &why, wait);
    }
    match open_sound(options, &path, wait) {
        Err(Fault::Damaged(why)) => heal(options, directory, &why, wait),
        result => result,
    }
}

/// Opens the file at `path`, or makes it.
pub(super) fn open_sound(
    options: &Options,
    path: &Path,
    wait: Duration,
) -> Result<(Disk, Loaded), Fault> {
    let disk = Disk::open_once_free(options, path, wait)?;
    prepare(&disk)?;
    let loaded = disk.read(load)?;
    Ok((disk, loaded))
}

/// Makes the tables of a new file, and refuses a file of a later version.
pub(super) fn prepare(disk: &Disk) -> Result<(), Fault> {
    let layout = disk.read(|transaction| match transaction.open_table(META) {
        Ok(table) => Ok(table
            .get(META_LAYOUT)?
            .and_then(|bytes| bytes.value().try_into().ok().map(u32::from_le_bytes))),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    })?;
    match layout {
        Some(found) if found > LAYOUT => Err(Fault::Newer {
            found,
            known: LAYOUT,
        }),
        Some(LAYOUT) => Ok(()),
        // A file of an earlier layout only lacks tables.
        Some(_) | None => disk.write(create),
    }
}

fn create(transaction: &WriteTransaction) -> Result<(), Fault> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_LAYOUT, LAYOUT.to_le_bytes().as_slice())?;
    transaction.open_table(HEADS)?;
    transaction.open_table(BODIES)?;
    for table in [TEMPLATES, STREAMS, CURSORS, LEDGER, VERDICTS, VECTORS] {
        transaction.open_table(table)?;
    }
    transaction.open_table(SEEN)?;
    transaction.open_table(NAMES)?;
    transaction.open_table(SINKS)?;
    Ok(())
}

/// Takes up what the file knows.
fn load(transaction: &ReadTransaction) -> Result<Loaded, Fault> {
    let mut loaded = Loaded::default();
    load_names(transaction, &mut loaded)?;
    load_streams(transaction, &mut loaded)?;
    load_cursors(transaction, &mut loaded)?;
    load_sinks(transaction, &mut loaded)?;
    load_index(transaction, &mut loaded)?;
    Ok(loaded)
}

/// Takes up where the streams stood.
pub(super) fn load_cursors(
    transaction: &ReadTransaction,
    loaded: &mut Loaded,
) -> Result<(), Fault> {
    for entry in transaction.open_table(CURSORS)?.iter()? {
        let (number, record) = entry?;
        let cursor = loaded.names.stream(number.value()).and_then(|stream| {
            let record = from_bytes::<CursorRecord>(record.value())?;
            if record.ended.is_some() {
                loaded.ended.insert(number.value(), record.written);
            }
            cursor_of(record, stream)
        });
        match cursor {
            Some(cursor) => loaded.cursors.push(cursor),
            None => loaded.note("a cursor", number.value()),
        }
    }
    Ok(())
}

/// Takes up what became of the lines, and what the sinks have acknowledged.
pub(super) fn load_sinks(transaction: &ReadTransaction, loaded: &mut Loaded) -> Result<(), Fault> {
    loaded.gone = gone(transaction)?;
    for entry in transaction.open_table(LEDGER)?.iter()? {
        let (number, record) = entry?;
        match from_bytes(record.value()) {
            Some(ledger) => {
                loaded.ledger.insert(number.value(), ledger);
            }
            None => loaded.note("the ledger of stream", number.value()),
        }
    }
    for entry in transaction.open_table(SINKS)?.iter()? {
        let (name, record) = entry?;
        match from_bytes(record.value()) {
            Some(record) => {
                loaded.sinks.insert(name.value().to_owned(), record);
            }
            None => loaded.note("the cursor of sink", name.value()),
        }
    }
    let next = number(&transaction.open_table(META)?, META_NEXT)?;
    loaded.next = loaded
        .sinks
        .values()
        .map(|sink| sink.cursor)
        .fold(next.max(loaded.next), u64::max);
    Ok(())
}

/// Takes up which segments there are.
pub(super) fn load_index(transaction: &ReadTransaction, loaded: &mut Loaded) -> Result<(), Fault> {
    let mut segment: Option<(u64, SegmentHead, Vec<BlockHead>)> = None;
    for entry in transaction.open_table(HEADS)?.iter()? {
        let (key, record) = entry?;
        match key.value() {
            (first, 0) => {
                if let Some((first, head, blocks)) = segment.take() {
                    loaded.index.insert(first, head, &blocks);
                }
                match from_bytes::<SegmentHead>(record.value()) {
                    Some(head) => {
                        loaded.next = loaded.next.max(first.saturating_add(head.count.into()));
                        segment = Some((first, head, Vec::new()));
                    }
                    None => {
                        loaded.next = loaded.next.max(first + 1);
                        loaded.note("the head of segment", first);
                    }
                }
            }
            (first, number) => match (&mut segment, from_bytes(record.value())) {
                (Some((of, _, blocks)), Some(block)) if *of == first => blocks.push(block),
                (_, None) => loaded.note("the head of block", format!("{first}/{number}")),
                _ => {}
            },
        }
    }
    if let Some((first, head, blocks)) = segment {
        loaded.index.insert(first, head, &blocks);
    }
    loaded.oldest = loaded
        .index
        .oldest()
        .map_or(loaded.next, |(first, _)| first);
    Ok(())
}

/// As [`load_index`] from the newest segment backwards to the first that is known: what lies behind a part of the list that
/// cannot be read.
pub(super) fn load_newer(transaction: &ReadTransaction, loaded: &mut Loaded) -> Result<(), Fault> {
    let mut blocks: Vec<BlockHead> = Vec::new();
    for entry in transaction.open_table(HEADS)?.iter()?.rev() {
        let (key, record) = entry?;
        let (first, number) = key.value();
        if loaded.index.sealed(first).is_some() {
            break;
        }
        if number > 0 {
            blocks.extend(from_bytes::<BlockHead>(record.value()));
            continue;
        }
        let blocks = std::mem::take(&mut blocks);
        if let Some(head) = from_bytes::<SegmentHead>(record.value()) {
            loaded.next = loaded.next.max(first.saturating_add(head.count.into()));
            loaded.index.insert(first, head, &blocks);
        }
    }
    Ok(())
}

/// Takes up templates, categories and rules.
pub(super) fn load_names(transaction: &ReadTransaction, loaded: &mut Loaded) -> Result<(), Fault> {
    for entry in transaction.open_table(TEMPLATES)?.iter()? {
        let (number, record) = entry?;
        let known = from_bytes(record.value())
            .is_some_and(|record| loaded.names.adopt_template(number.value(), record));
        if !known {
            loaded.note("template", number.value());
        }
    }
    for entry in transaction.open_table(SEEN)?.iter()? {
        let (number, seen) = entry?;
        loaded.names.adopt_seen(number.value(), seen.value());
    }
    for entry in transaction.open_table(VERDICTS)?.iter()? {
        let (number, record) = entry?;
        match from_bytes::<VerdictRecord>(record.value()).and_then(VerdictRecord::into_judgement) {
            Some(judged) => loaded.names.adopt_verdict(number.value(), judged),
            None => loaded.note("the verdict on template", number.value()),
        }
    }
    for entry in transaction.open_table(NAMES)?.iter()? {
        let (key, name) = entry?;
        let (kind, number) = key.value();
        match u16::try_from(number) {
            Ok(number) if kind == NAME_CATEGORY => {
                loaded.names.adopt_category(number, name.value());
            }
            _ => loaded.names.adopt_rule(number, name.value()),
        }
    }
    Ok(())
}

/// Takes up the streams.
pub(super) fn load_streams(
    transaction: &ReadTransaction,
    loaded: &mut Loaded,
) -> Result<(), Fault> {
    for entry in transaction.open_table(STREAMS)?.iter()? {
        let (number, record) = entry?;
        match stream_of(record.value()) {
            Some(info) => loaded.names.adopt_stream(number.value(), info),
            None => loaded.note("stream", number.value()),
        }
    }
    Ok(())
}

impl Loaded {
    fn note(&mut self, what: &str, key: impl std::fmt::Display) {
        self.notes
            .push(format!("{what} {key} is damaged and left out"));
    }
}
