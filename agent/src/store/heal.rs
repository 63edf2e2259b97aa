//! A file that is damaged: it is set aside under another name, and what can be read of it goes into a new one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::ReadTransaction;
use tracing::{error, warn};
use xxhash_rust::xxh3::xxh3_64;

use super::changes::Changes;
use super::disk::{Disk, FILE};
use super::error::Fault;
use super::fetch::Fetch;
use super::index::Index;
use super::open::{
    Loaded, load_cursors, load_index, load_names, load_newer, load_sinks, load_streams, open_sound,
    prepare,
};
use super::options::Options;
use super::records::cursor_record;
use super::segment::Segment;
use super::tables::{META, META_DELETED, META_GONE, META_NEXT, to_bytes};
use crate::telemetry::clock;

/// At most so many damaged files are kept.
const KEPT: usize = 2;
/// What a damaged file is called, before its time.
const ASIDE: &str = "store.redb.damaged-";
/// Segments are copied in transactions of about so many bytes.
const AT_ONCE: u64 = 4 << 20;

/// Sets the file in `directory` aside and begins a new one with what can be read of it.
pub(super) fn heal(
    options: &Options,
    directory: &Path,
    why: &str,
    wait: Duration,
) -> Result<(Disk, Loaded), Fault> {
    let path = directory.join(FILE);
    let aside = set_aside(directory, &path)?;
    error!(why, aside = %aside.display(), "the store's file is damaged; it is set aside, and what can be read of it is kept");
    let (disk, _) = open_sound(options, &path, wait)?;
    let mut loaded = Loaded::default();
    let (copied, lost) = match Disk::open_once_free(options, &aside, wait) {
        Ok(old) => salvage(&old, &disk, &mut loaded)?,
        Err(fault) => {
            warn!(%fault, "nothing of the damaged file can be read");
            (0, 0)
        }
    };
    loaded.notes.insert(
        0,
        format!(
            "{FILE} was damaged ({why}): it is now {}; {copied} events were kept, {lost} could not be read",
            aside.display()
        ),
    );
    // What was read of it is in the new file; a large one would take the room that the store may have.
    let size = std::fs::metadata(&aside).map_or(0, |file| file.len());
    if copied > 0 && size > options.max_bytes / 4 {
        let _ = std::fs::remove_file(&aside);
    }
    Ok((disk, loaded))
}

/// Renames the file and removes older ones that were set aside.
fn set_aside(directory: &Path, path: &Path) -> Result<PathBuf, Fault> {
    let seconds = clock::now().0 / 1_000_000_000;
    let mut time = Vec::new();
    logline::time::Timestamp(seconds * 1_000_000_000).write_rfc3339(&mut time);
    let time: String = String::from_utf8_lossy(&time)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let mut older: Vec<PathBuf> = std::fs::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(ASIDE))
        })
        .collect();
    older.sort();
    let aside = (0..)
        .map(|n| match n {
            0 => directory.join(format!("{ASIDE}{time}")),
            n => directory.join(format!("{ASIDE}{time}-{n}")),
        })
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| directory.join(ASIDE));
    std::fs::rename(path, &aside)?;
    for old in older.iter().rev().skip(KEPT - 1) {
        let _ = std::fs::remove_file(old);
    }
    Ok(aside)
}

/// Takes up what `old` still knows and writes it to `new`. Gives the events copied and those that could not be read.
fn salvage(old: &Disk, new: &Disk, loaded: &mut Loaded) -> Result<(u64, u64), Fault> {
    type Load = fn(&ReadTransaction, &mut Loaded) -> Result<(), Fault>;
    let parts: [(&str, Load); 6] = [
        ("templates and names", load_names),
        ("streams", load_streams),
        ("cursors", load_cursors),
        ("ledger and sinks", load_sinks),
        ("list of segments", load_index),
        ("list of newer segments", load_newer),
    ];
    // Each part on its own: a tree that cannot be read does not keep the others back.
    for (name, load) in parts {
        if let Err(fault) = old.read(|transaction| load(transaction, loaded)) {
            loaded
                .notes
                .push(format!("the {name} could not be read whole: {fault}"));
        }
    }
    loaded.names.touch_all();
    write_known(new, loaded)?;
    let known = std::mem::take(&mut loaded.index);
    let (mut copied, mut lost) = (0, 0);
    let mut group: Vec<Segment> = Vec::new();
    let mut bytes = 0;
    for (first, head) in known.iter() {
        match old.read(|transaction| copy(&Fetch::new(transaction)?, first, head)) {
            Ok(segment) => {
                bytes += head.stored;
                copied += u64::from(head.events);
                group.push(segment);
            }
            Err(_) => lost += u64::from(head.events),
        }
        if bytes >= AT_ONCE {
            write_segments(new, &mut group, &mut loaded.index)?;
            bytes = 0;
        }
    }
    write_segments(new, &mut group, &mut loaded.index)?;
    loaded.oldest = loaded
        .index
        .oldest()
        .map_or(loaded.next, |(first, _)| first);
    Ok((copied, lost))
}

/// A segment with its blocks' bytes as they are; blocks whose bytes are not what was written are marked.
fn copy(fetch: &Fetch, first: u64, head: &super::tables::SegmentHead) -> Result<Segment, Fault> {
    let heads = fetch.blocks(first, *head)?;
    let mut segment = Segment {
        first,
        head: *head,
        ..Segment::default()
    };
    for (_, mut block) in heads.blocks {
        let bytes = fetch.body(first, &block)?.unwrap_or_default();
        block.damaged |= bytes.len() != block.len as usize || xxh3_64(&bytes) != block.checksum;
        block.offset = segment.body.len() as u64;
        block.len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        segment.body.extend_from_slice(&bytes);
        segment.blocks.push(block);
    }
    segment.head.stored = segment.body.len() as u64;
    segment.head.blocks = u32::try_from(segment.blocks.len()).unwrap_or(u32::MAX);
    if segment.blocks.iter().all(|block| block.damaged) {
        return Err(Fault::damaged("no block of it can be read"));
    }
    Ok(segment)
}

fn write_segments(disk: &Disk, group: &mut Vec<Segment>, index: &mut Index) -> Result<(), Fault> {
    disk.write(|transaction| {
        group
            .iter()
            .try_for_each(|segment| segment.insert(transaction))
    })?;
    for segment in group.drain(..) {
        index.insert(segment.first, segment.head, &segment.blocks);
    }
    Ok(())
}

/// Writes names, cursors, ledger and sinks.
fn write_known(disk: &Disk, loaded: &mut Loaded) -> Result<(), Fault> {
    prepare(disk)?;
    let now = clock::now().0;
    let dirty = loaded.names.take_dirty();
    let mut changes = Changes::of_names(&dirty, &loaded.names);
    for cursor in &loaded.cursors {
        let number = loaded.names.stream_number(&cursor.stream);
        changes
            .cursors
            .push((number, to_bytes(&cursor_record(cursor, now))));
    }
    changes.ledger = loaded
        .ledger
        .iter()
        .map(|(number, ledger)| (*number, to_bytes(ledger)))
        .collect();
    changes.sinks = loaded
        .sinks
        .iter()
        .map(|(name, sink)| (name.clone(), to_bytes(sink)))
        .collect();
    let events: u64 = loaded
        .index
        .iter()
        .map(|(_, head)| u64::from(head.events))
        .sum();
    let stored: u64 = loaded.ledger.values().map(|ledger| ledger.stored).sum();
    let deleted = (stored + loaded.gone.stored).saturating_sub(events);
    disk.write(|transaction| {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_NEXT, loaded.next.to_le_bytes().as_slice())?;
        meta.insert(META_DELETED, deleted.to_le_bytes().as_slice())?;
        meta.insert(META_GONE, to_bytes(&loaded.gone).as_slice())?;
        drop(meta);
        changes.apply(transaction)
    })
}
