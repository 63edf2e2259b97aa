//! The layout of the store's file: its tables, their keys and their records. Drawn in `ARCHITECTURE.md`.
//!
//! A record is written by postcard, whose integers are short where the numbers are small. Anything that changes how a
//! record is read changes [`LAYOUT`].

use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of everything in this file.
///
/// 2: templates have verdicts and vectors, and blocks speak of all stages.
pub(super) const LAYOUT: u32 = 2;

/// Facts about the file: [`META_LAYOUT`] and so on.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// The layout's version, as 4 little-endian bytes.
pub(super) const META_LAYOUT: &str = "layout";
/// The sequence number of the next event, as 8 little-endian bytes; segments may be further, because it is written
/// only where events go away.
pub(super) const META_NEXT: &str = "next";
/// Events that went away with their segments, as 8 little-endian bytes.
pub(super) const META_DELETED: &str = "deleted";
/// Sums over streams that are no longer known one by one: a [`StreamLedger`](super::ledger::StreamLedger).
pub(super) const META_GONE: &str = "gone";

/// (first sequence number of the segment, 0) -> [`SegmentHead`]; (the same, n) -> its nth [`BlockHead`].
pub(super) const HEADS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("heads");
/// (first sequence number of the segment, n) -> the nth piece of its blocks' bytes, one block after the other.
pub(super) const BODIES: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("bodies");
/// Template number -> [`TemplateRecord`].
pub(super) const TEMPLATES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("templates");
/// Template number -> events in the life of the store; when it was first and last seen, in nanoseconds since 1970.
pub(super) const SEEN: TableDefinition<'_, u32, (u64, i64, i64)> = TableDefinition::new("seen");
/// Template number -> [`VerdictRecord`].
pub(super) const VERDICTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("verdicts");
/// Template number -> [`VectorRecord`].
pub(super) const VECTORS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("vectors");
/// ([`NAME_CATEGORY`] or [`NAME_RULE`], number) -> name.
pub(super) const NAMES: TableDefinition<'_, (u8, u32), &str> = TableDefinition::new("names");
/// Stream number -> [`StreamRecord`].
pub(super) const STREAMS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("streams");
/// Stream number -> [`CursorRecord`].
pub(super) const CURSORS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("cursors");
/// Stream number -> [`StreamLedger`](super::ledger::StreamLedger).
pub(super) const LEDGER: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("ledger");
/// Sink name -> [`SinkRecord`](super::ledger::SinkRecord).
pub(super) const SINKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sinks");

/// The first part of a category's key in [`NAMES`].
pub(super) const NAME_CATEGORY: u8 = 0;
/// The first part of a rule's key in [`NAMES`].
pub(super) const NAME_RULE: u8 = 1;

/// What fits in a page of 4096 bytes beside the key and redb's own bytes: a piece of this length wastes nothing.
/// (4 bytes of page head, 4 bytes of value end, 12 bytes of key.)
pub(super) const PIECE: usize = 4096 - 4 - 4 - 12;

/// A run of sequence numbers without a gap, all of whose events lie in the segment's blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentHead {
    /// How many sequence numbers: that many events, unless some were damaged.
    pub(super) count: u32,
    /// How many events.
    pub(super) events: u32,
    /// How many blocks.
    pub(super) blocks: u32,
    /// Merged, or big enough when it was committed.
    pub(super) sealed: bool,
    /// When it was committed, in nanoseconds since 1970.
    pub(super) written: i64,
    /// Bytes of text.
    pub(super) raw: u64,
    /// Bytes in the bodies table.
    pub(super) stored: u64,
}

/// One block: the events of one stream in one segment, and what is known of them without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BlockHead {
    /// The stream's number.
    pub(super) stream: u32,
    /// The first event's sequence number.
    pub(super) first: u64,
    /// The last event's.
    pub(super) last: u64,
    /// How many events.
    pub(super) count: u32,
    /// The earliest and the latest time of an event, in nanoseconds since 1970.
    pub(super) times: Option<(i64, i64)>,
    /// An event has no time.
    pub(super) untimed: bool,
    /// Bit n: an event of the nth level.
    pub(super) levels: u8,
    /// An event has no category.
    pub(super) unclassified: bool,
    /// The numbers of the categories.
    pub(super) categories: Vec<u16>,
    /// The numbers of the templates, ascending.
    pub(super) templates: Vec<u32>,
    /// The least and the greatest position of an event in its stream.
    pub(super) starts: (u64, u64),
    /// Bytes of text.
    pub(super) raw: u64,
    /// Where it begins in the segment's bytes.
    pub(super) offset: u64,
    /// How long it is there.
    pub(super) len: u32,
    /// XXH3-64 of those bytes.
    pub(super) checksum: u64,
    /// Its bytes were found not to be what was written: they are not read again.
    pub(super) damaged: bool,
}

/// A template. Its text never changes: one that merges with others gets a successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TemplateRecord {
    /// The hash of the text.
    pub(super) id: u64,
    /// The masked text.
    pub(super) text: String,
    /// The number of the template that it is part of now.
    pub(super) successor: Option<u32>,
}

/// What a template is judged to be about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct VerdictRecord {
    pub(super) category: Option<String>,
    /// As in blocks.
    pub(super) stage: u8,
    pub(super) confidence: f32,
    pub(super) reason: String,
    pub(super) version: String,
    pub(super) asked: String,
}

/// Where a template lies among all templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct VectorRecord {
    /// Of the model.
    pub(super) version: String,
    pub(super) scale: f32,
    pub(super) codes: Vec<i8>,
}

/// A stream: its id, and who writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StreamRecord {
    pub(super) id: String,
    pub(super) kind: u8,
    pub(super) name: String,
    pub(super) container: Option<ContainerRecord>,
    pub(super) k8s: Option<K8sRecord>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) labels: Vec<(String, String)>,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct K8sRecord {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) uid: String,
    pub(super) container: String,
    pub(super) restart: Option<u32>,
}

/// What stands behind the record of a stream where more is known of its pod than the path tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PodRecord {
    pub(super) labels: Vec<(String, String)>,
    /// Kind and name.
    pub(super) owner: Option<(String, String)>,
}

/// How far a stream was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CursorRecord {
    pub(super) place: PlaceRecord,
    /// The assembler's snapshot.
    pub(super) open: Vec<u8>,
    pub(super) open_lines: u64,
    /// Why the stream gives nothing more.
    pub(super) ended: Option<u8>,
    /// When it was written, in nanoseconds since 1970.
    pub(super) written: i64,
}

/// A position in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PlaceRecord {
    /// In a file; markers are (length, hash).
    File {
        device: u64,
        inode: u64,
        marker: (u16, u64),
        offset: u64,
        seam: Option<(u16, u64)>,
    },
    /// In a container's log: latest time, last time, last hash, repeats.
    Docker(i64, i64, u64, u32),
    /// In what cannot be read again.
    Passing,
}

/// Writes a record.
pub(super) fn to_bytes<T: Serialize>(record: &T) -> Vec<u8> {
    // Records hold nothing that postcard cannot write: every sequence knows its length.
    postcard::to_allocvec(record).unwrap_or_default()
}

/// Reads a record; none where it is damaged.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

/// The same, and what stands behind it.
pub(super) fn from_bytes_and_rest<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, &[u8])> {
    postcard::take_from_bytes(bytes).ok()
}
