//! What earlier runs knew of the streams, until the streams are met again.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::cursor::{Cursor, Place};
use super::stream::OpenStream;
use crate::source::files::Identity;

/// How long after the first look at the clock a line that an earlier run left unfinished waits for its stream.
const PATIENCE_MS: u64 = 30_000;
/// Names of streams that are remembered, so that another stream gets another name.
const MAX_NAMES: usize = 65_536;

/// Cursors whose streams have not been met yet, and the names that were given.
#[derive(Default)]
pub(super) struct Known {
    /// By the stream's id.
    cursors: HashMap<String, Cursor>,
    /// How many streams had the same name, by the name's hash.
    names: HashMap<u64, u32>,
    give_up_at: Option<u64>,
}

impl Known {
    pub(super) fn new(cursors: impl IntoIterator<Item = Cursor>) -> Self {
        let mut known = Self::default();
        for cursor in cursors {
            known.count(&cursor.stream.id);
            known.cursors.insert(cursor.stream.id.clone(), cursor);
        }
        known
    }

    /// The cursor of a container.
    pub(super) fn container(&mut self, id: &str) -> Option<Cursor> {
        matches!(self.cursors.get(id)?.place, Place::Docker(_))
            .then(|| self.cursors.remove(id))
            .flatten()
    }

    /// The cursor of a file that the source has found again.
    pub(super) fn file(&mut self, known: &Identity) -> Option<Cursor> {
        // A file that was emptied and begins as before has had several streams: the one that goes on is the one.
        let fits =
            |cursor: &Cursor| matches!(&cursor.place, Place::File { file, .. } if file == known);
        let id = self
            .find(|cursor| fits(cursor) && cursor.ended.is_none())
            .or_else(|| self.find(fits))?;
        self.cursors.remove(&id)
    }

    /// The cursor of a file that was read under this name and left something unfinished.
    pub(super) fn unfinished(&mut self, name: &str) -> Option<Cursor> {
        let id = self.find(|cursor| {
            matches!(cursor.place, Place::File { .. })
                && !cursor.open.is_empty()
                && cursor.stream.origin.name == name
        })?;
        self.cursors.remove(&id)
    }

    /// What was left unfinished by streams that have not come again, once that is certain enough.
    pub(super) fn given_up(&mut self, now_ms: u64) -> Vec<Cursor> {
        if self.cursors.is_empty() || now_ms < *self.give_up_at.get_or_insert(now_ms + PATIENCE_MS)
        {
            return Vec::new();
        }
        let cursors = std::mem::take(&mut self.cursors);
        cursors
            .into_values()
            .filter(|cursor| !cursor.open.is_empty())
            .collect()
    }

    /// Gives a new stream another name where an earlier one had its own: a file that was emptied and begins as before.
    pub(super) fn tell_apart(&mut self, stream: &mut OpenStream) {
        let before = self.count(&stream.info.id);
        if before > 0 {
            stream.rename(format!("{}.{before}", stream.info.id));
        }
    }

    /// How many streams have had this name before.
    fn count(&mut self, id: &str) -> u32 {
        if self.names.len() >= MAX_NAMES {
            self.names.clear();
        }
        // `NAME.2` is the third NAME.
        let name = id.split_once('.').map_or(id, |(name, _)| name);
        let count = self.names.entry(xxh3_64(name.as_bytes())).or_default();
        let before = *count;
        let named = id
            .split_once('.')
            .and_then(|(_, n)| n.parse::<u32>().ok())
            .unwrap_or(0);
        *count = (before + 1).max(named + 1);
        before
    }

    fn find(&self, fits: impl Fn(&Cursor) -> bool) -> Option<String> {
        let found = self.cursors.iter().find(|(_, cursor)| fits(cursor));
        found.map(|(id, _)| id.clone())
    }
}
